//! What a tool fills in when it runs a migration has not been read.
//!
//! Flyway, Liquibase and their like put a setting in the place of `${…}`. Which table that is, or which type, the file does
//! not say, so nothing is known of the statement's locks.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad layout=flyway unrun=flyway-fills-it-in
//! alter table ${orders} add column note text;
//! ```
//!
//! ```sql good layout=flyway locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Unread},
};

pub static RULE: Rule = Rule {
    name: "filled-in-placeholder",
    harm: Harm::Unread,
    severity: Severities::WARNING,
    waivable: Waivable::WithReason,
    source: include_str!("filled_in_placeholder.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Unread { reason: Unread::Placeholder { text, .. } } = &statement.change else { return Vec::new() };
    let tool = context.migration.layout.tool;
    if !tool.fills_in(text) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("{} puts something in the place of `{text}`, so this statement is not read", tool.title()))
            .help(
                "write what it stands for, or say what the statement does: `-- liftlock: allow filled-in-placeholder because …`",
            ),
    ]
}
