//! An index that goes before its replacement is there leaves its queries without either.
//!
//! Until the new one is built they read the whole table, for as long as the build takes. Build the new index first, under
//! another name, and drop the old one after it.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint, state text);
//! create index orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad commits
//! drop index concurrently orders_customer_id_idx;
//! create index concurrently orders_customer_state_idx on orders (customer_id, state);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_customer_state_idx on orders (customer_id, state);
//! drop index concurrently orders_customer_id_idx;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "index-dropped-before-replacement",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("index_dropped_before_replacement.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(index) = &statement.change else { return Vec::new() };
    let Some(first) = index.keys.first() else { return Vec::new() };
    // In one transaction nobody sees the moment between the two.
    let atomic = context.transaction.is_some();
    if atomic || context.is_new(&index.table) {
        return Vec::new();
    }
    let table = context.catalog.resolve(&index.table);
    let serves = |keys: &[String]| keys.first() == Some(first);
    if context.catalog.indexes_of(&table).any(|it| serves(&it.keys) && !it.partial) {
        return Vec::new();
    }
    let mut dropped = context.catalog.dropped_indexes.iter().filter(|(_, when)| when.is_new());
    let Some((old, _)) = dropped.find(|(it, _)| it.table == table && serves(&it.keys) && !it.partial) else {
        return Vec::new();
    };
    vec![
        Problem::at(index.span)
            .says(format!(
                "queries that used `{}` read all of `{}` until this index is built",
                old.name.last(),
                index.table
            ))
            .help(format!("build this one first, under another name, and drop `{}` after it", old.name.last())),
    ]
}
