//! Detaching a partition without `concurrently` locks the parent and the partition against everything.
//!
//! The detaching takes an instant, but `ACCESS EXCLUSIVE` on the parent waits for every running query on any of its
//! partitions, and everything that comes later waits behind it. A parent with a default partition has no other way.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION>.
//!
//! ```sql setup
//! create table events (id bigint, at int not null) partition by range (at);
//! create table events_1 partition of events for values from (0) to (100);
//! create table visits (id bigint, at int not null) partition by range (at);
//! create table visits_1 partition of visits for values from (0) to (100);
//! create table visits_rest partition of visits default;
//! ```
//!
//! ```sql bad locks=events:AccessExclusiveLock,events_1:AccessExclusiveLock
//! alter table events detach partition events_1;
//! ```
//!
//! ```sql good commits
//! alter table events detach partition events_1 concurrently;
//! ```
//!
//! ```sql good locks=visits:AccessExclusiveLock,visits_1:AccessExclusiveLock,visits_rest:AccessExclusiveLock
//! alter table visits detach partition visits_1;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, TableAction},
    },
};

pub static RULE: Rule = Rule {
    name: "detach-without-concurrently",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("detach_without_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    if context.catalog.table(&alter.table).is_some_and(|it| it.default_partition.is_some()) {
        return Vec::new();
    }
    let plain = actions.iter().filter(|action| {
        matches!(action.kind, ActionKind::DetachPartition { concurrently: false, finalize: false, .. })
    });
    let problem = |action: &TableAction| {
        Problem::at(action.span)
            .says(format!("reads and writes of `{}` wait while this waits for the queries that run on it", alter.table))
            .help("use `detach partition … concurrently`, alone in a migration of its own")
    };
    plain.map(problem).collect()
}
