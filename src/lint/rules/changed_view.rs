//! `CREATE OR REPLACE VIEW` may add columns at the end, and change nothing of those that are there.
//!
//! With one less, with another name or of another type, Postgres refuses. Drop the view and create it again in one
//! migration, or add the new columns behind the old ones. Said where the columns are told by the query's own list.
//! See <https://www.postgresql.org/docs/current/sql-createview.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total int, state text);
//! create view open_orders as select id, total from orders;
//! ```
//!
//! ```sql bad fails=42P16
//! create or replace view open_orders as select id from orders;
//! ```
//!
//! ```sql bad fails=42P16
//! create or replace view open_orders as select id, state, total from orders;
//! ```
//!
//! ```sql bad fails=42P16
//! create or replace view open_orders as select id, total::numeric from orders;
//! ```
//!
//! ```sql good locks=open_orders:AccessExclusiveLock,orders:AccessShareLock
//! create or replace view open_orders as select id, total, state from orders;
//! ```

use crate::{
    catalog::{View, ViewColumn},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, types},
    report::Harm,
    sql::{Change, Place, Statement},
};

pub static RULE: Rule = Rule {
    name: "changed-view",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("changed_view.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateView(new) = &statement.change else { return Vec::new() };
    if !new.or_replace || new.temporary || statement.place != Place::Top {
        return Vec::new();
    }
    let target = context.catalog.target(&new.name);
    let Some(old) = context.catalog.views.get(&target).filter(|it| is_known(context, it)) else { return Vec::new() };
    let doubted = context.catalog.doubted.contains(&target);
    let (Some(was), Some(is)) = (&old.columns, context.catalog.outputs_of(new)) else { return Vec::new() };
    let Some(why) = refused(was, &is).filter(|_| !doubted) else { return Vec::new() };
    let name = &new.name;
    vec![
        Problem::at(name.span())
            .says(format!("this fails when it runs: `or replace` cannot {why} of view `{name}`"))
            .help(format!(
                "add new columns at the end, or `drop view {name}` and create it again in the same migration"
            )),
    ]
}

/// A plain view of which nothing says that it may have been dropped since.
fn is_known(context: &Context, view: &View) -> bool {
    !view.materialized && context.catalog.opaque.is_none_or(|since| view.origin.migration > since)
}

fn refused(was: &[ViewColumn], is: &[ViewColumn]) -> Option<String> {
    let shown = |it: &ViewColumn| it.name.clone().unwrap_or_default();
    let renamed =
        |(was, is): &(&ViewColumn, &ViewColumn)| was.name.is_some() && is.name.is_some() && was.name != is.name;
    if let Some((was, _)) = was.iter().zip(is).find(renamed) {
        return Some(format!("drop, move or rename column `{}`", shown(was)));
    }
    if is.len() < was.len() {
        return Some(format!("drop column `{}`", shown(&was[is.len()])));
    }
    let (retyped, _) = was.iter().zip(is).find(|(was, is)| match (&was.data_type, &is.data_type) {
        (Some(was), Some(is)) => was != is && types::is_built_in(was) && types::is_built_in(is),
        _ => false,
    })?;
    Some(format!("change the type of column `{}`", shown(retyped)))
}
