//! `liftlock backup` and `liftlock doctor`, as people run them.

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, TestDatabase};

/// A project with three environments; what stands in the variables is up to the test.
const CONFIGURATION: &str = r#"
migrations: migrations
environments:
  dev: { database: "${URL_DEV}" }
  staging: { database: "${URL_STAGING}", profile: staging }
  production: { database: "${URL_PRODUCTION}", profile: production, after: staging, backup: { keep: 30d } }
sync: { from: production, to: { folder: ./mirror } }
"#;

struct Project {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

fn project(variables: &[(&'static str, &str)]) -> Project {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("liftlock.yml"), CONFIGURATION).unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    std::fs::write(folder.path().join("migrations/20260101000000_a_safe.sql"), "select 1;\n").unwrap();
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Project { folder, variables }
}

impl Project {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = support::liftlock();
        command.current_dir(self.folder.path()).args(arguments).envs(self.variables.iter().map(|(n, v)| (n, v)));
        command.output().unwrap()
    }

    /// The exit code, and what stands on stdout as JSON.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let parsed = serde_json::from_slice(&output.stdout);
        let value = parsed.unwrap_or_else(|error| panic!("{error} in {output:?}"));
        (output.status.code().unwrap(), value)
    }
}

fn local(database: &TestDatabase) -> String {
    database.url.expose().to_owned()
}

/// State and texts of a check of doctor.
fn check<'a>(report: &'a Value, name: &str) -> (&'a str, String) {
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let found = checks.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {report:#}"));
    (found["state"].as_str().unwrap(), format!("{} / {}", found["message"], found["fix"]))
}

#[tokio::test]
async fn a_restore_point_is_made_listed_verified_and_put_back() {
    let database = support::database("command_backup").await;
    database.execute("create table poles (id int primary key); insert into poles select generate_series(1, 9)").await;
    let project = project(&[("URL_PRODUCTION", &local(&database))]);
    let (code, list) = project.json(&["backup", "list", "--env", "prod"]);
    assert_eq!((code, list["backups"].as_array().map(Vec::len)), (0, Some(0)), "{list:#}");
    let (code, made) = project.json(&["backup", "create", "--env", "prod"]);
    assert_eq!(code, 0, "{made:#}");
    let name = made["backups"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(made["backups"][0]["verified"], "definitions and 9 rows in 1 table are as recorded");
    let (code, verified) = project.json(&["backup", "verify", "--env", "prod"]);
    assert_eq!((code, verified["backups"][0]["name"].as_str()), (0, Some(name.as_str())));

    database.execute("delete from poles where id > 2; create table more (id int)").await;
    let nobody = project.run(&["backup", "restore", &name, "--env", "prod"]);
    assert_eq!(nobody.status.code(), Some(2));
    let shown = String::from_utf8(nobody.stdout).unwrap();
    assert!(shown.contains("`public.poles`: 2 rows now, 9 then"), "{shown}");
    assert!(shown.contains("`public.more` with 0 rows did not exist then"), "{shown}");
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("--yes"));
    assert_eq!(database.text("select count(*)::text from poles").await, "2", "nothing was changed");

    let (code, restored) = project.json(&["backup", "restore", &name, "--env", "prod", "--yes"]);
    assert_eq!(code, 0, "{restored:#}");
    assert_eq!(database.text("select count(*)::text from poles").await, "9");
    assert_eq!(
        database.text("select string_agg(kind, ',') from liftlock.audit_outbox").await,
        "dev.liftlock.restore_point.restored.v1"
    );
    let missing = project.run(&["backup", "restore", "nothing", "--env", "prod", "--yes"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("branches::not_found"));
    support::drop_restore_points(&database).await;
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_where_nothing_is() {
    let (staging, production) =
        (support::database("doctor_staging").await, support::database("doctor_production").await);
    production.execute("create table poles (id int primary key)").await;
    let project = project(&[("URL_STAGING", &local(&staging)), ("URL_PRODUCTION", &local(&production))]);
    let (code, report) = project.json(&["doctor"]);
    assert_eq!(code, 0, "{report:#}");
    for name in [
        "configuration",
        "migrations",
        "production: connection",
        "production: server",
        "production: records",
        "production: restore points",
        "production: lock",
        "environments",
        "sync: mirror",
        "sync: tables",
    ] {
        assert_eq!(check(&report, name).0, "ok", "{name}: {report:#}");
    }
    assert_eq!(check(&report, "dev: not examined").0, "warning");
    assert_eq!(check(&report, "audit").0, "warning");
    assert!(!production.text("select coalesce(to_regnamespace('liftlock')::text, 'none')").await.contains("liftlock"));
}

#[tokio::test]
async fn doctor_has_a_fix_for_every_complaint() {
    let database = support::database("doctor_complains").await;
    let role = database.name.replace("doctor_complains", "role");
    database.execute(&format!("create role {role} login; create schema secret; create table poles (id int)")).await;
    let as_role = local(&database).replace("postgres://postgres@", &format!("postgres://{role}@"));
    let project = project(&[
        ("URL_DEV", "postgres://me:hunter2@127.0.0.1:1/app"),
        ("URL_STAGING", &local(&database)),
        ("URL_PRODUCTION", &as_role),
    ]);
    let (code, report) = project.json(&["doctor"]);
    assert_eq!(code, 1);
    assert!(!report.to_string().contains("hunter2"));
    for (name, state, text) in [
        ("dev: connection", "failed", "cannot reach me@127.0.0.1:1/app"),
        ("production and staging", "failed", "both lead to one database"),
        ("production: records", "failed", "grant usage, create on schema liftlock"),
        ("production: restore points", "failed", "createdb"),
        ("production: other sessions", "warning", "grant pg_read_all_stats"),
        ("production: schemas", "warning", "closed to role"),
    ] {
        let (found, said) = check(&report, name);
        assert_eq!(found, state, "{name}: {said}");
        assert!(said.contains(text), "{name}: {said}");
    }
    for check in report["checks"].as_array().unwrap().iter().filter(|it| it["state"] != "ok") {
        assert!(check["fix"].is_string(), "{check:#}");
    }
    database.execute(&format!("drop role {role}")).await;
}
