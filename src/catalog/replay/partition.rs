//! Partitions.

use super::{
    super::{Bound, Catalog, Constraint, Origin, PartitionKey, Strategy},
    constraint::key,
    heirs,
};
use crate::sql::{
    change::{BoundKind, ConstraintKind, Expression, PartitionBound, PartitionBy},
    names::ObjectName,
};

pub fn key_of(new: &PartitionBy) -> Option<PartitionKey> {
    let strategy = match new.strategy.as_str() {
        "list" => Strategy::List,
        "range" => Strategy::Range,
        "hash" => Strategy::Hash,
        _ => return None,
    };
    Some(PartitionKey { strategy, keys: new.keys.iter().map(|it| bare(&key(it)).to_owned()).collect() })
}

/// An expression without the brackets around it, of which there may be any number.
fn bare(text: &str) -> &str {
    let mut bare = text.trim();
    while let Some(inside) = bare.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        let mut depth = 0_usize;
        let whole = inside.bytes().all(|it| match it {
            b'(' => {
                depth += 1;
                true
            }
            b')' if depth == 0 => false,
            b')' => {
                depth -= 1;
                true
            }
            _ => true,
        });
        if !whole {
            break;
        }
        bare = inside.trim();
    }
    bare
}

impl Bound {
    /// As a statement writes it.
    pub fn of(new: &PartitionBound) -> Self {
        let texts = |all: &[Expression]| all.iter().map(|it| it.text.clone()).collect();
        let number = |it: Option<u32>| it.map(|it| it.to_string()).unwrap_or_default();
        match &new.kind {
            BoundKind::Default => Self::Default,
            BoundKind::In(values) => Self::In(texts(values)),
            BoundKind::Range { from, to } => Self::Range { from: texts(from), to: texts(to) },
            BoundKind::Hash { modulus, remainder } => {
                Self::Hash { modulus: number(*modulus), remainder: number(*remainder) }
            }
        }
    }
}

/// The partition gets what the parent has: foreign keys and indexes, where it has none that fit.
pub fn attach(
    catalog: &mut Catalog,
    parent: &ObjectName,
    partition: &ObjectName,
    bound: &PartitionBound,
    origin: Origin,
) {
    let parent = catalog.resolve(parent);
    if let Some(mut table) = catalog.tables.get_mut(&parent) {
        table.partitions.push(partition.clone());
        table.bounds.get_or_insert_default().insert(&Bound::of(bound), partition);
        if bound.kind == BoundKind::Default {
            table.default_partition = Some(partition.clone());
        }
    }
    if let Some(mut table) = catalog.tables.get_mut(partition) {
        table.partition_of = Some(parent.clone());
        table.bound = Some(Box::new(Bound::of(bound)));
    }
    let Some(of) = catalog.tables.get(&parent).map(|it| it.constraints.clone()) else { return };
    if let Some(mut table) = catalog.tables.get_mut(partition) {
        heirs::constraints(&mut table, &of, heirs::From::Parent, origin);
    }
    heirs::indexes(catalog, &parent, partition, origin);
}

/// Postgres leaves a check of the bounds on a table that is detached concurrently, unless one proves them already.
pub fn leave_check(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName, origin: Origin) {
    let key = catalog.tables.get(parent).and_then(|it| it.partition_key.clone());
    let Some(PartitionKey { strategy: Strategy::List | Strategy::Range, keys }) = key.as_deref() else { return };
    let ([column], Some(mut table)) = (keys.as_slice(), catalog.tables.get_mut(partition)) else { return };
    let name = format!("{}_{column}_check", table.name.last());
    if table.constraints.iter().any(|it| matches!(it.kind, ConstraintKind::Check { .. })) {
        return;
    }
    table.constraints.push(Constraint {
        name,
        kind: ConstraintKind::Check { expression: None },
        columns: vec![column.clone()],
        validated: true,
        enforced: true,
        deferrable: false,
        no_inherit: false,
        origin,
        validated_by: Some(origin.migration),
    });
}

pub fn detach(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName) {
    let own = catalog.indexes_on(parent).into_iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    catalog.indexes.change_linked_to(partition, |index| {
        index.parent.take_if(|it| index.table == *partition && own.contains(it));
    });
    let bound = catalog.tables.get(partition).and_then(|it| it.bound.clone());
    detach_bound(catalog, parent, partition, bound.as_deref());
    if let Some(mut table) = catalog.tables.get_mut(partition) {
        table.partition_of = None;
        table.bound = None;
    }
}

/// The parent without a partition, which may be gone itself.
pub fn detach_bound(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName, bound: Option<&Bound>) {
    if let Some(mut table) = catalog.tables.get_mut(parent) {
        bound.iter().for_each(|it| table.bounds.get_or_insert_default().remove(it, partition));
        table.partitions.retain(|it| it != partition);
        table.default_partition.take_if(|it| it == partition);
    }
}
