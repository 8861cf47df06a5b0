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
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{PartitionScan, scanned_partitions},
    },
    report::{Harm, Severity},
    sql::{Change, Span, Statement, change::ActionKind, names::ObjectName},
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
    let mut problems = Vec::new();
    match &statement.change {
        Change::CreateTable(table) => {
            let Some(of) = &table.partition_of else { return Vec::new() };
            let scans = scanned_partitions(context, &of.parent, None, of.default);
            problems.extend(scans.into_iter().map(|scan| problem(statement.span, scan)));
            let known = context.catalog.table(&of.parent).is_some_and(|it| it.partitioned);
            if !known && !of.default && !context.is_new(&of.parent) {
                problems.push(unknown(statement.span, &of.parent));
            }
        }
        Change::AlterTable(alter) => {
            for action in &alter.actions {
                let ActionKind::AttachPartition { partition, default, .. } = &action.kind else { continue };
                let scans = scanned_partitions(context, &alter.table, Some(partition), *default);
                problems.extend(scans.into_iter().map(|scan| problem(action.span, scan)));
            }
        }
        _ => {}
    }
    problems
}

fn problem(span: Span, PartitionScan { table, proof }: PartitionScan) -> Problem {
    if let Some(check) = proof {
        return Problem::safe(
            span,
            format!("check `{check}` says which rows `{table}` holds: they are not read when it implies the bounds"),
        );
    }
    Problem::at(span)
        .says(format!("reads and writes of `{table}` wait until every row of it is read, to see where it belongs"))
        .help(format!(
            "first give `{table}` a `check (…) not valid` that says which rows it may hold, and validate it in a migration \
             of its own; afterwards the check may go"
        ))
        .weighing(&table)
}

/// Many partitioned tables have a default partition, and no file says whether this one has.
fn unknown(span: Span, parent: &ObjectName) -> Problem {
    Problem::at(span)
        .says(format!(
            "if `{parent}` has a default partition, reads and writes of it wait until every row of it is read, to see where it \
             belongs"
        ))
        .help(format!(
            "when `{parent}` has one, give that a `check (…) not valid` which excludes these bounds and validate it in a \
             migration before; otherwise waive this"
        ))
        .at_most(Severity::Warning)
        .weighing(parent)
}
