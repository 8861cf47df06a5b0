//! Dropping an index without `concurrently` locks its table against everything, reads included.
//!
//! The drop itself takes an instant, but Postgres wants `ACCESS EXCLUSIVE` on the table for it: the statement
//! queues behind every running query on the table, and everything that comes later queues behind the statement.
//! The index of a partitioned table cannot be dropped concurrently.
//! See <https://www.postgresql.org/docs/current/sql-dropindex.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! create table events (id bigint, at timestamptz not null) partition by range (at);
//! create index events_at_idx on events (at);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! drop index orders_customer_id_idx;
//! ```
//!
//! ```sql good commits locks=orders:ShareUpdateExclusiveLock
//! drop index concurrently orders_customer_id_idx;
//! ```
//!
//! ```sql good locks=events:AccessExclusiveLock
//! drop index events_at_idx;
//! ```
//!
//! ```sql good
//! create table imports (id bigint primary key, at date);
//! create index imports_at_idx on imports (at);
//! drop index imports_at_idx;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-index-without-concurrently",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_index_without_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Index || drop.concurrently {
        return Vec::new();
    }
    let locked = drop.names.iter().filter_map(|name| locked(context, name));
    let problem = |table: String| {
        Problem::at(statement.span)
            .says(format!("reads and writes of {table} wait while this drop waits for the queries that run on it"))
            .help("use `drop index concurrently`, one index to a statement, in a migration of its own")
    };
    locked.map(problem).collect()
}

/// The table that is locked, when there is another way and anybody would notice.
fn locked(context: &Context, name: &ObjectName) -> Option<String> {
    let Some(index) = context.catalog.index(name) else { return Some(format!("the table of `{name}`")) };
    let partitioned = context.catalog.table(&index.table).is_some_and(|it| it.partitioned);
    // An index that carries a constraint cannot be dropped at all: another rule's business.
    let exempt = partitioned || index.constraint.is_some() || context.is_new(&index.table);
    (!exempt).then(|| format!("`{}`", index.table))
}
