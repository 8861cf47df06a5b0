//! An index without a name gets one that differs from database to database.
//!
//! Postgres makes it from the table and the columns, and puts a number behind it when it is taken: by the invalid leftover
//! of a build that failed, for instance, beside which the next attempt builds a second. A later `DROP INDEX` or
//! `REINDEX` has to guess it.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad commits locks=orders:ShareUpdateExclusiveLock
//! create index concurrently on orders (customer_id);
//! ```
//!
//! ```sql good commits locks=orders:ShareUpdateExclusiveLock
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "unnamed-index",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("unnamed_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(index) = &statement.change else { return Vec::new() };
    if index.name.is_some() || context.catalog.table(&index.table).is_some_and(|it| it.temporary) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("this index of `{}` has no name that a later migration could rely on", index.table))
            .help("give it one: `create index NAME on …`"),
    ]
}
