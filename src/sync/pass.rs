//! One pass over a table: the source's rows and the ledger's, both in key order, walked side by side. What differs
//! goes to the mirror in batches; a batch's ledger rows and the cursor follow when the mirror has acknowledged it.

use super::{
    Carrier, SyncError,
    ledger::{Entry, Pages},
    plan::Table,
    send::{Pending, send},
    source::Rows,
    value,
};
use crate::{
    config::Deletes,
    report::progress::Event,
    services::{
        mirror::{Action, Digest, Mirror},
        postgres::Session,
    },
};

/// The largest document that Convex takes, in bytes as it counts them.
const DOCUMENT_BYTES: usize = 1024 * 1024;

/// Rows between two looks at progress and cancellation.
const TICK: u64 = 4096;

/// What a pass has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows at the source.
    pub rows: u64,
    /// Of the source's rows, without those that the mirror does not take.
    pub source: Digest,
    /// Of documents that stay in the mirror as they are: rows that are gone at the source and are kept, rows that the
    /// mirror does not take in their new form.
    pub kept: Digest,
    /// Rows that the mirror does not take.
    pub refused: u64,
    pub json_as_text: u64,
    /// Rows over Convex's limit.
    pub oversized: u64,
}

impl Seen {
    /// What the mirror must hold now, if the pass began at the first key.
    pub fn expected(&self) -> Digest {
        self.source.with(self.kept)
    }

    /// A row that the mirror does not take; `known` is what it holds of it.
    pub fn refuse(&mut self, known: Option<u64>) {
        self.refused += 1;
        if let Some(hash) = known {
            self.kept.add(hash);
        }
    }
}

/// Goes over the table from the entry's cursor to its end.
pub async fn pass<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    reading: &Session,
    table: &Table,
    entry: &mut Entry,
) -> Result<Seen, SyncError> {
    let cursor = entry.cursor.clone();
    let limits = carrier.identity.limits;
    let unreadable = |source| SyncError::Read { table: table.name.clone(), source };
    let mut rows = Rows::read(reading, table, cursor.as_deref()).await.map_err(unreadable)?;
    let mut ledger = Pages::after(&carrier.ledger, entry.id, cursor.as_deref());
    let mut pending = Pending::new(carrier.request.batch_rows.min(limits.batch_rows));
    let mut seen = Seen::default();
    loop {
        let row = tokio::select! {
            biased;
            row = rows.next() => row?,
            // The server may sort for minutes before its first row.
            () = carrier.cancel.cancelled() => return Err(SyncError::Cancelled),
        };
        while let Some(held) = ledger.peek().await? {
            if row.as_ref().is_some_and(|it| held.key >= it.key) {
                break;
            }
            let Some(gone) = ledger.take() else { break };
            match carrier.request.deletes {
                Deletes::Soft => pending.remove(gone, Action::MarkDeleted),
                Deletes::Hard => pending.remove(gone, Action::Delete),
                Deletes::Keep => seen.kept.add(gone.hash),
            }
            if pending.is_full() {
                send(carrier, mirror, table, entry, &mut pending, &mut seen).await?;
            }
        }
        let Some(row) = row else { break };
        seen.rows += 1;
        seen.json_as_text += u64::from(row.json_as_text);
        if seen.rows.is_multiple_of(TICK) {
            carrier.stop_if_cancelled()?;
            carrier.observe.event(Event::TableProgress { table: table.name.clone(), rows: seen.rows });
        }
        let known = match ledger.peek().await? {
            Some(held) if held.key == row.key => ledger.take().map(|it| it.hash),
            _ => None,
        };
        let bytes = value::document_size(row.size, &row.key);
        seen.oversized += u64::from(bytes > DOCUMENT_BYTES);
        if limits.document_bytes.is_some_and(|most| bytes > most) {
            seen.refuse(known);
            continue;
        }
        seen.source.add(row.hash);
        if known != Some(row.hash) {
            pending.put(row, known);
            if pending.is_full() {
                send(carrier, mirror, table, entry, &mut pending, &mut seen).await?;
            }
        }
    }
    if !pending.is_empty() {
        send(carrier, mirror, table, entry, &mut pending, &mut seen).await?;
    }
    carrier.observe.event(Event::TableProgress { table: table.name.clone(), rows: seen.rows });
    Ok(seen)
}
