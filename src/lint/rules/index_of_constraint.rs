//! The index of a primary key or unique constraint cannot be dropped, only the constraint can.
//!
//! Postgres refuses with "cannot drop index … because constraint … requires it".
//!
//! ```sql setup
//! create table orders (id bigint primary key, number text constraint orders_number_key unique);
//! create index orders_number_idx on orders (number);
//! ```
//!
//! ```sql bad commits fails=2BP01
//! drop index concurrently orders_number_key;
//! ```
//!
//! ```sql good commits
//! drop index concurrently orders_number_idx;
//! ```

use crate::{
    catalog::Index,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "index-of-constraint",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("index_of_constraint.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Index {
        return Vec::new();
    }
    let indexes = drop.names.iter().filter_map(|name| context.catalog.index(name));
    let carried = indexes.filter_map(|index| Some((index, index.constraint.as_ref()?)));
    let problem = |(index, constraint): (&Index, &String)| {
        Problem::at(statement.span)
            .says(format!(
                "constraint `{constraint}` of `{}` needs `{}`, so this fails when it runs",
                index.table, index.name
            ))
            .help(format!("`alter table {} drop constraint {constraint}` drops both", index.table))
    };
    let unknown = drop.names.iter().filter(|name| context.catalog.index(name).is_none() && is_named_like_a_key(name));
    let guess = |name: &ObjectName| {
        Problem::at(name.span())
            .at_most(Severity::Warning)
            .says(format!("`{name}` has the name of a primary key's index: if it is one, this fails when it runs"))
            .help("`alter table … drop constraint` drops both")
    };
    carried.map(problem).chain(unknown.map(guess)).collect()
}

/// As Postgres names the index of a primary key that nobody named.
fn is_named_like_a_key(name: &ObjectName) -> bool {
    name.last().ends_with("_pkey")
}
