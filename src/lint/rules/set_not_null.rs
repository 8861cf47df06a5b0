//! `SET NOT NULL` reads the whole table under an exclusive lock, unless it is proved already.
//!
//! Nobody reads or writes the table meanwhile. A validated `CHECK (column IS NOT NULL)` is the proof that Postgres
//! accepts instead: add it `NOT VALID` in one migration, validate it in the next, then set `NOT NULL`; afterwards the
//! check may go, but not in the same `ALTER TABLE`, which would read all rows again. A primary key that takes over
//! an index of a nullable column sets `NOT NULL` in passing.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL>.
//!
//! ```sql setup
//! create table orders (id bigint, customer_id bigint, state text not null);
//! alter table orders add constraint orders_customer_id_set check (customer_id is not null);
//! create unique index orders_id_idx on orders (id);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column id set not null;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add primary key using index orders_id_idx;
//! ```
//!
//! ```sql bad since=18 locks=orders:AccessExclusiveLock
//! alter table orders add column twice bigint generated always as (id * 2) virtual not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column customer_id set not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column state set not null;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_id_set check (id is not null) not valid;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, actions,
        effects::{NotNull, made_not_null, not_null},
    },
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, ConstraintKind, Generated, TableAction},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "set-not-null",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("set_not_null.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let name = &alter.table;
    let mut problems = Vec::new();
    for action in actions {
        for column in columns(context, name, action) {
            let problem = match not_null(context, name, &column, actions) {
                NotNull::Already => Problem::safe(action.span, format!("`{column}` is `not null` already")),
                NotNull::Proved(proof) => {
                    let check = &proof.name;
                    let place = context.catalog.validated_in(proof).map(|it| format!(", validated in {it}"));
                    let place = place.unwrap_or_default();
                    Problem::safe(action.span, format!("proved by check `{check}`{place}: no row is read"))
                }
                NotNull::Assumed(check) => {
                    Problem::safe(action.span, format!("taken to be proved by `{check}`, which no file that was read adds"))
                }
                NotNull::Unproved => Problem::at(action.span)
                    .weighing(name)
                    .says(format!("reads and writes of `{name}` wait while every row is read to see that `{column}` is set"))
                    .help(format!(
                        "first `alter table {name} add constraint {column}_is_set check ({column} is not null) not valid`, in \
                         the next migration `validate constraint {column}_is_set`, and then this"
                    )),
            };
            problems.push(problem);
        }
        if let ActionKind::AddColumn { column, .. } = &action.kind
            && column.generated == Some(Generated::Virtual)
            && column.not_null
        {
            let says = format!(
                "reads and writes of `{name}` wait while `{}` is computed for every row to see that it is set",
                column.name
            );
            let help = "leave `not null` out: what is computed from columns that are set is set";
            problems.push(Problem::at(action.span).weighing(name).says(says).help(help));
        }
    }
    problems
}

/// The columns that an action makes `NOT NULL` and that were there before.
fn columns(context: &Context, table: &ObjectName, action: &TableAction) -> Vec<Ident> {
    match &action.kind {
        ActionKind::SetNotNull { column } => vec![column.clone()],
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::NotNull { column } if !constraint.not_valid => vec![column.clone()],
            ConstraintKind::PrimaryKey { using_index: Some(_), .. } => made_not_null(context, table, constraint),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
