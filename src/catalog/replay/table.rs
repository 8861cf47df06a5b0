//! Tables: made, altered, renamed.

use std::collections::BTreeMap;

use super::{
    super::{Catalog, Column, Index, Origin, Release, ReplicaIdentity, RowSecurity, TEMPORARY, Table, in_schema},
    column, constraint, partition, plain_beside, privilege,
};
use crate::sql::{
    change::{ActionKind, AlterTable, ConstraintKind, CreateTable, ObjectKind},
    names::ObjectName,
};

pub fn create_table(catalog: &mut Catalog, new: &CreateTable, origin: Origin) {
    let name = if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
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
        partitioned: new.partitioned,
        partition_key: new.partition_by.as_ref().and_then(partition::key),
        partition_of: new.partition_of.as_ref().map(|it| catalog.resolve(&it.parent)),
        inherits: new.inherits.iter().map(|it| catalog.resolve(it)).collect(),
        partial: new.from_query || !new.like.is_empty(),
        ..unknown_table(&name, origin)
    };
    let parents = new.like.iter().chain(&new.inherits).chain(new.partition_of.iter().map(|it| &it.parent));
    for parent in parents {
        let parent = catalog.table(parent);
        table.columns.extend(parent.into_iter().flat_map(|it| it.columns.clone()).map(|it| Column { origin, ..it }));
        table.partial |= parent.is_none_or(|it| it.partial);
    }
    if let Some(partition) = &new.partition_of {
        partition::attach(catalog, &partition.parent, &name, partition.default);
    }
    let mut indexes = Vec::new();
    for column in &new.columns {
        column::add_column(catalog, &mut table, column, origin, &mut indexes);
    }
    for constraint in &new.constraints {
        constraint::add_constraint(catalog, &mut table, constraint, origin, &mut indexes);
    }
    catalog.tables.insert(name, table);
    catalog.indexes.extend(indexes);
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
    }
}

pub fn alter_table(catalog: &mut Catalog, alter: &AlterTable, origin: Origin) {
    let name = catalog.resolve(&alter.table);
    if !catalog.tables.contains_key(&name) && !catalog.views.contains_key(&name) {
        let found = Origin { release: Release::History, ..origin };
        catalog.tables.insert(name.clone(), unknown_table(&name, found));
    }
    for action in &alter.actions {
        match &action.kind {
            ActionKind::Toggle { words, .. } if origin.certain => {
                if let Some(table) = catalog.tables.get_mut(&name) {
                    privilege::toggle(table, words);
                }
            }
            ActionKind::RenameTable { to } => {
                let new = plain_beside(&name, to);
                return rename_relation(catalog, &name, &new);
            }
            ActionKind::SetSchema { to } => {
                let new = in_schema(&name, &to.name);
                return rename_relation(catalog, &name, &new);
            }
            ActionKind::AttachPartition { partition, default, .. } => {
                let partition = catalog.resolve(partition);
                partition::attach(catalog, &name, &partition, *default);
            }
            ActionKind::DetachPartition { partition, .. } => {
                let partition = catalog.resolve(partition);
                partition::detach(catalog, &name, &partition);
            }
            kind => {
                // Taken out while it changes, so that the catalog can be asked meanwhile.
                let Some(mut table) = catalog.tables.remove(&name) else { continue };
                let mut indexes = Vec::new();
                alter_columns(catalog, &mut table, kind, origin, &mut indexes);
                catalog.tables.insert(name.clone(), table);
                catalog.indexes.extend(indexes);
            }
        }
    }
}

pub fn alter_columns(
    catalog: &mut Catalog,
    table: &mut Table,
    action: &ActionKind,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    match action {
        ActionKind::AddColumn { column, if_not_exists } => {
            if table.column(&column.name).is_none() {
                column::add_column(catalog, table, column, origin.unless(*if_not_exists), indexes);
            }
        }
        ActionKind::DropColumn { column, .. } if origin.certain => column::drop_column(catalog, table, column),
        ActionKind::AddConstraint(constraint) => {
            constraint::add_constraint(catalog, table, constraint, origin, indexes)
        }
        ActionKind::DropConstraint { name, .. } => {
            table.constraints.retain(|it| it.name != name.name);
            let own = &table.name;
            catalog.indexes.retain(|_, it| it.table != *own || it.constraint.as_ref() != Some(&name.name));
        }
        ActionKind::ValidateConstraint { name } if origin.certain => {
            let mut proven = None;
            for it in table.constraints.iter_mut().filter(|it| it.name == name.name && it.enforced) {
                it.validated = true;
                it.validated_by = Some(origin.migration);
                if let ConstraintKind::NotNull { column } = &it.kind {
                    proven = Some(column.clone());
                }
            }
            column::set_not_null(table, proven.as_slice());
        }
        ActionKind::RenameConstraint { from, to } => {
            for it in table.constraints.iter_mut().filter(|it| it.name == from.name) {
                it.name.clone_from(&to.name);
            }
        }
        ActionKind::SetLogged { logged } => table.unlogged = !logged,
        ActionKind::Inherit { parent } => table.inherits.push(catalog.resolve(parent)),
        ActionKind::NoInherit { parent } => {
            let parent = catalog.resolve(parent);
            table.inherits.retain(|it| *it != parent);
        }
        ActionKind::RenameColumn { from, to } => column::rename_column(catalog, table, from, to),
        ActionKind::SetType { column, data_type, .. } if table.partial && table.column(column).is_none() => {
            table.columns.push(column::unknown_column(column, data_type, table.origin));
        }
        action => column::alter_column(table, action, origin),
    }
}

pub fn rename_relation(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let view = catalog.views.remove(old);
    catalog.views.extend(view.map(|it| (new.clone(), it)));
    for grant in catalog.grants.iter_mut().filter(|it| it.kind == ObjectKind::Table && it.name == *old) {
        grant.name = new.clone();
    }
    let Some(mut table) = catalog.tables.remove(old) else { return };
    table.name = new.clone();
    catalog.tables.insert(new.clone(), table);
    for index in catalog.indexes.values_mut().filter(|it| it.table == *old) {
        index.table = new.clone();
    }
    for trigger in catalog.triggers.iter_mut().filter(|it| it.table == *old) {
        trigger.table = new.clone();
    }
    for policy in catalog.policies.iter_mut().filter(|it| it.table == *old) {
        policy.table = new.clone();
    }
    for table in catalog.tables.values_mut() {
        for name in table.partitions.iter_mut().chain(&mut table.partition_of).chain(&mut table.inherits) {
            if name == old {
                *name = new.clone();
            }
        }
        if table.default_partition.as_ref() == Some(old) {
            table.default_partition = Some(new.clone());
        }
        for constraint in &mut table.constraints {
            if let ConstraintKind::ForeignKey { references, .. } = &mut constraint.kind
                && references == old
            {
                *references = new.clone();
            }
        }
    }
}
