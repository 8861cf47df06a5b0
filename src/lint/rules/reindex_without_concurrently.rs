//! Building indexes again without `concurrently` blocks writes to their table, and reads that use them.
//!
//! `REINDEX` takes `SHARE` on the table and `ACCESS EXCLUSIVE` on each index while it reads the whole table, once
//! for each index. See <https://www.postgresql.org/docs/current/sql-reindex.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad locks=orders:ShareLock,orders_customer_id_idx:AccessExclusiveLock
//! reindex index orders_customer_id_idx;
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! reindex table orders;
//! ```
//!
//! ```sql good commits locks=orders:ShareUpdateExclusiveLock
//! reindex index concurrently orders_customer_id_idx;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ReindexTarget},
};

pub static RULE: Rule = Rule {
    name: "reindex-without-concurrently",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("reindex_without_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Reindex { target, name, concurrently: false } = &statement.change else { return Vec::new() };
    let index = name.as_ref().filter(|_| *target == ReindexTarget::Index).and_then(|it| context.catalog.index(it));
    let table = match target {
        ReindexTarget::Index => index.map(|it| &it.table),
        ReindexTarget::Table => name.as_ref(),
        ReindexTarget::Schema | ReindexTarget::Database | ReindexTarget::System => None,
    };
    if table.is_some_and(|it| context.is_new(it)) {
        return Vec::new();
    }
    let whose = match (table, target) {
        (Some(table), _) => format!("`{table}`"),
        (None, ReindexTarget::Index | ReindexTarget::Table) => "the index's table".to_owned(),
        (None, _) => "each table in turn".to_owned(),
    };
    let problem = Problem::at(statement.span);
    vec![
        table
            .map_or(problem.clone(), |it| problem.weighing(it))
            .says(format!("writes to {whose} wait until the index is built again, and so do reads that plan with it"))
            .help("use `reindex … concurrently`, alone in a migration of its own"),
    ]
}
