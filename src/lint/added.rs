//! What a statement adds, whichever way it is written: with the table, with a column, as a constraint.

use crate::sql::{
    Change, Span, Statement,
    change::{ActionKind, Column, Constraint, ConstraintKind},
    names::{Ident, ObjectName},
};

/// A foreign key.
#[derive(Debug, Clone)]
pub struct ForeignKey<'s> {
    pub table: &'s ObjectName,
    pub columns: Vec<&'s Ident>,
    pub references: &'s ObjectName,
    pub span: Span,
}

/// A primary key or unique constraint by its columns.
#[derive(Debug, Clone)]
pub struct Key<'s> {
    pub columns: Vec<&'s Ident>,
}

/// The columns of `CREATE TABLE`, those of `ADD COLUMN`.
pub fn columns(statement: &Statement) -> Vec<(&ObjectName, &Column)> {
    match &statement.change {
        Change::CreateTable(table) => table.columns.iter().map(|it| (&table.name, it)).collect(),
        Change::AlterTable(alter) => {
            let added = alter.actions.iter().filter_map(|it| match &it.kind {
                ActionKind::AddColumn { column, .. } => Some((&alter.table, column.as_ref())),
                _ => None,
            });
            added.collect()
        }
        _ => Vec::new(),
    }
}

/// Constraints that stand beside the columns.
pub fn constraints(statement: &Statement) -> Vec<(&ObjectName, &Constraint)> {
    match &statement.change {
        Change::CreateTable(table) => table.constraints.iter().map(|it| (&table.name, it)).collect(),
        Change::AlterTable(alter) => {
            let added = alter.actions.iter().filter_map(|it| match &it.kind {
                ActionKind::AddConstraint(constraint) => Some((&alter.table, constraint)),
                _ => None,
            });
            added.collect()
        }
        _ => Vec::new(),
    }
}

pub fn foreign_keys(statement: &Statement) -> Vec<ForeignKey<'_>> {
    let inline = columns(statement).into_iter().filter_map(|(table, column)| {
        let references = column.references.as_ref()?;
        Some(ForeignKey { table, columns: vec![&column.name], references, span: column.span })
    });
    let beside = constraints(statement).into_iter().filter_map(|(table, constraint)| match &constraint.kind {
        ConstraintKind::ForeignKey { columns, references } => {
            Some(ForeignKey { table, columns: columns.iter().collect(), references, span: constraint.span })
        }
        _ => None,
    });
    inline.chain(beside).collect()
}

/// Without those that take an index over: its columns are the index's.
pub fn keys(statement: &Statement) -> Vec<Key<'_>> {
    let mut found = Vec::new();
    for (_, column) in columns(statement) {
        found.extend((column.primary_key || column.unique).then(|| Key { columns: vec![&column.name] }));
    }
    for (_, constraint) in constraints(statement) {
        match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, using_index: None }
            | ConstraintKind::Unique { columns, using_index: None } => {
                found.push(Key { columns: columns.iter().collect() });
            }
            _ => {}
        }
    }
    found
}
