//! All rules, one file each.

pub mod concurrently_if_not_exists;
pub mod drop_index_without_concurrently;
pub mod drop_table;
pub mod forbidden_in_transaction;
pub mod index_of_constraint;
pub mod index_without_concurrently;
pub mod reindex_without_concurrently;
pub mod unsupported_concurrently;

use super::Rule;

/// The one list, by name.
pub static ALL: &[&Rule] = &[
    &concurrently_if_not_exists::RULE,
    &drop_index_without_concurrently::RULE,
    &drop_table::RULE,
    &forbidden_in_transaction::RULE,
    &index_of_constraint::RULE,
    &index_without_concurrently::RULE,
    &reindex_without_concurrently::RULE,
    &unsupported_concurrently::RULE,
];

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.name == name)
}
