//! A migration that waits for a lock without a `lock_timeout` makes everybody else wait behind it.
//!
//! Off by itself: liftlock's own runner sets a `lock_timeout` for each try. Turn it on where another tool runs the
//! files. It looks at each transaction's first lock that others wait for, and knows what `SET`, `SET LOCAL`,
//! `set_config` and `RESET` before it come to, that a `SET LOCAL` ends with its transaction, and, where the database was
//! read, what the role or the database sets.
//! See <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! set local lock_timeout = '2s';
//! alter table orders add column note text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! select set_config('lock_timeout', '2s', true);
//! alter table orders add column note text;
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{
        Check, Problem, Rule, Severities, Waivable,
        timeline::{Step, Timeline},
        timeouts::Timeout,
    },
    report::Harm,
};

pub static RULE: Rule = Rule {
    name: "missing-lock-timeout",
    harm: Harm::Blocks,
    severity: Severities::OFF,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("missing_lock_timeout.rs"),
    check: Check::Transaction(check),
};

fn check(timeline: &Timeline) -> Vec<(usize, Problem)> {
    let unbounded = |step: &Step| matches!(step.lock_timeout, Timeout::Unset | Timeout::Never);
    let mut locking = timeline.steps.iter().enumerate().filter(|(_, it)| unbounded(it));
    let first = locking.find_map(|(at, step)| Some((at, step, step.takes().next()?)));
    let problem = first.map(|(at, step, (table, _, waits))| {
        let problem = Problem::at(step.span)
            .says(format!(
                "{} queue behind this for as long as it waits for its lock: nothing bounds that",
                waits.of(table)
            ))
            .help("put `set local lock_timeout = '2s';` at the start of the transaction, and try again when it fails");
        (at, problem)
    });
    problem.into_iter().collect()
}
