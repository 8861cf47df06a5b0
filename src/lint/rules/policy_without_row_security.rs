//! A policy on a table without row level security does nothing, and looks as if it did.
//!
//! Everybody who may read the table sees all of its rows until `ALTER TABLE … ENABLE ROW LEVEL SECURITY`. Postgres says
//! nothing. See <https://www.postgresql.org/docs/current/sql-createpolicy.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! create table parcels (id bigint primary key, owner text);
//! alter table parcels enable row level security;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! create policy own_orders on orders using (owner = current_user);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! create policy own_orders on orders using (owner = current_user);
//! alter table orders enable row level security;
//! ```
//!
//! ```sql good locks=parcels:AccessExclusiveLock
//! create policy own_parcels on parcels using (owner = current_user);
//! ```

use crate::{
    catalog::Table,
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable, running},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterTable},
    },
};

pub static RULE: Rule = Rule {
    name: "policy-without-row-security",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("policy_without_row_security.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreatePolicy { name, table, .. } = &statement.change else { return Vec::new() };
    // Of a table that no file creates nobody knows whether it is secured.
    let is_known = |it: &&Table| it.origin.certain && !it.partial;
    let Some(known) = context.catalog.table(table).filter(is_known) else { return Vec::new() };
    let enables = |it: &AlterTable| {
        context.catalog.resolve(&it.table) == known.name
            && it
                .actions
                .iter()
                .any(|it| matches!(&it.kind, ActionKind::Toggle { words, .. } if words == "ENABLE ROW LEVEL SECURITY"))
    };
    let mut later = context.later().iter().flat_map(running);
    let comes = later.any(|it| matches!(&it.change, Change::AlterTable(alter) if enables(alter)));
    // What a block puts together may do it.
    let perhaps = context.later().iter().any(|it| matches!(it.change, Change::Do { .. }));
    if known.row_security.enabled || comes || perhaps {
        return Vec::new();
    }
    vec![
        Problem::at(name.span)
            .says(format!("policy `{name}` does nothing: row level security of `{table}` is off"))
            .help(format!("`alter table {table} enable row level security` in the same migration"))
            .unless(Remedy::RowSecurity(known.name.clone())),
    ]
}
