//! A `statement_timeout` ends slow work that blocks nobody, and leaves it half done.
//!
//! `CREATE INDEX CONCURRENTLY` and `VALIDATE CONSTRAINT` take as long as the table is large, and let reads and writes go on
//! meanwhile. A timeout of a few minutes, good for everything else, kills them on a large table: an index that is built
//! concurrently stays behind as invalid, and is kept up to date by every write all the same. The setting may also come from the
//! role or the database, where that was read. The runner sets a `statement_timeout` of its own only for what blocks.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint, total int);
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```
//!
//! ```sql bad commits
//! set statement_timeout = '5s';
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad locks=orders:ShareUpdateExclusiveLock
//! set local statement_timeout = '5s';
//! alter table orders validate constraint orders_total_check;
//! ```
//!
//! ```sql good commits
//! set statement_timeout = 0;
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        timeouts::{self, Timeout},
    },
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterTable},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "short-statement-timeout",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("short_statement_timeout.rs"),
    check: Check::Statement(check),
};

/// Milliseconds in which a large index may well be built: ten minutes.
const ENOUGH: f64 = 600_000.0;

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((table, left)) = gentle(&statement.change).filter(|(table, _)| !context.is_new(table)) else {
        return Vec::new();
    };
    let Timeout::Milliseconds(limit) = timeouts::in_force(context, "statement_timeout") else { return Vec::new() };
    if limit >= ENOUGH {
        return Vec::new();
    }
    let seconds = limit / 1_000.0;
    vec![
        Problem::at(statement.span)
            .says(format!("this ends after {seconds} s, done or not, because of `statement_timeout`, and {left}"))
            .help("put `set statement_timeout = 0;` before it: it blocks nobody, and `lock_timeout` still bounds its waits")
            .weighing(table),
    ]
}

/// The table, and what an interrupted statement leaves behind.
fn gentle(change: &Change) -> Option<(&ObjectName, &'static str)> {
    match change {
        Change::CreateIndex(index) if index.concurrently => Some((&index.table, "leaves an invalid index behind")),
        Change::AlterTable(AlterTable { table, actions, .. }) => {
            let validates = actions.iter().any(|it| matches!(it.kind, ActionKind::ValidateConstraint { .. }));
            validates.then_some((table, "the constraint stays unvalidated"))
        }
        _ => None,
    }
}
