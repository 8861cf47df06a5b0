//! `liftlock snapshot`, `validate --live`, `validate --snapshot`, as typed.

use std::{fs, net::TcpListener, process::Output};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::services::postgres::{self, Address, Options};

use crate::support::{self, TestDatabase};

/// A header that every rule is content with.
const HEADER: &str = "-- Description: a test\n-- Created: 2026-01-31\n-- Type: schema_safe\n-- Rollback: orders\n";

/// What secrets look like: none of this may be in a snapshot.
const HELD: &str = "
    create schema shop;
    create type shop.mood as enum ('sad', 'glad');
    create domain shop.email as text check (value ~ 'hunter1');
    create table shop.orders (
      id bigint generated always as identity primary key, placed date not null default '2026-01-31',
      token text default 'hunter2', total numeric(10, 2) check (total > 0), note text unique,
      feeling shop.mood, address shop.email, constraint short check (note <> 'hunter3'));
    create index on shop.orders (total) where note <> 'hunter4';
    create table shop.items (order_id bigint references shop.orders on delete cascade, what text);
    alter table shop.items add constraint filled check (what is not null) not valid;
    create view shop.totals as select total, 'hunter5' as secret from shop.orders where note <> 'hunter6';
    create function shop.f(a int) returns int language sql stable as $$ select length('hunter7') $$;
    create table shop.events (day date not null, what text) partition by range (day);
    create table shop.events_2026 partition of shop.events for values from ('2026-01-01') to ('2027-01-01');
    create table shop.events_rest partition of shop.events default;
    comment on table shop.orders is 'hunter8';
    insert into shop.orders (token, total, note) select 'hunter9', 1, 'hunter0' || it from generate_series(1, 20000) it;
    analyze shop.orders;";

struct Folder {
    _folder: tempfile::TempDir,
    root: Utf8PathBuf,
    url: String,
}

impl Folder {
    fn new(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let config = "migrations: m\nenvironments:\n  production: { database: \"${DATABASE}\", profile: production }\n";
        fs::write(root.join("liftlock.yml"), config).unwrap();
        fs::create_dir(root.join("m")).unwrap();
        Self { _folder: folder, root, url: url.to_owned() }
    }

    fn migration(&self, name: &str, sql: &str) {
        fs::write(self.root.join("m").join(name), format!("{HEADER}{sql}")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        support::liftlock()
            .args(arguments)
            .arg("--no-color")
            .env("DATABASE", &self.url)
            .current_dir(&self.root)
            .output()
            .unwrap()
    }

    /// What it says on stdout, when it leaves with this number.
    fn says(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}\n{stdout}\n{stderr}");
        // Wrapped as wide as a terminal is; the words are what counts.
        format!("{stdout}{stderr}").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn snapshot(&self) -> String {
        let output = self.run(&["snapshot", "--env", "prod"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

async fn held(test: &str) -> (TestDatabase, Folder) {
    let database = support::database(test).await;
    database.execute(HELD).await;
    let folder = Folder::new(database.url.expose());
    (database, folder)
}

#[tokio::test]
async fn a_snapshot_tells_the_schema_and_sizes_and_nothing_that_is_secret() {
    let (_database, folder) = held("catalog_snapshot").await;
    let text = folder.snapshot();
    assert!(!text.contains("hunter"), "{text}");
    assert!(text.contains("2026-01-01"), "bounds are told: {text}");
    let snapshot = liftlock::catalog::snapshot::read("catalog.json", &text).unwrap();
    let orders = snapshot.tables.iter().find(|it| it.name.1 == "orders").unwrap();
    let size = orders.size.unwrap();
    assert_eq!(size.rows, Some(20_000));
    assert!(size.total_bytes > size.heap_bytes && size.heap_bytes > 500_000, "{size:?}");
    assert_eq!(snapshot.tables.iter().find(|it| it.name.1 == "items").unwrap().size.unwrap().rows, None);
    assert_eq!(snapshot.applied, None);
    let catalog = snapshot.catalog("production");
    assert_eq!(catalog.tables.len(), 5);
    let without_the_clock = |text: &str| -> Vec<String> {
        let volatile = ["taken_at", "seconds", "digest"];
        text.lines().filter(|it| !volatile.iter().any(|word| it.contains(word))).map(str::to_owned).collect()
    };
    assert_eq!(without_the_clock(&folder.snapshot()), without_the_clock(&text), "the same state is the same text");
}

#[tokio::test]
async fn a_role_without_privileges_reads_the_same_schema() {
    let (database, folder) = held("catalog_unprivileged").await;
    let role = format!("{}_reader", database.name);
    database.execute(&format!("create role {role} login password 'reader'")).await;
    let address = Address::parse(&database.url).unwrap();
    let url = database.url.expose().replacen("postgres@", &format!("{role}:reader@"), 1);
    let url = if url == *database.url.expose() {
        url.replacen(&format!("user={}", address.user), &format!("user={role}"), 1)
    } else {
        url
    };
    let reader = Folder::new(&url);
    let snapshot = |folder: &Folder| liftlock::catalog::snapshot::read("a", &folder.snapshot()).unwrap();
    let (all, seen) = (snapshot(&folder), snapshot(&reader));
    assert_eq!(seen.tables.len(), all.tables.len());
    for (one, other) in seen.tables.iter().zip(&all.tables) {
        assert_eq!((&one.columns, &one.constraints), (&other.columns, &other.constraints));
        assert_eq!(one.size.map(|it| it.total_bytes), other.size.map(|it| it.total_bytes));
    }
    assert_eq!(seen.routines, all.routines);
    support::sandbox_execute(&format!("drop role {role}")).await;
}

#[tokio::test]
async fn severity_follows_the_size_of_the_table() {
    let (database, folder) = held("catalog_size").await;
    folder.migration("0001_index_safe.sql", "create index on shop.orders (note);");
    folder.migration("0002_index_safe.sql", "create index on shop.items (what);");
    assert!(folder.says(1, &["validate"]).contains("index-without-concurrently"));
    database.execute("analyze shop.items").await;
    let live = folder.says(1, &["validate", "--to", "prod", "--live"]);
    assert!(live.contains("shop.orders: 20 k rows, "), "{live}");
    assert!(live.contains("shop.items: 0 rows, "), "{live}");
    assert!(live.contains("catalog: live, production ("), "{live}");
    assert!(live.contains("every file is judged"), "{live}");
    fs::remove_file(folder.root.join("m/0001_index_safe.sql")).unwrap();
    folder.says(1, &["validate"]);
    folder.says(0, &["validate", "--to", "prod", "--live"]);
    fs::write(folder.root.join("catalog.json"), folder.snapshot()).unwrap();
    let told = folder.says(0, &["validate", "--snapshot", "catalog.json"]);
    assert!(told.contains("catalog: snapshot of production ("), "{told}");
    // Each way of saying it says how large the table is.
    folder.migration("0003_index_safe.sql", "create index on shop.orders (note);");
    for format in ["text", "json", "markdown", "sarif", "github", "gitlab"] {
        let told = folder.says(1, &["validate", "--snapshot", "catalog.json", "--format", format]);
        for size in ["shop.orders: 20 k rows, ", "shop.items: 0 rows, "] {
            assert!(told.contains(size), "{format}: {told}");
        }
    }
}

#[tokio::test]
async fn what_a_database_holds_proves_what_no_file_does() {
    let (database, folder) = held("catalog_proof").await;
    folder.migration("0001_set_safe.sql", "alter table shop.items alter column what set not null;");
    database
        .execute("insert into shop.items select it, 'x' from generate_series(1, 20000) it; analyze shop.items")
        .await;
    let live = folder.says(1, &["validate", "--to", "prod", "--live"]);
    assert!(live.contains("set-not-null"), "{live}");
    database.execute("alter table shop.items validate constraint filled").await;
    let live = folder.says(0, &["validate", "--to", "prod", "--live"]);
    assert!(!live.contains("set-not-null"), "{live}");
}

#[tokio::test]
async fn the_servers_major_version_counts_unless_another_is_typed() {
    let (_database, folder) = held("catalog_major").await;
    folder.migration("0001_safe.sql", "create table shop.more (id bigint primary key);");
    let plain = folder.says(0, &["validate", "--to", "prod", "--live"]);
    assert!(!plain.contains("judged for"), "{plain}");
    // Whatever the server is, it is not both.
    let typed = ["14", "18"].map(|it| folder.says(0, &["validate", "--to", "prod", "--live", "--postgres", it]));
    let said = |at: usize, major: &str| typed[at].contains(&format!("judged for {major}, as `--postgres` says"));
    assert!(said(0, "14") || said(1, "18"), "{typed:?}");
}

#[tokio::test]
async fn a_changed_newer_or_other_file_is_refused() {
    let (_database, folder) = held("catalog_refused").await;
    folder.migration("0001_safe.sql", "create table shop.more (id bigint primary key);");
    let text = folder.snapshot();
    let cases = [
        (text.replace("numeric(10,2)", "numeric(12,2)"), "changed after it was written"),
        (text.replacen("\"version\": 1", "\"version\": 7", 1), "of version 7"),
        ("{}".to_owned(), "no snapshot of a catalog"),
    ];
    for (changed, expected) in cases {
        fs::write(folder.root.join("catalog.json"), changed).unwrap();
        let said = folder.says(2, &["validate", "--snapshot", "catalog.json"]);
        assert!(said.contains(expected), "{said}");
    }
    let said = folder.says(2, &["validate", "--snapshot", "nowhere.json"]);
    assert!(said.contains("nowhere.json"), "{said}");
    let said = folder.says(2, &["validate", "--live"]);
    assert!(said.contains("--to <ENV>"), "{said}");
}

#[test]
fn without_live_validate_opens_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = Folder::new(&format!("postgres://user:word@127.0.0.1:{port}/app?sslmode=disable"));
    folder.migration("0001_safe.sql", "create table orders (id bigint primary key);");
    folder.says(0, &["validate", "--to", "prod"]);
    folder.says(0, &["validate"]);
    assert!(listener.accept().is_err(), "something has connected");
}

#[tokio::test]
async fn files_that_are_applied_are_not_judged() {
    let (database, folder) = held("catalog_applied").await;
    folder.migration("0001_index_safe.sql", "create index on shop.orders (note);");
    folder.migration("0002_more_safe.sql", "create table shop.more (id bigint primary key, order_id bigint);");
    folder.migration("0003_more_safe.sql", "create index on shop.more (order_id);");
    // As a promotion leaves it.
    let mut session = postgres::connect(&database.address(), &Options::default()).await.unwrap();
    liftlock::services::bookkeeping::ensure(&mut session).await.unwrap();
    let row = "insert into liftlock.migrations (id, checksum, transactional, state, total, applied)
        values ('0001_index_safe.sql', 'abc', true, 'done', 1, 1)";
    session.batch_execute(row).await.unwrap();
    session.close().await;
    let live = folder.says(0, &["validate", "--to", "prod", "--live"]);
    assert!(!live.contains("0001_index_safe.sql"), "{live}");
    assert!(live.contains("1 file is applied there, and not judged"), "{live}");
    // What an earlier file makes that is not applied either is new, also when only the later one is named.
    let named = folder.says(0, &["validate", "--to", "prod", "--live", "m/0003_more_safe.sql"]);
    assert!(!named.contains("index-without-concurrently"), "{named}");
    // Without the database it is history.
    assert!(folder.says(1, &["validate", "m/0003_more_safe.sql"]).contains("index-without-concurrently"));
}
