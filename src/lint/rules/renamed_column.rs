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
    for (span, relation, column) in renamed(statement) {
        if is_new(context, relation, column) || context.later().iter().any(|it| adds(it, relation, column)) {
            continue;
        }
        problems.push(
            Problem::at(span)
                .says(format!("the running application fails on every query that names `{column}` of `{relation}`"))
                .help("add a column with the new name beside it, keep both in step with a trigger, move readers and writers over, and drop the old one in a later release"),
        );
    }
    problems
}

/// Where, of what, which.
fn renamed(statement: &Statement) -> Vec<(Span, &ObjectName, &Ident)> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let renames = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::RenameColumn { from, .. } => Some((action.span, &alter.table, from)),
                _ => None,
            });
            renames.collect()
        }
        Change::AlterObject(AlterObject {
            kind: ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Type | ObjectKind::ForeignTable,
            name: Some(name),
            action: ObjectAction::RenamePart { from, .. },
            ..
        }) => vec![(statement.span, name, from)],
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
