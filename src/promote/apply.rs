//! One migration onto one database: transaction, retries, progress, history.
//!
//! A migration runs in one transaction together with its history row and its audit event, so that all of it is
//! there or nothing. One that cannot runs statement by statement (`stepwise.rs`). What is not known after the
//! connection broke in a commit is looked up, never guessed.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{
    chronicle,
    failure::{ApplyError, Failure, Phase, cancelled, in_the_way, is_contention},
    line::Line,
    outbox,
    plan::{Plan, PlannedMigration},
    stepwise,
    watch::Watch,
};
use crate::{
    migration::{Migration, TransactionMode},
    report::progress::{Event, Observe},
    services::postgres::{FailureKind, PostgresError, Session, SimpleQueryMessage},
    sql::{Span, Statement},
};

/// What to apply, where and for whom.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub line: &'a Line,
    pub plan: &'a Plan,
    pub planned: &'a PlannedMigration,
    pub migration: &'a Migration,
    pub observe: &'a dyn Observe,
    pub cancel: &'a CancellationToken,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub millis: u64,
    /// It was applied before this call: by this run, before it was killed.
    pub already: bool,
}

/// Applies one migration, or finds that it is applied.
pub async fn apply(job: &Job<'_>) -> Result<Applied, ApplyError> {
    job.line.prove_lock().await?;
    let id = &job.planned.id;
    if let Some(row) = history(&job.line.session(), id).await? {
        match (row.done, row.checksum == job.planned.checksum) {
            (true, true) => return Ok(Applied { millis: row.millis, already: true }),
            (true, false) => return Err(ApplyError::Changed { id: id.clone() }),
            (false, _) => {}
        }
    }
    let watch = Watch::new(job.line, job.observe, format!("apply {id}"));
    let applied = match job.migration.transaction {
        TransactionMode::Single => whole(job, &watch).await,
        TransactionMode::PerStatement => stepwise::apply(job, &watch).await,
        TransactionMode::Own => Err(ApplyError::TransactionEnded { id: id.clone() }),
    };
    watch.close().await;
    let reset = job.line.session().reset_settings().await;
    let millis = applied?;
    reset?;
    Ok(Applied { millis, already: false })
}

struct Row {
    done: bool,
    checksum: String,
    millis: u64,
}

async fn history(session: &Session, id: &str) -> Result<Option<Row>, PostgresError> {
    let sql = "select state = 'done', checksum, coalesce(duration_ms, 0) from liftlock.migrations where id = $1";
    let row = session.query_opt(sql, &[&id]).await.map_err(|it| session.failure(it))?;
    Ok(row.map(|it| Row { done: it.get(0), checksum: it.get(1), millis: it.get::<_, i64>(2).unsigned_abs() }))
}

const APPLIED: &str = "
    insert into liftlock.migrations
      (id, checksum, transactional, state, total, applied, run, started_at, applied_at, duration_ms)
    values ($1, $2, true, 'done', $3, $3, $4::text::uuid, now(), clock_timestamp(), $5)
    on conflict (id) do update set checksum = excluded.checksum, transactional = true, state = 'done',
      total = excluded.total, applied = excluded.applied, run = excluded.run, applied_at = excluded.applied_at,
      duration_ms = excluded.duration_ms";

/// Of a file that was begun statement by statement and failed at the first; it has been written anew since.
const NOT_BEGUN: &str = "delete from liftlock.statements where migration = $1";

/// All of it in one transaction.
async fn whole(job: &Job<'_>, watch: &Watch<'_>) -> Result<u64, ApplyError> {
    let began = Instant::now();
    let millis = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let id = &job.planned.id;
    let settle = async |session: &Session| -> Result<(), PostgresError> {
        let total = i32::try_from(job.migration.to_run().len()).unwrap_or(i32::MAX);
        let duration = i64::try_from(millis()).unwrap_or(i64::MAX);
        let run = job.plan.run.to_string();
        session.execute(NOT_BEGUN, &[id]).await?;
        session.execute(APPLIED, &[id, &job.planned.checksum, &total, &run, &duration]).await?;
        let event = chronicle::migration_applied(job.plan, job.planned, millis(), Timestamp::now());
        outbox::append(&**session, &event).await?;
        Ok(())
    };
    let landed = async |session: &Session| Ok(history(session, id).await?.is_some_and(|row| row.done));
    in_transaction(job, watch, job.migration.to_run(), settle, landed).await?;
    Ok(millis())
}

/// How a transaction came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The server said so.
    Seen,
    /// The connection broke in the commit; a new session has found the work. What the old session had set is
    /// gone.
    FoundAfterReconnect,
}

/// Runs statements in one transaction, with retries for lock timeouts and deadlocks. `settle` writes our own
/// rows at its end; `landed` tells whether they are there, when the connection breaks in the commit.
pub async fn in_transaction(
    job: &Job<'_>,
    watch: &Watch<'_>,
    statements: &[Statement],
    settle: impl AsyncFn(&Session) -> Result<(), PostgresError>,
    landed: impl AsyncFn(&Session) -> Result<bool, PostgresError>,
) -> Result<Committed, ApplyError> {
    let mut retries = Retries::new(job.line);
    loop {
        let session = job.line.session();
        let Err(failure) = attempt(job, watch, &session, statements, &settle).await else {
            return Ok(Committed::Seen);
        };
        let place = failure.place(job.migration);
        let kind = failure.error.kind();
        if kind == FailureKind::ConnectionLost {
            if failure.phase == Phase::Commit {
                job.observe.event(Event::Notice {
                    message: format!("the connection broke in the commit of {place}; looking"),
                });
                let unknown = |source| ApplyError::CommitUnknown { place: place.clone(), source };
                job.line.reconnect(job.observe).await.map_err(unknown)?;
                if landed(&job.line.session()).await.map_err(unknown)? {
                    return Ok(Committed::FoundAfterReconnect);
                }
            }
            return Err(lost(&place, failure.error));
        }
        // It fails only when the connection is gone, and then the server rolls back.
        let _ = session.batch_execute("rollback").await;
        if job.cancel.is_cancelled() {
            return Err(ApplyError::Cancelled { place });
        }
        if failure.phase == Phase::Ended {
            return Err(ApplyError::TransactionEnded { id: job.planned.id.clone() });
        }
        match retries.again(kind) {
            Some(pause) => retries.wait(job, &place, watch, pause).await?,
            None => return Err(failure.told(job.migration, &retries, watch)),
        }
    }
}

fn lost(place: &str, source: PostgresError) -> ApplyError {
    ApplyError::Lost { place: place.to_owned(), source }
}

async fn attempt(
    job: &Job<'_>,
    watch: &Watch<'_>,
    session: &Session,
    statements: &[Statement],
    settle: &impl AsyncFn(&Session) -> Result<(), PostgresError>,
) -> Result<(), Failure> {
    let end = statements.last().map_or(0, |it| it.span.end);
    let last = Span { start: end.saturating_sub(1), end };
    let at = |phase, span| move |error| Failure { phase, span, error };
    let stopped = |span| Failure { phase: Phase::Statement, span, error: cancelled() };
    let began = transaction(session, "begin").await.map_err(at(Phase::Settle, last))?;
    for statement in statements {
        if job.cancel.is_cancelled() {
            return Err(stopped(statement.span));
        }
        let sql = text(job.migration, statement);
        watch.run(session, sql, job.cancel).await.map_err(at(Phase::Statement, statement.span))?;
    }
    if transaction(session, OURSELVES).await.map_err(at(Phase::Settle, last))? != began {
        return Err(Failure { phase: Phase::Ended, span: last, error: cancelled() });
    }
    settle(session).await.map_err(at(Phase::Settle, last))?;
    if job.cancel.is_cancelled() {
        return Err(stopped(last));
    }
    session.batch_execute("commit").await.map_err(|it| at(Phase::Commit, last)(session.failure(it)))
}

/// `set role` and its kind must not keep us from writing our rows; behind them the file's role is back.
pub const OURSELVES: &str = "set local session authorization default; set local role none";

/// Runs `first`, and tells the transaction that the session is in from every other: by the time of its
/// beginning, to the microsecond.
async fn transaction(session: &Session, first: &str) -> Result<Option<String>, PostgresError> {
    let sql = format!("{first}; select extract(epoch from transaction_timestamp())");
    let answers = session.simple_query(&sql).await.map_err(|it| session.failure(it))?;
    let time = |answer: &SimpleQueryMessage| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(answers.iter().find_map(time))
}

/// The statement as it stands in the file.
pub fn text<'a>(migration: &'a Migration, statement: &Statement) -> &'a str {
    &migration.text[statement.span.start..statement.span.end]
}

/// How often, and for how long, contention is tried again.
#[derive(Debug)]
pub struct Retries {
    pub began: Instant,
    pub attempts: u32,
    retry_for: Duration,
    pause: Duration,
    longest: Duration,
}

impl Retries {
    pub fn new(line: &Line) -> Self {
        let patience = line.patience;
        Self {
            began: Instant::now(),
            attempts: 1,
            retry_for: patience.retry_for,
            pause: patience.first_pause,
            longest: patience.longest_pause,
        }
    }

    /// How long to pause before the next attempt; `None` when there is none. Jittered, so that two runners do
    /// not meet again.
    pub fn again(&mut self, kind: FailureKind) -> Option<Duration> {
        let pause = self.pause.mul_f64(0.5 + rand::random::<f64>());
        if !is_contention(kind) || self.began.elapsed() + pause >= self.retry_for {
            return None;
        }
        self.attempts += 1;
        self.pause = (self.pause * 2).min(self.longest);
        Some(pause)
    }

    /// Says why, and pauses.
    pub async fn wait(&self, job: &Job<'_>, place: &str, watch: &Watch<'_>, pause: Duration) -> Result<(), ApplyError> {
        let message = format!(
            "no lock for {place}{}; attempt {} in {:.1} s",
            in_the_way(&watch.seen()),
            self.attempts,
            pause.as_secs_f64()
        );
        job.observe.event(Event::Notice { message });
        tokio::select! {
            () = time::sleep(pause) => Ok(()),
            () = job.cancel.cancelled() => Err(ApplyError::Cancelled { place: place.to_owned() }),
        }
    }
}
