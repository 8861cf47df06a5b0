//! All rules, one file each.

pub mod autovacuum_off;
pub mod awkward_type;
pub mod bounded_delete;
pub mod cascading_foreign_key;
pub mod changed_inheritance;
pub mod changed_owner;
pub mod changed_routine;
pub mod changed_view;
pub mod check_without_not_valid;
pub mod column_twice;
pub mod column_used_by_view;
pub mod concurrently_if_not_exists;
pub mod constrained_domain_column;
pub mod constraint_building_index;
pub mod copy_from_stdin;
pub mod credentials_in_text;
pub mod delete_rows;
pub mod detach_without_concurrently;
pub mod disabled_row_security;
pub mod disabled_trigger;
pub mod domain_constraint;
pub mod drop_cascade;
pub mod drop_column;
pub mod drop_database;
pub mod drop_extension;
pub mod drop_index_without_concurrently;
pub mod drop_locks_referenced_table;
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
pub mod drop_with_dependents;
pub mod dropped_constraint;
pub mod dropped_default;
pub mod dropped_name;
pub mod dropped_not_null;
pub mod dropped_unique_index;
pub mod dynamic_sql;
pub mod empty_migration;
pub mod empty_rollback;
pub mod enum_value_in_same_transaction;
pub mod existing_name;
pub mod explicit_ids;
pub mod filled_in_placeholder;
pub mod forbidden_in_transaction;
pub mod foreign_key_without_index;
pub mod foreign_key_without_not_valid;
pub mod full_table_rewrite;
pub mod half_applied;
pub mod if_not_exists_hides_difference;
pub mod index_dropped_before_replacement;
pub mod index_of_constraint;
pub mod index_without_concurrently;
pub mod insert_without_columns;
pub mod insert_without_on_conflict;
pub mod integer_key;
pub mod key_without_partition_column;
pub mod lock_order;
pub mod lock_table;
pub mod long_lock_timeout;
pub mod long_name;
pub mod lost_replica_identity;
pub mod missing_down;
pub mod missing_grant;
pub mod missing_header;
pub mod missing_lock_timeout;
pub mod missing_name;
pub mod mixed_case_name;
pub mod name_without_safe;
pub mod named_tablespace;
pub mod narrow_foreign_key;
pub mod narrowed_check;
pub mod narrowed_type;
pub mod never_validated;
pub mod new_restriction;
pub mod newer_postgres;
pub mod not_null_column_without_default;
pub mod not_valid_on_partitioned_table;
pub mod open_transaction;
pub mod outside_config_only;
pub mod outside_transaction;
pub mod own_transaction;
pub mod partition_scan;
pub mod placeholder;
pub mod policy_without_condition;
pub mod policy_without_row_security;
pub mod psql_command;
pub mod redundant_index;
pub mod refresh_without_concurrently;
pub mod reindex_without_concurrently;
pub mod renamed_column;
pub mod renamed_enum_value;
pub mod renamed_object;
pub mod required_new_column;
pub mod revoked_privilege;
pub mod row_security_without_policy;
pub mod rule_or_event_trigger;
pub mod scan_under_lock;
pub mod schema_change_in_data_migration;
pub mod second_primary_key;
pub mod security_definer_without_search_path;
pub mod sequence_values;
pub mod server_change;
pub mod set_not_null;
pub mod set_null_on_not_null_column;
pub mod short_statement_timeout;
mod stale_baseline;
pub mod stored_generated_column;
pub mod superuser_statement;
pub mod table_without_primary_key;
pub mod table_without_row_security;
pub mod time_zone_type_change;
pub mod truncate_table;
pub mod type_change;
pub mod unbounded_write;
pub mod unfit_column_change;
pub mod unfit_conflict_target;
pub mod unfit_expression;
pub mod unfit_foreign_key;
pub mod unfit_identity;
pub mod unfit_index;
pub mod unfit_literal;
pub mod unfit_parent;
pub mod unfit_trigger;
pub mod unfit_values;
pub mod unindexable_column;
pub mod unknown_directive;
pub mod unlogged_table;
pub mod unnamed_index;
pub mod unqualified_name;
pub mod unread_statement;
pub mod unsupported_concurrently;
pub mod update_outside_config_tables;
pub mod used_by_routine;
pub mod useless_waiver;
pub mod view_around_row_security;
pub mod volatile_check;
pub mod volatile_default;
pub mod waiver_of_unknown_rule;
pub mod waiver_without_reason;
pub mod wide_grant;
pub mod wide_index;

use super::Rule;
use crate::config::nearest;

/// Rules on what liftlock's own template writes, and on what its promotions need: a migration that can run again. Only
/// a configuration asks for it.
pub static HOUSE: &[&Rule] =
    &[&empty_rollback::RULE, &insert_without_on_conflict::RULE, &missing_header::RULE, &name_without_safe::RULE];

/// What is said of a baseline, where it is read.
pub static STALE_BASELINE: &Rule = &stale_baseline::RULE;

/// The one list, by name.
pub static ALL: &[&Rule] = &[
    &autovacuum_off::RULE,
    &awkward_type::RULE,
    &bounded_delete::RULE,
    &cascading_foreign_key::RULE,
    &changed_inheritance::RULE,
    &changed_owner::RULE,
    &changed_routine::RULE,
    &changed_view::RULE,
    &check_without_not_valid::RULE,
    &column_twice::RULE,
    &column_used_by_view::RULE,
    &concurrently_if_not_exists::RULE,
    &constrained_domain_column::RULE,
    &constraint_building_index::RULE,
    &copy_from_stdin::RULE,
    &credentials_in_text::RULE,
    &delete_rows::RULE,
    &detach_without_concurrently::RULE,
    &disabled_row_security::RULE,
    &disabled_trigger::RULE,
    &domain_constraint::RULE,
    &drop_cascade::RULE,
    &drop_column::RULE,
    &drop_database::RULE,
    &drop_extension::RULE,
    &drop_index_without_concurrently::RULE,
    &drop_locks_referenced_table::RULE,
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
    &drop_with_dependents::RULE,
    &dropped_constraint::RULE,
    &dropped_default::RULE,
    &dropped_name::RULE,
    &dropped_not_null::RULE,
    &dropped_unique_index::RULE,
    &dynamic_sql::RULE,
    &empty_migration::RULE,
    &empty_rollback::RULE,
    &enum_value_in_same_transaction::RULE,
    &existing_name::RULE,
    &explicit_ids::RULE,
    &filled_in_placeholder::RULE,
    &forbidden_in_transaction::RULE,
    &foreign_key_without_index::RULE,
    &foreign_key_without_not_valid::RULE,
    &full_table_rewrite::RULE,
    &half_applied::RULE,
    &if_not_exists_hides_difference::RULE,
    &index_dropped_before_replacement::RULE,
    &index_of_constraint::RULE,
    &index_without_concurrently::RULE,
    &insert_without_columns::RULE,
    &insert_without_on_conflict::RULE,
    &integer_key::RULE,
    &key_without_partition_column::RULE,
    &lock_order::RULE,
    &lock_table::RULE,
    &long_lock_timeout::RULE,
    &long_name::RULE,
    &lost_replica_identity::RULE,
    &missing_down::RULE,
    &missing_grant::RULE,
    &missing_header::RULE,
    &missing_lock_timeout::RULE,
    &missing_name::RULE,
    &mixed_case_name::RULE,
    &name_without_safe::RULE,
    &named_tablespace::RULE,
    &narrow_foreign_key::RULE,
    &narrowed_check::RULE,
    &narrowed_type::RULE,
    &never_validated::RULE,
    &new_restriction::RULE,
    &newer_postgres::RULE,
    &not_null_column_without_default::RULE,
    &not_valid_on_partitioned_table::RULE,
    &open_transaction::RULE,
    &outside_config_only::RULE,
    &outside_transaction::RULE,
    &own_transaction::RULE,
    &partition_scan::RULE,
    &placeholder::RULE,
    &policy_without_condition::RULE,
    &policy_without_row_security::RULE,
    &psql_command::RULE,
    &redundant_index::RULE,
    &refresh_without_concurrently::RULE,
    &reindex_without_concurrently::RULE,
    &renamed_column::RULE,
    &renamed_enum_value::RULE,
    &renamed_object::RULE,
    &required_new_column::RULE,
    &revoked_privilege::RULE,
    &row_security_without_policy::RULE,
    &rule_or_event_trigger::RULE,
    &scan_under_lock::RULE,
    &schema_change_in_data_migration::RULE,
    &second_primary_key::RULE,
    &security_definer_without_search_path::RULE,
    &sequence_values::RULE,
    &server_change::RULE,
    &set_not_null::RULE,
    &set_null_on_not_null_column::RULE,
    &short_statement_timeout::RULE,
    &stale_baseline::RULE,
    &stored_generated_column::RULE,
    &superuser_statement::RULE,
    &table_without_primary_key::RULE,
    &table_without_row_security::RULE,
    &time_zone_type_change::RULE,
    &truncate_table::RULE,
    &type_change::RULE,
    &unbounded_write::RULE,
    &unfit_column_change::RULE,
    &unfit_conflict_target::RULE,
    &unfit_expression::RULE,
    &unfit_foreign_key::RULE,
    &unfit_identity::RULE,
    &unfit_index::RULE,
    &unfit_literal::RULE,
    &unfit_parent::RULE,
    &unfit_trigger::RULE,
    &unfit_values::RULE,
    &unindexable_column::RULE,
    &unknown_directive::RULE,
    &unlogged_table::RULE,
    &unnamed_index::RULE,
    &unqualified_name::RULE,
    &unread_statement::RULE,
    &unsupported_concurrently::RULE,
    &update_outside_config_tables::RULE,
    &used_by_routine::RULE,
    &useless_waiver::RULE,
    &view_around_row_security::RULE,
    &volatile_check::RULE,
    &volatile_default::RULE,
    &waiver_of_unknown_rule::RULE,
    &waiver_without_reason::RULE,
    &wide_grant::RULE,
    &wide_index::RULE,
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
