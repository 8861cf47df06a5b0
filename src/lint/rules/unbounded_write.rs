//! A write to every row overwrites every row, and keeps them all locked until the migration ends.
//!
//! What was there is gone. Reads go on, but whoever wants to change a row waits. The table doubles in size, replicas fall behind, and how long it
//! takes only production knows. Write in batches, each its own transaction, in a promotion of type
//! `data_migration`. In a `schema_safe` promotion that also goes for configuration tables, and for `INSERT …
//! SELECT`, whose rows nobody has counted.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create table site_settings (name text primary key, value text);
//! create table old_settings (name text primary key, value text);
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! update orders set state = 'open';
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! update orders set state = 'open' where true;
//! ```
//!
//! ```sql bad type=schema_safe config=site_settings locks=site_settings:RowExclusiveLock
//! update site_settings set value = '';
//! ```
//!
//! ```sql bad type=schema_safe locks=site_settings:RowExclusiveLock,old_settings:AccessShareLock
//! insert into site_settings (name, value) select name, value from old_settings on conflict do nothing;
//! ```
//!
//! ```sql good config=site_settings locks=site_settings:RowExclusiveLock
//! update site_settings set value = '';
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key, state text);
//! update parcels set state = 'open';
//! ```

use crate::{
    catalog::Origin,
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Filter, InsertSource},
    },
};

pub static RULE: Rule = Rule {
    name: "unbounded-write",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("unbounded_write.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let schema_safe = context.promotion == Some(PromotionType::SchemaSafe);
    let (table, message) = match &statement.change {
        Change::Update(update) if update.filter == Filter::None => {
            (&update.table, format!("every row of `{}` is overwritten, and stays locked until the end", update.table))
        }
        Change::Insert(insert) if insert.source == InsertSource::Query && schema_safe => {
            (&insert.table, format!("writes as many rows to `{}` as the query finds", insert.table))
        }
        _ => return Vec::new(),
    };
    let meant =
        context.promotion == Some(PromotionType::DataMigration) || (context.is_config_table(table) && !schema_safe);
    if meant || context.is_bookkeeping(table) || context.catalog.holds_only_new_rows(table, Origin::is_new) {
        return Vec::new();
    }
    let problem = Problem::at(statement.span);
    let sized = matches!(statement.change, Change::Update(_));
    vec![
        if sized { problem.weighing(table) } else { problem }
            .says(message)
            .help("bound it with a `where`, and write in batches with `--type data_migration`"),
    ]
}
