//! Dropping a constraint lets in what it kept out, and statements that rely on it fail.
//!
//! `INSERT … ON CONFLICT (column)` needs the unique constraint or primary key that it names. Duplicates, orphans and bad
//! values that come in meanwhile stand in the way when the constraint is to come back. Dropping a foreign key locks
//! both tables for an instant. Without a check or a foreign key nothing fails at once, so that is a notice. A
//! constraint that the same migration adds again is replaced, not lost, and a check that only proved what `NOT NULL`
//! now says is not missed.
//!
//! ```sql setup
//! create table orders (id bigint primary key, number text, total numeric, state text not null);
//! alter table orders add constraint orders_number_key unique (number);
//! alter table orders add constraint orders_total_check check (total >= 0);
//! alter table orders add constraint orders_state_is_set check (state is not null);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders drop constraint orders_number_key;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders drop constraint orders_total_check;
//! alter table orders add constraint orders_total_check check (total > 0) not valid;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders drop constraint orders_state_is_set;
//! ```

use crate::{
    catalog::{Constraint, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "dropped-constraint",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("dropped_constraint.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = context.catalog.table(&alter.table);
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::DropConstraint { name, .. } = &action.kind else { continue };
        let known = table.and_then(|it| it.constraint(name));
        let came_with_the_release = known.is_some_and(|it| it.origin.is_new());
        let redundant = table.zip(known).is_some_and(|(table, it)| only_repeats_not_null(table, it));
        let mut rest = std::iter::once(statement).chain(context.later());
        let proved = known.is_none() && has_proved(context, &alter.table, name);
        if came_with_the_release || redundant || proved || rest.any(|it| adds(it, &alter.table, name)) {
            continue;
        }
        let severity = if only_loosens(name, known) { Severity::Notice } else { Severity::Warning };
        problems.push(
            Problem::at(action.span)
                .at_most(severity)
                .says(consequence(&alter.table, name, known))
                .help("be sure that nothing relies on it; to change it, add the new one under the same name in the same migration"),
        );
    }
    problems
}

fn consequence(table: &ObjectName, name: &Ident, constraint: Option<&Constraint>) -> String {
    match constraint.map(|it| &it.kind) {
        Some(ConstraintKind::PrimaryKey { .. }) => format!(
            "`on conflict` on `{table}` fails where it relies on `{name}`, duplicates come in, and logical replication \
             refuses its updates and deletes"
        ),
        Some(ConstraintKind::Unique { .. }) => {
            format!("`on conflict` on `{table}` fails where it relies on `{name}`, and duplicates come in")
        }
        Some(ConstraintKind::ForeignKey { references, .. }) => {
            format!("rows of `{table}` without one in `{references}` come in; both tables are locked for an instant")
        }
        Some(ConstraintKind::Check { .. } | ConstraintKind::Exclude { .. } | ConstraintKind::NotNull { .. }) => {
            format!("rows that `{name}` keeps out of `{table}` come in")
        }
        None if only_loosens(name, None) => format!("rows that `{name}` keeps out of `{table}` come in"),
        None => {
            format!("rows that `{name}` keeps out of `{table}` come in, and `on conflict` fails where it relies on it")
        }
    }
}

/// A check or foreign key: no statement that ran with it fails without it. Of one that no file adds, its name tells.
fn only_loosens(name: &Ident, constraint: Option<&Constraint>) -> bool {
    match constraint.map(|it| &it.kind) {
        Some(kind) => {
            matches!(
                kind,
                ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } | ConstraintKind::NotNull { .. }
            )
        }
        None => {
            let name = name.name.to_lowercase();
            let begins = ["fk_", "fkey_", "chk_", "ck_", "check_"].iter().any(|it| name.starts_with(it));
            let ends = ["_fk", "_fkey", "_foreign", "_chk", "_ck", "_check"];
            // `_fkey1` is what Postgres calls a second one.
            let numbered = name.trim_end_matches(|it: char| it.is_ascii_digit());
            begins || ends.iter().any(|it| numbered.ends_with(it))
        }
    }
}

fn only_repeats_not_null(table: &Table, constraint: &Constraint) -> bool {
    let ConstraintKind::Check { expression: Some(check) } = &constraint.kind else { return false };
    let text = check.text.to_lowercase().replace(['(', ')', '"'], " ");
    let words = text.split_whitespace().collect::<Vec<_>>();
    let [column, "is", "not", "null"] = words[..] else { return false };
    table.columns.iter().any(|it| it.name == column && it.not_null)
}

/// Whether the column that a constraint no file adds is named after has been made `NOT NULL` just before.
fn has_proved(context: &Context, table: &ObjectName, constraint: &Ident) -> bool {
    let name = constraint.name.to_lowercase();
    let proved = |statement: &Statement| {
        let Change::AlterTable(alter) = &statement.change else { return false };
        let made = |kind: &ActionKind| matches!(kind, ActionKind::SetNotNull { column } if name.contains(&column.name.to_lowercase()));
        alter.table == *table && alter.actions.iter().any(|it| made(&it.kind))
    };
    context.earlier().iter().rev().take(50).any(proved)
}

fn adds(statement: &Statement, table: &ObjectName, name: &Ident) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let adds = |kind: &ActionKind| matches!(kind, ActionKind::AddConstraint(it) if it.name.as_ref() == Some(name));
    alter.table == *table && alter.actions.iter().any(|it| adds(&it.kind))
}
