//! An insert without `ON CONFLICT DO NOTHING` fails when the row is already there.
//!
//! Whether it is, only production knows: somebody may have added it by hand, an earlier attempt may have. Then
//! the whole migration fails half-way through a promotion. With the clause it can run twice. Tables that the same
//! release creates are empty, and a promotion of type `data_migration` is about its rows, so both are exempt. Without a
//! `liftlock.yml` nobody promotes, and the rule says nothing.
//!
//! ```sql setup
//! create table feature_flags (name text primary key, enabled boolean);
//! create table old_flags (name text primary key, enabled boolean);
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
//! ```sql good
//! create table regions (name text primary key);
//! insert into regions values ('lawley'), ('mohadin');
//! ```

use crate::{
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{Change, Statement},
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
    let (table, guarded) = match &statement.change {
        Change::Insert(insert) => (&insert.table, insert.on_conflict.is_some()),
        Change::Copy(copy) => match &copy.table {
            Some(table) if copy.from => (table, false),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    if guarded || context.is_new(table) || context.promotion == Some(PromotionType::DataMigration) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("fails when `{table}` already holds such a row, and the migration with it"))
            .help("add `on conflict do nothing`"),
    ]
}
