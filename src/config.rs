//! `liftlock.yml` → `Config`: every complaint shows the line, and all of them come at once.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;

use crate::secret::Secret;

/// A checked configuration: variables read, names resolved, durations parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The folder of the configuration file; relative paths in it start here.
    pub root: Utf8PathBuf,
    /// The migrations folder, below `root` unless absolute.
    pub migrations: Utf8PathBuf,
    pub environments: BTreeMap<String, Environment>,
    /// What `config_only` promotions may change, as written: `site_settings`, `app.flags`.
    pub config_tables: Vec<String>,
    pub audit: Option<Audit>,
    pub sync: Option<Sync>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    pub name: String,
    /// Connection URL.
    pub database: Secret,
    pub profile: ProfileName,
    /// The same bytes must have been applied there first.
    pub after: Option<String>,
    /// How long a restore point is kept.
    pub backup_keep: Duration,
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
}

/// Which rules, how severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfileName {
    Dev,
    Staging,
    Production,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    pub webhook: Secret,
    /// Standard Webhooks signing secret, `whsec_…`.
    pub secret: Secret,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Name of the environment that is read.
    pub from: String,
    /// The mirror's folder, below `root` unless absolute.
    pub folder: Utf8PathBuf,
    pub batch_rows: usize,
    pub deletes: Deletes,
    /// Empty: all tables with a primary key.
    pub tables: Vec<String>,
}

/// What becomes of a mirrored row whose source row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// Marked as deleted, kept.
    Soft,
    /// Removed.
    Hard,
    /// Left as it is.
    Keep,
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
}
