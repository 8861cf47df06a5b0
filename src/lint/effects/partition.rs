//! Attaching, creating and detaching partitions.

use crate::{
    catalog::Table,
    lint::Context,
    sql::{change::ConstraintKind, names::ObjectName},
};

use super::{Chance, LockMode, draft::Draft};

/// A table whose rows are read to see where they belong, or the check that spares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub table: ObjectName,
    /// The validated check that says which rows it holds.
    pub proof: Option<String>,
}

/// What is read when a partition comes to `parent`: the one that is attached, if it is there already, and the default
/// partition.
pub fn scanned(context: &Context, parent: &ObjectName, attached: Option<&ObjectName>, default: bool) -> Vec<Scan> {
    let rest = context.catalog.table(parent).and_then(|it| it.default_partition.as_ref()).filter(|_| !default);
    // Rows of a first default partition belong anywhere but to its siblings.
    let alone = default && context.catalog.table(parent).is_some_and(|it| it.partitions.is_empty() && !it.partial);
    let attached = attached.filter(|_| !alone);
    let there = attached.into_iter().chain(rest).filter(|it| !context.is_new(it));
    there.map(|it| Scan { table: it.clone(), proof: proof(context.catalog.table(it)) }).collect()
}

/// A validated check. Whether it says the right thing only Postgres can tell.
fn proof(table: Option<&Table>) -> Option<String> {
    let check = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Check { .. });
    let proof = table?.constraints.iter().find(|it| it.validated && it.enforced && check(&it.kind))?;
    Some(proof.name.clone())
}

pub fn attached(draft: &mut Draft, parent: &ObjectName, partition: &ObjectName, default: bool) {
    draft.lock_family(partition, LockMode::AccessExclusive);
    locked_default(draft, parent);
    read(draft, parent, Some(partition), default);
}

/// `CREATE TABLE … PARTITION OF`.
pub fn created(draft: &mut Draft, parent: &ObjectName, default: bool) {
    draft.lock(parent, LockMode::AccessExclusive);
    locked_default(draft, parent);
    read(draft, parent, None, default);
}

fn read(draft: &mut Draft, parent: &ObjectName, attached: Option<&ObjectName>, default: bool) {
    for scan in scanned(draft.context, parent, attached, default) {
        draft.scan(&scan.table, if scan.proof.is_some() { Chance::No } else { Chance::Sure });
    }
}

pub fn detached(draft: &mut Draft, parent: &ObjectName, partition: &ObjectName, gently: bool) {
    let lock = if gently { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive };
    draft.lock(parent, lock);
    draft.lock(partition, LockMode::AccessExclusive);
    if !gently {
        locked_default(draft, parent);
    }
}

fn locked_default(draft: &mut Draft, parent: &ObjectName) {
    let rest = draft.table(parent).and_then(|it| it.default_partition.as_ref());
    if let Some(rest) = rest {
        draft.lock(rest, LockMode::AccessExclusive);
    }
}
