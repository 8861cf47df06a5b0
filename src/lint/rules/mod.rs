//! All rules, one file each.

pub mod drop_table;

use super::Rule;

/// The one list, by name.
pub static ALL: &[&Rule] = &[&drop_table::RULE];

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.name == name)
}
