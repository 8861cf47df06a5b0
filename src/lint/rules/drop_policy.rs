//! Dropping a policy changes who sees which rows, at once.
//!
//! Without its last permissive policy a table shows no rows to anybody but its owner; without a restrictive one
//! it shows too many. One that the same migration creates again is replaced.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! create policy own_orders on orders using (owner = current_user);
//! alter table orders enable row level security;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! drop policy own_orders on orders;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! drop policy if exists own_orders on orders;
//! create policy own_orders on orders for select using (owner = current_user);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-policy",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_policy.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let (ObjectKind::Policy, Some(table)) = (drop.kind, &drop.on) else { return Vec::new() };
    if context.is_new(table) {
        return Vec::new();
    }
    let is_new = |name: &ObjectName| {
        let key = (ObjectKind::Policy, name.clone(), Some(context.catalog.resolve(table)));
        context.catalog.others.get(&key).is_some_and(|it| it.is_surely_new())
    };
    let lost = drop.names.iter().filter(|it| !is_new(it) && !context.creates_again(drop.kind, it, Some(table)));
    lost.map(|name| {
        Problem::at(name.span())
            .says(format!("who sees which rows of `{table}` changes at once: policy `{name}` is gone"))
            .help("create its successor in the same migration, or say why it may go: `-- liftlock: allow drop-policy because …`")
    })
    .collect()
}
