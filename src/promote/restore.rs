//! Restore points: make, verify, prune.
//!
//! A restore point counts only when it was read and compared with what the database held when it was made.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use miette::Diagnostic;
use thiserror::Error;

use super::{journal::RestorePointFacts, plan::Plan};
use crate::{
    exit::Exit,
    report::progress::Observe,
    services::{
        branches::{self, Branch, BranchError, BranchState, Branches, Depth, LocalBranches, NewBranch, Scope},
        postgres::{Address, Session},
    },
};

/// Opens whatever keeps restore points, for the session that is used now: a local copy is made through it.
pub trait Provider {
    fn branches<'s>(&'s self, session: &'s Session) -> impl Branches;
}

/// Copies beside the database, on the same server.
pub struct Local {
    pub address: Address,
    pub observe: Arc<dyn Observe>,
}

impl Provider for Local {
    fn branches<'s>(&'s self, session: &'s Session) -> impl Branches {
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
        help("somebody removed it after it was made, or it has expired; nothing more is applied without one")
    )]
    Gone { name: String },
}

impl RestoreError {
    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Branch(error) => match error.exit() {
                Exit::Usage => Exit::Service,
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
        commit: None,
        scope: Scope::All,
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
    })
}

/// Fails unless the restore point is still there, whole.
pub async fn still_there(branches: &impl Branches, name: &str, nonce: &str) -> Result<(), RestoreError> {
    let ours = |it: &Branch| it.name == name && it.nonce == nonce && it.state == BranchState::Ready;
    if branches.list().await?.iter().any(ours) { Ok(()) } else { Err(RestoreError::Gone { name: name.to_owned() }) }
}

/// Deletes what has expired, and says in words what came of it: this never fails a promotion.
pub async fn prune(branches: &impl Branches, now: Timestamp) -> Vec<String> {
    match branches::prune(branches, now).await {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("expired restore points could not be deleted: {error}")],
    }
}
