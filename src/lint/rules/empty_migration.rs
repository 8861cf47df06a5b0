//! A migration without a statement does nothing, and is recorded as done.
//!
//! Whatever is written into the file afterwards never runs: it counts as applied, and its changed bytes stop the
//! next promotion.
//!
//! ```sql bad whole
//! -- Description: the orders of customers
//! -- Created: 2026-01-31
//! -- Type: schema_safe
//! -- Rollback: drop table orders;
//!
//! -- create table orders (id bigint primary key);
//! ```
//!
//! ```sql good
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::Span,
};

pub static RULE: Rule = Rule {
    name: "empty-migration",
    harm: Harm::Convention,
    severity: Severities::WARNING,
    waivable: Waivable::Never,
    source: include_str!("empty_migration.rs"),
    check: Check::Migration(check),
};

fn check(context: &Context) -> Vec<Problem> {
    if !context.migration.statements.is_empty() {
        return Vec::new();
    }
    let first_line = context.migration.text.lines().next().unwrap_or_default().trim_end().len();
    vec![
        Problem::at(Span { start: 0, end: first_line })
            .says("there is no statement in it, and it is recorded as applied all the same")
            .help("write the statement before it is promoted, or remove the file"),
    ]
}
