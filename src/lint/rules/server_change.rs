//! A change of the server reaches beyond the database that is migrated.
//!
//! `ALTER SYSTEM`, `CREATE DATABASE`, tablespaces and database-wide settings belong to whoever runs the server;
//! most need a superuser, which hosted Postgres does not give, and a restore point does not bring them back.
//!
//! ```sql bad commits
//! alter system reset work_mem;
//! ```
//!
//! ```sql good
//! set local work_mem = '64MB';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "server-change",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("server_change.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Server { verb, .. } = &statement.change else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says(format!("`{}` reaches beyond this database, and no restore point takes it back", verb.to_lowercase()))
            .help("change it where the server is configured"),
    ]
}
