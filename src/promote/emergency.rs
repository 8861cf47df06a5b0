//! Haste that is accounted for: which incident, and why it could not wait.
//!
//! Pure. An emergency lifts what a rule's documentation calls waivable, and that the bytes were tried elsewhere first.
//! It lifts nothing else: not the restore point, the approval, the journal, the audit events, history or identity.

use serde::{Deserialize, Serialize};

/// Why checks are waived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Emergency {
    /// As the tracker calls it: `INC-123`.
    pub incident: String,
    pub reason: String,
}

impl Emergency {
    /// One phrase: what stands beside everything that was waived.
    pub fn shown(&self) -> String {
        format!("emergency {}: {}", self.incident, self.reason)
    }
}
