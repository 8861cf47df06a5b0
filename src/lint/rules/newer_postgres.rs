//! This needs a newer Postgres than the one that the migration is judged for.
//!
//! There it fails. Virtual generated columns, `not enforced`, `not null` constraints of their own and `uuidv7()` came with
//! 18, `set expression` with 17, `merge`, `nulls not distinct`, `security_invoker` and `set null (…)` with 15. Say which
//! major version the database has with `postgres: 18` in the configuration or `--postgres 18`; where a database is read,
//! its own version counts.
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
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("newer_postgres.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let major = context.postgres.number();
    let needed = needed(statement).into_iter().filter(|(_, _, since)| *since > major);
    let problem = |(span, what, since): (Span, &str, u8)| {
        Problem::at(span)
            .says(format!("this fails on Postgres {major}, for which it is judged: {what} needs {since}"))
            .help(format!("write `postgres: {since}` into the configuration if that is what the database has"))
    };
    needed.map(problem).collect()
}

/// What the statement uses that not every version has, and since when it is there.
fn needed(statement: &Statement) -> Vec<(Span, &'static str, u8)> {
    let one = |is_there: bool, what, since| is_there.then_some((statement.span, what, since)).into_iter().collect();
    match &statement.change {
        Change::CreateTable(table) => {
            let columns = table.columns.iter().filter_map(|it| of_column(it, it.span));
            let own = table.columns.iter().flat_map(|it| &it.constraints);
            columns.chain(table.constraints.iter().chain(own).filter_map(of_constraint)).collect()
        }
        Change::AlterTable(alter) => {
            let each = alter.actions.iter().flat_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => {
                    let own = column.constraints.iter().filter_map(of_constraint);
                    of_column(column, action.span).into_iter().chain(own).collect()
                }
                ActionKind::SetExpression { .. } => vec![(action.span, "`set expression`", 17)],
                ActionKind::AddConstraint(Constraint { kind: ConstraintKind::NotNull { .. }, span, .. }) => {
                    vec![(*span, "a `not null` constraint", 18)]
                }
                ActionKind::AddConstraint(it) => of_constraint(it).into_iter().collect(),
                ActionKind::AlterConstraint { enforced: Some(_), .. } => {
                    vec![(action.span, "`alter constraint … enforced`", 18)]
                }
                ActionKind::SetAccessMethod { .. } => vec![(action.span, "`set access method`", 15)],
                _ => Vec::new(),
            });
            each.collect()
        }
        Change::CreateIndex(index) => one(index.nulls_not_distinct, "`nulls not distinct`", 15),
        Change::CreateView(view) => {
            let invoker = view.options.iter().any(|(name, _)| name == "security_invoker");
            one(invoker, "`security_invoker`", 15)
        }
        Change::Merge { .. } => one(true, "`merge`", 15),
        _ => Vec::new(),
    }
}

fn of_constraint(constraint: &Constraint) -> Option<(Span, &'static str, u8)> {
    let sets = matches!(&constraint.kind, ConstraintKind::ForeignKey { set_columns, .. } if !set_columns.is_empty());
    match () {
        () if constraint.not_enforced => Some((constraint.span, "`not enforced`", 18)),
        () if constraint.nulls_not_distinct => Some((constraint.span, "`nulls not distinct`", 15)),
        () if sets => Some((constraint.span, "`set null` of some columns", 15)),
        () => None,
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
