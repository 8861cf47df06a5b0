//! `VACUUM FULL`, `CLUSTER` and a new home for a table write all of it again under an exclusive lock.
//!
//! So do `SET LOGGED`, `SET UNLOGGED`, `SET TABLESPACE` and `SET ACCESS METHOD`. Nobody reads or writes the table meanwhile,
//! and the disk holds it twice. An index that moves is copied the same way, and queries that may use it wait. An unlogged table is empty after a crash. `pg_repack` and `pg_squeeze` give space
//! back while traffic goes on.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create type place as (x int);
//! create table places of place;
//! ```
//!
//! ```sql bad commits locks=orders:AccessExclusiveLock
//! vacuum full orders;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! cluster orders using orders_pkey;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders set unlogged;
//! ```
//!
//! ```sql bad locks=places:AccessExclusiveLock
//! alter type place alter attribute x type bigint cascade;
//! ```
//!
//! ```sql good commits locks=orders:ShareUpdateExclusiveLock
//! vacuum orders;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! alter table orders cluster on orders_pkey;
//! ```

use crate::{
    catalog::Table,
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions, effects},
    report::{Harm, Severity},
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterObject, ObjectAction, ObjectKind},
        names::ObjectName,
    },
};

use super::named_tablespace;

pub static RULE: Rule = Rule {
    name: "full-table-rewrite",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("full_table_rewrite.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let existing = |table: &&ObjectName| !context.is_new(table);
    let typed;
    let rewritten: Vec<(Span, Option<&ObjectName>)> = match &statement.change {
        Change::Vacuum { full: true, tables } if tables.is_empty() => vec![(statement.span, None)],
        Change::Vacuum { full: true, tables } => {
            tables.iter().filter(existing).map(|it| (statement.span, Some(it))).collect()
        }
        Change::Cluster { table: None } => vec![(statement.span, None)],
        Change::Cluster { table: Some(table) } => {
            Some(table).filter(existing).map(|it| (statement.span, Some(it))).into_iter().collect()
        }
        Change::AlterTable(_) => {
            let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
            let moving = actions.iter().filter(|it| moves(context, &alter.table, &it.kind));
            moving.map(|it| (it.span, Some(&alter.table))).collect()
        }
        Change::AlterObject(AlterObject { action: ObjectAction::AlterAttribute { .. }, .. }) => {
            typed = effects::of(context, statement).slow().map(|it| it.0.clone()).collect::<Vec<_>>();
            typed.iter().map(|it| (statement.span, Some(it))).collect()
        }
        _ => return moved(context, statement),
    };
    let problem = |(span, table): (Span, Option<&ObjectName>)| {
        let problem = Problem::at(span);
        // It is about those that were clustered before, and nearly always that is none.
        let clusters = |it: &Table| it.clustered;
        let bare = matches!(statement.change, Change::Cluster { table: None })
            && !context.catalog.tables.values().any(clusters);
        let problem = if bare { problem.at_most(Severity::Notice) } else { problem };
        let whose = table.map_or("every table in turn".to_owned(), |it| format!("`{it}`"));
        table
            .map_or(problem.clone(), |it| problem.weighing(it))
            .says(format!("reads and writes of {whose} wait while all of it is written again"))
            .help("give space back with `pg_repack` or plain `vacuum`; for another kind of storage fill a new table and swap the names")
    };
    rewritten.into_iter().map(problem).collect()
}

/// An index or a materialized view that gets another tablespace.
fn moved(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { name: Some(name), kind, .. }) = &statement.change else { return Vec::new() };
    if named_tablespace::moved_to(context, statement).is_none() {
        return Vec::new();
    }
    let index = context.catalog.index(name);
    if index.is_some_and(|it| it.origin.is_new() || context.is_new(&it.table)) || context.is_new(name) {
        return Vec::new();
    }
    let whom = match (kind, index) {
        (ObjectKind::Index, Some(index)) => format!("reads and writes of `{}`", index.table),
        (ObjectKind::Index, None) => "reads and writes of its table".to_owned(),
        _ => format!("reads of `{name}`"),
    };
    let problem = Problem::at(statement.span);
    let problem = index.map_or(problem.clone(), |it| problem.weighing(&it.table));
    vec![problem.says(format!("{whom} wait while all of `{name}` is copied")).help(
        "create it anew over there with `create index concurrently … tablespace …`, then drop this one concurrently",
    )]
}

fn moves(context: &Context, table: &ObjectName, action: &ActionKind) -> bool {
    let known = context.catalog.table(table);
    // A partitioned table has no rows of its own to move.
    let stored = known.is_none_or(|it| !it.partitioned);
    match action {
        ActionKind::SetLogged { logged } => known.is_none_or(|it| it.unlogged == *logged),
        // Where nearly every table is already.
        ActionKind::SetTablespace { tablespace } => stored && tablespace.name != "pg_default",
        ActionKind::SetAccessMethod { method } => stored && !["heap", "default"].contains(&method.name.as_str()),
        _ => false,
    }
}
