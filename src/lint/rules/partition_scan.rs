//! Attaching or creating a partition reads rows under an exclusive lock, unless a check proves where they belong.
//!
//! `ATTACH PARTITION` reads the table that is attached, and the default partition, to see that no row is in the wrong
//! place; `CREATE TABLE … PARTITION OF` reads the default partition too. A validated `CHECK` that says the same as the
//! partition's bounds (for the default partition: the opposite) spares the reading.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION>.
//!
//! ```sql setup
//! create table events (id bigint, at int not null) partition by range (at);
//! create table events_rest partition of events default;
//! create table visits (id bigint, at int not null) partition by range (at);
//! create table old_visits (id bigint, at int not null);
//! create table proved_visits (id bigint, at int not null);
//! alter table proved_visits add constraint proved_visits_at check (at >= 100 and at < 200);
//! ```
//!
//! ```sql bad locks=events:AccessExclusiveLock,events_rest:AccessExclusiveLock
//! create table events_1 partition of events for values from (0) to (100);
//! ```
//!
//! ```sql bad locks=visits:ShareUpdateExclusiveLock,old_visits:AccessExclusiveLock
//! alter table visits attach partition old_visits for values from (0) to (100);
//! ```
//!
//! ```sql good locks=visits:ShareUpdateExclusiveLock,proved_visits:AccessExclusiveLock
//! alter table visits attach partition proved_visits for values from (100) to (200);
//! ```
//!
//! ```sql good locks=visits:AccessExclusiveLock
//! create table visits_2 partition of visits for values from (200) to (300);
//! ```

use crate::{
    catalog::Table,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "partition-scan",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("partition_scan.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let scans = |parent: &ObjectName, table: Option<&ObjectName>| {
        let attached = table.filter(|it| !context.is_new(it) && !is_checked(context.catalog.table(it)));
        let rest = context.catalog.table(parent).and_then(|it| it.default_partition.as_ref());
        let rest = rest.filter(|it| !context.is_new(it) && !is_checked(context.catalog.table(it)));
        attached.into_iter().chain(rest).cloned().collect::<Vec<_>>()
    };
    let scanned: Vec<_> = match &statement.change {
        Change::CreateTable(table) => {
            let of = table.partition_of.as_ref().filter(|it| !it.default);
            of.map(|it| scans(&it.parent, None))
                .unwrap_or_default()
                .into_iter()
                .map(|it| (statement.span, it))
                .collect()
        }
        Change::AlterTable(alter) => {
            let attach = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::AttachPartition { partition, .. } => Some((action.span, partition)),
                _ => None,
            });
            attach.flat_map(|(span, it)| scans(&alter.table, Some(it)).into_iter().map(move |it| (span, it))).collect()
        }
        _ => return Vec::new(),
    };
    let problem = |(span, table)| {
        Problem::at(span).weighing(&table)
            .says(format!("reads and writes of `{table}` wait until every row of it is read, to see where it belongs"))
            .help(format!(
                "first give `{table}` a `check (…) not valid` that says which rows it may hold, and validate it in a migration \
                 of its own; afterwards the check may go"
            ))
    };
    scanned.into_iter().map(problem).collect()
}

/// A validated check is there. Whether it says the right thing only Postgres can tell.
fn is_checked(table: Option<&Table>) -> bool {
    let check = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Check { .. });
    table.is_some_and(|it| it.constraints.iter().any(|it| it.validated && check(&it.kind)))
}
