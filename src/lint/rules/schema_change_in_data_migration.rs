//! A `data_migration` promotion changes rows, not the schema.
//!
//! A schema change takes locks that a long data change would hold to its end, and it is reviewed with other eyes.
//! Put it into a migration of its own and promote that as `schema_safe`. Temporary tables are no schema. Nothing
//! waives this.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! ```
//!
//! ```sql bad type=data_migration locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```
//!
//! ```sql good type=data_migration locks=orders:RowExclusiveLock
//! create temporary table chosen as select id from orders where state is null;
//! update orders set state = 'open' where id in (select id from chosen);
//! drop table chosen;
//! ```

use crate::{
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "schema-change-in-data-migration",
    harm: Harm::Convention,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("schema_change_in_data_migration.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if context.promotion != Some(PromotionType::DataMigration) || !changes_schema(context, &statement.change) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says("this changes the schema")
            .help("put it into a migration of its own and promote that with `--type schema_safe`"),
    ]
}

fn changes_schema(context: &Context, change: &Change) -> bool {
    let temporary = |name: &ObjectName| context.catalog.table(name).is_some_and(|it| it.temporary);
    match change {
        Change::CreateTable(table) => !table.temporary,
        Change::CreateView(view) => !view.temporary,
        Change::AlterTable(alter) => !temporary(&alter.table),
        Change::CreateIndex(index) => !temporary(&index.table),
        Change::Drop(drop) => drop.kind != ObjectKind::Table || !drop.names.iter().all(temporary),
        change => change.is_ddl(),
    }
}
