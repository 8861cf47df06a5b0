//! Dropping a database loses everything in it.
//!
//! No migration of one database has a reason to drop another, and none can drop its own. Nothing waives this.
//!
//! ```sql bad commits
//! drop database if exists reporting_of_last_year;
//! ```
//!
//! ```sql good
//! create table reports (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind},
};

pub static RULE: Rule = Rule {
    name: "drop-database",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("drop_database.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if !matches!(drop.kind, ObjectKind::Database | ObjectKind::Tablespace) {
        return Vec::new();
    }
    let what = if drop.kind == ObjectKind::Database { "database" } else { "tablespace" };
    let names = drop.names.iter();
    names
        .map(|name| {
            Problem::at(name.span())
                .says(format!("{what} `{name}` is lost with everything in it"))
                .help("take it out; a person drops it by hand, if ever")
        })
        .collect()
}
