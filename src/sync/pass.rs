//! One pass over a table: the source's rows and the ledger's, both in key order, walked side by side. What differs
//! goes to the mirror in batches; a batch's ledger rows and the cursor follow when the mirror has acknowledged it.

use std::time::Duration;

use tokio::time;

use super::{
    Carrier, SyncError,
    ledger::{Entry, Pages},
    plan::Table,
    source::{Rows, SourceRow},
};
use crate::{
    config::Deletes,
    report::progress::Event,
    services::{
        mirror::{Action, Batch, Change, Digest, Held, Mirror, Receipt},
        postgres::Session,
    },
};

/// A batch is sent when its documents reach this many bytes: Convex's mutations work best below it.
const BATCH_BYTES: usize = 1024 * 1024;

/// Convex refuses larger documents.
const DOCUMENT_BYTES: usize = 1024 * 1024;

/// How often one batch is sent before the sync gives up.
const ATTEMPTS: u32 = 6;

/// Rows between two looks at progress and cancellation.
const TICK: u64 = 4096;

/// What a pass has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of the source's rows.
    pub source: Digest,
    /// Of rows that are gone at the source and stay in the mirror.
    pub kept: Digest,
    pub json_as_text: u64,
    pub oversized: u64,
}

impl Seen {
    /// What the mirror must hold now, if the pass began at the first key.
    pub fn expected(&self) -> Digest {
        Digest { live: self.source.live + self.kept.live, deleted: 0, hashes: self.source.hashes ^ self.kept.hashes }
    }
}

/// Changes that wait to be sent.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    bytes: usize,
}

impl Pending {
    fn put(&mut self, row: SourceRow) {
        self.bytes += row.document.len() + row.key.len();
        let action = Action::Put { hash: row.hash, document: row.document };
        self.changes.push(Change { key: row.key, action });
    }

    fn remove(&mut self, key: String, action: Action) {
        self.bytes += key.len();
        self.changes.push(Change { key, action });
    }

    fn is_full(&self, batch_rows: usize) -> bool {
        self.changes.len() >= batch_rows.max(1) || self.bytes >= BATCH_BYTES
    }
}

/// Goes over the table from the entry's cursor to its end.
pub async fn pass<M: Mirror>(
    carrier: &Carrier<'_, M>,
    reading: &Session,
    table: &Table,
    entry: &mut Entry,
) -> Result<Seen, SyncError> {
    let cursor = entry.cursor.clone();
    let unreadable = |source| SyncError::Read { table: table.name.clone(), source };
    let mut rows = Rows::read(reading, table, cursor.as_deref()).await.map_err(unreadable)?;
    let mut ledger = Pages::after(&carrier.ledger, entry.id, cursor.as_deref());
    let mut pending = Pending::default();
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
                Deletes::Soft => pending.remove(gone.key, Action::MarkDeleted),
                Deletes::Hard => pending.remove(gone.key, Action::Delete),
                Deletes::Keep => seen.kept.add(gone.hash),
            }
            send_when_full(carrier, table, entry, &mut pending).await?;
        }
        let Some(row) = row else { break };
        seen.source.add(row.hash);
        seen.json_as_text += u64::from(row.json_as_text);
        seen.oversized += u64::from(row.size > DOCUMENT_BYTES);
        if seen.source.live.is_multiple_of(TICK) {
            carrier.stop_if_cancelled()?;
            carrier.observe.event(Event::TableProgress { table: table.name.clone(), rows: seen.source.live });
        }
        let known = match ledger.peek().await? {
            Some(held) if held.key == row.key => ledger.take(),
            _ => None,
        };
        if known.is_none_or(|it| it.hash != row.hash) {
            pending.put(row);
            send_when_full(carrier, table, entry, &mut pending).await?;
        }
    }
    if !pending.changes.is_empty() {
        send(carrier, table, entry, &mut pending).await?;
    }
    carrier.observe.event(Event::TableProgress { table: table.name.clone(), rows: seen.source.live });
    Ok(seen)
}

async fn send_when_full<M: Mirror>(
    carrier: &Carrier<'_, M>,
    table: &Table,
    entry: &mut Entry,
    pending: &mut Pending,
) -> Result<(), SyncError> {
    match pending.is_full(carrier.request.batch_rows) {
        true => send(carrier, table, entry, pending).await,
        false => Ok(()),
    }
}

/// Sends a batch, then writes it down. A kill before the second leaves the mirror one batch ahead, which the next
/// run notices.
async fn send<M: Mirror>(
    carrier: &Carrier<'_, M>,
    table: &Table,
    entry: &mut Entry,
    pending: &mut Pending,
) -> Result<(), SyncError> {
    carrier.stop_if_cancelled()?;
    let Pending { changes, .. } = std::mem::take(pending);
    let batch = Batch {
        table: table.name.clone(),
        run: entry.run,
        number: entry.batch + 1,
        fence: entry.fence,
        mapping: table.mapping.clone(),
        unset: entry.unset.clone(),
        changes,
        now: jiff::Timestamp::now().to_string(),
    };
    let receipt = write(carrier, entry, &batch).await?;
    entry.counters.add(&receipt.tally);
    let mut held = Vec::with_capacity(batch.changes.len());
    let mut gone = Vec::new();
    for Change { key, action } in batch.changes {
        match action {
            Action::Put { hash, .. } => held.push(Held { key, hash }),
            Action::MarkDeleted | Action::Delete => gone.push(key),
        }
    }
    carrier.ledger.acknowledge(entry, &receipt, &held, &gone).await
}

/// Sends a batch until there is an answer. The same batch twice counts once, so a lost answer costs nothing.
async fn write<M: Mirror>(carrier: &Carrier<'_, M>, entry: &mut Entry, batch: &Batch) -> Result<Receipt, SyncError> {
    let mut pause = Duration::from_millis(200);
    for attempt in 1.. {
        let reason = match carrier.mirror.write(batch).await {
            Ok(receipt) => return Ok(receipt),
            Err(reason) if reason.is_transient() && attempt < ATTEMPTS => reason,
            Err(reason) => return Err(reason.into()),
        };
        entry.counters.retries += 1;
        let message = format!("`{}`: {reason}; batch {} is sent again", batch.table, batch.number);
        carrier.observe.event(Event::Notice { message });
        tokio::select! {
            () = time::sleep(pause.mul_f64(0.5 + rand::random::<f64>())) => {}
            () = carrier.cancel.cancelled() => return Err(SyncError::Cancelled),
        }
        pause *= 2;
    }
    unreachable!("the loop has no end of its own")
}
