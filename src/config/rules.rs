//! How severe rules are, as configured. Which rules there are is the linter's to know: it judges the names.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ProfileName, places::Places, raw::RawLevels};

/// How severe a rule is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Off,
    Notice,
    Warning,
    Error,
}

impl Level {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is said of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLevels {
    pub rule: String,
    pub levels: Levels,
    /// Bytes of the rule's name in the file.
    pub key: Range<usize>,
    /// Bytes of what is said of it, by profile; of its name where that is not known.
    pub dev: Range<usize>,
    pub staging: Range<usize>,
    pub production: Range<usize>,
}

impl RuleLevels {
    /// Bytes of what is said for a profile.
    pub fn place(&self, profile: ProfileName) -> Range<usize> {
        match profile {
            ProfileName::Dev => self.dev.clone(),
            ProfileName::Staging => self.staging.clone(),
            ProfileName::Production => self.production.clone(),
        }
    }
}

/// By profile; `None`: as severe as the rule is by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    pub dev: Option<Level>,
    pub staging: Option<Level>,
    pub production: Option<Level>,
}

impl Levels {
    pub fn in_profile(&self, profile: ProfileName) -> Option<Level> {
        match profile {
            ProfileName::Dev => self.dev,
            ProfileName::Staging => self.staging,
            ProfileName::Production => self.production,
        }
    }
}

/// What the file says, with its places.
pub(super) fn read(raw: impl IntoIterator<Item = (String, RawLevels)>, places: &Places) -> Vec<RuleLevels> {
    let of_rule = |(rule, raw): (String, RawLevels)| {
        let at = |profile: &str| places.value(&["rules".to_owned(), rule.clone(), profile.to_owned()]);
        let levels = match raw {
            RawLevels::Everywhere(level) => Levels { dev: Some(level), staging: Some(level), production: Some(level) },
            RawLevels::ByProfile(by) => Levels { dev: by.dev, staging: by.staging, production: by.production },
        };
        let key = places.key(&["rules".to_owned(), rule.clone()]);
        RuleLevels { levels, key, dev: at("dev"), staging: at("staging"), production: at("production"), rule }
    };
    let mut rules: Vec<RuleLevels> = raw.into_iter().map(of_rule).collect();
    rules.sort_by_key(|it| it.key.start);
    rules
}
