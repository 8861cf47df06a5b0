//! The throw-away Postgres: it starts, and nothing of it is left, however its owner ends.

use std::time::{Duration, Instant};

use liftlock::services::sandbox::{Sandbox, SandboxOptions};

use crate::support;

#[tokio::test]
async fn a_sandbox_starts_answers_and_leaves_nothing() {
    let began = Instant::now();
    let sandbox = Sandbox::start(&SandboxOptions::default()).unwrap();
    println!("started in {:?}", began.elapsed());
    let url = sandbox.create_database("odd \"name\"?").await.unwrap();
    let address = liftlock::services::postgres::Address::parse(&url).unwrap();
    let session = liftlock::services::postgres::connect(&address, &Default::default()).await.unwrap();
    let name: String = session.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    assert_eq!(name, "odd \"name\"?");
    let folder = sandbox.folder().to_owned();
    let began = Instant::now();
    sandbox.stop();
    println!("stopped in {:?}", began.elapsed());
    assert!(!folder.exists());
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn every_test_gets_a_database_of_its_own() {
    let first = support::database("own").await;
    let second = support::database("own").await;
    first.execute("create table here (id int)").await;
    assert_eq!(first.text("select count(*)::text from pg_class where relname = 'here'").await, "1");
    assert_eq!(second.text("select count(*)::text from pg_class where relname = 'here'").await, "0");
}

#[test]
fn the_built_binary_answers() {
    let output = support::liftlock().arg("--version").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
