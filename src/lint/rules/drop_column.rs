//! Dropping a column loses what every row holds in it.
//!
//! The space comes back only slowly, the values never. Its indexes, its constraints and its foreign keys go
//! with it without a word, and the running application fails at its next query that names it. Stop using the
//! column first, then drop it in a later release. A column that the same release adds may be dropped.
//!
//! ```sql setup
//! create table orders (id bigint primary key, note text);
//! create type address as (street text, city text);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders drop column note;
//! ```
//!
//! ```sql bad
//! alter type address drop attribute city;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column draft text;
//! alter table orders drop column draft;
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key, note text);
//! alter table parcels drop column note;
//! ```

use crate::{
    catalog::Origin,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterTable, ObjectAction},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "drop-column",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    match &statement.change {
        Change::AlterTable(alter) => of_table(context, alter),
        Change::AlterObject(alter) => match (&alter.action, &alter.name) {
            (ObjectAction::DropAttribute { name, .. }, Some(of))
                if !context.catalog.data_type(of).is_some_and(|it| it.origin.is_surely_new()) =>
            {
                vec![lost(name.span, format!("every value of type `{of}` loses its `{name}`"), &of.to_string(), name)]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn of_table(context: &Context, alter: &AlterTable) -> Vec<Problem> {
    let table = &alter.table;
    if !alter.actions.iter().any(|it| matches!(it.kind, ActionKind::DropColumn { .. })) {
        return Vec::new();
    }
    if context.catalog.holds_only_new_rows(table, Origin::is_surely_new) {
        return Vec::new();
    }
    // `ADD COLUMN x, DROP COLUMN x` in one statement: Postgres drops first, so it is the old one that goes.
    // Heirs and partitions lose theirs with it.
    let family = context.catalog.family(table);
    let is_new = |column: &Ident| {
        let known = context.catalog.table(table).and_then(|it| it.column(column));
        let mut below = family.iter().filter_map(|it| context.catalog.table(it)?.column(column));
        known.is_some() && below.all(|it| it.origin.is_surely_new())
    };
    // Where the files tell all of the table, and no such column, nothing is lost.
    let told = context.catalog.told(table);
    let is_missing = |column: &Ident| told.is_some_and(|it| it.column(column).is_none());
    let dropped = alter.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::DropColumn { column, .. } if !is_new(column) && !is_missing(column) => Some((action.span, column)),
        _ => None,
    });
    let text = |column: &Ident| format!("every row of `{table}` loses its `{column}`");
    dropped.map(|(span, column)| lost(span, text(column), &table.to_string(), column)).collect()
}

fn lost(span: Span, message: String, of: &str, column: &Ident) -> Problem {
    Problem::at(span).says(message).help(format!(
        "release 1: read and write `{column}` of `{of}` nowhere any more, and let it be null or have a default, so that \
         inserts may leave it out; release 2, when no old process is left: this, with `-- liftlock: allow drop-column \
         because nothing has used it since …`"
    ))
}
