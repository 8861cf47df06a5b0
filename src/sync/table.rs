//! One table from one side to the other: where it stands, passes until both sides agree, what to tell about it.

use std::time::{Duration, Instant};

use super::{
    Carrier, SyncError,
    ledger::{Beginning, Counters, Entry},
    millis,
    pass::{self, Seen},
    plan::Table,
    start::{self, Start},
    verify::{self, Differences},
};
use crate::{
    config::Verify,
    report::{Hinted, TableSync, progress::Event},
    services::{
        mirror::{Digest, KeyRange, Mirror, document_hash},
        postgres::Session,
    },
};

/// Carries one table under its lock, and keeps `synced` true whatever happens.
pub async fn carry<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    reading: &Session,
    table: &Table,
    synced: &mut TableSync,
) -> Result<Vec<String>, SyncError> {
    let began = Instant::now();
    carrier.stop_if_cancelled()?;
    let columns = table.columns.len();
    if let Some(most) = carrier.identity.limits.fields.filter(|most| columns > *most) {
        return Err(SyncError::TooWide { table: table.name.clone(), columns, most });
    }
    carrier.observe.event(Event::TableStarted { table: table.name.clone(), total: table.estimated_rows });
    let lock = document_hash("sync", &carrier.identity.id, &table.name).cast_signed();
    carrier.ledger.session.lock(lock, Duration::ZERO, |_| ()).await?;
    let mut entry = begin(carrier, mirror, table, synced).await;
    let outcome = match &mut entry {
        Ok(entry) => complete(carrier, mirror, reading, table, entry, synced).await,
        Err(_) => Ok(Seen::default()),
    };
    if let Ok(entry) = &entry {
        count(entry, synced);
    }
    synced.duration_ms = millis(began);
    let seen = entry.and(outcome).map_err(|error| error.of_key(&table.name))?;
    carrier.ledger.session.unlock(lock).await?;
    let (name, rows, millis) = (table.name.clone(), seen.rows, synced.duration_ms);
    carrier.observe.event(Event::TableFinished { table: name, rows, millis });
    Ok(remarks(table, &seen))
}

/// Finds out where the table stands and brings ledger and mirror to one state.
async fn begin<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    synced: &mut TableSync,
) -> Result<Entry, SyncError> {
    let Carrier { ledger, identity, .. } = carrier;
    if ledger.forget_others(&identity.id, &identity.place, &table.name).await? {
        carrier.notice(format!("the mirror of `{}` was replaced since the last sync", table.name));
    }
    let entry = ledger.entry(&identity.id, &table.name).await?;
    let mut retries = 0;
    let asker = carrier.asker(format!("looking at `{}` in the mirror", table.name));
    let state = asker.ask(&mut retries, async || mirror.table(&table.name).await).await?;
    let unset = start::unset(entry.as_ref(), state.as_ref(), &table.mapping);
    let fences = entry.iter().map(|it| it.fence).chain(state.iter().map(|it| it.fence));
    let new = Beginning {
        mirror: &identity.id,
        place: &identity.place,
        table: &table.name,
        database: &carrier.database,
        mapping: &table.mapping.version,
        unset: &unset,
        fence: fences.max().unwrap_or(0) + 1,
        state: state.as_ref(),
    };
    let decision = start::start(entry.as_ref(), state.as_ref(), &carrier.database, &table.mapping.version);
    let mut entry = match entry {
        Some(entry) => entry,
        None => ledger.create(&new).await?,
    };
    let fresh = |entry: Entry| Entry { counters: Counters { retries, ..entry.counters }, ..entry };
    match decision {
        Start::First => return Ok(fresh(entry)),
        Start::Next => return Ok(fresh(ledger.restart(entry.id, &new).await?)),
        Start::Rebuild(reason) => {
            carrier.notice(reason.told(&table.name));
            verify::rebuild(carrier, mirror, table, &mut entry, KeyRange::all()).await?;
            return Ok(fresh(ledger.restart(entry.id, &new).await?));
        }
        Start::Resume => {}
        Start::Adopt => {
            let last = state.as_ref().expect("only a mirror that knows the table is ahead").last.clone();
            let range = KeyRange { after: entry.cursor.clone(), through: Some(last.through.clone()) };
            verify::rebuild(carrier, mirror, table, &mut entry, range).await?;
            entry.counters.add(&last.tally);
            ledger.acknowledge(&mut entry, &last, &[], &[]).await?;
        }
    }
    if entry.mapping != table.mapping.version {
        return Ok(fresh(ledger.restart(entry.id, &new).await?));
    }
    ledger.resume(&mut entry, new.fence).await?;
    synced.resumed = entry.batch > 0;
    if synced.resumed {
        carrier.notice(format!("`{}` goes on after batch {}, where the last run stopped", table.name, entry.batch));
    }
    Ok(entry)
}

/// Passes until the mirror is proven to hold what one snapshot of the source holds.
async fn complete<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    reading: &Session,
    table: &Table,
    entry: &mut Entry,
    synced: &mut TableSync,
) -> Result<Seen, SyncError> {
    let is_partial = entry.cursor.is_some();
    let mut seen = pass::pass(carrier, mirror, reading, table, entry).await?;
    if is_partial {
        // What lies before the cursor was read by a run that is gone, from an older snapshot.
        carrier.ledger.rewind(entry).await?;
        seen = pass::pass(carrier, mirror, reading, table, entry).await?;
    }
    synced.source_rows = seen.rows;
    let expected = seen.expected().live;
    if carrier.request.verify == Verify::Counts && verify::live(carrier, mirror, table, entry).await? == expected {
        synced.mirror_rows = expected;
        return finish(carrier, table, entry, seen, synced).await;
    }
    let mut mirrored = verify::digest(carrier, mirror, table, entry, &KeyRange::all()).await?;
    if !agree(&seen, &mirrored) {
        let differences = verify::reconcile(carrier, mirror, table, entry).await?;
        carrier.notice(repair(table, differences));
        carrier.ledger.rewind(entry).await?;
        seen = pass::pass(carrier, mirror, reading, table, entry).await?;
        mirrored = verify::digest(carrier, mirror, table, entry, &KeyRange::all()).await?;
    }
    synced.source_rows = seen.rows;
    synced.mirror_rows = mirrored.live;
    synced.source_digest = format!("{:016x}", seen.expected().hashes);
    synced.mirror_digest = format!("{:016x}", mirrored.hashes);
    if !agree(&seen, &mirrored) {
        synced.verified = Some(false);
        synced.errors.push(Hinted {
            message: "the mirror does not hold what the source holds, also after a repair".to_owned(),
            hint: Some("does something else write to the mirror? stop it and run `liftlock sync` again".to_owned()),
        });
        return Ok(seen);
    }
    finish(carrier, table, entry, seen, synced).await
}

/// Ends a run whose result is proven.
async fn finish(
    carrier: &Carrier<'_>,
    table: &Table,
    entry: &mut Entry,
    seen: Seen,
    synced: &mut TableSync,
) -> Result<Seen, SyncError> {
    carrier.ledger.finish(entry).await?;
    synced.verified = Some(seen.refused == 0);
    if seen.refused > 0 {
        synced.errors.push(refused(table, &seen));
    }
    Ok(seen)
}

/// Keys are row values, so the rows are not named; the statement finds them.
fn refused(table: &Table, seen: &Seen) -> Hinted {
    let rows = match seen.refused {
        1 => "1 row is too large or too deep for the mirror, which keeps what it had of it".to_owned(),
        rows => format!("{rows} rows are too large or too deep for the mirror, which keeps what it had of them"),
    };
    Hinted {
        message: rows,
        hint: Some(format!(
            "Convex takes documents of 1 MiB; `select … from {} t where octet_length(t::text) > 900000` finds large \
             rows: shorten them, or leave the table out of `sync.tables`",
            table.from
        )),
    }
}

fn agree(seen: &Seen, mirrored: &Digest) -> bool {
    seen.expected() == Digest { deleted: 0, ..*mirrored }
}

fn repair(table: &Table, found: Differences) -> String {
    let Differences { rows, first, last } = found;
    match rows {
        1 => format!("`{}` differs in the mirror in row {first}: it is put right", table.name),
        _ => format!(
            "`{}` differs in the mirror in {rows} rows, between row {first} and row {last}: they are put right",
            table.name
        ),
    }
}

fn count(entry: &Entry, synced: &mut TableSync) {
    let counters = entry.counters;
    synced.inserted = counters.inserted;
    synced.updated = counters.updated;
    synced.deleted = counters.deleted;
    synced.batches = counters.batches;
    synced.retries = counters.retries;
    synced.unchanged = synced.source_rows.saturating_sub(counters.inserted + counters.updated);
}

fn remarks(table: &Table, seen: &Seen) -> Vec<String> {
    let mut remarks = Vec::new();
    if seen.json_as_text > 0 {
        remarks.push(format!(
            "{} JSON values of `{}` have keys, depth or numbers that Convex cannot hold and are stored as text",
            seen.json_as_text, table.name
        ));
    }
    if seen.oversized > 0 {
        remarks.push(format!("{} rows of `{}` are over 1 MiB, more than Convex holds", seen.oversized, table.name));
    }
    remarks
}
