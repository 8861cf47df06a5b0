//! A value that `ALTER TYPE … ADD VALUE` adds cannot be used before its transaction is committed.
//!
//! Postgres fails with "unsafe use of new value": in a default, an insert, an update, a check or an index predicate of
//! the same migration. Add the value in one migration and use it in the next.
//! See <https://www.postgresql.org/docs/current/sql-altertype.html#SQL-ALTERTYPE-NOTES>.
//!
//! ```sql setup
//! create type state as enum ('new', 'done');
//! create table orders (id bigint primary key, state state, note text);
//! ```
//!
//! ```sql bad fails=55P04
//! alter type state add value 'shipped';
//! alter table orders alter column state set default 'shipped';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter type state add value 'shipped';
//! alter table orders alter column state set default 'new';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, running, types},
    report::Harm,
    sql::{
        Change, Statement,
        change::{AlterObject, CreateRoutine, ObjectAction},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "enum-value-in-same-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("enum_value_in_same_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !is_evaluated(&statement.change) {
        return Vec::new();
    }
    let text = context.migration.text.get(statement.span.start..statement.span.end).unwrap_or_default();
    let added = context.same_transaction().iter().flat_map(running).filter_map(|it| match &it.change {
        Change::AlterObject(AlterObject { name: Some(name), action: ObjectAction::AddValue { value, .. }, .. }) => {
            Some((name, value))
        }
        _ => None,
    });
    let used = added.filter(|(name, value)| {
        text.contains(&format!("'{}'", value.replace('\'', "''"))) && is_about(context, text, name)
    });
    let problem = used.map(|(name, _)| {
        Problem::at(statement.span)
            .says(format!(
                "this uses a value of `{name}` that is added above and not committed yet: it fails when it runs"
            ))
            .help("put this into the next migration")
    });
    problem.collect()
}

/// Postgres looks at the values in it now, not when something calls it.
fn is_evaluated(change: &Change) -> bool {
    match change {
        Change::AlterObject(_) | Change::Comment { .. } | Change::Do { .. } => false,
        Change::CreateRoutine(CreateRoutine { body, .. }) => body.language == "sql",
        _ => true,
    }
}

/// The text names the enum, or a table with a column of it.
fn is_about(context: &Context, text: &str, name: &ObjectName) -> bool {
    let words: Vec<_> = text.split(|it: char| !(it.is_alphanumeric() || it == '_' || it == '$')).collect();
    let says = |name: &str| words.iter().any(|it| it.eq_ignore_ascii_case(name));
    let is_of_it = |data_type: &str| {
        let data_type = types::read(data_type);
        data_type.name.rsplit('.').next() == Some(name.last())
    };
    let mut tables = context.catalog.tables.values().filter(|it| says(it.name.last()));
    says(name.last()) || tables.any(|it| it.columns.iter().any(|column| is_of_it(&column.data_type)))
}
