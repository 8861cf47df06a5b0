//! Statements that are certain to fail, whatever the rows are.

use crate::{
    catalog::Index,
    lint::Context,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, AlterTable, ConstraintKind, ObjectKind, ReindexTarget},
        names::ObjectName,
    },
};

use super::{Failure, added_column::is_unfilled, column_users, dependents};

pub fn of(context: &Context, statement: &Statement) -> Option<Failure> {
    if let Change::Cluster { table: Some(table) } = &statement.change
        && context.postgres.number() < 15
        && is_partitioned(context, table)
    {
        return fails("0A000", format!("`{table}` is partitioned: it cannot be clustered before Postgres 15"));
    }
    let inside = statement.place != Place::Top || context.transaction.is_some();
    if let Some(what) = commits_itself(context, statement).filter(|_| inside) {
        return fails("25001", format!("`{what}` cannot run inside a transaction block"));
    }
    let depends =
        || dependents::dependences(context, statement).into_iter().chain(column_users::uses(context, statement));
    let depends = || depends().next().map(|it| Failure { sqlstate: it.sqlstate, reason: it.reason });
    let own = match &statement.change {
        Change::AlterTable(alter) => altered(context, alter),
        Change::Refresh { view, concurrently: true, .. } => refreshed(context, view),
        Change::CreateIndex(index) if index.concurrently && is_partitioned(context, &index.table) => {
            fails("0A000", format!("`{}` is partitioned: no index on it is built concurrently", index.table))
        }
        Change::Reindex { target: ReindexTarget::System, concurrently: true, .. } => {
            fails("0A000", "system catalogs cannot be reindexed concurrently".to_owned())
        }
        _ => None,
    };
    own.or_else(depends)
}

fn fails(sqlstate: &'static str, reason: String) -> Option<Failure> {
    Some(Failure { sqlstate, reason })
}

/// What no transaction block allows, in the words of its command.
pub fn commits_itself(context: &Context, statement: &Statement) -> Option<&'static str> {
    let what = match &statement.change {
        Change::CreateIndex(index) if index.concurrently => "create index concurrently",
        Change::Drop(drop) if drop.concurrently => "drop index concurrently",
        Change::Drop(drop) => match drop.kind {
            ObjectKind::Database => "drop database",
            ObjectKind::Tablespace => "drop tablespace",
            ObjectKind::Subscription => "drop subscription",
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
        Change::Server { verb, .. } if verb == "ALTER DATABASE" => {
            words(context, statement).contains("set tablespace").then_some("alter database … set tablespace")?
        }
        Change::Server { verb, .. } => server(verb)?,
        // Without a slot to make over there it is a change like others.
        Change::CreateOther { kind: ObjectKind::Subscription, .. } => {
            let words = words(context, statement);
            let slotless = ["create_slot = false", "create_slot=false", "connect = false", "connect=false"];
            (!slotless.iter().any(|it| words.contains(it))).then_some("create subscription")?
        }
        Change::Harmless { verb } if verb == "DISCARD ALL" => "discard all",
        Change::AlterTable(alter) => {
            let concurrent = |kind: &ActionKind| matches!(kind, ActionKind::DetachPartition { concurrently: true, .. });
            alter.actions.iter().find(|it| concurrent(&it.kind))?;
            "detach partition concurrently"
        }
        _ => return None,
    };
    Some(what)
}

/// The statement in lower case, one space between words.
fn words(context: &Context, statement: &Statement) -> String {
    context.written(statement.span).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
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
        ActionKind::AddColumn { column, if_not_exists: false } if is_unfilled(context, column) => {
            let surely = !context.is_new(&alter.table) && !context.is_emptied(&alter.table);
            fails("23502", format!("rows of `{}` would have no value for `{}`", alter.table, column.name))
                .filter(|_| surely)
        }
        ActionKind::SetLogged { logged: false } => {
            let mut publications = context.catalog.publications.iter();
            let (name, _) = publications.find(|(_, it)| it.tables.contains(&table.name))?;
            fails("55000", format!("`{}` is part of publication `{name}`", alter.table))
        }
        ActionKind::DetachPartition { concurrently: true, .. } => {
            let rest = table.default_partition.as_ref()?;
            fails("55000", format!("`{}` has the default partition `{rest}`", alter.table))
        }
        _ => None,
    })
}

fn refreshed(context: &Context, view: &ObjectName) -> Option<Failure> {
    context.catalog.views.get(&context.catalog.resolve(view))?;
    let plain = |key: &String| key.chars().all(|it| it.is_alphanumeric() || "_$\"".contains(it));
    let fits = |it: &Index| it.unique && !it.partial && it.keys.iter().all(plain);
    let fit = context.catalog.indexes_of(view).any(fits);
    if fit { None } else { fails("55000", format!("`{view}` has no unique index on plain columns of all its rows")) }
}
