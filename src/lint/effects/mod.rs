//! What a statement does to the relations that are there already: which it locks, how strongly, which it reads
//! to the end, which it writes again, and whether it is certain to fail.
//!
//! A pure prediction, from the catalog and the server's major version. It is compared with what PostgreSQL 14 to 18
//! were seen to do in `tests/it/oracle.rs`. The locks are those of `AlterTableGetLockLevel` in `tablecmds.c` and of each
//! command's own code; <https://www.postgresql.org/docs/current/explicit-locking.html> tells what they keep away.

mod added_column;
mod alter;
mod column_users;
mod dependents;
mod domain;
mod draft;
mod failure;
mod lock;
pub mod objects;
mod partition;
mod proof;
mod rows;
pub mod type_change;
mod untold_type;

use std::collections::{BTreeMap, BTreeSet};

pub use added_column::{Filling, filling, is_unfilled};
pub use column_users::uses as column_uses;
pub use dependents::{Dependence, dependences};
pub use domain::users as users_of_domain;
pub use failure::commits_itself;
pub use lock::{LockMode, Waits};
pub use partition::{Scan as PartitionScan, Why as PartitionScanWhy, names_bounds, scanned as scanned_partitions};
pub use proof::{NotNull, made_not_null, not_null};

use crate::sql::{Statement, names::ObjectName};

use super::Context;
use draft::Draft;

/// How likely something is, given what the files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Chance {
    #[default]
    No,
    /// No file says; in most migrations it does not happen.
    Unlikely,
    /// No file says; in most migrations it does happen.
    Likely,
    Sure,
}

impl Chance {
    /// Worth a warning.
    pub fn is_likely(self) -> bool {
        self >= Self::Likely
    }
}

/// What one statement does, itself and nothing inside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// By resolved name; only relations that were there before the release.
    pub relations: BTreeMap<ObjectName, Relation>,
    /// Why it is certain to fail.
    pub fails: Option<Failure>,
}

/// What happens to one table, view, materialized view or sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The strongest lock.
    pub lock: LockMode,
    /// All its rows are read.
    pub scanned: Chance,
    /// All its rows are written again.
    pub rewritten: Chance,
    /// Those of its indexes that are built again, as far as the files know them.
    pub rebuilt: BTreeSet<ObjectName>,
}

/// An error that this statement is certain to end with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Five characters, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub sqlstate: &'static str,
    /// Lower case, no full stop.
    pub reason: String,
}

impl Relation {
    /// It takes as long as the relation is large.
    pub fn is_slow(&self) -> bool {
        self.scanned.is_likely() || self.rewritten.is_likely() || !self.rebuilt.is_empty()
    }
}

impl Effects {
    /// Relations that keep others waiting, and whom.
    pub fn waits(&self) -> impl Iterator<Item = (&ObjectName, Waits)> {
        self.relations.iter().filter_map(|(name, it)| Some((name, it.lock.waits()?)))
    }

    /// Relations of whose size the duration depends.
    pub fn slow(&self) -> impl Iterator<Item = (&ObjectName, &Relation)> {
        self.relations.iter().filter(|(_, it)| it.is_slow())
    }

    /// A rewrite, or a scan under a lock that others wait for, or a failure.
    pub fn is_heavy(&self) -> bool {
        self.fails.is_some() || self.slow().any(|(_, it)| it.rewritten.is_likely() || it.lock.waits().is_some())
    }
}

/// What the statement does when it runs where `context` stands.
pub fn of(context: &Context, statement: &Statement) -> Effects {
    let mut draft = Draft::of(context);
    draft.statement(statement);
    let mut effects = draft.finish();
    effects.fails = failure::of(context, statement);
    effects
}

/// The relations that were there before the release and that this statement keeps others away from.
pub fn held_by(context: &Context, statement: &Statement) -> Vec<(ObjectName, Waits)> {
    of(context, statement).waits().map(|(name, waits)| (name.clone(), waits)).collect()
}
