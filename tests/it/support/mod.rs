//! What tests need: one throw-away Postgres per run, a fresh database per test, the built binary.

pub mod act;
pub mod convex;
pub mod github;
pub mod neon;
pub mod prism;
pub mod tools;

use std::{process::Command, sync::OnceLock, thread};

use liftlock::{
    secret::Secret,
    services::{
        postgres::{self, Address, Options, Session, quote_identifier},
        sandbox::{Sandbox, SandboxOptions},
    },
};
use miette::Report;
use tokio::runtime;

/// The server that all tests of this run share. It goes away with the process, however that ends.
pub fn sandbox() -> &'static Sandbox {
    static SHARED: OnceLock<Sandbox> = OnceLock::new();
    SHARED.get_or_init(|| {
        let options = SandboxOptions { max_connections: 200, ..SandboxOptions::default() };
        // Shown with code and help: they say how to get a server.
        Sandbox::start(&options).unwrap_or_else(|error| panic!("these tests need Postgres: {:?}", Report::new(error)))
    })
}

/// A fresh, empty database. Dropped when the test is green; kept, with its name printed, when it is red.
pub async fn database(test: &str) -> TestDatabase {
    let name = format!("{}_{:06x}", &test[..test.len().min(50)], rand::random::<u32>() & 0xff_ffff);
    let url = sandbox().create_database(&name).await.unwrap();
    TestDatabase { name, url }
}

pub struct TestDatabase {
    pub name: String,
    pub url: Secret,
}

impl TestDatabase {
    pub fn address(&self) -> Address {
        Address::parse(&self.url).unwrap()
    }

    /// A session of its own.
    pub async fn session(&self) -> Session {
        connect(&self.address()).await
    }

    /// Runs SQL in a session of its own.
    pub async fn execute(&self, sql: &str) {
        let session = self.session().await;
        if let Err(error) = session.batch_execute(sql).await {
            panic!("{error:?} in:\n{sql}");
        }
        session.close().await;
    }

    /// One text from the database.
    pub async fn text(&self, sql: &str) -> String {
        let session = self.session().await;
        let text = session.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?} in:\n{sql}")).get(0);
        session.close().await;
        text
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = sandbox().keep();
            let socket = sandbox().folder().join("run");
            eprintln!("kept until the next test run: psql -U postgres -h {socket} -d {}", self.name);
            return;
        }
        let sql = format!("drop database if exists {} with (force)", quote_identifier(&self.name));
        let dropping = async move {
            let session = admin().await;
            session.batch_execute(&sql).await.unwrap();
            session.close().await;
        };
        // The test's own runtime may be ending.
        let runtime = || runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || runtime().block_on(dropping)).join().unwrap();
    }
}

/// A session with the server's own database.
pub async fn admin() -> Session {
    connect(&Address::parse(&sandbox().url("postgres")).unwrap()).await
}

/// A session with any database.
pub async fn connect(address: &Address) -> Session {
    let options = Options { application_name: "liftlock test".to_owned(), ..Options::default() };
    postgres::connect(address, &options).await.unwrap()
}

/// Drops the restore points of a test's database, and what restores have left beside it.
pub async fn drop_restore_points(database: &TestDatabase) {
    let admin = admin().await;
    let sql =
        "select datname::text from pg_database where datname like 'liftlock\\_%' and datname like '%' || $1 || '%'";
    for row in admin.query(sql, &[&&database.name[..database.name.len().min(20)]]).await.unwrap() {
        let name: String = row.get(0);
        admin.batch_execute(&format!("drop database {} with (force)", quote_identifier(&name))).await.unwrap();
    }
}

/// The built binary, with nothing of this process's environment that could change what it does.
pub fn liftlock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liftlock"));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LIFTLOCK_POSTGRES", "LIFTLOCK_CACHE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs SQL in the server's maintenance database: what cannot be run in the test's own.
pub async fn sandbox_execute(sql: &str) {
    let session = connect(&Address::parse(&sandbox().url("postgres")).unwrap()).await;
    session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?} in:\n{sql}"));
    session.close().await;
}
