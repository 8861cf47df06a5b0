//! Dropping the default of a `NOT NULL` column breaks inserts that leave the column out.
//!
//! Processes that still run old code know nothing of a new column, and rely on the default; they fail with
//! "null value in column … violates not-null constraint". Keep the default until they are gone, at least until the next release.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text not null default 'new', note text default '');
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column state drop default;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column note drop default;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Change, Statement,
        change::ActionKind,
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "dropped-default",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("dropped_default.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = context.catalog.table(&alter.table);
    let needed = actions.iter().filter_map(|action| match &action.kind {
        ActionKind::DropDefault { column } => {
            let known = table.and_then(|it| it.column(column));
            known.filter(|it| it.not_null && it.default.is_some()).map(|_| (action, column))
        }
        _ => None,
    });
    let lasting = needed.filter(|(_, column)| !context.later().iter().any(|it| sets(it, &alter.table, column)));
    let problem = lasting.map(|(action, column)| {
        Problem::at(action.span)
            .says(format!("inserts into `{}` that leave out `{column}` fail", alter.table))
            .help("keep the default until no running process relies on it")
    });
    problem.collect()
}

fn sets(statement: &Statement, table: &ObjectName, name: &Ident) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let sets = |kind: &ActionKind| match kind {
        ActionKind::SetDefault { column, .. } | ActionKind::AddIdentity { column, .. } => column == name,
        _ => false,
    };
    alter.table == *table && alter.actions.iter().any(|it| sets(&it.kind))
}
