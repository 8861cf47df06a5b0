//! What a statement adds, whichever way it is written: with the table, with a column, as a constraint.

use crate::sql::{
    Change, Span, Statement,
    change::{ActionKind, Column, Constraint, ConstraintKind, ReferentialAction},
    names::{Ident, ObjectName},
};

/// A foreign key.
#[derive(Debug, Clone)]
pub struct ForeignKey<'s> {
    pub table: &'s ObjectName,
    pub columns: &'s [Ident],
    pub references: &'s ObjectName,
    /// Empty: the primary key over there.
    pub referenced: &'s [Ident],
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    /// What `SET NULL` and `SET DEFAULT` set; empty: all of its columns.
    pub set_columns: &'s [Ident],
    pub span: Span,
}

/// A primary key or unique constraint by its columns.
#[derive(Debug, Clone)]
pub struct Key<'s> {
    pub table: &'s ObjectName,
    pub columns: Vec<&'s Ident>,
    pub span: Span,
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
    let columns = columns(statement);
    let inline = columns.iter().flat_map(|(table, column)| column.constraints.iter().map(move |it| (*table, it)));
    let all = inline.chain(constraints(statement));
    let keys = all.filter_map(|(table, constraint)| match &constraint.kind {
        ConstraintKind::ForeignKey { columns, references, referenced, on_delete, on_update, set_columns, .. } => {
            Some(ForeignKey {
                table,
                columns,
                references,
                referenced,
                on_delete: *on_delete,
                on_update: *on_update,
                set_columns,
                span: constraint.span,
            })
        }
        _ => None,
    });
    keys.collect()
}

/// Without those that take an index over: its columns are the index's.
pub fn keys(statement: &Statement) -> Vec<Key<'_>> {
    let mut found = Vec::new();
    for (table, column) in columns(statement) {
        let key = || Key { table, columns: vec![&column.name], span: column.span };
        found.extend((column.primary_key || column.unique).then(key));
    }
    for (table, constraint) in constraints(statement) {
        match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, using_index: None }
            | ConstraintKind::Unique { columns, using_index: None } => {
                found.push(Key { table, columns: columns.iter().collect(), span: constraint.span });
            }
            _ => {}
        }
    }
    found
}
