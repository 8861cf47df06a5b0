//! Which relations a statement keeps others away from until its transaction ends.
//!
//! Modes as in <https://www.postgresql.org/docs/current/explicit-locking.html>; those that let reads and writes go on
//! (`SHARE UPDATE EXCLUSIVE` and weaker) are left out.

use crate::sql::{
    Change, Statement,
    change::{ActionKind, AlterTable, ConstraintKind, CreateTable, Drop, ObjectKind},
    names::ObjectName,
};

use super::Context;

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// `SHARE`, `SHARE ROW EXCLUSIVE`, `EXCLUSIVE`.
    Writes,
    /// `ACCESS EXCLUSIVE`.
    ReadsAndWrites,
}

impl Waits {
    /// As the subject of a sentence, before "of" or "to" a table.
    pub fn of(self, table: &ObjectName) -> String {
        match self {
            Self::Writes => format!("writes to `{table}`"),
            Self::ReadsAndWrites => format!("reads and writes of `{table}`"),
        }
    }
}

/// The relations that were there before the release and that this statement locks, itself and nothing inside it.
pub fn taken(context: &Context, statement: &Statement) -> Vec<(ObjectName, Waits)> {
    let locks = match &statement.change {
        Change::AlterTable(alter) => altered(alter),
        Change::CreateTable(table) => created(table),
        Change::CreateIndex(index) if !index.concurrently => vec![(&index.table, Waits::Writes)],
        Change::CreateTrigger { table, .. } => vec![(table, Waits::Writes)],
        Change::CreatePolicy { table, .. } => vec![(table, Waits::ReadsAndWrites)],
        Change::Drop(drop) => return existing(context, dropped(context, drop)),
        Change::Truncate(truncate) => truncate.tables.iter().map(|it| (it, Waits::ReadsAndWrites)).collect(),
        Change::Refresh { view, concurrently: false, .. } => vec![(view, Waits::ReadsAndWrites)],
        Change::Cluster { table: Some(table) } => vec![(table, Waits::ReadsAndWrites)],
        Change::Lock { tables, mode } => match mode.as_str() {
            "ACCESS SHARE" | "ROW SHARE" | "ROW EXCLUSIVE" | "SHARE UPDATE EXCLUSIVE" => Vec::new(),
            "SHARE" | "SHARE ROW EXCLUSIVE" | "EXCLUSIVE" => tables.iter().map(|it| (it, Waits::Writes)).collect(),
            _ => tables.iter().map(|it| (it, Waits::ReadsAndWrites)).collect(),
        },
        _ => Vec::new(),
    };
    existing(context, locks.into_iter().map(|(table, waits)| (table.clone(), waits)).collect())
}

fn existing(context: &Context, mut locks: Vec<(ObjectName, Waits)>) -> Vec<(ObjectName, Waits)> {
    locks.retain(|(table, _)| !context.is_new(table));
    locks
}

fn altered(alter: &AlterTable) -> Vec<(&ObjectName, Waits)> {
    let mut locks = Vec::new();
    for action in &alter.actions {
        match &action.kind {
            // `SHARE UPDATE EXCLUSIVE`, and no more.
            ActionKind::ValidateConstraint { .. }
            | ActionKind::StorageOptions { .. }
            | ActionKind::ClusterOn { .. }
            | ActionKind::SetWithoutCluster
            | ActionKind::DetachPartition { concurrently: true, .. } => {}
            ActionKind::ColumnOption { option, .. } if is_statistics(option) => {}
            ActionKind::AttachPartition { partition, .. } => locks.push((partition, Waits::ReadsAndWrites)),
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::ForeignKey { references, .. } => {
                    locks.push((&alter.table, Waits::Writes));
                    locks.push((references, Waits::Writes));
                }
                ConstraintKind::Check { .. }
                | ConstraintKind::Unique { .. }
                | ConstraintKind::PrimaryKey { .. }
                | ConstraintKind::Exclude { .. }
                | ConstraintKind::NotNull { .. } => locks.push((&alter.table, Waits::ReadsAndWrites)),
            },
            ActionKind::AddColumn { column, .. } => {
                locks.push((&alter.table, Waits::ReadsAndWrites));
                locks.extend(column.references.iter().map(|it| (it, Waits::Writes)));
            }
            ActionKind::Toggle { words, .. } if words.contains("TRIGGER") => locks.push((&alter.table, Waits::Writes)),
            _ => locks.push((&alter.table, Waits::ReadsAndWrites)),
        }
    }
    locks
}

/// `SET STATISTICS` and `SET (n_distinct = …)`, as opposed to `SET STORAGE` and `SET COMPRESSION`.
fn is_statistics(option: &str) -> bool {
    let option = option.to_uppercase();
    !option.contains("STORAGE") && !option.contains("COMPRESSION")
}

/// A new table's foreign keys keep writers of the tables that they point to away.
fn created(table: &CreateTable) -> Vec<(&ObjectName, Waits)> {
    let columns = table.columns.iter().filter_map(|it| it.references.as_ref());
    let constraints = table.constraints.iter().filter_map(|it| match &it.kind {
        ConstraintKind::ForeignKey { references, .. } => Some(references),
        _ => None,
    });
    let mut locks: Vec<_> = columns.chain(constraints).map(|it| (it, Waits::Writes)).collect();
    locks.extend(table.partition_of.iter().map(|it| (&it.parent, Waits::ReadsAndWrites)));
    locks
}

fn dropped(context: &Context, drop: &Drop) -> Vec<(ObjectName, Waits)> {
    let names: Vec<_> = match drop.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => drop.names.clone(),
        ObjectKind::Index if !drop.concurrently => {
            drop.names.iter().filter_map(|it| context.catalog.index(it)).map(|it| it.table.clone()).collect()
        }
        ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => drop.on.iter().cloned().collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(|it| (it, Waits::ReadsAndWrites)).collect()
}
