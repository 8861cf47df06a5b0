//! Everything that creates, drops and alters objects, tables' alterations apart.

use crate::{
    catalog::{Column, Table},
    lint::{
        Context,
        types::{self, Cost},
    },
    sql::{
        Change, Statement,
        change::{
            AlterObject, ConstraintKind, CreateIndex, CreateTable, Drop, ObjectAction, ObjectKind, ReindexTarget,
        },
        names::{Ident, ObjectName},
    },
};

use super::{Chance, LockMode, draft::Draft, partition};

pub fn created(draft: &mut Draft, table: &CreateTable) {
    let columns = table.columns.iter().filter_map(|it| it.references.as_ref());
    let constraints = table.constraints.iter().filter_map(|it| match &it.kind {
        ConstraintKind::ForeignKey { references, .. } => Some(references),
        _ => None,
    });
    // Its own keys are looked at when it is there.
    let itself = draft.context.catalog.resolve(&table.name);
    for references in columns.chain(constraints).filter(|it| draft.context.catalog.resolve(it) != itself) {
        draft.lock_family(references, LockMode::ShareRowExclusive);
    }
    for parent in &table.inherits {
        draft.lock(parent, LockMode::ShareUpdateExclusive);
    }
    for source in &table.like {
        draft.lock(source, LockMode::AccessShare);
    }
    if let Some(of) = &table.partition_of {
        partition::created(draft, &of.parent, &of.bound);
    }
}

pub fn dropped(draft: &mut Draft, drop: &Drop) {
    for name in &drop.names {
        match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => dropped_table(draft, name, drop.cascade),
            ObjectKind::View | ObjectKind::MaterializedView if drop.cascade => draft.lock_readers(name),
            ObjectKind::View | ObjectKind::MaterializedView => draft.lock(name, LockMode::AccessExclusive),
            ObjectKind::Sequence => {
                draft.lock(name, LockMode::AccessExclusive);
                let known = draft.context.catalog.sequences.get(&draft.context.catalog.resolve(name));
                if let Some((table, _)) = known.and_then(|it| it.owned_by.as_ref()).filter(|_| drop.cascade) {
                    draft.lock(table, LockMode::AccessExclusive);
                }
            }
            ObjectKind::Type | ObjectKind::Domain if drop.cascade => {
                let made_of_it = |it: &Column| it.resolved.name.rsplit('.').next() == Some(name.last());
                let of_it = |it: &Table| it.of_type.as_ref().is_some_and(|of| of.last() == name.last());
                let tables = draft.context.catalog.tables.values();
                let tables = tables.filter(|it| it.columns.iter().any(made_of_it) || of_it(it));
                tables.for_each(|it| draft.lock(&it.name, LockMode::AccessExclusive));
            }
            ObjectKind::Index => dropped_index(draft, name, drop.concurrently),
            _ => {}
        }
    }
    if let (ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule, Some(table)) = (drop.kind, &drop.on) {
        draft.lock_family(table, LockMode::AccessExclusive);
    }
}

fn dropped_table(draft: &mut Draft, name: &ObjectName, cascade: bool) {
    draft.lock_family(name, LockMode::AccessExclusive);
    let Some(table) = draft.table(name) else { return };
    for constraint in &table.constraints {
        if let ConstraintKind::ForeignKey { references, .. } = &constraint.kind {
            draft.lock_family(references, LockMode::AccessExclusive);
        }
    }
    if let Some(parent) = &table.partition_of {
        draft.lock(parent, LockMode::AccessExclusive);
        if let Some(rest) = draft.table(parent).and_then(|it| it.default_partition.as_ref()) {
            draft.lock(rest, LockMode::AccessExclusive);
        }
    }
    let referencing = draft.context.catalog.referencing(name).map(|it| it.name.clone()).collect::<Vec<_>>();
    for child in referencing.iter().filter(|_| cascade) {
        draft.lock_family(child, LockMode::AccessExclusive);
    }
}

fn dropped_index(draft: &mut Draft, name: &ObjectName, concurrently: bool) {
    let lock = if concurrently { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive };
    if let Some(table) = table_of_index(draft.context, name) {
        draft.lock_family(table, lock);
    }
}

/// Where no file creates the index: the table that one of the same name is built on soon after.
fn table_of_index<'c>(context: &Context<'c>, name: &ObjectName) -> Option<&'c ObjectName> {
    // A file with more statements than this is generated, and not by hand in steps.
    const NEAR: usize = 50;
    let known = context.catalog.index(name).map(|it| &it.table);
    let again = |statement: &'c Statement| match &statement.change {
        Change::CreateIndex(index) if index.name.as_ref().is_some_and(|it| it.name == name.last()) => {
            Some(&index.table)
        }
        _ => None,
    };
    known.or_else(|| context.later().iter().take(NEAR).find_map(again))
}

/// Whether the new type of an attribute writes the rows of a table again that is made of its type.
fn rewrites(context: &Context, table: &Table, action: &ObjectAction) -> bool {
    let ObjectAction::AlterAttribute { name, data_type } = action else { return false };
    let old = table.column(name).map(|it| &it.resolved);
    old.is_none_or(|old| types::change_cost(context.catalog, old, &types::read(data_type)) == Cost::Rewrite)
}

/// `ALTER` of a view, a sequence, a policy.
pub fn altered(draft: &mut Draft, alter: &AlterObject) {
    let Some(name) = &alter.name else { return };
    if let Some(table) = &alter.on {
        return draft.lock(table, LockMode::AccessExclusive);
    }
    if alter.kind == ObjectKind::Type {
        let of = draft.context.catalog.resolve(name);
        let attribute = matches!(
            alter.action,
            ObjectAction::AddAttribute { .. }
                | ObjectAction::DropAttribute { .. }
                | ObjectAction::AlterAttribute { .. }
                | ObjectAction::RenamePart { .. }
        );
        let tables = draft.context.catalog.tables.values().filter(|it| attribute && it.of_type.as_ref() == Some(&of));
        return tables.for_each(|it| {
            draft.lock(&it.name, LockMode::AccessExclusive);
            if rewrites(draft.context, it, &alter.action) {
                draft.rewrite(&it.name, Chance::Sure);
            }
        });
    }
    let stored = |words: &str| {
        matches!(words, "SET" | "RESET") || words.starts_with("CLUSTER") || words.starts_with("SET WITHOUT")
    };
    let lock = match (alter.kind, &alter.action) {
        (ObjectKind::MaterializedView, ObjectAction::Other { words, .. }) if stored(words) => {
            LockMode::ShareUpdateExclusive
        }
        (ObjectKind::View | ObjectKind::MaterializedView, _) => LockMode::AccessExclusive,
        (
            ObjectKind::Sequence,
            ObjectAction::Rename { .. } | ObjectAction::SetSchema { .. } | ObjectAction::OwnerTo { .. },
        ) => LockMode::AccessExclusive,
        (ObjectKind::Sequence, _) => LockMode::ShareRowExclusive,
        _ => return,
    };
    draft.lock(name, lock);
}

pub fn other(draft: &mut Draft, change: &Change) {
    match change {
        Change::CreateIndex(index) => indexed(draft, index),
        Change::CreateTrigger { table, .. } => draft.lock_family(table, LockMode::ShareRowExclusive),
        Change::CreatePolicy { table, .. } => draft.lock(table, LockMode::AccessExclusive),
        Change::CreateOther { kind: ObjectKind::Rule, on: Some(table), .. } => {
            draft.lock(table, LockMode::AccessExclusive);
        }
        Change::CreateView(view) if view.or_replace => draft.lock(&view.name, LockMode::AccessExclusive),
        Change::Comment { kind: ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView, name, .. } => {
            if let Some(name) = name {
                draft.lock(name, LockMode::ShareUpdateExclusive);
            }
        }
        Change::Comment { kind: ObjectKind::Column, name: Some(column), .. } => {
            let (_, table) = column.parts.split_last().unwrap_or((&Ident::default(), &[]));
            draft.lock(&ObjectName { parts: table.into() }, LockMode::ShareUpdateExclusive);
        }
        Change::Reindex { target, name: Some(name), concurrently } => {
            reindexed(draft, *target, name, *concurrently);
        }
        _ => {}
    }
}

fn indexed(draft: &mut Draft, index: &CreateIndex) {
    let lock = if index.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
    if index.only {
        // What has no rows has nothing to read: `ON ONLY` is for partitioned tables.
        draft.lock(&index.table, lock);
        if draft.table(&index.table).is_some_and(|it| !it.partitioned && !it.partial) {
            draft.scan(&index.table, Chance::Sure);
        }
        return;
    }
    draft.lock_family(&index.table, lock);
    if !is_there_already(draft, index) {
        without_part(draft.context, index).iter().for_each(|it| draft.scan(it, Chance::Sure));
    }
}

/// Tables that are read to build this index: the table itself, or those partitions that have no index of this form, which
/// would become the part of theirs.
pub fn without_part(context: &Context, index: &CreateIndex) -> Vec<ObjectName> {
    let mut open = vec![context.catalog.resolve(&index.table)];
    let mut read = Vec::new();
    while let Some(next) = open.pop() {
        let table = context.catalog.table(&next);
        let is_part = table.is_some_and(|it| it.partition_of.is_some())
            && context.catalog.indexes_of(&next).any(|it| it.is_part_of(index));
        match table {
            _ if is_part => {}
            Some(table) if table.partitioned && !table.partial => open.extend(table.partitions.iter().cloned()),
            _ => read.push(next),
        }
    }
    read
}

/// `IF NOT EXISTS`, and the files have created it: a lock for an instant, and no scan.
fn is_there_already(draft: &Draft, index: &CreateIndex) -> bool {
    let Some(name) = index.name.as_ref().filter(|_| index.if_not_exists) else { return false };
    let mut known = draft.context.catalog.indexes_of(&index.table);
    known.any(|it| it.name.last() == name.name && it.origin.certain)
}

fn reindexed(draft: &mut Draft, target: ReindexTarget, name: &ObjectName, concurrently: bool) {
    let lock = if concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
    let catalog = draft.context.catalog;
    match target {
        ReindexTarget::Index => {
            let Some(index) = catalog.index(name) else { return };
            draft.lock(&index.table, lock);
            draft.rebuild(&index.name);
        }
        ReindexTarget::Table => {
            draft.lock_family(name, lock);
            draft.scan(name, Chance::Sure);
            let family = catalog.family(name).into_iter();
            let stored = family.filter(|it| catalog.table(it).is_none_or(|it| !it.partitioned)).collect::<Vec<_>>();
            let indexes = stored.iter().flat_map(|it| catalog.indexes_of(it)).map(|it| it.name.clone());
            let indexes = indexes.collect::<Vec<_>>();
            for index in &indexes {
                draft.rebuild(index);
            }
        }
        ReindexTarget::Schema | ReindexTarget::Database | ReindexTarget::System => {}
    }
}
