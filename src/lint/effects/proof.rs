//! `SET NOT NULL`: what proves that no row has to be read.

use crate::{
    catalog::{Constraint as KnownConstraint, Table},
    lint::Context,
    sql::{
        change::{ActionKind, Constraint, ConstraintKind, TableAction},
        names::{Ident, ObjectName},
    },
};

use super::Chance;

/// What is known of a column that becomes `NOT NULL`.
#[derive(Debug, Clone, Copy)]
pub enum NotNull<'c> {
    /// It is already.
    Already,
    /// This validated check says so.
    Proved(&'c KnownConstraint),
    /// Every row is read.
    Unproved,
}

impl NotNull<'_> {
    /// Of a scan.
    pub fn chance(self) -> Chance {
        match self {
            Self::Already | Self::Proved(_) => Chance::No,
            Self::Unproved => Chance::Sure,
        }
    }
}

/// Whether rows are read to make a column `NOT NULL`; `actions` are those of the whole statement, which may drop the
/// proof.
pub fn not_null<'c>(context: &Context<'c>, table: &ObjectName, column: &Ident, actions: &[TableAction]) -> NotNull<'c> {
    let Some(table) = context.catalog.table(table) else { return NotNull::Unproved };
    if table.column(column).is_some_and(|it| it.not_null) {
        return NotNull::Already;
    }
    let dropped = |proof: &KnownConstraint| {
        actions.iter().any(|it| matches!(&it.kind, ActionKind::DropConstraint { name, .. } if name.name == proof.name))
    };
    match table.proof_of_not_null(column) {
        Some(proof) if !dropped(proof) => NotNull::Proved(proof),
        _ => NotNull::Unproved,
    }
}

/// The columns that a primary key makes `NOT NULL` when it takes over an index.
pub fn made_not_null(context: &Context, table: &ObjectName, constraint: &Constraint) -> Vec<Ident> {
    let ConstraintKind::PrimaryKey { using_index: Some(index), .. } = &constraint.kind else { return Vec::new() };
    let Some(table) = context.catalog.table(table) else { return Vec::new() };
    let mut indexes = context.catalog.indexes_of(&table.name);
    let keys = indexes.find(|it| it.name.last() == index.name).map(|it| it.keys.clone());
    let known = |table: &Table, name: &String| table.columns.iter().any(|it| it.name == *name);
    let keys = keys.unwrap_or_default().into_iter().filter(|it| known(table, it));
    keys.map(|name| Ident { name, span: index.span }).collect()
}
