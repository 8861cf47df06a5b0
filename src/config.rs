//! `liftlock.yml` → `Config`: every complaint shows the line, and all of them come at once.

mod clear;
mod complaint;
mod duration;
pub mod nearest;
mod places;
mod postgres;
mod profile;
mod raw;
mod resolve;
mod rules;
mod starter;
mod structure;
#[cfg(test)]
mod tests;
mod values;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    ops::Range,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use self::{
    complaint::{Complaint, ConfigErrors},
    postgres::PostgresMajor,
    profile::{ProfileName, PromotionType},
    raw::schema,
    rules::{Level, Levels, RuleLevels},
    starter::starter,
};
use self::{
    places::{NotYaml, Path, Places},
    raw::RawConfig,
};
use crate::{migration::layout::Asked, secret::Secret};

/// The name of the configuration file.
pub const FILE_NAME: &str = "liftlock.yml";

/// The largest configuration that is read, in bytes.
pub const LARGEST: u64 = 512 * 1024;

/// Reads a configuration file; `env` answers for environment variables.
pub fn load(path: &Utf8Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    load_judged(path, env, &|_| Vec::new())
}

/// The same, with the complaints of who knows which rules there are: all mistakes are told at once.
pub fn load_judged(
    path: &Utf8Path,
    env: &dyn Fn(&str) -> Option<String>,
    judge: &dyn Fn(&[RuleLevels]) -> Vec<Complaint>,
) -> Result<Config, ConfigErrors> {
    let unreadable = |source| ConfigErrors::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ConfigErrors::TooLarge { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigErrors::NotUtf8 { path: path.to_owned(), offset, line }
    })?;
    parse_judged(path, &text, env, judge)
}

/// Reads a configuration's text; `path` is where it comes from.
pub fn parse(path: &Utf8Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    parse_judged(path, text, env, &|_| Vec::new())
}

/// The same, as [`load_judged`].
pub fn parse_judged(
    path: &Utf8Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    judge: &dyn Fn(&[RuleLevels]) -> Vec<Complaint>,
) -> Result<Config, ConfigErrors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut document, places) = read_yaml(text).map_err(|NotYaml { what, at }| {
        let complaint = Complaint::Syntax { what, help: help_on_syntax(text, at), span: (at, 0).into() };
        ConfigErrors::wrong(path, &clear::masked(text, &[]), vec![complaint])
    })?;
    without_empty(&mut document);
    let in_clear = secrets_in_clear(&document);
    let secrets: Vec<Range<usize>> = in_clear.iter().map(|path| places.value(path)).collect();
    let mut complaints = structure::judge(&mut document, &schema(), &places);
    for path in &in_clear {
        complaints.push(structure::secret_in_clear(path, &places));
        structure::remove(&mut document, path);
    }
    // What was wrong is out of it by now, and every key may be left out.
    let raw: RawConfig = serde_json::from_value(document).unwrap_or_default();
    let (config, more) = resolve::resolve(raw, path, &places, env);
    complaints.extend(more);
    complaints.extend(judge(&config.rules));
    let text = clear::masked(text, &secrets);
    if complaints.is_empty() {
        Ok(Config { text, ..config })
    } else {
        Err(ConfigErrors::wrong(path, &text, complaints))
    }
}

fn read_yaml(text: &str) -> Result<(Value, Places), NotYaml> {
    let document = match serde_yaml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let message = error.to_string();
            // The excerpt shows where.
            let what = message[..message.find(" at line ").unwrap_or(message.len())].to_owned();
            return Err(match error.location() {
                // serde_yaml counts characters.
                Some(location) => {
                    let at = text.char_indices().nth(location.index()).map_or(text.len(), |(at, _)| at);
                    NotYaml { what, at }
                }
                None => places::find(text).err().unwrap_or(NotYaml { what, at: 0 }),
            });
        }
    };
    Ok((document, places::find(text)?))
}

/// The two mistakes that YAML's own messages do not explain.
fn help_on_syntax(text: &str, at: usize) -> Option<&'static str> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let bare = line.match_indices("${").any(|(at, _)| line[..at].ends_with(": "));
    if bare && line.contains('{') {
        Some("between `{` and `}` a variable needs quotes: `{ database: \"${NAME}\" }`")
    } else if line.starts_with('\t') || text[at..].starts_with('\t') {
        Some("YAML is indented with spaces, never with tabs")
    } else {
        None
    }
}

/// Takes out keys without a value, such as `sync:` over lines that are all commented out.
fn without_empty(document: &mut Value) {
    match document {
        Value::Null => *document = Value::Object(serde_json::Map::new()),
        Value::Object(keys) => {
            keys.retain(|_, value| !value.is_null());
            keys.values_mut().for_each(without_empty);
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}

/// Where secrets stand in the file.
fn secrets_in_clear(document: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    walk_texts(document, &mut Vec::new(), &mut |path, value| {
        let key = path.iter().rev().find(|step| step.parse::<usize>().is_err()).map_or("", String::as_str);
        if clear::is_secret(key, value) {
            found.push(path.to_vec());
        }
    });
    found
}

fn walk_texts(value: &Value, path: &mut Path, visit: &mut dyn FnMut(&[String], &str)) {
    match value {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                walk_texts(item, path, visit);
                path.pop();
            }
        }
        Value::Object(keys) => {
            for (key, item) in keys {
                path.push(key.clone());
                walk_texts(item, path, visit);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `prod` is `production` and `stage` is `staging`, unless an environment is called just that.
fn full_name(name: &str, is_known: impl Fn(&str) -> bool) -> &str {
    match name {
        known if is_known(known) => known,
        "prod" => "production",
        "stage" => "staging",
        other => other,
    }
}

/// The nearest `liftlock.yml` from a folder upwards, as a path from there: `liftlock.yml`, `../liftlock.yml`.
pub fn find(start: &Utf8Path) -> Option<Utf8PathBuf> {
    let folders = start.canonicalize_utf8().map_or(1, |absolute| absolute.ancestors().count());
    let up = (0..folders).map(|steps| "../".repeat(steps) + FILE_NAME);
    let files = up.map(|file| if start == "." { Utf8PathBuf::from(file) } else { start.join(file) });
    files.into_iter().find(|file| file.is_file())
}

/// A checked configuration: names resolved, durations parsed, variables read as far as they are set.
///
/// A developer who runs `validate` has no production password, and the job that promotes to production has
/// no developer's database. So what only lacks variables is set apart here, and complained about when it is
/// asked for: ask through [`Config::environment`], [`Config::audit`], [`Config::sync`], [`Config::neon`] and
/// [`Config::promotion`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The configuration file.
    pub path: Utf8PathBuf,
    /// The folder of the configuration file; relative paths in it start here.
    pub root: Utf8PathBuf,
    /// The migrations folder, ready to be opened: what the file says, from `root` on.
    pub migrations: Utf8PathBuf,
    /// Those whose variables are all set.
    pub environments: BTreeMap<String, Environment>,
    /// Those with variables that are not set.
    pub incomplete: BTreeMap<String, Incomplete>,
    /// What `config_only` promotions may change, as written: `site_settings`, `app.flags`.
    pub config_tables: Vec<String>,
    /// Rules whose severity is configured, in the file's order.
    pub rules: Vec<RuleLevels>,
    /// Whose layout the folder has, as far as it is configured.
    pub layout: Asked,
    /// What migrations are judged for; `None` when not configured.
    pub postgres: Option<PostgresMajor>,
    /// `None` when not configured.
    pub audit: Option<Part<Audit>>,
    /// `None` when not configured.
    pub sync: Option<Part<Sync>>,
    /// Name of the environment that is mirrored; known even when the mirror's variables are not set.
    pub sync_from: Option<String>,
    /// Which tables are mirrored; known as well. Empty: all tables with a primary key.
    pub sync_tables: Vec<String>,
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
    /// Those of its Neon branch.
    pub neon: Vec<Complaint>,
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
    /// `None`: not on Neon, as far as anybody said.
    pub neon: Option<Part<Neon>>,
    pub approvals: Option<Approvals>,
}

/// A branch of a Neon project.
#[derive(Debug, Clone, PartialEq)]
pub struct Neon {
    /// The project's id.
    pub project: String,
    pub branch: NeonBranch,
    pub api_key: Secret,
    /// Base of the API without a slash at its end; `https`, or `http` on this machine.
    pub api_url: String,
}

/// Which branch of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeonBranch {
    /// The one that has `default: true`, whatever it is called.
    Default,
    /// `br-…`.
    Id(String),
}

/// Who must have approved a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// Distinct people.
    pub required: u32,
    /// The GitHub environment of the job that promotes.
    pub environment: String,
    /// Other GitHub environments of the run whose approvals count.
    pub also: Vec<String>,
    pub reviews: Reviews,
}

/// Whether approving reviews of the pull request count as approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reviews {
    Ignore,
    Count,
}

impl Config {
    /// The name under which an environment is configured: `prod` is `production`, `stage` is `staging`,
    /// unless an environment is called just that.
    pub fn full_name<'a>(&self, name: &'a str) -> &'a str {
        full_name(name, |name| self.environments.contains_key(name) || self.incomplete.contains_key(name))
    }

    /// An environment by name; an error when it is not configured or its variables are not set.
    pub fn environment(&self, name: &str) -> Result<&Environment, ConfigErrors> {
        let name = self.full_name(name);
        if let Some(environment) = self.environments.get(name) {
            return Ok(environment);
        }
        match self.incomplete.get(name) {
            Some(incomplete) => Err(self.errors(incomplete.lacks.clone())),
            None => Err(ConfigErrors::UnknownEnvironment { name: name.to_owned(), help: self.help_on(name) }),
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
        self.part(self.audit.as_ref())
    }

    /// Where tables are carried to; `None` when not configured, an error when its variables are not set.
    pub fn sync(&self) -> Result<Option<&Sync>, ConfigErrors> {
        self.part(self.sync.as_ref())
    }

    /// An environment's Neon branch; `None` when not configured, an error when its variables are not set.
    pub fn neon<'a>(&self, environment: &'a Environment) -> Result<Option<&'a Neon>, ConfigErrors> {
        self.part(environment.neon.as_ref())
    }

    /// What a promotion needs, with all complaints at once: the environment and its Neon branch, where its audit
    /// events go, and the mirror when it is the environment that is mirrored.
    pub fn promotion(&self, name: &str) -> Result<(&Environment, Option<&Audit>), ConfigErrors> {
        let (environment, audit) = (self.environment(name), self.audit());
        let neon = match (&environment, self.incomplete.get(self.full_name(name))) {
            (Ok(environment), _) => self.neon(environment).map(drop),
            (Err(_), Some(incomplete)) if !incomplete.neon.is_empty() => Err(self.errors(incomplete.neon.clone())),
            (Err(_), _) => Ok(()),
        };
        let is_source = self.sync_from.as_deref() == Some(self.full_name(name));
        let sync = if is_source { self.sync().map(drop) } else { Ok(()) };
        let mut lacks = Vec::new();
        for problem in [environment.as_ref().err(), audit.as_ref().err(), neon.as_ref().err(), sync.as_ref().err()] {
            match problem {
                None => {}
                Some(ConfigErrors::Lacking { complaints, .. }) => lacks.extend(complaints.iter().cloned()),
                Some(_) => break,
            }
        }
        if lacks.is_empty() { Ok((environment?, audit?)) } else { Err(self.errors(lacks)) }
    }

    fn part<'a, T>(&self, part: Option<&'a Part<T>>) -> Result<Option<&'a T>, ConfigErrors> {
        match part {
            None => Ok(None),
            Some(Part::Complete(complete)) => Ok(Some(complete)),
            Some(Part::Lacking(lacks)) => Err(self.errors(lacks.clone())),
        }
    }

    /// Names of all environments, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all: BTreeSet<&str> = self.environments.keys().chain(self.incomplete.keys()).map(String::as_str).collect();
        all.into_iter()
    }

    fn help_on(&self, name: &str) -> String {
        let known = self.names().collect::<Vec<_>>().join(", ");
        match nearest::nearest(name, self.names()) {
            Some(meant) => format!("did you mean `{meant}`? `{}` has: {known}", self.path),
            None if known.is_empty() => format!("`{}` has none; add it under `environments:`", self.path),
            None => format!("`{}` has: {known}", self.path),
        }
    }

    fn errors(&self, complaints: Vec<Complaint>) -> ConfigErrors {
        ConfigErrors::lacking(&self.path, &self.text, complaints)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    pub webhook: Secret,
    /// Standard Webhooks signing secret, `whsec_…`, or several, separated by spaces; a file needs none.
    pub secret: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Name of the environment that is read.
    pub from: String,
    pub to: MirrorTarget,
    pub batch_rows: usize,
    pub deletes: Deletes,
    pub verify: Verify,
    /// Empty: all tables with a primary key.
    pub tables: Vec<String>,
}

/// Which mirror.
#[derive(Debug, Clone, PartialEq)]
pub enum MirrorTarget {
    /// Ready to be opened: what the file says, from the file's own folder on.
    Folder(Utf8PathBuf),
    Convex(Convex),
}

/// A Convex deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Convex {
    /// Without a slash at its end; `https`, or `http` on this machine.
    pub url: String,
    pub auth: ConvexAuth,
    /// Path of the functions' module: `liftlock/sync`.
    pub functions: String,
}

/// How the deployment knows us.
#[derive(Debug, Clone, PartialEq)]
pub enum ConvexAuth {
    /// `Authorization: Convex …`; internal functions.
    DeployKey(Secret),
    /// An argument of every call; public functions, guarded by it.
    SyncAuthKey(Secret),
}

/// What becomes of a mirrored row whose source row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deletes {
    /// Marked as deleted, kept.
    Soft,
    /// Removed.
    Hard,
    /// Left as it is.
    Keep,
}

/// How a sync proves that the mirror holds what the source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Counts and digests: reads every document of the mirror.
    Digest,
    /// Counts, as the mirror keeps them: reads nothing.
    Counts,
}
