//! A unique, primary key or exclusion constraint builds its index under an exclusive lock.
//!
//! Nobody reads or writes the table until the index is built, and duplicates take the migration with them. For
//! the first two, build a unique index concurrently in one migration and let the constraint take it over
//! (`USING INDEX`) in the next: that takes an instant. An exclusion constraint has no such way.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html> on `ADD table_constraint_using_index`.
//!
//! ```sql setup
//! create table orders (id bigint not null, number text, room int);
//! create unique index orders_number_idx on orders (number);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_number_key unique (number);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add primary key (id);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column code text unique;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_room_excl exclude using btree (room with =);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_number_key unique using index orders_number_idx;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, ConstraintKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "constraint-building-index",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("constraint_building_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let partitioned = context.catalog.table(table).is_some_and(|it| it.partitioned);
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::AddConstraint(constraint) = &action.kind else { continue };
        let help = match &constraint.kind {
            ConstraintKind::Unique { using_index: None, .. } => take_over(table, "unique", partitioned),
            ConstraintKind::PrimaryKey { using_index: None, .. } => take_over(table, "primary key", partitioned),
            ConstraintKind::Exclude { .. } => {
                "there is no other way on a table with rows: do it while it is small, or on a new table that takes over"
                    .to_owned()
            }
            _ => continue,
        };
        problems.push(
            Problem::at(constraint.span)
                .weighing(table)
                .says(format!("reads and writes of `{table}` wait until the index of this constraint is built"))
                .help(help),
        );
    }
    for (_, action, column) in actions::added_columns(context, statement) {
        if column.unique || column.primary_key {
            let kind = if column.primary_key { "primary key" } else { "unique" };
            problems.push(
                Problem::at(action.span)
                    .weighing(table)
                    .says(format!("reads and writes of `{table}` wait until the index of `{}` is built", column.name))
                    .help(format!("add the column alone; {}", take_over(table, kind, partitioned))),
            );
        }
    }
    problems
}

fn take_over(table: &ObjectName, kind: &str, partitioned: bool) -> String {
    if partitioned {
        return format!(
            "`create unique index … on only {table}`, then `create unique index concurrently` on each partition and \
             `alter index … attach partition` for each; the index of a partitioned table cannot become a constraint"
        );
    }
    format!(
        "`create unique index concurrently` in one migration, then in the next \
         `alter table {table} add constraint … {kind} using index …`"
    )
}
