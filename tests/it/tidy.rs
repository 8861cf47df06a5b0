//! Reads the sources and holds them to the map in `src/lib.rs`: who may use whom, which crate is named where, what
//! files look like. Every check is shown to fail, too.

use std::{collections::BTreeSet, fs, path::Path};

use liftlock::{
    lint::{self, fixes::amend},
    migration, sql,
};

/// A source file: its path below the project, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// Modules and those that they may use, besides themselves. Arrows point down only.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", &["cli", "commands"]),
    ("lib", &[]),
    // Runs before the compiler; no module of the crate.
    ("build", &[]),
    ("cli", &["config", "migration"]),
    (
        "commands",
        &[
            "cli",
            "promote",
            "sync",
            "services",
            "lint",
            "catalog",
            "migration",
            "sql",
            "report",
            "config",
            "secret",
            "exit",
            "error",
        ],
    ),
    ("promote", &["sync", "services", "lint", "catalog", "migration", "sql", "report", "config", "secret", "exit"]),
    ("sync", &["services", "sql", "report", "config", "secret", "exit"]),
    ("services", &["catalog", "migration", "sql", "report", "config", "secret", "exit"]),
    ("lint", &["catalog", "migration", "sql", "report", "config", "exit"]),
    ("catalog", &["sql", "exit"]),
    ("migration", &["sql", "exit"]),
    ("sql", &[]),
    ("report", &["sql", "exit"]),
    ("config", &["migration", "report", "secret", "exit"]),
    ("secret", &[]),
    ("exit", &[]),
    // Part of the shell: `Error` gathers the errors of all modules, and nothing else; see `more_than_errors`.
    ("error", &["catalog", "config", "migration", "promote", "sync", "services", "lint", "commands", "exit"]),
];

/// Crates and where they may be named, as beginnings of paths below `src/`.
const CRATES: &[(&str, &[&str])] = &[
    ("sqlparser", &["sql/"]),
    ("tokio_postgres", &["services/postgres.rs", "promote/apply.rs", "sync/source.rs"]),
    ("reqwest", &["services/"]),
    ("octocrab", &["services/forge/github.rs"]),
    ("clap", &["cli.rs", "cli/", "main.rs"]),
    ("serde_yaml", &["config.rs", "config/"]),
    ("walkdir", &["migration/discover.rs"]),
    ("similar", &["report/"]),
    ("indicatif", &["commands/progress.rs"]),
    ("hmac", &["services/webhook/"]),
    ("axum", &["commands/demo"]),
    ("rustls", &["services/"]),
    ("nix", &["services/", "commands/"]),
];

/// Modules without I/O, clock and async, and what would betray one.
const PURE: &[&str] = &["lint", "catalog", "migration", "sql", "report", "config", "secret", "exit"];
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "tokio::", "async fn", "Instant::now", "Timestamp::now", "SystemTime"];
/// Files of pure modules that read files, as the map says.
const READERS: &[(&str, &str)] = &[
    ("migration/discover.rs", "a folder of migrations becomes texts here and nowhere else"),
    ("config.rs", "the configuration file becomes text here and nowhere else"),
];

/// Longer than this needs a reason.
const LONG: usize = 500;
const SHORT_AGAIN: usize = 400;
const LONG_FILES: &[(&str, &str)] = &[
    ("src/sql/scan.rs", "one scanner, exact to one lexer"),
    ("src/sql/lower.rs", "one match over the whole of sqlparser's tree"),
    ("src/services/mirror/local.rs", "one folder's format: reading, writing, recovering"),
];

/// In tests only: clippy refuses the first elsewhere, and the second is what proptest's macros are made for.
const GLOBS: &[&str] = &["use super::*;", "use proptest::prelude::*;"];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc", "data", "info"];

/// What may stand at the top: the project, and what tools demand by name.
const TOP: &[&str] = &[
    "Cargo.toml",
    "src",
    "action.yml",
    ".github",
    "fixtures",
    "tests",
    "README.md",
    "Cargo.lock",
    "LICENSE",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    ".ci",
    "benches",
    "fuzz",
    "rustfmt.toml",
    "clippy.toml",
    ".git",
    "target",
];

/// Pieces, so that this file does not name them itself.
const REGISTRIES: &[(&str, &str)] = &[
    ("registry.npmjs", ".org"),
    ("registry.yarnpkg", ".com"),
    ("pypi", ".org"),
    ("files.pythonhosted", ".org"),
    ("static.crates", ".io"),
    ("index.crates", ".io"),
    ("repo1.maven", ".org"),
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All text files below these folders of the project.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<_> = folders.iter().map(|folder| project().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(project()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn code() -> Vec<Source> {
    let found: Vec<Source> = sources(&["src"]).into_iter().filter(|it| it.path.ends_with(".rs")).collect();
    assert!(found.len() > 40, "only {} sources were found", found.len());
    found
}

/// The text without comment lines.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The part of a file that is not for its tests.
fn shipped(source: &Source) -> String {
    let text = if source.path.ends_with("/tests.rs") { "" } else { &source.text };
    without_comments(text).split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
}

/// `src/services/postgres/address.rs` → `services`
fn module(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

/// What a file uses of this crate: `crate::a::b`, `crate::{a, b::{c, d}}` → paths with their groups as written.
fn used(text: &str) -> Vec<String> {
    let text = without_comments(text);
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.push(rest.chars().take_while(|it| it.is_alphanumeric() || "_:".contains(*it)).collect()),
        }
    }
    found
}

/// The members of a group up to its closing brace; groups inside stay as they are.
fn members(group: &str) -> Vec<String> {
    let (mut found, mut member, mut depth) = (Vec::new(), String::new(), 0);
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(std::mem::take(&mut member)),
            _ => {
                depth += match character {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                member.push(character);
            }
        }
    }
    found.push(member);
    found.iter().map(|it| it.split_whitespace().collect::<String>()).filter(|it| !it.is_empty()).collect()
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

fn wrong_directions(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let own = module(&source.path);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == own) else {
            wrong.push(format!("{}: module `{own}` has no place in the layers", source.path));
            continue;
        };
        for path in used(&source.text) {
            let other = first(&path);
            if other != own && !allowed.contains(&other) {
                wrong.push(format!("{}: `{own}` must not use `crate::{path}`", source.path));
            }
        }
    }
    wrong
}

/// `error.rs` gathers errors: it may name nothing else of other modules.
fn more_than_errors(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path == "src/error.rs") {
        for path in used(&source.text) {
            let last = path.rsplit("::").next().unwrap_or(&path).trim_end_matches('}');
            let names_error = last.ends_with("Error") || last.ends_with("Errors") || path.contains('{');
            if !names_error && path != "exit::Exit" {
                wrong.push(format!("src/error.rs: `{path}` is not an error"));
            }
        }
    }
    wrong
}

fn misplaced_crates(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let below = source.path.strip_prefix("src/").unwrap_or(&source.path);
        let text = shipped(source);
        for (name, places) in CRATES {
            if names_crate(&text, name) && !places.iter().any(|place| below.starts_with(place)) {
                wrong.push(format!("{}: `{name}` may be named only in {}", source.path, places.join(", ")));
            }
        }
        let has_errors = text.contains("Diagnostic)]") || text.contains("Diagnostic,");
        if names_crate(&text, "miette") && !has_errors && below != "report/text.rs" && !below.starts_with("config/") {
            wrong.push(format!("{}: `miette` is for error enums and report/text.rs", source.path));
        }
    }
    wrong
}

fn names_crate(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        let starts = before.is_none_or(|it| !(it.is_alphanumeric() || it == '_' || it == ':' || it == '.'));
        starts && (after.starts_with("::") || (after.starts_with(';') && text[..at].ends_with("use ")))
    })
}

fn impure(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let below = source.path.strip_prefix("src/").unwrap_or(&source.path);
        if !PURE.contains(&module(&source.path)) || READERS.iter().any(|(file, _)| *file == below) {
            continue;
        }
        let text = shipped(source);
        for sign in IMPURE.iter().filter(|sign| text.contains(**sign)) {
            wrong.push(format!("{}: pure, and has `{sign}`", source.path));
        }
    }
    wrong
}

fn ill_formed(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{}: does not begin with what it is for (`//! …`)", source.path));
        }
        if EMPTY_NAMES.contains(&stem) {
            wrong.push(format!("{}: `{stem}` says nothing", source.path));
        }
        let lines = source.text.lines().count();
        let listed = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > LONG && !listed && !source.path.starts_with("tests/") {
            wrong.push(format!("{}: {lines} lines are two things; split it, or list it with a reason", source.path));
        }
        if lines <= SHORT_AGAIN && listed {
            wrong.push(format!("{}: is not long any more; take it off the list", source.path));
        }
        for line in without_comments(&source.text).lines() {
            let line = line.trim();
            let glob = (line.starts_with("use ") || line.starts_with("pub use ")) && line.ends_with("::*;");
            if glob && !GLOBS.contains(&line) {
                wrong.push(format!("{}: `{line}` hides where names come from", source.path));
            }
        }
    }
    wrong
}

fn outside_names(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        for (host, end) in REGISTRIES {
            if source.text.contains(&format!("{host}{end}")) {
                wrong.push(format!("{}: names the registry {host}{end}; clients know theirs", source.path));
            }
        }
    }
    wrong
}

fn unregistered(rules: &[String], list: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in rules {
        let declared = list.lines().any(|line| line.trim_start_matches("pub ").trim() == format!("mod {rule};"));
        if !declared || !list.contains(&format!("{rule}::RULE")) {
            wrong.push(format!("src/lint/rules/{rule}.rs is not in the list of src/lint/rules/mod.rs"));
        }
    }
    wrong
}

fn check(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A made-up file must be complained about, with these words.
fn complains(judge: fn(&[Source]) -> Vec<String>, path: &str, text: &str, expected: Option<&str>) {
    let wrong = judge(&[Source { path: path.to_owned(), text: text.to_owned() }]);
    match expected {
        None => assert!(wrong.is_empty(), "{path}: {text}: {wrong:?}"),
        Some(words) => assert!(wrong.iter().any(|it| it.contains(words)), "{path}: {text}: {wrong:?}"),
    }
}

#[test]
fn modules_use_only_what_is_below_them() {
    for (path, text, expected) in [
        ("src/sql/scan.rs", "use crate::lint::Rule;", Some("must not use `crate::lint::Rule`")),
        ("src/sql/scan.rs", "use super::Span;", None),
        ("src/sql/scan.rs", "// crate::lint is far away\n", None),
        (
            "src/catalog/mod.rs",
            "use crate::{\n    sql::{Change, Span},\n    report::Finding,\n};",
            Some("crate::report"),
        ),
        ("src/services/http.rs", "fn f() { crate::promote::outbox::list(); }", Some("crate::promote")),
        ("src/sync/mod.rs", "use crate::promote::plan::Plan;", Some("crate::promote")),
        ("src/promote/mod.rs", "use crate::sync::plan::Plan;", None),
        ("src/promote/mod.rs", "use crate::commands::Shell;", Some("crate::commands")),
        ("src/services/http.rs", "use crate::error::Error;", Some("crate::error")),
        ("src/services/http.rs", "use crate::exit::Exit;", None),
        ("src/watch.rs", "", Some("no place")),
    ] {
        complains(wrong_directions, path, text, expected);
    }
    check(&wrong_directions(&code()));
}

#[test]
fn the_error_of_the_shell_gathers_errors_and_nothing_else() {
    for (path, text, expected) in [
        ("src/error.rs", "use crate::promote::outbox::OutboxError;", None),
        ("src/error.rs", "use crate::promote::outbox::deliver;", Some("is not an error")),
        ("src/error.rs", "use crate::exit::Exit;", None),
    ] {
        complains(more_than_errors, path, text, expected);
    }
    check(&more_than_errors(&code()));
}

#[test]
fn crates_are_named_only_where_they_belong() {
    for (path, text, expected) in [
        ("src/lint/mod.rs", "use sqlparser::ast::Statement;", Some("`sqlparser`")),
        ("src/sql/lower.rs", "use sqlparser::ast::Statement;", None),
        ("src/promote/outbox.rs", "fn f(e: tokio_postgres::Error) {}", Some("`tokio_postgres`")),
        ("src/promote/outbox.rs", "// tokio_postgres::Error\n", None),
        ("src/promote/outbox.rs", "use crate::services::postgres::Row;", None),
        ("src/commands/new.rs", "use clap::Parser;", Some("`clap`")),
        ("src/commands/new.rs", "use clap_complete::Shell;", None),
        ("src/lint/mod.rs", "use miette::Report;", Some("`miette`")),
        ("src/sync/mod.rs", "use miette::Diagnostic;\n#[derive(Debug, Error, Diagnostic)]\nenum SyncError {}", None),
    ] {
        complains(misplaced_crates, path, text, expected);
    }
    check(&misplaced_crates(&code()));
}

#[test]
fn pure_modules_do_no_io_and_have_no_clock() {
    for (path, text, expected) in [
        ("src/lint/mod.rs", "use std::fs;", Some("`std::fs`")),
        ("src/report/json.rs", "fn f() { jiff::Timestamp::now(); }", Some("`Timestamp::now`")),
        ("src/sql/mod.rs", "pub async fn read() {}", Some("`async fn`")),
        ("src/sql/mod.rs", "#[cfg(test)]\nmod tests { use std::fs; }", None),
        ("src/migration/discover.rs", "use std::fs;", None),
        ("src/services/http.rs", "pub async fn get() {}", None),
    ] {
        complains(impure, path, text, expected);
    }
    check(&impure(&code()));
}

#[test]
fn files_say_what_they_are_for_and_stay_readable() {
    let long = format!("//! Long.\n{}", "// x\n".repeat(LONG));
    for (path, text, expected) in [
        ("src/sql/mod.rs", "use std::fmt;", Some("does not begin")),
        ("src/sql/utils.rs", "//! Things.", Some("says nothing")),
        ("src/sql/more.rs", long.as_str(), Some("501 lines")),
        ("src/sql/more.rs", "//! More.\nuse super::change::*;", Some("hides")),
        ("src/sql/more.rs", "//! More.\nmod tests {\n    use super::*;\n}", None),
        (LONG_FILES[0].0, "//! Short.", Some("not long any more")),
    ] {
        complains(ill_formed, path, text, expected);
    }
    let mut all = code();
    all.extend(sources(&["tests", "benches", "fuzz/fuzz_targets"]).into_iter().filter(|it| it.path.ends_with(".rs")));
    check(&ill_formed(&all));
    let gone = LONG_FILES
        .iter()
        .filter(|(path, _)| !project().join(path).is_file())
        .map(|(path, _)| format!("{path} is gone"));
    check(&gone.collect::<Vec<_>>());
}

#[test]
fn no_registry_is_named_in_the_sources() {
    let host = format!("//! Fetches https://{}{}/x", REGISTRIES[2].0, REGISTRIES[2].1);
    complains(outside_names, "src/services/sandbox.rs", &host, Some("names the registry"));
    check(&outside_names(&sources(&[
        "src",
        "tests",
        "benches",
        "fuzz/fuzz_targets",
        "fuzz/Cargo.toml",
        "fixtures",
        ".ci",
        ".github",
        "README.md",
        "Cargo.toml",
    ])));
}

#[test]
fn every_rule_is_in_the_list() {
    let list = "pub mod a_rule;\npub static ALL: &[&Rule] = &[&a_rule::RULE];";
    assert!(unregistered(&["a_rule".to_owned()], list).is_empty());
    assert_eq!(unregistered(&["another".to_owned()], list).len(), 1);
    assert_eq!(unregistered(&["a_rule".to_owned()], "pub mod a_rule;").len(), 1);
    let files = fs::read_dir(project().join("src/lint/rules")).unwrap();
    let rules: Vec<String> = files
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod" && name != "tests")
        .collect();
    assert!(!rules.is_empty());
    check(&unregistered(&rules, &fs::read_to_string(project().join("src/lint/rules/mod.rs")).unwrap()));
}

/// `cargo fuzz` finds its targets by the manifest, and nothing else builds them: each file is listed, each listed file
/// is there, and what it calls has that name.
#[test]
fn fuzz_targets_are_listed_and_call_what_there_is() {
    let manifest = fs::read_to_string(project().join("fuzz/Cargo.toml")).unwrap();
    assert!(manifest.contains("[workspace]") && manifest.contains("cargo-fuzz = true"), "{manifest}");
    let listed: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')).collect();
    let targets = sources(&["fuzz/fuzz_targets"]);
    let found: Vec<&str> = targets.iter().filter_map(|it| it.path.strip_prefix("fuzz/")).collect();
    assert_eq!(BTreeSet::from_iter(listed), BTreeSet::from_iter(found));
    // Named here as they are named there, so that a new name breaks the build.
    let _ = (sql::read, lint::lint, amend::amend, migration::read);
    for (target, calls) in
        [("read", &["sql::read(text)"][..]), ("lint", &["lint(&Request", "amend::amend(&files", "migration::read)"])]
    {
        let path = format!("fuzz/fuzz_targets/{target}.rs");
        let text = &targets.iter().find(|it| it.path == path).expect("it is listed").text;
        for call in calls.iter().chain(&["fuzz_target!(", "#![no_main]"]) {
            assert!(text.contains(call), "{path} calls no `{call}`");
        }
    }
}

#[test]
fn nothing_unexpected_lies_at_the_top() {
    let ignored = fs::read_to_string(project().join(".gitignore")).unwrap();
    let allowed: BTreeSet<&str> =
        TOP.iter().copied().chain(ignored.lines().map(|line| line.trim_matches('/'))).collect();
    let names = fs::read_dir(project()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unexpected = names.filter(|name| !allowed.contains(name.as_str()));
    check(&unexpected.map(|name| format!("{name} has no place at the top")).collect::<Vec<_>>());
}
