//! Between `timestamp` and `timestamptz` a change is free under `TimeZone = UTC` and a rewrite under any other zone.
//!
//! What the values mean afterwards depends on the session's time zone too: `timestamp` has none of its own, and
//! takes the session's when it gets one. Say in the migration which one is meant; then it is known what happens.
//!
//! ```sql setup
//! create table orders (id bigint, placed_at timestamp with time zone);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column placed_at type timestamp;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! set local timezone = 'UTC';
//! alter table orders alter column placed_at type timestamp;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, actions,
        effects::type_change::{Outcome, new_type, outcome},
    },
    report::Harm,
    sql::Statement,
};

pub static RULE: Rule = Rule {
    name: "time-zone-type-change",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("time_zone_type_change.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let changes = actions.iter().filter_map(|action| Some((action, new_type(&action.kind)?)));
    let depends = changes.filter(|(_, change)| outcome(context, table, change) == Outcome::DependsOnTimeZone);
    let problem = depends.map(|(action, change)| {
        Problem::at(action.span).weighing(table)
            .says(format!(
                "unless the session's time zone is UTC, reads and writes of `{table}` wait while every row is written again \
                 for `{}`",
                change.column
            ))
            .help("put `set local timezone = 'UTC';` above it when the values are meant in UTC")
    });
    problem.collect()
}
