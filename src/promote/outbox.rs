//! Audit events in the database that they are about: appended with the change, chained by hashes, and kept until
//! a sink has taken them.

mod delivery;

pub use delivery::{Delivery, Pace, Stopped, Terms, deliver};

use miette::Diagnostic;
use thiserror::Error;
use uuid::Uuid;

use crate::{
    exit::Exit,
    promote::event::{self, GENESIS, Kind, NewEvent},
    services::{
        postgres::{GenericClient, PostgresError, Row},
        webhook::WebhookError,
    },
};

/// Held by a transaction that appends, so that numbers have no gaps and each event knows the one before.
const CHAIN_LOCK: i64 = i64::from_be_bytes(*b"ll-chain");

/// Rows read at a time when the chain is walked.
const PAGE: i64 = 500;

#[derive(Debug, Error, Diagnostic)]
pub enum OutboxError {
    #[error("{} {place}, which does not take {}", events_wait(*waiting), if *waiting == 1 { "it" } else { "them" })]
    #[diagnostic(
        code(outbox::undelivered),
        help(
            "{}nothing is lost: `liftlock audit flush --env {environment}` sends what waits, as often as you like",
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
    #[error("events are missing at the end, behind {last}: promotion {run} has no `{kind}`")]
    CutOff { last: i64, run: String, kind: String },
}

/// Promotions that have no event of how far they are. A hash chain cannot see that its end is gone; the promotions
/// beside it can, each of whose states is written together with or after its event. One that was under way when a
/// restore point was made is abandoned by going back to it: how it ended in truth, or that restore, is its event.
const SILENT: &str = "
    select run::text, kind from (
      select *, case state
        when 'finished' then 'dev.liftlock.promotion.finished.v1'
        when 'failed' then 'dev.liftlock.promotion.failed.v1'
        when 'abandoned' then 'dev.liftlock.promotion.abandoned.v1'
        else 'dev.liftlock.promotion.started.v1' end as kind
      from liftlock.promotions where state <> 'refused') p
    where not exists (select from liftlock.audit_outbox o where o.run = p.run and o.kind = p.kind)
      and not (state = 'abandoned' and exists (
        select from liftlock.audit_outbox o
        where o.run = p.run
            and o.kind in ('dev.liftlock.promotion.finished.v1', 'dev.liftlock.promotion.failed.v1')
          or o.kind = 'dev.liftlock.restore_point.restored.v1' and o.created_at >= p.ended_at))
    order by started_at limit 1";

/// Walks the whole chain. What is found is an answer; an error means that it could not be read.
pub async fn verify(client: &impl GenericClient) -> Result<Chain, PostgresError> {
    let mut chain = walk(client, i64::MIN, 1, GENESIS.to_owned()).await?;
    if chain.broken.is_none()
        && let Some(row) = client.query_opt(SILENT, &[]).await?
    {
        let last = i64::try_from(chain.sound).unwrap_or(i64::MAX);
        chain.broken = Some(Break::CutOff { last, run: row.get(0), kind: row.get(1) });
    }
    Ok(chain)
}

/// Walks the chain from the first event of a run on, whatever was done to the events before it.
pub async fn verify_run(client: &impl GenericClient, run: Uuid) -> Result<Chain, PostgresError> {
    let first = "select sequence, previous_hash from liftlock.audit_outbox
        where run = $1::text::uuid and kind = $2 order by sequence limit 1";
    let kind = Kind::PromotionStarted.name();
    let Some(row) = client.query_opt(first, &[&run.to_string(), &kind]).await? else {
        let broken = Some(Break::CutOff { last: 0, run: run.to_string(), kind: kind.to_owned() });
        return Ok(Chain { sound: 0, head: GENESIS.to_owned(), broken });
    };
    let first: i64 = row.get(0);
    walk(client, first - 1, first, row.get(1)).await
}

async fn walk(
    client: &impl GenericClient,
    mut after: i64,
    mut expected: i64,
    head: String,
) -> Result<Chain, PostgresError> {
    let mut chain = Chain { sound: 0, head, broken: None };
    let sql = format!("select {COLUMNS} from liftlock.audit_outbox where sequence > $1 order by sequence limit $2");
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
            return Ok(chain);
        }
    }
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

fn events_wait(count: usize) -> String {
    if count == 1 { "1 audit event waits for".to_owned() } else { format!("{count} audit events wait for") }
}

fn advice(cause: &WebhookError) -> String {
    let help = cause.help().map(|help| help.to_string()).unwrap_or_default();
    match help.as_str() {
        "" => help,
        question if question.ends_with('?') => format!("{help} In any case "),
        _ => format!("{help}; "),
    }
}
