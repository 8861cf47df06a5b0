//! Dropping a schema with `CASCADE` loses every table in it.
//!
//! Without `CASCADE` it fails as soon as anything is left in the schema, which nobody can say from the file.
//! Drop what is in it first, each by its name, so that a reader sees what goes. A schema that the same release
//! creates may be dropped when nothing older was moved into it.
//!
//! ```sql setup
//! create schema reporting;
//! create table reporting.totals (id bigint primary key);
//! create schema idle;
//! ```
//!
//! ```sql bad locks=reporting.totals:AccessExclusiveLock
//! drop schema reporting cascade;
//! ```
//!
//! ```sql bad
//! drop schema idle;
//! ```
//!
//! ```sql good
//! create schema staging_area;
//! create table staging_area.rows (id bigint primary key);
//! drop schema staging_area cascade;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind},
};

pub static RULE: Rule = Rule {
    name: "drop-schema",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_schema.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Schema {
        return Vec::new();
    }
    let is_new = |schema: &str| {
        let new = context.catalog.schemas.get(schema).is_some_and(|it| it.is_surely_new());
        new && context.catalog.tables.values().all(|it| it.name.schema() != schema || it.origin.is_surely_new())
    };
    let lost = drop.names.iter().filter(|name| !is_new(name.last()));
    lost.map(|name| {
        let problem = Problem::at(name.span);
        if drop.cascade {
            problem
                .says(format!("everything in schema `{name}` is lost, with every row of its tables"))
                .help("drop what is in it by name first, so that a reader sees what goes")
        } else {
            problem
                .says(format!("schema `{name}` is dropped; this fails if anything is left in it"))
                .help("if it is empty everywhere, say so: `-- liftlock: allow drop-schema because …`")
        }
    })
    .collect()
}
