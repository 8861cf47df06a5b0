//! Tables: made, altered, renamed.

use std::collections::BTreeMap;

use super::{
    super::{
        Catalog, Constraint, Grant, Index, Origin, Policy, Release, ReplicaIdentity, RowSecurity, Sequence, TEMPORARY,
        Table, Trigger, in_schema,
    },
    column, constraint, heirs, index, partition, plain_beside, privilege, view,
};
use crate::sql::{
    Span,
    change::{self, ActionKind, AlterTable, ConstraintKind, CreateTable, ObjectAction, ObjectKind, TypeKind},
    names::{Ident, ObjectName},
};

fn name_of(catalog: &Catalog, new: &CreateTable) -> ObjectName {
    if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) }
}

pub fn create_table(catalog: &mut Catalog, new: &CreateTable, origin: Origin) {
    let name = name_of(catalog, new);
    if catalog.tables.contains_key(&name) && (new.if_not_exists || !origin.certain) {
        return;
    }
    // A temporary table is the session's own: whoever made it, it is new here.
    let release = if new.temporary { Release::Judged } else { origin.release };
    let origin = Origin { release, ..origin.unless(new.if_not_exists) };
    let mut table = Table {
        temporary: new.temporary,
        until_commit: new.until_commit,
        foreign: new.foreign,
        unlogged: new.unlogged,
        of_type: new.of_type.as_ref().map(|it| catalog.resolve(it)),
        partitioned: new.partitioned,
        partition_key: new.partition_by.as_ref().and_then(partition::key_of),
        partition_of: new.partition_of.as_ref().map(|it| catalog.resolve(&it.parent)),
        inherits: new.inherits.iter().map(|it| catalog.resolve(it)).collect(),
        options: new.options.iter().map(option).collect(),
        partial: new.from_query,
        outside: false,
        ..unknown_table(&name, origin)
    };
    for source in &new.like {
        let known = catalog.table(source);
        table.partial |= known.is_none_or(|it| it.partial);
        let columns = known.into_iter().flat_map(|it| &it.columns);
        table.columns.extend(columns.map(|it| heirs::liked(it, &new.like_options, origin)));
    }
    let ancestors = table.inherits.iter().map(|it| (it, heirs::From::Ancestor));
    let parents = ancestors.chain(table.partition_of.iter().map(|it| (it, heirs::From::Parent)));
    for (parent, from) in parents.map(|(name, from)| (name.clone(), from)).collect::<Vec<_>>() {
        let Some(parent) = catalog.tables.get(&parent) else {
            table.partial = true;
            continue;
        };
        table.partial |= parent.partial;
        heirs::columns(&mut table, parent, origin);
        heirs::constraints(&mut table, parent, from, origin);
    }
    if let Some(of) = table.of_type.clone() {
        of_type(catalog, &mut table, &of, origin);
    }
    for column in new.columns.iter().filter(|it| !(new.from_query && it.data_type.is_empty())) {
        column::define(catalog, &mut table, column, origin);
    }
    for constraint in &new.constraints {
        constraint::add_constraint(catalog, &mut table, constraint, origin);
    }
    if origin.certain {
        catalog.doubted.remove(&name);
    }
    catalog.tables.insert(name.clone(), table);
    for source in &new.like {
        let source = catalog.resolve(source);
        heirs::like(catalog, &source, &name, &new.like_options, origin);
    }
    if let Some(of) = &new.partition_of {
        partition::attach(catalog, &of.parent, &name, &of.bound, origin);
    }
}

/// The columns of a typed table are its type's attributes.
fn of_type(catalog: &mut Catalog, table: &mut Table, of: &ObjectName, origin: Origin) {
    let Some(TypeKind::Composite { attributes }) = catalog.types.get(of).map(|it| it.kind.clone()) else {
        table.partial = true;
        return;
    };
    attributes.iter().for_each(|it| column::add_column(catalog, table, it, origin));
}

/// What `ALTER TYPE … CASCADE` does to the tables that are made of the type.
pub fn reshape_typed(catalog: &mut Catalog, of: &ObjectName, action: &ObjectAction, origin: Origin) {
    let column = |name: &Ident, data_type: &String| change::Column {
        name: name.clone(),
        data_type: data_type.clone(),
        ..change::Column::default()
    };
    let action = match action.clone() {
        ObjectAction::AddAttribute { name, data_type } => {
            ActionKind::AddColumn { column: Box::new(column(&name, &data_type)), if_not_exists: false }
        }
        ObjectAction::DropAttribute { name, .. } => {
            ActionKind::DropColumn { column: name, if_exists: false, cascade: true }
        }
        ObjectAction::AlterAttribute { name, data_type } => ActionKind::SetType {
            column: name,
            data_type,
            type_span: Span::default(),
            collate: false,
            collation: None,
            using: None,
        },
        ObjectAction::RenamePart { from, to } => ActionKind::RenameColumn { from, to },
        _ => return,
    };
    let made_of_it = catalog.tables.linked_to(of).filter(|(_, it)| it.of_type.as_ref() == Some(of));
    let made_of_it = made_of_it.map(|(name, _)| name.clone()).collect::<Vec<_>>();
    made_of_it.iter().for_each(|it| act(catalog, it, &action, origin));
}

fn option((name, value): &(String, Option<String>)) -> (String, String) {
    (name.clone(), value.clone().unwrap_or_else(|| "true".to_owned()).trim_matches('\'').to_ascii_lowercase())
}

/// A table that no file creates: it is altered, so it is there. Whatever it is called later, it is not new.
pub fn unknown_table(name: &ObjectName, origin: Origin) -> Table {
    Table {
        name: name.clone(),
        origin,
        columns: Vec::new(),
        constraints: Vec::new(),
        temporary: false,
        until_commit: false,
        foreign: false,
        unlogged: false,
        of_type: None,
        partitioned: false,
        partition_key: None,
        partition_of: None,
        bound: None,
        partitions: Vec::new(),
        default_partition: None,
        inherits: Vec::new(),
        row_security: RowSecurity::default(),
        replica_identity: ReplicaIdentity::default(),
        options: BTreeMap::new(),
        partial: true,
        clustered: false,
        outside: true,
    }
}

/// A table of whose columns nothing could be read. It was not there before.
pub fn create_unread(catalog: &mut Catalog, new: &CreateTable, origin: Origin) {
    let name = name_of(catalog, new);
    if !catalog.tables.contains_key(&name) {
        let origin = origin.unless(new.if_not_exists);
        let table = Table { temporary: new.temporary, outside: false, ..unknown_table(&name, origin) };
        catalog.tables.insert(name, table);
    }
}

pub fn alter_table(catalog: &mut Catalog, alter: &AlterTable, origin: Origin) {
    let mut name = catalog.resolve(&alter.table);
    if !origin.certain && alter.actions.iter().any(|it| takes_away(&it.kind)) {
        catalog.doubt(&name);
    }
    if !catalog.tables.contains_key(&name)
        && (catalog.indexes.contains_key(&name) || catalog.sequences.contains_key(&name))
    {
        return alter_beside(catalog, alter, &name);
    }
    if !catalog.tables.contains_key(&name) && !catalog.views.contains_key(&name) {
        // Perhaps it is there, perhaps not: nothing is known of it before and after.
        if alter.if_exists {
            return;
        }
        let found = Origin { release: Release::History, ..origin };
        catalog.tables.insert(name.clone(), unknown_table(&name, found));
    }
    for action in &alter.actions {
        match &action.kind {
            ActionKind::RenameTable { to } => {
                let new = plain_beside(&name, to);
                rename_relation(catalog, &name, &new);
                name = new;
            }
            ActionKind::SetSchema { to } => {
                let new = in_schema(&name, &to.name);
                rename_relation(catalog, &name, &new);
                name = new;
            }
            ActionKind::AttachPartition { partition, bound, .. } => {
                let partition = catalog.resolve(partition);
                partition::attach(catalog, &name, &partition, bound, origin);
            }
            ActionKind::DetachPartition { partition, concurrently, .. } => {
                let partition = catalog.resolve(partition);
                if *concurrently {
                    partition::leave_check(catalog, &name, &partition, origin);
                }
                partition::detach(catalog, &name, &partition);
            }
            kind => {
                let below = if alter.only { Vec::new() } else { heirs::below(catalog, &name) };
                act(catalog, &name, kind, origin);
                below.iter().for_each(|it| act_below(catalog, &name, it, kind, origin));
            }
        }
    }
}

/// An index or a sequence, by the name of a table: Postgres lets `ALTER TABLE` rename and move them, too.
fn alter_beside(catalog: &mut Catalog, alter: &AlterTable, name: &ObjectName) {
    for action in &alter.actions {
        let new = match &action.kind {
            ActionKind::RenameTable { to } => plain_beside(name, to),
            ActionKind::SetSchema { to } => in_schema(name, &to.name),
            _ => continue,
        };
        if let Some(kept) = catalog.sequences.remove(name) {
            catalog.sequences.insert(new, kept);
        } else {
            index::rename(catalog, name, &new);
        }
    }
}

/// Whether something that was there before is gone afterwards, or is called otherwise.
fn takes_away(action: &ActionKind) -> bool {
    matches!(
        action,
        ActionKind::DropColumn { .. }
            | ActionKind::DropConstraint { .. }
            | ActionKind::SetType { .. }
            | ActionKind::RenameTable { .. }
            | ActionKind::RenameColumn { .. }
            | ActionKind::RenameConstraint { .. }
            | ActionKind::SetSchema { .. }
            | ActionKind::AttachPartition { .. }
            | ActionKind::DetachPartition { .. }
            | ActionKind::Inherit { .. }
            | ActionKind::NoInherit { .. }
            | ActionKind::OfType { .. }
            | ActionKind::NotOf
    )
}

/// What an action does to the table that it names.
fn act(catalog: &mut Catalog, name: &ObjectName, action: &ActionKind, origin: Origin) {
    // Taken out while it changes, so that the catalog can be asked meanwhile.
    let Some(mut table) = catalog.tables.remove(name) else {
        if let ActionKind::RenameColumn { from, to } = action {
            view::rename_output(catalog, name, &from.name, &to.name);
        }
        return;
    };
    alter_columns(catalog, &mut table, action, origin);
    catalog.tables.insert(name.clone(), table);
    if let ActionKind::AddConstraint(_) | ActionKind::AddColumn { .. } = action {
        let built = catalog.indexes_on(name).into_iter().filter(|it| it.constraint.is_some());
        for index in built.cloned().collect::<Vec<_>>() {
            heirs::index_on_partitions(catalog, &index, origin);
        }
    }
    if let ActionKind::Inherit { parent } = action {
        let parent = catalog.table(parent).cloned();
        if let (Some(parent), Some(mut table)) = (parent, catalog.tables.get_mut(name)) {
            heirs::constraints(&mut table, &parent, heirs::From::Ancestor, origin);
        }
    }
}

/// What it does to a partition or heir of that table.
fn act_below(catalog: &mut Catalog, top: &ObjectName, name: &ObjectName, action: &ActionKind, origin: Origin) {
    let Some(parent) = catalog.tables.get(top).cloned() else { return };
    let Some(mut table) = catalog.tables.get_mut(name) else { return };
    let from = if table.partition_of.is_some() { heirs::From::Parent } else { heirs::From::Ancestor };
    match action {
        ActionKind::AddColumn { .. } => {
            heirs::columns(&mut table, &parent, origin);
            heirs::constraints(&mut table, &parent, from, origin);
        }
        ActionKind::AddConstraint(new) if !new.no_inherit => {
            heirs::columns(&mut table, &parent, origin);
            heirs::constraints(&mut table, &parent, from, origin);
        }
        ActionKind::DropColumn { .. }
        | ActionKind::RenameColumn { .. }
        | ActionKind::SetNotNull { .. }
        | ActionKind::DropNotNull { .. }
        | ActionKind::SetDefault { .. }
        | ActionKind::DropDefault { .. }
        | ActionKind::DropExpression { .. }
        | ActionKind::SetType { .. }
        | ActionKind::ValidateConstraint { .. }
        | ActionKind::RenameConstraint { .. } => {
            drop(table);
            act(catalog, name, action, origin);
        }
        ActionKind::DropConstraint { name: constraint, .. } => {
            let inherited = |it: &Constraint| !column::is_key(&it.kind) && it.name == constraint.name;
            table.constraints.retain(|it| !inherited(it));
            drop(table);
            drop_orphans(catalog, name);
        }
        _ => {}
    }
}

/// Indexes of a partition whose parent is gone go, with their constraints.
fn drop_orphans(catalog: &mut Catalog, name: &ObjectName) {
    let lost = |it: &Index| it.parent.as_ref().is_some_and(|parent| !catalog.indexes.contains_key(parent));
    let gone = catalog.indexes_on(name).into_iter().filter(|it| lost(it)).cloned().collect::<Vec<_>>();
    for index in gone {
        catalog.indexes.remove(&index.name);
        if let (Some(mut table), Some(constraint)) = (catalog.tables.get_mut(name), &index.constraint) {
            table.constraints.retain(|it| it.name != *constraint);
        }
    }
}

fn alter_columns(catalog: &mut Catalog, table: &mut Table, action: &ActionKind, origin: Origin) {
    match action {
        ActionKind::AddColumn { column, if_not_exists } => {
            if table.column(&column.name).is_none() {
                column::add_column(catalog, table, column, origin.unless(*if_not_exists));
            }
        }
        ActionKind::DropColumn { column, .. } if origin.certain => {
            view::drop_readers_of(catalog, table, &column.name);
            column::drop_column(catalog, table, column);
        }
        ActionKind::AddConstraint(constraint) => constraint::add_constraint(catalog, table, constraint, origin),
        ActionKind::DropConstraint { name, .. } => constraint::drop_constraint(catalog, table, &name.name),
        ActionKind::ValidateConstraint { name } if origin.certain => {
            let mut proven = None;
            for it in table.constraints.iter_mut().filter(|it| it.name == name.name && it.enforced) {
                if !it.validated {
                    it.validated = true;
                    it.validated_by = Some(origin.migration);
                }
                if let ConstraintKind::NotNull { column } = &it.kind {
                    proven = Some(column.clone());
                }
            }
            column::set_not_null(table, proven.as_slice());
        }
        ActionKind::RenameConstraint { from, to } => constraint::rename_constraint(catalog, table, from, to),
        ActionKind::SetLogged { logged } => table.unlogged = !logged,
        ActionKind::ClusterOn { .. } => table.clustered = true,
        ActionKind::SetWithoutCluster => table.clustered = false,
        ActionKind::Inherit { parent } => table.inherits.push(catalog.resolve(parent)),
        ActionKind::NoInherit { parent } => {
            let parent = catalog.resolve(parent);
            table.inherits.retain(|it| *it != parent);
        }
        ActionKind::RenameColumn { from, to } => {
            view::rename_column(catalog, &table.name, &from.name, &to.name);
            column::rename_column(catalog, table, from, to);
        }
        ActionKind::SetType { column, data_type, .. } if table.partial && table.column(column).is_none() => {
            table.columns.push(column::unknown_column(column, data_type, table.origin));
        }
        ActionKind::Toggle { words, name } if origin.certain => {
            privilege::toggle(table, words);
            let enabled = !words.starts_with("DISABLE");
            let all = name.as_ref().is_none_or(|it| matches!(it.name.as_str(), "all" | "user"));
            let of = |it: &&mut Trigger| all || name.as_ref().is_some_and(|own| own.name == it.name);
            if words.contains("TRIGGER") {
                catalog.triggers.on_mut(&table.name).iter_mut().filter(of).for_each(|it| it.enabled = enabled);
            }
        }
        ActionKind::ReplicaIdentity { identity } => {
            table.replica_identity = match identity {
                change::ReplicaIdentity::Default => ReplicaIdentity::Default,
                change::ReplicaIdentity::Full => ReplicaIdentity::Full,
                change::ReplicaIdentity::Nothing => ReplicaIdentity::Nothing,
                change::ReplicaIdentity::Index(index) => ReplicaIdentity::Index(index.name.clone()),
            };
        }
        ActionKind::StorageOptions { options, reset: false } => table.options.extend(options.iter().map(option)),
        ActionKind::StorageOptions { options, reset: true } => {
            table.options.retain(|name, _| !options.iter().any(|it| it.0 == *name));
        }
        action => column::alter_column(table, action, origin),
    }
}

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
    catalog.tables.change_linked_to(old, |table| {
        let family = table.partitions.iter_mut().chain(&mut table.partition_of).chain(&mut table.inherits);
        family.chain(&mut table.default_partition).for_each(renamed);
        for constraint in &mut table.constraints {
            if let ConstraintKind::ForeignKey { references, .. } = &mut constraint.kind {
                renamed(references);
            }
        }
    });
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
