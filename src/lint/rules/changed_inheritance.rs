//! `INHERIT` and `NO INHERIT` change what every query on the parent returns.
//!
//! A query on the parent reads its heirs, too: with `INHERIT` their rows appear in it, with `NO INHERIT` they are gone,
//! and updates and deletes reach more or fewer rows. Partitions are attached and detached in another way.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create table old_orders (id bigint not null);
//! create table open_orders () inherits (orders);
//! ```
//!
//! ```sql bad locks=old_orders:AccessExclusiveLock,orders:ShareUpdateExclusiveLock
//! alter table old_orders inherit orders;
//! ```
//!
//! ```sql bad locks=open_orders:AccessExclusiveLock
//! alter table open_orders no inherit orders;
//! ```
//!
//! ```sql good
//! create view all_orders as select id from orders union all select id from old_orders;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ActionKind},
};

pub static RULE: Rule = Rule {
    name: "changed-inheritance",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("changed_inheritance.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterTable(alter) = &statement.change else { return Vec::new() };
    let heir = &alter.table;
    let changed = alter.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::Inherit { parent } => {
            Some((action, parent, format!("queries on `{parent}` return the rows of `{heir}`, too")))
        }
        ActionKind::NoInherit { parent } => {
            Some((action, parent, format!("queries on `{parent}` no longer return the rows of `{heir}`")))
        }
        _ => None,
    });
    let seen = changed.filter(|(_, parent, _)| !context.is_new(parent));
    let problem =
        |(action, parent, says): (&crate::sql::change::TableAction, &crate::sql::names::ObjectName, String)| {
            Problem::at(action.span)
                .says(says)
                .help(format!("be sure that whoever reads or writes `{parent}` is ready for that"))
        };
    seen.map(problem).collect()
}
