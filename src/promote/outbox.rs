//! Audit events in the database that they are about: appended with the change, chained by hashes, and kept until
//! a sink has taken them.

use std::time::{Duration, Instant};

use miette::Diagnostic;
use thiserror::Error;
use tokio::time;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::Exit,
    promote::event::{self, GENESIS, NewEvent},
    report::progress::{Event as Progress, Observe},
    services::{
        http::{Advice, Failure},
        postgres::{GenericClient, PostgresError, Row, Session},
        webhook::{Sink, WebhookError},
    },
};

/// Held by a transaction that appends, so that numbers have no gaps and each event knows the one before.
const CHAIN_LOCK: i64 = i64::from_be_bytes(*b"ll-chain");
/// Held by the session that delivers, so that nothing is sent twice at once.
const DELIVERY_LOCK: i64 = i64::from_be_bytes(*b"ll-deliv");

/// Rows read at a time when the chain is walked.
const PAGE: i64 = 500;

#[derive(Debug, Error, Diagnostic)]
pub enum OutboxError {
    #[error("{} {place}, which does not take {}", events_wait(*waiting), if *waiting == 1 { "it" } else { "them" })]
    #[diagnostic(
        code(outbox::undelivered),
        help(
            "nothing is lost: `liftlock audit flush --env {environment}` sends what waits, as often as you like{}",
            advice(source)
        )
    )]
    Undelivered { environment: String, waiting: usize, place: String, source: Box<WebhookError> },

    #[error("{} a webhook, and none is configured", events_wait(*waiting))]
    #[diagnostic(
        code(outbox::no_webhook),
        help(
            "add `audit: {{ webhook: \"${{AUDIT_WEBHOOK_URL}}\", secret: \"${{AUDIT_WEBHOOK_SECRET}}\" }}` to liftlock.yml \
             (`webhook: file:audit.jsonl` writes them to a file); until then they stay in `liftlock.audit_outbox`"
        )
    )]
    NoWebhook { waiting: usize },
}

impl OutboxError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Undelivered { .. } => Exit::Service,
            Self::NoWebhook { .. } => Exit::Usage,
        }
    }
}

/// An event at its place in the chain, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// From 1, without gaps.
    pub sequence: i64,
    pub id: Uuid,
    /// The CloudEvents `type`.
    pub kind: String,
    /// Exactly what is sent: the event in canonical JSON.
    pub body: String,
    pub previous_hash: String,
    pub hash: String,
    /// RFC 3339, by the database's clock.
    pub created_at: String,
    pub delivered_at: Option<String>,
    pub attempts: i32,
    pub last_error: Option<String>,
}

const COLUMNS: &str = r#"sequence, id::text, kind, body, previous_hash, hash, attempts, last_error,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    to_char(delivered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#;

fn stored(row: &Row) -> Event {
    let id: String = row.get(1);
    Event {
        sequence: row.get(0),
        id: id.parse().expect("the column is a uuid"),
        kind: row.get(2),
        body: row.get(3),
        previous_hash: row.get(4),
        hash: row.get(5),
        attempts: row.get(6),
        last_error: row.get(7),
        created_at: row.get(8),
        delivered_at: row.get(9),
    }
}

/// Appends an event inside the caller's transaction: it is there if and only if the change is. An id that is
/// there already appends nothing and answers with what is stored.
pub async fn append(transaction: &impl GenericClient, new: &NewEvent) -> Result<Event, PostgresError> {
    transaction.execute("select pg_advisory_xact_lock($1)", &[&CHAIN_LOCK]).await?;
    let known = format!("select {COLUMNS} from liftlock.audit_outbox where id = $1::text::uuid");
    if let Some(row) = transaction.query_opt(&known, &[&new.id.to_string()]).await? {
        return Ok(stored(&row));
    }
    let last = "select sequence, hash from liftlock.audit_outbox order by sequence desc limit 1";
    let (last, previous_hash) = match transaction.query_opt(last, &[]).await? {
        Some(row) => (row.get(0), row.get(1)),
        None => (0_i64, GENESIS.to_owned()),
    };
    let sequence = last + 1;
    let body = event::body(new, sequence.unsigned_abs(), &previous_hash);
    let hash = event::hash(&previous_hash, &body);
    let insert = format!(
        "insert into liftlock.audit_outbox (sequence, id, kind, run, body, previous_hash, hash)
         values ($1, $2::text::uuid, $3, $4::text::uuid, $5, $6, $7) returning {COLUMNS}"
    );
    let (id, kind, run) = (new.id.to_string(), new.kind.name(), new.run.map(|run| run.to_string()));
    let row = transaction.query_one(&insert, &[&sequence, &id, &kind, &run, &body, &previous_hash, &hash]).await?;
    Ok(stored(&row))
}

/// Whether the database has an outbox at all; it comes with the first promotion.
pub async fn exists(client: &impl GenericClient) -> Result<bool, PostgresError> {
    Ok(client.query_one("select to_regclass('liftlock.audit_outbox') is not null", &[]).await?.get(0))
}

/// All events, oldest first.
pub async fn list(client: &impl GenericClient) -> Result<Vec<Event>, PostgresError> {
    let sql = format!("select {COLUMNS} from liftlock.audit_outbox order by sequence");
    Ok(client.query(&sql, &[]).await?.iter().map(stored).collect())
}

/// How many events there are.
pub async fn count(client: &impl GenericClient) -> Result<usize, PostgresError> {
    counted(client, "select count(*) from liftlock.audit_outbox").await
}

/// How many events no sink has taken yet.
pub async fn waiting(client: &impl GenericClient) -> Result<usize, PostgresError> {
    counted(client, "select count(*) from liftlock.audit_outbox where delivered_at is null").await
}

async fn counted(client: &impl GenericClient, sql: &str) -> Result<usize, PostgresError> {
    let count: i64 = client.query_one(sql, &[]).await?.get(0);
    Ok(usize::try_from(count).unwrap_or_default())
}

/// What walking the chain has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Events from the first one that hold together.
    pub sound: usize,
    /// Hash of the last of them: compare it with the `prevhash` of the next event that a receiver got.
    pub head: String,
    /// Where it breaks, first place only: everything behind it is unproven.
    pub broken: Option<Break>,
}

/// Where and how a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Break {
    #[error("event {sequence} is missing: the chain goes on with {found}")]
    Missing { sequence: i64, found: i64 },
    #[error("event {sequence} was changed: its text and its hash do not belong together")]
    Changed { sequence: i64 },
    #[error("event {sequence} does not follow the event before it: something was replaced or reordered")]
    Unlinked { sequence: i64 },
    #[error("event {sequence} says something else in its text than its row does: {member}")]
    Contradicts { sequence: i64, member: &'static str },
    #[error("events are missing at the end, behind {last}: promotion {run} has none")]
    CutOff { last: i64, run: String },
}

/// Walks the whole chain. What is found is an answer; an error means that it could not be read.
pub async fn verify(client: &impl GenericClient) -> Result<Chain, PostgresError> {
    let mut chain = Chain { sound: 0, head: GENESIS.to_owned(), broken: None };
    let sql = format!("select {COLUMNS} from liftlock.audit_outbox where sequence > $1 order by sequence limit $2");
    let (mut after, mut expected) = (i64::MIN, 1);
    loop {
        let rows = client.query(&sql, &[&after, &PAGE]).await?;
        for event in rows.iter().map(stored) {
            if let Err(place) = holds(&event, expected, &chain.head) {
                return Ok(Chain { broken: Some(place), ..chain });
            }
            chain.sound += 1;
            (after, expected, chain.head) = (event.sequence, event.sequence + 1, event.hash);
        }
        if rows.len() < usize::try_from(PAGE).unwrap_or_default() {
            break;
        }
    }
    // A hash chain cannot see that its end is gone; the promotions beside it can.
    let silent = "select run::text from liftlock.promotions p where state <> 'refused'
        and not exists (select from liftlock.audit_outbox o where o.run = p.run) order by started_at limit 1";
    if let Some(row) = client.query_opt(silent, &[]).await? {
        chain.broken = Some(Break::CutOff { last: expected - 1, run: row.get(0) });
    }
    Ok(chain)
}

fn holds(event: &Event, expected: i64, head: &str) -> Result<(), Break> {
    let sequence = event.sequence;
    if sequence != expected {
        return Err(Break::Missing { sequence: expected, found: sequence });
    }
    if event.hash != event::hash(&event.previous_hash, &event.body) {
        return Err(Break::Changed { sequence });
    }
    if event.previous_hash != head {
        return Err(Break::Unlinked { sequence });
    }
    let said: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
    let row = [
        ("id", event.id.to_string()),
        ("type", event.kind.clone()),
        ("sequence", format!("{sequence:012}")),
        ("prevhash", event.previous_hash.clone()),
    ];
    match row.into_iter().find(|(member, value)| said[*member] != **value) {
        Some((member, _)) => Err(Break::Contradicts { sequence, member }),
        None => Ok(()),
    }
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Everything together takes no longer.
    pub budget: Duration,
    /// The longest pause between two attempts; a longer one ends the call.
    pub patience: Duration,
    pub pace: Pace,
}

impl Terms {
    /// At the end of a promotion, which has other things to do.
    pub const AUTOMATIC: Self =
        Self { budget: Duration::from_secs(15), patience: Duration::from_secs(5), pace: Pace::WhenDue };
    /// `audit flush`: somebody waits for it and wants to know.
    pub const ASKED: Self =
        Self { budget: Duration::from_secs(10 * 60), patience: Duration::from_secs(5), pace: Pace::Now };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Leaves a sink alone that failed a short while ago.
    WhenDue,
    /// The first attempt comes at once.
    Now,
}

/// What came of a delivery. Whatever is here, nothing is lost and nothing is rolled back.
#[derive(Debug)]
pub struct Delivery {
    pub delivered: usize,
    /// Not taken yet.
    pub waiting: usize,
    /// Why not everything is delivered; `None` when it is.
    pub stopped: Option<Stopped>,
}

#[derive(Debug, Error)]
pub enum Stopped {
    #[error("another liftlock is delivering them at this moment")]
    Elsewhere,
    #[error("the last attempt failed a short while ago; the next one is due in {} s", .0.as_secs())]
    NotDue(Duration),
    #[error("it was cancelled")]
    Cancelled,
    #[error("the time for it is over; the events that wait are next")]
    OutOfTime,
    #[error(transparent)]
    Refused(WebhookError),
}

/// Sends what waits, oldest first, and marks an event as delivered only when the sink has acknowledged it.
/// Failures of the sink are part of the answer; an error means that the database failed.
pub async fn deliver(
    session: &Session,
    sink: &impl Sink,
    terms: Terms,
    observe: &dyn Observe,
    cancel: &CancellationToken,
) -> Result<Delivery, PostgresError> {
    let row = session.query_one("select pg_try_advisory_lock($1)", &[&DELIVERY_LOCK]).await?;
    if !row.get::<_, bool>(0) {
        let waiting = waiting(&**session).await?;
        return Ok(Delivery { delivered: 0, waiting, stopped: Some(Stopped::Elsewhere) });
    }
    let sending = Sending { session, sink, terms, end: Instant::now() + terms.budget, observe, cancel };
    let sent = send_all(&sending).await;
    session.unlock(DELIVERY_LOCK).await?;
    let (delivered, stopped) = sent?;
    Ok(Delivery { delivered, waiting: waiting(&**session).await?, stopped })
}

struct Sending<'a, S> {
    session: &'a Session,
    sink: &'a S,
    terms: Terms,
    end: Instant,
    observe: &'a dyn Observe,
    cancel: &'a CancellationToken,
}

async fn send_all(sending: &Sending<'_, impl Sink>) -> Result<(usize, Option<Stopped>), PostgresError> {
    let (mut delivered, mut after, mut refused) = (0, 0, None);
    while let Some(event) = oldest_waiting(sending.session, after).await? {
        match send_one(sending, &event).await? {
            None => delivered += 1,
            // This message is not wanted; the ones behind it may well be.
            Some(Stopped::Refused(failure)) if failure.is_about_the_message() => {
                after = event.sequence;
                refused = Some(Stopped::Refused(failure));
            }
            stopped => return Ok((delivered, stopped)),
        }
    }
    Ok((delivered, refused))
}

/// Tries until the event is taken (`None`) or trying on makes no sense now.
async fn send_one(sending: &Sending<'_, impl Sink>, event: &Waiting) -> Result<Option<Stopped>, PostgresError> {
    let Sending { session, sink, terms, end, observe, cancel } = sending;
    let left = || end.saturating_duration_since(Instant::now());
    let mut pause = if terms.pace == Pace::Now { Duration::ZERO } else { event.due_in };
    if pause > terms.patience {
        return Ok(Some(Stopped::NotDue(pause)));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        if pause >= left() {
            return Ok(Some(Stopped::OutOfTime));
        }
        let attempt = async {
            time::sleep(pause).await;
            let limit = left();
            let late = || WebhookError::NotTaken { place: sink.place(), failure: Failure::Timeout { limit } };
            time::timeout(limit, sink.send(&event.id, &event.body)).await.unwrap_or_else(|_| Err(late()))
        };
        let answer = tokio::select! {
            answer = attempt => answer,
            () = cancel.cancelled() => return Ok(Some(Stopped::Cancelled)),
        };
        let Err(failure) = answer else {
            mark_delivered(session, event.sequence).await?;
            return Ok(None);
        };
        let again = matches!(failure.advice(), Advice::Retry | Advice::Reconcile);
        let asked = failure.retry_after().unwrap_or_default();
        let due = again.then(|| after_failure(event.attempts + tries).max(asked));
        mark_failed(session, event.sequence, &failure, due).await?;
        pause = after_failure(tries).max(asked);
        if !again || pause > terms.patience || pause >= left() {
            return Ok(Some(Stopped::Refused(failure)));
        }
        observe.event(Progress::Notice { message: format!("{failure}; again in {} s", pause.as_secs()) });
    }
}

/// How long to wait after so many failed attempts: short at first, for a receiver that restarts, then up to an
/// hour. Nothing is ever given up.
fn after_failure(attempts: i32) -> Duration {
    let seconds = match attempts {
        ..=1 => 1,
        2 => 5,
        3 => 30,
        4 => 2 * 60,
        5 => 5 * 60,
        6 => 30 * 60,
        7.. => 60 * 60,
    };
    Duration::from_secs(seconds)
}

struct Waiting {
    sequence: i64,
    id: String,
    body: String,
    attempts: i32,
    due_in: Duration,
}

async fn oldest_waiting(session: &Session, after: i64) -> Result<Option<Waiting>, PostgresError> {
    let sql = "select sequence, id::text, body, attempts,
        greatest(0, coalesce(extract(epoch from next_attempt_at - clock_timestamp()), 0))::float8
        from liftlock.audit_outbox where delivered_at is null and sequence > $1 order by sequence limit 1";
    let row = session.query_opt(sql, &[&after]).await?;
    Ok(row.map(|row| Waiting {
        sequence: row.get(0),
        id: row.get(1),
        body: row.get(2),
        attempts: row.get(3),
        due_in: Duration::from_secs_f64(row.get(4)),
    }))
}

async fn mark_delivered(session: &Session, sequence: i64) -> Result<(), PostgresError> {
    let sql = "update liftlock.audit_outbox set delivered_at = clock_timestamp(), attempts = attempts + 1,
        next_attempt_at = null, last_error = null where sequence = $1 and delivered_at is null";
    session.execute(sql, &[&sequence]).await?;
    Ok(())
}

async fn mark_failed(
    session: &Session,
    sequence: i64,
    failure: &WebhookError,
    pause: Option<Duration>,
) -> Result<(), PostgresError> {
    let sql = "update liftlock.audit_outbox set attempts = attempts + 1, last_error = $2,
        next_attempt_at = clock_timestamp() + make_interval(secs => $3) where sequence = $1";
    let pause = pause.map(|pause| pause.as_secs_f64());
    session.execute(sql, &[&sequence, &failure.reason(), &pause]).await?;
    Ok(())
}

fn events_wait(count: usize) -> String {
    if count == 1 { "1 audit event waits for".to_owned() } else { format!("{count} audit events wait for") }
}

fn advice(cause: &WebhookError) -> String {
    cause.help().map(|help| format!("{help}. ")).unwrap_or_default().replace("?. ", "? ")
}
