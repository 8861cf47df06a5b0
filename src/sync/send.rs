//! Changes → batches that the mirror takes: one at a time per table, halved when too large, written down when
//! acknowledged.
//!
//! A batch that is too large was not written, so its number is free for its first half, and the rest follows under
//! the next numbers: a run that is stopped in between finds ledger and mirror as after any other batch.

use super::{Carrier, SyncError, ledger::Entry, pass::Seen, plan::Table, source::SourceRow};
use crate::services::mirror::{Action, Batch, Change, Held, Mirror, MirrorError, Receipt, Remedy};

/// A batch is sent when its documents reach this many bytes: Convex's mutations work best below it.
const BATCH_BYTES: usize = 1024 * 1024;

/// What a change adds to a batch beyond its values: `neon` and what lies around key, hash and document.
const ENVELOPE: usize = 128;

/// So many rows refused, and something is wrong with more than rows.
const REFUSED_AT_MOST: u64 = 1000;

/// Changes that wait to be sent.
pub struct Pending {
    changes: Vec<Change>,
    /// What the mirror holds of each, as far as the ledger knows.
    known: Vec<Option<u64>>,
    bytes: usize,
    /// Changes that make a batch; less than configured once a batch was too large.
    rows: usize,
}

impl Pending {
    pub fn new(rows: usize) -> Self {
        Self { changes: Vec::new(), known: Vec::new(), bytes: 0, rows: rows.max(1) }
    }

    pub fn put(&mut self, row: SourceRow, known: Option<u64>) {
        let SourceRow { key, hash, document, size, .. } = row;
        self.push(size, Change { key, action: Action::Put { hash, document, size } }, known);
    }

    pub fn remove(&mut self, gone: Held, action: Action) {
        self.push(0, Change { key: gone.key, action }, Some(gone.hash));
    }

    fn push(&mut self, size: usize, change: Change, known: Option<u64>) {
        self.bytes += size + 2 * change.key.len() + ENVELOPE;
        self.changes.push(change);
        self.known.push(known);
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether what waits makes a batch.
    pub fn is_full(&self) -> bool {
        self.changes.len() >= self.rows || self.bytes >= BATCH_BYTES
    }
}

/// Sends all that waits. A kill between the mirror's word and the ledger's leaves the mirror one batch ahead, which
/// the next run notices.
pub async fn send<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
    pending: &mut Pending,
    seen: &mut Seen,
) -> Result<(), SyncError> {
    let mut cut = Cut::of(pending.changes.len());
    while !pending.changes.is_empty() {
        carrier.stop_if_cancelled()?;
        let rest = pending.changes.split_off(cut.length);
        let batch = batch(table, entry, std::mem::take(&mut pending.changes));
        let answer = write(carrier, mirror, entry, &batch).await;
        pending.changes = rest;
        match answer {
            Ok(receipt) => {
                pending.known.drain(..batch.changes.len());
                acknowledge(carrier, entry, batch, &receipt).await?;
                cut.done(pending.changes.len());
            }
            Err(SyncError::Mirror(reason)) => {
                pending.changes.splice(..0, batch.changes);
                let refused = cut.after(&reason).ok_or(reason)?;
                if let Some(position) = refused {
                    leave_out(table, pending, seen, position)?;
                    cut.left_out(pending.changes.len());
                }
                pending.rows = pending.rows.min(cut.length.max(1));
            }
            Err(other) => return Err(other),
        }
    }
    pending.bytes = 0;
    Ok(())
}

/// Where the changes that wait are cut.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Changes of the next batch.
    length: usize,
    /// Longer ones that were tried under the same number and found too large.
    tried: Vec<usize>,
    /// A batch that seemed too large was written after all: it is sent again, to hear so.
    is_climbing: bool,
}

impl Cut {
    fn of(length: usize) -> Self {
        Self { length, tried: Vec::new(), is_climbing: false }
    }

    fn done(&mut self, left: usize) {
        *self = Self::of(self.length.min(left));
    }

    /// The batch is another one now.
    fn left_out(&mut self, left: usize) {
        *self = Self::of(self.length.min(left));
    }

    /// Cuts otherwise, or says which change is to be left out; `None` when nothing helps.
    fn after(&mut self, reason: &MirrorError) -> Option<Option<usize>> {
        match (reason, reason.remedy()) {
            // A call whose answer was lost can come to its end after its repetition has failed.
            (MirrorError::BatchMismatch { .. }, _) => {
                self.length = self.tried.pop()?;
                self.is_climbing = true;
                Some(None)
            }
            (_, Remedy::Smaller | Remedy::PerhapsSmaller) if self.is_climbing => None,
            (_, Remedy::Smaller | Remedy::PerhapsSmaller) if self.length > 1 => {
                self.tried.push(self.length);
                self.length = self.length.div_ceil(2);
                Some(None)
            }
            (_, Remedy::Smaller) => Some(Some(0)),
            (_, Remedy::Without(position)) if position < self.length => Some(Some(position)),
            (_, Remedy::PerhapsSmaller | Remedy::Without(_) | Remedy::Again | Remedy::AgainBriefly | Remedy::None) => {
                None
            }
        }
    }
}

/// A row that the mirror does not take stays as the mirror has it, and is told at the end.
fn leave_out(table: &Table, pending: &mut Pending, seen: &mut Seen, position: usize) -> Result<(), SyncError> {
    let change = pending.changes.remove(position);
    let known = pending.known.remove(position);
    if let Action::Put { hash, .. } = change.action {
        seen.source.remove(hash);
    }
    seen.refuse(known);
    match seen.refused < REFUSED_AT_MOST {
        true => Ok(()),
        false => Err(SyncError::Refused { table: table.name.clone(), rows: seen.refused }),
    }
}

fn batch(table: &Table, entry: &Entry, changes: Vec<Change>) -> Batch {
    Batch {
        table: table.name.clone(),
        run: entry.run,
        number: entry.batch + 1,
        fence: entry.fence,
        mapping: table.mapping.clone(),
        unset: entry.unset.clone(),
        changes,
        now: jiff::Timestamp::now().to_string(),
    }
}

/// The same batch twice counts once, so a lost answer costs nothing.
async fn write<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    entry: &mut Entry,
    batch: &Batch,
) -> Result<Receipt, SyncError> {
    let asker = carrier.asker(format!("`{}`, batch {}", batch.table, batch.number));
    asker.ask(&mut entry.counters.retries, async || mirror.write(batch).await).await
}

async fn acknowledge(
    carrier: &Carrier<'_>,
    entry: &mut Entry,
    batch: Batch,
    receipt: &Receipt,
) -> Result<(), SyncError> {
    entry.counters.add(&receipt.tally);
    let mut held = Vec::with_capacity(batch.changes.len());
    let mut gone = Vec::new();
    for Change { key, action } in batch.changes {
        match action {
            Action::Put { hash, .. } => held.push(Held { key, hash }),
            Action::MarkDeleted | Action::Delete => gone.push(key),
        }
    }
    carrier.ledger.acknowledge(entry, receipt, &held, &gone).await
}

#[cfg(test)]
mod tests {
    use super::Cut;
    use crate::services::mirror::MirrorError;

    fn too_large() -> MirrorError {
        MirrorError::TooLarge { table: "t".to_owned(), number: 1, reason: "writes".to_owned() }
    }

    fn mismatch() -> MirrorError {
        MirrorError::BatchMismatch { table: "t".to_owned(), number: 1 }
    }

    #[test]
    fn a_batch_is_halved_until_one_change_is_left() {
        let mut cut = Cut::of(5);
        for length in [3, 2, 1] {
            assert_eq!(cut.after(&too_large()), Some(None));
            assert_eq!(cut.length, length);
        }
        assert_eq!(cut.after(&too_large()), Some(Some(0)), "that one is left out");
        cut.done(4);
        assert_eq!(cut, Cut::of(1), "what follows is cut as small");
    }

    #[test]
    fn a_longer_batch_that_was_written_after_all_is_sent_again() {
        let mut cut = Cut::of(8);
        cut.after(&too_large());
        cut.after(&too_large());
        assert_eq!((cut.length, cut.after(&mismatch())), (2, Some(None)));
        assert_eq!((cut.length, cut.after(&mismatch())), (4, Some(None)));
        assert_eq!((cut.length, cut.after(&mismatch())), (8, None), "nothing longer was sent under this number");
        let mut cut = Cut::of(8);
        cut.after(&too_large());
        cut.after(&mismatch());
        assert_eq!(cut.after(&too_large()), None, "it cannot be both");
        assert_eq!(Cut::of(8).after(&mismatch()), None);
    }

    #[test]
    fn a_row_that_is_named_is_left_out_alone() {
        let refused = |position| MirrorError::RowRefused { table: "t".to_owned(), position, reason: "size".to_owned() };
        assert_eq!(Cut::of(8).after(&refused(3)), Some(Some(3)));
        assert_eq!(Cut::of(8).after(&refused(8)), None);
        assert_eq!(Cut::of(8).after(&MirrorError::Unanswered { source: "lost".into() }), None);
    }
}
