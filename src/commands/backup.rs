//! `liftlock backup`: list, make, verify restore points, and put an environment back to one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Shell, plan::actor};
use crate::{
    cli::{self, BackupCommand},
    config::{Config, Environment},
    error::Error,
    promote::{
        event::{Facts, Kind, NewEvent, Outcome, RestorePointFacts, Target, id},
        outbox,
    },
    report::{BackupView, Report, Section, progress::Event},
    services::{
        bookkeeping,
        branches::{
            self, Branch, BranchError, BranchState, Branches, Depth, LocalBranches, NewBranch, Restored, Scope,
            Verification, backup_name, preserve_name,
        },
        postgres::{self, Access, Address, Options, PostgresError, Session},
    },
};

pub async fn backup(shell: &Shell, arguments: &cli::Backup) -> Result<Report, Error> {
    let config = shell.config()?;
    let environment = |env: &cli::Env| shell.environment(&config, &env.environment);
    match &arguments.command {
        BackupCommand::List(env) => list(environment(env)?).await,
        BackupCommand::Create(env) => create(shell, environment(env)?).await,
        BackupCommand::Verify { name, env } => verify(environment(env)?, name.as_deref()).await,
        BackupCommand::Restore { name, env, yes } => {
            let consent = if *yes { Consent::Given } else { Consent::Ask };
            restore(shell, &config, env, name, consent).await
        }
    }
}

/// Whether a person still has to say yes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Ask,
}

async fn open(environment: &Environment, access: Access) -> Result<Session, PostgresError> {
    let address = Address::parse(&environment.database)?;
    let options = Options { application_name: "liftlock backup".to_owned(), access, ..Options::default() };
    postgres::connect(&address, &options).await
}

async fn list(environment: &Environment) -> Result<Report, Error> {
    let session = open(environment, Access::ReadOnly).await?;
    let found = LocalBranches::new(session.address().clone()).through(&session).list().await?;
    session.close().await;
    let name = &environment.name;
    let report = Report::pass("backup list").with(Section::Backups(found.iter().map(|it| view(it, None)).collect()));
    Ok(match found.first() {
        None => report.then(format!("liftlock backup create --env {name}"), "make one now"),
        Some(newest) => report
            .then(format!("liftlock backup verify --env {name}"), "compare the newest with what was recorded")
            .then(format!("liftlock backup restore {} --env {name}", newest.name), "put the environment back to it"),
    })
}

async fn create(shell: &Shell, environment: &Environment) -> Result<Report, Error> {
    let session = open(environment, Access::ReadWrite).await?;
    let address = session.address().clone();
    let branches = LocalBranches::new(address.clone()).through(&session).observed(Arc::clone(&shell.observe));
    let now = shell.now();
    let nonce = Uuid::new_v4().simple().to_string();
    let keep = SignedDuration::try_from(environment.backup_keep).unwrap_or(SignedDuration::MAX);
    let new = NewBranch {
        name: backup_name(&address.database, now, &nonce),
        nonce,
        expires_at: now.checked_add(keep).ok(),
        run: None,
        commit: None,
        scope: Scope::AFFORDABLE,
    };
    shell.observe.event(Event::StepStarted { step: "restore point".to_owned() });
    let making = async {
        let branch = branches.create(&new).await?;
        let verification = branches.verify(&branch, Depth::Contents).await?;
        Ok::<_, BranchError>((branch, verification))
    };
    let (branch, verification) = tokio::select! {
        made = making => made?,
        () = shell.cancel.cancelled() => {
            // Without it the server would go on copying for nobody.
            session.canceller().cancel().await?;
            session.close().await;
            return Err(Error::Interrupted);
        }
    };
    let millis = u64::try_from(shell.now().duration_since(now).as_millis()).unwrap_or_default();
    shell.observe.event(Event::StepFinished { step: "restore point".to_owned(), detail: branch.name.clone(), millis });
    let pruned = branches::prune(&branches, now).await?;
    session.close().await;
    let name = &environment.name;
    let report = if verification.is_sound() { Report::pass("backup create") } else { Report::fail("backup create") };
    let report = report.with(Section::Backups(vec![view(&branch, Some(&verification))]));
    let report = match pruned.as_slice() {
        [] => report,
        some => report.with(text("Expired and deleted", &some.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())),
    };
    Ok(report
        .then(format!("liftlock backup restore {} --env {name}", branch.name), "put the environment back to it")
        .then(format!("liftlock backup list --env {name}"), "see all"))
}

async fn verify(environment: &Environment, name: Option<&str>) -> Result<Report, Error> {
    let session = open(environment, Access::ReadOnly).await?;
    let branches = LocalBranches::new(session.address().clone()).through(&session);
    let branch = chosen(branches.list().await?, name)?;
    let verification = branches.verify(&branch, Depth::Contents).await?;
    session.close().await;
    let report = if verification.is_sound() { Report::pass("backup verify") } else { Report::fail("backup verify") };
    let report = report.with(Section::Backups(vec![view(&branch, Some(&verification))]));
    Ok(match verification.is_sound() {
        true => report,
        false => report
            .with(text("Not as recorded", &verification.differences))
            .then(format!("liftlock backup create --env {}", environment.name), "make one that can be relied on"),
    })
}

/// The one that was named, else the newest that is whole.
fn chosen(found: Vec<Branch>, name: Option<&str>) -> Result<Branch, BranchError> {
    let wanted = |it: &Branch| match name {
        Some(name) => it.name == name,
        None => it.state == BranchState::Ready,
    };
    let missing = || name.map_or(BranchError::None, |name| BranchError::NotFound { name: name.to_owned() });
    found.into_iter().find(wanted).ok_or_else(missing)
}

async fn restore(
    shell: &Shell,
    config: &Config,
    env: &cli::Env,
    name: &str,
    consent: Consent,
) -> Result<Report, Error> {
    const COMMAND: &str = "backup restore";
    let environment = shell.environment(config, &env.environment)?;
    let mirrored = config.sync_from.as_deref() == Some(environment.name.as_str());
    let session = open(environment, Access::ReadOnly).await?;
    let address = session.address().clone();
    let branches = LocalBranches::new(address.clone()).observed(Arc::clone(&shell.observe));
    let branch = chosen(LocalBranches::new(address.clone()).through(&session).list().await?, Some(name))?;
    let verification = branches.verify(&branch, Depth::Contents).await?;
    if !verification.is_sound() {
        return Ok(Report::fail(COMMAND)
            .with(Section::Backups(vec![view(&branch, Some(&verification))]))
            .with(text("Nothing was changed: the restore point is not what was recorded", &verification.differences))
            .then(format!("liftlock backup list --env {}", environment.name), "choose another"));
    }
    let preserve = preserve_name(&address.database, shell.now(), &branch.nonce);
    let lost = what_is_lost(&session, &branch).await?;
    session.close().await;
    if consent == Consent::Ask {
        let mut asked = Report::pass(COMMAND).with(Section::Backups(vec![view(&branch, Some(&verification))]));
        asked = asked.with(text(&format!("What {} loses", environment.name), &lost));
        let kept = format!("what it holds now is kept as database `{preserve}`; all its sessions are ended");
        shell.show(&asked.with(text("What happens", &[kept])))?;
        if !shell.confirm(&format!("Put {} back to {name}?", environment.name)).await? {
            return Ok(Report::fail(COMMAND).with(text("Nothing was changed", &["the answer was not yes"])));
        }
    }
    shell.observe.event(Event::StepStarted { step: format!("restore {name}") });
    let began = shell.now();
    let restored = tokio::select! {
        restored = branches.restore(&branch, &preserve) => restored?,
        () = shell.cancel.cancelled() => {
            return Err(BranchError::Interrupted { database: address.database }.into());
        }
    };
    let millis = u64::try_from(shell.now().duration_since(began).as_millis()).unwrap_or_default();
    let detail = match restored.disconnected {
        0 => "nobody was connected".to_owned(),
        1 => "1 session ended".to_owned(),
        many => format!("{many} sessions ended"),
    };
    shell.observe.event(Event::StepFinished { step: format!("restore {name}"), detail, millis });
    if let Err(error) = record(shell, environment, &branch, &verification, millis).await {
        shell.observe.event(Event::Notice { message: format!("the restore has no audit event: {error}") });
    }
    let report = restored_report(COMMAND, environment, &branch, &restored);
    // Without a webhook there is nowhere to deliver to.
    let report = match &config.audit {
        Some(_) => {
            report.then(format!("liftlock audit flush --env {}", environment.name), "deliver the event of this restore")
        }
        None => report,
    };
    Ok(match mirrored {
        true => report.then("liftlock sync", "bring the mirror to the same state"),
        false => report,
    })
}

fn restored_report(command: &'static str, environment: &Environment, branch: &Branch, done: &Restored) -> Report {
    let mut lines = vec![format!("`{}` is what it was at {}", environment.name, shown_time(branch.created_at))];
    if let Some(preserved) = &done.preserved {
        lines.push(format!("what it held before is database `{preserved}`; drop it when nobody needs it"));
    }
    match done.events_kept {
        0 => {}
        1 => lines.push("one audit event newer than the restore point was taken along".to_owned()),
        many => lines.push(format!("{many} audit events newer than the restore point were taken along")),
    }
    if let [run, ..] = done.abandoned.as_slice() {
        lines.push(format!("promotion {run} was under way at the restore point and is closed as abandoned"));
    }
    let name = &environment.name;
    Report::pass(command)
        .with(text("Restored", &lines))
        .then(format!("liftlock status --to {name}"), "which migrations are pending again")
}

/// What has changed since the restore point, table by table, and how far the log has moved.
async fn what_is_lost(session: &Session, branch: &Branch) -> Result<Vec<String>, PostgresError> {
    let now = branches::record(session).await?;
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
        lines.push(format!("the whole server has written {written} of log since {}", shown_time(branch.created_at)));
    }
    let others = session.others_in(&session.address().database).await?;
    lines.extend(others.iter().map(|it| format!("connected now: {it}")));
    Ok(lines)
}

/// The restore as an audit event, in the database as it is now.
async fn record(
    shell: &Shell,
    environment: &Environment,
    branch: &Branch,
    verification: &Verification,
    millis: u64,
) -> Result<(), Error> {
    let mut session = open(environment, Access::ReadWrite).await?;
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
        }),
        duration_ms: Some(millis),
        outcome: Some(Outcome::Success),
        ..Facts::default()
    };
    let event = NewEvent {
        // The oid is new with every restore, so each has an id of its own.
        id: id(branch.run.unwrap_or_default(), Kind::RestorePointRestored, &identity.database_oid.to_string()),
        kind: Kind::RestorePointRestored,
        run: branch.run,
        source: format!("urn:liftlock:{system}/{}", identity.database_oid),
        subject: format!("{}/{}", environment.name, identity.database),
        time: shell.now(),
        facts,
    };
    let transaction = session.transaction().await.map_err(PostgresError::from)?;
    outbox::append(&transaction, &event).await?;
    transaction.commit().await.map_err(PostgresError::from)?;
    session.close().await;
    Ok(())
}

fn view(branch: &Branch, verification: Option<&Verification>) -> BackupView {
    BackupView {
        name: branch.name.clone(),
        created_at: shown_time(branch.created_at),
        expires_at: branch.expires_at.map(|it| it.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        lsn: branch.lsn.clone(),
        size_bytes: branch.size_bytes,
        state: match branch.state {
            BranchState::Ready => "ready".to_owned(),
            BranchState::Incomplete => "incomplete".to_owned(),
        },
        verified: verification.map(Verification::shown),
    }
}

fn shown_time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "unknown".to_owned(), |it| it.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn text(title: &str, lines: &[impl AsRef<str>]) -> Section {
    let body = lines.iter().map(|it| format!("- {}\n", it.as_ref())).collect();
    Section::Text { title: title.to_owned(), body }
}
