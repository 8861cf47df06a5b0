//! A constant must be one that its column's type can read.
//!
//! `default 'maybe'` of a `boolean`, `''` for a number or a date, a label that an enum does not have, `0` for a
//! `boolean`: Postgres reads the constant when the statement runs, and refuses it, whatever the table holds. Said only of
//! Postgres's own types and of enums that the files tell. See <https://www.postgresql.org/docs/current/typeconv-query.html>.
//!
//! ```sql setup
//! create type state as enum ('new', 'paid');
//! create table orders (id bigint primary key, total int, state state, open boolean, code varchar(3));
//! ```
//!
//! ```sql bad fails=22P02
//! create table parcels (id bigint primary key, weight int default 'x');
//! ```
//!
//! ```sql bad fails=22P02
//! alter table orders alter column state set default 'done';
//! ```
//!
//! ```sql bad fails=22P02
//! alter table orders add column note jsonb default '';
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders alter column open set default 0;
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders add column placed_at integer default now();
//! ```
//!
//! ```sql bad fails=22P02
//! insert into orders (id, state) values (1, 'done') on conflict do nothing;
//! ```
//!
//! ```sql bad fails=42804
//! insert into orders (id, open) values (1, 1) on conflict do nothing;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column state set default 'paid', alter column open set default '1';
//! alter table orders add column note jsonb default '{}', add column placed_at timestamptz default now();
//! insert into orders (id, state, open) values (1, 'paid', 'yes') on conflict do nothing;
//! ```

use crate::{
    catalog::Column,
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added, cells, literals},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Insert, InsertSource},
        data_type::DataType,
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-literal",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_literal.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let mut found = defaults(context, statement);
    if let Change::Insert(insert) = &statement.change {
        found.extend(
            inserted(context, statement, insert).map(|(column, data_type)| (statement.span, column, data_type)),
        );
    }
    let problem = |(span, column, data_type): (Span, String, DataType)| {
        Problem::at(span)
            .says(format!("`{column}` is given what is no `{data_type}`: this fails when it runs"))
            .help(format!("give it a constant that `{data_type}` reads"))
    };
    found.into_iter().map(problem).collect()
}

/// Where, of which column, and its type.
fn defaults(context: &Context, statement: &Statement) -> Vec<(Span, String, DataType)> {
    let catalog = context.catalog;
    let mut found = Vec::new();
    for (_, column) in added::columns(statement) {
        let data_type = catalog.read_type(&column.data_type);
        if column.default.as_ref().is_some_and(|it| literals::is_refused(catalog, &data_type, &it.whole)) {
            found.push((column.default_span.unwrap_or(column.span), column.name.name.clone(), data_type));
        }
    }
    let Change::AlterTable(alter) = &statement.change else { return found };
    let retyped = |name: &str| {
        let of = |it: &ActionKind| matches!(it, ActionKind::SetType { column, .. } if column.name == name);
        alter.actions.iter().any(|it| of(&it.kind))
    };
    found.extend(alter.actions.iter().filter_map(|action| {
        let ActionKind::SetDefault { column, default: Some(default) } = &action.kind else { return None };
        let known = known(context, &alter.table, &column.name).filter(|_| !retyped(&column.name))?;
        let refused = literals::is_refused(catalog, &known.resolved, &default.whole);
        refused.then(|| (action.span, column.name.clone(), (*known.resolved).clone()))
    }));
    found
}

fn known<'c>(context: &'c Context, table: &ObjectName, column: &str) -> Option<&'c Column> {
    context.catalog.told(table)?.column_named(column).filter(|it| it.origin.certain)
}

/// The first column of an insert whose values are none of its type.
fn inserted(context: &Context, statement: &Statement, insert: &Insert) -> Option<(String, DataType)> {
    if insert.source != InsertSource::Values {
        return None;
    }
    let table = context.catalog.told(&insert.table)?;
    let columns: Vec<Option<&Column>> = match insert.columns.as_slice() {
        [] => table.columns.iter().map(Some).collect(),
        // Of an array one element may be meant: `tags[1]`.
        named => named.iter().map(|it| table.column(it).filter(|it| !it.resolved.array)).collect(),
    };
    let rows = cells::rows(context.written(statement.span))?;
    let refused = |column: &Column, cell: &cells::Cell| {
        let constant = cells::constant(cell);
        constant.is_some_and(|it| literals::is_refused(context.catalog, &column.resolved, &it))
    };
    let of_row = |row: &Vec<cells::Cell>| {
        let pairs =
            columns.iter().zip(row).filter_map(|(column, cell)| Some((column.filter(|it| it.origin.certain)?, cell)));
        pairs.into_iter().find(|(column, cell)| refused(column, cell)).map(|it| it.0)
    };
    rows.iter().find_map(of_row).map(|it| (it.name.clone(), (*it.resolved).clone()))
}
