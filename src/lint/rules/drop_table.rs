//! Dropping a table loses every row in it.
//!
//! A restore point brings the rows back, but with them the whole database as it was then: what was written
//! since is lost instead. To retire a table, stop using it, keep it for a release, and drop it when nobody
//! missed it. A table that the same release creates may be dropped, a temporary one too; so may a materialized
//! view that the same migration creates again.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create table events (id bigint, month int) partition by list (month);
//! create table events_1 partition of events for values in (1);
//! create table old_events_2 (id bigint, month int);
//! create materialized view order_counts as select count(*) from orders;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock,order_counts:AccessExclusiveLock
//! drop table orders cascade;
//! ```
//!
//! ```sql bad locks=events:AccessExclusiveLock,events_1:AccessExclusiveLock
//! drop table events_1;
//! ```
//!
//! ```sql bad locks=order_counts:AccessExclusiveLock
//! drop materialized view order_counts;
//! ```
//!
//! A table of this release, but with rows that were there before:
//!
//! ```sql bad locks=old_events_2:AccessExclusiveLock also=partition-scan
//! create table archive (id bigint, month int) partition by list (month);
//! alter table archive attach partition old_events_2 for values in (2);
//! drop table archive;
//! ```
//!
//! Perhaps another table of this name was there:
//!
//! ```sql bad
//! create table if not exists invoices (id bigint primary key);
//! drop table invoices;
//! ```
//!
//! ```sql good
//! create table scratch (id bigint primary key);
//! drop table scratch;
//! ```
//!
//! ```sql good locks=order_counts:AccessExclusiveLock
//! drop materialized view order_counts;
//! create materialized view order_counts as select count(*) as orders from orders;
//! ```

use crate::{
    catalog::Catalog,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
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
        ObjectKind::MaterializedView => "every stored row of materialized view",
        _ => return Vec::new(),
    };
    let keeps = |name: &&ObjectName| {
        is_expendable(context.catalog, name, drop.cascade) || context.creates_again(drop.kind, name, None)
    };
    let lost = drop.names.iter().filter(|name| !keeps(name));
    lost.map(|name| {
        let keys = if drop.kind == ObjectKind::Table { ", and drop the foreign keys to it" } else { "" };
        Problem::at(name.span()).says(format!("{what} `{name}` is lost")).help(format!(
            "release 1: use `{name}` nowhere any more{keys}; release 2, when no old process is left: this, with `-- liftlock: \
             allow drop-table because nothing has used it since …`"
        ))
    })
    .collect()
}

/// Everything that goes is of this release: the table, its partitions, and with `CASCADE` what inherits from it.
fn is_expendable(catalog: &Catalog, name: &ObjectName, cascade: bool) -> bool {
    let family = catalog.family(name);
    let goes = |member: &ObjectName| cascade || *member == catalog.resolve(name) || is_partition(catalog, member);
    let mut going = family.iter().filter(|it| goes(it));
    going.all(|it| catalog.is_surely_new(it))
}

fn is_partition(catalog: &Catalog, name: &ObjectName) -> bool {
    catalog.table(name).is_some_and(|it| it.partition_of.is_some())
}
