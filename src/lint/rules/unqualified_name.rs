//! A name without its schema lands wherever the search path of the session points.
//!
//! That differs between roles, and behind a transaction pooler between statements. Off unless the configuration gives it a
//! severity: most databases have one schema.
//!
//! ```sql bad
//! create table visits (id bigint primary key);
//! ```
//!
//! ```sql good
//! create table public.visits (id bigint primary key);
//! ```
//!
//! ```sql good
//! create temporary table visits (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "unqualified-name",
    harm: Harm::Convention,
    severity: Severities::OFF,
    waivable: Waivable::WithReason,
    source: include_str!("unqualified_name.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(name) = target(statement).filter(|it| it.parts.len() == 1) else { return Vec::new() };
    if context.catalog.table(name).is_some_and(|it| it.temporary) {
        return Vec::new();
    }
    vec![
        Problem::at(name.span())
            .says(format!("which schema `{name}` is in depends on the session's search path"))
            .help(format!("write the schema: `public.{name}`")),
    ]
}

/// What the statement makes, or changes the shape of.
fn target(statement: &Statement) -> Option<&ObjectName> {
    match &statement.change {
        Change::CreateTable(table) if !table.temporary => Some(&table.name),
        Change::CreateView(view) if !view.temporary => Some(&view.name),
        Change::AlterTable(alter) => Some(&alter.table),
        Change::CreateIndex(index) => Some(&index.table),
        Change::CreateRoutine(routine) => Some(&routine.name),
        Change::CreateType(new) => Some(&new.name),
        Change::CreateSequence { name, .. } => Some(name),
        _ => None,
    }
}
