//! A column or table that a view reads cannot be dropped or change its type.
//!
//! Postgres refuses with "cannot drop column … because other objects depend on it" and "cannot alter type of a column used
//! by a view or rule". Drop the view first, in the same migration, and create it again afterwards; `CASCADE` would take it
//! away without a word.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text, total numeric(10,2), note text);
//! create view open_orders as select id, total from orders where state = 'open';
//! ```
//!
//! ```sql bad also=drop-column fails=2BP01
//! alter table orders drop column state;
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders alter column total type numeric(12,2);
//! ```
//!
//! ```sql bad also=drop-table fails=2BP01
//! drop table orders;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock,open_orders:AccessExclusiveLock
//! drop view open_orders;
//! alter table orders alter column total type numeric(12,2);
//! create view open_orders as select id, total from orders where state = 'open';
//! ```

use crate::{
    catalog::{Origin, Table, View},
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "column-used-by-view",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("column_used_by_view.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let Some(table) = context.catalog.table(&alter.table) else { return Vec::new() };
            let touched = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::DropColumn { column, cascade: false, .. } => Some((action.span, column, "goes")),
                ActionKind::SetType { column, .. } => Some((action.span, column, "changes its type")),
                _ => None,
            });
            let used = touched.filter_map(|(span, column, what)| {
                let (view, _) = reader(context, table, Some(&column.name))?;
                Some(problem(span, view, &format!("column `{column}` of `{}` {what}", alter.table)))
            });
            used.collect()
        }
        Change::Drop(drop) if drop.kind == ObjectKind::Table && !drop.cascade => {
            let used = drop.names.iter().filter_map(|name| {
                let table = context.catalog.table(name)?;
                let (view, _) = reader(context, table, None)?;
                Some(problem(name.span, view, &format!("table `{name}` goes")))
            });
            used.collect()
        }
        _ => Vec::new(),
    }
}

fn problem(span: Span, view: &ObjectName, what: &str) -> Problem {
    Problem::at(span).says(format!("this fails when it runs: view `{}` reads what {what}", view.last())).help(format!(
        "`drop view {0}` before, and `create view {0} …` again after it, in the same migration",
        view.last()
    ))
}

/// A view that is there for sure and reads the column for sure.
fn reader<'c>(context: &Context<'c>, table: &Table, column: Option<&str>) -> Option<(&'c ObjectName, &'c View)> {
    let older = |than: Origin, it: Origin| it.migration < than.migration;
    let made = column.map(|it| table.column_named(it).map(|it| it.origin));
    let mut views = context.catalog.views_on(&table.name);
    views.find(|(_, view)| {
        let reads = match (&view.mentions, column, made) {
            (_, None, _) => true,
            (Some(mentions), Some(column), _) => {
                let mut others = view.reads.iter().filter(|it| **it != table.name).map(|it| context.catalog.table(it));
                // The word may name the column of another table that the view reads.
                let unsure = others.any(|it| it.is_none_or(|it| it.partial || it.column_named(column).is_some()));
                !unsure && mentions.iter().any(|it| it == column)
            }
            // `*` took the columns that were there.
            (None, Some(_), Some(Some(origin))) => older(view.origin, origin),
            (None, Some(_), _) => false,
        };
        view.origin.certain && reads
    })
}
