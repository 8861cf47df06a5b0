//! Statements that are certain to fail, whatever the rows are.

use crate::{
    lint::Context,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, AlterTable, ConstraintKind, ReindexTarget},
    },
};

use super::Failure;

pub fn of(context: &Context, statement: &Statement) -> Option<Failure> {
    let inside = statement.place != Place::Top || context.transaction.is_some();
    if let Some(what) = commits_itself(context, &statement.change).filter(|_| inside) {
        return fails("25001", format!("`{what}` cannot run inside a transaction block"));
    }
    match &statement.change {
        Change::AlterTable(alter) => altered(context, alter),
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
            crate::sql::change::ObjectKind::Database => "drop database",
            crate::sql::change::ObjectKind::Tablespace => "drop tablespace",
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

fn is_partitioned(context: &Context, table: &crate::sql::names::ObjectName) -> bool {
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
        ActionKind::DetachPartition { concurrently: true, .. } => {
            let rest = table.default_partition.as_ref()?;
            fails("55000", format!("`{}` has the default partition `{rest}`", alter.table))
        }
        _ => None,
    })
}
