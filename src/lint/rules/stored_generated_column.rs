//! A stored generated column is computed for every row, which writes the whole table again.
//!
//! `GENERATED ALWAYS AS (…) STORED` and, from Postgres 17, `ALTER COLUMN … SET EXPRESSION` do so under an exclusive
//! lock: nobody reads or writes the table meanwhile. A virtual column (Postgres 18) is computed when it is read
//! and costs nothing here.
//!
//! ```sql setup
//! create table orders (id bigint primary key, net numeric, tax numeric, doubled numeric generated always as (net * 2) stored);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column gross numeric generated always as (net + tax) stored;
//! ```
//!
//! ```sql bad since=17 locks=orders:AccessExclusiveLock
//! alter table orders alter column doubled set expression as (net * 3);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column gross numeric;
//! ```
//!
//! ```sql good since=18 locks=orders:AccessExclusiveLock
//! alter table orders add column gross numeric generated always as (net + tax) virtual;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, Generated},
    },
};

pub static RULE: Rule = Rule {
    name: "stored-generated-column",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("stored_generated_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let added = actions::added_columns(context, statement).into_iter();
    let stored = added.filter(|(_, _, column)| column.generated == Some(Generated::Stored));
    let mut problems: Vec<_> = stored.map(|(alter, action, column)| {
        let (table, name) = (&alter.table, &column.name);
        Problem::at(action.span).weighing(table)
            .says(format!("reads and writes of `{table}` wait while `{name}` is computed and stored in every row"))
            .help(format!(
                "add `{name}` as a plain column, have a trigger fill it for new rows, and fill those that are there in batches"
            ))
    }).collect();
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return problems };
    for action in actions {
        if let ActionKind::SetExpression { column, .. } = &action.kind {
            let table = &alter.table;
            // A virtual column (Postgres 18) is computed when it is read.
            let known = context.catalog.table(table).and_then(|it| it.column(column));
            if known.is_some_and(|it| it.generated == Some(Generated::Virtual)) {
                continue;
            }
            problems.push(
                Problem::at(action.span)
                    .weighing(table)
                    .says(format!("reads and writes of `{table}` wait while `{column}` is computed again in every row"))
                    .help("add a new column for the new expression, and move readers over to it"),
            );
        }
    }
    problems
}
