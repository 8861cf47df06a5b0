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
    catalog::Table,
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, ConstraintKind, TableAction},
        names::Ident,
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
    let table = context.catalog.table(&alter.table);
    let mut problems = Vec::new();
    for action in actions {
        for column in made_not_null(context, table, action) {
            if table.is_some_and(|it| is_proved(it, &column, actions)) {
                continue;
            }
            let name = &alter.table;
            problems.push(
                Problem::at(action.span).weighing(name)
                    .says(format!("reads and writes of `{name}` wait while every row is read to see that `{column}` is set"))
                    .help(format!(
                        "first `alter table {name} add constraint {column}_is_set check ({column} is not null) not valid`, in \
                         the next migration `validate constraint {column}_is_set`, and then this"
                    )),
            );
        }
    }
    problems
}

/// The columns that an action makes `NOT NULL` by looking at all rows.
fn made_not_null(context: &Context, table: Option<&Table>, action: &TableAction) -> Vec<Ident> {
    match &action.kind {
        ActionKind::SetNotNull { column } => vec![column.clone()],
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::NotNull { column } if !constraint.not_valid => vec![column.clone()],
            ConstraintKind::PrimaryKey { using_index: Some(index), .. } => {
                let Some(table) = table else { return Vec::new() };
                let mut indexes = context.catalog.indexes_of(&table.name);
                let keys = indexes.find(|it| it.name.last() == index.name).map(|it| it.keys.clone());
                let known = |name: &String| table.columns.iter().any(|it| it.name == *name);
                let keys = keys.unwrap_or_default().into_iter().filter(known);
                keys.map(|name| Ident { name, span: index.span }).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// `NOT NULL` already, or a validated check says so that the same statement does not drop.
fn is_proved(table: &Table, column: &Ident, actions: &[TableAction]) -> bool {
    if table.column(column).is_some_and(|it| it.not_null) {
        return true;
    }
    let Some(proof) = table.proof_of_not_null(column) else { return false };
    !actions.iter().any(|it| matches!(&it.kind, ActionKind::DropConstraint { name, .. } if name.name == proof.name))
}
