//! How `liftlock validate` fits in: severities of the configuration, formats, stdin, baseline, only what changed.

use std::{fs, process::Command};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::support;

/// A header that every rule is content with.
pub const HEADER: &str = "-- Description: a test\n-- Created: 2026-01-31\n-- Type: schema_safe\n-- Rollback: orders\n";

/// A folder with migrations, in which liftlock is run.
pub struct Project {
    folder: tempfile::TempDir,
}

pub struct Run {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    pub fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.root().join(name)
    }

    /// Migrations get a header.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let header = if name.ends_with(".sql") { HEADER } else { "" };
        fs::write(path, format!("{header}{text}")).unwrap();
    }

    pub fn liftlock(&self, arguments: &[&str]) -> Command {
        let mut command = support::liftlock();
        command.args(arguments).arg("--no-color").current_dir(self.root());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.liftlock(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { exit: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// `severity rule` of each unwaived finding, in order.
    pub fn found(&self, arguments: &[&str]) -> Vec<String> {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        assert!(run.exit == 0 || run.exit == 1, "{}", run.stderr);
        let json = serde_json::from_str::<Value>(&run.stdout).unwrap();
        let findings = json["findings"].as_array().unwrap().iter().filter(|it| it["waived"] == false);
        let shown = findings.map(|it| format!("{} {}", it["severity"].as_str().unwrap(), it["rule"].as_str().unwrap()));
        shown.collect()
    }
}

pub const CREATE: (&str, &str) = ("m/0001_create_safe.sql", "create table orders (id bigint primary key, note text);");
pub const INDEX: (&str, &str) = ("m/0002_index_safe.sql", "create index orders_note_idx on orders (note);");

/// A configuration for `m`, with more keys.
pub fn config(more: &str) -> String {
    format!("migrations: m\nenvironments:\n  dev: {{ database: \"${{NOT_SET}}\", profile: dev }}\n{more}")
}

#[test]
fn the_configuration_says_how_severe_rules_are() {
    for (rules, arguments, expected, exit) in [
        ("", &["validate", INDEX.0][..], &["error index-without-concurrently"][..], 1),
        (
            "rules: { index-without-concurrently: warning }",
            &["validate", INDEX.0],
            &["warning index-without-concurrently"],
            0,
        ),
        ("rules: { index-without-concurrently: off }", &["validate", INDEX.0], &[], 0),
        (
            "rules: { index-without-concurrently: { dev: off } }",
            &["validate", INDEX.0],
            &["error index-without-concurrently"],
            1,
        ),
        ("rules: { index-without-concurrently: { dev: off } }", &["validate", "--to", "dev", INDEX.0], &[], 0),
        (
            "rules: { index-without-concurrently: { dev: off } }",
            &["validate", "--no-config", INDEX.0],
            &["error index-without-concurrently"],
            1,
        ),
    ] {
        let project = Project::new(&[CREATE, INDEX, ("liftlock.yml", &config(rules))]);
        assert_eq!(project.found(arguments), expected, "{rules} {arguments:?}");
        assert_eq!(project.run(arguments).exit, exit, "{rules} {arguments:?}");
    }
}

#[test]
fn a_waiver_of_a_rule_that_is_off_is_not_useless() {
    let waived = "-- liftlock: allow index-without-concurrently because it is small\n";
    let index = format!("{waived}{}", INDEX.1);
    let rules = config("rules: { index-without-concurrently: off }");
    let project = Project::new(&[CREATE, (INDEX.0, &index), ("liftlock.yml", &rules)]);
    assert_eq!(project.found(&["validate", INDEX.0]), [""; 0]);
}

#[test]
fn rules_that_are_none_and_gates_that_would_open_are_refused_at_their_lines() {
    for (rules, code, said) in [
        ("rules: { drop-tabel: off }", "config::unknown_rule", "did you mean `drop-table`?"),
        ("rules: { own-transaction: warning }", "config::gate", "{ dev: warning }"),
        ("rules: { drop-table: of }", "config::wrong_value", "did you mean `off`?"),
    ] {
        let project = Project::new(&[CREATE, ("liftlock.yml", &config(rules))]);
        let run = project.run(&["validate"]);
        assert_eq!(run.exit, 2, "{rules}: {}", run.stderr);
        for part in [code, said, "liftlock.yml:4:"] {
            assert!(run.stderr.contains(part), "{rules}: {part}: {}", run.stderr);
        }
    }
}
