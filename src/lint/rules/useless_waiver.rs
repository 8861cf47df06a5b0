//! A waiver that waives nothing hides what the file really does.
//!
//! Either the statement is not what the author thought, or it has changed since, or the rule cannot be waived.
//!
//! ```sql bad
//! -- liftlock: allow drop-table because nobody reads it
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad also=drop-database commits
//! -- liftlock: allow drop-database because it is old
//! drop database if exists reporting_of_last_year;
//! ```
//!
//! ```sql good
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, DirectiveUse, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::DirectiveKind,
};

pub static RULE: Rule = Rule {
    name: "useless-waiver",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::Never,
    source: include_str!("useless_waiver.rs"),
    check: Check::Directive(check),
};

fn check(used: &DirectiveUse) -> Option<Problem> {
    let DirectiveKind::Allow { rule, reason } = &used.directive.kind else { return None };
    let known = used.rule?;
    let problem = Problem::at(used.directive.span);
    if known.waivable == Waivable::Never {
        return Some(
            problem.says(format!("`{rule}` cannot be waived")).help("take the waiver out, and what it was for"),
        );
    }
    (used.findings == 0 && !reason.is_empty()).then(|| {
        problem
            .says(format!("waives nothing: `{rule}` finds nothing in the statement below"))
            .help("take it out, or put it right above the statement that it is for")
    })
}
