//! Everything that a user, a disk or a network can get wrong, through the real binary: the exit code, a code and
//! help in the message, no password in it, and nothing lost.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    secret::Secret,
    services::postgres::{self, Address, Options},
};
use tokio::time;

use crate::support::{self, TestDatabase};

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
        assert!(output.stdout.is_empty(), "an error is no data: {command:?}\n{said}");
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
    project.says("", &VALIDATE, 2, &["migration::not_utf8", "0001_poles_safe.sql", "on line 6"]);
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(TABLE.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    Project::new(&[("0001_poles_safe.sql", &wide)]).says("", &VALIDATE, 2, &["migration::not_utf8", "UTF-16"]);
}

#[test]
fn a_file_of_50_megabytes() {
    let large = TABLE.repeat(50_000_000 / TABLE.len() + 1);
    let project = Project::new(&[("0001_poles_safe.sql", large.as_bytes())]);
    project.says("", &VALIDATE, 2, &["migration::too_large", "50 MB", "the limit is 16 MB"]);
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
