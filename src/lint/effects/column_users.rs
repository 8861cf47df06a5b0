//! What uses a column and keeps it from going, or from changing its type: views, triggers, policies, generated columns.

use crate::{
    catalog::{Origin, View},
    lint::Context,
    sql::{
        Change, Statement,
        change::{ActionKind, ObjectKind, TableAction},
        names::{Ident, ObjectName},
    },
};

use super::dependents::Dependence;

pub fn uses(context: &Context, statement: &Statement) -> Vec<Dependence> {
    match &statement.change {
        Change::AlterTable(alter) => {
            let touched = alter.actions.iter().enumerate().filter_map(|(at, action)| {
                let (column, sqlstate) = match &action.kind {
                    ActionKind::DropColumn { column, cascade: false, .. } => (column, "2BP01"),
                    ActionKind::SetType { column, .. } => (column, "0A000"),
                    _ => return None,
                };
                let before = &alter.actions[..at];
                let goes = sqlstate == "2BP01";
                let user = user(context, &alter.table, column).filter(|it| !it.is_gone(context, before, goes));
                let User { does, help, .. } = user?;
                let reason = format!("{does} column `{column}` of `{}`", alter.table);
                Some(Dependence { span: action.span, sqlstate, reason, help })
            });
            touched.collect()
        }
        Change::Drop(drop) if drop.kind == ObjectKind::Table && !drop.cascade => {
            let names = drop.names.iter().map(|it| context.catalog.resolve(it)).collect::<Vec<_>>();
            let used = drop.names.iter().filter_map(|name| {
                let User { does, help, .. } =
                    reader(context, name, None).filter(|(view, _)| !names.contains(view)).map(shown)?;
                Some(Dependence {
                    span: name.span(),
                    sqlstate: "2BP01",
                    reason: format!("{does} table `{name}`"),
                    help,
                })
            });
            used.collect()
        }
        _ => Vec::new(),
    }
}

/// What uses a column.
struct User {
    /// Subject and verb: "view `a` reads".
    does: String,
    help: String,
    /// A column that is computed from it.
    computed: Option<String>,
}

impl User {
    /// An earlier action of the statement drops it, or it goes with what it uses: before Postgres 15 a generated column
    /// goes without a word.
    fn is_gone(&self, context: &Context, before: &[TableAction], goes: bool) -> bool {
        let Some(computed) = &self.computed else { return false };
        let drops =
            |it: &TableAction| matches!(&it.kind, ActionKind::DropColumn { column, .. } if column.name == *computed);
        before.iter().any(drops) || (goes && context.postgres.number() < 15)
    }
}

fn user(context: &Context, name: &ObjectName, column: &Ident) -> Option<User> {
    let catalog = context.catalog;
    if let Some(view) = reader(context, name, Some(&column.name)) {
        return Some(shown(view));
    }
    let again = |what: &str| format!("drop {what} before, and create it again after it, in the same migration");
    let needs = |it: &[String]| it.contains(&column.name);
    let mut triggers = catalog.triggers_on(name).filter(|it| it.origin.certain && needs(&it.columns));
    if let Some(trigger) = triggers.next() {
        let what = format!("trigger `{}`", trigger.name);
        return Some(User { does: format!("{what} is about"), help: again(&what), computed: None });
    }
    let mut policies = catalog.policies_on(name).filter(|it| it.origin.certain && needs(&it.columns));
    if let Some(policy) = policies.next() {
        let what = format!("policy `{}`", policy.name);
        return Some(User { does: format!("{what} looks at"), help: again(&what), computed: None });
    }
    let mut columns = catalog.table(name)?.columns.iter().filter(|it| it.name != column.name && it.origin.certain);
    let computed = columns.find(|it| needs(&it.computed_from))?;
    let what = format!("column `{}`", computed.name);
    let help = format!("drop {what} first, or its expression");
    Some(User { does: format!("{what} is computed from"), help, computed: Some(computed.name.clone()) })
}

fn shown((view, _): (&ObjectName, &View)) -> User {
    let name = view.last();
    User {
        does: format!("view `{name}` reads"),
        help: format!("`drop view {name}` before, and `create view {name} …` again after it, in the same migration"),
        computed: None,
    }
}

/// A view that is there for sure and reads the column for sure.
fn reader<'c>(context: &Context<'c>, name: &ObjectName, column: Option<&str>) -> Option<(&'c ObjectName, &'c View)> {
    let older = |than: Origin, it: Origin| it.migration < than.migration;
    let table = context.catalog.table(name);
    let own = context.catalog.resolve(name);
    let made = column.and_then(|it| table?.column_named(it)).map(|it| it.origin);
    // Nobody has added the column since, where files do not tell all of the table.
    let always_there = made.is_none() && table.is_none_or(|it| it.partial);
    let mut views = context.catalog.views_on(name);
    views.find(|(_, view)| {
        let reads = match (&view.mentions, column) {
            (_, None) => true,
            (Some(mentions), Some(column)) => {
                let mut others = view.reads.iter().filter(|it| **it != own).map(|it| context.catalog.table(it));
                // The word may name the column of another table that the view reads.
                let unsure = others.any(|it| it.is_none_or(|it| it.partial || it.column_named(column).is_some()));
                !unsure && mentions.has(column)
            }
            // `*` took the columns that were there.
            (None, Some(_)) => always_there || made.is_some_and(|origin| older(view.origin, origin)),
        };
        view.origin.certain && reads
    })
}
