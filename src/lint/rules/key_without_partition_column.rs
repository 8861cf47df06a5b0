//! A primary key or unique constraint of a partitioned table has to contain every column it is partitioned by.
//!
//! Each partition has an index of its own, so that Postgres can only see to uniqueness within one. A partition key with
//! an expression in it allows none at all. An ordinary unique index on each partition is possible.
//!
//! ```sql setup
//! create table events (id bigint not null, at date not null, code text) partition by range (at);
//! ```
//!
//! ```sql bad fails=0A000
//! create table visits (id bigint primary key, at date not null) partition by range (at);
//! ```
//!
//! ```sql bad fails=0A000 also=constraint-building-index
//! alter table events add constraint events_pkey primary key (id);
//! ```
//!
//! ```sql bad fails=0A000
//! create unique index events_code_idx on events (code);
//! ```
//!
//! ```sql good
//! create table visits (id bigint not null, at date not null, primary key (id, at)) partition by range (at);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Change, Span, Statement, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "key-without-partition-column",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("key_without_partition_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut keys: Vec<(&ObjectName, Vec<&str>, Span)> = Vec::new();
    for key in added::keys(statement) {
        keys.push((key.table, key.columns.iter().map(|it| it.name.as_str()).collect(), key.span));
    }
    if let Change::CreateIndex(index) = &statement.change
        && index.unique
    {
        keys.push((&index.table, index.keys.iter().map(String::as_str).collect(), index.span));
    }
    if keys.is_empty() {
        return Vec::new();
    }
    let problem = |(table, columns, span): (&ObjectName, Vec<&str>, Span)| {
        let missing =
            partitioned_by(context, statement, table).into_iter().find(|it| !columns.contains(&it.as_str()))?;
        Some(
            Problem::at(span)
                .says(format!("`{table}` is partitioned by `{missing}`, which this key lacks: it fails when it runs"))
                .help(format!("put `{missing}` into the key, or make each partition's own index unique")),
        )
    };
    keys.into_iter().filter_map(problem).collect()
}

/// Columns, and expressions as text, which no key contains.
fn partitioned_by(context: &Context, statement: &Statement, table: &ObjectName) -> Vec<String> {
    if let Change::CreateTable(new) = &statement.change {
        let keys = new.partition_by.iter().flat_map(|it| &it.keys);
        return keys
            .map(|it| it.column.as_ref().map_or_else(|| it.expression.text.clone(), |it| it.name.clone()))
            .collect();
    }
    let known = context.catalog.table(table).and_then(|it| it.partition_key.as_ref());
    known.map(|it| it.keys.clone()).unwrap_or_default()
}
