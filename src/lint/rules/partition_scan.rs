//! Attaching or creating a partition reads rows under an exclusive lock, unless a check proves where they belong.
//!
//! `ATTACH PARTITION` reads the table that is attached, and the default partition, to see that no row is in the wrong
//! place; `CREATE TABLE … PARTITION OF` reads the default partition too. A validated `CHECK` that says the same as the
//! partition's bounds, and that their columns are not null, spares the reading; on the default partition it must say
//! the opposite. A hash partition cannot be spared. Indexes and foreign keys of the parent that the table lacks are
//! built and validated under the same lock.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION>.
//!
//! ```sql setup
//! create table events (id bigint, at int not null) partition by range (at);
//! create table events_rest partition of events default;
//! create table visits (id bigint, at int not null) partition by range (at);
//! create table old_visits (id bigint, at int not null);
//! create table proved_visits (id bigint, at int not null);
//! alter table proved_visits add constraint proved_visits_at check (at >= 100 and at < 200);
//! create table calls (id bigint not null, at date not null, primary key (id, at)) partition by range (at);
//! create table may_calls (id bigint not null, at date not null);
//! alter table may_calls add constraint may check (at >= '2026-05-01' and at < '2026-06-01');
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
//! A check that says something else proves nothing:
//!
//! ```sql bad locks=visits:ShareUpdateExclusiveLock,proved_visits:AccessExclusiveLock
//! alter table visits attach partition proved_visits for values from (100) to (150);
//! ```
//!
//! The primary key is built:
//!
//! ```sql bad locks=calls:ShareUpdateExclusiveLock,may_calls:AccessExclusiveLock
//! alter table calls attach partition may_calls for values from ('2026-05-01') to ('2026-06-01');
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
    catalog::Constraint,
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{PartitionScan, PartitionScanWhy, names_bounds, scanned_partitions},
    },
    report::{Harm, Severity},
    sql::{
        Change, Span, Statement,
        change::{ActionKind, BoundKind, PartitionBound},
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
    let mut problems = Vec::new();
    match &statement.change {
        Change::CreateTable(table) => {
            let Some(of) = &table.partition_of else { return Vec::new() };
            let scans = scanned_partitions(context, &of.parent, None, &of.bound);
            problems.extend(scans.into_iter().map(|scan| problem(statement.span, &of.parent, scan)));
            let known = context.catalog.table(&of.parent).is_some_and(|it| it.partitioned);
            // A table that is partitioned by hash has no default partition.
            let hash = matches!(of.bound.kind, BoundKind::Hash { .. });
            if !known && !of.default && !hash && !context.is_new(&of.parent) {
                problems.push(match preparing(context, &of.bound) {
                    Some(check) => Problem::safe(
                        statement.span,
                        format!("check `{}` is taken to say that the default partition holds no such rows", check.name),
                    ),
                    None => unknown(statement.span, &of.parent),
                });
            }
        }
        Change::AlterTable(alter) => {
            for action in &alter.actions {
                let ActionKind::AttachPartition { partition, bound, .. } = &action.kind else { continue };
                let scans = scanned_partitions(context, &alter.table, Some(partition), bound);
                problems.extend(scans.into_iter().map(|scan| problem(action.span, &alter.table, scan)));
            }
        }
        _ => {}
    }
    problems
}

fn problem(span: Span, parent: &ObjectName, PartitionScan { table, why }: PartitionScan) -> Problem {
    let waits = format!("reads and writes of `{table}` wait until");
    let (message, help) = match why {
        PartitionScanWhy::Spared(reason) => {
            return Problem::safe(span, format!("the rows of `{table}` are not read: {reason}"));
        }
        PartitionScanWhy::Place => (
            format!("{waits} every row of it is read, to see where it belongs"),
            format!(
                "first give `{table}` a `check (…) not valid` that says which rows it may hold, and validate it in a \
                 migration of its own; afterwards the check may go"
            ),
        ),
        PartitionScanWhy::Index(index) => (
            format!("{waits} a part of index `{index}` is built, because `{parent}` has it and `{table}` has not"),
            format!("before that, create the same index on `{table}` concurrently, in a migration of its own"),
        ),
        PartitionScanWhy::ForeignKey(key) => (
            format!("{waits} foreign key `{key}` of `{parent}` is looked up for every row, because `{table}` lacks it"),
            format!(
                "before that, add the same foreign key to `{table}` with `not valid`, and validate it in a migration of \
                 its own"
            ),
        ),
    };
    Problem::at(span).says(message).help(help).weighing(&table)
}

/// A check of a table that no file creates, which names where the bounds begin: somebody prepares here what the manual
/// advises, and the partitioned table is in a file that was not read.
fn preparing<'c>(context: &Context<'c>, bound: &PartitionBound) -> Option<&'c Constraint> {
    let tables = context.catalog.tables.values().filter(|it| it.partial && !it.partitioned);
    let mut checks = tables.flat_map(|it| &it.constraints).filter(|it| it.validated && it.enforced);
    checks.find(|it| names_bounds(it, bound))
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
