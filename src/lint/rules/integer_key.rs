//! A primary key that counts up in an `integer` ends at 2,147,483,647, and every insert fails from then on.
//!
//! Gaps count, too: rolled back and conflicting inserts use numbers up. Changing it to `bigint` later writes the table and
//! everything that references it again. A table whose rows never come near that can keep it.
//!
//! ```sql bad
//! create table visits (id serial primary key, page text);
//! ```
//!
//! ```sql bad
//! create table visits (id int generated always as identity, page text, primary key (id));
//! ```
//!
//! ```sql good
//! create table visits (id bigint generated always as identity primary key, page text);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Column, ConstraintKind, Generated},
        data_type,
    },
};

pub static RULE: Rule = Rule {
    name: "integer-key",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("integer_key.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    if matches!(&statement.change, Change::CreateTable(it) if it.temporary || it.foreign) {
        return Vec::new();
    }
    let constraints = added::constraints(statement);
    let is_key = |column: &Column| {
        let alone = |it: &ConstraintKind| matches!(it, ConstraintKind::PrimaryKey { columns, .. } if *columns == [column.name.clone()]);
        column.primary_key || constraints.iter().any(|(_, it)| alone(&it.kind))
    };
    let counting = added::columns(statement).into_iter().filter(|(_, it)| is_key(it));
    let problems = counting.filter_map(|(table, column)| {
        let last = last_number(column)?;
        Some(
            Problem::at(column.span)
                .says(format!("inserts into `{table}` fail once `{}` has counted to {last}", column.name))
                .help(format!("`{} bigint generated always as identity`", column.name)),
        )
    });
    problems.collect()
}

/// Where a column that counts up by itself ends, when that is soon.
fn last_number(column: &Column) -> Option<&'static str> {
    let draws = column.default.iter().flat_map(|it| &it.calls).any(|it| it.last() == "nextval");
    if !(column.is_serial() || column.generated == Some(Generated::Identity) || draws) {
        return None;
    }
    match data_type::read(&column.data_type).name.as_str() {
        "integer" => Some("2,147,483,647"),
        "smallint" => Some("32,767"),
        _ => None,
    }
}
