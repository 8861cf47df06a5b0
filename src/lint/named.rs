//! Names that a statement gives to things.

use crate::sql::{
    Change, Statement,
    change::{ActionKind, AlterTable, CreateTable, ObjectAction, ObjectKind},
    names::{Ident, ObjectName},
};

/// What people call a thing of this kind.
pub fn kind_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::ForeignTable => "foreign table",
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::Index => "index",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Type => "type",
        ObjectKind::Domain => "domain",
        ObjectKind::Function => "function",
        ObjectKind::Procedure => "procedure",
        ObjectKind::Aggregate => "aggregate",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Policy => "policy",
        _ => "thing",
    }
}

/// The relation or type that the statement makes or changes, with its schema.
pub fn given_to(statement: &Statement) -> Vec<&ObjectName> {
    match &statement.change {
        Change::CreateTable(table) => {
            std::iter::once(&table.name).chain(table.partition_of.iter().map(|it| &it.parent)).collect()
        }
        Change::AlterTable(alter) => vec![&alter.table],
        Change::CreateIndex(index) => vec![&index.table],
        Change::AlterObject(alter) => alter.on.iter().chain(&alter.name).collect(),
        Change::CreateView(view) => vec![&view.name],
        Change::CreateType(new) => vec![&new.name],
        Change::CreateSequence { name, .. } => vec![name],
        Change::CreateTrigger { table, .. } | Change::CreatePolicy { table, .. } => vec![table],
        _ => Vec::new(),
    }
}

/// Every name that the statement gives, new ones and those that it renames to, without the schemas before them.
pub fn given(statement: &Statement) -> Vec<&Ident> {
    match &statement.change {
        Change::CreateTable(table) => created(table),
        Change::AlterTable(alter) => altered(alter),
        Change::CreateIndex(index) => index.name.iter().collect(),
        Change::AlterObject(alter) => match &alter.action {
            ObjectAction::Rename { to } | ObjectAction::RenamePart { to, .. } => vec![to],
            ObjectAction::AddAttribute { name, .. } => vec![name],
            _ => Vec::new(),
        },
        Change::CreateView(view) => last(&view.name),
        Change::CreateType(new) => last(&new.name),
        Change::CreateRoutine(routine) => last(&routine.name),
        Change::CreateSequence { name, .. } => last(name),
        Change::CreateTrigger { name, .. } | Change::CreatePolicy { name, .. } => vec![name],
        Change::CreateSchema { name, .. } => name.iter().collect(),
        _ => Vec::new(),
    }
}

fn last(name: &ObjectName) -> Vec<&Ident> {
    name.parts.last().into_iter().collect()
}

fn created(table: &CreateTable) -> Vec<&Ident> {
    let columns = table.columns.iter().map(|it| &it.name);
    let constraints = table.constraints.iter().filter_map(|it| it.name.as_ref());
    last(&table.name).into_iter().chain(columns).chain(constraints).collect()
}

fn altered(alter: &AlterTable) -> Vec<&Ident> {
    let given = alter.actions.iter().filter_map(|it| match &it.kind {
        ActionKind::AddColumn { column, .. } => Some(&column.name),
        ActionKind::AddConstraint(constraint) => constraint.name.as_ref(),
        ActionKind::RenameTable { to }
        | ActionKind::RenameColumn { to, .. }
        | ActionKind::RenameConstraint { to, .. } => Some(to),
        _ => None,
    });
    given.collect()
}
