//! Building an index without `concurrently` blocks every write to the table until it is built.
//!
//! Postgres takes a `SHARE` lock on the table and reads all of it: queries go on, inserts, updates and deletes
//! wait, and whatever queues behind them waits too. A table created in the same release is exempt: nobody uses
//! it yet. A partitioned table has no concurrent form, but its partitions have.
//! See <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint, state text);
//! create table events (id bigint, at timestamptz not null) partition by range (at);
//! create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
//! create index orders_state_idx on orders (state);
//! create index events_2026_id_idx on events_2026 (id);
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! create index orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad locks=events:ShareLock,events_2026:ShareLock
//! create index events_at_idx on events (at);
//! ```
//!
//! ```sql good commits locks=orders:ShareUpdateExclusiveLock
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! The parent's index alone reads no rows; `alter index … attach partition` completes it.
//!
//! ```sql good locks=events:ShareLock
//! create index events_at_idx on only events (at);
//! ```
//!
//! ```sql good
//! create table customers (id bigint primary key, email text);
//! create unique index customers_email_idx on customers (email);
//! ```
//!
//! What its partitions have, a partitioned table takes over.
//!
//! ```sql good locks=events:ShareLock,events_2026:ShareLock
//! create index events_id_idx on events (id);
//! ```
//!
//! An index that is there already is not built again.
//!
//! ```sql good locks=orders:ShareLock
//! create index if not exists orders_state_idx on orders (state);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, effects::objects},
    report::Harm,
    sql::{Change, Statement, change::CreateIndex},
};

pub static RULE: Rule = Rule {
    name: "index-without-concurrently",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("index_without_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(index) = &statement.change else { return Vec::new() };
    if index.concurrently || context.is_new(&index.table) || is_there_already(context, index) {
        return Vec::new();
    }
    let table = &index.table;
    let partitioned = context.catalog.table(table).is_some_and(|it| it.partitioned);
    let problem = Problem::at(statement.span).weighing(table);
    vec![match (partitioned, index.only) {
        // `ON ONLY` is for partitioned tables, and a table without rows of its own has nothing to read.
        (true, true) => return Vec::new(),
        (false, true) if context.catalog.table(table).is_none_or(|it| it.partial) => return Vec::new(),
        (true, false) if objects::without_part(context, index).is_empty() => {
            let reason = "each partition has this index, which becomes the part of the whole's: nothing is built";
            Problem::safe(statement.span, reason.to_owned())
        }
        (true, false) => problem
            .says(format!("writes to every partition of `{table}` wait until this index is built on all of them"))
            .help(format!(
                "`create index … on only {table}`, then `create index concurrently` on each partition in migrations of \
                 their own, then `alter index … attach partition` for each"
            )),
        (false, _) => problem
            .says(format!("writes to `{table}` wait until this index is built"))
            .help("use `create index concurrently`, alone in a migration of its own"),
    }]
}

/// `IF NOT EXISTS`, and the files have created it: a lock for an instant, and no scan.
fn is_there_already(context: &Context, index: &CreateIndex) -> bool {
    let Some(name) = index.name.as_ref().filter(|_| index.if_not_exists) else { return false };
    context.catalog.indexes_of(&index.table).any(|it| it.name.last() == name.name && it.origin.certain)
}
