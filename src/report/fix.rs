//! The safe way to the same end, as SQL: what a finding may carry.

use serde::{Deserialize, Serialize};

use crate::sql::Span;

/// What to write instead of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// An instruction: "build it concurrently, in a migration of its own".
    pub title: String,
    /// The statement, or several that follow each other, without the last `;`.
    #[serde(skip)]
    pub replaces: Span,
    /// In order. The first stands where the statement stood, each other is a migration of its own after this one.
    /// Never empty.
    pub steps: Vec<FixStep>,
}

/// One migration's part of a fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixStep {
    /// What the migration is called, in words joined by `_`: `validate_orders_total_check`.
    pub name: String,
    /// Statements, each ending in `;`. Empty: the statement goes, nothing takes its place.
    pub sql: String,
    /// How it is undone: SQL, or words that say why nothing is.
    pub rollback: String,
    pub run: Run,
}

/// How a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// With what stands beside it.
    InTransaction,
    /// Alone in its migration, outside any transaction block: `concurrently`.
    Alone,
}
