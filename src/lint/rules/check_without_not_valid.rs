//! Adding a `CHECK` without `NOT VALID` reads the whole table under an exclusive lock.
//!
//! Nobody reads or writes the table until every row is checked; one that fails takes the migration with it.
//! With `NOT VALID` the lock is held for an instant, new rows are checked at once, and a later
//! `VALIDATE CONSTRAINT`, in a migration of its own, reads the old ones while traffic goes on. A `CHECK` on
//! a column that is added in the same statement reads all rows too.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total numeric);
//! alter table orders add constraint orders_total_check check (total >= 0) not valid;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_limit check (total < 1000000);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add column discount numeric check (discount >= 0);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_total_limit check (total < 1000000) not valid;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! alter table orders validate constraint orders_total_check;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, ConstraintKind},
    },
};

pub static RULE: Rule = Rule {
    name: "check-without-not-valid",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("check_without_not_valid.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let mut problems = Vec::new();
    for action in actions {
        if let ActionKind::AddConstraint(constraint) = &action.kind
            && matches!(constraint.kind, ConstraintKind::Check { .. })
            && !constraint.not_valid
            && !constraint.not_enforced
        {
            let name = constraint.name.as_ref().map_or("…", |it| it.name.as_str());
            problems.push(
                Problem::at(constraint.span)
                    .weighing(table)
                    .says(format!("reads and writes of `{table}` wait while every row is checked"))
                    .help(format!(
                        "add `not valid`, and in the next migration `alter table {table} validate constraint {name}`"
                    )),
            );
        }
    }
    for (_, action, column) in actions::added_columns(context, statement) {
        if column.is_checked() {
            problems.push(
                Problem::at(action.span).weighing(table)
                    .says(format!("reads and writes of `{table}` wait while every row is checked, though `{}` is new", column.name))
                    .help("add the column alone, then the check as a constraint with `not valid`, and validate it in the next migration"),
            );
        }
    }
    problems
}
