//! An update overwrites what production holds, and the old values are gone.
//!
//! A schema migration has no business with rows, but for tables that hold configuration (`config_tables` in
//! liftlock.yml). Rows are changed by a promotion of type `data_migration`, which is approved as such.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create table site_settings (name text primary key, value text);
//! create table incoming (id bigint primary key, state text);
//! ```
//!
//! ```sql bad config=site_settings locks=orders:RowExclusiveLock
//! update orders set state = 'open' where state is null;
//! ```
//!
//! ```sql bad config=site_settings locks=orders:RowExclusiveLock
//! insert into orders (id, state) values (1, 'open') on conflict (id) do update set state = excluded.state;
//! ```
//!
//! ```sql bad config=site_settings locks=orders:RowExclusiveLock,incoming:AccessShareLock since=15
//! merge into orders using incoming on orders.id = incoming.id when matched then update set state = incoming.state;
//! ```
//!
//! ```sql good config=site_settings locks=site_settings:RowExclusiveLock
//! update site_settings set value = 'blue' where name = 'theme';
//! ```
//!
//! ```sql good type=data_migration locks=orders:RowExclusiveLock
//! update orders set state = 'open' where state is null;
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key, state text);
//! update parcels set state = 'open' where state is null;
//! ```

use crate::{
    catalog::Origin,
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{Filter, OnConflict},
    },
};

pub static RULE: Rule = Rule {
    name: "update-outside-config-tables",
    harm: Harm::Loses,
    severity: Severities { dev: Some(Severity::Warning), ..Severities::ERROR },
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("update_outside_config_tables.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let table = match &statement.change {
        // Without a WHERE it is `unbounded-write`.
        Change::Update(update) if update.filter != Filter::None => &update.table,
        Change::Insert(insert) if insert.on_conflict == Some(OnConflict::DoUpdate) => &insert.table,
        Change::Merge { table, deletes: false } => table,
        _ => return Vec::new(),
    };
    let meant = match context.promotion {
        Some(PromotionType::DataMigration | PromotionType::ConfigOnly) => true,
        None | Some(PromotionType::SchemaSafe | PromotionType::Hotfix) => false,
    };
    let small = context.is_config_table(table) || context.is_bookkeeping(table);
    if meant || small || context.catalog.holds_only_new_rows(table, Origin::is_new) {
        return Vec::new();
    }
    if fills_new_columns(context, statement) {
        return vec![Problem::safe(statement.span, "what is overwritten came with the release")];
    }
    // Who has not said what is configuration is told once more what goes, and stopped by nothing.
    let severity = if context.config_tables.is_empty() && context.promotion.is_none() {
        Severity::Warning
    } else {
        Severity::Error
    };
    vec![
        Problem::at(statement.span)
            .at_most(severity)
            .says(format!("rows of `{table}` are overwritten, and it is no configuration table"))
            .help(
                "promote it with `--type data_migration`, or list the table under `config_tables` in liftlock.yml \
                 if that is what it is",
            ),
    ]
}

/// An update of columns that the release itself adds: the old application neither knows nor misses their values.
fn fills_new_columns(context: &Context, statement: &Statement) -> bool {
    let Change::Update(update) = &statement.change else { return false };
    let Some(table) = context.catalog.table(&update.table) else { return false };
    let is_new = |it| table.column(it).is_some_and(|column| column.origin.is_new());
    !update.columns.is_empty() && update.columns.iter().all(is_new)
}
