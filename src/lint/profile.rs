//! Development, staging, production: how severe each rule is there, and what a hotfix may lift.

use crate::{
    config::{ProfileName, PromotionType},
    report::Severity,
};

use super::rule::{Rule, Waivable};

impl ProfileName {
    /// As typed and as reported.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Whether a finding of this severity, not waived, makes the answer no.
    pub fn fails(self, severity: Severity) -> bool {
        severity == Severity::Error
    }

    /// Whether a promotion of this type lifts the rule's findings without a comment in the file.
    pub fn lifts(self, rule: &Rule, promotion: Option<PromotionType>) -> bool {
        promotion == Some(PromotionType::Hotfix) && rule.waivable == Waivable::WithReasonOrHotfix
    }
}
