//! A `config_only` promotion inserts into and updates configuration tables, and does nothing else.
//!
//! It is approved with less ceremony than others, because it cannot do more. The tables are those that
//! liftlock.yml lists under `config_tables`. Nothing waives this: promote with another type.
//!
//! ```sql setup
//! create table site_settings (name text primary key, value text);
//! create table orders (id bigint primary key, state text);
//! ```
//!
//! ```sql bad type=config_only config=site_settings
//! create table parcels (id bigint primary key);
//! ```
//!
//! ```sql bad type=config_only config=site_settings locks=orders:RowExclusiveLock
//! update orders set state = 'open' where id = 1;
//! ```
//!
//! ```sql good type=config_only config=site_settings locks=site_settings:RowExclusiveLock
//! set local lock_timeout = '2s';
//! insert into site_settings (name, value) values ('theme', 'blue') on conflict do nothing;
//! update site_settings set value = 'green' where name = 'theme';
//! ```

use crate::{
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "outside-config-only",
    harm: Harm::Convention,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("outside_config_only.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if context.promotion != Some(PromotionType::ConfigOnly) {
        return Vec::new();
    }
    let table = match &statement.change {
        Change::Insert(insert) => &insert.table,
        Change::Update(update) => &update.table,
        Change::Merge { table, deletes: false } => table,
        // Reads and settings change nothing; what runs inside is judged by itself; what is unread has its rules.
        Change::Query { .. }
        | Change::Explain { .. }
        | Change::Set(_)
        | Change::Transaction(_)
        | Change::Do { .. }
        | Change::Call { .. }
        | Change::Analyze { .. }
        | Change::Unread { .. } => return Vec::new(),
        _ => return vec![problem(statement, "this neither inserts into nor updates a configuration table".to_owned())],
    };
    if context.is_config_table(table) {
        return Vec::new();
    }
    vec![problem(statement, format!("`{table}` is no configuration table"))]
}

fn problem(statement: &Statement, message: String) -> Problem {
    Problem::at(statement.span).says(message).help(
        "promote it with another `--type`, or list the table under `config_tables` in liftlock.yml if that is what \
         it is",
    )
}
