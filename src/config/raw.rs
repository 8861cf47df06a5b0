//! `liftlock.yml` as it is written: these types are what is read and what the JSON Schema is made from.

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::Value;

use super::{Deletes, Level, ProfileName, Reviews, Verify, duration};
use crate::migration::layout::{Tool, Transactions};

/// The configuration of liftlock, <https://github.com/liftlock/liftlock>.
///
/// `${NAME}` reads an environment variable, `$$` is a dollar sign. Secrets must come from variables.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "liftlock.yml")]
pub struct RawConfig {
    /// The folder of the migrations; relative paths start at this file.
    #[schemars(required, extend("examples" = ["db/migrations"]))]
    pub migrations: Option<String>,
    /// The databases, by name. `prod` and `stage` are understood for `production` and `staging`.
    #[schemars(required)]
    pub environments: Option<BTreeMap<String, RawEnvironment>>,
    /// What `--type config_only` promotions may change: `site_settings`, `app.flags`.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub config_tables: Vec<String>,
    /// Whose layout the folder has. Default: what is found in it.
    pub layout: Option<Tool>,
    /// What is one transaction when that tool applies the files. Default: as the tool does.
    pub transactions: Option<Transactions>,
    /// PostgreSQL's major version that migrations are judged for. Default: 17.
    #[schemars(range(min = 14, max = 18), extend("examples" = ["17"]))]
    pub postgres: Option<u8>,
    /// How severe rules are: `index-without-concurrently: warning`, `type-int: { production: error, dev: off }`.
    #[serde(default)]
    pub rules: BTreeMap<String, RawLevels>,
    /// Where audit events are sent. They are recorded in the target database in any case.
    pub audit: Option<RawAudit>,
    /// Postgres → mirror.
    pub sync: Option<RawSync>,
}

/// One database.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEnvironment {
    /// Connection URL; its password must come from a variable.
    #[schemars(required, extend("examples" = ["${DATABASE_URL}"]))]
    pub database: Option<String>,
    /// Which rules, how severe. Default: the environment's own name when that is a profile, else `production`.
    pub profile: Option<ProfileName>,
    /// Environment in which the same bytes must have been applied first.
    pub after: Option<String>,
    /// Restore points.
    pub backup: Option<RawBackup>,
    /// The Neon branch that `database` is on: restore points are Neon branches then.
    pub neon: Option<RawNeon>,
    /// Who must have approved a promotion: asked of GitHub, in the job that promotes.
    pub approvals: Option<RawApprovals>,
    /// How long a statement waits for a lock before it gives way and tries again. Default: `2s`.
    #[schemars(regex(pattern = duration::PATTERN), extend("examples" = ["2s"]))]
    pub lock_timeout: Option<String>,
    /// How long a statement may run. Default: `15min`.
    #[schemars(regex(pattern = duration::PATTERN), extend("examples" = ["15min"]))]
    pub statement_timeout: Option<String>,
}

/// How severe a rule is: everywhere, or by profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawLevels {
    Everywhere(Level),
    ByProfile(RawByProfile),
}

/// How severe a rule is, by profile; as it comes where nothing is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawByProfile {
    pub dev: Option<Level>,
    pub staging: Option<Level>,
    pub production: Option<Level>,
}

/// Restore points.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBackup {
    /// How long a restore point is kept. Default: `30d`.
    #[schemars(regex(pattern = duration::PATTERN), extend("examples" = ["30d"]))]
    pub keep: Option<String>,
}

/// A Neon branch, and the key to its project. <https://neon.com/docs/manage/api-keys>
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawNeon {
    /// The project's id: `calm-river-12345678`.
    #[schemars(required, extend("examples" = ["${NEON_PROJECT_ID}"]))]
    pub project: Option<String>,
    /// The branch's id, `br-…`, or `default`: the project's default branch. Default: `default`.
    #[schemars(extend("examples" = ["default"]))]
    pub branch: Option<String>,
    /// API key; must come from a variable. One that is limited to the project is enough.
    #[schemars(required, extend("examples" = ["${NEON_API_KEY}"]))]
    pub api_key: Option<String>,
    /// Where the API is. Default: `https://console.neon.tech/api/v2`.
    #[schemars(extend("examples" = ["https://console.neon.tech/api/v2"]))]
    pub api_url: Option<String>,
}

/// Who must have approved a promotion.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawApprovals {
    /// How many distinct people; none of them an author of the change, nor who started the run. Default: 1.
    #[schemars(range(min = 1, max = 6), extend("examples" = ["2"]))]
    pub required: Option<u32>,
    /// The GitHub environment whose reviewers are asked. Default: the environment's own name.
    #[schemars(length(min = 1), extend("examples" = ["production"]))]
    pub environment: Option<String>,
    /// Other GitHub environments of the same run whose approvals count, too.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub also: Vec<String>,
    /// Whether approving reviews of the pull request count, too. Default: `ignore`.
    pub reviews: Option<Reviews>,
}

/// Where audit events are sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAudit {
    /// URL that receives CloudEvents, or `file:audit.jsonl` for a file of JSON lines.
    #[schemars(required, extend("examples" = ["${AUDIT_WEBHOOK_URL}"]))]
    pub webhook: Option<String>,
    /// Standard Webhooks signing secret, `whsec_…`; must come from a variable. A file needs none.
    #[schemars(extend("examples" = ["${AUDIT_WEBHOOK_SECRET}"]))]
    pub secret: Option<String>,
}

/// Postgres → mirror.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSync {
    /// Environment that is read.
    #[schemars(required, extend("examples" = ["production"]))]
    pub from: Option<String>,
    /// The mirror.
    #[schemars(required)]
    pub to: Option<RawTo>,
    /// Rows per batch. Default: 500.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_rows: Option<u32>,
    /// What becomes of a mirrored row whose source row is gone. Default: `soft`.
    pub deletes: Option<Deletes>,
    /// How each sync proves the mirror. Default: `digest`.
    pub verify: Option<Verify>,
    /// Which tables. Default: all with a primary key.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub tables: Vec<String>,
}

/// The mirror: a folder, or a Convex deployment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTo {
    /// A folder of JSON lines, one file per table.
    #[schemars(extend("examples" = ["./mirror"]))]
    pub folder: Option<String>,
    /// URL of a Convex deployment; `liftlock convex init` writes the functions that it needs.
    #[schemars(extend("examples" = ["${CONVEX_URL}"]))]
    pub convex: Option<String>,
    /// Convex deploy key that may run internal functions; must come from a variable.
    #[schemars(extend("examples" = ["${CONVEX_DEPLOY_KEY}"]))]
    pub deploy_key: Option<String>,
    /// In place of a deploy key: the secret that the deployment's own variable `LIFTLOCK_SYNC_AUTH_KEY` holds.
    #[schemars(extend("examples" = ["${CONVEX_SYNC_AUTH_KEY}"]))]
    pub sync_auth_key: Option<String>,
    /// Path of the functions' module in the app's `convex/` folder. Default: `liftlock/sync`.
    #[schemars(length(min = 1), extend("examples" = ["liftlock/sync"]))]
    pub functions: Option<String>,
}

/// JSON Schema of the file, for editors and for us: one tree without references.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
    without_null(&mut schema);
    schema
}

/// A key without a value counts as left out, so `null` is never offered, nor is it a default.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(keys) => {
            keys.remove("default");
            keys.remove("format");
            if let Some(Value::Array(types)) = keys.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    keys.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(values)) = keys.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(one)] = choices.as_slice() {
                    let mut one = one.clone();
                    keys.remove("anyOf");
                    one.extend(std::mem::take(keys));
                    *keys = one;
                }
            }
            keys.values_mut().for_each(without_null);
        }
        _ => {}
    }
}
