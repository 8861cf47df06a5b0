//! A lock is held until the transaction ends: whatever comes after it in the same migration prolongs it.
//!
//! `ALTER TABLE … ADD COLUMN` takes an instant, and keeps everybody off the table until the backfill, the validation or
//! the rewrite that follows it is done, also when that works on another table. That is why `NOT VALID` gains nothing
//! when `VALIDATE CONSTRAINT` stands in the same migration. Put the long work into a migration of its own, since the
//! runner commits in between, or put the short lock behind it. Where a tool runs all pending migrations in one
//! transaction, only another release is another transaction.
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
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column note text, validate constraint orders_state_check;
//! ```
//!
//! ```sql bad locks=customers:AccessExclusiveLock,orders:ShareUpdateExclusiveLock
//! alter table customers add column email text;
//! alter table orders validate constraint orders_state_check;
//! ```
//!
//! ```sql bad locks=customers:AccessExclusiveLock
//! alter table customers add column email text;
//! insert into customers (id) select id from orders on conflict do nothing;
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
//! ```sql good locks=customers:AccessExclusiveLock
//! alter table customers add column email text;
//! insert into customers (id) select 1 where not exists (select from customers where id = 1) on conflict do nothing;
//! ```
//!
//! ```sql good
//! create table invoices (id bigint primary key, total numeric);
//! alter table invoices add constraint invoices_total_check check (total >= 0) not valid;
//! alter table invoices validate constraint invoices_total_check;
//! ```

use std::collections::BTreeSet;

use crate::{
    lint::{
        Check, Problem, Rule, Severities, Waivable,
        effects::Waits,
        timeline::{Held, Step, Timeline, Work},
    },
    report::Harm,
    sql::names::ObjectName,
};

pub static RULE: Rule = Rule {
    name: "scan-under-lock",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("scan_under_lock.rs"),
    check: Check::Transaction(check),
};

fn check(timeline: &Timeline) -> Vec<(usize, Problem)> {
    let mut problems = Vec::new();
    let mut known: Vec<(&ObjectName, Waits)> = Vec::new();
    for (at, step) in timeline.steps.iter().enumerate() {
        let mut stay = Vec::new();
        for (table, _, waits) in step.takes() {
            if known.iter().any(|(it, before)| *it == table && *before >= waits) {
                continue;
            }
            known.push((table, waits));
            let mut later = timeline.steps[at + 1..].iter().filter_map(|it| Some((it, prolongs(it, table, waits)?)));
            let first = later.next();
            stay.extend(first.map(|(slow, work)| (table, waits, slow, work)));
        }
        problems.extend(locked(step, &stay).map(|problem| (at, problem)));
    }
    let own = timeline.steps.iter().enumerate().filter_map(|(at, step)| Some((at, validated(step)?)));
    problems.extend(own);
    problems.extend(carried(timeline));
    problems
}

/// The work by which a step prolongs a lock that is held. What it locks itself, its own rule speaks of.
fn prolongs<'s>(step: &'s Step, table: &ObjectName, waits: Waits) -> Option<&'s Work> {
    step.work.as_ref().filter(|_| step.waits(table).is_none_or(|own| own < waits))
}

fn locked(step: &Step, stay: &[(&ObjectName, Waits, &Step, &Work)]) -> Option<Problem> {
    let (first, waits, slow, work) = stay.iter().max_by_key(|(_, waits, ..)| *waits)?;
    let tables = stay.iter().map(|(table, ..)| *table).collect::<BTreeSet<_>>();
    let others = match tables.len() {
        1 => String::new(),
        2 => tables.iter().filter(|it| *it != first).map(|it| format!(" (and so does `{it}`)")).collect(),
        more => format!(" (and so do {} other tables)", more - 1),
    };
    let Work { table, verb } = work;
    let whom = if table == *first { "it" } else { &format!("`{table}`") };
    let line = slow.line;
    Some(
        Problem::at(step.span)
            .says(format!(
                "`{first}` stays locked while {whom} {verb} in line {line}: {} wait until then{others}",
                waits.of(first)
            ))
            .help(format!(
                "put line {line} into a migration of its own, or before this: a lock that comes last is brief"
            ))
            .weighing(table),
    )
}

fn validated(step: &Step) -> Option<Problem> {
    let (table, waits) = step.validates.as_ref()?;
    let says = format!(
        "`{table}` is validated under the lock of the other actions of this statement: {} wait until then",
        waits.of(table)
    );
    let help = "validate in a statement of its own, in the next migration: alone it keeps nobody waiting";
    Some(Problem::at(step.span).says(says).help(help).weighing(table))
}

/// Locks of earlier migrations in the same transaction: one finding, at the first step that prolongs one.
fn carried(timeline: &Timeline) -> Option<(usize, Problem)> {
    let prolonged = |step: &Step| {
        let mut held = timeline.carried.iter().filter(|it| prolongs(step, &it.table, it.waits).is_some());
        held.next().map(|first| (first.clone(), held.count()))
    };
    let mut steps = timeline.steps.iter().enumerate();
    let (at, step, (first, more)) = steps.find_map(|(at, step)| Some((at, step, prolonged(step)?)))?;
    let Work { table, verb } = step.work.as_ref()?;
    let Held { table: held, waits, file, line, .. } = &first;
    let others = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    let whom = if table == held { "it" } else { &format!("`{table}`") };
    let problem = Problem::at(step.span)
        .says(format!(
            "`{held}`, locked in {file} line {line}, stays locked while {whom} {verb}, because all pending migrations are one \
             transaction: {} wait until then{others}",
            waits.of(held)
        ))
        .help("release the two apart, or let the tool commit after each migration");
    Some((at, problem.weighing(table)))
}
