//! The last steps of a promotion carry the tables into Convex.

use std::fs;

use tempfile::TempDir;

use crate::support::{self, convex::Harness};

const MIGRATION: &str = "-- Description: Numbers
-- Created: 2026-11-01
-- Type: schema_safe
-- Rollback: drop table numbers;

create table numbers (id integer primary key, name text not null);
";

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_ends_with_the_tables_in_convex_or_does_not_begin() {
    let database = support::database("a_promotion_ends_in_convex").await;
    let harness = Harness::start(&["numbers"]);
    let folder = TempDir::new().unwrap();
    let yaml = "migrations: db\nenvironments:\n  dev: { database: \"${DATABASE_URL}\", profile: dev }\n\
        sync:\n  from: dev\n  to: { convex: \"${CONVEX_URL}\", deploy_key: \"${CONVEX_DEPLOY_KEY}\" }\n";
    fs::write(folder.path().join("liftlock.yml"), yaml).unwrap();
    fs::create_dir(folder.path().join("db")).unwrap();
    fs::write(folder.path().join("db/20261101080000_create_numbers_safe.sql"), MIGRATION).unwrap();
    let promote = |key: &str| {
        let mut command = support::liftlock();
        command.args(["promote", "--to", "dev", "--yes"]).current_dir(folder.path());
        command.env("DATABASE_URL", database.url.expose()).env("CONVEX_URL", &harness.url);
        let output = command.env("CONVEX_DEPLOY_KEY", key).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains("made-up"), "{told}");
        (output.status.code().unwrap(), told.into_owned())
    };
    // A key that is not for this environment is noticed before anything is applied.
    let (code, told) = promote("prod:test-server|made-up");
    assert!(code == 2 && told.contains("a production deploy key does not belong"), "{code} {told}");
    let exists = "select (to_regclass('numbers') is not null)::text";
    assert_eq!(database.text(exists).await, "false");

    let (code, told) = promote("dev:test-server|made-up");
    assert!(code == 0 && told.contains("every count and digest agrees on both sides"), "{code} {told}");
    assert_eq!(database.text(exists).await, "true");
    database.execute("insert into numbers select it, 'row ' || it from generate_series(1, 20) it").await;
    let (code, told) = promote("dev:test-server|made-up");
    assert!(code == 0 && told.contains("20 rows in 1 table, 20 written"), "{code} {told}");
    assert_eq!(harness.documents("numbers").await.len(), 20);
}
