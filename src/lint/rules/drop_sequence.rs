//! Dropping a sequence loses where it stood.
//!
//! Numbers that were given out are given out again by whatever takes its place. Postgres refuses while a column
//! default uses it; with `CASCADE` it removes that default, and inserts fail from then on.
//!
//! ```sql setup
//! create sequence invoice_numbers;
//! ```
//!
//! ```sql bad
//! drop sequence invoice_numbers;
//! ```
//!
//! ```sql good
//! create sequence draft_numbers;
//! drop sequence draft_numbers;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-sequence",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_sequence.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Sequence {
        return Vec::new();
    }
    let is_new = |name: &ObjectName| {
        let known = context.catalog.sequences.get(&context.catalog.resolve(name));
        known.is_some_and(|it| it.origin.is_surely_new())
    };
    let lost = drop.names.iter().filter(|name| !is_new(name));
    lost.map(|name| {
        Problem::at(name.span())
            .says(format!("the counter of sequence `{name}` is lost"))
            .help(format!(
                "release 1: take numbers from `{name}` nowhere any more; release 2, when no old process is left: this, with \
                 `-- liftlock: allow drop-sequence because nothing has used it since …`"
            ))
    })
    .collect()
}
