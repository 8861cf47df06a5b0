//! Renaming a column breaks the application that is running.
//!
//! Between the migration and the last old process every query with the old name fails, writes included. Add a column
//! with the new name beside it, keep both in step with a trigger, move readers and writers over, and drop the old
//! one in a later release. A column that the release has created itself may be renamed.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create view open_orders as select id, state from orders;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders rename column state to status;
//! ```
//!
//! ```sql bad locks=open_orders:AccessExclusiveLock
//! alter view open_orders rename column state to status;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column status text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders rename column state to status;
//! alter table orders add column state text;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterObject, ObjectAction, ObjectKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "renamed-column",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("renamed_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (span, relation, column, to) in renamed(statement) {
        if is_new(context, relation, column) || context.later().iter().any(|it| adds(it, relation, column)) {
            continue;
        }
        problems.push(
            Problem::at(span)
                .says(format!("the running application fails on every query that names `{column}` of `{relation}`"))
                .help(plan(context, relation, column, to)),
        );
    }
    problems
}

/// How it is done while the running application goes on.
fn plan(context: &Context, relation: &ObjectName, from: &Ident, to: &Ident) -> String {
    if context.catalog.views.contains_key(&context.catalog.resolve(relation)) {
        return format!(
            "release 1: `create or replace view {relation} …` with `{to}` as a last column beside `{from}`, and read only \
             `{to}` from the new code; release 2, when no old process is left: drop the view and create it without `{from}`"
        );
    }
    let known = context.catalog.table(relation).and_then(|it| it.column(from)).map(|it| &*it.data_type);
    let data_type = known.filter(|it| !it.is_empty()).unwrap_or("…");
    format!(
        "release 1: `alter table {relation} add column {to} {data_type}`, a trigger `before insert or update` that keeps \
         `{from}` and `{to}` alike, `update {relation} set {to} = {from} where {to} is null` in batches, and only `{to}` in \
         the new code; release 2, when no old process is left: drop the trigger, and `alter table {relation} drop column \
         {from}`"
    )
}

/// Where, of what, which, and what it is called then.
fn renamed(statement: &Statement) -> Vec<(Span, &ObjectName, &Ident, &Ident)> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let renames = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::RenameColumn { from, to } => Some((action.span, &alter.table, from, to)),
                _ => None,
            });
            renames.collect()
        }
        Change::AlterObject(AlterObject {
            kind: ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Type | ObjectKind::ForeignTable,
            name: Some(name),
            action: ObjectAction::RenamePart { from, to },
            ..
        }) => vec![(statement.span, name, from, to)],
        _ => Vec::new(),
    }
}

fn is_new(context: &Context, relation: &ObjectName, column: &Ident) -> bool {
    let own = context.catalog.table(relation).and_then(|it| it.column(column));
    let data_type = context.catalog.data_type(relation);
    context.is_new(relation)
        || own.is_some_and(|it| it.origin.is_new())
        || data_type.is_some_and(|it| it.origin.is_new())
}

/// The old name is back when the migration ends: a generated column, or one that a trigger fills.
fn adds(statement: &Statement, table: &ObjectName, name: &Ident) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let adds = |kind: &ActionKind| matches!(kind, ActionKind::AddColumn { column, .. } if column.name == *name);
    alter.table == *table && alter.actions.iter().any(|it| adds(&it.kind))
}
