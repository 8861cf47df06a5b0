//! A new restriction on an old table refuses what the running application may still write.
//!
//! A check, a key, `NOT NULL`, an exclusion or a unique index holds for every write from now on, also one that is `NOT
//! VALID`: what no lock shows, the application's error log does. Where that has to be weighed for each of them, give this rule a
//! severity; it is silent otherwise, because nobody can tell from the files what the application writes.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint, total numeric);
//! create index orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_fkey foreign key (customer_id) references customers not valid;
//! ```
//!
//! ```sql bad commits
//! create unique index concurrently orders_total_idx on orders (total);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column state text not null default 'new';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, ConstraintKind, ObjectAction},
    },
};

pub static RULE: Rule = Rule {
    name: "new-restriction",
    harm: Harm::Breaks,
    severity: Severities::OFF,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("new_restriction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let found: Vec<(Span, String)> = match &statement.change {
        Change::AlterTable(_) => {
            let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
            let restricted = |it: &ActionKind| match it {
                ActionKind::AddConstraint(constraint) => match &constraint.kind {
                    // They take over what holds already.
                    ConstraintKind::Unique { using_index, .. } | ConstraintKind::PrimaryKey { using_index, .. } => {
                        using_index.is_none()
                    }
                    _ => !constraint.not_enforced,
                },
                ActionKind::SetNotNull { column } => {
                    let table = context.catalog.table(&alter.table);
                    table.is_none_or(|it| it.proof_of_not_null(column).is_none())
                }
                _ => false,
            };
            let restricting = actions.iter().filter(|it| restricted(&it.kind));
            restricting.map(|it| (it.span, alter.table.to_string())).collect()
        }
        Change::CreateIndex(index) if index.unique && !context.is_new(&index.table) => {
            vec![(statement.span, index.table.to_string())]
        }
        Change::AlterObject(alter) => match (&alter.action, &alter.name) {
            (ObjectAction::AddConstraint(_) | ObjectAction::SetNotNull, Some(name)) => {
                vec![(statement.span, name.to_string())]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let problem = found.into_iter().map(|(span, of)| {
        Problem::at(span)
            .says(format!("writes of the running application to `{of}` that break this rule fail from now on"))
            .help("release 1: write only what keeps the rule; release 2, when no old process is left: add it")
    });
    problem.collect()
}
