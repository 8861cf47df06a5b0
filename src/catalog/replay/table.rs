//! Tables: made, altered, renamed.

use std::collections::BTreeMap;

use super::{
    super::{
        Catalog, Constraint, Index, Origin, Release, ReplicaIdentity, RowSecurity, TEMPORARY, Table, Trigger,
        ViewColumn, in_schema,
    },
    column, constraint, heirs, index, partition, plain_beside, privilege, rename, twins, view,
};
use crate::sql::{
    Span,
    change::{self, ActionKind, AlterTable, ConstraintKind, CreateTable, ObjectAction, TypeKind},
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
    let new = &*twins::without_twins(new);
    // Where the files contradict each other, the last word counts, and what carried the old keys is gone.
    if catalog.tables.contains_key(&name) {
        catalog.indexes.take_linked_to(&name, |it| it.table == name && it.constraint.is_some());
    }
    let mut table = Table {
        temporary: new.temporary,
        until_commit: new.until_commit,
        foreign: new.foreign,
        unlogged: new.unlogged,
        of_type: new.of_type.as_ref().map(|it| catalog.resolve(it)),
        partitioned: new.partitioned,
        partition_key: new.partition_by.as_ref().and_then(partition::key_of).map(Box::new),
        partition_of: new.partition_of.as_ref().map(|it| catalog.resolve(&it.parent)),
        inherits: new.inherits.iter().map(|it| catalog.resolve(it)).collect(),
        options: new.options.iter().map(option).collect(),
        outside: false,
        partial: false,
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
        heirs::constraints(&mut table, &parent.constraints, from, origin);
    }
    if let Some(of) = table.of_type.clone() {
        of_type(catalog, &mut table, &of, origin);
    }
    if new.from_query {
        of_query(catalog, &mut table, new, origin);
    } else {
        table.columns.reserve_exact(new.columns.len());
        new.columns.iter().for_each(|it| column::define(catalog, &mut table, it, origin));
    }
    for constraint in &new.constraints {
        constraint::add_constraint(catalog, &mut table, constraint, origin);
    }
    if origin.certain {
        catalog.doubted.remove(&name);
    }
    let sources = new.like.iter().map(|it| catalog.resolve(it)).collect::<Vec<_>>();
    catalog.tables.insert(name.clone(), table);
    for source in sources {
        heirs::like(catalog, &source, &name, &new.like_options, origin);
    }
    if let Some(of) = &new.partition_of {
        partition::attach(catalog, &of.parent, &name, &of.bound, origin);
    }
}

/// The columns that `AS SELECT` and `INTO` give it, when all of them can be told.
fn of_query(catalog: &Catalog, table: &mut Table, new: &CreateTable, origin: Origin) {
    let names = new.columns.iter().map(|it| &it.name).collect::<Vec<_>>();
    let outputs = new.outputs.as_ref().filter(|it| it.flat && origin.certain);
    let columns = outputs.and_then(|it| catalog.outputs(it, &new.reads, &names));
    let told = |it: ViewColumn| {
        let (name, data_type) = (Ident { name: it.name?, ..Ident::default() }, it.data_type?.to_string());
        Some(column::unknown_column(&name, &data_type, origin))
    };
    match columns.and_then(|it| it.into_iter().map(told).collect::<Option<Vec<_>>>()) {
        Some(columns) => table.columns = columns,
        None => table.partial = true,
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
        bounds: None,
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
    let mut actions = alter.actions.iter().collect::<Vec<_>>();
    actions.sort_by_key(|it| pass(&it.kind));
    for action in actions {
        match &action.kind {
            ActionKind::RenameTable { to } => {
                let new = plain_beside(&name, to);
                rename::rename_relation(catalog, &name, &new);
                name = new;
            }
            ActionKind::SetSchema { to } => {
                let new = in_schema(&name, &to.name);
                rename::rename_relation(catalog, &name, &new);
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
                if let Some(parent) = catalog.tables.get(&name).filter(|_| !below.is_empty()).cloned() {
                    below.iter().for_each(|it| act_below(catalog, &parent, it, kind, origin));
                }
            }
        }
    }
}

/// Postgres takes actions in this order, wherever they stand (`AlterTablePass` in tablecmds.c).
fn pass(action: &ActionKind) -> u8 {
    match action {
        ActionKind::DropColumn { .. }
        | ActionKind::DropConstraint { .. }
        | ActionKind::DropNotNull { .. }
        | ActionKind::DropDefault { .. }
        | ActionKind::DropIdentity { .. }
        | ActionKind::DropExpression { .. } => 0,
        ActionKind::SetType { .. } => 1,
        ActionKind::AddColumn { .. } => 2,
        ActionKind::SetNotNull { .. } | ActionKind::SetIdentity { .. } => 3,
        ActionKind::AddConstraint(new) if column::is_key(&new.kind) => 4,
        ActionKind::AddConstraint(_) | ActionKind::SetDefault { .. } | ActionKind::AddIdentity { .. } => 5,
        _ => 6,
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
        if !rename::rename_sequence(catalog, name, &new) {
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
            heirs::constraints(&mut table, &parent.constraints, heirs::From::Ancestor, origin);
        }
    }
}

/// What it does to a partition or heir of that table.
fn act_below(catalog: &mut Catalog, parent: &Table, name: &ObjectName, action: &ActionKind, origin: Origin) {
    let Some(mut table) = catalog.tables.get_mut(name) else { return };
    let from = if table.partition_of.is_some() { heirs::From::Parent } else { heirs::From::Ancestor };
    match action {
        ActionKind::AddColumn { .. } => {
            heirs::columns(&mut table, parent, origin);
            heirs::constraints(&mut table, &parent.constraints, from, origin);
        }
        ActionKind::AddConstraint(new) if !new.no_inherit => {
            heirs::columns(&mut table, parent, origin);
            heirs::constraints(&mut table, &parent.constraints, from, origin);
            // What the heir has by that name already is one with the parent's.
            let name = parent.constraints.last().filter(|_| new.not_valid).map(|it| it.name.clone());
            let own = table.constraints.iter_mut().filter(|it| name.as_ref() == Some(&it.name));
            own.for_each(|it| it.validated = false);
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
        action => column::alter_column(catalog, table, action, origin),
    }
}
