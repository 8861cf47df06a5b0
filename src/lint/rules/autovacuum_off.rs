//! A table without autovacuum grows, gets slow, and in the end is vacuumed at the worst time.
//!
//! Dead rows stay, the planner works with old statistics, and close to the wraparound of transaction ids Postgres vacuums it
//! all the same. Turned off for a load and on again in the same migration is fine; else tune it:
//! `autovacuum_vacuum_scale_factor`, `autovacuum_vacuum_cost_delay`.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:ShareUpdateExclusiveLock
//! alter table orders set (autovacuum_enabled = false);
//! ```
//!
//! ```sql bad
//! create table visits (id bigint primary key) with (autovacuum_enabled = off);
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! alter table orders set (autovacuum_vacuum_scale_factor = 0.01);
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! alter table orders set (autovacuum_enabled = false);
//! alter table orders reset (autovacuum_enabled);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Span, Statement, change::ActionKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "autovacuum-off",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("autovacuum_off.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let places: Vec<(Span, &ObjectName)> = match &statement.change {
        Change::CreateTable(table) if !table.temporary && table.options.iter().any(turns_off) => {
            vec![(table.name.span(), &table.name)]
        }
        Change::AlterTable(alter) => {
            let off = alter.actions.iter().filter(|it| match &it.kind {
                ActionKind::StorageOptions { options, reset: false } => options.iter().any(turns_off),
                _ => false,
            });
            off.map(|it| (it.span, &alter.table)).collect()
        }
        _ => Vec::new(),
    };
    let lasting = places.into_iter().filter(|(_, table)| !context.later().iter().any(|it| turns_on(it, table)));
    let problem = |(span, table): (Span, &ObjectName)| {
        Problem::at(span)
            .says(format!("nothing cleans `{table}` up from now on, and nothing keeps its statistics"))
            .help(format!(
                "tune autovacuum instead, or turn it on again: `alter table {table} reset (autovacuum_enabled)`"
            ))
    };
    lasting.map(problem).collect()
}

fn is_switch(name: &str) -> bool {
    matches!(name, "autovacuum_enabled" | "toast.autovacuum_enabled")
}

fn turns_off((name, value): &(String, Option<String>)) -> bool {
    let value = value.as_deref().unwrap_or_default().trim_matches('\'').to_lowercase();
    is_switch(name) && matches!(value.as_str(), "false" | "off" | "no" | "0" | "f" | "n")
}

fn turns_on(statement: &Statement, table: &ObjectName) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    alter.table == *table
        && alter.actions.iter().any(|it| match &it.kind {
            ActionKind::StorageOptions { options, reset } => {
                options.iter().any(|it| is_switch(&it.0) && (*reset || !turns_off(it)))
            }
            _ => false,
        })
}
