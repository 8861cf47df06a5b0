//! `ON DELETE SET NULL` on a column that may not be null makes every such delete fail.
//!
//! Nothing is wrong until somebody deletes a referenced row: then Postgres sets the column to null, which `NOT NULL`
//! forbids. Allow nulls, or delete with `CASCADE`, or refuse with `RESTRICT`.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint not null, seller_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! create index orders_seller_id_idx on orders (seller_id);
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_id_fkey
//!   foreign key (customer_id) references customers (id) on delete set null not valid;
//! ```
//!
//! ```sql bad locks=customers:ShareRowExclusiveLock
//! create table notes (id bigint primary key references customers (id) on delete set null);
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_seller_id_fkey
//!   foreign key (seller_id) references customers (id) on delete set null not valid;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        added::{self, ForeignKey},
    },
    report::Harm,
    sql::{
        Statement,
        change::{ConstraintKind, ReferentialAction},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "set-null-on-not-null-column",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("set_null_on_not_null_column.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in added::foreign_keys(statement) {
        let what = match (key.on_delete, key.on_update) {
            (ReferentialAction::SetNull, _) => "deleting",
            (_, ReferentialAction::SetNull) => "changing the key of",
            _ => continue,
        };
        let columns = if key.set_columns.is_empty() { key.columns } else { key.set_columns };
        if let Some(column) = columns.iter().find(|it| is_not_null(context, statement, &key, it)) {
            problems.push(
                Problem::at(key.span)
                    .says(format!(
                        "{what} a referenced row of `{}` fails, because `{column}` may not be null",
                        key.references
                    ))
                    .help(format!("let `{column}` be null, or use `on delete cascade` or `restrict`")),
            );
        }
    }
    problems
}

fn is_not_null(context: &Context, statement: &Statement, key: &ForeignKey, column: &Ident) -> bool {
    let made = added::columns(statement).into_iter().find(|(_, it)| it.name == *column);
    let in_key = || {
        added::constraints(statement).iter().any(|(_, it)| match &it.kind {
            ConstraintKind::PrimaryKey { columns, .. } => columns.contains(column),
            _ => false,
        })
    };
    match made {
        Some((_, made)) => made.not_null || made.primary_key || in_key(),
        None => {
            let known = context.catalog.table(key.table).and_then(|it| it.column(column));
            known.is_some_and(|it| it.not_null && it.origin.certain)
        }
    }
}
