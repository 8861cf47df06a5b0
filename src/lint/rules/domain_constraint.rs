//! Constraining a domain reads every table that uses it, and blocks writes to all of them meanwhile.
//!
//! Postgres takes `SHARE` on each table with a column of the domain and reads it to its end. `ADD … NOT VALID` takes an
//! instant; validating it later reads all tables under `SHARE` again, so a check on the one column that needs it, validated
//! under a weaker lock, serves better. `SET NOT NULL` has no `NOT VALID`.
//!
//! ```sql setup
//! create domain amount as integer;
//! create domain unused as integer;
//! create table orders (id bigint primary key, total amount);
//! alter domain amount add constraint amount_limit check (value < 1000000) not valid;
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! alter domain amount add constraint amount_sign check (value >= 0);
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! alter domain amount validate constraint amount_limit;
//! ```
//!
//! ```sql bad locks=orders:ShareLock
//! alter domain amount set not null;
//! ```
//!
//! ```sql good
//! alter domain amount add constraint amount_sign check (value >= 0) not valid;
//! ```
//!
//! ```sql good
//! alter domain unused add constraint unused_sign check (value >= 0);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, effects::users_of_domain},
    report::Harm,
    sql::{
        Change, Statement,
        change::{AlterObject, ObjectAction, ObjectKind},
    },
};

pub static RULE: Rule = Rule {
    name: "domain-constraint",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("domain_constraint.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { kind: ObjectKind::Domain, name: Some(domain), action, .. }) =
        &statement.change
    else {
        return Vec::new();
    };
    let scans = match action {
        ObjectAction::AddConstraint(constraint) => !constraint.not_valid,
        ObjectAction::ValidateConstraint { .. } | ObjectAction::SetNotNull => true,
        _ => false,
    };
    let users = users_of_domain(context, domain);
    let whose = match context.catalog.data_type(domain) {
        _ if !scans => return Vec::new(),
        Some(_) => match users.as_slice() {
            [] => return Vec::new(),
            tables => tables.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "),
        },
        None => "every table that uses it".to_owned(),
    };
    let problem = Problem::at(statement.span);
    // It is as bad as the largest is large; without the size of one of them nobody knows which that is.
    let sizes = users.iter().map(|it| Some((context.catalog.size(it)?.total_bytes, it))).collect::<Option<Vec<_>>>();
    let largest = sizes.into_iter().flatten().max_by_key(|it| it.0);
    vec![
        largest.map_or(problem.clone(), |(_, it)| problem.weighing(it))
            .says(format!("writes to {whose} wait while every value of `{domain}` is checked"))
            .help("put a `check (…) not valid` on the columns that need it instead, and validate it in the next migration"),
    ]
}
