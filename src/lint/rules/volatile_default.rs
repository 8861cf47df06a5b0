//! Adding a column whose default differs from row to row writes the whole table again, under an exclusive lock.
//!
//! Nobody reads or writes the table meanwhile. Constants and stable functions (`now()`, `current_user`) are
//! evaluated once and stored beside the table: they cost nothing. Volatile ones (`gen_random_uuid()`,
//! `clock_timestamp()`, `random()`, `nextval()`) are not, and `serial` and `identity` are `nextval()` in other
//! words. A function of your own is volatile unless it is declared otherwise. A default set afterwards holds
//! for new rows only, and costs nothing.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES>.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create function token() returns text language plpgsql as 'begin return md5(random()::text); end';
//! create function region() returns text language sql stable as 'select current_setting(''app.region'', true)';
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column public_id uuid default gen_random_uuid();
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column number bigserial;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column number bigint generated always as identity;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column token text default token();
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column created_at timestamptz not null default now();
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column region text default region();
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column public_id uuid;
//! alter table orders alter column public_id set default gen_random_uuid();
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        actions::added_columns,
        effects::{Filling, filling},
        volatility::is_volatile,
    },
    report::{Harm, Severity},
    sql::{
        Statement,
        change::{Column, Generated},
    },
};

pub static RULE: Rule = Rule {
    name: "volatile-default",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("volatile_default.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (alter, action, column) in added_columns(context, statement) {
        let (why, severity) = match why(&filling(context, column), column) {
            Some(why) => why,
            None => {
                problems.extend(steady(context, column).map(|it| Problem::safe(action.span, it)));
                continue;
            }
        };
        let (table, name) = (&alter.table, &column.name);
        let default = if numbers(column) { "`nextval()` of a new sequence" } else { "the default" };
        problems.push(
            Problem::at(action.span)
                .at_most(severity)
                .weighing(table)
                .says(format!("reads and writes of `{table}` wait while every row is written again: {why}"))
                .help(format!(
                    "add `{name}` without a default, then `alter column {name} set default` to {default} (neither takes \
                     longer than an instant), and fill the rows that are there in batches"
                )),
        );
    }
    problems
}

fn numbers(column: &Column) -> bool {
    column.is_serial() || column.generated == Some(Generated::Identity)
}

fn why(filling: &Filling, column: &Column) -> Option<(String, Severity)> {
    match filling {
        Filling::Numbered => Some((format!("`{}` gives each its own number", column.name), Severity::Error)),
        Filling::Volatile(function) => {
            Some((format!("`{function}()` is volatile, so each gets its own value"), Severity::Error))
        }
        Filling::Unknown(function) => Some((
            format!("no file says whether `{function}()` is volatile, so each may get its own value"),
            Severity::Warning,
        )),
        Filling::Instant | Filling::Stored | Filling::Domain | Filling::UnknownDomain => None,
    }
}

/// Why a default that calls something costs nothing.
fn steady(context: &Context, column: &Column) -> Option<String> {
    let function = column.default.as_ref()?.calls.first()?;
    let known = is_volatile(function.last()).is_some() || !context.catalog.routine(function).is_empty();
    let said = if known { "" } else { "by its name, which is all that is known of it, " };
    Some(format!("{said}`{function}` is not volatile: its value is computed once and kept beside the table"))
}
