//! A default, a check, a generated column and an index are computed from their own row, the last two always alike.
//!
//! They hold no query, no aggregate and nothing that gives several rows, and a default no column. No generated column is
//! computed from another generated one. What an index or a generated column is computed by must be immutable: `now()`
//! is not, nor is `date(at)` of a `timestamptz`, which the session's time zone decides. Such a statement fails when it
//! runs, whatever the table holds. What depends on other rows belongs into a trigger; what depends on other
//! columns into a generated column or a trigger. A function may look elsewhere, but a check by such a function is not
//! looked at again when the other rows change. See
//! <https://www.postgresql.org/docs/current/ddl-default.html> and
//! <https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-CHECK-CONSTRAINTS>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total integer not null);
//! create table regions (name text primary key);
//! create table events (id bigint primary key, seen timestamptz);
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
//! ```sql bad fails=42P17
//! create table visits (id bigint primary key, seen timestamptz generated always as (now()) stored);
//! ```
//!
//! ```sql bad fails=42P17 also=index-without-concurrently
//! create index events_recent_idx on events (id) where seen > now();
//! ```
//!
//! ```sql bad fails=42P17 also=index-without-concurrently
//! create index events_day_idx on events ((seen::date));
//! ```
//!
//! ```sql bad fails=42P17 also=index-without-concurrently
//! create index events_day_idx on events (date_trunc('day', seen));
//! ```
//!
//! ```sql bad fails=42803
//! create table parcels (id bigint primary key, weight int check (sum(weight) > 0));
//! ```
//!
//! ```sql bad fails=0A000
//! create table parcels (id bigint primary key, weight int default generate_series(1, 3));
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
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added, mutability},
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
            _ if calls_one_of(context, it, AGGREGATES) => "an aggregate",
            _ if calls_one_of(context, it, SEVERAL_ROWS) => "what gives several rows",
            _ => return None,
        };
        let article = if what == "index" { "an" } else { "a" };
        Some(
            Problem::at(span)
                .says(format!("{article} {what} cannot hold {why}: this fails when it runs"))
                .help("compute it in a trigger, or in a function that is called here"),
        )
    };
    let mut problems = written(statement).into_iter().filter_map(problem).collect::<Vec<_>>();
    problems.extend(from_generated(context, statement));
    problems.extend(mutable(context, statement));
    problems
}

/// Aggregates and window functions of Postgres's own that are nothing else.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "dense_rank",
    "every",
    "json_agg",
    "jsonb_agg",
    "max",
    "min",
    "rank",
    "row_number",
    "string_agg",
    "sum",
];

/// The same of what gives rows.
const SEVERAL_ROWS: &[&str] = &[
    "generate_series",
    "json_array_elements",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_object_keys",
    "regexp_split_to_table",
    "unnest",
];

fn calls_one_of(context: &Context, it: &Expression, functions: &[&str]) -> bool {
    let is_one = |it: &ObjectName| it.parts.len() == 1 && functions.contains(&it.last());
    it.calls.iter().any(|it| is_one(it) && context.catalog.routine(it).is_empty())
}

/// What indexes and generated columns are computed by and is not immutable.
fn mutable(context: &Context, statement: &Statement) -> Vec<Problem> {
    let catalog = context.catalog;
    let of_table = |table: &ObjectName, name: &ObjectName| {
        let added = added::columns(statement).into_iter().find(|(_, it)| it.name.name == name.last());
        let added = added.map(|(_, it)| catalog.read_type(&it.data_type));
        let known = || catalog.told(table)?.column_named(name.last()).filter(|it| it.origin.certain);
        added.or_else(|| known().map(|it| (*it.resolved).clone()))
    };
    let problem = |(table, what, it): (&ObjectName, &str, &Expression)| {
        let why = mutability::mutable(catalog, it, |column| of_table(table, column))?;
        Some(
            Problem::at(it.span)
                .says(format!("{what} must be immutable, and {why} is not: this fails when it runs"))
                .help("fix what it depends on, `at time zone 'utc'` or a constant; or compute it where it is read"),
        )
    };
    kept(statement).into_iter().filter_map(problem).collect()
}

/// Expressions whose values are stored.
fn kept(statement: &Statement) -> Vec<(&ObjectName, &'static str, &Expression)> {
    let mut kept = Vec::new();
    for (table, column) in added::columns(statement) {
        kept.extend(column.generated_as.iter().map(|it| (table, "a generated column", it)));
    }
    match &statement.change {
        Change::CreateIndex(index) => {
            let keys = index.parts.iter().filter(|it| it.column.is_none()).map(|it| &it.expression);
            kept.extend(keys.map(|it| (&index.table, "an index", it)));
            kept.extend(index.predicate.iter().map(|it| (&index.table, "an index", it)));
        }
        Change::CreateTable(table) => {
            let keys = table.partition_by.iter().flat_map(|it| &it.keys).filter(|it| it.column.is_none());
            kept.extend(keys.map(|it| (&table.name, "a partition key", &it.expression)));
        }
        Change::AlterTable(alter) => kept.extend(alter.actions.iter().filter_map(|it| match &it.kind {
            ActionKind::SetExpression { expression, .. } => Some((&alter.table, "a generated column", expression)),
            _ => None,
        })),
        _ => {}
    }
    kept
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
    written.extend(of_others(statement));
    if let Change::AlterTable(alter) = &statement.change {
        written.extend(alter.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::SetDefault { default: Some(it), .. } => Some((action.span, "default", it)),
            ActionKind::SetType { using: Some(it), .. } => Some((action.span, "new type", it)),
            _ => None,
        }));
    }
    written
}

/// Those of indexes, partition keys and triggers.
fn of_others(statement: &Statement) -> Vec<(Span, &'static str, &Expression)> {
    match &statement.change {
        Change::CreateIndex(index) => {
            let keys = index.parts.iter().filter(|it| it.column.is_none()).map(|it| &it.expression);
            keys.chain(&index.predicate).map(|it| (it.span, "index", it)).collect()
        }
        Change::CreateTable(table) => {
            let keys = table.partition_by.iter().flat_map(|it| &it.keys).filter(|it| it.column.is_none());
            keys.map(|it| (it.expression.span, "partition key", &it.expression)).collect()
        }
        Change::CreateTrigger { firing, .. } => {
            firing.condition.iter().map(|it| (it.span, "condition of a trigger", it)).collect()
        }
        _ => Vec::new(),
    }
}
