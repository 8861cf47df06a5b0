//! The Action, the workflows and every script, before anything of them runs: other people's judges find nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::tools::{output, python_tool, tool};

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

#[test]
fn the_workflows_are_what_the_published_schema_says() {
    output(python_tool("check-jsonschema").args(["--builtin-schema", "vendor.github-workflows"]).args(workflows()));
}

#[test]
fn githubs_own_language_service_has_no_complaint() {
    let found = output(Command::new("node").arg(tool("syntax.cjs")).args(workflows()));
    assert_eq!(found, "");
}

#[test]
fn zizmor_finds_nothing_even_when_it_is_pedantic() {
    let mut judge = python_tool("zizmor");
    judge.current_dir(project()).args(["--offline", "--persona=pedantic", "--no-progress", "--quiet"]);
    // Leaves with another number than 0 for any finding.
    output(judge.arg(".github"));
}
