//! Renaming an enum's value breaks the application that is running.
//!
//! Old processes go on writing and comparing the old label, and fail with "invalid input value for enum". Add
//! the new value, move readers and writers over, and leave the old one: Postgres cannot drop it anyway.
//!
//! ```sql setup
//! create type state as enum ('new', 'done');
//! ```
//!
//! ```sql bad
//! alter type state rename value 'done' to 'shipped';
//! ```
//!
//! ```sql good
//! alter type state add value 'shipped';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{AlterObject, ObjectAction},
    },
};

pub static RULE: Rule = Rule {
    name: "renamed-enum-value",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("renamed_enum_value.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { name: Some(name), action: ObjectAction::RenameValue { .. }, .. }) =
        &statement.change
    else {
        return Vec::new();
    };
    if context.catalog.data_type(name).is_some_and(|it| it.origin.is_new()) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("the running application fails wherever it writes or compares this value of `{name}`"))
            .help(format!(
                "release 1: `alter type {name} add value` with the new label in a migration of its own, read both labels, and \
                 write only the new one; release 2, when no old process is left: `update` the rows that have the old one, in \
                 batches; the old label may stay"
            )),
    ]
}
