//! `liftlock validate` and `liftlock rules` as typed: what is judged, what is history, how it ends.

use std::fs;

use camino::Utf8Path;
use serde_json::Value;

use crate::support;

/// A header that every rule is content with.
const HEADER: &str = "-- Description: a test\n-- Created: 2026-01-31\n-- Type: schema_safe\n-- Rollback: orders\n";

struct Run {
    exit: i32,
    stdout: String,
    stderr: String,
}

/// Writes files into a folder of their own, with a header each, and runs liftlock there.
fn run(files: &[(&str, &str)], arguments: &[&str]) -> (tempfile::TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let header = if name.ends_with(".sql") { HEADER } else { "" };
        fs::write(path, format!("{header}{text}")).unwrap();
    }
    let output = support::liftlock().args(arguments).arg("--no-color").current_dir(root).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let run = Run { exit: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) };
    (folder, run)
}

/// `file:line rule` of each unwaived finding, in order.
fn found(files: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let all = [arguments, &["--format", "json"]].concat();
    let (_folder, run) = run(files, &all);
    assert!(run.exit == 0 || run.exit == 1, "{}", run.stderr);
    let json = serde_json::from_str::<Value>(&run.stdout).unwrap();
    assert_eq!(json["verdict"], if run.exit == 0 { "pass" } else { "fail" });
    assert_eq!(json["version"], 1);
    let findings = json["findings"].as_array().unwrap().iter().filter(|it| it["waived"] == false);
    findings
        .map(|it| format!("{}:{} {}", it["file"].as_str().unwrap(), it["line"], it["rule"].as_str().unwrap()))
        .collect()
}

const CREATE: (&str, &str) = ("m/0001_create_safe.sql", "create table orders (id bigint primary key, note text);");
const INDEX: (&str, &str) = ("m/0002_index_safe.sql", "create index orders_note_idx on orders (note);");
const DROP: (&str, &str) = ("m/0003_drop_safe.sql", "alter table orders drop column note;");
const LATER: (&str, &str) = ("m/0004_broken.sql", "frobnicate;");

#[test]
fn files_before_the_named_ones_are_history_and_later_ones_are_not_looked_at() {
    let files = [CREATE, INDEX, DROP, LATER];
    let cases: &[(&[&str], &[&str])] = &[
        // Together they are one release, so the table is new.
        (&["m/0001_create_safe.sql", "m/0002_index_safe.sql", "m/0003_drop_safe.sql"], &[]),
        (&["m/0001_create_safe.sql"], &[]),
        (&["m/0002_index_safe.sql"], &["m/0002_index_safe.sql:5 index-without-concurrently"]),
        (&["m/0003_drop_safe.sql"], &["m/0003_drop_safe.sql:5 drop-column"]),
        // Named out of order and twice; what lies between is history.
        (&["m/0003_drop_safe.sql", "m/0001_create_safe.sql", "m/0003_drop_safe.sql"], &[]),
        (&["m"], &["m/0004_broken.sql:5 unread-statement"]),
    ];
    for (paths, expected) in cases {
        let arguments = [&["validate", "--no-config"], *paths].concat();
        assert_eq!(found(&files, &arguments), *expected, "{paths:?}");
    }
}

#[test]
fn each_folder_is_a_history_of_its_own() {
    let files = [
        ("a/0001_create_safe.sql", "create table orders (id bigint primary key);"),
        ("b/0001_index_safe.sql", "create index orders_id_idx on orders (id);"),
    ];
    let expected = ["b/0001_index_safe.sql:5 index-without-concurrently"];
    assert_eq!(found(&files, &["validate", "--no-config", "a", "b"]), expected);
    assert_eq!(found(&files, &["validate", "--no-config", "a/0001_create_safe.sql", "b"]), expected);
}

#[test]
fn a_folder_for_each_migration_is_one_history() {
    let files = [
        ("m/20260101_create_safe/migration.sql", "create table orders (id bigint primary key, note text);"),
        ("m/20260102_index_safe/migration.sql", "create index orders_note_idx on orders (note);"),
    ];
    let expected = ["m/20260102_index_safe/migration.sql:5 index-without-concurrently"];
    assert_eq!(found(&files, &["validate", "--no-config", "m/20260102_index_safe"]), expected);
    assert_eq!(found(&files, &["validate", "--no-config", "m/20260102_index_safe/migration.sql"]), expected);
    assert_eq!(found(&files, &["validate", "--no-config", "m"]), [""; 0]);
}

#[test]
fn profiles_differ_in_how_severe_conventions_and_unread_statements_are() {
    let files = [("m/0001_unread.sql", "frobnicate;")];
    for (profile, expected) in [("production", 1), ("staging", 1), ("dev", 0)] {
        let (_folder, run) = run(&files, &["validate", "--no-config", "--profile", profile, "m"]);
        assert_eq!(run.exit, expected, "{profile}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("unread-statement"), "{profile}: {}", run.stdout);
    }
}

const CONFIG: (&str, &str) = (
    "liftlock.yml",
    "migrations: m\nenvironments:\n  dev: { database: \"${NOT_SET}\", profile: dev }\n  \
     production: { database: \"${NOT_SET}\", profile: production }\nconfig_tables: [site_settings]\n",
);

#[test]
fn the_configuration_says_where_migrations_are_and_how_severe() {
    let files = [CONFIG, CREATE, ("m/0005_unread_safe.sql", "frobnicate;")];
    for (arguments, expected) in
        [(&["validate"][..], 1), (&["validate", "--to", "prod"], 1), (&["validate", "--to", "dev"], 0)]
    {
        let (_folder, run) = run(&files, arguments);
        assert_eq!(run.exit, expected, "{arguments:?}: {}{}", run.stdout, run.stderr);
    }
    let settings = ("m/0006_theme_safe.sql", "update site_settings set value = 'x' where name = 'theme';");
    assert_eq!(found(&[CONFIG, settings], &["validate"]), [""; 0]);
    let expected = ["m/0006_theme_safe.sql:5 update-outside-config-tables"];
    assert_eq!(found(&[CONFIG, settings], &["validate", "--no-config", "m"]), expected);
}

#[test]
fn a_hotfix_lifts_what_may_be_lifted_and_says_so() {
    let files = [CREATE, INDEX, DROP];
    let arguments = [
        "validate",
        "--no-config",
        "--type",
        "hotfix",
        "--format",
        "json",
        "m/0002_index_safe.sql",
        "m/0003_drop_safe.sql",
    ];
    let (_folder, run) = run(&files, &arguments);
    let json = serde_json::from_str::<Value>(&run.stdout).unwrap();
    let waived = json["findings"].as_array().unwrap().iter().map(|it| (it["rule"].clone(), it["waived"].clone()));
    let expected = [("index-without-concurrently".into(), true.into()), ("drop-column".into(), false.into())];
    assert_eq!(waived.collect::<Vec<(Value, Value)>>(), expected);
    assert_eq!(run.exit, 1);
}

#[test]
fn wrong_calls_are_refused_with_what_to_do() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["validate"], "validate::nothing_named", "liftlock init"),
        (&["validate", "--no-config"], "validate::nothing_named", "liftlock validate path"),
        (&["validate", "--no-config", "nowhere"], "validate::not_found", "name a migration"),
        (&["validate", "--no-config", "--to", "prod", "m"], "environment_without_configuration", "--profile"),
        (&["validate", "--to", "prod", "m"], "config::not_found", "liftlock init"),
        (&["validate", "empty"], "migration::none", "liftlock new"),
        (&["rules", "drop-tabel"], "rules::unknown", "did you mean `drop-table`?"),
        (&["rules", "index-without"], "rules::unknown", "there is `drop-index-without-concurrently`"),
        (&["rules", "xyzzy"], "rules::unknown", "liftlock rules"),
    ];
    for (arguments, code, help) in cases {
        let (_folder, run) = run(&[CREATE, ("empty/readme.txt", "")], arguments);
        assert_eq!(run.exit, 2, "{arguments:?}: {}", run.stderr);
        let words = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(code) && words.contains(help), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_credential_is_found_and_never_shown() {
    let secret = "correct-horse-battery";
    let text = format!("-- postgres://app:{secret}@db/app\ncreate role r password '{secret}';");
    for format in ["text", "json", "markdown"] {
        let arguments = ["validate", "--no-config", "--format", format, "--save", "out.json", "m"];
        let (folder, run) = run(&[("m/0001_role_safe.sql", &text)], &arguments);
        let saved = fs::read_to_string(folder.path().join("out.json")).unwrap();
        assert!(run.stdout.contains("credentials-in-text") && saved.contains("credentials-in-text"), "{}", run.stdout);
        assert!(!format!("{}{}{saved}", run.stdout, run.stderr).contains(secret), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn every_rule_can_be_read_about() {
    let (_folder, all) = run(&[], &["rules"]);
    assert_eq!(all.exit, 0);
    for rule in liftlock::lint::rules::ALL {
        assert!(all.stdout.contains(rule.name), "{}", rule.name);
    }
    let (_folder, one) = run(&[], &["rules", "drop-column"]);
    assert_eq!(one.exit, 0);
    for part in ["loses", "error in production", "allow drop-column because", "alter table orders drop column note;"] {
        assert!(one.stdout.contains(part), "{part}: {}", one.stdout);
    }
}

#[test]
fn a_temporary_table_is_gone_in_the_next_migration() {
    let files = [
        ("m/0001_create_safe.sql", "create table orders (id bigint primary key);"),
        ("m/0002_copy_safe.sql", "create temp table orders (id bigint);"),
        ("m/0003_drop_safe.sql", "drop table orders;"),
    ];
    let arguments = ["validate", "--no-config", "m/0002_copy_safe.sql", "m/0003_drop_safe.sql"];
    assert_eq!(found(&files, &arguments), ["m/0003_drop_safe.sql:5 drop-table"]);
}

#[test]
fn from_which_findings_on_the_answer_is_no_can_be_said() {
    // Whether a file brings an error, a warning, or nothing.
    let error = ("m/0002_drop_safe.sql", "drop table orders;");
    let warning = ("m/0002_nothing_safe.sql", "");
    let nothing = ("m/0002_column_safe.sql", "alter table orders add column colour text;");
    for (file, level, expected, said) in [
        (error, "error", 1, "liftlock rules drop-table"),
        (error, "warning", 1, "liftlock rules drop-table"),
        (error, "never", 0, "--fail-on never"),
        (warning, "error", 0, "warning"),
        (warning, "warning", 1, "--fail-on warning"),
        (warning, "never", 0, "warning"),
        (nothing, "warning", 0, "nothing found"),
    ] {
        let (_folder, run) = run(&[CREATE, file], &["validate", "--no-config", "--fail-on", level, file.0]);
        assert!(run.exit == expected && run.stdout.contains(said), "{file:?} {level}: {}\n{}", run.exit, run.stdout);
    }
}
