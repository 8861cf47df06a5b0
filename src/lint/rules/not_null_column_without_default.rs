//! A `NOT NULL` column without a default cannot be added to a table that has rows.
//!
//! Postgres has nothing to put into the rows that are there, and fails with "column … contains null values".
//! A constant or a stable default costs nothing: it is stored once, no row is written. Old code that inserts
//! without the column goes on working while the default stays.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! insert into orders values (1);
//! ```
//!
//! ```sql bad fails=23502
//! alter table orders add column state text not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column state text not null default 'new';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column state text;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions::added_columns, effects::is_unfilled},
    report::Harm,
    sql::{
        Statement,
        change::{AlterTable, Column, TableAction},
    },
};

pub static RULE: Rule = Rule {
    name: "not-null-column-without-default",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("not_null_column_without_default.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let added = added_columns(context, statement).into_iter();
    let unfilled = added.filter(|(_, _, column)| is_unfilled(context, column));
    let problem = |(alter, action, column): (&AlterTable, &TableAction, &Column)| {
        let (table, name) = (&alter.table, &column.name);
        Problem::at(action.span)
            .says(format!("rows of `{table}` would have no value for `{name}`: this fails unless the table is empty"))
            .help(format!(
                "give `{name}` a constant default, or add it without `not null`, fill it in batches, and have a \
                 validated `check ({name} is not null)` before `set not null`"
            ))
    };
    unfilled.map(problem).collect()
}
