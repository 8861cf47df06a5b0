//! A constraint that stays `NOT VALID` says nothing about the rows that were there before it.
//!
//! New rows are checked, old ones never, so the planner cannot use it, `SET NOT NULL` cannot be proved by it, and a dump
//! may not come back. Validating takes a weak lock and lets writes go on. Nothing is said before a later migration
//! had its chance.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total numeric);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock followed
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Statement, change::Constraint, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "never-validated",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("never_validated.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let open = added::constraints(statement).into_iter().filter(|(_, it)| it.not_valid && !it.not_enforced);
    let problem = |(table, constraint): (&ObjectName, &Constraint)| {
        let name = constraint.name.as_ref()?;
        Some(
            Problem::at(constraint.span)
                .says(format!(
                    "no migration validates `{name}`: the rows that `{table}` had before it were never checked"
                ))
                .help(format!("`alter table {table} validate constraint {name};` in a migration of its own"))
                .unless(Remedy::Validation { table: context.catalog.resolve(table), constraint: name.name.clone() }),
        )
    };
    open.filter_map(problem).collect()
}
