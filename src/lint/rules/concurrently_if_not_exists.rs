//! `create index concurrently if not exists` takes a broken index for the finished one.
//!
//! A concurrent build that was cancelled or failed leaves an index of that name behind, marked invalid: it
//! costs every write and serves no query, and a unique one guards nothing. `if not exists` sees the name, says
//! nothing and builds nothing. Drop a leftover first; where there is none, that is no work.
//! See <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad commits
//! create index concurrently if not exists orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good commits
//! drop index concurrently if exists orders_customer_id_idx;
//! create index concurrently if not exists orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{CreateIndex, ObjectKind},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "concurrently-if-not-exists",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("concurrently_if_not_exists.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(new) = &statement.change else { return Vec::new() };
    let CreateIndex { name: Some(name), concurrently: true, if_not_exists: true, .. } = &**new else {
        return Vec::new();
    };
    if context.earlier().iter().any(|it| drops(it, name)) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("an invalid `{name}` that a failed build left behind would be kept, and nobody told"))
            .help(format!(
                "leave `if not exists` out (a build that breaks off is cleaned up when the promotion resumes), or put \
                 `drop index concurrently if exists {name};` above it"
            )),
    ]
}

fn drops(statement: &Statement, name: &Ident) -> bool {
    match &statement.change {
        Change::Drop(drop) => drop.kind == ObjectKind::Index && drop.names.iter().any(|it| it.last() == name.name),
        _ => false,
    }
}
