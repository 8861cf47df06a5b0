//! Dropping a role, publication, subscription, server or the like breaks whoever relies on it.
//!
//! No row of a table goes, but connections, replication, foreign tables or operators stop working, and none of
//! what uses them is in the file. One that the same migration creates again is replaced. Statistics objects are
//! exempt: the planner does without them. In two releases:
//!
//! 1. Whatever uses it goes: subscriptions of a publication, foreign tables of a server, logins of a role.
//! 2. When nothing has used it for a while: the object itself.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create table carts (id bigint primary key);
//! create publication order_feed for table orders;
//! create statistics order_stats on id, (id % 7) from orders;
//! ```
//!
//! ```sql bad
//! drop publication order_feed;
//! ```
//!
//! ```sql bad locks=orders:ShareUpdateExclusiveLock
//! alter publication order_feed drop table orders;
//! ```
//!
//! ```sql bad locks=carts:ShareUpdateExclusiveLock,orders:ShareUpdateExclusiveLock
//! alter publication order_feed set table carts;
//! ```
//!
//! ```sql good locks=carts:ShareUpdateExclusiveLock
//! alter publication order_feed add table carts;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! drop statistics order_stats;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{AlterObject, ObjectAction, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "drop-object",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_object.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return unpublished(context, statement) };
    let Some(what) = name_of(drop.kind) else { return Vec::new() };
    let is_new = |name: &ObjectName| {
        let known = context.catalog.others.get(&(drop.kind, name.clone(), None));
        known.is_some_and(|it| it.is_surely_new())
    };
    let problem = |problem: Problem, which: String| {
        problem.says(format!("whoever relies on {what}{which} fails")).help(plan(drop.kind, &which))
    };
    if drop.names.is_empty() {
        return vec![problem(Problem::at(statement.span), String::new())];
    }
    let lost = drop.names.iter().filter(|it| !is_new(it) && !context.creates_again(drop.kind, it, None));
    lost.map(|name| problem(Problem::at(name.span()), format!(" `{name}`"))).collect()
}

/// How it is done while what is running goes on.
fn plan(kind: ObjectKind, which: &str) -> String {
    let name = which.trim().trim_matches('`');
    let first = match kind {
        ObjectKind::Publication => {
            format!("let every subscriber do without: `alter subscription … drop publication {name}`")
        }
        ObjectKind::Subscription => {
            format!("`alter subscription {name} disable`, and read its tables nowhere any more")
        }
        ObjectKind::Role => {
            format!("log in as it nowhere any more, `alter role {name} nologin`, and `reassign owned by {name} to …`")
        }
        ObjectKind::Server | ObjectKind::ForeignDataWrapper | ObjectKind::UserMapping => {
            "query its foreign tables nowhere any more, and drop them by name".to_owned()
        }
        _ => format!("use{which} nowhere any more, also in views and routines"),
    };
    format!(
        "release 1: {first}; release 2, when no old process is left: this, with `-- liftlock: allow drop-object because nothing \
         has used it since …`"
    )
}

/// A publication that leaves something out from now on: subscribers hear of no change and of no error.
fn unpublished(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject {
        kind: ObjectKind::Publication,
        name: Some(name),
        action: ObjectAction::Other { words, .. },
        ..
    }) = &statement.change
    else {
        return Vec::new();
    };
    let known = context.catalog.others.get(&(ObjectKind::Publication, name.clone(), None));
    if known.is_some_and(|it| it.is_surely_new()) {
        return Vec::new();
    }
    let problem = Problem::at(statement.span);
    if words.starts_with("DROP TABLE") {
        return vec![
            problem
                .says(format!("whoever subscribes to `{name}` gets no more of what changes there, and no error"))
                .help("release 1: let every subscriber do without; release 2: this, with `-- liftlock: allow drop-object because …`"),
        ];
    }
    // Perhaps all that it held is named again.
    let replaced = words.starts_with("SET TABLE").then(|| {
        problem
            .at_most(Severity::Warning)
            .says(format!(
                "`{name}` leaves out whatever this does not name: its subscribers get no more of that, and no error"
            ))
            .help("say what comes with `add table …`, and what goes with `drop table …`")
    });
    replaced.into_iter().collect()
}

/// What this rule is about; other kinds have rules of their own, or lose nothing.
fn name_of(kind: ObjectKind) -> Option<&'static str> {
    match kind {
        ObjectKind::AccessMethod => Some("access method"),
        ObjectKind::Cast => Some("the cast"),
        ObjectKind::Collation => Some("collation"),
        ObjectKind::Conversion => Some("conversion"),
        ObjectKind::ForeignDataWrapper => Some("foreign-data wrapper"),
        ObjectKind::Language => Some("language"),
        ObjectKind::LargeObject => Some("large object"),
        ObjectKind::Operator => Some("operator"),
        ObjectKind::OperatorClass => Some("operator class"),
        ObjectKind::OperatorFamily => Some("operator family"),
        ObjectKind::Publication => Some("publication"),
        ObjectKind::Role => Some("role"),
        ObjectKind::Server => Some("server"),
        ObjectKind::Subscription => Some("subscription"),
        ObjectKind::TextSearch => Some("text search object"),
        ObjectKind::Transform => Some("the transform"),
        ObjectKind::UserMapping => Some("the user mapping"),
        ObjectKind::Aggregate
        | ObjectKind::Column
        | ObjectKind::Constraint
        | ObjectKind::Database
        | ObjectKind::Domain
        | ObjectKind::EventTrigger
        | ObjectKind::Extension
        | ObjectKind::ForeignTable
        | ObjectKind::Function
        | ObjectKind::Index
        | ObjectKind::MaterializedView
        | ObjectKind::Parameter
        | ObjectKind::Policy
        | ObjectKind::Procedure
        | ObjectKind::Routine
        | ObjectKind::Rule
        | ObjectKind::Schema
        | ObjectKind::Sequence
        | ObjectKind::Statistics
        | ObjectKind::Table
        | ObjectKind::Tablespace
        | ObjectKind::Trigger
        | ObjectKind::Type
        | ObjectKind::View => None,
    }
}
