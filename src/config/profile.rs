//! Which rules, how severe; and what a promotion may do.

use schemars::JsonSchema;
use serde::Deserialize;

/// Which rules, how severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    Dev,
    Staging,
    Production,
}

/// What a promotion may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionType {
    /// Schema changes, no unbounded DML.
    SchemaSafe,
    /// Only INSERT and UPDATE of `config_tables`.
    ConfigOnly,
    /// DML, no DDL.
    DataMigration,
    /// Waives what the profile marks waivable; never restore point, audit, journal.
    Hotfix,
}

impl PromotionType {
    /// As typed and as recorded.
    pub fn name(self) -> &'static str {
        match self {
            Self::SchemaSafe => "schema_safe",
            Self::ConfigOnly => "config_only",
            Self::DataMigration => "data_migration",
            Self::Hotfix => "hotfix",
        }
    }

    /// The type that was recorded under this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::SchemaSafe, Self::ConfigOnly, Self::DataMigration, Self::Hotfix];
        all.into_iter().find(|it| it.name() == name)
    }
}
