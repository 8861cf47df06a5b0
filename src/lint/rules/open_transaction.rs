//! A lock that waits for a transaction which has been open for long makes everybody else wait behind it.
//!
//! Said only where the database was read, with `--live` or a snapshot, and of what was open then. `ACCESS EXCLUSIVE` waits
//! for whoever has so much as read the table in a transaction that is still open: a dump, a report, a session that is idle
//! in its transaction. Everybody who comes later waits behind that lock. What is built `CONCURRENTLY` waits for all older
//! transactions, whatever they have read. See <https://www.postgresql.org/docs/current/explicit-locking.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! create table customers (id bigint primary key);
//! ```
//!
//! ```sql bad open=pg_dump:10800:orders locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```
//!
//! ```sql bad open=pg_dump:10800:customers commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good open=pg_dump:10800:customers locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```
//!
//! ```sql good open=web:20:orders locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```

use crate::{
    catalog::OpenTransaction,
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{self, LockMode},
    },
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterTable},
    },
};

pub static RULE: Rule = Rule {
    name: "open-transaction",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("open_transaction.rs"),
    check: Check::Statement(check),
};

/// Seconds from which a transaction is long: five minutes.
const LONG: u64 = 300;

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(measures) = &context.catalog.measures else { return Vec::new() };
    let mut long = measures.transactions.iter().filter(|it| it.seconds >= LONG).peekable();
    if long.peek().is_none() {
        return Vec::new();
    }
    let help = "run it when that has ended, or end it first; `lock_timeout` bounds how long others wait";
    if is_concurrent(&statement.change) {
        let found = long.next().map(|it| format!("{}: this waits until it ends", described(it)));
        return found.map(|it| Problem::at(statement.span).says(it).help(help)).into_iter().collect();
    }
    let effects = effects::of(context, statement);
    let exclusive = effects.relations.iter().filter(|(_, it)| it.lock == LockMode::AccessExclusive);
    let tables = exclusive.map(|(name, _)| name).collect::<Vec<_>>();
    let found = long.find_map(|it| {
        let table =
            tables.iter().find(|table| it.locks.iter().any(|held| context.catalog.resolve(held) == ***table))?;
        Some(format!("{}: this lock of `{table}` waits for it, and everything behind it", described(it)))
    });
    found.map(|it| Problem::at(statement.span).says(it).help(help)).into_iter().collect()
}

/// It waits for all transactions that are older.
fn is_concurrent(change: &Change) -> bool {
    match change {
        Change::CreateIndex(index) => index.concurrently,
        Change::Drop(drop) => drop.concurrently,
        Change::Reindex { concurrently, .. } => *concurrently,
        Change::AlterTable(AlterTable { actions, .. }) => {
            actions.iter().any(|it| matches!(it.kind, ActionKind::DetachPartition { concurrently: true, .. }))
        }
        _ => false,
    }
}

/// `a transaction of `pg_dump` has been open for 3 h`.
fn described(it: &OpenTransaction) -> String {
    let whose = match it.application_name.as_str() {
        "" => String::new(),
        name => format!(" of `{name}`"),
    };
    let time = match it.seconds {
        0..7_200 => format!("{} min", it.seconds / 60),
        7_200..172_800 => format!("{} h", it.seconds / 3_600),
        _ => format!("{} days", it.seconds / 86_400),
    };
    format!("a transaction{whose} has been open for {time}")
}
