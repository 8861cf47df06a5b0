//! Some statements cannot run inside a transaction block, and a `DO` block or a function is inside one.
//!
//! Everything with `concurrently` but `REFRESH`, and `VACUUM`, `REINDEX SCHEMA` and their like, commit on their own account, so Postgres refuses them where a transaction is open. The runner gives a file
//! that holds one no transaction, but it cannot take away a `BEGIN` or a `DO`.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad fails=25001
//! do $$ begin create index concurrently orders_customer_id_idx on orders (customer_id); end $$;
//! ```
//!
//! ```sql bad fails=25001
//! begin;
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! commit;
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, ReindexTarget},
    },
};

pub static RULE: Rule = Rule {
    name: "forbidden-in-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("forbidden_in_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(what) = forbidden(context, &statement.change) else { return Vec::new() };
    let problem = Problem::at(statement.span);
    vec![match &statement.place {
        Place::Do | Place::Within => problem
            .says(format!("`{what}` cannot run inside a block: this fails when it runs"))
            .help("take it out of the block, to the top level of a migration of its own"),
        Place::Routine(routine) => problem
            .says(format!("`{what}` cannot run inside `{routine}`: this fails when it is called"))
            .help("write it out, at the top level of a migration of its own"),
        Place::Top if context.transaction.is_some() => problem
            .says(format!("`{what}` cannot run inside a transaction: this fails when it runs"))
            .help("take it out of the `begin` … `commit`, into a migration of its own"),
        Place::Top => return Vec::new(),
    }]
}

fn forbidden(context: &Context, change: &Change) -> Option<&'static str> {
    let what = match change {
        Change::CreateIndex(index) if index.concurrently => "create index concurrently",
        Change::Drop(drop) if drop.concurrently => "drop index concurrently",
        Change::Reindex { concurrently: true, .. } => "reindex concurrently",
        Change::Reindex { target: ReindexTarget::Schema, .. } => "reindex schema",
        Change::Reindex { target: ReindexTarget::Database | ReindexTarget::System, .. } => "reindex database",
        Change::Reindex { target: ReindexTarget::Table, name: Some(table), .. } => {
            context.catalog.table(table).filter(|it| it.partitioned)?;
            "reindex table` of a partitioned `table"
        }
        Change::Vacuum { .. } => "vacuum",
        Change::Cluster { table: None } => "cluster",
        Change::AlterTable(alter) => {
            let concurrent = |kind: &ActionKind| matches!(kind, ActionKind::DetachPartition { concurrently: true, .. });
            alter.actions.iter().find(|it| concurrent(&it.kind))?;
            "detach partition concurrently"
        }
        _ => return None,
    };
    Some(what)
}
