//! An insert that names no columns puts its values wherever the columns happen to stand.
//!
//! The order differs between databases that were migrated and those made from a dump or another tool, and the next column
//! that is added or dropped breaks it, at worst without an error.
//!
//! ```sql setup
//! create table states (id bigint primary key, name text);
//! ```
//!
//! ```sql bad locks=states:RowExclusiveLock
//! insert into states values (1, 'new') on conflict do nothing;
//! ```
//!
//! ```sql good locks=states:RowExclusiveLock
//! insert into states (id, name) values (1, 'new') on conflict do nothing;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::InsertSource},
};

pub static RULE: Rule = Rule {
    name: "insert-without-columns",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("insert_without_columns.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Insert(insert) = &statement.change else { return Vec::new() };
    // The file that makes a table knows the order of its columns.
    if !insert.columns.is_empty() || insert.source == InsertSource::Default || context.is_new(&insert.table) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("these values go by the order of the columns of `{}`", insert.table))
            .help(format!("name the columns: `insert into {} (…)`", insert.table)),
    ]
}
