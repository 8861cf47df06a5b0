//! A migration that cannot run in one transaction: statement by statement, with progress recorded after each.
//!
//! What can run in a transaction does, together with the row that says so. A statement that cannot gets its
//! row first (`running`), runs, and gets it changed (`done`); one that was begun and not finished is resolved
//! by looking at the database (`inspect.rs`). An index that was left half-built is dropped and built anew.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time;

use super::{
    apply::{Committed, Job, OURSELVES, Retries, in_transaction, text},
    chronicle,
    failure::{ApplyError, Failure, Phase, is_contention, place},
    inspect::{self, Found, Trace},
    outbox,
    watch::Watch,
};
use crate::{
    migration::{Checksum, Migration},
    report::progress::Event,
    services::postgres::{FailureKind, PostgresError, Session, quote_literal},
    sql::{Change, Statement, change::SetScope},
};

/// How a statement is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A setting of the session. It is gone with the session, so every run makes it again.
    Setting,
    /// In a transaction, with the row that says so.
    Together,
    /// In no transaction.
    Alone,
}

fn way(statement: &Statement) -> Way {
    match &statement.change {
        Change::Set(set) if set.scope != SetScope::Local => Way::Setting,
        _ if statement.change.forbids_transaction() => Way::Alone,
        _ => Way::Together,
    }
}

/// What `liftlock.statements` says of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    state: String,
    before: Vec<String>,
}

/// Applies the statements that are not done yet.
pub async fn apply(job: &Job<'_>, watch: &Watch<'_>) -> Result<u64, ApplyError> {
    let began = Instant::now();
    open(job).await.map_err(|source| bookkeeping(job, source))?;
    while run_all(job, watch).await? == Committed::FoundAfterReconnect {}
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    finish(job, watch, millis).await?;
    Ok(millis)
}

fn bookkeeping(job: &Job<'_>, source: PostgresError) -> ApplyError {
    ApplyError::Bookkeeping { id: job.planned.id.clone(), source }
}

/// All that is left, in order. After a reconnect it begins again: the session's settings must be made again,
/// and what is done is skipped.
async fn run_all(job: &Job<'_>, watch: &Watch<'_>) -> Result<Committed, ApplyError> {
    let statements = job.migration.to_run();
    let mut settings = Settings::default();
    for (at, statement) in statements.iter().enumerate() {
        if job.cancel.is_cancelled() {
            return Err(ApplyError::Cancelled { place: place(job.migration, statement.span) });
        }
        let row = row(job, at).await.map_err(|source| bookkeeping(job, source))?;
        let done = row.as_ref().is_some_and(|row| row.state == "done");
        let committed = match way(statement) {
            Way::Setting => setting(job, watch, at, &mut settings).await?,
            _ if done => Committed::Seen,
            Way::Together => together(job, watch, at, &settings, row).await?,
            Way::Alone => alone(job, watch, at, &settings, row).await?,
        };
        if committed == Committed::FoundAfterReconnect {
            return Ok(committed);
        }
    }
    Ok(Committed::Seen)
}

/// Which of our timeouts the file has replaced by its own.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    lock_timeout: bool,
    statement_timeout: bool,
}

fn checksum(migration: &Migration, statement: &Statement) -> String {
    Checksum::of(text(migration, statement)).0
}

/// The migration's row, its event, and no rows of statements that have been edited since they were begun.
async fn open(job: &Job<'_>) -> Result<(), PostgresError> {
    let sql = "
        insert into liftlock.migrations (id, checksum, transactional, state, total, run)
        values ($1, $2, false, 'running', $3, $4::text::uuid)
        on conflict (id) do update set checksum = excluded.checksum, total = excluded.total, run = excluded.run,
          transactional = false where migrations.state = 'running'";
    let edited = "
        delete from liftlock.statements s using unnest($2::text[]) with ordinality as file(checksum, ordinal)
        where s.migration = $1 and s.ordinal = file.ordinal and s.checksum <> file.checksum and s.state <> 'done'";
    let statements = job.migration.to_run();
    let total = i32::try_from(statements.len()).unwrap_or(i32::MAX);
    let checksums: Vec<String> = statements.iter().map(|it| checksum(job.migration, it)).collect();
    let id = &job.planned.id;
    transaction(&job.line.session(), async |session| {
        session.execute(sql, &[id, &job.planned.checksum, &total, &job.plan.run.to_string()]).await?;
        session.execute(edited, &[id, &checksums]).await?;
        let event = chronicle::migration_started(job.plan, job.planned, Timestamp::now());
        outbox::append(&**session, &event).await?;
        Ok(())
    })
    .await
}

/// Runs our own statements in one transaction, whatever role the file has set.
async fn transaction<T>(
    session: &Session,
    work: impl AsyncFn(&Session) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    session.batch_execute(&format!("begin; {OURSELVES}")).await.map_err(|it| session.failure(it))?;
    let ended = match work(session).await {
        Ok(done) => {
            session.batch_execute("commit").await.map_err(|it| session.failure(it))?;
            return Ok(done);
        }
        Err(error) => error,
    };
    // The first error is the one to tell; a dead connection rolls back by itself.
    let _ = session.batch_execute("rollback").await;
    Err(ended)
}

async fn finish(job: &Job<'_>, watch: &Watch<'_>, millis: u64) -> Result<(), ApplyError> {
    let sql = "
        update liftlock.migrations
        set state = 'done', applied = total, applied_at = clock_timestamp(),
          duration_ms = $2
        where id = $1";
    let id = &job.planned.id;
    let settle = async |session: &Session| -> Result<(), PostgresError> {
        session.execute(sql, &[id, &i64::try_from(millis).unwrap_or(i64::MAX)]).await?;
        let event = chronicle::migration_applied(job.plan, job.planned, millis, Timestamp::now());
        outbox::append(&**session, &event).await?;
        Ok(())
    };
    let landed = async |session: &Session| {
        let done = "select state = 'done' from liftlock.migrations where id = $1";
        Ok(session.query_one(done, &[id]).await?.get(0))
    };
    in_transaction(job, watch, &[], settle, landed).await?;
    Ok(())
}

/// The row of a statement that was begun; rows of other bytes are gone since [`open`].
async fn row(job: &Job<'_>, at: usize) -> Result<Option<Row>, PostgresError> {
    let session = job.line.session();
    let sql = "select state, before from liftlock.statements where migration = $1 and ordinal = $2";
    let row = transaction(&session, async |session| {
        session.query_opt(sql, &[&job.planned.id, &ordinal(at)]).await.map_err(|it| session.failure(it))
    });
    Ok(row.await?.map(|row| Row { state: row.get(0), before: row.get(1) }))
}

fn ordinal(at: usize) -> i32 {
    i32::try_from(at + 1).unwrap_or(i32::MAX)
}

/// Marks a statement as done that has run outside of any transaction of ours.
async fn note_done(job: &Job<'_>, session: &Session, at: usize) -> Result<(), ApplyError> {
    let noted = transaction(session, async |session| mark_done(job, session, at).await);
    noted.await.map_err(|source| bookkeeping(job, source))
}

/// Marks a statement as done, inside the caller's transaction.
async fn mark_done(job: &Job<'_>, session: &Session, at: usize) -> Result<(), PostgresError> {
    let sql = "
        with done as (
          insert into liftlock.statements (migration, ordinal, checksum, state, finished_at)
          values ($1, $2, $3, 'done', clock_timestamp())
          on conflict (migration, ordinal) do update
          set state = 'done', sqlstate = null, finished_at = clock_timestamp()
          returning ordinal)
        update liftlock.migrations m set applied = (
          select count(*) from (
            select ordinal from done
            union select ordinal from liftlock.statements where migration = $1 and state = 'done') as s)
        where m.id = $1";
    let checksum = checksum(job.migration, &job.migration.to_run()[at]);
    let marked = session.execute(sql, &[&job.planned.id, &ordinal(at), &checksum]).await;
    marked.map_err(|it| session.failure(it))?;
    Ok(())
}

async fn setting(
    job: &Job<'_>,
    watch: &Watch<'_>,
    at: usize,
    settings: &mut Settings,
) -> Result<Committed, ApplyError> {
    let statement = &job.migration.to_run()[at];
    if let Change::Set(set) = &statement.change {
        settings.lock_timeout |= set.name == "lock_timeout";
        settings.statement_timeout |= set.name == "statement_timeout";
    }
    let session = job.line.session();
    let ran = watch.run(&session, text(job.migration, statement), job.cancel).await;
    ran.map_err(|error| ended(job, statement, error, &Retries::new(job.line), watch))?;
    note_done(job, &session, at).await?;
    Ok(Committed::Seen)
}

/// Our error for a statement that failed outside of any transaction.
fn ended(
    job: &Job<'_>,
    statement: &Statement,
    error: PostgresError,
    retries: &Retries,
    watch: &Watch<'_>,
) -> ApplyError {
    let failure = Failure { phase: Phase::Statement, span: statement.span, error };
    let place = failure.place(job.migration);
    if failure.error.kind() == FailureKind::ConnectionLost {
        return ApplyError::Lost { place, source: failure.error };
    }
    if job.cancel.is_cancelled() {
        return ApplyError::Cancelled { place };
    }
    failure.told(job.migration, retries, watch)
}

/// In a transaction, with the row that says so.
async fn together(
    job: &Job<'_>,
    watch: &Watch<'_>,
    at: usize,
    settings: &Settings,
    row: Option<Row>,
) -> Result<Committed, ApplyError> {
    let statement = std::slice::from_ref(&job.migration.to_run()[at]);
    let settle = async |session: &Session| mark_done(job, session, at).await;
    let landed = async |session: &Session| -> Result<bool, PostgresError> {
        let sql =
            "select exists (select from liftlock.statements where migration = $1 and ordinal = $2 and state = 'done')";
        let row = session.query_one(sql, &[&job.planned.id, &ordinal(at)]).await;
        Ok(row.map_err(|it| session.failure(it))?.get(0))
    };
    // A statement that was begun outside a transaction before goes on there.
    if row.is_none() {
        match in_transaction(job, watch, statement, settle, landed).await {
            Err(ApplyError::Refused(it)) if refuses_transactions(&it.server.sqlstate) => {}
            ended => return ended,
        }
    }
    alone(job, watch, at, settings, row).await
}

/// `active_sql_transaction`, and `invalid_transaction_termination` of a procedure that commits.
fn refuses_transactions(sqlstate: &str) -> bool {
    sqlstate == "25001" || sqlstate == "2D000"
}

/// In no transaction: a row before, a row after, and a look at the database when a run was killed between.
async fn alone(
    job: &Job<'_>,
    watch: &Watch<'_>,
    at: usize,
    settings: &Settings,
    row: Option<Row>,
) -> Result<Committed, ApplyError> {
    let statement = &job.migration.to_run()[at];
    let trace = Trace::of(&statement.change);
    let session = job.line.session();
    let mut retries = Retries::new(job.line);
    let mut begun = row;
    loop {
        let before = match &begun {
            Some(row) => row.before.clone(),
            None => inspect::before(&session, &trace).await?,
        };
        let killed = begun.as_ref().is_some_and(|row| row.state == "running");
        let is_build = matches!(trace, Trace::IndexBuild { .. });
        let mut sql = text(job.migration, statement).to_owned();
        match look(job, &session, &trace, &before, begun.as_ref()).await? {
            Found::Done if killed || (is_build && begun.is_some()) => {
                notice(job, at, "was done before the run was stopped");
                break;
            }
            Found::Unknown if killed => {
                let place = place(job.migration, statement.span);
                let (migration, ordinal) = (job.planned.id.clone(), ordinal(at));
                return Err(ApplyError::UnknownOutcome { place, migration, ordinal });
            }
            Found::HalfBuilt(indexes) => {
                let dropped = drop_half_built(job, watch, at, &session, &indexes).await;
                dropped.map_err(|error| ended(job, statement, error, &retries, watch))?;
            }
            Found::Unfinalized(finalize) => sql = finalize,
            Found::Done | Found::Nothing | Found::Unknown | Found::BeingBuilt(_) => {}
        }
        mark_running(job, &session, at, &before).await.map_err(|source| bookkeeping(job, source))?;
        let Err(error) = run(job, watch, &session, &trace, settings, &sql).await else {
            break;
        };
        if killed && trace == Trace::Named && is_there_already(&error) {
            notice(job, at, "was done before the run was stopped");
            break;
        }
        let row = Row { state: "failed".to_owned(), before };
        failed(job, watch, &session, at, &trace, &row.before, &error).await;
        let pause = if job.cancel.is_cancelled() { None } else { retries.again(error.kind()) };
        match pause {
            Some(pause) => retries.wait(job, &place(job.migration, statement.span), watch, pause).await?,
            None => return Err(ended(job, statement, error, &retries, watch)),
        }
        begun = Some(row);
    }
    valid(job, &session, at, &trace, begun.as_ref()).await?;
    note_done(job, &session, at).await?;
    Ok(Committed::Seen)
}

/// What there is of the statement's work; while another session is still building, waits for it.
async fn look(
    job: &Job<'_>,
    session: &Session,
    trace: &Trace,
    before: &[String],
    begun: Option<&Row>,
) -> Result<Found, ApplyError> {
    // Without a name, only what appeared since it was begun can be its index.
    if begun.is_none() && matches!(trace, Trace::IndexBuild { name: None, .. }) {
        return Ok(Found::Nothing);
    }
    let mut told = false;
    loop {
        let found = inspect::found(session, trace, before).await?;
        let Found::BeingBuilt(index) = &found else { return Ok(found) };
        if !told {
            let message = format!("another session is building {index}; waiting for it");
            job.observe.event(Event::Notice { message });
            told = true;
        }
        tokio::select! {
            () = time::sleep(Duration::from_secs(1)) => {}
            () = job.cancel.cancelled() => return Err(ApplyError::Cancelled { place: job.planned.id.clone() }),
        }
    }
}

fn notice(job: &Job<'_>, at: usize, what: &str) {
    let place = place(job.migration, job.migration.to_run()[at].span);
    job.observe.event(Event::Notice { message: format!("{place} {what}") });
}

/// Drops what a build has left. Concurrently, so that nobody waits for it.
async fn drop_half_built(
    job: &Job<'_>,
    watch: &Watch<'_>,
    at: usize,
    session: &Session,
    indexes: &[String],
) -> Result<(), PostgresError> {
    notice(job, at, &format!("finds {} half-built and drops it", indexes.join(", ")));
    with_patience(job, session, &Settings::default(), async {
        for index in indexes {
            watch.run(session, &format!("drop index concurrently if exists {index}"), job.cancel).await?;
        }
        Ok(())
    })
    .await
}

/// With the long lock timeout of CONCURRENTLY, and no statement timeout, except where the file says otherwise.
async fn with_patience(
    job: &Job<'_>,
    session: &Session,
    settings: &Settings,
    work: impl Future<Output = Result<(), PostgresError>>,
) -> Result<(), PostgresError> {
    let mut back = Vec::new();
    let lock_timeout = (!settings.lock_timeout).then(|| job.line.patience.concurrently.as_millis().to_string());
    let statement_timeout = (!settings.statement_timeout).then(|| "0".to_owned());
    for (name, long) in [("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout)] {
        let Some(long) = long else { continue };
        let sql = "select current_setting($1), set_config($1, $2, false)";
        let row = session.query_one(sql, &[&name, &long]).await.map_err(|it| session.failure(it))?;
        back.push(format!("set {name} = {};", quote_literal(row.get(0))));
    }
    let ended = work.await;
    let back = session.batch_execute(&back.concat()).await.map_err(|it| session.failure(it));
    ended.and(back)
}

async fn run(
    job: &Job<'_>,
    watch: &Watch<'_>,
    session: &Session,
    trace: &Trace,
    settings: &Settings,
    sql: &str,
) -> Result<(), PostgresError> {
    let work = watch.run(session, sql, job.cancel);
    if !trace.is_concurrent() {
        return work.await;
    }
    with_patience(job, session, settings, work).await
}

async fn mark_running(job: &Job<'_>, session: &Session, at: usize, before: &[String]) -> Result<(), PostgresError> {
    let sql = "
        insert into liftlock.statements (migration, ordinal, checksum, state, before) values ($1, $2, $3, 'running', $4)
        on conflict (migration, ordinal) do update set state = 'running', sqlstate = null, started_at = clock_timestamp()";
    let checksum = checksum(job.migration, &job.migration.to_run()[at]);
    transaction(session, async |session| {
        let row = session.execute(sql, &[&job.planned.id, &ordinal(at), &checksum, &before]).await;
        row.map(|_| ()).map_err(|it| session.failure(it))
    })
    .await
}

/// Notes the failure and takes half-built indexes away at once: until then they cost every write, and a
/// unique one refuses rows. What cannot be done now is done by the next attempt or the next run.
async fn failed(
    job: &Job<'_>,
    watch: &Watch<'_>,
    session: &Session,
    at: usize,
    trace: &Trace,
    before: &[String],
    error: &PostgresError,
) {
    if error.kind() == FailureKind::ConnectionLost {
        return;
    }
    let sql = "update liftlock.statements set state = 'failed', sqlstate = $3 where migration = $1 and ordinal = $2";
    let noted = transaction(session, async |session| {
        Ok(session.execute(sql, &[&job.planned.id, &ordinal(at), &error.sqlstate()]).await?)
    });
    let _ = noted.await;
    if is_contention(error.kind()) || job.cancel.is_cancelled() {
        return;
    }
    if let Ok(Found::HalfBuilt(indexes)) = inspect::found(session, trace, before).await {
        let _ = drop_half_built(job, watch, at, session, &indexes).await;
    }
}

/// "Exists already" of something that this statement makes, "is not there" of something that it removes.
fn is_there_already(error: &PostgresError) -> bool {
    matches!(error.sqlstate(), Some("42P04" | "42710" | "42P07" | "42P06" | "3D000" | "42704" | "42P01"))
}

/// `IF NOT EXISTS` says that all is well of an index that is not valid: so look.
async fn valid(
    job: &Job<'_>,
    session: &Session,
    at: usize,
    trace: &Trace,
    begun: Option<&Row>,
) -> Result<(), ApplyError> {
    let Trace::IndexBuild { name: Some(_), .. } = trace else { return Ok(()) };
    let before = begun.map(|row| row.before.clone()).unwrap_or_default();
    match inspect::found(session, trace, &before).await? {
        Found::HalfBuilt(indexes) => {
            let place = place(job.migration, job.migration.to_run()[at].span);
            Err(ApplyError::InvalidIndex { place, index: indexes.join(", ") })
        }
        Found::Done | Found::Nothing | Found::Unknown | Found::Unfinalized(_) | Found::BeingBuilt(_) => Ok(()),
    }
}
