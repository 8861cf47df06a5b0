//! A routine goes on naming a column or table that is gone, and fails when it is called.
//!
//! Postgres does not look into the text of a body: nothing hinders the drop or the rename, and the trigger or function
//! fails at run time, with it every statement that fires or calls it. Only bodies of `BEGIN ATOMIC` are known to Postgres.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text, total int);
//! create table parcels (id bigint primary key, order_id bigint);
//! create function close_order() returns trigger language plpgsql as $$
//! begin
//!   update orders set state = 'closed' where id = new.order_id;
//!   return new;
//! end $$;
//! create trigger parcels_close_order after insert on parcels for each row execute function close_order();
//! ```
//!
//! ```sql bad also=drop-column locks=orders:AccessExclusiveLock
//! alter table orders drop column state;
//! ```
//!
//! ```sql bad also=renamed-column locks=orders:AccessExclusiveLock
//! alter table orders rename column state to status;
//! ```
//!
//! ```sql good also=drop-column locks=orders:AccessExclusiveLock
//! create or replace function close_order() returns trigger language plpgsql as $$ begin return new; end $$;
//! alter table orders drop column state;
//! ```
//!
//! ```sql good also=drop-column locks=orders:AccessExclusiveLock
//! alter table orders drop column total;
//! ```

use crate::{
    catalog::Routine,
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, ObjectKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "used-by-routine",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("used_by_routine.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let table = context.catalog.resolve(&alter.table);
            let each = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::DropColumn { column, .. } => of_column(context, action.span, &table, column, "is dropped"),
                ActionKind::RenameColumn { from, .. } => {
                    of_column(context, action.span, &table, from, "gets another name")
                }
                ActionKind::RenameTable { .. } => of_table(context, action.span, &table, "gets another name"),
                _ => None,
            });
            each.collect()
        }
        Change::Drop(drop) if drop.kind == ObjectKind::Table => {
            let each = drop.names.iter().filter_map(|name| {
                let table = context.catalog.resolve(name);
                context.catalog.tables.get(&table)?;
                of_table(context, name.span(), &table, "is dropped")
            });
            each.collect()
        }
        _ => Vec::new(),
    }
}

fn of_column(context: &Context, span: Span, table: &ObjectName, column: &Ident, what: &str) -> Option<Problem> {
    let known = context.catalog.tables.get(table)?;
    // Names that many columns have say nothing: a routine that names them names some other table's.
    let shared = |routine: &Routine| {
        let others = context.catalog.tables.values().filter(|it| it.name != *table && it.column(column).is_some());
        others.into_iter().any(|it| names(routine, it.name.last()))
    };
    let of_trigger = |name: &ObjectName| context.catalog.triggers_on(table).any(|it| it.routine.as_ref() == Some(name));
    let uses = |name: &ObjectName, it: &Routine| {
        names(it, &column.name) && (names(it, known.name.last()) || of_trigger(name)) && !shared(it)
    };
    known.column(column)?;
    let name = user(context, uses)?;
    Some(problem(span, name, &format!("column `{column}` of `{table}`"), what, &column.name))
}

fn of_table(context: &Context, span: Span, table: &ObjectName, what: &str) -> Option<Problem> {
    let shared = context.catalog.tables.keys().any(|it| it != table && it.last() == table.last());
    // The word alone may be anything: what the body does to the table must be known, too.
    let uses =
        |_: &ObjectName, it: &Routine| names(it, table.last()) && it.body.iter().any(|it| touches(context, it, table));
    let name = user(context, uses).filter(|_| !shared)?;
    Some(problem(span, name, &format!("table `{table}`"), what, table.last()))
}

fn names(routine: &Routine, word: &str) -> bool {
    routine.words.has(word)
}

/// The first routine that uses it.
fn user<'c>(context: &Context<'c>, uses: impl Fn(&ObjectName, &Routine) -> bool) -> Option<&'c ObjectName> {
    context.catalog.routines.iter().find(|(name, all)| all.iter().any(|it| uses(name, it))).map(|(name, _)| name)
}

fn touches(context: &Context, statement: &Statement, table: &ObjectName) -> bool {
    let is_it = |it: &ObjectName| context.catalog.resolve(it) == *table;
    let own = match &statement.change {
        Change::Update(dml) | Change::Delete(dml) => is_it(&dml.table) || dml.reads.iter().any(is_it),
        Change::Insert(insert) => is_it(&insert.table) || insert.reads.iter().any(is_it),
        Change::Query { reads, .. } => reads.iter().any(is_it),
        Change::Merge { table, .. } => is_it(table),
        _ => false,
    };
    own || statement.inner.iter().any(|it| touches(context, it, table))
}

fn problem(span: Span, routine: &ObjectName, object: &str, what: &str, word: &str) -> Problem {
    Problem::at(span)
        .says(format!("`{routine}()` names {object}, which {what}: from then on it fails when it is called"))
        .help(format!(
            "`create or replace function {routine}() …` without it, in this release or one before; or drop the routine and \
             its triggers"
        ))
        .unless(Remedy::NotNamed { routine: routine.clone(), word: word.to_owned() })
}
