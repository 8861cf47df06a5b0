//! `IF NOT EXISTS` over something of another shape does nothing, and says nothing.
//!
//! The statement succeeds, the old shape stays, and the first code that relies on the new one fails. Databases that were
//! made in another order end up different. Only said where the files tell both shapes.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total integer, state text);
//! create index orders_state_idx on orders (state);
//! ```
//!
//! ```sql bad
//! create table if not exists orders (id bigint primary key, total integer, state text, note text);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column if not exists total numeric;
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! create index if not exists orders_state_idx on orders (total);
//! ```
//!
//! ```sql good
//! create table if not exists orders (id bigint primary key, total int, state text);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column if not exists total integer;
//! ```

use crate::{
    catalog::Table,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterTable, Column, CreateIndex, CreateTable},
        data_type,
    },
};

pub static RULE: Rule = Rule {
    name: "if-not-exists-hides-difference",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("if_not_exists_hides_difference.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let differences = match &statement.change {
        Change::CreateTable(table) if table.if_not_exists => created(context, table).into_iter().collect(),
        Change::AlterTable(alter) => added(context, alter),
        Change::CreateIndex(index) if index.if_not_exists => indexed(context, index).into_iter().collect(),
        _ => Vec::new(),
    };
    let problem = |(span, says): (Span, String)| {
        Problem::at(span)
            .says(says)
            .help("write the step from the old shape to the new one: `alter table …`, or a new name")
    };
    differences.into_iter().map(problem).collect()
}

/// Columns that the table lacks, or has with another type. That it has more is the work of later migrations.
fn created(context: &Context, new: &CreateTable) -> Option<(Span, String)> {
    let table = context.catalog.table(&new.name).filter(|it| !it.partial && it.temporary == new.temporary)?;
    let (column, how) = new.columns.iter().find_map(|column| Some((column, difference(table, column)?)))?;
    Some((column.span, format!("`{}` is there already, {how}: this creates nothing", new.name)))
}

fn difference(table: &Table, column: &Column) -> Option<String> {
    let name = &column.name;
    match table.column(name) {
        None => Some(format!("without a column `{name}`")),
        Some(old) if *old.resolved != data_type::read(&column.data_type) => {
            Some(format!("and its `{name}` is `{}`", old.data_type))
        }
        Some(_) => None,
    }
}

fn added(context: &Context, alter: &AlterTable) -> Vec<(Span, String)> {
    let Some(table) = context.catalog.table(&alter.table) else { return Vec::new() };
    let differences = alter.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::AddColumn { column, if_not_exists: true } => {
            table.column(&column.name)?;
            let how = difference(table, column)?;
            Some((action.span, format!("column `{}` is there already, {how}: this adds nothing", column.name)))
        }
        _ => None,
    });
    differences.collect()
}

fn indexed(context: &Context, new: &CreateIndex) -> Option<(Span, String)> {
    let name = new.name.as_ref()?;
    let table = context.catalog.resolve(&new.table);
    let known = context
        .catalog
        .indexes
        .values()
        .find(|it| it.name.last() == name.name && it.name.schema() == table.schema())?;
    let (old, wanted) = (known.keys.join(", "), new.keys.join(", "));
    let how = if known.table != table {
        format!("on `{}`", known.table)
    } else if old != wanted {
        format!("on `{old}`")
    } else if !known.unique && new.unique {
        "and not unique".to_owned()
    } else {
        return None;
    };
    Some((new.span, format!("index `{name}` is there already, {how}: this builds nothing")))
}
