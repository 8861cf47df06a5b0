//! Before Postgres 18 a foreign key of a partitioned table cannot be `NOT VALID`.
//!
//! Add it `NOT VALID` to each partition and validate it there, each in a migration of its own; adding it to the parent then
//! takes the partitions' keys over without looking at the rows.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table events (id bigint, customer_id bigint, at int not null) partition by range (at);
//! create index events_customer_id_idx on events (customer_id);
//! create table events_1 partition of events for values from (0) to (100);
//! ```
//!
//! ```sql bad fails=42809 until=17
//! alter table events add constraint events_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql good locks=customers:ShareRowExclusiveLock,events_1:ShareRowExclusiveLock
//! alter table events_1 add constraint events_1_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
    },
};

pub static RULE: Rule = Rule {
    name: "not-valid-on-partitioned-table",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("not_valid_on_partitioned_table.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterTable(alter) = &statement.change else { return Vec::new() };
    if context.postgres.number() >= 18 || !context.catalog.table(&alter.table).is_some_and(|it| it.partitioned) {
        return Vec::new();
    }
    let refused = alter.actions.iter().filter(|action| match &action.kind {
        ActionKind::AddConstraint(it) => it.not_valid && matches!(it.kind, ConstraintKind::ForeignKey { .. }),
        _ => false,
    });
    let problem = refused.map(|action| {
        Problem::at(action.span)
            .says(format!(
                "`{}` is partitioned: before Postgres 18 its foreign keys cannot be `not valid`",
                alter.table
            ))
            .help("add it to each partition with `not valid` and validate it there; then add it to the parent without")
    });
    problem.collect()
}
