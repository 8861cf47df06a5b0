//! What cannot go, be emptied or change its shape, because something else stands on it and no `CASCADE` takes that
//! along. Only what is there for sure counts.

use crate::{
    catalog::{Catalog, Column, ForeignKey, Table},
    lint::Context,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, AlterObject, AlterTable, ConstraintKind, Drop, ObjectAction, ObjectKind, Truncate},
        names::ObjectName,
    },
};

/// Why a statement fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependence {
    /// Of what cannot be done.
    pub span: Span,
    pub sqlstate: &'static str,
    /// Lower case, no full stop: "foreign key `a` of `b` needs `c`".
    pub reason: String,
    pub help: String,
}

pub fn dependences(context: &Context, statement: &Statement) -> Vec<Dependence> {
    let catalog = context.catalog;
    match &statement.change {
        Change::Drop(drop) if !drop.cascade => dropped(catalog, drop),
        Change::AlterTable(alter) => altered(catalog, alter),
        Change::Truncate(truncate) if !truncate.cascade => truncated(catalog, truncate),
        Change::AlterObject(alter) if alter.kind == ObjectKind::Type => {
            let cascade = context.written(statement.span).trim_end_matches(';').trim_end().to_lowercase();
            reshaped(catalog, alter, statement.span, cascade.ends_with("cascade"))
        }
        _ => Vec::new(),
    }
}

fn needs(span: Span, what: &str, dependent: &str) -> Dependence {
    let (reason, help) = (format!("{dependent} needs {what}"), format!("drop {dependent} first"));
    Dependence { span, sqlstate: "2BP01", reason, help }
}

fn dropped(catalog: &Catalog, drop: &Drop) -> Vec<Dependence> {
    let names = drop.names.iter().map(|it| catalog.resolve(it)).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (name, written) in names.iter().zip(&drop.names) {
        let dependent = match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => of_table(catalog, name, &names),
            ObjectKind::View | ObjectKind::MaterializedView => {
                let mut views = catalog.views_on(name).filter(|(view, it)| !names.contains(view) && it.origin.certain);
                views.next().map(|(view, _)| format!("view `{view}`"))
            }
            ObjectKind::Type | ObjectKind::Domain if catalog.types.contains_key(name) => {
                column_of(catalog, name).or_else(|| Some(format!("table `{}`", table_of(catalog, name)?.name)))
            }
            ObjectKind::Function | ObjectKind::Procedure if catalog.routine(name).len() == 1 => {
                caller_of(catalog, name)
            }
            ObjectKind::Sequence => numbered_by(catalog, name),
            ObjectKind::Index => {
                let parent = catalog.index(name).and_then(|it| it.parent.as_ref());
                parent.filter(|it| !names.contains(it)).map(|it| format!("index `{it}`"))
            }
            ObjectKind::Schema => inside(catalog, written.last()),
            ObjectKind::Extension => {
                let written_in =
                    |name: &str| catalog.routines.iter().find(|(_, all)| all.iter().any(|it| it.language == name));
                written_in(name.last()).map(|(routine, _)| format!("function `{routine}`"))
            }
            _ => None,
        };
        found.extend(dependent.map(|it| needs(written.span(), &format!("`{written}`"), &it)));
    }
    found
}

/// What is in a schema.
fn inside(catalog: &Catalog, schema: &str) -> Option<String> {
    let tables = catalog.tables.in_schema(schema).filter(|it| !it.1.outside).map(|(name, it)| (name, it.origin));
    let views = catalog.views.in_schema(schema).map(|(name, it)| (name, it.origin));
    let sequences = catalog.sequences.in_schema(schema).map(|(name, it)| (name, it.origin));
    let mut all = tables.chain(views).chain(sequences);
    let (name, _) = all.find(|(name, origin)| catalog.is_there(name, *origin))?;
    Some(format!("`{name}`"))
}

/// A foreign key to a table, or a table that inherits from it: partitions go with their parent.
fn of_table(catalog: &Catalog, name: &ObjectName, names: &[ObjectName]) -> Option<String> {
    let mut keys = catalog.foreign_keys_to(name).filter(|key| !names.contains(&key.table.name));
    let key = keys.find(is_certain).map(|key| described(&key));
    let heir = || {
        let mut heirs = catalog.tables.linked_to(name).map(|it| it.1).filter(|it| it.inherits.contains(name));
        heirs.find(|it| it.origin.certain && !names.contains(&it.name)).map(|it| format!("table `{}`", it.name))
    };
    key.or_else(heir)
}

/// A column of the type, also of its arrays.
fn column_of(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    let is_of = |data_type: &str| {
        let (schema, own) = data_type.rsplit_once('.').unwrap_or(("public", data_type));
        own == name.last() && schema == name.schema()
    };
    column_that(catalog, |column| is_of(&column.resolved.name))
}

fn column_that(catalog: &Catalog, does: impl Fn(&Column) -> bool) -> Option<String> {
    let mut tables = catalog.tables.values().filter(|it| it.origin.certain && !it.temporary);
    tables.find_map(|table| {
        let column = table.columns.iter().find(|it| it.origin.certain && does(it))?;
        Some(format!("column `{}` of `{}`", column.name, table.name))
    })
}

/// A table made `OF` the type.
fn table_of<'c>(catalog: &'c Catalog, name: &ObjectName) -> Option<&'c Table> {
    let mut linked = catalog.tables.linked_to(name).map(|it| it.1);
    linked.find(|it| it.origin.certain && it.of_type.as_ref() == Some(name))
}

/// A trigger that runs a routine, or a column that has its result as default.
fn caller_of(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    let mut triggers = catalog.triggers.iter().filter(|it| it.origin.certain);
    let trigger = triggers.find(|it| it.routine.as_ref() == Some(name));
    let calls = |it: &Column| it.default.iter().flat_map(|it| &it.calls).any(|it| catalog.resolve(it) == *name);
    trigger.map(|it| format!("trigger `{}` on `{}`", it.name, it.table)).or_else(|| column_that(catalog, calls))
}

/// A column whose default takes a sequence's numbers.
fn numbered_by(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    catalog.sequences.get(name)?;
    column_that(catalog, |it| it.default.as_ref().is_some_and(|it| catalog.takes_numbers(it, name)))
}

fn altered(catalog: &Catalog, alter: &AlterTable) -> Vec<Dependence> {
    let Some(table) = catalog.table(&alter.table) else { return Vec::new() };
    let mut found = Vec::new();
    for action in &alter.actions {
        let mut keys = catalog.foreign_keys_to(&table.name).filter(|it| it.table.name != table.name && is_certain(it));
        let needed = match &action.kind {
            ActionKind::DropConstraint { name, cascade: false, .. } => {
                let Some(constraint) = table.constraint(name) else { continue };
                let one = catalog.unique_on(&table.name, &constraint.columns).count() < 2;
                let stands = |key: &ForeignKey| one && same(&referenced(table, key), &constraint.columns);
                keys.find(stands).map(|key| (format!("`{}`", name.name), key))
            }
            ActionKind::DropColumn { column, cascade: false, .. } => {
                let points = |key: &ForeignKey| referenced(table, key).contains(&column.name);
                keys.find(points).map(|key| (format!("`{}`", column.name), key))
            }
            _ => None,
        };
        found.extend(needed.map(|(what, key)| needs(action.span, &what, &described(&key))));
    }
    found
}

/// The columns that a foreign key points to.
fn referenced(table: &Table, key: &ForeignKey) -> Vec<String> {
    match &key.constraint.kind {
        ConstraintKind::ForeignKey { referenced, .. } if !referenced.is_empty() => {
            referenced.iter().map(|it| it.name.clone()).collect()
        }
        _ => table.primary_key().unwrap_or_default().to_vec(),
    }
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|it| other.contains(it))
}

/// Only all tables of a foreign key together are truncated without `cascade`.
fn truncated(catalog: &Catalog, truncate: &Truncate) -> Vec<Dependence> {
    let names = truncate.tables.iter().map(|it| catalog.resolve(it)).collect::<Vec<_>>();
    let found = truncate.tables.iter().filter_map(|name| {
        let mut keys = catalog.foreign_keys_to(name);
        let key = keys.find(|key| !names.contains(&key.table.name) && is_certain(key) && key.table.origin.certain)?;
        let (reason, other) = (format!("{} points to `{name}`", described(&key)), &key.table.name);
        let help = format!("`truncate {name}, {other}` empties both, `delete from {name}` asks the foreign key");
        Some(Dependence { span: name.span(), sqlstate: "0A000", reason, help })
    });
    found.collect()
}

/// A composite type, with tables and columns made of it.
fn reshaped(catalog: &Catalog, alter: &AlterObject, span: Span, cascade: bool) -> Vec<Dependence> {
    let Some(name) = alter.name.as_ref().map(|it| catalog.resolve(it)) else { return Vec::new() };
    let retyped = matches!(alter.action, ObjectAction::AlterAttribute { .. });
    let shaped = matches!(
        alter.action,
        ObjectAction::AddAttribute { .. } | ObjectAction::DropAttribute { .. } | ObjectAction::RenamePart { .. }
    );
    if let Some(column) = column_of(catalog, &name).filter(|_| retyped) {
        let (reason, help) =
            (format!("{column} is of type `{name}`"), "make a new type and a new column of it".to_owned());
        return vec![Dependence { span, sqlstate: "0A000", reason, help }];
    }
    let table = table_of(catalog, &name).filter(|_| (retyped || shaped) && !cascade);
    let needed = table.map(|table| Dependence {
        span,
        sqlstate: "2BP01",
        reason: format!("table `{}` is made of type `{name}`", table.name),
        help: "write `cascade` behind it, which alters the table, too".to_owned(),
    });
    needed.into_iter().collect()
}

fn is_certain(key: &ForeignKey) -> bool {
    key.constraint.origin.certain
}

fn described(key: &ForeignKey) -> String {
    format!("foreign key `{}` of `{}`", key.constraint.name, key.table.name)
}
