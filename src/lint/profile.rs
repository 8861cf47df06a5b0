//! Development, staging, production: how severe each rule is there, and what a hotfix or an emergency may lift.

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

    /// Why a promotion of this type, or in this emergency, lifts the rule's findings without a comment in the file;
    /// `None`: it does not.
    pub fn lifts(self, rule: &Rule, promotion: Option<PromotionType>, emergency: Option<&str>) -> Option<String> {
        if rule.waivable != Waivable::WithReasonOrHotfix {
            return None;
        }
        let hotfix = || (promotion == Some(PromotionType::Hotfix)).then(|| "hotfix promotion".to_owned());
        emergency.map(str::to_owned).or_else(hotfix)
    }
}
