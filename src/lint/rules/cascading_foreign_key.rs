//! A foreign key with `ON DELETE CASCADE` deletes rows that the application does not name.
//!
//! From now on a `DELETE` of the running application takes rows of this table with it, where so far it failed or left
//! them; nothing asks. Write `NO ACTION` and let the code delete what it means to. On a table that the release creates
//! nothing is lost.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_fkey
//!   foreign key (customer_id) references customers on delete cascade not valid;
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_fkey
//!   foreign key (customer_id) references customers not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind, ReferentialAction},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "cascading-foreign-key",
    harm: Harm::Loses,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("cascading_foreign_key.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::AddConstraint(constraint) = &action.kind else { continue };
        let ConstraintKind::ForeignKey { columns, references, on_delete, .. } = &constraint.kind else { continue };
        let new_columns = columns.iter().all(|it| {
            let known = context.catalog.table(&alter.table).and_then(|table| table.column(it));
            known.is_some_and(|it| it.origin.is_new())
        });
        if *on_delete != ReferentialAction::Cascade {
            continue;
        }
        if new_columns || replaces(context, statement, columns) {
            continue;
        }
        problems.push(
            Problem::at(action.span)
                .says(format!(
                    "whoever deletes a row of `{references}` deletes its rows of `{}` with it from now on",
                    alter.table
                ))
                .help("leave `on delete` out, and delete in the code what it means to delete"),
        );
    }
    problems
}

/// A foreign key of the same columns is dropped in the same migration: most likely it did so already.
fn replaces(context: &Context, statement: &Statement, columns: &[Ident]) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let mut known = context.catalog.foreign_keys_of(&alter.table).filter(|it| it.columns == columns);
    let name = format!("{}_{}_fkey", alter.table.last(), columns.first().map_or("", |it| &it.name));
    let drops = |it: &ActionKind| matches!(it, ActionKind::DropConstraint { .. });
    known.next().is_some()
        || context.earlier().iter().chain(std::iter::once(statement)).any(|it| match &it.change {
            Change::AlterTable(other) if other.table == alter.table => other.actions.iter().any(|it| match &it.kind {
                ActionKind::DropConstraint { name: dropped, .. } => {
                    drops(&it.kind)
                        && (dropped.name == name || columns.iter().any(|it| dropped.name.contains(&it.name)))
                }
                _ => false,
            }),
            _ => false,
        })
}
