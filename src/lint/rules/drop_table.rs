//! Dropping a table loses every row in it.
//!
//! A restore point brings the rows back, but with them the whole database as it was then; what was written
//! since is lost instead. A table that the same release creates may be dropped, a temporary one too. To retire
//! a table, stop using it, keep it for one release under another name, and drop it when nobody missed it.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create materialized view order_counts as select count(*) from orders;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! drop table orders cascade;
//! ```
//!
//! ```sql bad locks=order_counts:AccessExclusiveLock
//! drop materialized view order_counts;
//! ```
//!
//! ```sql good
//! create table scratch (id bigint primary key);
//! drop table scratch;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Drop, ObjectKind},
    },
};

pub static RULE: Rule = Rule {
    name: "drop-table",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_table.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let what = match drop.kind {
        ObjectKind::Table => "every row of table",
        ObjectKind::ForeignTable => "the way to the rows of foreign table",
        ObjectKind::MaterializedView => "the stored rows of materialized view",
        _ => return Vec::new(),
    };
    let lost = drop.names.iter().filter(|name| !context.catalog.is_surely_new(name));
    lost.map(|name| Problem::at(name.span).says(format!("{what} `{name}` is lost")).help(help(drop))).collect()
}

fn help(drop: &Drop) -> &'static str {
    match drop.kind {
        ObjectKind::MaterializedView => "create it again in the same migration, or stop using it first",
        _ => "stop using it first; when it must go, say why with `-- liftlock: allow drop-table because …`",
    }
}
