//! A table has one primary key.
//!
//! Postgres refuses a second one, whatever its columns are. What is to be unique besides is a unique constraint on columns
//! that are `NOT NULL`; a key on other columns takes the place of the old one once no foreign key points to that. Said only
//! of tables that the files tell in full.
//!
//! ```sql bad fails=42P16
//! create table visits (id bigint primary key, day date, primary key (id, day));
//! ```
//!
//! ```sql bad fails=42P16
//! create table visits (id bigint primary key, day date);
//! alter table visits add primary key (id, day);
//! ```
//!
//! ```sql bad fails=42P16
//! create table visits (id bigint primary key, day date);
//! alter table visits add column number bigserial primary key;
//! ```
//!
//! ```sql good
//! create table visits (id bigint constraint visits_key primary key, day date);
//! alter table visits drop constraint visits_key, add primary key (id, day);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterTable, Constraint, ConstraintKind, CreateTable},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "second-primary-key",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("second_primary_key.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let second = match &statement.change {
        Change::CreateTable(new) => written_twice(context, new).map(|span| (span, &new.name)),
        Change::AlterTable(alter) => added(context, alter).map(|span| (span, &alter.table)),
        _ => None,
    };
    let problem = |(span, table): (Span, &ObjectName)| {
        Problem::at(span)
            .says(format!("`{table}` would have two primary keys: this fails when it runs"))
            .help("make it `unique` on columns that are `not null`, or drop the other key first")
    };
    second.map(problem).into_iter().collect()
}

/// The second of the keys that `CREATE TABLE` itself writes.
fn written_twice(context: &Context, new: &CreateTable) -> Option<Span> {
    // Then there may be nothing to create.
    if new.if_not_exists && context.catalog.table(&new.name).is_some() {
        return None;
    }
    let of_columns = new.columns.iter().flat_map(|it| &it.constraints);
    of_columns.chain(&new.constraints).filter(|it| is_key(it)).nth(1).map(|it| it.span)
}

/// A key for a table that has one, or the second of one statement.
fn added(context: &Context, alter: &AlterTable) -> Option<Span> {
    let table = context.catalog.told(&alter.table)?;
    if alter.actions.iter().any(|it| it.kind.drops_before_adding()) {
        return None;
    }
    let has_one =
        table.constraints.iter().any(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }) && it.origin.certain);
    let adds = |kind: &ActionKind| match kind {
        ActionKind::AddConstraint(new) => is_key(new),
        ActionKind::AddColumn { column, if_not_exists } => {
            let is_there = *if_not_exists && table.column(&column.name).is_some();
            !is_there && column.constraints.iter().any(is_key)
        }
        _ => false,
    };
    alter.actions.iter().filter(|it| adds(&it.kind)).nth(usize::from(!has_one)).map(|it| it.span)
}

fn is_key(constraint: &Constraint) -> bool {
    matches!(constraint.kind, ConstraintKind::PrimaryKey { .. })
}
