//! Attaching, creating and detaching partitions.

use crate::{
    catalog::{Bound, Constraint, Index, Place, Proof, Table},
    lint::Context,
    sql::{
        change::{BoundKind, ConstraintKind, PartitionBound},
        names::ObjectName,
    },
};

use super::{Chance, LockMode, draft::Draft};

/// A table whose rows are read when a partition comes, or what spares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub table: ObjectName,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// To see where its rows belong.
    Place,
    /// It is not: this says which rows it holds.
    Spared(String),
    /// To build what the parent has and it has not.
    Index(ObjectName),
    /// To look up what the parent's foreign key of this name points to.
    ForeignKey(String),
}

/// What is read when a partition comes to `parent`: the one that is attached, if it is there already, and the default
/// partition.
pub fn scanned(
    context: &Context,
    parent: &ObjectName,
    attached: Option<&ObjectName>,
    written: &PartitionBound,
) -> Vec<Scan> {
    let bound = Bound::of(written);
    let known = context.catalog.table(parent);
    let rest = known.and_then(|it| it.default_partition.as_ref()).filter(|_| bound != Bound::Default);
    // Rows of a first default partition belong anywhere but to its siblings.
    let alone = bound == Bound::Default && known.is_some_and(|it| it.partitions.is_empty() && !it.partial);
    let is_there = |it: &&ObjectName| !context.is_new(it);
    let mut scans = Vec::new();
    if let Some(table) = attached.filter(is_there) {
        if !alone {
            scans.push(placed(context, table, parent, (&bound, written), Place::Within));
        }
        scans.extend(lacking(context, table, known));
    }
    scans.extend(rest.filter(is_there).map(|it| placed(context, it, parent, (&bound, written), Place::Outside)));
    scans
}

/// Does a check name where the bounds begin? Where no file says how the parent is parted, that is as much as there is.
pub fn names_bounds(check: &Constraint, bound: &PartitionBound) -> bool {
    let first = match &bound.kind {
        BoundKind::In(values) => values.first(),
        BoundKind::Range { from, .. } => from.first(),
        BoundKind::Default | BoundKind::Hash { .. } => None,
    };
    let apart = |it: char| it.is_whitespace() || "()<>=,".contains(it);
    let names = |text: &str| first.is_some_and(|value| text.split(apart).any(|it| it == value.text.trim()));
    matches!(&check.kind, ConstraintKind::Check { expression: Some(check) } if names(&check.text))
}

fn placed(
    context: &Context,
    name: &ObjectName,
    parent: &ObjectName,
    (bound, written): (&Bound, &PartitionBound),
    place: Place,
) -> Scan {
    let known = context.catalog.table(name);
    let proof = known.map_or(Proof::None, |it| context.catalog.proof_of_place(it, parent, bound, place));
    let why = match proof {
        Proof::Check(check) => Why::Spared(format!("check `{}` implies the bounds", check.name)),
        Proof::Columns => Why::Spared("its columns and checks together imply the bounds".to_owned()),
        Proof::Perhaps(_) => {
            let mut checks = known.iter().flat_map(|it| &it.constraints).filter(|it| it.validated && it.enforced);
            checks.find(|it| names_bounds(it, written)).map_or(Why::Place, |check| {
                let name = &check.name;
                Why::Spared(format!("check `{name}` names its bounds, and no file says how the parent is parted"))
            })
        }
        Proof::None => Why::Place,
    };
    Scan { table: name.clone(), why }
}

/// What the parent has that is built for a table which is attached, as far as files tell.
fn lacking(context: &Context, name: &ObjectName, parent: Option<&Table>) -> Vec<Scan> {
    let (Some(parent), Some(table)) = (parent, context.catalog.table(name)) else { return Vec::new() };
    if table.partial {
        return Vec::new();
    }
    let own = context.catalog.indexes_of(name).collect::<Vec<_>>();
    let fits = |of: &Index| own.iter().any(|it| it.fits(of));
    let indexes = context.catalog.indexes_of(&parent.name).filter(|it| !fits(it));
    let indexes = indexes.map(|it| Why::Index(it.name.clone()));
    let of_parent = context.catalog.foreign_keys_of(&parent.name);
    let has = |columns: &[_], references| {
        context.catalog.foreign_keys_of(name).any(|it| it.columns == columns && it.references == references)
    };
    let keys = of_parent.filter(|it| !has(it.columns, it.references));
    let keys = keys.map(|it| Why::ForeignKey(it.constraint.name.clone()));
    indexes.chain(keys).map(|why| Scan { table: name.clone(), why }).collect()
}

pub fn attached(draft: &mut Draft, parent: &ObjectName, partition: &ObjectName, bound: &PartitionBound) {
    draft.lock_family(partition, LockMode::AccessExclusive);
    locked_default(draft, parent);
    read(draft, parent, Some(partition), bound);
}

/// `CREATE TABLE … PARTITION OF`.
pub fn created(draft: &mut Draft, parent: &ObjectName, bound: &PartitionBound) {
    draft.lock(parent, LockMode::AccessExclusive);
    locked_default(draft, parent);
    read(draft, parent, None, bound);
}

fn read(draft: &mut Draft, parent: &ObjectName, attached: Option<&ObjectName>, bound: &PartitionBound) {
    for scan in scanned(draft.context, parent, attached, bound) {
        draft.scan(&scan.table, if matches!(scan.why, Why::Spared(_)) { Chance::No } else { Chance::Sure });
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
