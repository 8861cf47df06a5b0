//! Truncating a table loses every row in it.
//!
//! `TRUNCATE` asks no trigger and takes an `ACCESS EXCLUSIVE` lock; with `CASCADE` it empties every table with a
//! foreign key to this one as well, and every table with one to those. Only tables that the same release creates
//! may be truncated.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create table order_lines (order_id bigint references orders);
//! ```
//!
//! ```sql bad locks=order_lines:AccessExclusiveLock
//! truncate order_lines;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock,order_lines:AccessExclusiveLock
//! truncate orders cascade;
//! ```
//!
//! ```sql good
//! create table scratch (id bigint primary key);
//! truncate scratch;
//! ```

use std::collections::BTreeSet;

use crate::{
    catalog::{Catalog, Origin},
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "truncate-table",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("truncate_table.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Truncate(truncate) = &statement.change else { return Vec::new() };
    let is_new = |name: &ObjectName| context.catalog.holds_only_new_rows(name, Origin::is_surely_new);
    let mut problems = Vec::new();
    for name in &truncate.tables {
        let emptied = emptied(context.catalog, name, truncate.cascade);
        let lost = emptied.iter().filter(|it| !is_new(it)).collect::<Vec<_>>();
        if lost.is_empty() {
            continue;
        }
        let named = lost.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        let reach = if truncate.cascade { " and of every table that references them" } else { "" };
        problems.push(
            Problem::at(name.span())
                .says(format!("every row of {named}{reach} is lost"))
                .help("if the rows may go, say why: `-- liftlock: allow truncate-table because …`"),
        );
    }
    problems
}

/// The table as written, and with `CASCADE` all known ones that reference it, directly or through others.
fn emptied(catalog: &Catalog, name: &ObjectName, cascade: bool) -> Vec<ObjectName> {
    let mut emptied = vec![name.clone()];
    let mut known = BTreeSet::from([catalog.resolve(name)]);
    let mut next = 0;
    while cascade && next < emptied.len() {
        let found = catalog.referencing(&emptied[next]).map(|it| it.name.clone()).collect::<Vec<_>>();
        emptied.extend(found.into_iter().filter(|it| known.insert(it.clone())));
        next += 1;
    }
    emptied
}
