//! A default, a check and a generated column may hold no query, and a default no column.
//!
//! They are computed from their own row, and no generated column from another generated one. Such a statement fails
//! when it runs, whatever the table holds. What depends on other rows belongs into a trigger; what depends on other
//! columns into a generated column or a trigger. A function may look elsewhere, but a check by such a function is not
//! looked at again when the other rows change. See
//! <https://www.postgresql.org/docs/current/ddl-default.html> and
//! <https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-CHECK-CONSTRAINTS>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total integer not null);
//! create table regions (name text primary key);
//! create table bills (id bigint primary key, total int, net int generated always as (total - 1) stored);
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders add column region text default (select name from regions limit 1);
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders alter column total set default (select count(*) from regions);
//! ```
//!
//! ```sql bad fails=0A000
//! create table parcels (id bigint primary key, weight integer default id);
//! ```
//!
//! ```sql bad fails=0A000
//! create table parcels (id bigint primary key, region text check (region in (select name from regions)));
//! ```
//!
//! ```sql bad fails=42P17 also=stored-generated-column
//! alter table bills add column tax int generated always as (net / 5) stored;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column region text default current_setting('app.region', true);
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key, weight integer default 5, region text check (region in ('eu', 'us')));
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Column, ConstraintKind, Expression, Generated},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-expression",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_expression.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let problem = |(span, what, it): (Span, &str, &Expression)| {
        let why = match what {
            _ if it.subquery => "a query",
            "default" if is_a_column(it) => "a column",
            _ => return None,
        };
        Some(
            Problem::at(span)
                .says(format!("a {what} cannot hold {why}: this fails when it runs"))
                .help("compute it in a trigger, or in a function that is called here"),
        )
    };
    let mut problems = written(statement).into_iter().filter_map(problem).collect::<Vec<_>>();
    problems.extend(from_generated(context, statement));
    problems
}

/// Generated columns that are computed from another one.
fn from_generated(context: &Context, statement: &Statement) -> Vec<Problem> {
    let columns = added::columns(statement);
    let computed = |it: Option<Generated>| matches!(it, Some(Generated::Stored | Generated::Virtual));
    let is_computed = |table: &ObjectName, name: &str| match columns.iter().find(|it| it.1.name.name == name) {
        Some((_, own)) => computed(own.generated),
        None => {
            let known = context.catalog.table(table).and_then(|it| it.column_named(name));
            known.is_some_and(|it| it.origin.certain && computed(it.generated))
        }
    };
    let problem = |(table, column): &(&ObjectName, &Column)| {
        let from = column.generated_as.as_ref()?;
        let other = from.names.iter().find(|it| it.last() != column.name.name && is_computed(table, it.last()))?;
        let (own, other) = (&column.name, other.last());
        Some(
            Problem::at(from.span)
                .says(format!(
                    "`{own}` cannot be computed from `{other}`, which is computed itself: this fails when it runs"
                ))
                .help(format!("write out what `{other}` is computed from")),
        )
    };
    columns.iter().filter_map(problem).collect()
}

/// Nothing but a name: words of `extract(year from …)` and `make_interval(days => …)` are none of a column.
fn is_a_column(it: &Expression) -> bool {
    it.names.len() == 1 && it.names[0].to_string() == it.text.trim().trim_matches('"')
}

/// Expressions of columns and constraints, and what each is.
fn written(statement: &Statement) -> Vec<(Span, &'static str, &Expression)> {
    let mut written = Vec::new();
    for (_, column) in added::columns(statement) {
        written.extend(column.default.iter().map(|it| (column.span, "default", it)));
        written.extend(column.generated_as.iter().map(|it| (column.span, "generated column", it)));
        written.extend(column.check.iter().map(|it| (column.span, "check", it)));
    }
    for (_, constraint) in added::constraints(statement) {
        if let ConstraintKind::Check { expression: Some(it) } = &constraint.kind {
            written.push((constraint.span, "check", it));
        }
    }
    if let Change::AlterTable(alter) = &statement.change {
        written.extend(alter.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::SetDefault { default: Some(it), .. } => Some((action.span, "default", it)),
            _ => None,
        }));
    }
    written
}
