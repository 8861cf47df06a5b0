//! An insert without `ON CONFLICT DO NOTHING` fails when the row is already there.
//!
//! Whether it is, only production knows: somebody may have added it by hand, an earlier attempt may have. Then
//! the whole migration fails half-way through a promotion. With the clause it can run twice. Tables that the same
//! release creates are empty, and a promotion of type `data_migration` is about its rows, so both are exempt, as is a row
//! that no unique index can already hold, because the table numbers its rows itself. Of a table that no file creates
//! nobody knows the keys, so that this is a notice there. Without a `liftlock.yml` nobody promotes, and the rule says
//! nothing.
//!
//! ```sql setup
//! create table feature_flags (name text primary key, enabled boolean);
//! create table old_flags (name text primary key, enabled boolean);
//! create table notes (id bigint generated always as identity primary key, note text);
//! insert into feature_flags (name, enabled) values ('maps', true);
//! ```
//!
//! ```sql bad fails=23505
//! insert into feature_flags (name, enabled) values ('maps', true);
//! ```
//!
//! ```sql bad locks=feature_flags:RowExclusiveLock,old_flags:AccessShareLock
//! insert into feature_flags (name, enabled) select name, enabled from old_flags;
//! ```
//!
//! ```sql good locks=feature_flags:RowExclusiveLock
//! insert into feature_flags (name, enabled) values ('maps', true) on conflict do nothing;
//! ```
//!
//! ```sql good config=feature_flags locks=feature_flags:RowExclusiveLock
//! insert into feature_flags (name, enabled) values ('maps', true)
//! on conflict (name) do update set enabled = excluded.enabled;
//! ```
//!
//! ```sql good locks=notes:RowExclusiveLock
//! insert into notes (note) values ('read this');
//! ```
//!
//! ```sql good
//! create table regions (name text primary key);
//! insert into regions values ('lawley'), ('mohadin');
//! ```

use crate::{
    catalog::Table,
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{Change, Statement, change::Generated, names::Ident},
};

pub static RULE: Rule = Rule {
    name: "insert-without-on-conflict",
    harm: Harm::Fails,
    severity: Severities { dev: Some(Severity::Warning), ..Severities::ERROR },
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("insert_without_on_conflict.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let (table, columns) = match &statement.change {
        Change::Insert(insert) if insert.on_conflict.is_some() => return Vec::new(),
        Change::Insert(insert) => (&insert.table, insert.columns.as_slice()),
        Change::Copy(copy) => match &copy.table {
            Some(table) if copy.from => (table, &[][..]),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let meant = context.promotion == Some(PromotionType::DataMigration);
    if meant || context.is_new(table) || context.is_bookkeeping(table) {
        return Vec::new();
    }
    let problem = Problem::at(statement.span)
        .says(format!("fails when `{table}` already holds such a row, and the migration with it"))
        .help("add `on conflict do nothing`");
    let problem = match context.catalog.table(table) {
        Some(known) if !known.partial => match may_meet(context, known, columns) {
            true => problem,
            false => Problem::safe(statement.span, format!("no unique index of `{table}` can already hold such a row")),
        },
        // No file says which keys it has; most rows come with a number of their own.
        _ => problem.at_most(Severity::Notice),
    };
    vec![problem]
}

/// Whether a row may be there already: by a unique index whose keys the insert all gives. Without a list it gives all
/// columns.
fn may_meet(context: &Context, table: &Table, given: &[Ident]) -> bool {
    let is_given = |key: &String| {
        let Some(column) = table.column_named(key) else { return true };
        let makes_its_own = match (&column.generated, &column.default) {
            (Some(Generated::Identity), _) => true,
            (Some(Generated::Stored | Generated::Virtual), _) => false,
            (None, Some(default)) => !default.calls.is_empty(),
            // Null is like no other null.
            (None, None) => !column.not_null,
        };
        given.is_empty() || given.iter().any(|it| it.name == *key) || !makes_its_own
    };
    context
        .catalog
        .indexes_of(&table.name)
        .filter(|it| it.unique)
        .any(|it| it.nulls_not_distinct || it.keys.iter().all(is_given))
}
