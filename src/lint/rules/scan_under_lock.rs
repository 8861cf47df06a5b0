//! A lock is held until the transaction ends: whatever comes after it in the same migration prolongs it.
//!
//! `ALTER TABLE … ADD COLUMN` takes an instant, and keeps everybody off the table until the backfill, the validation or
//! the rewrite that follows it is done, also when that works on another table. That is why `NOT VALID` gains nothing
//! when `VALIDATE CONSTRAINT` stands in the same migration. Put the long work into the next migration: the runner commits
//! in between.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total numeric, state text);
//! create table customers (id bigint primary key);
//! alter table orders add constraint orders_state_check check (state <> '') not valid;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! alter table orders validate constraint orders_total_check;
//! ```
//!
//! ```sql bad locks=customers:AccessExclusiveLock,orders:ShareUpdateExclusiveLock
//! alter table customers add column email text;
//! alter table orders validate constraint orders_state_check;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! alter table orders validate constraint orders_state_check;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders validate constraint orders_state_check;
//! alter table orders add column note text;
//! ```
//!
//! ```sql good
//! create table invoices (id bigint primary key, total numeric);
//! alter table invoices add constraint invoices_total_check check (total >= 0) not valid;
//! alter table invoices validate constraint invoices_total_check;
//! ```

use std::cmp::Reverse;

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{self, Waits},
        running,
    },
    report::Harm,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, Filter},
        names::ObjectName,
    },
};

use super::{
    check_without_not_valid, constrained_domain_column, constraint_building_index, domain_constraint,
    foreign_key_without_not_valid, full_table_rewrite, index_without_concurrently, partition_scan,
    refresh_without_concurrently, reindex_without_concurrently, set_not_null, stored_generated_column, type_change,
    volatile_default,
};

pub static RULE: Rule = Rule {
    name: "scan-under-lock",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("scan_under_lock.rs"),
    check: Check::Statement(check),
};

/// Rules that say of a statement that it takes long while it blocks.
static LONG: &[&Rule] = &[
    &check_without_not_valid::RULE,
    &constrained_domain_column::RULE,
    &constraint_building_index::RULE,
    &domain_constraint::RULE,
    &foreign_key_without_not_valid::RULE,
    &full_table_rewrite::RULE,
    &index_without_concurrently::RULE,
    &partition_scan::RULE,
    &refresh_without_concurrently::RULE,
    &reindex_without_concurrently::RULE,
    &set_not_null::RULE,
    &stored_generated_column::RULE,
    &type_change::RULE,
    &volatile_default::RULE,
];

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let own = effects::held_by(context, statement);
    let Some(what) = long_work(context, statement) else { return Vec::new() };
    // Of several changes of rows in a row, the first one speaks for all.
    if is_dml(statement)
        && context.same_transaction().last().is_some_and(|it| is_dml(it) && long_work(context, it).is_some())
    {
        return Vec::new();
    }
    // What it locks itself, its own rule speaks of.
    let mut held = held(context, statement);
    held.retain(|(table, ..)| own.iter().all(|(it, _)| it != table));
    held.sort_by_key(|(_, waits, _)| Reverse(*waits));
    let [(table, waits, place), others @ ..] = held.as_slice() else { return Vec::new() };
    let above = context.migration.text.as_bytes().get(..*place).unwrap_or_default();
    let line = 1 + above.iter().filter(|it| **it == b'\n').count();
    let more = match others {
        [] => String::new(),
        [(other, ..)] => format!(" (and those of `{other}`)"),
        others => format!(" (and those of {} other tables)", others.len()),
    };
    vec![
        Problem::at(statement.span)
            .says(format!("{}, locked in line {line}, wait until {what} is done too{more}", waits.of(table)))
            .help("put this into the next migration, so that the lock is released before it starts"),
    ]
}

fn is_dml(statement: &Statement) -> bool {
    matches!(statement.change, Change::Update(_) | Change::Delete(_))
}

/// What the statement spends its time with, when it grows with a table.
fn long_work(context: &Context, statement: &Statement) -> Option<&'static str> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let validates = |kind: &ActionKind| matches!(kind, ActionKind::ValidateConstraint { .. });
            if alter.actions.iter().any(|it| validates(&it.kind)) && !context.is_new(&alter.table) {
                return Some("this validation");
            }
        }
        Change::Update(dml) | Change::Delete(dml) => {
            let long =
                dml.filter != Filter::Cursor && !context.is_new(&dml.table) && !context.is_config_table(&dml.table);
            return (long && !is_keyed(context, &dml.table, statement)).then_some("this change of many rows");
        }
        _ => {}
    }
    let checks = LONG.iter().filter_map(|rule| match rule.check {
        Check::Statement(check) => Some(check),
        Check::Migration(_) | Check::Directive(_) => None,
    });
    checks.into_iter().any(|check| !check(context, statement).is_empty()).then_some("this work on every row")
}

/// `WHERE key = …`, with a key that finds one row.
fn is_keyed(context: &Context, table: &ObjectName, statement: &Statement) -> bool {
    let text = context.migration.text.get(statement.span.start..statement.span.end).unwrap_or_default();
    let text = text.to_lowercase();
    let Some((_, condition)) = text.rsplit_once("where") else { return false };
    let Some((subject, _)) = condition.split_once('=') else { return false };
    let column = subject.trim().rsplit('.').next().unwrap_or_default().trim_matches('"');
    let mut indexes = context.catalog.indexes_of(table);
    !condition.contains(" or ")
        && indexes.any(|it| it.unique && !it.partial && it.keys.len() == 1 && it.keys[0] == column)
}

/// A file with more statements than twice this is data; what it locks, it locks at its start or close to the use.
const NEAR: usize = 100;

/// Tables that are locked when the statement starts, who waits for them, and the place from which on.
fn held(context: &Context, statement: &Statement) -> Vec<(ObjectName, Waits, usize)> {
    let (first, rest) = context.same_transaction().split_at(context.same_transaction().len().min(NEAR));
    let last = &rest[rest.len().saturating_sub(NEAR)..];
    let earlier = first.iter().chain(last).flat_map(running);
    // A block is one transaction, whatever is around it.
    let block = context.migration.statements.get(context.index).filter(|_| statement.place == Place::Do);
    let siblings = block.into_iter().flat_map(running).filter(|it| it.span.end <= statement.span.start);
    let mut held: Vec<(ObjectName, Waits, usize)> = Vec::new();
    for before in earlier.chain(siblings) {
        for (table, waits) in effects::held_by(context, before) {
            match held.iter_mut().find(|(it, ..)| *it == table) {
                Some((_, known, _)) => *known = waits.max(*known),
                None => held.push((table, waits, before.span.start)),
            }
        }
    }
    held
}
