//! `INSERT` and `UPDATE` give each column one value, none to a column that takes none, and one to each that needs one.
//!
//! Every row of `VALUES` has as many values as there are columns. An identity that is `generated always` takes a value
//! only with `overriding system value`, and a column that is computed takes none but `default`. A column that is `not null`
//! is given a value or has a default, unless a trigger may fill it; `on conflict` does not help, Postgres looks at that
//! before. Such a statement fails, whatever the table holds.
//! See <https://www.postgresql.org/docs/current/sql-insert.html>.
//!
//! ```sql setup
//! create table orders (id bigint generated always as identity primary key, total int, net int generated always as (total - 1) stored);
//! create table carts (id bigint primary key, total int);
//! create table wishes (id bigint primary key, name text not null, size int not null default 1);
//! ```
//!
//! ```sql bad fails=42601
//! insert into carts (id, total) values (1, 2, 3) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=42601
//! insert into carts (id, total) values (1) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=42601
//! insert into carts (id) values (1), (2, 3) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=42601 also=insert-without-columns
//! insert into carts values (1, 2, 3) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=428C9 also=explicit-ids
//! insert into orders (id, total) values (1, 2) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=428C9
//! insert into orders (total, net) values (2, 1) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=428C9 also=explicit-ids
//! insert into orders (id, total) select id, total from carts on conflict do nothing;
//! ```
//!
//! ```sql bad fails=23502
//! insert into wishes (id) values (1) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=23502
//! insert into wishes (id, name) values (1, 'x'), (2, null) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=23502
//! insert into wishes (id, name) values (1, default) on conflict do nothing;
//! ```
//!
//! ```sql bad fails=23502 also=insert-without-on-conflict
//! insert into wishes default values;
//! ```
//!
//! ```sql good locks=wishes:RowExclusiveLock
//! insert into wishes (id, name) values (1, 'x') on conflict do nothing;
//! insert into wishes (id, name, size) values (2, 'y', default) on conflict do nothing;
//! ```
//!
//! ```sql good locks=carts:RowExclusiveLock,orders:RowExclusiveLock
//! insert into orders (id, total, net) values (default, 2, default) on conflict do nothing;
//! insert into orders (total) values (2), (3) on conflict do nothing;
//! insert into carts (id) values (2), (3) on conflict do nothing;
//! ```

use crate::{
    catalog::{Column, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, cells, types},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Dml, Generated, Insert, InsertSource, ObjectKind, OperandKind},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-values",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_values.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let found = match &statement.change {
        Change::Insert(insert) => inserted(context, statement, insert),
        Change::Update(update) => updated(context, statement, update),
        _ => None,
    };
    let problem = |(says, help): (String, String)| {
        Problem::at(statement.span).says(format!("{says}: this fails when it runs")).help(help)
    };
    found.map(problem).into_iter().collect()
}

fn inserted(context: &Context, statement: &Statement, insert: &Insert) -> Option<(String, String)> {
    let table = context.catalog.told(&insert.table);
    let rows = match insert.source {
        InsertSource::Values => Some(cells::rows(context.written(statement.span))?),
        InsertSource::Query => None,
        InsertSource::Default => return left_empty(context, table?, &[vec![]], &[]),
    };
    if let Some(unfit) = rows.as_ref().and_then(|it| width(insert, table, it)) {
        return Some(unfit);
    }
    // A rule may put something else in the place of the insert, and a partition may have an identity of its own.
    let table = table?;
    let columns: Vec<Option<&Column>> = match insert.columns.as_slice() {
        [] => table.columns.iter().map(Some).collect(),
        named => named.iter().map(|it| table.column(it)).collect(),
    };
    let given = |at: usize| match &rows {
        Some(rows) => rows.iter().any(|row| row.get(at).is_some_and(|it| !is_default(it))),
        None => !insert.columns.is_empty(),
    };
    let refuses = |it: &&Column| refused(it).is_some_and(|of| of != Generated::Identity || !insert.overriding);
    let column =
        columns.iter().enumerate().filter(|(at, _)| given(*at)).find_map(|(_, it)| it.filter(|it| refuses(it)));
    let updated =
        || insert.updates.iter().find_map(|it| computed(table, it)).filter(|_| !says_default(context, statement));
    let empty = || left_empty(context, table, rows.as_deref()?, &columns);
    column.map(told).or_else(|| updated().map(told)).or_else(empty)
}

/// A column that is not null, and to which one of these rows gives nothing.
fn left_empty(
    context: &Context,
    table: &Table,
    rows: &[Vec<cells::Cell>],
    columns: &[Option<&Column>],
) -> Option<(String, String)> {
    let catalog = context.catalog;
    // Those are filled by a trigger, a rule, or by what their rows come from elsewhere.
    let filled = table.partitioned
        || table.partition_of.is_some()
        || table.of_type.is_some()
        || !table.inherits.is_empty()
        || catalog.triggers_on(&table.name).next().is_some()
        || catalog.others.keys().any(|it| it.0 == ObjectKind::Rule);
    if filled {
        return None;
    }
    let needs = |it: &&Column| it.not_null && it.origin.certain && it.generated.is_none();
    let has_default = |it: &Column| it.has_default() || !types::is_built_in(&it.resolved);
    let empty = |column: &&Column| {
        let at = columns.iter().position(|it| it.is_some_and(|it| it.name == column.name));
        rows.iter().any(|row| match at.and_then(|at| row.get(at)) {
            None => !has_default(column),
            Some(cell) if is_default(cell) => !has_default(column),
            Some(cell) => cells::constant(cell).is_some_and(|it| it.kind == OperandKind::Null),
        })
    };
    let column = &table.columns.iter().filter(needs).find(empty)?.name;
    Some((
        format!("`{column}` is `not null`, and a row gives it no value"),
        format!("give `{column}` a value in each row; or give the column a default before"),
    ))
}

/// Rows of another width than what they go into.
fn width(insert: &Insert, table: Option<&Table>, rows: &[Vec<cells::Cell>]) -> Option<(String, String)> {
    let widths = || rows.iter().map(Vec::len);
    let (fewest, most) = (widths().min()?, widths().max()?);
    let columns = insert.columns.len();
    let room = || table.map(|it| it.columns.len());
    let says = match () {
        () if fewest != most => format!("one row has {fewest} values and another {most}"),
        () if columns > 0 && columns != most => {
            format!(
                "{} named, and each row has {}",
                counted(columns, "column is", "columns are"),
                counted(most, "value", "values")
            )
        }
        () if columns == 0 && room().is_some_and(|it| it < most) => {
            format!("`{}` has fewer columns than each row has values", insert.table)
        }
        () => return None,
    };
    Some((says, "name the columns, and give each row a value for every one of them".to_owned()))
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn updated(context: &Context, statement: &Statement, update: &Dml) -> Option<(String, String)> {
    let table = context.catalog.told(&update.table)?;
    let column = update.columns.iter().find_map(|it| computed(table, it))?;
    (!says_default(context, statement)).then(|| told(column))
}

/// A column that `UPDATE` sets to nothing but its default.
fn computed<'t>(table: &'t Table, name: &Ident) -> Option<&'t Column> {
    table.column(name).filter(|it| refused(it).is_some())
}

/// What kind of column it is that takes no values.
fn refused(column: &Column) -> Option<Generated> {
    let generated = column.generated.filter(|_| column.origin.certain)?;
    (generated != Generated::Identity || column.always).then_some(generated)
}

fn told(column: &Column) -> (String, String) {
    let name = &column.name;
    match column.generated {
        Some(Generated::Identity) => (
            format!("`{name}` is an identity that is `generated always`, and takes no value"),
            format!("leave `{name}` out; or say `overriding system value` before `values`"),
        ),
        _ => (format!("`{name}` is computed, and takes no value"), format!("leave `{name}` out")),
    }
}

fn is_default(cell: &cells::Cell) -> bool {
    matches!(cell.as_slice(), [word] if word.eq_ignore_ascii_case("default"))
}

/// The word stands in it: perhaps for this column.
fn says_default(context: &Context, statement: &Statement) -> bool {
    context.written(statement.span).to_ascii_lowercase().contains("default")
}
