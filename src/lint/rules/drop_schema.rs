//! Dropping a schema with `CASCADE` loses every table in it.
//!
//! Without `CASCADE` it fails as soon as anything is left in the schema, which nobody can say from the file.
//! Drop what is in it first, each by its name, so that a reader sees what goes. A schema that the same release
//! creates may be dropped when nothing older was moved into it. In two releases:
//!
//! 1. The new code uses nothing in the schema any more. `revoke usage on schema … from …` shows, while it is easily taken
//!    back, who still does.
//! 2. When no old process is left: its tables are dropped by name, and the schema after them.
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
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
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
        let problem = Problem::at(name.span());
        if drop.cascade {
            problem
                .says(format!("everything in schema `{name}` is lost, with every row of its tables"))
                .help(plan(context, name))
        } else {
            problem
                .says(format!("schema `{name}` is dropped; this fails if anything is left in it"))
                .help(format!(
                    "release 1: use nothing in `{name}` any more; release 2, when no old process is left: this, with `-- liftlock: \
                     allow drop-schema because it is empty everywhere since …`"
                ))
        }
    })
    .collect()
}

/// How it is done while the running application goes on, with the tables that would go.
fn plan(context: &Context, schema: &ObjectName) -> String {
    const NAMED: usize = 5;
    let tables = context.catalog.tables.values().filter(|it| it.name.schema() == schema.last()).map(|it| &it.name);
    let tables = tables.collect::<Vec<_>>();
    let mut drops = tables.iter().take(NAMED).map(|it| format!("`drop table {it}`")).collect::<Vec<_>>();
    match tables.len() {
        0 => drops.push("`drop table` for each of its tables".to_owned()),
        count if count > NAMED => drops.push(format!("{} tables more", count - NAMED)),
        _ => {}
    }
    format!(
        "release 1: use nothing in `{schema}` any more, and `revoke usage on schema {schema} from …` to see that nobody does; \
         release 2, when no old process is left: {}, then `drop schema {schema}` without `cascade`",
        drops.join(", ")
    )
}
