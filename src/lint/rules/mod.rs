//! All rules, one file each.

pub mod concurrently_if_not_exists;
pub mod copy_from_stdin;
pub mod credentials_in_text;
pub mod delete_rows;
pub mod drop_cascade;
pub mod drop_column;
pub mod drop_database;
pub mod drop_extension;
pub mod drop_index_without_concurrently;
pub mod drop_object;
pub mod drop_owned;
pub mod drop_policy;
pub mod drop_routine;
pub mod drop_schema;
pub mod drop_sequence;
pub mod drop_table;
pub mod drop_trigger;
pub mod drop_type;
pub mod drop_view;
pub mod dynamic_sql;
pub mod empty_rollback;
pub mod forbidden_in_transaction;
pub mod index_of_constraint;
pub mod index_without_concurrently;
pub mod insert_without_on_conflict;
pub mod missing_header;
pub mod name_without_safe;
pub mod outside_config_only;
pub mod placeholder;
pub mod psql_command;
pub mod reindex_without_concurrently;
pub mod schema_change_in_data_migration;
pub mod server_change;
pub mod truncate_table;
pub mod unbounded_write;
pub mod unknown_directive;
pub mod unread_statement;
pub mod unsupported_concurrently;
pub mod update_outside_config_tables;
pub mod useless_waiver;
pub mod waiver_of_unknown_rule;
pub mod waiver_without_reason;

use super::Rule;
use crate::config::nearest;

/// The one list, by name.
pub static ALL: &[&Rule] = &[
    &concurrently_if_not_exists::RULE,
    &copy_from_stdin::RULE,
    &credentials_in_text::RULE,
    &delete_rows::RULE,
    &drop_cascade::RULE,
    &drop_column::RULE,
    &drop_database::RULE,
    &drop_extension::RULE,
    &drop_index_without_concurrently::RULE,
    &drop_object::RULE,
    &drop_owned::RULE,
    &drop_policy::RULE,
    &drop_routine::RULE,
    &drop_schema::RULE,
    &drop_sequence::RULE,
    &drop_table::RULE,
    &drop_trigger::RULE,
    &drop_type::RULE,
    &drop_view::RULE,
    &dynamic_sql::RULE,
    &empty_rollback::RULE,
    &forbidden_in_transaction::RULE,
    &index_of_constraint::RULE,
    &index_without_concurrently::RULE,
    &insert_without_on_conflict::RULE,
    &missing_header::RULE,
    &name_without_safe::RULE,
    &outside_config_only::RULE,
    &placeholder::RULE,
    &psql_command::RULE,
    &reindex_without_concurrently::RULE,
    &schema_change_in_data_migration::RULE,
    &server_change::RULE,
    &truncate_table::RULE,
    &unbounded_write::RULE,
    &unknown_directive::RULE,
    &unread_statement::RULE,
    &unsupported_concurrently::RULE,
    &update_outside_config_tables::RULE,
    &useless_waiver::RULE,
    &waiver_of_unknown_rule::RULE,
    &waiver_without_reason::RULE,
];

/// The rule whose name somebody may have meant.
pub fn nearest(name: &str) -> Option<&'static Rule> {
    let names = ALL.iter().map(|rule| rule.name.replace('-', "_")).collect::<Vec<_>>();
    let meant = nearest::nearest(name, names.iter().map(String::as_str))?;
    find(&meant.replace('_', "-"))
}

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests;
