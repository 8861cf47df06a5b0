//! Where migrations have a way back, one without cannot be taken back by its tool.
//!
//! Most migrations of this folder have a down part. When a deployment goes wrong, somebody runs the tool's `down` and finds
//! that this one has none, or an empty one. Down parts are looked for, not judged.
//!
//! ```sql bad layout=goose
//! -- +goose Up
//! create table orders (id bigint primary key);
//! -- +goose Down
//! ```
//!
//! ```sql good layout=goose unrun=goose-runs-one-section
//! -- +goose Up
//! create table orders (id bigint primary key);
//! -- +goose Down
//! drop table orders;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    migration::layout::{Tool, downs::Down},
    report::Harm,
    sql::Span,
};

pub static RULE: Rule = Rule {
    name: "missing-down",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("missing_down.rs"),
    check: Check::Migration(check),
};

fn check(context: &Context) -> Vec<Problem> {
    let migration = context.migration;
    // Somebody has named a way back, to have it judged.
    if migration.id.0 == "down.sql" || migration.id.0.ends_with("/down.sql") || migration.id.0.ends_with(".down.sql") {
        return Vec::new();
    }
    let says = match migration.down {
        Down::Unexpected | Down::There(_) => return Vec::new(),
        Down::Missing => "nothing undoes it: it has no down part",
        Down::Empty => "nothing undoes it: its down part is empty",
    };
    let who = match migration.layout.tool {
        Tool::Liftlock => "its tool".to_owned(),
        tool => tool.title().to_owned(),
    };
    let first_line = migration.text.lines().next().unwrap_or_default().trim_end().len();
    vec![
        Problem::at(Span { start: 0, end: first_line })
            .says(says)
            .help(format!("write what {who} runs to take it back, or say there why nothing can")),
    ]
}
