//! Dropping a function or procedure breaks whatever calls it.
//!
//! The running application, triggers, views and other functions call it by name; bodies are not checked when it
//! goes, they fail when they run. Drop it when nothing calls it. One that the same migration creates again is
//! replaced.
//!
//! ```sql setup
//! create function total(bigint) returns bigint language sql as 'select $1';
//! ```
//!
//! ```sql bad
//! drop function total(bigint);
//! ```
//!
//! ```sql good
//! drop function if exists total(bigint);
//! create function total(bigint) returns numeric language sql as 'select $1::numeric';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-routine",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_routine.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let what = match drop.kind {
        ObjectKind::Function => "function",
        ObjectKind::Procedure => "procedure",
        ObjectKind::Routine => "routine",
        ObjectKind::Aggregate => "aggregate",
        _ => return Vec::new(),
    };
    let is_new = |name: &ObjectName| {
        let known = context.catalog.routine(name);
        !known.is_empty() && known.iter().all(|it| it.origin.is_surely_new())
    };
    // Only triggers call it, and what their going means was said of them.
    let of_gone_trigger = |name: &ObjectName| {
        let known = context.catalog.routine(name);
        let dropped = |it: &Statement| matches!(&it.change, Change::Drop(it) if it.kind == ObjectKind::Trigger);
        !known.is_empty()
            && known.iter().all(|it| it.returns.as_deref() == Some("trigger"))
            && context.earlier().iter().any(dropped)
    };
    let lost = drop
        .names
        .iter()
        .filter(|it| !is_new(it) && !of_gone_trigger(it) && !context.creates_again(drop.kind, it, None));
    lost.map(|name| {
        Problem::at(name.span()).says(format!("whatever calls {what} `{name}` fails")).help(format!(
            "release 1: call `{name}` nowhere any more, also from triggers and other routines; release 2, when no old \
                 process is left: this, with `-- liftlock: allow drop-routine because nothing has called it since …`"
        ))
    })
    .collect()
}
