//! A `-- liftlock:` comment that is not understood does nothing, and looks as if it did.
//!
//! There are two: `-- liftlock: safe` and `-- liftlock: allow RULE because REASON`.
//!
//! ```sql bad
//! -- liftlock: ignore drop-table
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good
//! -- liftlock: safe
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, DirectiveUse, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::DirectiveKind,
};

pub static RULE: Rule = Rule {
    name: "unknown-directive",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::Never,
    source: include_str!("unknown_directive.rs"),
    check: Check::Directive(check),
};

fn check(used: &DirectiveUse) -> Option<Problem> {
    let DirectiveKind::Unknown { .. } = &used.directive.kind else { return None };
    Some(
        Problem::at(used.directive.span)
            .says("this comment is not understood, and does nothing")
            .help("write `-- liftlock: allow RULE because REASON`, or `-- liftlock: safe`"),
    )
}
