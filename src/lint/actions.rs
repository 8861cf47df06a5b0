//! The parts of `ALTER TABLE` that several rules look at.

use crate::sql::{
    Change, Statement,
    change::{ActionKind, AlterTable, Column, TableAction},
};

use super::Context;

/// The statement's actions on a table that was there before the release and holds its rows here: it was not emptied by
/// the same transaction either.
pub fn on_existing_table<'s>(
    context: &Context,
    statement: &'s Statement,
) -> Option<(&'s AlterTable, &'s [TableAction])> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let foreign = alter.foreign || context.catalog.table(&alter.table).is_some_and(|it| it.foreign);
    (!foreign && !context.is_new(&alter.table) && !context.is_emptied(&alter.table))
        .then_some((alter, alter.actions.as_slice()))
}

/// Columns that the statement adds to a table that was there before the release; without those that
/// `IF NOT EXISTS` finds to be there.
pub fn added_columns<'s>(
    context: &Context,
    statement: &'s Statement,
) -> Vec<(&'s AlterTable, &'s TableAction, &'s Column)> {
    let Some((alter, actions)) = on_existing_table(context, statement) else { return Vec::new() };
    let table = context.catalog.table(&alter.table);
    let is_there = |column: &Column| {
        let known = table.and_then(|it| it.column(&column.name));
        known.is_some_and(|it| it.origin.certain)
    };
    let added = actions.iter().filter_map(|action| match &action.kind {
        ActionKind::AddColumn { column, if_not_exists } if !(*if_not_exists && is_there(column)) => {
            Some((alter, action, column.as_ref()))
        }
        _ => None,
    });
    added.collect()
}
