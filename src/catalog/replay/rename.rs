//! Relations that get another name or schema, and all that points to them.

use super::super::{Catalog, Column, Grant, Index, Policy, Sequence, Trigger, in_schema};
use crate::sql::{
    change::{ConstraintKind, ObjectKind, Parts},
    names::ObjectName,
};

pub fn rename_relation(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let view = catalog.views.remove(old);
    catalog.views.extend(view.map(|it| (new.clone(), it)));
    for grant in catalog.grants.take_on(old) {
        let name = if grant.kind == ObjectKind::Table { new } else { old };
        catalog.grants.push(Grant { name: name.clone(), ..grant });
    }
    let renamed = |name: &mut ObjectName| {
        if name == old {
            name.clone_from(new);
        }
    };
    catalog.views.change_linked_to(old, |it| it.reads.iter_mut().for_each(renamed));
    catalog.indexes.change_linked_to(old, |it| renamed(&mut it.table));
    let Some(mut table) = catalog.tables.remove(old) else { return };
    table.name = new.clone();
    catalog.tables.insert(new.clone(), table);
    move_schema(catalog, old, new);
    catalog.sequences.change_linked_to(old, |it| it.owned_by.iter_mut().for_each(|(table, _)| renamed(table)));
    for trigger in catalog.triggers.take_on(old) {
        catalog.triggers.push(Trigger { table: new.clone(), ..trigger });
    }
    for policy in catalog.policies.take_on(old) {
        catalog.policies.push(Policy { table: new.clone(), ..policy });
    }
    if let Some((parent, bound)) =
        catalog.tables.get(new).and_then(|it| Some((it.partition_of.clone()?, it.bound.clone())))
        && let Some(mut parent) = catalog.tables.get_mut(&parent)
    {
        let parent = &mut *parent;
        parent.partitions.iter_mut().chain(&mut parent.default_partition).for_each(renamed);
        if let Some(bound) = bound {
            let bounds = parent.bounds.get_or_insert_default();
            bounds.remove(&bound, old);
            bounds.insert(&bound, new);
        }
    }
    catalog.tables.change_linked_to(old, |table| {
        table.inherits.iter_mut().chain(&mut table.partition_of).for_each(renamed);
        for constraint in &mut table.constraints {
            if let ConstraintKind::ForeignKey { references, .. } = &mut constraint.kind {
                renamed(references);
            }
        }
    });
}

/// Whether there is such a sequence. Defaults that take its numbers know it by its id, and go on taking them.
pub fn rename_sequence(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) -> bool {
    let takes = |it: &Column| it.default.as_ref().is_some_and(|it| catalog.takes_numbers(it, old));
    let tables = catalog.tables.values().filter(|it| it.columns.iter().any(takes)).map(|it| it.name.clone());
    for name in tables.collect::<Vec<_>>() {
        let Some(mut table) = catalog.tables.remove(&name) else { continue };
        for default in table.columns.iter_mut().filter_map(|it| it.default.as_mut()) {
            if catalog.takes_numbers(default, old) {
                *default = Parts { text: format!("nextval('{new}'::regclass)"), ..Parts::clone(default) }.into();
            }
        }
        catalog.tables.insert(name, table);
    }
    let kept = catalog.sequences.remove(old);
    let there = kept.is_some();
    catalog.sequences.extend(kept.map(|it| (new.clone(), it)));
    there
}

/// Indexes and owned sequences are in the schema of their table.
fn move_schema(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    if old.schema() == new.schema() {
        return;
    }
    let moved = |name: &ObjectName| in_schema(name, new.schema());
    for (name, index) in catalog.indexes.take_linked_to(new, |it| it.table == *new) {
        catalog.indexes.insert(moved(&name), Index { name: moved(&name), ..index });
        catalog.indexes.change_linked_to(&name, |it| {
            it.parent.iter_mut().filter(|it| **it == name).for_each(|it| *it = moved(it));
        });
    }
    let owned = |it: &Sequence| it.owned_by.as_ref().is_some_and(|(table, _)| table == old);
    let sequences = catalog.sequences.take_linked_to(old, owned);
    catalog.sequences.extend(sequences.into_iter().map(|(name, it)| (moved(&name), it)));
}
