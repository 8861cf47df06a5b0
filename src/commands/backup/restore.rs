//! `liftlock backup restore`: what is lost is shown, what is there now is kept, and a person says yes.

use super::{Consent, Job, chosen, shown_time, text, view};
use crate::{
    commands::plan::actor,
    error::Error,
    promote::{
        event::{Facts, Kind, NewEvent, Outcome, RestorePointFacts, Target, id},
        outbox,
    },
    report::{Report, Section, progress::Event},
    services::{
        bookkeeping,
        branches::{self, Branch, BranchError, Branches, Depth, Restored, Verification, preserve_name},
        postgres::{Access, PostgresError, RUNNER_LOCK, Session},
    },
};

const COMMAND: &str = "backup restore";

pub async fn restore(job: &Job<'_>, name: &str, consent: Consent) -> Result<Report, Error> {
    let (shell, environment) = (job.shell, job.environment);
    let branch = chosen(job.list().await?, Some(name))?;
    let branches = job.branches(None)?;
    let verification = branches.verify(&branch, Depth::Outside).await?;
    if !verification.is_sound() {
        return Ok(Report::fail(COMMAND)
            .with(Section::Backups(vec![view(&branch, Some(&verification))]))
            .with(text("Nothing was changed: the restore point is not what was recorded", &verification.differences))
            .then(format!("liftlock backup list --env {}", environment.name), "choose another"));
    }
    let outlook = outlook(job, &branch).await?;
    let preserve = &outlook.preserve;
    if consent == Consent::Ask {
        let mut asked = Report::pass(COMMAND).with(Section::Backups(vec![view(&branch, Some(&verification))]));
        asked = asked.with(text(&format!("What {} loses", environment.name), &outlook.lost));
        shell.show(&asked.with(text("What happens", &outlook.happens)))?;
        if !shell.confirm(&format!("Put {} back to {name}?", environment.name)).await? {
            return Ok(Report::fail(COMMAND).with(text("Nothing was changed", &["the answer was not yes"])));
        }
    }
    shell.observe.event(Event::StepStarted { step: format!("restore {name}") });
    let began = shell.now();
    let restored = tokio::select! {
        restored = branches.restore(&branch, preserve) => restored?,
        // On Neon it ends by itself: there is a compute to be tidied away.
        () = shell.cancel.cancelled(), if job.neon.is_none() => {
            return Err(BranchError::Interrupted { database: job.address.database.clone() }.into());
        }
    };
    let millis = u64::try_from(shell.now().duration_since(began).as_millis()).unwrap_or_default();
    let detail = match (job.neon, restored.disconnected) {
        (Some(_), _) => "all sessions were cut".to_owned(),
        (None, 0) => "nobody was connected".to_owned(),
        (None, 1) => "1 session ended".to_owned(),
        (None, many) => format!("{many} sessions ended"),
    };
    shell.observe.event(Event::StepFinished { step: format!("restore {name}"), detail, millis });
    if let Err(error) = record(job, &branch, &restored, &verification, millis).await {
        if job.neon.is_some() {
            let database = job.address.database.clone();
            return Err(BranchError::NotRecorded { database, source: Box::new(error) }.into());
        }
        shell.observe.event(Event::Notice { message: format!("the restore has no audit event: {error}") });
    }
    let report = restored_report(job, &branch, &restored);
    // Without a webhook there is nowhere to deliver to.
    let report = match &job.config.audit {
        Some(_) => {
            report.then(format!("liftlock audit flush --env {}", environment.name), "deliver the event of this restore")
        }
        None => report,
    };
    Ok(match is_mirrored(job) {
        true => report.then("liftlock sync", "bring the mirror to the same state"),
        false => report,
    })
}

fn is_mirrored(job: &Job<'_>) -> bool {
    job.config.sync_from.as_deref() == Some(job.environment.name.as_str())
}

/// What a person must know before saying yes.
struct Outlook {
    preserve: String,
    lost: Vec<String>,
    happens: Vec<String>,
}

async fn outlook(job: &Job<'_>, branch: &Branch) -> Result<Outlook, Error> {
    let opened = job.open(Access::ReadOnly).await;
    let session = match (opened, job.neon) {
        (Ok(session), _) => Some(session),
        // What was lost may be just this; what Neon keeps does not depend on it.
        (Err(Error::Postgres(PostgresError::OtherBranch { address, expected, found })), _) => {
            return Err(PostgresError::OtherBranch { address, expected, found }.into());
        }
        (Err(error), Some(_)) => {
            let message =
                format!("{} cannot be looked at, so what it loses is not known: {error}", job.environment.name);
            job.shell.observe.event(Event::Notice { message });
            None
        }
        (Err(error), None) => return Err(error),
    };
    let mut lost = match &session {
        Some(session) => what_is_lost(job, session, branch).await?,
        None => vec!["nobody knows: the database cannot be looked at".to_owned()],
    };
    let outlook = match job.on_neon()? {
        None => {
            let preserve = preserve_name(&job.address.database, job.shell.now(), &branch.nonce);
            let kept = format!("what it holds now is kept as database `{preserve}`; all its sessions are ended");
            Outlook { preserve, lost, happens: vec![kept] }
        }
        Some(neon) => {
            let (preserve, began) = neon.preserve_name(branch, session.as_ref()).await?;
            let mut happens = if began {
                lost = vec!["nothing more: it was put back already, by a command that was stopped".to_owned()];
                vec![format!("that restore is carried to its end; what was there before it is branch `{preserve}`")]
            } else {
                let mut happens = vec![
                    format!("what it holds now is kept as Neon branch `{preserve}`"),
                    "every database on the branch is put back, and all connections are cut for seconds".to_owned(),
                ];
                happens.push(neon.way_back(branch).await?.shown());
                happens.extend(neon.may_restore(branch).await?);
                happens
            };
            if is_mirrored(job) {
                happens.push("the mirror is not put back: run `liftlock sync` afterwards".to_owned());
            }
            Outlook { preserve, lost, happens }
        }
    };
    if let Some(session) = session {
        session.close().await;
    }
    Ok(outlook)
}

fn restored_report(job: &Job<'_>, branch: &Branch, done: &Restored) -> Report {
    let environment = job.environment;
    let mut lines = vec![format!("`{}` is what it was at {}", environment.name, shown_time(branch.created_at))];
    if let Some(preserved) = &done.preserved {
        lines.push(match job.neon {
            Some(_) => format!("what it held before is Neon branch `{preserved}`; delete it when nobody needs it"),
            None => format!("what it held before is database `{preserved}`; drop it when nobody needs it"),
        });
    }
    match done.events_kept {
        0 => {}
        1 => lines.push("one audit event newer than the restore point was taken along".to_owned()),
        many => lines.push(format!("{many} audit events newer than the restore point were taken along")),
    }
    if let [run, ..] = done.abandoned.as_slice() {
        lines.push(format!("promotion {run} was under way at the restore point and is closed as abandoned"));
    }
    lines.extend(done.notes.iter().cloned());
    let name = &environment.name;
    Report::pass(COMMAND)
        .with(text("Restored", &lines))
        .then(format!("liftlock status --to {name}"), "which migrations are pending again")
}

/// What has changed since the restore point, table by table, and how far the log has moved.
async fn what_is_lost(job: &Job<'_>, session: &Session, branch: &Branch) -> Result<Vec<String>, PostgresError> {
    let scope = match job.neon {
        Some(_) => branch.recorded.scope(),
        None => branches::Scope::All,
    };
    let now = branches::record_of(session, &scope).await?;
    let mut lines = Vec::new();
    if now.fingerprint != branch.recorded.fingerprint {
        lines.push("definitions of tables or other objects have changed since".to_owned());
    }
    for (table, rows) in &now.rows {
        match branch.recorded.rows.get(table) {
            None => lines.push(format!("`{table}` with {rows} rows did not exist then")),
            Some(then) if then != rows => lines.push(format!("`{table}`: {rows} rows now, {then} then")),
            Some(_) => {}
        }
    }
    if lines.is_empty() {
        lines.push("rows per table and all definitions are as they were then; rows may have been changed".to_owned());
    }
    if let Some(lsn) = &branch.lsn {
        let sql = "select pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), $1::text::pg_lsn))";
        let row = session.query_one(sql, &[lsn]).await?;
        let written: String = row.get(0);
        let whose = if job.neon.is_some() { "the branch" } else { "the whole server" };
        lines.push(format!("{whose} has written {written} of log since {}", shown_time(branch.created_at)));
    }
    let at_work = session.lock_holders(RUNNER_LOCK).await?;
    lines.extend(at_work.iter().map(|it| format!("a promotion is under way, and would be cut off: {it}")));
    let others = session.others_in(&session.address().database).await?;
    lines.extend(others.iter().map(|it| format!("connected now: {it}")));
    Ok(lines)
}

/// The restore as an audit event, in the database as it is now.
async fn record(
    job: &Job<'_>,
    branch: &Branch,
    restored: &Restored,
    verification: &Verification,
    millis: u64,
) -> Result<(), Error> {
    let (shell, environment) = (job.shell, job.environment);
    let mut session = job.open(Access::ReadWrite).await?;
    bookkeeping::ensure(&mut session).await?;
    let identity = session.identity().await?;
    let target = Target {
        database: identity.database.clone(),
        host: identity.host.clone(),
        system_identifier: identity.system_identifier.clone(),
        database_oid: Some(identity.database_oid),
    };
    let system = identity.system_identifier.as_deref().unwrap_or("unknown");
    let facts = Facts {
        environment: environment.name.clone(),
        target,
        actor: actor(shell),
        restore_point: Some(RestorePointFacts {
            name: branch.name.clone(),
            lsn: branch.lsn.clone(),
            expires_at: branch.expires_at,
            verified: Some(verification.shown()),
            project: branch.place.as_ref().map(|it| it.project.clone()),
            branch: branch.place.as_ref().map(|it| it.branch.clone()),
            state: branch.place.as_ref().map(|it| it.state.clone()),
        }),
        duration_ms: Some(millis),
        outcome: Some(Outcome::Success),
        ..Facts::default()
    };
    // A local restore gives the database a new oid; on Neon, the name of what was kept is new with every restore.
    let what = match (job.neon, &restored.preserved) {
        (Some(_), Some(preserved)) => preserved.clone(),
        _ => identity.database_oid.to_string(),
    };
    let event = NewEvent {
        id: id(branch.run.unwrap_or_default(), Kind::RestorePointRestored, &what),
        kind: Kind::RestorePointRestored,
        run: branch.run,
        source: format!("urn:liftlock:{system}/{}", identity.database_oid),
        subject: format!("{}/{}", environment.name, identity.database),
        time: shell.now(),
        facts,
    };
    let transaction = session.transaction().await.map_err(PostgresError::from)?;
    outbox::append(&transaction, &event).await?;
    if let (Some(_), Some(preserved)) = (job.neon, &restored.preserved) {
        branches::ended(&transaction, preserved).await?;
    }
    transaction.commit().await.map_err(PostgresError::from)?;
    session.close().await;
    Ok(())
}
