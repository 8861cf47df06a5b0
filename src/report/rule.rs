//! A rule, for people and programs.

use serde::{Deserialize, Serialize};

/// A rule, as `liftlock rules` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    pub name: String,
    /// `Loses data`.
    pub about: String,
    /// One sentence.
    pub title: String,
    /// Why, in Markdown of ours.
    pub reasons: String,
    /// `error`, `warning`, `notice` or `off`, as configured.
    pub severity: Severities,
    /// What lifts its findings, in a sentence.
    pub waiver: String,
    /// Where its page is.
    pub page: String,
    /// SQL before every example.
    pub setup: String,
    pub found: Vec<String>,
    pub not_found: Vec<String>,
}

/// How severe a rule is, by profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severities {
    pub production: String,
    pub staging: String,
    pub dev: String,
}
