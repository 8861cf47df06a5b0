//! A psql command is run by psql; no server knows it.
//!
//! `\i`, `\copy`, `\set` and their sisters are read by one client. Sent to the server they are a syntax error,
//! and what they would have done is not in the file.
//!
//! ```sql bad fails=42601
//! \set name 'value'
//! ```
//!
//! ```sql good
//! select 1;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Unread},
};

pub static RULE: Rule = Rule {
    name: "psql-command",
    harm: Harm::Unread,
    severity: Severities::UNREAD,
    waivable: Waivable::Never,
    source: include_str!("psql_command.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Unread { reason: Unread::PsqlCommand { command } } = &statement.change else { return Vec::new() };
    let command = command.trim_start_matches('\\').split_whitespace().next().unwrap_or_default();
    vec![
        Problem::at(statement.span)
            .says(format!("`\\{command}` is a command of psql; the server does not know it"))
            .help("write what it does as SQL, in this file"),
    ]
}
