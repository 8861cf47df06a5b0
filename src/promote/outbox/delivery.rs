//! Sending what waits: oldest first, marked as delivered only when the sink has acknowledged it.

use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::waiting;
use crate::{
    report::progress::{Event as Progress, Observe},
    services::{
        http::{Advice, Failure},
        postgres::{PostgresError, Session},
        webhook::{Sink, WebhookError},
    },
};

/// Held by the session that delivers, so that nothing is sent twice at once.
const DELIVERY_LOCK: i64 = i64::from_be_bytes(*b"ll-deliv");

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
