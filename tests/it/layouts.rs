//! Small whole projects of other tools under `fixtures/projects`: what is found in them, and what `validate` says.

use std::{fmt::Write, fs, process::Command};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::migration::{
    Migration,
    discover::{self, Folder},
    layout::{Applier, Asked},
};

/// The projects, by folder; `fibre` is the demo's and has tests of its own.
fn projects() -> Vec<(String, Utf8PathBuf)> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects");
    let folders = root.read_dir_utf8().unwrap().map(|it| it.unwrap().file_name().to_owned());
    let mut names = folders.filter(|it| it != "fibre").collect::<Vec<_>>();
    names.sort();
    let below = |name: &String| if name == "supabase" { "supabase/migrations".to_owned() } else { name.clone() };
    names.into_iter().map(|name| (format!("fixtures/projects/{}", below(&name)), root.join(below(&name)))).collect()
}

fn seen(root: &Utf8Path) -> (Folder, Vec<Migration>) {
    let folder = discover::whole(root, Asked { applier: Applier::Unknown, ..Asked::default() }).unwrap();
    (folder.clone(), folder.read().collect())
}

#[test]
fn each_project_is_read_as_its_tool_applies_it() {
    let mut text = String::new();
    for (name, root) in projects() {
        let (folder, migrations) = seen(&root);
        let found = &folder.found;
        writeln!(text, "{name}: {} ({}), {}", found.layout.tool.name(), found.by, found.layout.transactions.name())
            .unwrap();
        for migration in &migrations {
            let sent = migration.parts.iter().map(|it| format!("{} {:?}", it.first, it.sent)).collect::<Vec<_>>();
            let statements = migration.statements.len();
            writeln!(
                text,
                "  {}: {statements} statements, sent {}, down {:?}",
                migration.id,
                sent.join(", "),
                migration.down
            )
            .unwrap();
        }
        for (id, why) in &folder.left_out {
            writeln!(text, "  left out {id}: {why}").unwrap();
        }
        for note in &found.notes {
            writeln!(text, "  note {note}").unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

fn run(arguments: &[&str], folder: &Utf8Path) -> (i32, String) {
    let command = env!("CARGO_BIN_EXE_liftlock");
    let output = Command::new(command).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text)
}

#[test]
fn validate_judges_each_project_for_its_tool() {
    let mut text = String::new();
    for (name, _) in projects() {
        let (exit, said) = run(&["validate", "--no-config", &name], Utf8Path::new(env!("CARGO_MANIFEST_DIR")));
        writeln!(text, "$ liftlock validate --no-config {name}   # {exit}\n{said}").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_tool_can_be_named_and_its_transactions_set() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    fs::create_dir(root.join("m")).unwrap();
    fs::write(root.join("m/1_a_safe.sql"), "create table a (id bigint primary key);\ncreate table b (id bigint);\n")
        .unwrap();
    let index = "create index concurrently a_idx on a (id);\ncreate index concurrently b_idx on b (id);\n";
    fs::write(root.join("m/2_b_safe.sql"), index).unwrap();
    let judged = |layout: &str| {
        let config = format!("migrations: m\nenvironments:\n  dev: {{ database: \"${{DATABASE_URL}}\" }}\n{layout}");
        fs::write(root.join("liftlock.yml"), config).unwrap();
        let (exit, said) = run(&["validate", "--profile", "dev", "--format", "json", "m"], root);
        let fails = said.matches(r#""rule": "forbidden-in-transaction""#).count();
        (exit, fails, said.contains(r#""layouts""#))
    };
    assert_eq!(judged(""), (0, 0, true), "liftlock runs such a file statement by statement");
    assert_eq!(judged("layout: prisma\n"), (1, 2, true));
    assert_eq!(judged("layout: prisma\ntransactions: statement\n"), (0, 0, true));
    assert_eq!(judged("layout: drizzle\n"), (1, 2, true));
    assert_eq!(judged("layout: prisma\ntransactions: automatic\n"), (0, 0, true));
    assert_eq!(judged("layout: prism\n").0, 2);
}

/// A project whose migrations lie in `m`, with these files in it.
fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let config = "migrations: m\nenvironments:\n  dev: { database: \"${DATABASE_URL}\" }\n";
    for (path, text) in [("liftlock.yml", config)].iter().chain(files) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (folder, root)
}

fn files(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
    let mut all = entries.flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] }).collect::<Vec<_>>();
    all.sort();
    all
}

/// The tool, what its folder holds, and what `new` adds to it.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn new_writes_what_the_tool_wants() {
    const UP: &str = "create table a (id bigint primary key);\n";
    let cases: [Case; 7] = [
        (
            "prisma",
            &[("m/migration_lock.toml", ""), ("m/20260101120000_a/migration.sql", UP)],
            &["T_b_safe/migration.sql"],
        ),
        ("diesel", &[("m/2026-01-01-120000_a/up.sql", UP)], &["D_b_safe/down.sql", "D_b_safe/up.sql"]),
        (
            "golang-migrate",
            &[("m/000007_a.up.sql", UP), ("m/000007_a.down.sql", "")],
            &["000008_b_safe.down.sql", "000008_b_safe.up.sql"],
        ),
        ("goose", &[("m/00001_a.sql", "-- +goose Up\n")], &["00002_b_safe.sql"]),
        ("dbmate", &[("m/20260101120000_a.sql", "-- migrate:up\n")], &["T_b_safe.sql"]),
        ("flyway", &[("m/V7__a.sql", UP)], &["V8__b_safe.sql"]),
        ("numbered", &[("m/20260101120000_a_safe.sql", UP)], &["T_b_safe.sql"]),
    ];
    for (tool, given, expected) in cases {
        let (_folder, root) = project(given);
        let (exit, said) = run(&["new", "b", "--kind", "table"], &root);
        assert_eq!(exit, 0, "{tool}: {said}");
        let before = given.iter().map(|(path, _)| root.join(path)).collect::<Vec<_>>();
        let new = files(&root.join("m")).into_iter().filter(|it| !before.contains(it)).collect::<Vec<_>>();
        let name = |it: &Utf8PathBuf| {
            let id = it.strip_prefix(root.join("m")).unwrap().as_str().to_owned();
            let digits = id.bytes().take_while(|it| it.is_ascii_digit() || *it == b'-').count();
            match digits {
                14 => format!("T{}", &id[14..]),
                17 => format!("D{}", &id[17..]),
                _ => id,
            }
        };
        assert_eq!(new.iter().map(name).collect::<Vec<_>>(), expected, "{tool}");
        let (_, migrations) = seen(&root.join("m"));
        let last = migrations.last().unwrap();
        assert!(last.name.ends_with("b_safe"), "{tool}: {} is the last", last.name);
        assert!(last.statements.len() >= 2, "{tool}: {}", last.text);
        let (exit, said) = run(&["validate", "m"], &root);
        assert!(exit < 2, "{tool}: {said}");
    }
}

#[test]
fn new_leaves_drizzle_its_journal() {
    let journal = r#"{ "entries": [{ "idx": 0, "when": 1, "tag": "0000_a" }] }"#;
    let (_folder, root) = project(&[("m/meta/_journal.json", journal), ("m/0000_a.sql", "select 1;")]);
    let (exit, said) = run(&["new", "b"], &root);
    assert_eq!(exit, 2, "{said}");
    assert!(said.contains("new::journal") && said.contains("drizzle-kit generate --custom --name=b"), "{said}");
    assert_eq!(files(&root.join("m")).len(), 2);
}
