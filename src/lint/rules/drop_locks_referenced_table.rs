//! Dropping a foreign key, or the table or column that has it, locks the referenced table against everything, too.
//!
//! Postgres removes triggers over there, for which it takes `ACCESS EXCLUSIVE`: an instant, but one that waits for every
//! query that runs on the other table and keeps all later ones waiting behind it. Set a short `lock_timeout`, drop the
//! foreign key in a migration of its own, and the rest after it.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint);
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock,customers:AccessExclusiveLock also=drop-column
//! alter table orders drop column customer_id;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock,customers:AccessExclusiveLock also=drop-table
//! drop table orders;
//! ```
//!
//! ```sql good
//! select count(*) from customers;
//! ```

use crate::{
    catalog::ForeignKey,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "drop-locks-referenced-table",
    harm: Harm::Blocks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_locks_referenced_table.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut locked: Vec<(Span, &ObjectName, &ObjectName)> = Vec::new();
    match &statement.change {
        Change::AlterTable(alter) => {
            for action in &alter.actions {
                let goes = |key: &ForeignKey| match &action.kind {
                    ActionKind::DropConstraint { name, .. } => key.constraint.name == name.name,
                    ActionKind::DropColumn { column, .. } => key.columns.contains(column),
                    _ => false,
                };
                let keys = context.catalog.foreign_keys_of(&alter.table).filter(goes);
                locked.extend(keys.map(|key| (action.span, &alter.table, key.references)));
            }
        }
        Change::Drop(drop) if drop.kind == ObjectKind::Table => {
            for name in &drop.names {
                let keys = context.catalog.foreign_keys_of(name);
                let others =
                    keys.filter(|key| drop.names.iter().all(|it| context.catalog.resolve(it) != *key.references));
                locked.extend(others.map(|key| (name.span(), name, key.references)));
            }
        }
        _ => return Vec::new(),
    }
    let noticed = |own: &ObjectName, parent: &ObjectName| {
        !context.is_new(own) && !context.is_new(parent) && context.catalog.resolve(own) != *parent
    };
    locked.retain(|(_, own, parent)| noticed(own, parent));
    locked.dedup();
    let problem = |(span, _, parent): (Span, &ObjectName, &ObjectName)| {
        Problem::at(span)
            .says(format!(
                "`{parent}` is locked against reads and writes for an instant, because a foreign key to it goes"
            ))
            .help("set a short `lock_timeout`, and drop the foreign key in a migration of its own")
    };
    locked.into_iter().map(problem).collect()
}
