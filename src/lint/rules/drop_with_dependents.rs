//! Postgres drops nothing that something else stands on, unless `CASCADE` takes that along.
//!
//! A table, or its key, that a foreign key points to, a type that a column has, a function that a trigger calls: the
//! statement fails, and the migration with it. Drop what depends on it first, or in the same statement.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint references customers (id));
//! create type state as enum ('new');
//! create table carts (id bigint primary key, state state);
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-table
//! drop table customers;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-column
//! alter table customers drop column id;
//! ```
//!
//! ```sql bad fails=2BP01 also=dropped-constraint
//! alter table customers drop constraint customers_pkey;
//! ```
//!
//! ```sql bad fails=2BP01 also=drop-type
//! drop type state;
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key);
//! create table pages (id bigint primary key references visits (id));
//! drop table visits, pages;
//! ```

use crate::{
    catalog::{Catalog, ForeignKey},
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterTable, ConstraintKind, Drop, ObjectKind},
        data_type,
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "drop-with-dependents",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_with_dependents.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    // What a DO block drops is kept in the catalog: it may be gone.
    if context.earlier().iter().any(|it| matches!(it.change, Change::Do { .. })) {
        return Vec::new();
    }
    let found = match &statement.change {
        Change::Drop(drop) if !drop.cascade => dropped(context.catalog, drop),
        Change::AlterTable(alter) => altered(context.catalog, alter),
        _ => Vec::new(),
    };
    let problem = |(span, what, dependent): (Span, String, String)| {
        Problem::at(span)
            .says(format!("{dependent} needs {what}, so this fails when it runs"))
            .help(format!("drop {dependent} first"))
    };
    found.into_iter().map(problem).collect()
}

/// Place, what is dropped, what depends on it.
type Dependence = (Span, String, String);

fn dropped(catalog: &Catalog, drop: &Drop) -> Vec<Dependence> {
    let names = drop.names.iter().map(|it| catalog.resolve(it)).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (name, written) in names.iter().zip(&drop.names) {
        let dependent = match drop.kind {
            ObjectKind::Table => {
                let mut keys = catalog.foreign_keys_to(name).filter(|key| !names.contains(&key.table.name));
                keys.find(is_certain).map(|key| described(&key))
            }
            ObjectKind::Type | ObjectKind::Domain if catalog.types.contains_key(name) => column_of(catalog, name),
            ObjectKind::Function | ObjectKind::Procedure if catalog.routine(name).len() == 1 => {
                let mut triggers = catalog.triggers.iter().filter(|it| it.origin.certain);
                let trigger = triggers.find(|it| it.routine.as_ref() == Some(name));
                trigger.map(|it| format!("trigger `{}` on `{}`", it.name, it.table))
            }
            _ => None,
        };
        found.extend(dependent.map(|it| (written.span, format!("`{written}`"), it)));
    }
    found
}

/// A column of the type, also of its arrays.
fn column_of(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    let is_of = |written: &str| {
        let data_type = data_type::read(written).name;
        let (schema, own) = data_type.rsplit_once('.').unwrap_or(("public", &data_type));
        own == name.last() && schema == name.schema()
    };
    let mut tables = catalog.tables.values().filter(|it| it.origin.certain && !it.temporary);
    tables.find_map(|table| {
        let column = table.columns.iter().find(|it| it.origin.certain && is_of(&it.data_type))?;
        Some(format!("column `{}` of `{}`", column.name, table.name))
    })
}

fn altered(catalog: &Catalog, alter: &AlterTable) -> Vec<Dependence> {
    let Some(table) = catalog.table(&alter.table) else { return Vec::new() };
    let mut found = Vec::new();
    for action in &alter.actions {
        let goes = |name: &str, columns: &[String]| match &action.kind {
            ActionKind::DropConstraint { name: dropped, cascade: false, .. } => dropped.name == name,
            ActionKind::DropColumn { column, cascade: false, .. } => columns.contains(&column.name),
            _ => false,
        };
        let keys = table
            .constraints
            .iter()
            .filter(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }));
        let Some(key) = keys.clone().find(|it| goes(&it.name, &it.columns)) else { continue };
        // With several keys nobody here knows which of them a foreign key stands on.
        if keys.count() > 1 {
            continue;
        }
        let others = catalog.foreign_keys_to(&table.name).filter(|it| it.table.name != table.name);
        let dependent = others.filter(is_certain).map(|it| described(&it)).next();
        found.extend(dependent.map(|it| (action.span, format!("`{}`", key.name), it)));
    }
    found
}

fn is_certain(key: &ForeignKey) -> bool {
    key.constraint.origin.certain
}

fn described(key: &ForeignKey) -> String {
    format!("foreign key `{}` of `{}`", key.constraint.name, key.table.name)
}
