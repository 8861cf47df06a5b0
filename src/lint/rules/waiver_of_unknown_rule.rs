//! A waiver that names no rule waives nothing, and looks as if it did.
//!
//! `liftlock rules` lists the names.
//!
//! ```sql bad
//! -- liftlock: allow drop-tabel because it is empty
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good
//! -- the orders of customers
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, DirectiveUse, Problem, Rule, Severities, Waivable, rules},
    report::Harm,
    sql::DirectiveKind,
};

pub static RULE: Rule = Rule {
    name: "waiver-of-unknown-rule",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::Never,
    source: include_str!("waiver_of_unknown_rule.rs"),
    check: Check::Directive(check),
};

fn check(used: &DirectiveUse) -> Option<Problem> {
    let DirectiveKind::Allow { rule, .. } = &used.directive.kind else { return None };
    if used.rule.is_some() {
        return None;
    }
    let help = match rules::nearest(rule) {
        Some(near) => format!("did you mean `{}`?", near.name),
        None => "`liftlock rules` lists the names".to_owned(),
    };
    Some(Problem::at(used.directive.span).says(format!("there is no rule `{rule}`")).help(help))
}
