//! The Action, the workflows and every script, before anything of them runs: other people's judges find nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use tempfile::TempDir;

use crate::support::{
    liftlock,
    tools::{output, python_tool, tool},
};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the project that the condition takes, in order.
fn files(folder: &str, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![project().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() && !path.ends_with("node_modules") {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn workflows() -> Vec<PathBuf> {
    files(".github/workflows", &|path| path.extension().is_some_and(|it| it == "yml"))
}

/// What begins like a shell script, whatever its name ends with.
fn scripts() -> Vec<PathBuf> {
    let shell = |path: &Path| {
        let begin = fs::read(path).unwrap_or_default();
        let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.starts_with(b"#!") && line.ends_with(b"sh")
    };
    [".ci", ".github", "src", "tests"].iter().flat_map(|folder| files(folder, &shell)).collect()
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let scripts = scripts();
    assert!(scripts.len() >= 3, "{scripts:?}");
    output(python_tool("shellcheck").args(["--severity=style", "--external-sources"]).args(scripts));
}

/// The workflows that `liftlock init --github` writes, in a project of their own.
fn callers() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let action = "acme/liftlock@0123456789abcdef0123456789abcdef01234567";
    output(liftlock().current_dir(folder.path()).args(["init", "--github", "--action", action]));
    let workflows = folder.path().join(".github/workflows");
    let names = ["liftlock-migrate.yml", "liftlock-promote.yml", "liftlock-validate.yml"];
    let callers = names.map(|name| workflows.join(name)).to_vec();
    assert_eq!(fs::read_dir(workflows).unwrap().count(), callers.len());
    (folder, callers)
}

#[test]
fn workflows_and_action_are_what_the_published_schemas_say() {
    let (_folder, callers) = callers();
    for (schema, files) in [
        ("vendor.github-workflows", [workflows(), callers].concat()),
        ("vendor.github-actions", vec![project().join("action.yml")]),
    ] {
        output(python_tool("check-jsonschema").args(["--builtin-schema", schema]).args(files));
    }
}

#[test]
fn githubs_own_language_service_has_no_complaint() {
    let (_folder, callers) = callers();
    let found = output(Command::new("node").arg(tool("syntax.cjs")).args(workflows()).args(callers));
    assert_eq!(found, "");
}

#[test]
fn zizmor_finds_nothing_even_when_it_is_pedantic() {
    let (folder, _) = callers();
    for place in [project(), folder.path()] {
        let mut judge = python_tool("zizmor");
        judge.current_dir(place).args(["--offline", "--persona=pedantic", "--no-progress", "--quiet"]);
        // Leaves with another number than 0 for any finding.
        output(judge.args(["--strict-collection", "."]));
    }
}

/// What is wrong with a workflow's or the action's text, beyond what those judges look at.
fn wrong(text: &str) -> Vec<String> {
    let pinned = Regex::new(r"^(\$/|\S+@[0-9a-f]{40} # v\d\S*)$").unwrap();
    let mut wrong = Vec::new();
    let mut run = None;
    for line in text.lines().filter(|it| !it.trim_start().starts_with('#')) {
        if line.contains("pull_request_target") {
            wrong.push(format!("a fork's files would get a token that can write: {line}"));
        }
        // Of the key, not of the dash before it.
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        if run.is_some_and(|run| indent <= run && !line.trim().is_empty()) {
            run = None;
        }
        let line = line.trim_start().trim_start_matches("- ");
        if line.starts_with("run:") {
            run = Some(indent);
        }
        if run.is_some() && line.contains("${{") {
            wrong.push(format!("a script must read inputs from its environment: {line}"));
        }
        if run.is_some() && (line.contains("GITHUB_PATH") || line.contains("GITHUB_ENV")) {
            wrong.push(format!("later steps must not be changed: {line}"));
        }
        if let Some(uses) = line.strip_prefix("uses: ")
            && !pinned.is_match(uses)
        {
            wrong.push(format!("not pinned: {line}"));
        }
    }
    wrong
}

#[test]
fn what_is_shipped_is_pinned_and_takes_inputs_from_the_environment_only() {
    for (text, complaints) in [
        ("- uses: a/b@v1", 1),
        ("- uses: a/b@0123456789abcdef0123456789abcdef01234567", 1),
        ("- uses: a/b@0123456789abcdef0123456789abcdef01234567 # v1.2", 0),
        ("- uses: $/", 0),
        ("- run: echo ${{ inputs.x }}", 1),
        ("- run: |\n    true\n    echo ${{ inputs.x }}\n  env:\n    X: ${{ inputs.x }}", 1),
        ("- env:\n    X: ${{ inputs.x }}\n  run: echo $X", 0),
        ("- run: echo x >> $GITHUB_PATH", 1),
        ("on:\n  pull_request_target:", 1),
    ] {
        assert_eq!(wrong(text).len(), complaints, "{text}: {:?}", wrong(text));
    }
    let (_folder, callers) = callers();
    for path in workflows().into_iter().chain(callers).chain([project().join("action.yml")]) {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(wrong(&text), Vec::<String>::new(), "{}", path.display());
        if !path.ends_with("action.yml") {
            assert!(text.contains("\npermissions: {}\n"), "{} gives every job more than it needs", path.display());
        }
    }
}

#[test]
fn every_job_that_runs_has_an_end() {
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("runs-on: "), count("timeout-minutes: "), "{}", path.display());
    }
}

/// `act` does not know these yet, so its copies go without; what is shipped must not.
#[test]
fn what_act_cannot_read_is_in_the_workflows_all_the_same() {
    for (name, expected) in [
        ("validate.yml", &["uses: $/\n"][..]),
        ("migrate.yml", &["uses: $/\n", "cancel-in-progress: false\n      queue: max\n"]),
        (
            "promote-to-prod.yml",
            &[
                "uses: $/\n",
                "group: promote-production\n      cancel-in-progress: false\n      queue: max\n",
                "deployment: false\n",
                "environment: production\n",
            ],
        ),
    ] {
        let text = fs::read_to_string(project().join(".github/workflows").join(name)).unwrap();
        for expected in expected {
            assert!(text.contains(expected), "{name} has lost `{expected}`");
        }
    }
}
