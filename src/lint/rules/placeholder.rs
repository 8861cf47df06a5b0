//! A placeholder is filled in by a tool that is not there.
//!
//! `:name` is psql's, `{{ … }}` and `${…}` are a template's. What is sent to the server is the text as it stands,
//! and what would stand there nobody has reviewed.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad fails=42601
//! alter table orders add column ${column} text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column note text default '${column}';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Unread},
};

pub static RULE: Rule = Rule {
    name: "placeholder",
    harm: Harm::Unread,
    severity: Severities::UNREAD,
    waivable: Waivable::Never,
    source: include_str!("placeholder.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Unread { reason: Unread::Placeholder { text, .. } } = &statement.change else { return Vec::new() };
    // That is a rule of its own.
    if context.migration.layout.tool.fills_in(text) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("nobody fills in `{text}` when this runs"))
            .help("write what it stands for"),
    ]
}
