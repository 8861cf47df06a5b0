//! `SET NOT NULL`: what proves that no row has to be read.

use crate::{
    catalog::{Constraint as KnownConstraint, Table},
    lint::Context,
    sql::{
        Change, Statement,
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
    /// No file says what this constraint checks, but what is done with it says that it proves this.
    Assumed(&'c Ident),
    /// Every row is read.
    Unproved,
}

impl NotNull<'_> {
    /// Of a scan.
    pub fn chance(self) -> Chance {
        match self {
            Self::Already | Self::Proved(_) => Chance::No,
            Self::Assumed(_) => Chance::Unlikely,
            Self::Unproved => Chance::Sure,
        }
    }
}

/// Whether rows are read to make a column `NOT NULL`; `actions` are those of the whole statement, which may drop the
/// proof.
pub fn not_null<'c>(context: &Context<'c>, table: &ObjectName, column: &Ident, actions: &[TableAction]) -> NotNull<'c> {
    let unproved = || assumed(context, table, column).map_or(NotNull::Unproved, NotNull::Assumed);
    let Some(table) = context.catalog.table(table) else { return unproved() };
    if table.column(column).is_some_and(|it| it.not_null) {
        return NotNull::Already;
    }
    let dropped = |proof: &KnownConstraint| {
        actions.iter().any(|it| matches!(&it.kind, ActionKind::DropConstraint { name, .. } if name.name == proof.name))
    };
    match table.proof_of_not_null(column) {
        Some(proof) if !dropped(proof) => NotNull::Proved(proof),
        Some(_) => NotNull::Unproved,
        None if table.partial => unproved(),
        None => NotNull::Unproved,
    }
}

/// A constraint that no file adds, which this migration validates before or drops afterwards, and which is named after
/// the column: somebody does here what the manual advises, and the check is in a file that was not read.
fn assumed<'c>(context: &Context<'c>, table: &ObjectName, column: &Ident) -> Option<&'c Ident> {
    // A file with more statements than this is generated, and not by hand in steps.
    const NEAR: usize = 50;
    let name = context.catalog.resolve(table);
    let is_it = |other: &ObjectName| context.catalog.resolve(other) == name;
    let unknown =
        |constraint: &Ident| context.catalog.table(&name).is_none_or(|it| it.constraint(constraint).is_none());
    let names_it = |constraint: &Ident| constraint.name.to_lowercase().contains(&column.name.to_lowercase());
    let actions = |statement: &'c Statement| match &statement.change {
        Change::AlterTable(alter) if is_it(&alter.table) => alter.actions.as_slice(),
        _ => &[],
    };
    let validated = |action: &'c TableAction| match &action.kind {
        ActionKind::ValidateConstraint { name } => Some(name),
        _ => None,
    };
    let dropped = |action: &'c TableAction| match &action.kind {
        ActionKind::DropConstraint { name, .. } => Some(name),
        _ => None,
    };
    let before = context.earlier().iter().rev().take(NEAR).flat_map(actions).filter_map(validated);
    let after = context.later().iter().take(NEAR).flat_map(actions).filter_map(dropped);
    before.chain(after).find(|it| names_it(it) && unknown(it))
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
