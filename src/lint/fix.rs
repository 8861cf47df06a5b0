//! The safe way to the same end, as SQL.

/// What to write instead of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// An instruction: "build it concurrently, in a migration of its own".
    pub title: String,
    /// In order. The first stands where the statement stood, each other is a migration of its own after this one.
    /// Never empty.
    pub steps: Vec<FixStep>,
}

/// One migration's part of a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixStep {
    /// What the migration is called, in words joined by `_`: `validate_orders_total_check`.
    pub name: String,
    /// Statements, each ending in `;`, lines joined by `\n`. Empty: the statement goes, nothing takes its place.
    pub sql: String,
    pub run: Run,
}

/// How a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// With what stands beside it.
    InTransaction,
    /// Alone in its migration, outside any transaction block: `concurrently`.
    Alone,
}
