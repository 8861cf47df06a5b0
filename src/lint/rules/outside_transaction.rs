//! Some statements mean nothing without a transaction, and a migration with `concurrently` runs without one.
//!
//! `SET LOCAL` outside a transaction sets nothing and gives a mere warning; `LOCK TABLE` and `SAVEPOINT` fail. A migration
//! that holds a statement which cannot run in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`) runs statement by
//! statement.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad commits
//! set local statement_timeout = '1h';
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good commits
//! set statement_timeout = '1h';
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! set local statement_timeout = '10s';
//! alter table orders add column note text;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Place, Statement,
        change::{SetScope, Transaction},
    },
};

pub static RULE: Rule = Rule {
    name: "outside-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("outside_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if statement.place != Place::Top || context.transaction.is_some() {
        return Vec::new();
    }
    let because = "this migration runs without a transaction";
    let (says, help) = match &statement.change {
        Change::Set(set) if set.scope == SetScope::Local => (
            format!("`set local {}` sets nothing: {because}", set.name),
            format!("write `set {}`: the session ends with the migration", set.name),
        ),
        Change::Transaction(Transaction::Characteristics) => (
            format!("this sets nothing: {because}"),
            "leave it out, or put the statements that need it into a migration of their own".to_owned(),
        ),
        Change::Lock { .. }
        | Change::Transaction(Transaction::Savepoint | Transaction::Release | Transaction::RollbackTo) => (
            format!("this fails when it runs: {because}"),
            "leave it out, or put it with the statements that need it into a migration of their own".to_owned(),
        ),
        Change::Harmless { verb } if verb == "DECLARE" && !is_held(context, statement) => (
            format!("this fails when it runs: {because}, and the cursor would end with the statement"),
            "declare it `with hold`, or leave it out".to_owned(),
        ),
        _ => return Vec::new(),
    };
    vec![Problem::at(statement.span).says(says).help(help)]
}

/// `WITH HOLD`: the cursor outlives its transaction.
fn is_held(context: &Context, statement: &Statement) -> bool {
    let words = context.written(statement.span).to_lowercase();
    words.split_whitespace().collect::<Vec<_>>().join(" ").contains("with hold")
}
