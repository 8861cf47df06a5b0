//! A new column that is required at once breaks every insert of the application that is running.
//!
//! Processes that still run old code know nothing of the column and leave it out; they fail with "null value in column
//! … violates not-null constraint". A default, an identity or a trigger that fills it is as good as a value. In two
//! releases:
//!
//! 1. The column comes with a default, or may be null, and the new code writes it.
//! 2. When no old process is left: rows without it are filled in batches, a check that it is set is added `not valid`,
//!    the next migration validates it, and then `set not null` reads nothing.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column state text;
//! alter table orders add constraint orders_state_set check (state is not null) not valid;
//! ```
//!
//! ```sql bad also=set-not-null,lock-order config=orders locks=orders:AccessExclusiveLock
//! alter table orders add column state text;
//! update orders set state = 'new' where id < 1000 and state is null;
//! alter table orders alter column state set not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column state text not null default 'new';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column state text default 'new';
//! alter table orders add constraint orders_state_set check (state is not null) not valid;
//! ```

use crate::{
    catalog::Column,
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions, running, types},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "required-new-column",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("required_new_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let Some(table) = context.catalog.table(&alter.table) else { return Vec::new() };
    if is_filled_by_trigger(context, &table.name) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for action in actions {
        let required = table.columns.iter().find(|it| it.origin.is_new() && requires(&action.kind, &it.name));
        let Some(column) = required.filter(|it| !is_filled(context, it)) else { continue };
        let name = &column.name;
        if context.later().iter().any(|it| fills(it, &alter.table, name)) {
            continue;
        }
        problems.push(
            Problem::at(action.span)
                .says(format!(
                    "the running application does not know `{name}`, and all its inserts into `{}` fail",
                    alter.table
                ))
                .help(plan(&alter.table, name, &column.data_type)),
        );
    }
    problems
}

/// How it is done while the running application goes on.
fn plan(table: &ObjectName, column: &str, data_type: &str) -> String {
    let check = format!("{}_{column}_set", table.last());
    format!(
        "release 1: `alter table {table} add column {column} {data_type}` (with a `default`, where one is right), and write it \
         from the new code; release 2, when no old process is left: `update {table} set {column} = … where {column} is null` in \
         batches, `alter table {table} add constraint {check} check ({column} is not null) not valid`, and in the next \
         migration `validate constraint {check}` and `alter column {column} set not null`"
    )
}

/// Does the action refuse rows without the column?
fn requires(action: &ActionKind, column: &str) -> bool {
    match action {
        ActionKind::SetNotNull { column: required } => required.name == column,
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::NotNull { column: required } => required.name == column,
            ConstraintKind::Check { expression: Some(check) } => {
                let text = check.text.to_lowercase().replace(['(', ')', '"'], " ");
                let words = text.split_whitespace().collect::<Vec<_>>();
                let asks = words.windows(4).any(|it| *it == [column, "is", "not", "null"]);
                asks && !words.contains(&"or") && !words.contains(&"case")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Has the column a value of its own?
fn is_filled(context: &Context, column: &Column) -> bool {
    let default = column.default.as_ref().is_some_and(|it| !it.text.trim().eq_ignore_ascii_case("null"));
    default
        || column.generated.is_some()
        || types::own_default(context.catalog, &types::read(&column.data_type)).is_some()
        || column.data_type.contains("serial")
}

fn fills(statement: &Statement, table: &ObjectName, name: &str) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let is_it = |column: &Ident| column.name == name;
    alter.table == *table
        && alter.actions.iter().any(|it| match &it.kind {
            ActionKind::SetDefault { column, .. }
            | ActionKind::AddIdentity { column, .. }
            | ActionKind::DropNotNull { column } => is_it(column),
            _ => false,
        })
}

/// Nobody knows from outside which columns a trigger fills.
fn is_filled_by_trigger(context: &Context, table: &ObjectName) -> bool {
    let creates = |it: &Statement| matches!(&it.change, Change::CreateTrigger { table: on, .. } if context.catalog.resolve(on) == *table);
    !context.catalog.triggers.on(table).is_empty() || context.later().iter().flat_map(running).any(creates)
}
