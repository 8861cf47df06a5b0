//! Dropping a role, publication, subscription, server or the like breaks whoever relies on it.
//!
//! No row of a table goes, but connections, replication, foreign tables or operators stop working, and none of
//! what uses them is in the file. One that the same migration creates again is replaced. Statistics objects are
//! exempt: the planner does without them.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create publication order_feed for table orders;
//! create statistics order_stats on id, (id % 7) from orders;
//! ```
//!
//! ```sql bad
//! drop publication order_feed;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! drop statistics order_stats;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
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
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let Some(what) = name_of(drop.kind) else { return Vec::new() };
    let is_new = |name: &ObjectName| {
        let known = context.catalog.others.get(&(drop.kind, name.clone(), None));
        known.is_some_and(|it| it.is_surely_new())
    };
    let problem = |problem: Problem, which: String| {
        problem
            .says(format!("whoever relies on {what}{which} fails"))
            .help("say why nobody needs it any more: `-- liftlock: allow drop-object because …`")
    };
    if drop.names.is_empty() {
        return vec![problem(Problem::at(statement.span), String::new())];
    }
    let lost = drop.names.iter().filter(|it| !is_new(it) && !context.creates_again(drop.kind, it, None));
    lost.map(|name| problem(Problem::at(name.span), format!(" `{name}`"))).collect()
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
