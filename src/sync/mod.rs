//! Postgres → mirror: read a page, write it, then move the cursor.
//!
//! Per table: [`mod@plan`] decides how it is read, [`start`] how the run begins, [`pass`] walks source and ledger side
//! by side and sends what differs, [`verify`] compares both sides. Killed at any moment, the next run goes on.

pub mod functions;
pub mod key;
pub mod plan;
pub mod value;

mod failure;
mod ledger;
mod pass;
mod source;
mod start;
mod verify;

pub use failure::SyncError;

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::{
    ledger::{Beginning, Entry, Ledger},
    pass::Seen,
    plan::{Plan, Refusal, Table},
    start::Start,
    verify::Differences,
};
use crate::{
    config::Deletes,
    report::{
        Hinted, SyncReport, TableSync,
        progress::{Event, Observe},
    },
    secret::Secret,
    services::{
        bookkeeping,
        mirror::{self, Digest, KeyRange, Mirror, document_hash},
        postgres::{self, Access, Address, Options, Session},
    },
};

/// What to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The environment's name, for people.
    pub environment: String,
    pub database: Secret,
    /// Empty: all tables with a key.
    pub tables: Vec<String>,
    pub batch_rows: usize,
    pub deletes: Deletes,
}

/// Everything that a run works with.
pub(crate) struct Carrier<'a, M> {
    request: &'a Request,
    mirror: &'a M,
    observe: &'a dyn Observe,
    cancel: &'a CancellationToken,
    ledger: Ledger,
    identity: mirror::Identity,
    /// Which database is read, as the ledger remembers it.
    database: String,
}

impl<M> Carrier<'_, M> {
    fn stop_if_cancelled(&self) -> Result<(), SyncError> {
        if self.cancel.is_cancelled() { Err(SyncError::Cancelled) } else { Ok(()) }
    }

    fn notice(&self, message: String) {
        self.observe.event(Event::Notice { message });
    }
}

/// What a sync would copy and what it would refuse. Changes nothing.
pub async fn plan(request: &Request) -> Result<Plan, SyncError> {
    let reading = open(request, Access::ReadOnly).await?;
    let plan = plan::plan(&source::relations(&reading).await?, &request.tables);
    reading.close().await;
    Ok(plan)
}

/// The plan as a report. `mirror` is where it lies, for people.
pub async fn planned(request: &Request, mirror: &str) -> Result<SyncReport, SyncError> {
    let began = Instant::now();
    let reading = open(request, Access::ReadOnly).await?;
    let relations = source::relations(&reading).await?;
    let plan = plan::plan(&relations, &request.tables);
    let standing = match bookkeeping::exists(&reading).await? {
        true => ledger::standing(&reading, mirror).await?,
        false => Vec::new(),
    };
    reading.close().await;
    let tables = plan.tables.iter().map(|it| TableSync {
        table: it.name.clone(),
        source_rows: it.estimated_rows.unwrap_or(0),
        ..TableSync::default()
    });
    let mut report = SyncReport {
        source: source_name(request)?,
        mirror: mirror.to_owned(),
        planned: true,
        tables: tables.chain(plan.refused.iter().filter(|it| it.is_asked).map(refused)).collect(),
        duration_ms: 0,
        recommendations: plan::recommendations(&plan),
    };
    report.recommendations.extend(plan::orphans(&relations, &standing));
    report.recommendations.splice(..0, plan::outlook(&plan, &standing, request.batch_rows));
    report.duration_ms = millis(began);
    Ok(report)
}

/// Carries all tables. A table that fails by itself is reported and the others go on; an `Err` stopped everything.
pub async fn run<M: Mirror>(
    request: &Request,
    mirror: &M,
    observe: &dyn Observe,
    cancel: &CancellationToken,
) -> Result<SyncReport, SyncError> {
    let began = Instant::now();
    let mut reading = open(request, Access::ReadOnly).await?;
    let relations = source::relations(&reading).await?;
    let plan = plan::plan(&relations, &request.tables);
    let mut writing = open(request, Access::ReadWrite).await?;
    bookkeeping::ensure(&mut writing).await?;
    if bookkeeping::remake_ledger(&mut writing).await? {
        let message = "the sync's own tables in schema `liftlock` were dropped and are made again".to_owned();
        observe.event(Event::Notice { message });
    }
    let database = database_name(&writing.identity().await?);
    let carrier = Carrier {
        request,
        mirror,
        observe,
        cancel,
        ledger: Ledger::open(writing).await?,
        identity: mirror.describe().await?,
        database,
    };
    let mut report = SyncReport {
        source: source_name(request)?,
        mirror: carrier.identity.place.clone(),
        planned: false,
        tables: Vec::new(),
        duration_ms: 0,
        recommendations: plan::recommendations(&plan),
    };
    let standing = ledger::standing(&carrier.ledger.session, &carrier.identity.place).await?;
    report.recommendations.extend(plan::orphans(&relations, &standing));
    for table in &plan.tables {
        let mut synced = TableSync { table: table.name.clone(), ..TableSync::default() };
        let carried = carry(&carrier, &reading, table, &mut synced, &mut report.recommendations).await;
        let Err(error) = carried else {
            report.tables.push(synced);
            continue;
        };
        if !error.is_of_one_table() {
            // Best effort: the session ends anyway, its query perhaps later.
            let _ = reading.canceller().cancel().await;
            return Err(stopped(error, &report.tables, plan.tables.len(), &synced));
        }
        let (message, hint) = error.told();
        synced.errors.push(Hinted { message, hint });
        report.tables.push(synced);
        // The session may be in the middle of an answer.
        reading = open(request, Access::ReadOnly).await?;
    }
    report.tables.extend(plan.refused.iter().filter(|it| it.is_asked).map(refused));
    report.duration_ms = millis(began);
    reading.close().await;
    carrier.ledger.session.close().await;
    Ok(report)
}

/// Whether the report says yes: everything that was asked for is in the mirror, and proven to be.
pub fn is_whole(report: &SyncReport) -> bool {
    report.tables.iter().all(|it| it.errors.is_empty() && (report.planned || it.verified == Some(true)))
}

async fn open(request: &Request, access: Access) -> Result<Session, SyncError> {
    let address = Address::parse(&request.database)?;
    let options = Options { application_name: "liftlock sync".to_owned(), access, ..Options::default() };
    Ok(postgres::connect(&address, &options).await?)
}

fn source_name(request: &Request) -> Result<String, SyncError> {
    Ok(format!("{} ({})", request.environment, Address::parse(&request.database)?.shown()))
}

fn database_name(identity: &postgres::Identity) -> String {
    let system = identity.system_identifier.as_deref().unwrap_or(&identity.host);
    let branch = identity.neon_branch.as_deref().map_or_else(String::new, |it| format!("/{it}"));
    format!("{system}{branch}/{}", identity.database_oid)
}

fn refused(refusal: &Refusal) -> TableSync {
    let error = Hinted { message: refusal.reason.clone(), hint: Some(refusal.hint.clone()) };
    TableSync { table: refusal.table.clone(), errors: vec![error], ..TableSync::default() }
}

fn stopped(error: SyncError, done: &[TableSync], all: usize, current: &TableSync) -> SyncError {
    let written: u64 = done.iter().chain([current]).map(|it| it.batches).sum();
    if written == 0 && !matches!(error, SyncError::Cancelled) {
        return error;
    }
    let so_far = current.inserted + current.updated + current.deleted;
    let done = match so_far {
        0 => format!("{} of {all} tables are done", done.len()),
        _ => format!("{} of {all} tables are done, and {so_far} rows of `{}`", done.len(), current.table),
    };
    SyncError::Stopped { done, source: Box::new(error) }
}

/// Carries one table under its lock, and keeps `synced` true whatever happens.
async fn carry<M: Mirror>(
    carrier: &Carrier<'_, M>,
    reading: &Session,
    table: &Table,
    synced: &mut TableSync,
    recommendations: &mut Vec<String>,
) -> Result<(), SyncError> {
    let began = Instant::now();
    carrier.stop_if_cancelled()?;
    carrier.observe.event(Event::TableStarted { table: table.name.clone(), total: table.estimated_rows });
    let lock = document_hash("sync", &carrier.identity.id, &table.name).cast_signed();
    carrier.ledger.session.lock(lock, Duration::ZERO, |_| ()).await?;
    let mut entry = begin(carrier, table, synced).await;
    let outcome = match &mut entry {
        Ok(entry) => complete(carrier, reading, table, entry, synced).await,
        Err(_) => Ok(Seen::default()),
    };
    if let Ok(entry) = &entry {
        count(entry, synced);
    }
    synced.duration_ms = millis(began);
    let seen = entry.and(outcome).map_err(|error| error.of_key(&table.name))?;
    carrier.ledger.session.unlock(lock).await?;
    recommendations.extend(remarks(table, &seen));
    let (table, rows, millis) = (table.name.clone(), seen.source.live, synced.duration_ms);
    carrier.observe.event(Event::TableFinished { table, rows, millis });
    Ok(())
}

/// Finds out where the table stands and brings ledger and mirror to one state.
async fn begin<M: Mirror>(carrier: &Carrier<'_, M>, table: &Table, synced: &mut TableSync) -> Result<Entry, SyncError> {
    let Carrier { ledger, identity, .. } = carrier;
    if ledger.forget_others(&identity.id, &identity.place, &table.name).await? {
        carrier.notice(format!("the mirror of `{}` was replaced since the last sync", table.name));
    }
    let entry = ledger.entry(&identity.id, &table.name).await?;
    let state = carrier.mirror.table(&table.name).await?;
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
    match decision {
        Start::First => return Ok(entry),
        Start::Next => return Ok(ledger.restart(entry.id, &new).await?),
        Start::Rebuild(reason) => {
            carrier.notice(reason.told(&table.name));
            verify::rebuild(carrier, table, &entry, KeyRange::all()).await?;
            return Ok(ledger.restart(entry.id, &new).await?);
        }
        Start::Resume => {}
        Start::Adopt => {
            let last = state.as_ref().expect("only a mirror that knows the table is ahead").last.clone();
            let range = KeyRange { after: entry.cursor.clone(), through: Some(last.through.clone()) };
            verify::rebuild(carrier, table, &entry, range).await?;
            entry.counters.add(&last.tally);
            ledger.acknowledge(&mut entry, &last, &[], &[]).await?;
        }
    }
    if entry.mapping != table.mapping.version {
        return Ok(ledger.restart(entry.id, &new).await?);
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
    carrier: &Carrier<'_, M>,
    reading: &Session,
    table: &Table,
    entry: &mut Entry,
    synced: &mut TableSync,
) -> Result<Seen, SyncError> {
    let is_partial = entry.cursor.is_some();
    let mut seen = pass::pass(carrier, reading, table, entry).await?;
    if is_partial {
        // What lies before the cursor was read by a run that is gone, from an older snapshot.
        carrier.ledger.rewind(entry).await?;
        seen = pass::pass(carrier, reading, table, entry).await?;
    }
    let mut mirrored = carrier.mirror.digest(&table.name, &KeyRange::all()).await?;
    if !agree(&seen, &mirrored) {
        let differences = verify::reconcile(carrier, table, entry).await?;
        carrier.notice(repair(table, differences));
        carrier.ledger.rewind(entry).await?;
        seen = pass::pass(carrier, reading, table, entry).await?;
        mirrored = carrier.mirror.digest(&table.name, &KeyRange::all()).await?;
    }
    synced.source_rows = seen.source.live;
    synced.mirror_rows = mirrored.live;
    synced.source_digest = format!("{:016x}", seen.expected().hashes);
    synced.mirror_digest = format!("{:016x}", mirrored.hashes);
    synced.verified = Some(agree(&seen, &mirrored));
    if !agree(&seen, &mirrored) {
        synced.errors.push(Hinted {
            message: "the mirror does not hold what the source holds, also after a repair".to_owned(),
            hint: Some("does something else write to the mirror? stop it and run `liftlock sync` again".to_owned()),
        });
        return Ok(seen);
    }
    carrier.ledger.finish(entry).await?;
    Ok(seen)
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

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
