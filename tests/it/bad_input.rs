//! Everything that a user, a disk or a network can get wrong, through the real binary: the exit code, a code and
//! help in the message, no password in it, and nothing lost.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    promote::outbox,
    secret::Secret,
    services::postgres::{self, Address, Options},
};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use tokio::time;

use crate::{
    receiver::{Receiver, SECRET},
    support::{self, TestDatabase},
};

/// In every URL of these tests, and never to be seen.
const PASSWORD: &str = "hunter2";

const HEADER: &str = "-- Description: A table\n-- Created: 2026-01-01\n-- Type: schema_safe\n\
                      -- Rollback: drop table poles\n\n";
const TABLE: &str = "create table poles (id bigint primary key);\n";

/// A folder with a configuration and some migrations.
struct Project {
    folder: Utf8PathBuf,
    _temporary: tempfile::TempDir,
}

impl Project {
    fn new(migrations: &[(&str, &[u8])]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
        let project = Self { folder, _temporary: temporary };
        project.configure("environments:\n  production: { database: \"${URL}\" }\n");
        fs::create_dir(project.folder.join("migrations")).unwrap();
        for (name, bytes) in migrations {
            project.write(name, bytes);
        }
        project
    }

    fn with_one_table() -> Self {
        Self::new(&[("0001_poles_safe.sql", format!("{HEADER}{TABLE}").as_bytes())])
    }

    fn configure(&self, rest: &str) {
        fs::write(self.folder.join("liftlock.yml"), format!("migrations: migrations\n{rest}")).unwrap();
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join("migrations").join(name), bytes).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::liftlock();
        command.current_dir(&self.folder).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it with this database and demands the exit code and these words.
    fn says(&self, url: &str, arguments: &[&str], exit: i32, words: &[&str]) -> String {
        check(self.command(arguments).env("URL", url), exit, words)
    }
}

/// Runs a command; demands its exit code, words that it must say, and what every complaint must have.
fn check(command: &mut Command, exit: i32, words: &[&str]) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let flat = said.replace(['│', '├', '╰', '─', '▶', '×'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(exit), "{command:?}:\n{said}");
    for word in words {
        assert!(flat.contains(word), "{command:?}: `{word}` is not in:\n{said}");
    }
    assert!(!said.contains(PASSWORD), "the password is shown:\n{said}");
    if exit >= 2 {
        let promotes = command.get_args().any(|it| it == "promote");
        assert!(promotes || output.stdout.is_empty(), "an error is no data: {command:?}\n{said}");
        assert!(flat.contains("help: "), "no help: {command:?}\n{said}");
    }
    said.into_owned()
}

const VALIDATE: [&str; 1] = ["validate"];

#[test]
fn a_folder_without_migrations() {
    Project::new(&[]).says("", &VALIDATE, 2, &["migration::none", "no migrations in", "liftlock new NAME"]);
    Project::new(&[("README.md", b"nothing to run")]).says("", &VALIDATE, 2, &["migration::none"]);
    let project = Project::new(&[]);
    fs::remove_dir(project.folder.join("migrations")).unwrap();
    project.says("", &VALIDATE, 2, &["migration::no_folder"]);
}

#[test]
fn a_file_that_is_not_utf_8() {
    let latin = [HEADER.as_bytes(), b"-- f\xfcr M\xfcnchen\n", TABLE.as_bytes()].concat();
    let project = Project::new(&[("0001_poles_safe.sql", &latin)]);
    project.says("", &VALIDATE, 1, &["unread-statement", "0001_poles_safe.sql:6:5", "not UTF-8: byte 103"]);
    let url = format!("postgres://joe:{PASSWORD}@127.0.0.1:9/app");
    let plan = ["plan", "--to", "production"];
    project.says(&url, &plan, 2, &["migration::not_utf8", "0001_poles_safe.sql", "on line 6"]);
    // The place is that of the file, with the byte order mark that is cut off.
    let marked = [b"\xef\xbb\xbf".as_slice(), &latin].concat();
    Project::new(&[("0001_poles_safe.sql", &marked)]).says("", &VALIDATE, 1, &["not UTF-8: byte 106"]);
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(TABLE.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let project = Project::new(&[("0001_poles_safe.sql", &wide.repeat(3))]);
    // One finding says all: each statement of such a file looks broken.
    project.says("", &["validate", "--no-config", "migrations"], 1, &["UTF-16", "FAIL 1 error in 1 file"]);
    // The byte order mark may be missing.
    let project = Project::new(&[("0001_poles_safe.sql", &wide[2..])]);
    project.says("", &["validate", "--no-config", "migrations"], 1, &["UTF-16", "FAIL 1 error in 1 file"]);
}

#[test]
fn a_file_of_50_megabytes() {
    let large = TABLE.repeat(50_000_000 / TABLE.len() + 1);
    let project = Project::new(&[("0001_poles_safe.sql", large.as_bytes())]);
    project.says("", &VALIDATE, 2, &["migration::too_large", "47.7 MB", "the limit is 16 MB"]);
}

#[test]
fn an_empty_file_a_bom_and_windows_line_ends() {
    for empty in ["", "\n\n", "-- nothing here\n"] {
        let project = Project::new(&[("0001_poles_safe.sql", empty.as_bytes())]);
        project.says("", &VALIDATE, 1, &["0001_poles_safe.sql"]);
    }
    let bom = format!("\u{feff}{HEADER}{TABLE}");
    Project::new(&[("0001_poles_safe.sql", bom.as_bytes())]).says("", &VALIDATE, 0, &["nothing found in 1 file"]);
    let windows = format!("{HEADER}{TABLE}").replace('\n', "\r\n");
    Project::new(&[("0001_poles_safe.sql", windows.as_bytes())]).says("", &VALIDATE, 0, &["nothing found in 1 file"]);
}

#[test]
fn two_files_of_one_version() {
    let text = format!("{HEADER}{TABLE}");
    let project = Project::new(&[("0001_poles_safe.sql", text.as_bytes()), ("0001_drops_safe.sql", text.as_bytes())]);
    let both = ["migration::same_version", "0001_drops_safe.sql", "0001_poles_safe.sql"];
    project.says("", &VALIDATE, 2, &both);
}

#[test]
fn a_symlink_loop() {
    let project = Project::with_one_table();
    symlink(project.folder.join("migrations"), project.folder.join("migrations/again")).unwrap();
    project.says("", &VALIDATE, 2, &["migration::symlink_loop", "migrations/again"]);
    let project = Project::with_one_table();
    symlink("0002_self_safe.sql", project.folder.join("migrations/0002_self_safe.sql")).unwrap();
    project.says("", &VALIDATE, 2, &["migration::", "0002_self_safe.sql"]);
}

#[test]
fn a_file_and_a_folder_that_may_not_be_read() {
    let project = Project::with_one_table();
    let (file, folder) = (project.folder.join("migrations/0001_poles_safe.sql"), project.folder.join("migrations"));
    let lock = |path: &Utf8Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut command = as_somebody(&project);
    lock(&file, 0o000);
    check(command.args(VALIDATE), 2, &["migration::unreadable", "0001_poles_safe.sql", "Permission denied"]);
    lock(&file, 0o644);
    lock(&folder, 0o000);
    check(&mut command, 2, &["migration::unreadable", "migrations", "Permission denied"]);
    lock(&folder, 0o755);
    lock(&project.folder.join("liftlock.yml"), 0o000);
    check(&mut command, 2, &["config::unreadable", "liftlock.yml", "Permission denied"]);
}

/// Root may read everything, so root becomes somebody else here, with a binary that anybody may run.
fn as_somebody(project: &Project) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return project.command(&[]);
    }
    let binary = project.folder.join("liftlock");
    fs::copy(env!("CARGO_BIN_EXE_liftlock"), &binary).unwrap();
    let mut command = Command::new(binary);
    command.env_clear().current_dir(&project.folder).stdin(Stdio::null()).uid(65_534).gid(65_534);
    command
}

#[test]
fn a_missing_variable_is_named() {
    let project = Project::with_one_table();
    let mut command = project.command(&["audit", "list", "--env", "production"]);
    check(&mut command, 2, &["config::unset_variable", "`URL`", "liftlock.yml"]);
    // It is not needed for what does not touch the database.
    check(&mut project.command(&VALIDATE), 0, &["nothing found"]);
}

#[test]
fn a_malformed_url_is_explained_without_being_shown() {
    let project = Project::with_one_table();
    for (url, words) in [
        ("postgres://joe:hunter2@", &["URL"][..]),
        ("postgres://joe:hunter2@db.example.com:notaport/app", &["URL"]),
        ("mysql://joe:hunter2@db.example.com/app", &["URL"]),
        ("joe:hunter2@db.example.com/app", &["URL"]),
        ("postgres://joe:hunter2@db.example.com/app?nonsense=hunter2", &["nonsense"]),
        ("postgres://joe:hunter2@db.example.com/app?sslmode=disable", &["encrypted", "db.example.com"]),
    ] {
        project.says(url, &["audit", "list", "--env", "production"], 2, words);
    }
}

#[test]
fn no_database_is_said_with_its_address() {
    let project = Project::with_one_table();
    // Nothing listens on the discard port.
    let url = format!("postgres://joe:{PASSWORD}@127.0.0.1:9/app");
    let words = ["postgres::unreachable", "127.0.0.1:9", "Connection refused"];
    for command in [&["audit", "list", "--env", "production"][..], &["audit", "flush", "--env", "production"]] {
        project.says(&url, command, 3, &words);
    }
    let missing = support::sandbox().url("not_there");
    let words = ["postgres::no_database", "not_there"];
    project.says(missing.expose(), &["audit", "list", "--env", "production"], 3, &words);
}

/// The sandbox trusts everybody; this role must show a password.
async fn guarded(database: &TestDatabase) -> Secret {
    let role = format!("guarded_{}", database.name);
    database.execute(&format!("create role \"{role}\" login password 'right'")).await;
    let rules = support::sandbox().folder().join("data/pg_hba.conf");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("local all \"{role}\" scram-sha-256\n{text}")).unwrap();
    database.execute("select pg_reload_conf()").await;
    time::sleep(Duration::from_millis(200)).await;
    let socket = support::sandbox().folder().join("run");
    Secret::new(format!("postgres://{role}:{PASSWORD}@/{}?host={socket}", database.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_shown() {
    let database = support::database("bad_password").await;
    let url = guarded(&database).await;
    let project = Project::with_one_table();
    let words = ["postgres::login_refused", "did not accept the login"];
    project.says(url.expose(), &["audit", "list", "--env", "production"], 3, &words);
    let right = Secret::new(url.expose().replace(PASSWORD, "right"));
    let session = postgres::connect(&Address::parse(&right).unwrap(), &Options::default()).await;
    session.expect("the right password is taken").close().await;
    let role = format!("guarded_{}", database.name);
    database.execute(&format!("drop role \"{role}\"")).await;
}

#[test]
fn a_configuration_that_is_not_there_or_not_yaml() {
    let project = Project::with_one_table();
    let file = project.folder.join("liftlock.yml");
    fs::write(&file, "migrations: [\n").unwrap();
    project.says("", &VALIDATE, 2, &["config::", "liftlock.yml"]);
    fs::remove_file(&file).unwrap();
    project.says("", &["audit", "list", "--env", "production"], 2, &["config::not_found", "liftlock init"]);
    project.says("", &["--config", "other.yml", "validate"], 2, &["config::unreadable", "other.yml"]);
    assert!(!Path::new(&project.folder.join("migrations/.liftlock")).exists());
}

const PROMOTE: [&str; 4] = ["promote", "--to", "production", "--yes"];

/// A migration that leaves a line in `applied`, which has no key: applied twice would be two lines.
fn step(number: u32, sql: &str) -> (String, String) {
    let line = format!("insert into applied (note) values ('{number}') on conflict do nothing;");
    (format!("000{number}_step_safe.sql"), format!("{HEADER}{sql}\n{line}\n"))
}

/// A database with a table `applied`, and a project with these steps.
async fn with_steps(test: &str, steps: &[&str]) -> (TestDatabase, Project) {
    let database = support::database(test).await;
    database.execute("create table applied (note text); create table poles (id bigint)").await;
    let project = Project::new(&[]);
    for (sql, number) in steps.iter().zip(1..) {
        let (name, text) = step(number, sql);
        project.write(&name, text.as_bytes());
    }
    (database, project)
}

/// Every step was applied exactly once, and every event holds.
async fn all_applied_once(database: &TestDatabase, project: &Project, steps: usize) {
    let count = "select count(*) || ' of ' || count(distinct note) from applied";
    assert_eq!(database.text(count).await, format!("{steps} of {steps}"));
    project.says(database.url.expose(), &["audit", "verify", "--env", "production"], 0, &["the chain holds"]);
    project.says(database.url.expose(), &["status", "--to", "production"], 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_that_the_database_is_not_there() {
    let project = Project::with_one_table();
    let url = format!("postgres://joe:{PASSWORD}@127.0.0.1:9/app");
    for command in
        [&PROMOTE[..], &["plan", "--to", "prod"], &["status", "--to", "prod"], &["backup", "list", "--env", "prod"]]
    {
        project.says(&url, command, 3, &["postgres::unreachable", "127.0.0.1:9"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_read_is_refused_before_anything_is_done() {
    let (database, project) = with_steps("bad_reader", &["alter table poles add column height numeric;"]).await;
    let role = format!("reader_{}", database.name);
    database
        .execute(&format!("create role \"{role}\" login; grant select on all tables in schema public to \"{role}\""))
        .await;
    let url = database.url.expose().replace("postgres@", &format!("{role}@"));
    let said = project.says(&url, &PROMOTE, 1, &["grant"]);
    assert!(said.contains(&role), "{said}");
    let made = "select count(*)::text from pg_namespace where nspname = 'liftlock'";
    assert_eq!(database.text(made).await, "0", "something was made");
    database.execute(&format!("alter role \"{role}\" set default_transaction_read_only = on")).await;
    project.says(&url, &PROMOTE, 1, &["can only read here"]);
    database.execute(&format!("drop owned by \"{role}\"; drop role \"{role}\"")).await;
    project.says(database.url.expose(), &PROMOTE, 0, &[]);
    all_applied_once(&database, &project, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_disappears_half_way_is_gone_on_with_when_it_is_back() {
    let slow = "select pg_sleep(case when (select count(*) from pg_stat_activity where application_name = 'wait') > 0 then 60 else 0 end);";
    let (database, project) = with_steps("bad_vanishing", &["alter table poles add column a text;", slow]).await;
    let address = Address::parse(&support::sandbox().url("postgres")).unwrap();
    let options = Options { application_name: "wait".to_owned(), ..Options::default() };
    let waiting = postgres::connect(&address, &options).await.unwrap();
    let child = project
        .command(&PROMOTE)
        .env("URL", database.url.expose())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    let asleep = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and query like '%pg_sleep%' and state = 'active'",
        database.name
    );
    let mut seen = 0_i64;
    for _ in 0..600 {
        seen = waiting.query_one(&asleep, &[]).await.unwrap().get(0);
        if seen > 0 {
            break;
        }
        time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen > 0, "the second step never began");
    let name = &database.name;
    let vanish = format!(
        "alter database \"{name}\" allow_connections false;
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    );
    waiting.batch_execute(&vanish).await.unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{said}");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("0001_step_safe") && flat.contains("liftlock promote --to production"), "{said}");
    waiting.batch_execute(&format!("alter database \"{name}\" allow_connections true")).await.unwrap();
    waiting.close().await;
    project.says(database.url.expose(), &PROMOTE, 0, &["going on"]);
    all_applied_once(&database, &project, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_it_half_way_and_room_lets_it_go_on() {
    let steps =
        ["alter table applied add column at timestamptz;", "insert into poles (id) values (1) on conflict do nothing;"];
    let (database, project) = with_steps("bad_disk", &steps).await;
    // Whoever extends the table's file is told that no space is left on the device.
    let file =
        support::sandbox().folder().join("data").join(database.text("select pg_relation_filepath('poles')").await);
    database.execute("checkpoint").await;
    fs::remove_file(&file).unwrap();
    symlink("/dev/full", &file).unwrap();
    let words = ["No space left on device", "0001_step_safe", "liftlock promote --to production"];
    project.says(database.url.expose(), &PROMOTE, 4, &words);
    let owner = fs::metadata(file.parent().unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    project.says(database.url.expose(), &PROMOTE, 0, &[]);
    assert_eq!(database.text("select count(*)::text from poles").await, "1");
    all_applied_once(&database, &project, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_any_time_ends_it_and_the_same_command_goes_on() {
    let steps: Vec<String> = (0..4).map(|it| format!("create table made_{it} (id bigint primary key);")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let mut codes = Vec::new();
    for lines in [0, 2, 5, 8, 11, 14] {
        let (database, project) = with_steps("bad_ctrl_c", &steps).await;
        let mut command = project.command(&PROMOTE);
        command.env("URL", database.url.expose()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut heard: Vec<String> = said.by_ref().take(lines).map(Result::unwrap).collect();
        signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        heard.extend(said.map(Result::unwrap));
        let code = child.wait().unwrap().code();
        let heard = heard.join("\n");
        // Before it has looked at its arguments, the signal ends it as it ends any process.
        let unborn = lines == 0 && code.is_none();
        assert!(unborn || matches!(code, Some(0 | 3 | 4)), "{code:?} after {lines} lines:\n{heard}");
        assert!(unborn || code == Some(0) || heard.contains("liftlock promote --to production"), "{heard}");
        codes.push(code);
        project.says(database.url.expose(), &PROMOTE, 0, &[]);
        all_applied_once(&database, &project, 4).await;
    }
    assert!(codes.contains(&Some(4)), "never stopped half-way: {codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_webhook_holds_nothing_up_and_loses_nothing() {
    let (database, project) = with_steps("bad_webhook", &["alter table poles add column a text;"]).await;
    let audit = "audit: { webhook: \"${HOOK}\", secret: \"${SECRET}\" }\n";
    project.configure(&format!("environments:\n  production: {{ database: \"${{URL}}\" }}\n{audit}"));
    let run = |arguments: &[&str], hook: &str, exit, words: &[&str]| {
        let mut command = project.command(arguments);
        command.env("URL", database.url.expose()).env("SECRET", SECRET).env("HOOK", hook);
        check(&mut command, exit, words)
    };
    let dead = format!("http://127.0.0.1:9/{PASSWORD}");
    check(project.command(&PROMOTE).env("URL", database.url.expose()), 2, &["`HOOK`", "`SECRET`"]);
    run(&PROMOTE, &dead, 0, &["liftlock audit flush"]);
    run(&["audit", "flush", "--env", "production"], &dead, 3, &["nothing is lost"]);
    let receiver = Receiver::start(SECRET, &[]).await;
    run(&["audit", "flush", "--env", "production"], &receiver.url(), 0, &["0 waiting"]);
    let stored: Vec<String> = {
        let session = database.session().await;
        outbox::list(&*session).await.unwrap().into_iter().map(|it| it.body).collect()
    };
    assert_eq!(receiver.taken().into_iter().map(|it| it.body).collect::<Vec<_>>(), stored);
    assert!(stored.len() >= 4, "{stored:#?}");
}

#[test]
fn a_file_that_is_not_utf8_is_a_finding_with_its_place_and_the_others_are_judged() {
    let project = Project::new(&[
        ("0001_a_safe.sql", b"\xef\xbb\xbf-- caf\xe9\ncreate table t (id bigint primary key);\n"),
        ("0002_b_safe.sql", b"begin;\ncreate index i on t (id);\nselect '\xe9';\ncommit;\n"),
        ("0003_c_safe.sql", b"\xff\xfes\x00e\x00"),
        ("0004_d_safe.sql", b"truncate elsewhere;\n"),
    ]);
    let judged = |arguments: &[&str]| {
        let output = project.command(arguments).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let about = findings
            .filter(|it| it["message"].as_str().unwrap().contains("not UTF-8") || it["rule"] == "truncate-table");
        let told = about.map(|it| {
            let file = it["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            format!("{file}:{}:{} {}", it["line"], it["column"], it["rule"].as_str().unwrap())
        });
        told.collect::<Vec<_>>()
    };
    let expected = [
        "0001_a_safe.sql:1:7 unread-statement",
        "0002_b_safe.sql:3:9 unread-statement",
        "0003_c_safe.sql:1:1 unread-statement",
        "0004_d_safe.sql:1:10 truncate-table",
    ];
    assert_eq!(judged(&["validate", "--format", "json"]), expected);
    // What cannot be read is not written again.
    assert_eq!(judged(&["validate", "--fix", "--format", "json"]), expected);
    let bytes = fs::read(project.folder.join("migrations/0002_b_safe.sql")).unwrap();
    assert!(bytes.contains(&0xe9));
}

#[test]
fn the_time_for_a_file_grows_as_its_statements_do() {
    let many = "select 1;\n".repeat(200_000);
    let project = Project::new(&[("0001_many_safe.sql", many.as_bytes())]);
    let started = Instant::now();
    project.says("", &["validate", "--no-config", "migrations"], 0, &["200,000 statements read"]);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}: each statement looks at all others", started.elapsed());
}
