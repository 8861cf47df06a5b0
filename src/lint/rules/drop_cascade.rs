//! `CASCADE` also drops whatever depends on the thing, and the file does not say what that is.
//!
//! A view or function that is dropped and created again is replaced; the views, triggers and defaults that
//! depended on it are not, unless the migration creates them again as well. Without `CASCADE` Postgres refuses
//! and lists them.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create view all_orders as select id from orders;
//! ```
//!
//! ```sql bad locks=all_orders:AccessExclusiveLock
//! drop view all_orders cascade;
//! create view all_orders as select id from orders;
//! ```
//!
//! ```sql good locks=all_orders:AccessExclusiveLock
//! drop view all_orders;
//! create view all_orders as select id from orders;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind},
};

pub static RULE: Rule = Rule {
    name: "drop-cascade",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_cascade.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let is_code = matches!(
        drop.kind,
        ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Routine
            | ObjectKind::Aggregate
    );
    if !drop.cascade || !is_code {
        return Vec::new();
    }
    // What is not created again has a rule of its own.
    let replaced =
        drop.names.iter().filter(|name| context.creates_again(drop.kind, name, None) && !context.is_new(name));
    replaced
        .map(|name| {
            Problem::at(statement.span)
                .says(format!("whatever depends on `{name}` is dropped too, and only `{name}` is created again"))
                .help("drop without `cascade` to see what depends on it, then drop and create those by name")
        })
        .collect()
}
