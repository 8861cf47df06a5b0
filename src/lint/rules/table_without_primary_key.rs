//! A table without a primary key has no way to name one of its rows.
//!
//! Logical replication publishes no update or delete of it, tools that copy or compare rows leave it out, and a row
//! that came in twice cannot be told from its twin. A primary key that a later migration adds counts; temporary tables,
//! partitions, heirs and copies (`AS SELECT`, `LIKE`) are exempt.
//!
//! ```sql bad
//! create table visits (page text not null, visited_at timestamptz not null);
//! ```
//!
//! ```sql good
//! create table visits (id bigint generated always as identity primary key, page text not null);
//! ```
//!
//! ```sql good
//! create table visits (id bigint not null, page text not null);
//! alter table visits add constraint visits_pkey primary key (id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ConstraintKind, CreateTable},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "table-without-primary-key",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("table_without_primary_key.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateTable(table) = &statement.change else { return Vec::new() };
    let is_there = table.if_not_exists && context.catalog.table(&table.name).is_some();
    if is_there || is_exempt(table) || has_key(table) {
        return Vec::new();
    }
    let (says, help) = match other_key(table) {
        Some(columns) => (
            format!("`{}` has no primary key, only a unique one: replicas do not know its rows by that", table.name),
            format!("make it the key: `primary key ({columns})`"),
        ),
        None => (
            format!("`{}` has no primary key, so nothing names one of its rows", table.name),
            "add one: `id bigint generated always as identity primary key`, or a key of the columns it is found by"
                .to_owned(),
        ),
    };
    vec![
        Problem::at(table.name.span())
            .says(says)
            .help(help)
            .unless(Remedy::PrimaryKey(context.catalog.resolve(&table.name))),
    ]
}

fn has_key(table: &CreateTable) -> bool {
    table.columns.iter().any(|it| it.primary_key)
        || table.constraints.iter().any(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }))
}

/// The columns of a unique constraint that are never null.
fn other_key(table: &CreateTable) -> Option<String> {
    let never_null = |name: &Ident| table.columns.iter().any(|it| it.name == *name && it.not_null);
    let own = table.columns.iter().find(|it| it.unique && it.not_null).map(|it| it.name.name.clone());
    own.or_else(|| {
        table.constraints.iter().find_map(|it| match &it.kind {
            ConstraintKind::Unique { columns, .. } if columns.iter().all(never_null) => {
                Some(columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", "))
            }
            _ => None,
        })
    })
}

/// What has its columns from elsewhere, and what does not last.
fn is_exempt(table: &CreateTable) -> bool {
    table.temporary
        || table.foreign
        || table.from_query
        || table.partition_of.is_some()
        || !table.inherits.is_empty()
        || !table.like.is_empty()
}
