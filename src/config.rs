//! `liftlock.yml` → `Config`: every complaint shows the line, and all of them come at once.

mod complaint;
mod raw;

use std::{collections::BTreeMap, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

pub use self::complaint::{Complaint, ConfigErrors};
use self::raw::RawConfig;
use crate::secret::Secret;

/// The name of the configuration file.
pub const FILE_NAME: &str = "liftlock.yml";

/// Reads a configuration file; `env` answers for environment variables.
pub fn load(path: &Utf8Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
    let raw: RawConfig = serde_yaml::from_str(&text).map_err(|error| {
        ConfigErrors::wrong(path, &text, vec![Complaint::Syntax { what: error.to_string(), span: (0, 0).into() }])
    })?;
    Ok(raw.resolve(path, &text, env))
}

/// The nearest `liftlock.yml` from a folder upwards.
pub fn find(start: &Utf8Path) -> Option<Utf8PathBuf> {
    let start = start.canonicalize_utf8().unwrap_or_else(|_| start.to_owned());
    start.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
}

/// A checked configuration: names resolved, durations parsed, variables read as far as they are set.
///
/// A developer who runs `validate` has no production password, and the job that promotes to production has
/// no developer's database. So what only lacks variables is set apart here, and complained about when it is
/// asked for: ask through [`Config::environment`], [`Config::audit`] and [`Config::promotion`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The configuration file.
    pub path: Utf8PathBuf,
    /// The folder of the configuration file; relative paths in it start here.
    pub root: Utf8PathBuf,
    /// The migrations folder, below `root` unless absolute.
    pub migrations: Utf8PathBuf,
    /// Those whose variables are all set.
    pub environments: BTreeMap<String, Environment>,
    /// Those with variables that are not set.
    pub incomplete: BTreeMap<String, Incomplete>,
    /// What `config_only` promotions may change, as written: `site_settings`, `app.flags`.
    pub config_tables: Vec<String>,
    /// `None` when not configured.
    pub audit: Option<Part<Audit>>,
    pub sync: Option<Sync>,
    /// The file's text with secrets masked, for messages.
    pub text: String,
}

/// A part of the configuration that is complete, or the variables it lacks.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<T> {
    Complete(T),
    Lacking(Vec<Complaint>),
}

/// What is known of an environment whose variables are not set.
#[derive(Debug, Clone, PartialEq)]
pub struct Incomplete {
    pub name: String,
    pub profile: ProfileName,
    pub after: Option<String>,
    /// The variables that are not set.
    pub lacks: Vec<Complaint>,
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

impl Config {
    /// The name under which an environment is configured: `prod` is `production`, `stage` is `staging`,
    /// unless an environment is called just that.
    pub fn full_name<'a>(&self, name: &'a str) -> &'a str {
        match name {
            known if self.environments.contains_key(known) || self.incomplete.contains_key(known) => known,
            "prod" => "production",
            "stage" => "staging",
            other => other,
        }
    }

    /// An environment by name; an error when it is not configured or its variables are not set.
    pub fn environment(&self, name: &str) -> Result<&Environment, ConfigErrors> {
        let name = self.full_name(name);
        if let Some(environment) = self.environments.get(name) {
            return Ok(environment);
        }
        match self.incomplete.get(name) {
            Some(incomplete) => Err(self.errors(incomplete.lacks.clone())),
            None => Err(ConfigErrors::UnknownEnvironment {
                name: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// An environment's profile: it is known even when variables are not set.
    pub fn profile(&self, name: &str) -> Result<ProfileName, ConfigErrors> {
        match self.incomplete.get(self.full_name(name)) {
            Some(incomplete) => Ok(incomplete.profile),
            None => self.environment(name).map(|environment| environment.profile),
        }
    }

    /// Where audit events go; `None` when not configured, an error when its variables are not set.
    pub fn audit(&self) -> Result<Option<&Audit>, ConfigErrors> {
        match &self.audit {
            None => Ok(None),
            Some(Part::Complete(audit)) => Ok(Some(audit)),
            Some(Part::Lacking(lacks)) => Err(self.errors(lacks.clone())),
        }
    }

    /// What a promotion needs, with all complaints at once: the environment, and where its audit events go.
    pub fn promotion(&self, name: &str) -> Result<(&Environment, Option<&Audit>), ConfigErrors> {
        match (self.environment(name), self.audit()) {
            (Ok(environment), Ok(audit)) => Ok((environment, audit)),
            (Err(ConfigErrors::Wrong { complaints: mut all, .. }), Err(ConfigErrors::Wrong { complaints, .. })) => {
                all.extend(complaints);
                Err(self.errors(all))
            }
            (Err(errors), _) | (_, Err(errors)) => Err(errors),
        }
    }

    /// Names of all environments, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all: std::collections::BTreeSet<&str> =
            self.environments.keys().chain(self.incomplete.keys()).map(String::as_str).collect();
        all.into_iter()
    }

    fn errors(&self, complaints: Vec<Complaint>) -> ConfigErrors {
        ConfigErrors::wrong(&self.path, &self.text, complaints)
    }
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
