//! Postgres drops and empties nothing that something else stands on, unless `CASCADE` takes that along.
//!
//! A table, or its key, that a foreign key points to, a type that a column has, a function that a trigger calls, a
//! sequence that a default takes numbers from, a view that another reads, a partition's part of an index: the statement
//! fails, and the migration with it. Drop what depends on it first, or in the same statement. A composite type keeps its
//! shape where a table is made of it, and its attributes their types where a column is.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint references customers (id));
//! create type state as enum ('new');
//! create table carts (id bigint primary key, state state);
//! create type place as (x int, y int);
//! create table shops (id serial primary key, place place);
//! create view open_carts as select id from carts;
//! create view old_carts as select id from open_carts;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-table
//! drop table customers;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-column
//! alter table customers drop column id;
//! ```
//!
//! ```sql bad fails=2BP01 also=dropped-constraint
//! alter table customers drop constraint customers_pkey;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-type
//! drop type state;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-view
//! drop view open_carts;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-sequence
//! drop sequence shops_id_seq;
//! ```
//!
//! ```sql bad fails=0A000 also=truncate-table
//! truncate customers;
//! ```
//!
//! ```sql bad fails=0A000
//! alter type place alter attribute x type bigint;
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key);
//! create table pages (id bigint primary key references visits (id));
//! drop table visits, pages;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{Dependence, dependences},
    },
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "drop-with-dependents",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_with_dependents.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let dependences = dependences(context, statement);
    // What a DO block drops is kept in the catalog: it may be gone. Asked last, because a file may be long.
    if dependences.is_empty() || context.earlier().iter().any(|it| matches!(it.change, Change::Do { .. })) {
        return Vec::new();
    }
    let problem = |Dependence { span, reason, help, .. }: Dependence| {
        Problem::at(span).says(format!("{reason}, so this fails when it runs")).help(help)
    };
    dependences.into_iter().map(problem).collect()
}
