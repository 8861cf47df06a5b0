//! Statements that are certain to fail, whatever the rows are.

use crate::{
    catalog::{Index, View},
    lint::Context,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, AlterTable, ConstraintKind, Drop, ObjectKind, ReindexTarget, Truncate},
        names::{Ident, ObjectName},
    },
};

use super::{Failure, added_column::is_unfilled};

pub fn of(context: &Context, statement: &Statement) -> Option<Failure> {
    let inside = statement.place != Place::Top || context.transaction.is_some();
    if let Some(what) = commits_itself(context, &statement.change).filter(|_| inside) {
        return fails("25001", format!("`{what}` cannot run inside a transaction block"));
    }
    match &statement.change {
        Change::AlterTable(alter) => altered(context, alter),
        Change::Drop(drop) => dropped(context, drop),
        Change::Truncate(truncate) => truncated(context, truncate),
        Change::Refresh { view, concurrently: true, .. } => refreshed(context, view),
        Change::CreateIndex(index) if index.concurrently && is_partitioned(context, &index.table) => {
            fails("0A000", format!("`{}` is partitioned: no index on it is built concurrently", index.table))
        }
        Change::Reindex { target: ReindexTarget::System, concurrently: true, .. } => {
            fails("0A000", "system catalogs cannot be reindexed concurrently".to_owned())
        }
        _ => None,
    }
}

fn fails(sqlstate: &'static str, reason: String) -> Option<Failure> {
    Some(Failure { sqlstate, reason })
}

/// What no transaction block allows, in the words of its command.
pub fn commits_itself(context: &Context, change: &Change) -> Option<&'static str> {
    let what = match change {
        Change::CreateIndex(index) if index.concurrently => "create index concurrently",
        Change::Drop(drop) if drop.concurrently => "drop index concurrently",
        Change::Drop(drop) => match drop.kind {
            ObjectKind::Database => "drop database",
            ObjectKind::Tablespace => "drop tablespace",
            _ => return None,
        },
        Change::Reindex { concurrently: true, .. } => "reindex concurrently",
        Change::Reindex { target: ReindexTarget::Schema, .. } => "reindex schema",
        Change::Reindex { target: ReindexTarget::Database | ReindexTarget::System, .. } => "reindex database",
        Change::Reindex { target: ReindexTarget::Table, name: Some(table), .. } => {
            context.catalog.table(table).filter(|it| it.partitioned)?;
            "reindex table` of a partitioned `table"
        }
        Change::Vacuum { .. } => "vacuum",
        Change::Cluster { table: None } => "cluster",
        Change::Cluster { table: Some(table) } if is_partitioned(context, table) => "cluster",
        Change::Server { verb, .. } => server(verb)?,
        Change::AlterTable(alter) => {
            let concurrent = |kind: &ActionKind| matches!(kind, ActionKind::DetachPartition { concurrently: true, .. });
            alter.actions.iter().find(|it| concurrent(&it.kind))?;
            "detach partition concurrently"
        }
        _ => return None,
    };
    Some(what)
}

fn server(verb: &str) -> Option<&'static str> {
    let known = ["CREATE DATABASE", "CREATE TABLESPACE", "ALTER SYSTEM"];
    let names = ["create database", "create tablespace", "alter system"];
    let at = known.iter().position(|it| verb.starts_with(it))?;
    Some(names[at])
}

fn is_partitioned(context: &Context, table: &ObjectName) -> bool {
    context.catalog.table(table).is_some_and(|it| it.partitioned)
}

fn altered(context: &Context, alter: &AlterTable) -> Option<Failure> {
    let table = context.catalog.table(&alter.table)?;
    let major = context.postgres.number();
    alter.actions.iter().find_map(|action| match &action.kind {
        ActionKind::AddConstraint(it) => match &it.kind {
            ConstraintKind::ForeignKey { .. } if it.not_valid && table.partitioned && major < 18 => {
                fails("42809", format!("`{}` is partitioned: its foreign keys cannot be `not valid`", alter.table))
            }
            ConstraintKind::Exclude { .. } if table.partitioned && major < 17 => {
                fails("0A000", format!("`{}` is partitioned: it takes no exclusion constraints", alter.table))
            }
            _ => None,
        },
        ActionKind::SetType { column, .. } => {
            let (view, _) = view_reading(context, &alter.table, column).filter(|(_, certain)| *certain)?;
            fails("0A000", format!("view `{view}` reads `{column}`"))
        }
        ActionKind::DropColumn { column, cascade: false, .. } => {
            let (view, _) = view_reading(context, &alter.table, column).filter(|(_, certain)| *certain)?;
            fails("2BP01", format!("view `{view}` reads `{column}`"))
        }
        ActionKind::AddColumn { column, if_not_exists: false } if is_unfilled(context, column) => {
            let surely = !context.is_new(&alter.table) && !context.is_emptied(&alter.table);
            fails("23502", format!("rows of `{}` would have no value for `{}`", alter.table, column.name))
                .filter(|_| surely)
        }
        ActionKind::DetachPartition { concurrently: true, .. } => {
            let rest = table.default_partition.as_ref()?;
            fails("55000", format!("`{}` has the default partition `{rest}`", alter.table))
        }
        _ => None,
    })
}

/// A view that reads the column, and whether that is certain: a word in a query over several tables may be another's
/// column, and `*` may be from before the column was there.
pub fn view_reading<'c>(context: &Context<'c>, table: &ObjectName, column: &Ident) -> Option<(&'c ObjectName, bool)> {
    let certain = |view: &View| view.mentions.is_some() && view.reads.len() == 1 && view.origin.certain;
    let reads = |view: &View| view.mentions.as_ref().is_none_or(|words| words.contains(&column.name));
    let catalog = context.catalog;
    let views = catalog.views_on(table).filter(|(_, view)| reads(view));
    views.map(|(name, view)| (name, certain(view))).max_by_key(|(_, it)| *it)
}

/// Tables that go without a word of what depends on them.
fn dropped(context: &Context, drop: &Drop) -> Option<Failure> {
    if drop.cascade || drop.kind != ObjectKind::Table {
        return None;
    }
    let names = drop.names.iter().map(|it| context.catalog.resolve(it)).collect::<Vec<_>>();
    drop.names.iter().find_map(|name| {
        let child = context.catalog.referencing(name).find(|it| !names.contains(&it.name) && it.origin.certain);
        let view = context.catalog.views_on(name).find(|(_, view)| view.origin.certain && view.mentions.is_some());
        let dependent = child.map(|it| it.name.clone()).or_else(|| view.map(|(it, _)| it.clone()))?;
        fails("2BP01", format!("`{dependent}` depends on `{name}`"))
    })
}

/// Only all tables of a foreign key together are truncated without `cascade`.
fn truncated(context: &Context, truncate: &Truncate) -> Option<Failure> {
    if truncate.cascade {
        return None;
    }
    let names = truncate.tables.iter().map(|it| context.catalog.resolve(it)).collect::<Vec<_>>();
    truncate.tables.iter().find_map(|name| {
        let child = context.catalog.referencing(name).find(|it| !names.contains(&it.name) && it.origin.certain)?;
        fails("0A000", format!("a foreign key of `{}` points to `{name}`", child.name))
    })
}

fn refreshed(context: &Context, view: &ObjectName) -> Option<Failure> {
    context.catalog.views.get(&context.catalog.resolve(view))?;
    let plain = |key: &String| key.chars().all(|it| it.is_alphanumeric() || "_$\"".contains(it));
    let fits = |it: &Index| it.unique && !it.partial && it.keys.iter().all(plain);
    let fit = context.catalog.indexes_of(view).any(fits);
    if fit { None } else { fails("55000", format!("`{view}` has no unique index on plain columns of all its rows")) }
}
