//! Two transactions that lock the same tables in opposite order can wait for each other for ever.
//!
//! Postgres ends such a deadlock by an error in one of them, which may well be the application's. It needs strong locks
//! (`SHARE ROW EXCLUSIVE` and more) on the same two tables in opposite order in two migrations of a release, or rows of a
//! table changed first and the table itself locked afterwards: whoever waits for one of these rows already holds a lock that
//! the table's lock waits for. Keep one order, parents first, and lock the table before its rows are changed, or in
//! another migration.
//! See <https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-DEADLOCKS>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! ```
//!
//! ```sql bad config=orders locks=orders:AccessExclusiveLock
//! update orders set state = 'new' where state is null;
//! alter table orders alter column state set default 'new';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column state set default 'new';
//! ```
//!
//! ```sql good config=orders locks=orders:AccessExclusiveLock
//! update orders set state = 'new' where id = 1;
//! alter table orders alter column state set default 'new';
//! ```

use std::collections::BTreeMap;

use crate::{
    lint::{
        Check, Problem, Rule, Severities, Waivable,
        effects::LockMode,
        timeline::{Timeline, order},
    },
    report::Harm,
    sql::names::ObjectName,
};

pub static RULE: Rule = Rule {
    name: "lock-order",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("lock_order.rs"),
    check: Check::Transaction(check),
};

fn check(timeline: &Timeline) -> Vec<(usize, Problem)> {
    upgraded(timeline).into_iter().chain(reversed(timeline)).collect()
}

/// Many rows changed first, the table locked afterwards.
fn upgraded(timeline: &Timeline) -> Vec<(usize, Problem)> {
    let mut changed: BTreeMap<&ObjectName, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, step) in timeline.steps.iter().enumerate() {
        for (table, relation) in &step.effects.relations {
            if relation.lock == LockMode::RowExclusive && relation.scanned.is_likely() {
                changed.entry(table).or_insert(step.line);
            } else if relation.lock == LockMode::AccessExclusive
                && let Some(line) = changed.remove(table)
            {
                let problem = Problem::at(step.span)
                    .says(format!(
                        "rows of `{table}` are changed in line {line}, and `{table}` itself is locked here: whoever waits for such \
                         a row and this wait for each other"
                    ))
                    .help(format!("lock `{table}` before its rows are changed, or in another migration"));
                found.push((at, problem));
            }
        }
    }
    found
}

/// The first pair of tables that an earlier migration locks the other way round.
fn reversed(timeline: &Timeline) -> Option<(usize, Problem)> {
    let taken = order(timeline.steps);
    let pairs = taken.iter().enumerate().flat_map(|(at, second)| taken[..at].iter().map(move |first| (first, second)));
    let mut pairs = pairs.filter(|((one, _), (other, _))| one != other);
    pairs.find_map(|((_, first), (at, second))| {
        let (file, line) = timeline.orders.place(second, first)?;
        let problem = Problem::at(timeline.steps[*at].span)
            .says(format!(
                "`{second}` is locked here after `{first}`, and the other way round in {file} line {line}: an application that \
                 uses both can deadlock with one of the two"
            ))
            .help("lock the tables in one order everywhere");
        Some((*at, problem))
    })
}
