//! A Convex deployment for tests: `tests/convex/server.mjs` with an app's functions behind Convex's HTTP API.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use liftlock::{
    services::http,
    sync::functions::{self, Mirrored},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Made up, as everything here; opens nothing but this server.
pub const DEPLOY_KEY: &str = "prod:test-server|made-up";

/// Long enough to be taken as a shared key.
pub const SYNC_AUTH_KEY: &str = "made-up-made-up-made-up-made-up-made-up";

/// A running deployment. It ends with this value, and with this process.
pub struct Harness {
    pub url: String,
    pub server: Child,
    /// Removed when dropped.
    _scratch: TempDir,
}

/// What Convex answered: the HTTP status and the body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The value of a function that went well, with whole numbers as integers: Convex writes them as `1.0`.
    #[track_caller]
    pub fn value(mut self) -> Value {
        assert_eq!((self.status, &self.body["status"]), (200, &json!("success")), "{:#}", self.body);
        whole(self.body["value"].take())
    }

    /// A field of a refusal by the functions.
    pub fn detail(&self, field: &str) -> Value {
        whole(self.body["errorData"][field].clone())
    }

    /// The code of a refusal by the functions, or of a failure of the service.
    pub fn code(&self) -> &str {
        let code = if self.status == 200 { &self.body["errorData"]["code"] } else { &self.body["code"] };
        code.as_str().unwrap_or_default()
    }
}

fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(it) if it.fract() == 0.0 => json!(it as i64),
            _ => Value::Number(number),
        },
        Value::Array(elements) => elements.into_iter().map(whole).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, it)| (name, whole(it))).collect(),
        other => other,
    }
}

/// Where `tests/convex/install` puts Convex's packages.
pub fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/convex");
    assert!(
        tools.join("made").is_file(),
        "the tests of the Convex functions need Convex's npm packages: run `tests/convex/install` (needs node, 20 or newer)"
    );
    tools
}

/// An app with our functions and nothing else, mirroring these tables, named as at the source.
pub fn write_app(app: &Path, tables: &[&str]) {
    let tables: Vec<Mirrored> = tables.iter().map(|it| Mirrored::of(it)).collect();
    fs::create_dir_all(app.join("convex/liftlock")).unwrap();
    fs::write(app.join("convex/schema.ts"), functions::SCHEMA).unwrap();
    for file in functions::files(&tables) {
        fs::write(app.join("convex").join(file.path), file.text).unwrap();
    }
}

impl Harness {
    /// A deployment that mirrors these tables, named as at the source.
    pub fn start(tables: &[&str]) -> Self {
        let scratch = TempDir::new().unwrap();
        let app = scratch.path().join("app");
        write_app(&app, tables);
        Self::run(&app, scratch)
    }

    /// A deployment of any app: a folder with `convex/`.
    pub fn start_app(app: &Path) -> Self {
        Self::run(app, TempDir::new().unwrap())
    }

    fn run(app: &Path, scratch: TempDir) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convex/server.mjs");
        let options = json!({ "tools": tools(), "app": app, "keys": [{ "key": DEPLOY_KEY }] });
        let mut server = Command::new("node")
            .arg(script)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("these tests need node, 20 or newer (https://nodejs.org): {error}"));
        let mut ready = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).expect("the server says why it did not start on stderr");
        let url = ready["url"].as_str().unwrap().to_owned();
        Self { url, server, _scratch: scratch }
    }

    /// Changes options of the server: `keys`, `syncAuthKey`, `writeRate`, `permits`, `redact`, `backfilling`, …
    pub async fn configure(&self, options: Value) {
        self.control("options", options).await;
    }

    /// Faults from now on: `[{ "path": "liftlock/sync:upsertBatch", "nth": [1], "kind": "drop_after" }]`.
    pub async fn faults(&self, faults: Value) {
        self.control("faults", faults).await;
    }

    /// `calls` by path, `written` documents by table, `slowest`, `mostInFlight`, …
    pub async fn statistics(&self) -> Value {
        self.control("statistics", json!({})).await
    }

    /// What the app does: sets fields of the document with this key in a mirrored table. Values are Convex-encoded.
    pub async fn patch(&self, table: &str, key: &str, fields: Value) {
        let patched = self.control("patch", json!({ "table": table, "key": key, "fields": fields })).await;
        assert_eq!(patched["documents"], 1, "{table}");
    }

    /// What the app does: inserts a document of its own.
    pub async fn insert(&self, table: &str, document: Value) {
        self.control("insert", json!({ "table": table, "document": document })).await;
    }

    /// What the app does: removes the document with this key, or all documents.
    pub async fn delete(&self, table: &str, key: Option<&str>) {
        self.control("delete", json!({ "table": table, "key": key })).await;
    }

    /// All documents of a table, in no order, Convex-encoded, as they are.
    pub async fn documents(&self, table: &str) -> Vec<Value> {
        let mut told = self.control("documents", json!({ "table": table })).await;
        serde_json::from_value(told["documents"].take()).unwrap()
    }

    /// Sizes by Convex's own formula.
    pub async fn sizes(&self, values: &[Value]) -> Vec<usize> {
        let mut told = self.control("sizes", json!({ "values": values })).await;
        serde_json::from_value(told["sizes"].take()).unwrap()
    }

    async fn control(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/__test/{what}", self.url);
        let response = http::client().post(url).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{what}");
        response.json().await.unwrap()
    }

    /// A request as anybody may send it, with or without a deploy key.
    pub async fn post(&self, route: &str, key: Option<&str>, body: &Value) -> Result<Answer, reqwest::Error> {
        let mut request = http::client().post(format!("{}{route}", self.url)).json(body);
        request = request.header("convex-client", "liftlock-0.1.0");
        if let Some(key) = key {
            request = request.header("authorization", format!("Convex {key}"));
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// Calls a function of ours with the deploy key; `route` is `query` or `mutation`.
    pub async fn call(&self, route: &str, function: &str, args: Value) -> Result<Answer, reqwest::Error> {
        let body =
            json!({ "path": format!("liftlock/sync:{function}"), "args": args, "format": "convex_encoded_json" });
        self.post(&format!("/api/{route}"), Some(DEPLOY_KEY), &body).await
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        // It would end by itself when its stdin does.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
