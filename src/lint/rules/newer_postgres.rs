//! This needs a newer Postgres than the one that the migration is judged for.
//!
//! Virtual generated columns, `not enforced`, named `not null` constraints and `uuidv7()` came with 18, `set expression`
//! with 17, `merge` with 15. Say which major version the database has with `postgres: 18` in the configuration or
//! `--postgres 18`; where a database is read, its own version counts.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total int);
//! ```
//!
//! ```sql bad unrun=18
//! alter table orders add column twice int generated always as (total * 2) virtual;
//! ```
//!
//! ```sql bad unrun=18
//! alter table orders add constraint orders_total_check check (total >= 0) not enforced;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Column, Constraint, ConstraintKind, Generated},
    },
};

pub static RULE: Rule = Rule {
    name: "newer-postgres",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("newer_postgres.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let major = context.postgres.number();
    let needed = needed(statement).into_iter().filter(|(_, _, since)| *since > major);
    let problem = |(span, what, since): (Span, &str, u8)| {
        Problem::at(span)
            .says(format!("{what} needs Postgres {since}, and this is judged for {major}"))
            .help(format!("write `postgres: {since}` into the configuration if that is what the database has"))
    };
    needed.map(problem).collect()
}

/// What the statement uses that not every version has, and since when it is there.
fn needed(statement: &Statement) -> Vec<(Span, &'static str, u8)> {
    match &statement.change {
        Change::CreateTable(table) => {
            let columns = table.columns.iter().filter_map(|it| of_column(it, it.span));
            columns.chain(table.constraints.iter().filter(|it| it.not_enforced).map(not_enforced)).collect()
        }
        Change::AlterTable(alter) => alter
            .actions
            .iter()
            .filter_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => of_column(column, action.span),
                ActionKind::SetExpression { .. } => Some((action.span, "`set expression`", 17)),
                ActionKind::AddConstraint(it) if it.not_enforced => Some(not_enforced(it)),
                ActionKind::AddConstraint(Constraint { kind: ConstraintKind::NotNull { .. }, span, .. }) => {
                    Some((*span, "a `not null` constraint", 18))
                }
                _ => None,
            })
            .collect(),
        Change::Merge { .. } => vec![(statement.span, "`merge`", 15)],
        _ => Vec::new(),
    }
}

fn of_column(column: &Column, span: Span) -> Option<(Span, &'static str, u8)> {
    let calls = |name: &str| column.default.iter().flat_map(|it| &it.calls).any(|it| it.last() == name);
    match column.generated {
        Some(Generated::Virtual) => Some((span, "a virtual column", 18)),
        _ if calls("uuidv7") => Some((span, "`uuidv7()`", 18)),
        _ if calls("uuidv4") => Some((span, "`uuidv4()`", 18)),
        _ => None,
    }
}

fn not_enforced(constraint: &Constraint) -> (Span, &'static str, u8) {
    (constraint.span, "`not enforced`", 18)
}
