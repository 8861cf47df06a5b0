//! Which audit events a promotion writes, and what they say. Pure: the time comes from outside.

use jiff::Timestamp;

use super::{
    Asker,
    event::{
        ApprovalFacts, Facts, GateFacts, Kind, MigrationFacts, NewEvent, Outcome, RestorePointFacts, TableFacts,
        Target, WaiverFacts, id,
    },
    journal::{self, Cause},
    plan::{Plan, PlannedMigration},
};

/// A promotion has begun: what is about to be done, by whom, on which evidence.
pub fn started(plan: &Plan, now: Timestamp) -> NewEvent {
    let gates = plan.gates.iter().map(|it| GateFacts {
        name: it.name.clone(),
        passed: it.passed,
        evidence: it.evidence.clone(),
    });
    let waivers = plan.waivers.iter().map(|it| WaiverFacts {
        rule: it.rule.clone(),
        place: it.place.clone(),
        reason: it.reason.clone(),
    });
    let facts = Facts {
        migrations: plan.migrations.iter().map(migration).collect(),
        gates: gates.collect(),
        waivers: waivers.collect(),
        approval: plan.approval.as_deref().map(ApprovalFacts::of),
        ..facts(plan)
    };
    event(plan, Kind::PromotionStarted, "", now, facts)
}

/// It is an emergency: which incident, why, and everything that was waived for it. `None` when it is none.
pub fn emergency(plan: &Plan, now: Timestamp) -> Option<NewEvent> {
    plan.emergency.as_ref()?;
    let started = started(plan, now);
    Some(event(plan, Kind::PromotionEmergency, "", now, started.facts))
}

/// Somebody goes on with it, for the `attempt`th time.
pub fn resumed(plan: &Plan, attempt: usize, asker: &Asker<'_>, now: Timestamp) -> NewEvent {
    let approval = asker.approval.map(ApprovalFacts::of);
    let facts = Facts { actor: asker.actor.to_owned(), approval, ..facts(plan) };
    event(plan, Kind::PromotionResumed, &attempt.to_string(), now, facts)
}

/// Everything that was planned is applied.
pub fn finished(plan: &Plan, restore_point: Option<&journal::RestorePointFacts>, now: Timestamp) -> NewEvent {
    let facts = Facts {
        migrations: plan.migrations.iter().map(migration).collect(),
        restore_point: restore_point.map(restore_point_facts),
        outcome: Some(Outcome::Success),
        ..facts(plan)
    };
    event(plan, Kind::PromotionFinished, "", now, facts)
}

/// A step has failed; `what` tells this failure from others of the run.
pub fn failed(plan: &Plan, what: &str, cause: &Cause, now: Timestamp) -> NewEvent {
    let outcome = Outcome::Failed { code: cause.code.clone(), sqlstate: cause.sqlstate.clone() };
    event(plan, Kind::PromotionFailed, what, now, Facts { outcome: Some(outcome), ..facts(plan) })
}

/// It was given up.
pub fn abandoned(plan: &Plan, actor: &str, now: Timestamp) -> NewEvent {
    let facts = Facts { actor: actor.to_owned(), outcome: Some(Outcome::Abandoned), ..facts(plan) };
    event(plan, Kind::PromotionAbandoned, "", now, facts)
}

pub fn restore_point_created(plan: &Plan, point: &journal::RestorePointFacts, now: Timestamp) -> NewEvent {
    let facts = Facts { restore_point: Some(restore_point_facts(point)), ..facts(plan) };
    event(plan, Kind::RestorePointCreated, &point.name, now, facts)
}

/// Before a migration that runs statement by statement.
pub fn migration_started(plan: &Plan, of: &PlannedMigration, now: Timestamp) -> NewEvent {
    event(plan, Kind::MigrationStarted, &of.id, now, Facts { migrations: vec![migration(of)], ..facts(plan) })
}

/// Written in the migration's own transaction, or in the one that marks its last statement.
pub fn migration_applied(plan: &Plan, of: &PlannedMigration, millis: u64, now: Timestamp) -> NewEvent {
    let one = MigrationFacts { duration_ms: Some(millis), ..migration(of) };
    let facts =
        Facts { migrations: vec![one], duration_ms: Some(millis), outcome: Some(Outcome::Success), ..facts(plan) };
    event(plan, Kind::MigrationApplied, &of.id, now, facts)
}

/// Tables were carried to the mirror and compared.
pub fn synced(plan: &Plan, what: &str, tables: Vec<TableFacts>, now: Timestamp) -> NewEvent {
    event(plan, Kind::SyncFinished, what, now, Facts { tables, ..facts(plan) })
}

fn facts(plan: &Plan) -> Facts {
    Facts {
        environment: plan.environment.clone(),
        target: Target {
            database: plan.target.database.clone(),
            host: plan.target.host.clone(),
            system_identifier: plan.target.system_identifier.clone(),
            database_oid: Some(plan.target.database_oid),
        },
        actor: plan.actor.clone(),
        promotion_type: Some(plan.promotion_type.clone()),
        plan_digest: Some(plan.digest.clone()),
        emergency: plan.emergency.clone(),
        ..Facts::default()
    }
}

fn event(plan: &Plan, kind: Kind, what: &str, now: Timestamp, facts: Facts) -> NewEvent {
    let system = plan.target.system_identifier.as_deref().unwrap_or("unknown");
    NewEvent {
        id: id(plan.run, kind, what),
        kind,
        run: Some(plan.run),
        source: format!("urn:liftlock:{system}/{}", plan.target.database_oid),
        subject: format!("{}/{}", plan.environment, plan.target.database),
        time: now,
        facts,
    }
}

fn migration(of: &PlannedMigration) -> MigrationFacts {
    MigrationFacts {
        id: of.id.clone(),
        checksum: format!("sha256:{}", of.checksum),
        statements: Some(of.statements as u64),
        duration_ms: None,
    }
}

fn restore_point_facts(point: &journal::RestorePointFacts) -> RestorePointFacts {
    RestorePointFacts {
        name: point.name.clone(),
        lsn: point.lsn.clone(),
        expires_at: point.expires_at.as_deref().and_then(|it| it.parse().ok()),
        verified: Some(point.verified.clone()),
        project: point.project.clone(),
        branch: point.branch.clone(),
        state: point.state.clone(),
    }
}
