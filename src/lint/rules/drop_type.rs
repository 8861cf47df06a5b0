//! Dropping a type can take columns with it.
//!
//! With `CASCADE` every column of the type goes, values and all. Without it Postgres refuses while a column uses
//! the type; the running application still fails where it casts to it. A type that the same release creates may
//! be dropped, and one that another has taken the place of in the same migration.
//!
//! ```sql setup
//! create type mood as enum ('calm', 'busy');
//! create type color as enum ('red');
//! create table crews (id bigint primary key, feeling mood);
//! ```
//!
//! ```sql bad locks=crews:AccessExclusiveLock
//! drop type mood cascade;
//! ```
//!
//! ```sql bad
//! drop type if exists color;
//! ```
//!
//! ```sql good
//! create type shape as enum ('round');
//! drop type shape;
//! ```
//!
//! ```sql good
//! alter type color rename to color_old;
//! create type color as enum ('red', 'green');
//! drop type color_old;
//! ```

use crate::{
    catalog::{Catalog, Column},
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ObjectAction, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "drop-type",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_type.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let what = match drop.kind {
        ObjectKind::Type => "type",
        ObjectKind::Domain => "domain",
        _ => return Vec::new(),
    };
    let replaced =
        |name: &ObjectName| !drop.cascade && (context.creates_again(drop.kind, name, None) || made_way(context, name));
    let is_new = |name: &ObjectName| {
        let new = context.catalog.data_type(name).is_some_and(|it| it.origin.is_surely_new());
        new && !(drop.cascade && is_of_an_old_column(context.catalog, name))
    };
    let lost = drop.names.iter().filter(|name| !is_new(name) && !replaced(name));
    lost.map(|name| {
        let problem = Problem::at(name.span());
        if drop.cascade {
            problem
                .says(format!("every column of {what} `{name}` is lost"))
                .help("without `cascade` Postgres says which columns still use it")
        } else {
            problem.says(format!("{what} `{name}` is gone: queries that cast to it fail")).help(format!(
                "release 1: cast to `{name}` nowhere any more; release 2, when no old process is left: this, with `-- \
                     liftlock: allow drop-type because nothing has used it since …`"
            ))
        }
    })
    .collect()
}

/// Has a column that was there before become one of this type?
fn is_of_an_old_column(catalog: &Catalog, name: &ObjectName) -> bool {
    let of_type = |it: &Column| it.data_type.trim_matches('"').eq_ignore_ascii_case(name.last());
    let mut columns = catalog.tables.values().flat_map(|it| &it.columns);
    columns.any(|it| of_type(it) && !it.origin.is_surely_new())
}

/// Renamed in this migration, and another has its name now: `x` → `x_old`, a new `x`, drop `x_old`.
fn made_way(context: &Context, name: &ObjectName) -> bool {
    context.earlier().iter().any(|it| match &it.change {
        Change::AlterObject(alter) => match (&alter.action, &alter.name) {
            (ObjectAction::Rename { to }, Some(old)) => {
                to.name == name.last() && context.catalog.data_type(old).is_some()
            }
            _ => false,
        },
        _ => false,
    })
}
