//! What is asked + what is there → a [`Plan`] or a [`Refusal`]; the digest.
//!
//! Pure. A plan leaves no choices to execution time: it names the database, the bytes, the steps and their
//! order. A refusal names every gate that failed, not the first. Plans are written to the journal with a
//! version and read leniently: fields that an older writer did not know get their default.

use std::collections::BTreeSet;

mod view;

pub use self::view::view;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    approval::{self, Judgement, Purpose, Seen, record::Record},
    canonical::canonical,
    emergency::Emergency,
    gates::{self, Gate},
    restore,
    survey::{OtherEnvironment, Staged, Survey},
};
use crate::{
    config::{Approvals, Environment, ProfileName, PromotionType},
    migration::{self, Migration, MigrationId, Pending, TransactionMode},
    report::Validation,
    services::{branches, postgres::Identity},
    sql::{Change, change::ObjectKind},
};

/// The version that plans are written with.
pub const VERSION: u32 = 1;

/// What is asked, and everything that was seen before deciding.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The new promotion's id; version 7, so that ids sort by time.
    pub run: Uuid,
    /// The time now.
    pub now: Timestamp,
    pub environment: &'a Environment,
    pub promotion_type: PromotionType,
    /// Who asks: the CI actor, or the operating system's user.
    pub actor: &'a str,
    pub tool_version: &'a str,
    /// Digest of the rule set that `validation` was made with.
    pub rules: &'a str,
    /// All migrations of the folder, in order.
    pub files: &'a [Migration],
    /// The commit that they are of, where CI says so.
    pub commit: Option<&'a str>,
    /// What lint says of the pending ones.
    pub validation: &'a Validation,
    /// What was seen in the target database.
    pub survey: &'a Survey,
    /// What was seen in the environment of `after:`; `None` when there is no such line.
    pub staged: Option<&'a Staged>,
    /// The other configured environments, as far as they could be identified.
    pub others: &'a [OtherEnvironment],
    /// A webhook is configured.
    pub webhook: bool,
    /// Tables that are synced after the promotion, empty for all; `None` when this environment is no source.
    pub sync: Option<&'a [String]>,
    /// The unfinished promotion that goes on; its plan is kept, and the gates are asked again.
    pub resumes: Option<&'a Plan>,
    /// Why checks are waived.
    pub emergency: Option<&'a Emergency>,
    /// Who must have approved; `None`: nobody is asked.
    pub demand: Option<&'a Approvals>,
    /// What the forge was seen to say; `None` when nobody is asked, or for nothing.
    pub approval: Option<&'a Seen>,
    pub purpose: Purpose,
}

impl Request<'_> {
    /// Files against history.
    pub fn pending(&self) -> Pending {
        migration::pending(self.files, &self.survey.applied())
    }

    /// The migrations that this promotion applies, in order.
    pub fn to_apply(&self) -> Vec<&Migration> {
        let pending = self.pending();
        let planned = |file: &&Migration| match self.resumes {
            Some(plan) => plan.migrations.iter().any(|it| it.id == file.id.0),
            None => true,
        };
        self.files.iter().filter(|file| pending.to_apply.contains(&file.id)).filter(planned).collect()
    }

    /// `sha256:…` over what would be applied, wherever: the same for every environment that lacks the same.
    pub fn release(&self) -> String {
        let mut applied: Vec<_> = self.to_apply().into_iter().map(|it| (&it.id.0, &it.checksum.0)).collect();
        applied.sort();
        digest(
            &json!({ "migrations": applied, "promotion_type": self.promotion_type.name(), "emergency": self.emergency }),
        )
    }

    /// The plan code that an approver may name.
    pub fn code(&self) -> Option<String> {
        let seen = self.approval?;
        approval::code::of(&self.release(), seen.job.as_ref())
    }

    /// What the forge's answers add up to; `None` when nobody is asked.
    pub fn judgement(&self) -> Option<Judgement> {
        let (demand, seen) = (self.demand?, self.approval?);
        Some(approval::judge(demand, self.environment.profile, self.code().as_deref(), seen))
    }

    /// A restore point is demanded, or worth having.
    pub fn restore_point(&self) -> Wanted {
        match self.environment.profile {
            ProfileName::Production => Wanted::Demanded,
            ProfileName::Staging => Wanted::IfPossible,
            ProfileName::Dev => Wanted::No,
        }
    }
}

/// Whether a promotion makes a restore point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// No apply without it.
    Demanded,
    IfPossible,
    No,
}

/// What will be done to one database: decided, provable, journalled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    pub run: Uuid,
    pub environment: String,
    pub target: Target,
    /// As [`PromotionType::name`] says it.
    pub promotion_type: String,
    pub actor: String,
    pub tool_version: String,
    #[serde(default)]
    pub rules: String,
    /// In the order in which they are applied.
    pub migrations: Vec<PlannedMigration>,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    #[serde(default)]
    pub gates: Vec<GateAnswer>,
    /// Who approved it, on which grounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Record>>,
    /// Why checks were waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// `sha256:…` of [`Plan::proven`].
    pub digest: String,
}

/// Which database, provably: a URL can be repointed, these cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub host: String,
    pub database: String,
    #[serde(default)]
    pub system_identifier: Option<String>,
    pub database_oid: u32,
    #[serde(default)]
    pub neon_branch: Option<String>,
}

impl Target {
    pub fn of(identity: &Identity) -> Self {
        Self {
            host: identity.host.clone(),
            database: identity.database.clone(),
            system_identifier: identity.system_identifier.clone(),
            database_oid: identity.database_oid,
            neon_branch: identity.neon_branch.clone(),
        }
    }

    /// The same database, perhaps by another way in. A restore gives it another oid, on purpose.
    pub fn is(&self, other: &Self) -> bool {
        let unlike = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        self.database_oid == other.database_oid
            && self.neon_branch == other.neon_branch
            && !unlike(&self.system_identifier, &other.system_identifier)
            && (self.system_identifier.is_some() || self.host == other.host)
    }

    /// Host and database.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.host, self.database)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMigration {
    pub id: String,
    pub checksum: String,
    #[serde(default)]
    pub statements: usize,
    /// In one transaction; else statement by statement.
    #[serde(default)]
    pub transactional: bool,
}

/// A waiver that the promotion relies on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    pub rule: String,
    /// `file:line`.
    pub place: String,
    pub reason: String,
}

/// What a gate said when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateAnswer {
    pub name: String,
    pub passed: bool,
    pub evidence: String,
}

/// One thing to do, safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// Writes the event into the database that is being changed.
    Audit { milestone: Milestone },
    /// Makes and verifies a restore point; the name is looked up first.
    RestorePoint {
        name: String,
        nonce: String,
        keep_seconds: u64,
        /// The branch of Neon's that it is made from; `None`: a copy on the same server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        neon: Option<NeonSource>,
    },
    /// One migration.
    Apply { migration: String },
    /// Sends the events that wait. Never fails the promotion.
    Deliver,
    /// Carries tables to the mirror and compares; no tables named: all that have a primary key.
    Sync {
        #[serde(default)]
        tables: Vec<String>,
    },
    /// Looks at what was done: history, event chain, restore point.
    Verify,
}

/// Where a restore point on Neon is made from, and what is noted on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeonSource {
    pub project: String,
    pub branch: String,
    #[serde(default)]
    pub commit: Option<String>,
    /// Tables that the migrations touch, whose rows are counted: `schema.table`.
    #[serde(default)]
    pub tables: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    Started,
    Finished,
}

/// Names a step within its plan, the same in every run of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub String);

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the step that makes the restore point.
pub const RESTORE_POINT: &str = "restore-point";

impl Step {
    pub fn id(&self) -> StepId {
        StepId(match self {
            Self::Audit { milestone: Milestone::Started } => "audit:started".to_owned(),
            Self::Audit { milestone: Milestone::Finished } => "audit:finished".to_owned(),
            Self::RestorePoint { .. } => RESTORE_POINT.to_owned(),
            Self::Apply { migration } => format!("apply:{migration}"),
            Self::Deliver => "deliver".to_owned(),
            Self::Sync { .. } => "sync".to_owned(),
            Self::Verify => "verify".to_owned(),
        })
    }

    /// One line for people.
    pub fn shown(&self) -> String {
        match self {
            Self::Audit { milestone: Milestone::Started } => "record in the audit chain that it starts".to_owned(),
            Self::Audit { milestone: Milestone::Finished } => "record in the audit chain that it is done".to_owned(),
            Self::RestorePoint { name, keep_seconds, neon: Some(source), .. } => format!(
                "make Neon branch `{name}` of {} without a compute, kept for {}, and read it back",
                source.branch,
                shown_seconds(*keep_seconds)
            ),
            Self::RestorePoint { name, keep_seconds, neon: None, .. } => {
                format!("make and verify restore point `{name}`, kept for {}", shown_seconds(*keep_seconds))
            }
            Self::Apply { migration } => format!("apply {migration}"),
            Self::Deliver => "deliver the audit events".to_owned(),
            Self::Sync { tables } if tables.is_empty() => {
                "sync all tables with a primary key to the mirror and compare".to_owned()
            }
            Self::Sync { tables } => format!("sync {} to the mirror and compare", tables.join(", ")),
            Self::Verify => "verify history, audit chain and restore point".to_owned(),
        }
    }
}

fn shown_seconds(seconds: u64) -> String {
    match seconds {
        it if it % 86_400 == 0 && it > 0 => format!("{} d", it / 86_400),
        it if it % 3_600 == 0 && it > 0 => format!("{} h", it / 3_600),
        it => format!("{it} s"),
    }
}

/// Why there is no plan: what every gate said, those that failed among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub gates: Vec<Gate>,
}

impl Refusal {
    pub fn failed(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| !gate.passed())
    }
}

/// What the gates said, and the plan when all of them passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub gates: Vec<Gate>,
    pub plan: Result<Plan, Refusal>,
}

/// Asks every gate; then the plan, or the refusal.
pub fn plan(request: &Request<'_>) -> Decision {
    let gates = gates::ask(request);
    let plan = match gates.iter().all(Gate::passed) {
        true => Ok(match request.resumes {
            Some(plan) => plan.clone(),
            None => made(request, &gates),
        }),
        false => Err(Refusal { gates: gates.clone() }),
    };
    Decision { gates, plan }
}

fn made(request: &Request<'_>, gates: &[Gate]) -> Plan {
    let migrations: Vec<PlannedMigration> = request.to_apply().into_iter().map(planned).collect();
    let mut plan = Plan {
        version: VERSION,
        run: request.run,
        environment: request.environment.name.clone(),
        target: Target::of(&request.survey.identity),
        promotion_type: request.promotion_type.name().to_owned(),
        actor: request.actor.to_owned(),
        tool_version: request.tool_version.to_owned(),
        rules: request.rules.to_owned(),
        steps: steps(request, &migrations),
        migrations,
        waivers: waivers(request),
        gates: gates.iter().map(Gate::answer).collect(),
        approval: request.judgement().and_then(|it| it.record).map(Box::new),
        emergency: request.emergency.cloned(),
        digest: String::new(),
    };
    plan.digest = plan.proven();
    plan
}

fn planned(migration: &Migration) -> PlannedMigration {
    PlannedMigration {
        id: migration.id.0.clone(),
        checksum: migration.checksum.0.clone(),
        statements: migration.to_run().len(),
        transactional: migration.transaction == TransactionMode::Single,
    }
}

/// The order holds two promises: the audit event is written before the change, and nothing is applied before
/// the restore point is verified.
fn steps(request: &Request<'_>, migrations: &[PlannedMigration]) -> Vec<Step> {
    let sync = request.sync.map(|tables| Step::Sync { tables: tables.to_vec() });
    if migrations.is_empty() {
        return sync.into_iter().collect();
    }
    let mut steps = vec![Step::Audit { milestone: Milestone::Started }];
    let possible = request.survey.restore_point.is_ok();
    if request.restore_point() == Wanted::Demanded || (request.restore_point() == Wanted::IfPossible && possible) {
        // The end of a version 7 id is random; its beginning is the time.
        let nonce: String = request.run.simple().to_string().chars().rev().take(16).collect();
        let neon = neon_source(request);
        let name = match &neon {
            Some(source) => {
                branches::neon_backup_name(Some(request.run), source.commit.as_deref(), request.now, &nonce)
            }
            None => restore::name(&request.survey.identity.database, request.now, &nonce),
        };
        let keep_seconds = request.environment.backup_keep.as_secs();
        steps.push(Step::RestorePoint { name, nonce, keep_seconds, neon });
    }
    steps.extend(migrations.iter().map(|it| Step::Apply { migration: it.id.clone() }));
    steps.push(Step::Verify);
    steps.push(Step::Audit { milestone: Milestone::Finished });
    steps.push(Step::Deliver);
    steps.extend(sync);
    steps
}

fn neon_source(request: &Request<'_>) -> Option<NeonSource> {
    let identity = request.survey.neon.as_ref()?.as_ref().ok()?;
    Some(NeonSource {
        project: identity.project.clone(),
        branch: identity.branch.clone(),
        commit: request.commit.map(str::to_owned),
        tables: touched(&request.to_apply()),
    })
}

/// Tables that something is done to: `schema.table`, each once.
fn touched(migrations: &[&Migration]) -> Vec<String> {
    let statements = migrations.iter().flat_map(|it| &it.statements);
    let names = statements.flat_map(|it| match &it.change {
        Change::AlterTable(alter) => vec![&alter.table],
        Change::CreateIndex(index) => vec![&index.table],
        Change::CreatePolicy { table, .. } => vec![table],
        Change::Delete(dml) | Change::Update(dml) => vec![&dml.table],
        Change::Insert(insert) => vec![&insert.table],
        Change::Truncate(truncate) => truncate.tables.iter().collect(),
        Change::Drop(drop) if drop.kind == ObjectKind::Table => drop.names.iter().collect(),
        _ => Vec::new(),
    });
    let named: BTreeSet<String> = names.map(|it| format!("{}.{}", it.schema(), it.last())).collect();
    named.into_iter().collect()
}

fn waivers(request: &Request<'_>) -> Vec<Waiver> {
    let waived = |finding: &crate::report::Finding| {
        let reason = finding.waived.clone()?;
        Some(Waiver { rule: finding.rule.to_string(), place: format!("{}:{}", finding.file, finding.line), reason })
    };
    request.validation.findings.iter().filter_map(waived).collect()
}

impl Plan {
    /// The digest over what is proven: which bytes, what kind of promotion, onto which database, judged by
    /// which tool and rules. It is the same for everybody who plans the same, in whatever order files came.
    pub fn proven(&self) -> String {
        let mut migrations: Vec<_> = self.migrations.iter().map(|it| (&it.id, &it.checksum)).collect();
        migrations.sort();
        digest(&json!({
            "migrations": migrations,
            "promotion_type": self.promotion_type,
            "target": self.target,
            "tool_version": self.tool_version,
            "rules": self.rules,
        }))
    }

    /// Nothing would be applied.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    pub fn migration_ids(&self) -> impl Iterator<Item = MigrationId> {
        self.migrations.iter().map(|it| MigrationId(it.id.clone()))
    }
}

fn digest(of: &Value) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(canonical(of))))
}

#[cfg(test)]
mod tests;
