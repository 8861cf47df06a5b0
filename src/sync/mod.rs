//! Postgres → mirror: read a page, write it, then move the cursor.
//!
//! Per table: [`mod@plan`] decides how it is read, [`start`] how the run begins, [`pass`] walks source and ledger side
//! by side and sends what differs, [`verify`] compares both sides. Killed at any moment, the next run goes on.

pub mod functions;
pub mod key;
pub mod plan;
pub mod value;

mod adopt;
mod failure;
mod forecast;
mod ledger;
mod pass;
mod patience;
mod send;
mod source;
mod start;
mod table;
mod verify;

pub use adopt::Foreign;
pub use failure::SyncError;
pub use patience::PATIENCE;

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use tokio_util::sync::CancellationToken;

use self::{
    ledger::Ledger,
    patience::Asker,
    plan::{Plan, Refusal, Table},
};
use crate::{
    config::{self, Deletes, Environment, MirrorTarget, Verify},
    report::{
        Hinted, SyncReport, TableSync,
        progress::{Event, Observe},
    },
    secret::Secret,
    services::{
        bookkeeping,
        mirror::{self, Evidence, Mirror},
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
    pub foreign: Foreign,
    pub verify: Verify,
    /// How long one call to the mirror is repeated; [`PATIENCE`] unless there is a reason.
    pub patience: Duration,
}

impl Request {
    /// What the configuration says, and no mirror of another database.
    pub fn of(environment: &Environment, settings: &config::Sync) -> Self {
        Self {
            environment: environment.name.clone(),
            database: environment.database.clone(),
            tables: settings.tables.clone(),
            batch_rows: settings.batch_rows,
            deletes: settings.deletes,
            verify: settings.verify,
            foreign: Foreign::Refuse,
            patience: PATIENCE,
        }
    }
}

/// Everything that a run works with, but the mirror.
pub(crate) struct Carrier<'a> {
    request: &'a Request,
    observe: &'a dyn Observe,
    /// Of this run: a table that stops everything cancels the others, too.
    cancel: CancellationToken,
    ledger: Ledger,
    identity: mirror::Identity,
    /// Which database is read, as the ledger remembers it.
    database: String,
}

impl Carrier<'_> {
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

/// The plan as a report. The mirror is not asked.
pub async fn planned(request: &Request, target: &MirrorTarget) -> Result<SyncReport, SyncError> {
    let began = Instant::now();
    let mirror = &mirror::place(target);
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
        mirror: mirror.clone(),
        planned: true,
        tables: tables.chain(plan.refused.iter().filter(|it| it.is_asked).map(refused)).collect(),
        duration_ms: 0,
        recommendations: plan::recommendations(&plan),
    };
    report.recommendations.extend(plan::orphans(&relations, &standing));
    let mut outlook = plan::outlook(&plan, &standing, request.batch_rows);
    if let MirrorTarget::Convex(_) = target {
        outlook.extend(forecast::forecast(&plan, &standing, request.batch_rows, request.verify));
    }
    report.recommendations.splice(..0, outlook);
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
    let reading = open(request, Access::ReadOnly).await?;
    let relations = source::relations(&reading).await?;
    let plan = plan::plan(&relations, &request.tables);
    // Asked before anything is changed: a key that is wrong leaves no trace.
    let asker = Asker { patience: request.patience, observe, cancel, what: "the mirror".to_owned() };
    let identity = asker.ask(&mut 0, async || mirror.describe().await).await?;
    let database = database_name(&reading.identity().await?);
    let origin = adopt::origin(&ledger::databases(&reading, &identity.id).await?, &database);
    adopt::assert_ours(request, mirror, &identity, origin, &plan.tables, &asker).await?;
    let mut writing = open(request, Access::ReadWrite).await?;
    bookkeeping::ensure(&mut writing).await?;
    if bookkeeping::remake_ledger(&mut writing).await? {
        let message = "the sync's own tables in schema `liftlock` were dropped and are made again".to_owned();
        observe.event(Event::Notice { message });
    }
    let carrier = Carrier {
        request,
        observe,
        cancel: cancel.child_token(),
        ledger: Ledger::open(writing).await?,
        identity,
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
    let carried = all(&carrier, mirror, reading, &plan.tables).await?;
    for Carried { synced, remarks } in carried {
        report.tables.push(synced);
        report.recommendations.extend(remarks);
    }
    report.recommendations.extend(carrier.identity.notice.clone());
    match (request.verify, carrier.identity.evidence) {
        (_, _) if plan.tables.is_empty() => {}
        (Verify::Counts, _) => report.recommendations.push(ABOUT_COUNTS.to_owned()),
        (Verify::Digest, Evidence::Stamps) => report.recommendations.push(ABOUT_STAMPS.to_owned()),
        (Verify::Digest, Evidence::Contents) => {}
    }
    report.tables.extend(plan.refused.iter().filter(|it| it.is_asked).map(refused));
    report.duration_ms = millis(began);
    carrier.ledger.session.close().await;
    Ok(report)
}

const ABOUT_STAMPS: &str = "digests are of the hashes written with each document: a mirrored field that the app \
                            changed since is put right when its row changes at the source";

const ABOUT_COUNTS: &str = "only the counts that the mirror keeps were compared, as `sync.verify` says: what was \
                            changed or removed in the mirror since is not seen. `verify: digest` looks";

/// What came of one table.
struct Carried {
    synced: TableSync,
    remarks: Vec<String>,
}

/// Carries the tables, as many at a time as the mirror likes; the results are in the tables' order.
async fn all<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    reading: Session,
    tables: &[Table],
) -> Result<Vec<Carried>, SyncError> {
    let queue: Mutex<VecDeque<(usize, &Table)>> = Mutex::new(tables.iter().enumerate().collect());
    let next = || queue.lock().expect("nobody panics with the queue in hand").pop_front();
    let mut first = Some(reading);
    let workers = carrier.identity.limits.tables.clamp(1, tables.len().max(1));
    let workers = (0..workers).map(|_| work(carrier, mirror, first.take(), &next));
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for Worked { carried, failure } in join_all(workers).await {
        done.extend(carried);
        failures.extend(failure);
    }
    // Whoever was cancelled was so because of another, or by the user.
    failures.sort_by_key(|(error, _)| matches!(error, SyncError::Cancelled));
    if failures.is_empty() {
        done.sort_by_key(|(place, _)| *place);
        return Ok(done.into_iter().map(|(_, it)| it).collect());
    }
    let halves: Vec<TableSync> = failures.iter().map(|(_, synced)| synced.clone()).collect();
    let (error, _) = failures.swap_remove(0);
    let done: Vec<TableSync> = done.into_iter().map(|(_, it)| it.synced).collect();
    Err(stopped(error, &done, tables.len(), &halves))
}

/// What came of one worker: its tables, and what stopped it in the middle of one.
struct Worked {
    carried: Vec<(usize, Carried)>,
    failure: Option<(SyncError, TableSync)>,
}

/// Carries one table after the other until the queue is empty or something stops everything.
async fn work<'a, M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    mut reading: Option<Session>,
    next: &impl Fn() -> Option<(usize, &'a Table)>,
) -> Worked {
    let mut carried = Vec::new();
    while let Some((place, table)) = next() {
        let mut synced = TableSync { table: table.name.clone(), ..TableSync::default() };
        let session = match reading.take() {
            Some(session) => session,
            None => match open(carrier.request, Access::ReadOnly).await {
                Ok(session) => session,
                Err(error) => return give_up(carrier, carried, error, synced),
            },
        };
        let remarks = match table::carry(carrier, mirror, &session, table, &mut synced).await {
            Ok(remarks) => {
                reading = Some(session);
                remarks
            }
            Err(error) if error.is_of_one_table() => {
                let (message, hint) = error.told();
                synced.errors.push(Hinted { message, hint });
                // The session may be in the middle of an answer: the next table gets another.
                Vec::new()
            }
            Err(error) => {
                // Best effort: the session ends anyway, its query perhaps later.
                let _ = session.canceller().cancel().await;
                return give_up(carrier, carried, error, synced);
            }
        };
        carried.push((place, Carried { synced, remarks }));
    }
    if let Some(session) = reading {
        session.close().await;
    }
    Worked { carried, failure: None }
}

fn give_up(carrier: &Carrier<'_>, carried: Vec<(usize, Carried)>, error: SyncError, synced: TableSync) -> Worked {
    carrier.cancel.cancel();
    Worked { carried, failure: Some((error, synced)) }
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

fn stopped(error: SyncError, done: &[TableSync], all: usize, halves: &[TableSync]) -> SyncError {
    let written: u64 = done.iter().chain(halves).map(|it| it.batches).sum();
    if written == 0 && !matches!(error, SyncError::Cancelled) {
        return error;
    }
    let mut told = format!("{} of {all} tables are done", done.len());
    for half in halves {
        let so_far = half.inserted + half.updated + half.deleted;
        if so_far > 0 {
            told.push_str(&format!(", and {so_far} rows of `{}`", half.table));
        }
    }
    SyncError::Stopped { done: told, source: Box::new(error) }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
