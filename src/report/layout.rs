//! What a report says of a folder.

/// Whose layout a folder has, and what that means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayoutView {
    pub folder: String,
    /// As the configuration names it: `golang-migrate`.
    pub tool: String,
    /// As people write it.
    pub title: String,
    /// `found by migration_lock.toml`.
    pub by: String,
    /// As the configuration names it: `query`.
    pub transactions: String,
    /// The same in words.
    pub said: String,
    /// `.sql` files that are no migrations, with the reason.
    pub left_out: Vec<String>,
    /// What the tool would stumble over.
    pub notes: Vec<String>,
}
