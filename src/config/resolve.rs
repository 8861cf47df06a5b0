//! What is written → what is meant: variables, durations, names, and what must hold between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::{
    Approvals, Audit, Config, Convex, ConvexAuth, Deletes, Environment, Incomplete, MirrorTarget, Neon, NeonBranch,
    Part, PostgresMajor, ProfileName, Reviews, Sync, Verify,
    complaint::Complaint,
    duration,
    nearest::nearest,
    places::{Path, Places},
    raw::{RawApprovals, RawAudit, RawConfig, RawEnvironment, RawNeon, RawSync, RawTo},
    structure::{dotted, shown},
    values::{self, is_table_name},
    variables::{self, Trouble},
};
use crate::{migration::layout::Asked, secret::Secret};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Postgres keeps its timeouts as milliseconds in an `int`.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);
/// Ten years; longer is a typing mistake.
const LONGEST_KEEP: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// What is needed to read values, and the complaints so far.
struct Reading<'a> {
    places: &'a Places,
    env: &'a dyn Fn(&str) -> Option<String>,
    complaints: Vec<Complaint>,
}

/// Reads the values. The configuration is of use only when there are no complaints; its `text` is still empty.
pub fn resolve(
    raw: RawConfig,
    path: &Utf8Path,
    places: &Places,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Config, Vec<Complaint>) {
    let mut reading = Reading { places, env, complaints: Vec::new() };
    let root = path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let raw_environments = raw.environments.unwrap_or_default();
    let names: BTreeSet<String> = raw_environments.keys().cloned().collect();
    let mut config = Config {
        path: path.to_owned(),
        root: root.to_owned(),
        migrations: reading.folder(root, &["migrations"], raw.migrations),
        environments: BTreeMap::new(),
        incomplete: BTreeMap::new(),
        config_tables: reading.tables(&["config_tables"], raw.config_tables),
        rules: super::rules::read(raw.rules, places),
        layout: Asked { tool: raw.layout, transactions: raw.transactions, ..Asked::default() },
        postgres: raw.postgres.and_then(PostgresMajor::new),
        audit: raw.audit.map(|audit| reading.audit(audit)),
        sync: None,
        sync_from: None,
        sync_tables: Vec::new(),
        text: String::new(),
    };
    if let Some(sync) = raw.sync {
        let (from, tables, sync) = reading.sync(root, sync, &names);
        (config.sync_from, config.sync_tables, config.sync) = (Some(from), tables, Some(sync));
    }
    for (name, environment) in raw_environments {
        match reading.environment(&name, environment, &names) {
            Ok(environment) => config.environments.insert(name, environment).map(drop),
            Err(incomplete) => config.incomplete.insert(name, incomplete).map(drop),
        };
    }
    reading.refuse_circles(&config);
    reading.refuse_same_database(&config);
    (config, reading.complaints)
}

impl Reading<'_> {
    fn environment(
        &mut self,
        name: &str,
        raw: RawEnvironment,
        names: &BTreeSet<String>,
    ) -> Result<Environment, Incomplete> {
        let at = |key: &str| path(&["environments", name, key]);
        let legal = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
        if name.is_empty() || name.chars().count() > 40 || !name.chars().all(legal) {
            let span = self.places.key(&path(&["environments", name])).into();
            self.complaints.push(Complaint::BadName { name: shown(name), span });
        }
        let profile = raw.profile.unwrap_or_else(|| default_profile(name));
        let after = raw.after.and_then(|after| self.environment_name(&at("after"), &after, names));
        let timeout = |reading: &mut Self, key: &str, written: Option<String>, default| {
            reading.duration(&at(key), written, default, LONGEST_TIMEOUT)
        };
        let lock_timeout = timeout(self, "lock_timeout", raw.lock_timeout, Duration::from_secs(2));
        let statement_timeout = timeout(self, "statement_timeout", raw.statement_timeout, Duration::from_secs(15 * 60));
        let keep = path(&["environments", name, "backup", "keep"]);
        let backup_keep = self.duration(&keep, raw.backup.and_then(|backup| backup.keep), 30 * DAY, LONGEST_KEEP);
        let neon = raw.neon.map(|neon| self.neon(name, neon));
        let approvals = raw.approvals.map(|approvals| self.approvals(name, approvals));
        match self.secret(&at("database"), &raw.database.unwrap_or_default(), values::database_url) {
            Ok(database) => Ok(Environment {
                name: name.to_owned(),
                database,
                profile,
                after,
                backup_keep,
                lock_timeout,
                statement_timeout,
                neon,
                approvals,
            }),
            Err(lacks) => {
                let neon = match neon {
                    Some(Part::Lacking(lacks)) => lacks,
                    Some(Part::Complete(_)) | None => Vec::new(),
                };
                Err(Incomplete { name: name.to_owned(), profile, after, lacks, neon })
            }
        }
    }

    fn audit(&mut self, raw: RawAudit) -> Part<Audit> {
        let webhook = self.secret(&path(&["audit", "webhook"]), &raw.webhook.unwrap_or_default(), values::webhook_url);
        let is_file = webhook.as_ref().is_ok_and(|webhook| webhook.expose().starts_with("file:"));
        let secret = match raw.secret {
            Some(written) => self.secret(&path(&["audit", "secret"]), &written, values::webhook_secret).map(Some),
            None if is_file => Ok(None),
            // Written, but wrong: there is a complaint already.
            None if self.is_written(&path(&["audit", "secret"])) => Err(Vec::new()),
            None => {
                let span = self.places.key(&path(&["audit"])).into();
                let help = "add `secret: \"${AUDIT_WEBHOOK_SECRET}\"`: the receiver proves with it who sent an event";
                let (key, place) = ("secret".to_owned(), dotted(&path(&["audit"])));
                self.complaints.push(Complaint::MissingKey { key, place, help: help.to_owned(), span });
                Err(Vec::new())
            }
        };
        match (webhook, secret) {
            (Ok(webhook), Ok(secret)) => Part::Complete(Audit { webhook, secret }),
            (webhook, secret) => {
                let lacks = webhook.err().into_iter().chain(secret.err()).flatten().collect();
                Part::Lacking(lacks)
            }
        }
    }

    fn neon(&mut self, environment: &str, raw: RawNeon) -> Part<Neon> {
        let at = |key: &str| path(&["environments", environment, "neon", key]);
        let project = self.secret(&at("project"), &raw.project.unwrap_or_default(), values::neon_project);
        let branch = raw.branch.unwrap_or_else(|| "default".to_owned());
        let branch = self.secret(&at("branch"), &branch, values::neon_branch);
        let api_key = self.secret(&at("api_key"), &raw.api_key.unwrap_or_default(), values::key);
        let api_url = raw.api_url.unwrap_or_else(|| "https://console.neon.tech/api/v2".to_owned());
        let api_url = self.secret(&at("api_url"), &api_url, values::service_url);
        match (project, branch, api_key, api_url) {
            (Ok(project), Ok(branch), Ok(api_key), Ok(api_url)) => Part::Complete(Neon {
                project: project.expose().to_owned(),
                branch: match branch.expose() {
                    "default" => NeonBranch::Default,
                    id => NeonBranch::Id(id.to_owned()),
                },
                api_key,
                api_url: without_slash(&api_url),
            }),
            (project, branch, api_key, api_url) => {
                let lacks = [project.err(), branch.err(), api_key.err(), api_url.err()];
                Part::Lacking(lacks.into_iter().flatten().flatten().collect())
            }
        }
    }

    fn approvals(&mut self, environment: &str, raw: RawApprovals) -> Approvals {
        let at = |key: &str| path(&["environments", environment, "approvals", key]);
        let named = raw.environment.and_then(|written| self.text(&at("environment"), &written));
        let mut also = Vec::new();
        for (index, written) in raw.also.into_iter().enumerate() {
            let at: Path = at("also").into_iter().chain([index.to_string()]).collect();
            also.extend(self.text(&at, &written));
        }
        Approvals {
            required: raw.required.unwrap_or(1),
            environment: named.unwrap_or_else(|| environment.to_owned()),
            also,
            reviews: raw.reviews.unwrap_or(Reviews::Ignore),
        }
    }

    /// The environment that is mirrored, its tables, and the rest.
    fn sync(&mut self, root: &Utf8Path, raw: RawSync, names: &BTreeSet<String>) -> (String, Vec<String>, Part<Sync>) {
        let from = raw.from.and_then(|from| self.environment_name(&path(&["sync", "from"]), &from, names));
        let from = from.unwrap_or_default();
        let to = self.mirror(root, raw.to.unwrap_or_default());
        let tables = self.tables(&["sync", "tables"], raw.tables);
        let sync = |to| Sync {
            from: from.clone(),
            to,
            batch_rows: raw.batch_rows.map_or(500, |rows| rows as usize),
            deletes: raw.deletes.unwrap_or(Deletes::Soft),
            verify: raw.verify.unwrap_or(Verify::Digest),
            tables: tables.clone(),
        };
        let sync = match to {
            Ok(to) => Part::Complete(sync(to)),
            Err(lacks) => Part::Lacking(lacks),
        };
        (from, tables, sync)
    }

    /// A folder or a deployment, and never both.
    fn mirror(&mut self, root: &Utf8Path, raw: RawTo) -> Result<MirrorTarget, Vec<Complaint>> {
        let keys = raw.deploy_key.is_some() || raw.sync_auth_key.is_some() || raw.functions.is_some();
        match (&raw.folder, &raw.convex) {
            (Some(_), None) if keys => self.refuse_mirror("a folder needs no key and has no functions"),
            (Some(_), None) => Ok(MirrorTarget::Folder(self.folder(root, &["sync", "to", "folder"], raw.folder))),
            (None, Some(_)) => self.convex(raw),
            (Some(_), Some(_)) => self.refuse_mirror("write `folder` or `convex`: there is one mirror"),
            (None, None) => self.refuse_mirror("write `folder: ./mirror`, or `convex: \"${CONVEX_URL}\"` and its key"),
        }
    }

    fn convex(&mut self, raw: RawTo) -> Result<MirrorTarget, Vec<Complaint>> {
        let at = |key: &str| path(&["sync", "to", key]);
        let url = self.secret(&at("convex"), &raw.convex.unwrap_or_default(), values::service_url);
        let auth = match (raw.deploy_key, raw.sync_auth_key) {
            (Some(key), None) => self.secret(&at("deploy_key"), &key, values::key).map(ConvexAuth::DeployKey),
            (None, Some(key)) => {
                self.secret(&at("sync_auth_key"), &key, values::shared_key).map(ConvexAuth::SyncAuthKey)
            }
            (Some(_), Some(_)) => self.refuse_mirror("write `deploy_key` or `sync_auth_key`, not both"),
            // One that is there was taken out, and complained about.
            (None, None) if ["deploy_key", "sync_auth_key"].iter().any(|key| self.is_written(&at(key))) => {
                Err(Vec::new())
            }
            (None, None) => self.refuse_mirror("add `deploy_key: \"${CONVEX_DEPLOY_KEY}\"`, or a `sync_auth_key`"),
        };
        let functions = raw.functions.unwrap_or_else(|| "liftlock/sync".to_owned());
        let functions = self.secret(&at("functions"), &functions, values::functions_path);
        match (url, auth, functions) {
            (Ok(url), Ok(auth), Ok(functions)) => Ok(MirrorTarget::Convex(Convex {
                url: without_slash(&url),
                auth,
                functions: functions.expose().to_owned(),
            })),
            (url, auth, functions) => {
                Err([url.err(), auth.err(), functions.err()].into_iter().flatten().flatten().collect())
            }
        }
    }

    fn refuse_mirror<T>(&mut self, help: &str) -> Result<T, Vec<Complaint>> {
        let at = path(&["sync", "to"]);
        if self.is_written(&at) {
            let (place, span) = (dotted(&at), self.places.key(&at).into());
            self.complaints.push(Complaint::WrongValue { place, help: help.to_owned(), span });
        }
        Err(Vec::new())
    }

    /// Whether the file has this key, even if it was taken out because of what was complained about.
    fn is_written(&self, path: &[String]) -> bool {
        let parent = &path[..path.len().saturating_sub(1)];
        self.places.key(path) != self.places.key(parent)
    }

    /// A value that may be secret and that is only demanded when it is used: what a variable lacks or holds
    /// wrongly is returned, what the file itself has wrong is complained about at once.
    fn secret(
        &mut self,
        path: &[String],
        written: &str,
        judge: fn(&str, String, miette::SourceSpan) -> Option<Complaint>,
    ) -> Result<Secret, Vec<Complaint>> {
        let span = self.places.value(path).into();
        let value = match variables::expand(written, self.env) {
            Ok(value) => value,
            Err(troubles) => return Err(self.troubles(path, troubles)),
        };
        // Left out: there is a complaint already.
        if written.is_empty() {
            return Err(Vec::new());
        }
        let Some(complaint) = judge(&value, dotted(path), span) else { return Ok(Secret::new(value)) };
        if variables::in_clear(written) == value {
            self.complaints.push(complaint);
            return Err(Vec::new());
        }
        Err(vec![complaint])
    }

    /// A value that is always needed.
    fn text(&mut self, path: &[String], written: &str) -> Option<String> {
        match variables::expand(written, self.env) {
            Ok(value) => Some(value),
            Err(troubles) => {
                let unset = self.troubles(path, troubles);
                self.complaints.extend(unset);
                None
            }
        }
    }

    /// Complains about what is no variable, returns what is not set.
    fn troubles(&mut self, path: &[String], troubles: Vec<Trouble>) -> Vec<Complaint> {
        let span = self.places.value(path).into();
        let mut unset = Vec::new();
        for trouble in troubles {
            match trouble {
                Trouble::Unset(name) => unset.push(Complaint::UnsetVariable { name, state: "not set", span }),
                Trouble::Empty(name) => unset.push(Complaint::UnsetVariable { name, state: "set, but empty", span }),
                Trouble::Malformed(what) => {
                    let help = what.to_owned();
                    self.complaints.push(Complaint::BadVariable { place: dotted(path), help, span });
                }
            }
        }
        unset
    }

    fn folder(&mut self, root: &Utf8Path, steps: &[&str], written: Option<String>) -> Utf8PathBuf {
        let path = path(steps);
        let Some(written) = written else { return root.to_owned() };
        if written.trim().is_empty() {
            let help = "name a folder; `.` is the folder of this file".to_owned();
            self.complaints.push(Complaint::WrongValue {
                place: dotted(&path),
                help,
                span: self.places.value(&path).into(),
            });
        }
        let folder = self.text(&path, &written).unwrap_or_default();
        let folder = folder.strip_prefix("./").unwrap_or(&folder).trim_end_matches('/');
        if root == "." && !folder.is_empty() { Utf8PathBuf::from(folder) } else { root.join(folder) }
    }

    fn tables(&mut self, steps: &[&str], written: Vec<String>) -> Vec<String> {
        let mut tables = Vec::new();
        for (index, table) in written.into_iter().enumerate() {
            let path: Path = path(steps).into_iter().chain([index.to_string()]).collect();
            // Emptied by the judge of structure, which has complained.
            let Some(table) = Some(table).filter(|table| !table.is_empty()).and_then(|it| self.text(&path, &it)) else {
                continue;
            };
            if is_table_name(&table) {
                tables.push(table);
            } else {
                let span = self.places.value(&path).into();
                self.complaints.push(Complaint::BadTable { place: dotted(&path), span });
            }
        }
        tables
    }

    fn duration(&mut self, path: &[String], written: Option<String>, default: Duration, longest: Duration) -> Duration {
        let Some(text) = written.and_then(|written| self.text(path, &written)) else { return default };
        let problem = match duration::parse(text.trim()) {
            Ok(zero) if zero.is_zero() => "zero would mean no limit at all: write how long, such as `2s`",
            Ok(long) if long > longest && longest == LONGEST_KEEP => "at most `3650d`",
            Ok(long) if long > longest => "at most `24d`, the longest that Postgres takes",
            Ok(duration) => return duration,
            Err(forms) => forms,
        };
        let span = self.places.value(path).into();
        self.complaints.push(Complaint::BadDuration { place: dotted(path), help: problem.to_owned(), span });
        default
    }

    fn environment_name(&mut self, path: &[String], written: &str, names: &BTreeSet<String>) -> Option<String> {
        let written = self.text(path, written)?;
        let name = super::full_name(&written, |name| names.contains(name));
        if names.contains(name) {
            return Some(name.to_owned());
        }
        let known = names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`? There is: {known}"),
            None if names.is_empty() => "there is none yet".to_owned(),
            None => format!("there is: {known}"),
        };
        let span = self.places.value(path).into();
        self.complaints.push(Complaint::UnknownEnvironment { place: dotted(path), help, span });
        None
    }

    fn refuse_circles(&mut self, config: &Config) {
        let after = |name: &str| {
            let complete = config.environments.get(name).and_then(|it| it.after.as_deref());
            complete.or_else(|| config.incomplete.get(name).and_then(|it| it.after.as_deref()))
        };
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for start in config.names() {
            let mut way = vec![start];
            while let Some(next) = after(way[way.len() - 1]) {
                if let Some(at) = way.iter().position(|seen| *seen == next) {
                    let circle = &way[at..];
                    if circle.iter().all(|name| !told.contains(name)) {
                        told.extend(circle);
                        let names: Vec<&str> = circle.iter().copied().chain([next]).collect();
                        let span =
                            self.places.value(&path(&["environments", circle[circle.len() - 1], "after"])).into();
                        self.complaints.push(Complaint::Circle { circle: names.join(" → "), span });
                    }
                    break;
                }
                way.push(next);
            }
        }
    }

    fn refuse_same_database(&mut self, config: &Config) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, environment) in &config.environments {
            let database = place_of(environment.database.expose());
            if let Some(first) = seen.get(&database) {
                let span = self.places.value(&path(&["environments", name, "database"])).into();
                let (first, second) = ((*first).to_owned(), name.clone());
                self.complaints.push(Complaint::SameDatabase { first, second, span });
            } else {
                seen.insert(database, name);
            }
        }
    }
}

fn path(steps: &[&str]) -> Path {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

fn without_slash(url: &Secret) -> String {
    url.expose().trim_end_matches('/').to_owned()
}

fn default_profile(name: &str) -> ProfileName {
    match name {
        "dev" => ProfileName::Dev,
        "staging" => ProfileName::Staging,
        _ => ProfileName::Production,
    }
}

/// Host, port and database of a URL, whoever connects; the whole text when it cannot be read.
fn place_of(database: &str) -> String {
    let Ok(url) = Url::parse(database) else { return database.to_owned() };
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let host = parameter("host").or_else(|| url.host_str().map(str::to_lowercase)).unwrap_or_default();
    let port = parameter("port").or_else(|| url.port().map(|port| port.to_string())).unwrap_or("5432".to_owned());
    let name = parameter("dbname").unwrap_or_else(|| url.path().trim_start_matches('/').to_owned());
    let name = if name.is_empty() { url.username().to_owned() } else { name };
    format!("{host}:{port}/{name}")
}
