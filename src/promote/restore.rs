//! Restore points: make, verify, prune.
//!
//! A restore point counts only when it was read and compared with what the database held when it was made.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use miette::Diagnostic;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    journal::RestorePointFacts,
    neon,
    plan::{NeonSource, Plan, Step},
};
use crate::{
    config::{self, Environment, NeonBranch},
    exit::Exit,
    report::progress::Observe,
    services::{
        branches::{
            self, AnyBranches, Branch, BranchError, BranchState, Branches, Depth, LocalBranches, NeonBranches,
            NewBranch, Scope,
        },
        postgres::{Address, NeonIdentity, Session},
    },
};

/// Opens whatever keeps restore points, for the session that is used now: a local copy is made through it.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn it")]
pub trait Provider {
    fn branches<'s>(&'s self, session: &'s Session) -> impl Branches;

    /// Fails unless this very connection leads where the restore points are made from.
    async fn prove(&self, _session: &Session) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// Branches of a Neon project.
pub struct OnNeon {
    pub settings: config::Neon,
    /// What a connection must say of itself.
    pub identity: NeonIdentity,
    pub address: Address,
    pub observe: Arc<dyn Observe>,
    pub cancel: CancellationToken,
}

/// Whichever the environment has.
pub enum RestorePoints {
    Local(Local),
    Neon(Box<OnNeon>),
}

impl RestorePoints {
    /// By the environment's configuration. Asks Neon which branch is meant.
    pub async fn open(
        environment: &Environment,
        observe: &Arc<dyn Observe>,
        cancel: &CancellationToken,
    ) -> Result<Self, BranchError> {
        let address = Address::parse(&environment.database)?;
        let observe = Arc::clone(observe);
        let settings = match neon::settings(environment) {
            None => return Ok(Self::Local(Local { address, observe })),
            Some(settings) => settings.map_err(|it| BranchError::Obstacle { evidence: it.evidence, fix: it.fix })?,
        };
        let identity = NeonBranches::open(settings, address.clone())?.identity().await?;
        let (settings, cancel) = (settings.clone(), cancel.clone());
        Ok(Self::Neon(Box::new(OnNeon { settings, identity, address, observe, cancel })))
    }

    /// As an unfinished promotion's own plan has them: to give it up while Neon does not answer. `None` when the plan
    /// or the configuration does not say which branch it is, or when the two name different ones.
    pub fn of_plan(
        environment: &Environment,
        plan: &Plan,
        observe: &Arc<dyn Observe>,
        cancel: &CancellationToken,
    ) -> Option<Self> {
        let settings = neon::settings(environment)?.ok()?.clone();
        let source = plan.steps.iter().find_map(|it| {
            let Step::RestorePoint { neon, .. } = it else { return None };
            neon.as_ref()
        })?;
        let same_branch = match &settings.branch {
            NeonBranch::Id(id) => *id == source.branch,
            NeonBranch::Default => true,
        };
        let identity = NeonIdentity { project: source.project.clone(), branch: source.branch.clone() };
        let address = Address::parse(&environment.database).ok()?;
        let (observe, cancel) = (Arc::clone(observe), cancel.clone());
        (same_branch && settings.project == source.project)
            .then(|| Self::Neon(Box::new(OnNeon { settings, identity, address, observe, cancel })))
    }

    /// What every connection must say of itself.
    pub fn identity(&self) -> Option<&NeonIdentity> {
        match self {
            Self::Local(_) => None,
            Self::Neon(neon) => Some(&neon.identity),
        }
    }
}

impl Provider for RestorePoints {
    fn branches<'s>(&'s self, session: &'s Session) -> impl Branches {
        match self {
            Self::Local(local) => AnyBranches::Local(Box::new(local.open(session))),
            Self::Neon(neon) => {
                let opened = NeonBranches::open(&neon.settings, neon.address.clone());
                let opened = opened.expect("it was opened with the same settings before");
                let opened = opened.through(session).observed(Arc::clone(&neon.observe)).until(neon.cancel.clone());
                AnyBranches::Neon(Box::new(opened))
            }
        }
    }

    async fn prove(&self, session: &Session) -> Result<(), RestoreError> {
        match self.identity() {
            None => Ok(()),
            Some(identity) => Ok(session.prove_neon(identity).await.map_err(BranchError::from)?),
        }
    }
}

/// Copies beside the database, on the same server.
pub struct Local {
    pub address: Address,
    pub observe: Arc<dyn Observe>,
}

impl Provider for Local {
    fn branches<'s>(&'s self, session: &'s Session) -> impl Branches {
        self.open(session)
    }
}

impl Local {
    fn open<'s>(&self, session: &'s Session) -> LocalBranches<'s> {
        LocalBranches::new(self.address.clone()).through(session).observed(Arc::clone(&self.observe))
    }
}

/// Why there is no restore point to rely on.
#[derive(Debug, Error, Diagnostic)]
pub enum RestoreError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Branch(#[from] BranchError),
    #[error("restore point `{name}` is not what the database holds: {differences}")]
    #[diagnostic(
        code(restore::unsound),
        help("something wrote while it was made; keep the application away and run the same command again")
    )]
    Unsound { name: String, differences: String },
    #[error("restore point `{name}` is gone")]
    #[diagnostic(
        code(restore::gone),
        help(
            "somebody removed it after it was made, or it has expired; nothing more is applied without one. Give this \
             promotion up with `liftlock promote --to ENV --abandon`: the next one makes a new restore point and goes on \
             with what is pending"
        )
    )]
    Gone { name: String },
}

impl RestoreError {
    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Branch(error) => match error.exit() {
                // Nothing was applied yet, whatever became of the restore point.
                Exit::Usage | Exit::Half => Exit::Service,
                other => other,
            },
            Self::Unsound { .. } | Self::Gone { .. } => Exit::Service,
        }
    }
}

/// The name of a promotion's restore point, and the nonce that proves it.
pub fn name(database: &str, now: Timestamp, nonce: &str) -> String {
    branches::backup_name(database, now, nonce)
}

/// What the plan says of its restore point.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub name: &'a str,
    pub nonce: &'a str,
    /// When it may be deleted; `None`: never.
    pub expires_at: Option<Timestamp>,
    pub neon: Option<&'a NeonSource>,
}

/// When a restore point that is made now expires.
pub fn expiry(now: Timestamp, keep_seconds: u64) -> Option<Timestamp> {
    let keep = SignedDuration::from_secs(i64::try_from(keep_seconds).ok()?);
    now.checked_add(keep).ok()
}

/// Makes it, or finds the one that this promotion has made, and verifies it. One that turns out not to agree is
/// taken away again, so that the next attempt makes a new one.
pub async fn make(
    branches: &impl Branches,
    plan: &Plan,
    wanted: Wanted<'_>,
) -> Result<RestorePointFacts, RestoreError> {
    let new = NewBranch {
        name: wanted.name.to_owned(),
        nonce: wanted.nonce.to_owned(),
        expires_at: wanted.expires_at,
        run: Some(plan.run),
        commit: wanted.neon.and_then(|it| it.commit.clone()),
        scope: wanted.neon.map_or(Scope::All, |it| Scope::Tables(it.tables.clone())),
    };
    let branch = branches.create(&new).await?;
    let verification = branches.verify(&branch, Depth::Outside).await?;
    if !verification.is_sound() {
        branches.delete(&branch).await?;
        return Err(RestoreError::Unsound { name: branch.name, differences: verification.shown() });
    }
    Ok(RestorePointFacts {
        name: branch.name,
        lsn: branch.lsn,
        expires_at: branch.expires_at.map(|it| it.to_string()),
        verified: verification.shown(),
        project: branch.place.as_ref().map(|it| it.project.clone()),
        branch: branch.place.as_ref().map(|it| it.branch.clone()),
        state: branch.place.map(|it| it.state),
    })
}

/// Fails unless the restore point is still there, whole.
pub async fn still_there(branches: &impl Branches, name: &str, nonce: &str) -> Result<Branch, RestoreError> {
    let ours = |it: &Branch| it.name == name && it.nonce == nonce && it.state == BranchState::Ready;
    let found = branches.list().await?.into_iter().find(ours);
    found.ok_or_else(|| RestoreError::Gone { name: name.to_owned() })
}

/// The same, for something that is yet to be applied: a restore point that has expired may vanish at any moment.
pub async fn still_good(branches: &impl Branches, name: &str, nonce: &str, now: Timestamp) -> Result<(), RestoreError> {
    let found = still_there(branches, name, nonce).await?;
    if found.expires_at.is_none_or(|it| it > now) { Ok(()) } else { Err(RestoreError::Gone { name: name.to_owned() }) }
}

/// Deletes what has expired, and says in words what came of it: this never fails a promotion.
pub async fn prune(branches: &impl Branches, now: Timestamp) -> Vec<String> {
    match branches::prune(branches, now).await {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("expired restore points could not be deleted: {error}")],
    }
}
