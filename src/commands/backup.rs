//! `liftlock backup`: list, make, verify, delete restore points, and put an environment back to one.

mod restore;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Shell;
use crate::{
    cli::{self, BackupCommand},
    config::{self, Config, Environment},
    error::Error,
    promote::neon,
    report::{BackupView, Report, Section, progress::Event},
    services::{
        bookkeeping,
        branches::{
            self, AnyBranches, Branch, BranchError, BranchState, Branches, Depth, LocalBranches, NeonBranches,
            NewBranch, Scope, Verification, backup_name, neon_backup_name,
        },
        postgres::{self, Access, Address, NeonIdentity, Options, Session},
    },
};

pub async fn backup(shell: &Shell, arguments: &cli::Backup) -> Result<Report, Error> {
    let config = shell.config()?;
    match &arguments.command {
        BackupCommand::List(env) => list(&Job::of(shell, &config, env)?).await,
        BackupCommand::Create(env) => create(&Job::of(shell, &config, env)?).await,
        BackupCommand::Verify { name, env } => verify(&Job::of(shell, &config, env)?, name.as_deref()).await,
        BackupCommand::Delete { name, env, yes } => {
            delete(&Job::of(shell, &config, env)?, name, Consent::of(*yes)).await
        }
        BackupCommand::Restore { name, env, yes } => {
            restore::restore(&Job::of(shell, &config, env)?, name, Consent::of(*yes)).await
        }
    }
}

/// Whether a person still has to say yes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Ask,
}

impl Consent {
    fn of(yes: bool) -> Self {
        if yes { Self::Given } else { Self::Ask }
    }
}

/// What every one of these commands works with.
struct Job<'a> {
    shell: &'a Shell,
    config: &'a Config,
    environment: &'a Environment,
    neon: Option<&'a config::Neon>,
    address: Address,
}

impl<'a> Job<'a> {
    fn of(shell: &'a Shell, config: &'a Config, env: &cli::Env) -> Result<Self, Error> {
        let environment = shell.environment(config, &env.environment)?;
        let neon = config.neon(environment)?;
        Ok(Self { shell, config, environment, neon, address: Address::parse(&environment.database)? })
    }

    fn on_neon(&self) -> Result<Option<NeonBranches<'a>>, BranchError> {
        let open = |settings| {
            let opened = NeonBranches::open(settings, self.address.clone())?;
            Ok(opened.observed(Arc::clone(&self.shell.observe)).until(self.shell.cancel.clone()))
        };
        self.neon.map(open).transpose()
    }

    /// Whatever keeps this environment's restore points, through this session when there is one.
    fn branches<'s>(&self, session: Option<&'s Session>) -> Result<AnyBranches<'s>, BranchError>
    where
        'a: 's,
    {
        if let Some(neon) = self.on_neon()? {
            return Ok(AnyBranches::Neon(Box::new(match session {
                Some(session) => neon.through(session),
                None => neon,
            })));
        }
        let local = LocalBranches::new(self.address.clone()).observed(Arc::clone(&self.shell.observe));
        Ok(AnyBranches::Local(Box::new(match session {
            Some(session) => local.through(session),
            None => local,
        })))
    }

    /// A session with the environment's database, proven to be with the branch that `neon:` names.
    async fn open(&self, access: Access) -> Result<Session, Error> {
        let identity = match self.on_neon()? {
            Some(neon) => Some(neon.identity().await?),
            None => None,
        };
        self.open_on(access, identity).await
    }

    async fn open_on(&self, access: Access, neon: Option<NeonIdentity>) -> Result<Session, Error> {
        let options = Options { application_name: "liftlock backup".to_owned(), access, neon, ..Options::default() };
        match postgres::connect(&self.address, &options).await {
            Ok(session) => Ok(session),
            Err(error) => Err(neon::with_direct_host(error, self.environment).await.into()),
        }
    }

    /// All restore points. Neon's are listed also when the database itself cannot be reached.
    async fn list(&self) -> Result<Vec<Branch>, Error> {
        if self.neon.is_some() {
            return Ok(self.branches(None)?.list().await?);
        }
        let session = self.open(Access::ReadOnly).await?;
        let found = self.branches(Some(&session))?.list().await;
        session.close().await;
        Ok(found?)
    }
}

async fn list(job: &Job<'_>) -> Result<Report, Error> {
    let found = job.list().await?;
    let name = &job.environment.name;
    let report = Report::pass("backup list").with(Section::Backups(found.iter().map(|it| view(it, None)).collect()));
    Ok(match found.first() {
        None => report.then(format!("liftlock backup create --env {name}"), "make one now"),
        Some(newest) => report
            .then(format!("liftlock backup verify --env {name}"), "compare the newest with what was recorded")
            .then(format!("liftlock backup restore {} --env {name}", newest.name), "put the environment back to it"),
    })
}

/// What is asked for, after a look at whether it can be had.
async fn wanted(job: &Job<'_>, now: Timestamp) -> Result<NewBranch, Error> {
    if let Some(sight) = neon::look(job.environment, &job.address, now).await
        && let Err(obstacle) = sight.restore_point
    {
        return Err(BranchError::Obstacle { evidence: obstacle.evidence, fix: obstacle.fix }.into());
    }
    let nonce = Uuid::new_v4().simple().to_string();
    let keep = SignedDuration::try_from(job.environment.backup_keep).unwrap_or(SignedDuration::MAX);
    let name = match job.neon {
        Some(_) => neon_backup_name(None, None, now, &nonce),
        None => backup_name(&job.address.database, now, &nonce),
    };
    let expires_at = now.checked_add(keep).ok();
    Ok(NewBranch { name, nonce, expires_at, run: None, commit: None, scope: Scope::AFFORDABLE })
}

async fn create(job: &Job<'_>) -> Result<Report, Error> {
    let shell = job.shell;
    let now = shell.now();
    let new = wanted(job, now).await?;
    let mut session = job.open(Access::ReadWrite).await?;
    if job.neon.is_some() {
        // What is counted once the branch is there is written down here.
        bookkeeping::ensure(&mut session).await?;
    }
    let branches = job.branches(Some(&session))?;
    shell.observe.event(Event::StepStarted { step: "restore point".to_owned() });
    let making = async {
        let branch = branches.create(&new).await?;
        let verification = branches.verify(&branch, Depth::Outside).await?;
        Ok::<_, BranchError>((branch, verification))
    };
    let (branch, verification) = tokio::select! {
        made = making => made?,
        () = shell.cancel.cancelled() => {
            // Without it the server would go on copying for nobody.
            session.canceller().cancel().await?;
            drop(branches);
            session.close().await;
            return Err(match job.neon {
                None => Error::Interrupted,
                Some(_) => BranchError::MaybeMade { name: new.name }.into(),
            });
        }
    };
    let millis = u64::try_from(shell.now().duration_since(now).as_millis()).unwrap_or_default();
    shell.observe.event(Event::StepFinished { step: "restore point".to_owned(), detail: branch.name.clone(), millis });
    let pruned = branches::prune(&branches, now).await?;
    drop(branches);
    session.close().await;
    let name = &job.environment.name;
    let report = if verification.is_sound() { Report::pass("backup create") } else { Report::fail("backup create") };
    let report = report.with(Section::Backups(vec![view(&branch, Some(&verification))]));
    let report = match pruned.as_slice() {
        [] => report,
        some => report.with(text("Expired and deleted", &some.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())),
    };
    let report = match job.neon {
        Some(_) => report.then(format!("liftlock backup verify {} --env {name}", branch.name), "look into it, too"),
        None => report,
    };
    Ok(report
        .then(format!("liftlock backup restore {} --env {name}", branch.name), "put the environment back to it")
        .then(format!("liftlock backup list --env {name}"), "see all"))
}

async fn verify(job: &Job<'_>, name: Option<&str>) -> Result<Report, Error> {
    let branch = chosen(job.list().await?, name)?;
    let verification = job.branches(None)?.verify(&branch, Depth::Contents).await?;
    let report = if verification.is_sound() { Report::pass("backup verify") } else { Report::fail("backup verify") };
    let report = report.with(Section::Backups(vec![view(&branch, Some(&verification))]));
    Ok(match verification.is_sound() {
        true => report,
        false => report
            .with(text("Not as recorded", &verification.differences))
            .then(format!("liftlock backup create --env {}", job.environment.name), "make one that can be relied on"),
    })
}

async fn delete(job: &Job<'_>, name: &str, consent: Consent) -> Result<Report, Error> {
    const COMMAND: &str = "backup delete";
    let branch = chosen(job.list().await?, Some(name))?;
    if consent == Consent::Ask {
        job.shell.show(&Report::pass(COMMAND).with(Section::Backups(vec![view(&branch, None)])))?;
        let question = format!("Delete {name}? There is no way back to it then.");
        if !job.shell.confirm(&question).await? {
            return Ok(Report::fail(COMMAND).with(text("Nothing was changed", &["the answer was not yes"])));
        }
    }
    job.branches(None)?.delete(&branch).await?;
    Ok(Report::pass(COMMAND)
        .with(text("Deleted", &[name]))
        .then(format!("liftlock backup list --env {}", job.environment.name), "what is left"))
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

fn view(branch: &Branch, verification: Option<&Verification>) -> BackupView {
    BackupView {
        name: branch.name.clone(),
        created_at: shown_time(branch.created_at),
        expires_at: branch.expires_at.map(|it| it.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        lsn: branch.lsn.clone(),
        size_bytes: branch.size_bytes,
        branch: branch.place.as_ref().map(|it| it.branch.clone()),
        state: match branch.state {
            BranchState::Ready => branch.place.as_ref().map_or_else(|| "ready".to_owned(), |it| it.state.clone()),
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
