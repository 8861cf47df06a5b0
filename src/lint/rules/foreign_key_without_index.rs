//! A foreign key without an index on its own columns reads its whole table for every row deleted over there.
//!
//! Postgres has an index on the referenced side, and makes none on the referencing one. Every `DELETE` of a referenced
//! row, and every `UPDATE` of its key, looks for rows that point to it, and without an index reads all of them while it
//! holds its locks. An index helps whose first columns are the foreign key's; a partial one does not.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql bad locks=customers:ShareRowExclusiveLock
//! create table invoices (id bigint primary key, customer_id bigint references customers (id));
//! ```
//!
//! ```sql good locks=customers:ShareRowExclusiveLock
//! create table invoices (id bigint primary key, customer_id bigint references customers (id));
//! create index invoices_customer_id_idx on invoices (customer_id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "foreign-key-without-index",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("foreign_key_without_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in added::foreign_keys(statement) {
        let table = context.catalog.resolve(key.table);
        let creates = matches!(&statement.change, Change::CreateTable(it) if !it.temporary && !it.foreign);
        let known = context.catalog.table(&table);
        // Of a table that no file creates, nobody knows the indexes; only a new column surely has none.
        let adds = |column: &str| added::columns(statement).iter().any(|(_, it)| it.name.name == column);
        let certain = creates
            || known.is_some_and(|it| !it.partial && !it.temporary)
            || key.columns.iter().any(|it| adds(&it.name));
        if !certain || known.is_some_and(|it| it.temporary) {
            continue;
        }
        let columns = key.columns.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        let listed = columns.join(", ");
        problems.push(
            Problem::at(key.span)
                .says(format!(
                    "each delete in `{}` reads all of `{table}`: no index starts with `{listed}`",
                    key.references
                ))
                .help(format!("`create index concurrently` on `{table} ({listed})`, in a migration of its own"))
                .unless(Remedy::Index { table, columns }),
        );
    }
    problems
}
