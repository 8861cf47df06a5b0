//! Connecting: encryption that is verified, logins, a network that is dead, locks, and which database it really is.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    process::Command,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use liftlock::{
    secret::Secret,
    services::{
        postgres::{self, Access, Address, FailureKind, Options, PostgresError, RUNNER_LOCK, Session, same_database},
        sandbox::{Sandbox, SandboxOptions},
    },
};
use miette::Diagnostic;

use crate::support;

/// A server on TCP that takes encrypted logins with passwords only, and the certificate of its authority.
async fn encrypted() -> (Sandbox, u16, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = vec![("listen_addresses".to_owned(), "127.0.0.1".to_owned()), ("port".to_owned(), port.to_string())];
    let sandbox = Sandbox::start(&SandboxOptions { settings, ..SandboxOptions::default() }).unwrap();
    let data = sandbox.folder().join("data");
    certificates(sandbox.folder());
    let owner = fs::metadata(&data).unwrap();
    for name in ["server.crt", "server.key"] {
        let path = data.join(name);
        fs::rename(sandbox.folder().join(name), &path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    fs::write(data.join("pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    let url = format!("{}&port={port}", sandbox.url("postgres").expose());
    let session = support::connect(&Address::parse(&Secret::new(url)).unwrap()).await;
    session.batch_execute("create role app login password 'hunter2'").await.unwrap();
    session.batch_execute("alter system set ssl = on").await.unwrap();
    session.batch_execute("select pg_reload_conf()").await.unwrap();
    session.close().await;
    let authority = sandbox.folder().join("authority.crt").into_string();
    (sandbox, port, authority)
}

/// An authority, and a certificate of `localhost` that it has signed.
fn certificates(folder: &Utf8Path) {
    let script = "set -e
        ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $ec -keyout authority.key -out authority.crt -subj /CN=authority -days 2
        openssl req $ec -keyout server.key -out server.csr -subj /CN=localhost
        echo subjectAltName=DNS:localhost > names
        openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -out server.crt -days 2 -extfile names";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test makes certificates with `openssl` (`apt install openssl`): {said}");
}

async fn open(url: &str) -> Result<Session, PostgresError> {
    let options = Options { retry_for: Duration::from_millis(500), ..Options::default() };
    postgres::connect(&Address::parse(&Secret::new(url))?, &options).await
}

fn code(error: &PostgresError) -> String {
    let help = error.help().map(|it| it.to_string()).unwrap_or_default();
    assert!(!help.is_empty(), "{error:?} has no help");
    let shown = format!("{error} {error:?} {help}");
    assert!(!shown.contains("hunter2") && !shown.contains("wrong-one"), "the password shows in {shown}");
    error.code().unwrap().to_string()
}

#[tokio::test]
async fn certificates_and_passwords_are_verified() {
    let (_sandbox, port, authority) = encrypted().await;
    let trusted = format!("sslrootcert={authority}");
    for (place, parameters, expected) in [
        ("app:hunter2@localhost", format!("sslmode=verify-full&{trusted}"), "ok"),
        ("app:hunter2@localhost", format!("sslmode=require&{trusted}"), "ok"),
        ("app:hunter2@localhost", format!("sslmode=require&channel_binding=require&{trusted}"), "ok"),
        ("app:wrong-one@localhost", format!("sslmode=require&{trusted}"), "postgres::login_refused"),
        ("nobody:hunter2@localhost", format!("sslmode=require&{trusted}"), "postgres::login_refused"),
        ("app@localhost", format!("sslmode=require&{trusted}"), "postgres::login_refused"),
        // The certificate is of another name.
        ("app:hunter2@127.0.0.1", format!("sslmode=require&{trusted}"), "postgres::encryption"),
        // Its authority is not a public one.
        ("app:hunter2@localhost", "sslmode=require".to_owned(), "postgres::encryption"),
        ("app:hunter2@localhost", "sslmode=require&sslrootcert=/nowhere.pem".to_owned(), "postgres::root_certificates"),
        ("app:hunter2@localhost", "sslmode=disable".to_owned(), "postgres::login_refused"),
    ] {
        let answer = open(&format!("postgres://{place}:{port}/postgres?{parameters}")).await;
        let found = answer.map_or_else(|error| code(&error), |_| "ok".to_owned());
        assert_eq!(found, expected, "{place} {parameters}");
    }
    let url = format!("postgres://app:hunter2@localhost:{port}/postgres?sslmode=require&{trusted}");
    let session = open(&url).await.unwrap();
    let encrypted: bool =
        session.query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(encrypted);
    // Cancelling uses a connection of its own, which is encrypted as well.
    let canceller = session.canceller();
    let (cancelled, answer) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            canceller.cancel().await
        },
        session.batch_execute("select pg_sleep(30)")
    );
    cancelled.unwrap();
    assert_eq!(PostgresError::from(answer.unwrap_err()).kind(), FailureKind::Cancelled);
}

#[tokio::test]
async fn each_kind_of_dead_end_has_its_own_error() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let database = support::database("dead_ends").await;
    let missing = support::sandbox().url("not_there").expose().to_owned();
    let began = Instant::now();
    for (url, expected) in [
        ("postgres://me:hunter2@127.0.0.1:1/app".to_owned(), "postgres::unreachable"),
        ("postgres://me:hunter2@no-such-host.invalid/app".to_owned(), "postgres::unreachable"),
        ("postgres://me:hunter2@/app?host=/nowhere".to_owned(), "postgres::unreachable"),
        // Accepts the connection, then says nothing.
        (format!("postgres://me:hunter2@127.0.0.1:{port}/app?connect_timeout=1"), "postgres::unreachable"),
        (missing, "postgres::no_database"),
        (
            database.url.expose().replace("postgres://postgres@", "postgres://stranger:hunter2@"),
            "postgres::login_refused",
        ),
        ("postgres://me:hunter2@ep-x-pooler.neon.tech/app".to_owned(), "postgres::pooled"),
    ] {
        let error = open(&url).await.unwrap_err();
        assert_eq!(code(&error), expected, "{error:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_database_that_disappears_is_a_lost_connection() {
    let database = support::database("disappears").await;
    let session = database.session().await;
    let sql = format!("select pg_terminate_backend({})", session.pid());
    support::admin().await.batch_execute(&sql).await.unwrap();
    // The first statement may still get the server's good-bye, the second meets a closed connection.
    for _ in 0..2 {
        let error = session.failure(session.batch_execute("select 1").await.unwrap_err());
        assert_eq!(error.kind(), FailureKind::ConnectionLost, "{error:?}");
        assert_eq!(code(&error), "postgres::connection_lost");
    }
}

#[tokio::test]
async fn errors_of_the_server_keep_the_code_and_lose_the_values() {
    let database = support::database("server_errors").await;
    let session = database.session().await;
    session
        .batch_execute("create table t (id int primary key, n int check (n > 0)); insert into t values (1, 1)")
        .await
        .unwrap();
    for (sql, sqlstate, kind) in [
        ("insert into t values (1, 1)", "23505", FailureKind::Other),
        ("insert into t values (2, -77)", "23514", FailureKind::Other),
        ("select 'hunter2'::int", "22P02", FailureKind::Other),
        ("select 1 / 0", "22012", FailureKind::Other),
        ("selec", "42601", FailureKind::Other),
        ("set statement_timeout = 10; select pg_sleep(5)", "57014", FailureKind::StatementTimeout),
        ("begin read only; delete from t", "25006", FailureKind::ReadOnly),
        ("select 1", "25P02", FailureKind::Other),
    ] {
        let error = PostgresError::from(session.batch_execute(sql).await.expect_err(sql));
        assert_eq!((error.sqlstate(), error.kind()), (Some(sqlstate), kind), "{sql}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("77"), "{error:?}");
        code(&error);
    }
}

#[tokio::test]
async fn a_session_is_set_up_as_asked() {
    let database = support::database("set_up").await;
    let options = Options {
        application_name: "liftlock trial".to_owned(),
        lock_timeout: Some(Duration::from_millis(2500)),
        statement_timeout: Some(Duration::from_secs(900)),
        access: Access::ReadOnly,
        ..Options::default()
    };
    let url = Secret::new(format!("{}&schema=Odd", database.url.expose()));
    let session = postgres::connect(&Address::parse(&url).unwrap(), &options).await.unwrap();
    for (name, expected) in [
        ("application_name", "liftlock trial"),
        ("lock_timeout", "2500ms"),
        ("statement_timeout", "15min"),
        ("default_transaction_read_only", "on"),
        ("search_path", "\"Odd\""),
    ] {
        let value: String = session.query_one("select current_setting($1)", &[&name]).await.unwrap().get(0);
        assert_eq!(value, expected, "{name}");
    }
    let pid = session.pid();
    session.close().await;
    let alive = format!("select count(*)::text from pg_stat_activity where pid = {pid}");
    let began = Instant::now();
    while database.text(&alive).await != "0" {
        assert!(began.elapsed() < Duration::from_secs(5), "the server still has the session");
    }
}

#[tokio::test]
async fn one_at_a_time_holds_the_lock() {
    let database = support::database("runner_lock").await;
    let (first, second) = (database.session().await, database.session().await);
    first.lock(RUNNER_LOCK, Duration::ZERO, |_| {}).await.unwrap();
    first.prove_lock(RUNNER_LOCK).await.unwrap();
    assert!(matches!(second.prove_lock(RUNNER_LOCK).await, Err(PostgresError::LockLost { .. })));
    let mut told = 0;
    let answer = second.lock(RUNNER_LOCK, Duration::from_millis(1200), |holders| {
        assert_eq!(holders[0].pid, first.pid());
        told += 1;
    });
    let error = answer.await.unwrap_err();
    let PostgresError::Locked { holders, .. } = &error else { panic!("{error:?}") };
    assert_eq!((holders[0].application_name.as_str(), holders.len()), ("liftlock test", 1));
    assert!(told > 0 && error.to_string().contains(&format!("pid {}", first.pid())), "{told} {error}");
    let waiting = second.lock(RUNNER_LOCK, Duration::from_secs(20), |_| {});
    // Ending the session gives the lock back, however it ends.
    let (_, taken) = tokio::join!(first.close(), waiting);
    taken.unwrap();
    second.unlock(RUNNER_LOCK).await.unwrap();
    assert!(second.lock_holders(RUNNER_LOCK).await.unwrap().is_empty());
    // Negative keys are stored in the same two halves.
    second.lock(-42, Duration::ZERO, |_| {}).await.unwrap();
    // Another database of the server has locks of its own.
    let other = support::database("runner_lock_other").await;
    other.session().await.lock(-42, Duration::ZERO, |_| {}).await.unwrap();
}

#[tokio::test]
async fn one_database_is_known_by_whatever_way_it_is_reached() {
    let (database, other) = (support::database("identity").await, support::database("identity_other").await);
    let link = tempfile::tempdir().unwrap();
    let linked = link.path().join("run");
    std::os::unix::fs::symlink(support::sandbox().folder().join("run"), &linked).unwrap();
    let url = format!("postgres://postgres@/{}?host={}", database.name, linked.display());
    let by_link = open(&url).await.unwrap().identity().await.unwrap();
    let direct = database.session().await.identity().await.unwrap();
    let different = other.session().await.identity().await.unwrap();
    assert_ne!(by_link.host, direct.host);
    assert!(same_database(&by_link, &direct));
    assert!(!same_database(&direct, &different));
    let hidden = |it: &postgres::Identity| postgres::Identity { system_identifier: None, ..it.clone() };
    assert!(same_database(&hidden(&direct), &by_link), "also when the role may not see the system identifier");
    // A server restored from a physical copy has the same identifier and oids, and is another one.
    let copy = postgres::Identity {
        server_started: "later".to_owned(),
        host: "copy".to_owned(),
        server_address: Some("10.0.0.9:5432".to_owned()),
        ..direct.clone()
    };
    assert!(!same_database(&direct, &copy));
    let standby = postgres::Identity { is_standby: true, ..copy };
    assert!(same_database(&direct, &standby), "a standby holds its primary's database");
    let branch = |name: &str| postgres::Identity { neon_branch: Some(name.to_owned()), ..direct.clone() };
    assert!(!same_database(&branch("br-a"), &branch("br-b")));
}
