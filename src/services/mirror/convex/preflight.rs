//! Everything that a sync will need of a deployment, tried out beforehand, in the order in which it would fail. Reads
//! only.
//!
//! What `/api/check_admin_key` and the `_system` functions answer is read in the source of the open backend and was
//! not proven on the hosted service: what they do not say is unknown, and no failure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    BATCH_ROWS, Class, ConvexError, ConvexMirror, Deployment, Hello, KeyKind, Kind, PROTOCOL,
    failure::{Asked, judge},
    wire::Asking,
};
use crate::{
    config::ConvexAuth,
    report::{Check, CheckState},
    services::mirror::{KeyRange, Mirror, MirrorError},
};

/// Operations of a deploy key that a sync needs: <https://docs.convex.dev/cli/deploy-key-types>.
const OPERATIONS: [&str; 3] =
    ["deployment:functions:runInternalMutations", "deployment:functions:runInternalQueries", "deployment:data:view"];

/// Operations that a sync's key had better not have.
const TOO_MUCH: [&str; 2] = ["deployment:deploy", "deployment:backups:import"];

/// What is called, without the ending of the door.
const FUNCTIONS: [&str; 9] =
    ["describe", "upsertBatch", "softDelete", "version", "table", "counts", "scan", "digest", "documents"];

const INDEX: &str = "by_neon_key";

const DEPLOY: &str = "`liftlock convex init`, then `npx convex deploy`";

/// Tries everything. `wanted` are the tables at the source; empty when nobody knows them.
pub async fn preflight(mirror: &ConvexMirror, wanted: &[String]) -> Vec<Check> {
    let deployment = mirror.deployment();
    let mut checks = vec![key(deployment)];
    match reachable(deployment).await {
        Ok(check) => checks.push(check),
        Err(error) => {
            checks.push(failed("deployment", &error.into()));
            return checks;
        }
    }
    let is_opened = match deployment.auth() {
        ConvexAuth::DeployKey(_) => {
            let permissions = permissions(deployment).await;
            let is_bad = permissions.iter().any(|it| it.state == CheckState::Failed);
            checks.extend(permissions);
            !is_bad
        }
        ConvexAuth::SyncAuthKey(_) => true,
    };
    let missing = missing(deployment).await;
    match mirror.hello().await {
        Ok(hello) => {
            checks.extend(functions(deployment, hello, missing.as_deref()));
            checks.extend(tables(mirror, hello, wanted).await);
            checks.extend(counts(mirror).await);
            checks.push(class(hello));
        }
        Err(error) if is_opened || checks.iter().all(|it| it.state != CheckState::Failed) => {
            checks.push(unanswered(deployment, &error, missing.as_deref()));
        }
        // A key that opens nothing has been told.
        Err(_) => {}
    }
    if let Some(said) = deployment.deprecation() {
        checks.push(warning("client", said.to_owned(), "look for a newer liftlock"));
    }
    checks
}

fn key(deployment: &Deployment) -> Check {
    match deployment.auth() {
        ConvexAuth::DeployKey(key) => ok("key", format!("a {} deploy key", KeyKind::of(key).name())),
        ConvexAuth::SyncAuthKey(_) => ok("key", "a shared key, which goes with each call".to_owned()),
    }
}

async fn reachable(deployment: &Deployment) -> Result<Check, ConvexError> {
    let (status, body) = deployment.get("/version").await?;
    if status == 200 {
        let version: String =
            String::from_utf8_lossy(&body).chars().filter(|it| it.is_ascii_graphic()).take(40).collect();
        let said = if version.is_empty() { String::new() } else { format!(", version {version}") };
        return Ok(ok("deployment", format!("{} answers{said}", deployment.place())));
    }
    let asked = Asked { place: deployment.place(), path: "/version", table: "", bytes: 0 };
    Err(judge(asked, status, &body).err().unwrap_or(ConvexError::NoDeployment { place: deployment.place().to_owned() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdminKey {
    #[serde(default)]
    allowed_ops: Option<Vec<String>>,
    #[serde(default)]
    is_read_only: bool,
}

async fn permissions(deployment: &Deployment) -> Vec<Check> {
    let name = "permissions";
    let unknown = || {
        let said = "the deployment does not say what the key may do".to_owned();
        vec![warning(name, said, "nothing needs to be done: what is missing shows at the functions")]
    };
    let (status, body) = match deployment.get("/api/check_admin_key").await {
        Ok(answer) => answer,
        Err(_) => return unknown(),
    };
    if matches!(status, 401 | 403) {
        let asked = Asked { place: deployment.place(), path: "/api/check_admin_key", table: "", bytes: 0 };
        let error = judge(asked, status, &body).err().unwrap_or(ConvexError::BadKey);
        return vec![failed(name, &error.into())];
    }
    let Some(key) = serde_json::from_slice::<AdminKey>(&body).ok().filter(|_| status == 200) else { return unknown() };
    let mut checks = Vec::new();
    if key.is_read_only {
        let said = "the deploy key may only read".to_owned();
        checks.push(wrong(name, said, "make one that may run internal mutations, in the deployment's settings"));
    }
    let Some(allowed) = key.allowed_ops else {
        if checks.is_empty() {
            return unknown();
        }
        return checks;
    };
    let may = |operation: &str| allowed.iter().any(|it| it == operation || it == "*" || it == "deployment:*");
    for operation in OPERATIONS.into_iter().filter(|it| !may(it)) {
        let said = format!("the deploy key may not: {operation}");
        checks.push(wrong(name, said, "make a key with this operation, too, in the deployment's settings"));
    }
    let beyond: Vec<&str> = TOO_MUCH.into_iter().filter(|it| may(it)).collect();
    if !beyond.is_empty() {
        checks.push(warning(
            name,
            format!("the key may do more than a sync needs: {}", beyond.join(", ")),
            &format!("make one with no more than {}", OPERATIONS.join(", ")),
        ));
    }
    if checks.is_empty() {
        checks.push(ok(name, "may run internal functions and look at tables, and no more that matters".to_owned()));
    }
    checks
}

/// Which of our functions are not deployed; `None` when nobody says.
async fn missing(deployment: &Deployment) -> Option<Vec<String>> {
    let specified = deployment.function(Kind::Query, "_system/cli/modules:apiSpec", "", &json!({})).await.ok()?;
    let known: Vec<String> = specified.as_array()?.iter().filter_map(identifier).collect();
    let expected = FUNCTIONS.iter().map(|it| deployment.path(it));
    Some(expected.filter(|it| !known.contains(it)).collect())
}

/// `liftlock/sync.js:table` as `liftlock/sync:table`.
fn identifier(specified: &Value) -> Option<String> {
    Some(specified["identifier"].as_str()?.replacen(".js:", ":", 1))
}

fn unanswered(deployment: &Deployment, error: &MirrorError, missing: Option<&[String]>) -> Check {
    let is_missing = matches!(error, MirrorError::Convex(ConvexError::NoFunction { .. } | ConvexError::Failed { .. }));
    match missing {
        Some(missing) if is_missing && missing.len() == FUNCTIONS.len() => wrong(
            "functions",
            format!("`{}` is not deployed", deployment.path("version").split(':').next().unwrap_or_default()),
            DEPLOY,
        ),
        Some(missing) if is_missing && !missing.is_empty() => {
            wrong("functions", format!("not deployed: {}", missing.join(", ")), DEPLOY)
        }
        _ => failed("functions", error),
    }
}

fn functions(deployment: &Deployment, hello: &Hello, missing: Option<&[String]>) -> Vec<Check> {
    let name = "functions";
    let missing = missing.unwrap_or_default();
    if !missing.is_empty() {
        return vec![wrong(name, format!("not deployed: {}", missing.join(", ")), DEPLOY)];
    }
    let module = deployment.path("version");
    let module = module.split(':').next().unwrap_or_default();
    let own = env!("CARGO_PKG_VERSION");
    match hello.liftlock.as_deref() {
        Some(other) if other != own => vec![warning(
            name,
            format!("`{module}` was written by liftlock {other}, this is {own}; they understand each other"),
            &format!("bring them up to date in a quiet moment: {DEPLOY}"),
        )],
        _ => vec![ok(name, format!("`{module}` is deployed, protocol {PROTOCOL}"))],
    }
}

async fn tables(mirror: &ConvexMirror, hello: &Hello, wanted: &[String]) -> Vec<Check> {
    let all: Vec<String>;
    let wanted = match wanted {
        [] => {
            all = hello.tables.iter().map(|it| it.source.clone()).collect();
            &all
        }
        some => some,
    };
    let mut checks = Vec::new();
    let mut sound = 0;
    for table in wanted {
        match table_check(mirror, hello, table).await {
            None => sound += 1,
            Some(check) => checks.push(check),
        }
    }
    if sound > 0 {
        let said = if sound == 1 { "1 table is".to_owned() } else { format!("{sound} tables are") };
        checks.push(ok("tables", format!("{said} known and indexed")));
    }
    checks
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AskingIndexes<'a> {
    table_name: &'a str,
    table_namespace: Option<&'a str>,
}

/// What is wrong with a table in Convex.
async fn table_check(mirror: &ConvexMirror, hello: &Hello, table: &str) -> Option<Check> {
    let name = format!("table {table}");
    let Some(known) = hello.tables.iter().find(|it| it.source == table) else {
        return Some(failed(&name, &ConvexError::NoTable { table: table.to_owned() }.into()));
    };
    // No key is empty, so that this needs the index and reads nothing.
    let nothing = KeyRange { after: None, through: Some(String::new()) };
    if let Err(error) = mirror.digest(table, &nothing).await {
        let index = format!("index `{INDEX}` of `{}` cannot be read", known.table);
        return Some(match error {
            MirrorError::Convex(ConvexError::Failed { .. }) => {
                wrong(&name, index, "does the app's schema spread `liftlockTables`? Then `npx convex deploy`")
            }
            other => failed(&name, &other),
        });
    }
    let asking = AskingIndexes { table_name: &known.table, table_namespace: None };
    let path = "_system/frontend/indexes";
    let indexes = mirror.deployment().function(Kind::Query, path, table, &asking).await.ok()?;
    let index = indexes.as_array()?.iter().find(|it| it["name"] == INDEX)?;
    let state = index["backfill"]["state"].as_str()?;
    (state != "done").then(|| {
        warning(
            &name,
            format!("index `{INDEX}` is still being built"),
            "wait for it: the dashboard shows how far it is",
        )
    })
}

#[derive(Deserialize)]
struct Counted {
    live: f64,
    deleted: f64,
}

async fn counts(mirror: &ConvexMirror) -> Option<Check> {
    let asking = Asking { auth_key: mirror.deployment().shared_key() };
    let counted: Vec<Counted> = mirror.query("counts", "", &asking).await.ok()?;
    let sum = |of: fn(&Counted) -> f64| counted.iter().map(of).sum::<f64>();
    let said = match sum(|it| it.live) + sum(|it| it.deleted) == 0.0 {
        true => "nothing is in it yet: the first sync sends every row".to_owned(),
        false => format!("{} rows live, {} marked as deleted", sum(|it| it.live), sum(|it| it.deleted)),
    };
    Some(ok("contents", said))
}

fn class(hello: &Hello) -> Check {
    let class = Class::named(hello.class.as_deref());
    let known = if hello.class.is_some() { "class" } else { "its class is not told, so as if of class" };
    let mib = class.bytes_a_second() / (1024.0 * 1024.0);
    ok(
        "pace",
        format!(
            "{known} {}: {} tables at a time, at most {mib:.0} MiB a second by Convex's limits and {BATCH_ROWS} rows a call",
            class.name(),
            class.batches_at_a_time()
        ),
    )
}

fn ok(name: &str, message: String) -> Check {
    Check { name: name.to_owned(), state: CheckState::Ok, message, fix: None }
}

fn warning(name: &str, message: String, fix: &str) -> Check {
    Check { name: name.to_owned(), state: CheckState::Warning, message, fix: Some(fix.to_owned()) }
}

fn wrong(name: &str, message: String, fix: &str) -> Check {
    Check { name: name.to_owned(), state: CheckState::Failed, message, fix: Some(fix.to_owned()) }
}

fn failed(name: &str, error: &MirrorError) -> Check {
    let (message, fix) = error.explained();
    Check { name: name.to_owned(), state: CheckState::Failed, message, fix }
}
