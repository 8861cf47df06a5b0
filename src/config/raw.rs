//! `liftlock.yml` as it is written.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use serde::Deserialize;

use super::{Audit, Complaint, Config, Deletes, Environment, Incomplete, Part, ProfileName, Sync};
use crate::secret::Secret;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    migrations: Option<String>,
    #[serde(default)]
    environments: BTreeMap<String, RawEnvironment>,
    #[serde(default)]
    config_tables: Vec<String>,
    audit: Option<RawAudit>,
    sync: Option<RawSync>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnvironment {
    database: String,
    profile: Option<String>,
    after: Option<String>,
    backup: Option<RawBackup>,
    lock_timeout: Option<String>,
    statement_timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBackup {
    keep: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    webhook: String,
    secret: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSync {
    from: String,
    to: RawTo,
    batch_rows: Option<usize>,
    deletes: Option<String>,
    #[serde(default)]
    tables: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTo {
    folder: String,
}

impl RawConfig {
    pub fn resolve(self, path: &Utf8Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Config {
        let root = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new(".")).to_owned();
        let mut environments = BTreeMap::new();
        let mut incomplete = BTreeMap::new();
        for (name, raw) in self.environments {
            let profile = profile(raw.profile.as_deref().unwrap_or(&name));
            match expand(&raw.database, env) {
                Ok(database) => {
                    let seconds = |text: &Option<String>, default| text.as_deref().map_or(default, duration);
                    let environment = Environment {
                        name: name.clone(),
                        database: Secret::new(database),
                        profile,
                        after: raw.after,
                        backup_keep: seconds(&raw.backup.and_then(|it| it.keep), Duration::from_secs(30 * 86_400)),
                        lock_timeout: seconds(&raw.lock_timeout, Duration::from_secs(2)),
                        statement_timeout: seconds(&raw.statement_timeout, Duration::from_secs(15 * 60)),
                    };
                    environments.insert(name, environment);
                }
                Err(missing) => {
                    let lacks = vec![Complaint::UnsetVariable { name: missing, span: (0, 0).into() }];
                    incomplete.insert(name.clone(), Incomplete { name, profile, after: raw.after, lacks });
                }
            }
        }
        let audit = self.audit.map(|raw| match (expand(&raw.webhook, env), expand(&raw.secret, env)) {
            (Ok(webhook), Ok(secret)) => {
                Part::Complete(Audit { webhook: Secret::new(webhook), secret: Secret::new(secret) })
            }
            (Err(name), _) | (_, Err(name)) => {
                Part::Lacking(vec![Complaint::UnsetVariable { name, span: (0, 0).into() }])
            }
        });
        let sync = self.sync.map(|raw| Sync {
            from: raw.from,
            folder: root.join(raw.to.folder),
            batch_rows: raw.batch_rows.unwrap_or(500),
            deletes: match raw.deletes.as_deref() {
                Some("hard") => Deletes::Hard,
                Some("keep") => Deletes::Keep,
                _ => Deletes::Soft,
            },
            tables: raw.tables,
        });
        Config {
            path: path.to_owned(),
            migrations: root.join(self.migrations.unwrap_or_else(|| "migrations".to_owned())),
            root,
            environments,
            incomplete,
            config_tables: self.config_tables,
            audit,
            sync,
            text: text.to_owned(),
        }
    }
}

fn profile(name: &str) -> ProfileName {
    match name {
        "dev" => ProfileName::Dev,
        "staging" => ProfileName::Staging,
        _ => ProfileName::Production,
    }
}

fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => env(name).ok_or_else(|| name.to_owned()),
        None => Ok(text.to_owned()),
    }
}

fn duration(text: &str) -> Duration {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().unwrap_or(0);
    match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "min" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        "d" => Duration::from_secs(number * 86_400),
        _ => Duration::from_secs(number),
    }
}
