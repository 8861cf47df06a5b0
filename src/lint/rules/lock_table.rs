//! An explicit lock that keeps writers out is held until the migration commits.
//!
//! `LOCK TABLE` without a mode is `ACCESS EXCLUSIVE`: it waits for every running query on the table, and everything that
//! comes later waits for the migration's end. Modes up to `SHARE UPDATE EXCLUSIVE` let reads and writes go on.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! lock table orders;
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! lock table orders in share mode;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! lock table orders in share update exclusive mode;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "lock-table",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("lock_table.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Lock { tables, mode } = &statement.change else { return Vec::new() };
    let who = match mode.as_str() {
        "ACCESS SHARE" | "ROW SHARE" | "ROW EXCLUSIVE" | "SHARE UPDATE EXCLUSIVE" => return Vec::new(),
        "SHARE" | "SHARE ROW EXCLUSIVE" | "EXCLUSIVE" => "writes to",
        _ => "reads and writes of",
    };
    let existing = tables.iter().filter(|it| !context.is_new(it));
    let problem = |table| {
        Problem::at(statement.span)
            .says(format!("{who} `{table}` wait from here until the migration commits"))
            .help("leave it out: every statement takes the lock that it needs, for as short as it can")
    };
    existing.map(problem).collect()
}
