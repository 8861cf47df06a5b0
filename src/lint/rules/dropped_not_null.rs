//! A column that may be null from now on surprises whoever reads it.
//!
//! Code that is running was written for a value in every row, and so were views, exports and the mirror. Writing the first
//! null is for a release after the one whose code can read it.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text not null, note text);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column state drop not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column note drop not null;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{Statement, change::ActionKind},
};

pub static RULE: Rule = Rule {
    name: "dropped-not-null",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("dropped_not_null.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = context.catalog.table(&alter.table);
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::DropNotNull { column } = &action.kind else { continue };
        let known = table.and_then(|it| it.column(column));
        if known.is_some_and(|it| !it.not_null || it.origin.is_new()) {
            continue;
        }
        problems.push(
            Problem::at(action.span)
                .says(format!("whoever reads `{column}` of `{}` may meet a null from now on", alter.table))
                .help("be sure that the code that is running can read one before any is written"),
        );
    }
    problems
}
