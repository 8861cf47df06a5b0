//! A waiver without a reason waives nothing.
//!
//! The reason is what a reviewer approves and what the audit log keeps. Write it behind `because`.
//!
//! ```sql setup
//! create view idle as select 1 as one;
//! ```
//!
//! ```sql bad also=drop-view locks=idle:AccessExclusiveLock
//! -- liftlock: allow drop-view
//! drop view idle;
//! ```
//!
//! ```sql good waives locks=idle:AccessExclusiveLock
//! -- liftlock: allow drop-view because nothing has read it since March
//! drop view idle;
//! ```

use crate::{
    lint::{Check, DirectiveUse, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::DirectiveKind,
};

pub static RULE: Rule = Rule {
    name: "waiver-without-reason",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::Never,
    source: include_str!("waiver_without_reason.rs"),
    check: Check::Directive(check),
};

fn check(used: &DirectiveUse) -> Option<Problem> {
    let DirectiveKind::Allow { rule, reason } = &used.directive.kind else { return None };
    let waivable = used.rule.is_some_and(|it| it.waivable != Waivable::Never);
    (waivable && reason.is_empty()).then(|| {
        Problem::at(used.directive.span)
            .says("a waiver without a reason waives nothing")
            .help(format!("write `-- liftlock: allow {rule} because …`"))
    })
}
