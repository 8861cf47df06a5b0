//! An audit event: who did what to which database, as CloudEvents 1.0 JSON, small, and chained to the one before.
//!
//! The text of an event is its canonical JSON (RFC 8785) and exactly what is stored, hashed and sent. It names
//! migrations by id and checksum and never holds SQL, row values or secrets.

use data_encoding::HEXLOWER;
use jiff::{Timestamp, TimestampRound, Unit};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::{
    promote::{
        approval::record::{Counted, EnvironmentRecord, NotCounted, Record},
        canonical::canonical,
        emergency::Emergency,
    },
    secret,
};

/// What an event may weigh (Standard Webhooks: keep payloads below 20 kB).
pub const LIMIT_BYTES: usize = 20_000;

/// Characters that one text in an event may have; more is cut.
const LIMIT_TEXT: usize = 400;

/// What stands for "the hash before" in the first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened. A name once released keeps its meaning; a changed meaning is a `.v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Before the first change: what is about to be done, by whom, on which evidence.
    PromotionStarted,
    /// It is an emergency: what was waived, for which incident, and why. Follows [`Self::PromotionStarted`].
    PromotionEmergency,
    /// A promotion that stopped half-way goes on.
    PromotionResumed,
    /// Everything that was planned is done.
    PromotionFinished,
    /// It stopped with an error; `promote` resumes it.
    PromotionFailed,
    /// It was given up; the journal says what was done until then.
    PromotionAbandoned,
    RestorePointCreated,
    /// The database was put back to a restore point.
    RestorePointRestored,
    /// Before a migration that cannot run in one transaction.
    MigrationStarted,
    MigrationApplied,
    MigrationFailed,
    /// Tables were carried to the mirror and compared.
    SyncFinished,
}

impl Kind {
    /// The CloudEvents `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PromotionStarted => "dev.liftlock.promotion.started.v1",
            Self::PromotionEmergency => "dev.liftlock.promotion.emergency.v1",
            Self::PromotionResumed => "dev.liftlock.promotion.resumed.v1",
            Self::PromotionFinished => "dev.liftlock.promotion.finished.v1",
            Self::PromotionFailed => "dev.liftlock.promotion.failed.v1",
            Self::PromotionAbandoned => "dev.liftlock.promotion.abandoned.v1",
            Self::RestorePointCreated => "dev.liftlock.restore_point.created.v1",
            Self::RestorePointRestored => "dev.liftlock.restore_point.restored.v1",
            Self::MigrationStarted => "dev.liftlock.migration.started.v1",
            Self::MigrationApplied => "dev.liftlock.migration.applied.v1",
            Self::MigrationFailed => "dev.liftlock.migration.failed.v1",
            Self::SyncFinished => "dev.liftlock.sync.finished.v1",
        }
    }
}

/// An event that has not got its place in the chain yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// From [`id`], so that a step that runs again appends nothing new.
    pub id: Uuid,
    pub kind: Kind,
    /// The promotion it belongs to.
    pub run: Option<Uuid>,
    /// URI reference of whoever says so: the repository in CI, else `urn:liftlock:…` of the database.
    pub source: String,
    /// `production/<database>`.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    pub facts: Facts,
}

/// The `data` of an event: what an auditor of a change asks for. Leave out what does not apply.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    pub environment: String,
    pub target: Target,
    /// Who ran it: the CI actor, or the operating system's user.
    pub actor: String,
    /// Link to the CI run, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_run: Option<String>,
    /// `schema_safe`, `hotfix`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion_type: Option<String>,
    /// `sha256:…` over what was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<String>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<MigrationFacts>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateFacts>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverFacts>,
    /// Who approved it, on which grounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalFacts>,
    /// Why checks were waived: in every event of such a promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_point: Option<RestorePointFacts>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Which database, provably: a URL can be repointed, these cannot.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Target {
    pub database: String,
    /// Host and port; never a user's password.
    pub host: String,
    /// Postgres's `system_identifier`, as text: it does not fit a JSON number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_oid: Option<u32>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct MigrationFacts {
    pub id: String,
    /// `sha256:…` of the LF-normalised bytes.
    pub checksum: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct GateFacts {
    pub name: String,
    pub passed: bool,
    pub evidence: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct WaiverFacts {
    pub rule: String,
    /// `file:line`.
    pub place: String,
    pub reason: String,
}

/// Who approved, for what, and what GitHub protects: the grounds on which it was taken for approved.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ApprovalFacts {
    pub required: u32,
    pub repository: String,
    pub run: u64,
    pub attempt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    pub commit: String,
    pub run_commit: String,
    pub default_branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// GitHub keeps no time of an approval; this is when it was seen.
    pub observed_at: String,
    #[serde(serialize_with = "listed")]
    pub approvals: Vec<Counted>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<NotCounted>,
    #[serde(serialize_with = "listed")]
    pub authors: Vec<String>,
    #[serde(serialize_with = "listed")]
    pub started_by: Vec<String>,
    #[serde(serialize_with = "listed", skip_serializing_if = "Vec::is_empty")]
    pub pulls: Vec<u64>,
    #[serde(serialize_with = "listed")]
    pub environments: Vec<EnvironmentRecord>,
}

impl ApprovalFacts {
    pub fn of(record: &Record) -> Self {
        Self {
            required: record.required,
            repository: record.repository.clone(),
            run: record.run,
            attempt: record.attempt,
            run_url: record.run_url.clone(),
            workflow: record.workflow.clone(),
            commit: record.commit.clone(),
            run_commit: record.run_commit.clone(),
            default_branch: record.default_branch.clone(),
            code: record.code.clone(),
            observed_at: record.observed_at.clone(),
            approvals: record.approvals.clone(),
            not_counted: record.not_counted.clone(),
            authors: record.authors.iter().cloned().collect(),
            started_by: record.started_by.iter().cloned().collect(),
            pulls: record.pulls.clone(),
            environments: record.environments.clone(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct RestorePointFacts {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How it was verified; `None` when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// Neon's ids of project and branch, and the branch's state when it was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct TableFacts {
    pub table: String,
    pub source_rows: u64,
    pub mirror_rows: u64,
    /// Counts and digests agree on both sides.
    pub verified: bool,
}

/// How it ended.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Failed {
        /// Our code: `apply::lock_timeout`.
        code: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        sqlstate: Option<String>,
    },
    Abandoned,
}

/// The id of what a run did to `what` (a migration's id, a restore point's name; empty for the run itself):
/// the same deed has the same id, however often it is tried.
pub fn id(run: Uuid, kind: Kind, what: &str) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(run.as_bytes());
    hasher.update(kind.name());
    hasher.update([0]);
    hasher.update(what);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The event's text at its place in the chain, at most [`LIMIT_BYTES`] long.
pub fn body(event: &NewEvent, sequence: u64, previous_hash: &str) -> String {
    let mut data = serde_json::to_value(&event.facts).expect("facts have only text keys");
    data["tool_version"] = json!(env!("CARGO_PKG_VERSION"));
    if let Some(run) = event.run {
        data["run"] = json!(run);
    }
    tidy(&mut data);
    loop {
        let text = canonical(&envelope(event, sequence, previous_hash, &data));
        if text.len() < LIMIT_BYTES || !shorten(&mut data) {
            return text;
        }
    }
}

fn envelope(event: &NewEvent, sequence: u64, previous_hash: &str, data: &Value) -> Value {
    let time = event.time.round(TimestampRound::new().smallest(Unit::Microsecond)).unwrap_or(event.time);
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": secret::scrub(&event.source),
        "type": event.kind.name(),
        "subject": event.subject,
        "time": time.to_string(),
        "datacontenttype": "application/json",
        // CloudEvents' sequence extension: text whose order is the events' order.
        "sequence": format!("{sequence:012}"),
        "prevhash": previous_hash,
        "data": data,
    })
}

/// `sha256(previous hash, as its 64 digits, then the event's text)` in hexadecimal. In SQL:
/// `encode(sha256(convert_to(previous_hash || body, 'UTF8')), 'hex')`.
pub fn hash(previous_hash: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(previous_hash);
    hasher.update(body);
    hexadecimal(&hasher.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A list with its count and the digest of all its items, so that items can be left out and still be proven.
fn listed<T: Serialize, S: serde::Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let items = serde_json::to_value(items).map_err(serde::ser::Error::custom)?;
    let digest = format!("sha256:{}", hexadecimal(&Sha256::digest(canonical(&items))));
    let count = items.as_array().map_or(0, Vec::len);
    json!({ "count": count, "digest": digest, "listed": items }).serialize(serializer)
}

/// Cuts long texts and blanks credentials in URLs: whatever a caller put into a text, no password leaves.
fn tidy(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = secret::scrub(text);
            if let Some((end, _)) = text.char_indices().nth(LIMIT_TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(members) => members.values_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves out the later half of the heaviest list; `false` when nothing is left to leave out.
fn shorten(data: &mut Value) -> bool {
    let Value::Object(members) = data else { return false };
    // Those of the approval lie one level deeper.
    let (deeper, here): (Vec<_>, Vec<_>) =
        members.values_mut().partition(|member| member.is_object() && member.get("listed").is_none());
    let below = deeper.into_iter().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    let heaviest = here
        .into_iter()
        .chain(below)
        .filter_map(|member| member.get_mut("listed")?.as_array_mut())
        .max_by_key(|list| list.iter().map(|item| item.to_string().len()).sum::<usize>());
    match heaviest {
        Some(list) if !list.is_empty() => {
            list.truncate(list.len() / 2);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Uuid {
        "0197a1b2-0000-7000-8000-000000000001".parse().unwrap()
    }

    fn event(facts: Facts) -> NewEvent {
        NewEvent {
            id: id(run(), Kind::PromotionStarted, ""),
            kind: Kind::PromotionStarted,
            run: Some(run()),
            source: "urn:liftlock:7309/16384".to_string(),
            subject: "production/fibre".to_string(),
            time: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
            facts,
        }
    }

    #[test]
    fn the_body_is_a_canonical_cloud_event() {
        let facts = Facts {
            environment: "production".to_string(),
            actor: "louis".to_string(),
            migrations: vec![MigrationFacts {
                id: "0001_a_safe".to_string(),
                checksum: "sha256:aa".to_string(),
                ..MigrationFacts::default()
            }],
            outcome: Some(Outcome::Failed {
                code: "apply::lock_timeout".to_string(),
                sqlstate: Some("55P03".to_string()),
            }),
            ..Facts::default()
        };
        let text = body(&event(facts), 7, GENESIS);
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"{"data":{"actor":"louis","environment":"production","migrations":{"count":1,"digest":"sha256:2e2997bfa028118ad205b752fe7d6e4b1898aa2f932f4bbecdcbdb92030733ae","listed":[{"checksum":"sha256:aa","id":"0001_a_safe"}]},"outcome":{"code":"apply::lock_timeout","sqlstate":"55P03","state":"failed"},"run":"0197a1b2-0000-7000-8000-000000000001","target":{"database":"","host":""},"tool_version":"VERSION"},"datacontenttype":"application/json","id":"ef7c4354-3505-8fc1-b912-6d2cfd7e67ed","prevhash":"0000000000000000000000000000000000000000000000000000000000000000","sequence":"000000000007","source":"urn:liftlock:7309/16384","specversion":"1.0","subject":"production/fibre","time":"2026-01-02T03:04:05.678901Z","type":"dev.liftlock.promotion.started.v1"}"#);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(canonical(&value), text);
    }

    #[test]
    fn an_id_depends_on_run_kind_and_what_and_on_nothing_else() {
        let same = id(run(), Kind::MigrationApplied, "0001");
        assert_eq!(same, id(run(), Kind::MigrationApplied, "0001"));
        assert_ne!(same, id(run(), Kind::MigrationApplied, "0002"));
        assert_ne!(same, id(run(), Kind::MigrationFailed, "0001"));
        assert_ne!(same, id(Uuid::nil(), Kind::MigrationApplied, "0001"));
        assert_eq!(same.get_version_num(), 8);
    }

    #[test]
    fn a_plan_of_five_thousand_migrations_stays_below_the_limit_and_keeps_count_and_digest() {
        let many = |count: usize| Facts {
            migrations: (0..count)
                .map(|number| MigrationFacts {
                    id: format!("{number:04}_a_long_name_for_a_migration_safe"),
                    checksum: format!("sha256:{number:064x}"),
                    ..MigrationFacts::default()
                })
                .collect(),
            gates: (0..40)
                .map(|number| GateFacts { name: format!("gate-{number}"), passed: true, evidence: "é".repeat(9000) })
                .collect(),
            ..Facts::default()
        };
        let text = body(&event(many(5000)), u64::MAX, GENESIS);
        assert!(text.len() < LIMIT_BYTES, "{} bytes", text.len());
        let value: Value = serde_json::from_str(&text).unwrap();
        let migrations = &value["data"]["migrations"];
        assert_eq!(migrations["count"], 5000);
        assert!(!migrations["listed"].as_array().unwrap().is_empty());
        let other: Value = serde_json::from_str(&body(&event(many(4999)), 1, GENESIS)).unwrap();
        assert_ne!(migrations["digest"], other["data"]["migrations"]["digest"]);
    }

    #[test]
    fn a_password_in_any_text_is_blanked() {
        let facts = Facts {
            gates: vec![GateFacts {
                name: "reachable".to_string(),
                passed: true,
                evidence: "saw postgres://joe:hunter2@db.example.com/app".to_string(),
            }],
            ..Facts::default()
        };
        let text =
            body(&NewEvent { source: "https://joe:hunter2@example.com/r".to_string(), ..event(facts) }, 1, GENESIS);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("db.example.com"), "{text}");
    }

    #[test]
    fn the_hash_covers_the_previous_hash_and_every_byte() {
        // printf '%s' "$(printf '0%.0s' $(seq 64)){}" | sha256sum
        assert_eq!(hash(GENESIS, "{}"), "5508d2b710e64bc470079e1b211d9c58e21011e59d0559e422345dc19d659a75");
        assert_ne!(hash(GENESIS, "{}"), hash(GENESIS, "{ }"));
        assert_ne!(hash(&hash(GENESIS, "{}"), "{}"), hash(GENESIS, "{}"));
    }
}
