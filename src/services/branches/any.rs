//! Whichever provider an environment has.

use super::{Branch, BranchError, Branches, Depth, LocalBranches, NeonBranches, NewBranch, Restored, Verification};

/// One of the two.
pub enum AnyBranches<'a> {
    Local(Box<LocalBranches<'a>>),
    Neon(Box<NeonBranches<'a>>),
}

impl Branches for AnyBranches<'_> {
    async fn create(&self, new: &NewBranch) -> Result<Branch, BranchError> {
        match self {
            Self::Local(it) => it.create(new).await,
            Self::Neon(it) => it.create(new).await,
        }
    }

    async fn list(&self) -> Result<Vec<Branch>, BranchError> {
        match self {
            Self::Local(it) => it.list().await,
            Self::Neon(it) => it.list().await,
        }
    }

    async fn verify(&self, branch: &Branch, depth: Depth) -> Result<Verification, BranchError> {
        match self {
            Self::Local(it) => it.verify(branch, depth).await,
            Self::Neon(it) => it.verify(branch, depth).await,
        }
    }

    async fn delete(&self, branch: &Branch) -> Result<(), BranchError> {
        match self {
            Self::Local(it) => it.delete(branch).await,
            Self::Neon(it) => it.delete(branch).await,
        }
    }

    async fn restore(&self, branch: &Branch, preserve_under_name: &str) -> Result<Restored, BranchError> {
        match self {
            Self::Local(it) => it.restore(branch, preserve_under_name).await,
            Self::Neon(it) => it.restore(branch, preserve_under_name).await,
        }
    }
}
