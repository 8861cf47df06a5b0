//! Renaming a table, a view or anything else that queries name breaks the application that is running.
//!
//! Between the migration and the last old process every query with the old name fails. A move to another schema is
//! a rename too. What the release has created itself may be renamed; and when the same migration gives the old name to
//! another object, nobody is left without it. Indexes, constraints and triggers are not named by queries.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create table orders_next (id bigint primary key);
//! create view open_orders as select id from orders;
//! create index orders_idx on orders (id);
//! create schema archive;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders rename to purchases;
//! ```
//!
//! ```sql bad locks=open_orders:AccessExclusiveLock
//! alter view open_orders rename to pending_orders;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders set schema archive;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders rename to purchases;
//! create view orders as select id from purchases;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock,orders_next:AccessExclusiveLock
//! alter table orders rename to orders_old;
//! alter table orders_next rename to orders;
//! ```
//!
//! ```sql good
//! alter index orders_idx rename to orders_id_idx;
//! ```

use crate::{
    catalog::Origin,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterObject, ObjectAction, ObjectKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "renamed-object",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("renamed_object.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(old) = renamed(&statement.change) else { return Vec::new() };
    let replaced = context.later().iter().any(|it| gives(it, old));
    if replaced || is_new(context, old) || takes_a_place(context, &statement.change) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("the running application fails on every query that names `{old}`"))
            .help(plan(&statement.change, old)),
    ]
}

/// How it is done while the running application goes on.
fn plan(change: &Change, old: &ObjectName) -> String {
    let contract = "release 2, when no old process is left:";
    let (kind, new) = match change {
        Change::AlterTable(alter) => (ObjectKind::Table, alter.actions.iter().find_map(|it| new_name(&it.kind, old))),
        Change::AlterObject(alter) => (
            alter.kind,
            match &alter.action {
                ObjectAction::Rename { to } => Some(beside(old, to)),
                ObjectAction::SetSchema { to } => Some(format!("{to}.{}", old.last())),
                _ => None,
            },
        ),
        _ => (ObjectKind::Table, None),
    };
    let new = new.unwrap_or_else(|| "the new name".to_owned());
    match kind {
        ObjectKind::Table | ObjectKind::ForeignTable | ObjectKind::View | ObjectKind::MaterializedView => format!(
            "release 1: rename it and, in the same migration, `create view {old} as select * from {new}`, which the running \
             application reads and writes like the table; use only `{new}` in the new code; {contract} `drop view {old}`"
        ),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => format!(
            "release 1: create `{new}` beside `{old}`, and call only `{new}` from the new code; {contract} drop `{old}`"
        ),
        ObjectKind::Schema => format!(
            "release 1: create schema `{new}` with a view for each table of `{old}`, and name only `{new}` in the new code; \
             {contract} move the tables with `alter table … set schema {new}` in place of the views, and drop `{old}`"
        ),
        ObjectKind::Sequence => format!(
            "leave the name: nothing is gained; or, release 1: create sequence `{new}` that starts far behind `{old}`, and \
             take numbers only from it in the new code; {contract} `drop sequence {old}`"
        ),
        _ => format!(
            "leave the name: the running application casts to it; or, release 1: create `{new}` beside it, add columns of \
             it and keep both in step with a trigger; {contract} drop the old columns, and `{old}`"
        ),
    }
}

fn new_name(action: &ActionKind, old: &ObjectName) -> Option<String> {
    match action {
        ActionKind::RenameTable { to } => Some(beside(old, to)),
        ActionKind::SetSchema { to } => Some(format!("{to}.{}", old.last())),
        _ => None,
    }
}

/// The new name in the schema of the old one.
fn beside(old: &ObjectName, to: &Ident) -> String {
    if old.parts.len() > 1 { format!("{}.{to}", old.schema()) } else { to.to_string() }
}

/// The name that is gone afterwards.
fn renamed(change: &Change) -> Option<&ObjectName> {
    match change {
        Change::AlterTable(alter) => {
            let gone =
                |kind: &ActionKind| matches!(kind, ActionKind::RenameTable { .. } | ActionKind::SetSchema { .. });
            alter.actions.iter().any(|it| gone(&it.kind)).then_some(&alter.table)
        }
        Change::AlterObject(AlterObject {
            kind,
            name: Some(name),
            action: ObjectAction::Rename { .. } | ObjectAction::SetSchema { .. },
            ..
        }) => is_named_by_queries(*kind).then_some(name),
        _ => None,
    }
}

/// A stand-in steps into the name that an earlier statement has given up.
fn takes_a_place(context: &Context, change: &Change) -> bool {
    let Change::AlterTable(alter) = change else { return false };
    let given_up = |to: &Ident| {
        let mut renamed = context.earlier().iter().filter_map(|it| renamed(&it.change));
        renamed.any(|it| it.last() == to.name && it.schema() == alter.table.schema())
    };
    alter.actions.iter().any(|it| matches!(&it.kind, ActionKind::RenameTable { to } if given_up(to)))
}

fn is_named_by_queries(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Aggregate
            | ObjectKind::Domain
            | ObjectKind::ForeignTable
            | ObjectKind::Function
            | ObjectKind::MaterializedView
            | ObjectKind::Procedure
            | ObjectKind::Routine
            | ObjectKind::Schema
            | ObjectKind::Sequence
            | ObjectKind::Table
            | ObjectKind::Type
            | ObjectKind::View
    )
}

fn is_new(context: &Context, name: &ObjectName) -> bool {
    let catalog = context.catalog;
    let resolved = catalog.resolve(name);
    let others = [
        catalog.types.get(&resolved).map(|it| it.origin),
        catalog.sequences.get(&resolved).map(|it| it.origin),
        catalog.schemas.get(name.last()).copied(),
        catalog.routine(name).iter().map(|it| it.origin).find(|it| it.is_new()),
    ];
    context.is_new(name) || others.into_iter().flatten().any(Origin::is_new)
}

/// Does a later statement give the name to another object?
fn gives(statement: &Statement, name: &ObjectName) -> bool {
    match &statement.change {
        Change::CreateView(view) => view.name == *name,
        Change::CreateTable(table) => table.name == *name,
        Change::CreateType(new) => new.name == *name,
        Change::CreateRoutine(new) => new.name == *name,
        Change::CreateSequence { name: new, .. } => new == name,
        Change::AlterTable(alter) => alter.actions.iter().any(|it| match &it.kind {
            ActionKind::RenameTable { to } => to.name == name.last() && alter.table.schema() == name.schema(),
            _ => false,
        }),
        Change::AlterObject(AlterObject { action: ObjectAction::Rename { to }, name: Some(other), .. }) => {
            to.name == name.last() && other.schema() == name.schema()
        }
        _ => false,
    }
}
