//! Adding a column of a domain that has constraints writes the whole table again, even without a default.
//!
//! Postgres checks the domain's constraints row by row, by writing each row anew under an exclusive lock; nobody
//! reads or writes the table meanwhile. A domain without `CHECK` and `NOT NULL` costs nothing.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create domain positive as integer check (value > 0);
//! create domain note as text;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column quantity positive;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column remark note;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column quantity integer;
//! alter table orders add constraint orders_quantity_check check (quantity > 0) not valid;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        actions::added_columns,
        effects::{Filling, filling},
    },
    report::{Harm, Severity},
    sql::Statement,
};

pub static RULE: Rule = Rule {
    name: "constrained-domain-column",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("constrained_domain_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let added = added_columns(context, statement).into_iter();
    let rewriting = added.filter_map(|(alter, action, column)| match filling(context, column) {
        Filling::Domain => Some((alter, action, column, Severity::Error)),
        Filling::UnknownDomain => Some((alter, action, column, Severity::Warning)),
        _ => None,
    });
    let problem = rewriting.map(|(alter, action, column, severity)| {
        let (table, domain) = (&alter.table, &column.data_type);
        Problem::at(action.span).at_most(severity).weighing(table)
            .says(format!("reads and writes of `{table}` wait while every row is written again to check domain `{domain}`"))
            .help(format!(
                "give `{}` the domain's base type and a `check (…) not valid` of its own, and validate it in a later migration",
                column.name
            ))
    });
    problem.collect()
}
