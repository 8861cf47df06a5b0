//! How `liftlock validate` fits in: severities of the configuration, formats, stdin, baseline, only what changed.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::support::{self, tools::tool};

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

    /// With this on stdin.
    pub fn fed(&self, arguments: &[&str], text: &[u8]) -> Run {
        let mut command = self.liftlock(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who refuses the call does not read it.
        let _ = child.stdin.take().unwrap().write_all(text);
        let output = child.wait_with_output().unwrap();
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

/// A table whose statements hold whatever does harm somewhere.
const HOSTILE_NAME: &str = "m/0004_%0A::error::x|`<img src=x>`_safe.sql";
const HOSTILE: &str = "drop table \"a%0A::error::b\n##[error]|`<img src=x>](https://evil.example)@ann\";\n";

fn schema() -> jsonschema::Validator {
    // One of its patterns is none.
    let text = fs::read_to_string(tool("sarif-2.1.0.json")).unwrap().replace("{2}]?$", "{2}\\\\]?$");
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn every_format_carries_hostile_names_and_statements_as_text() {
    let project =
        Project::new(&[("m/0001_create_safe.sql", "create table orders (id bigint);"), (HOSTILE_NAME, HOSTILE)]);
    for format in ["text", "json", "markdown", "sarif", "github", "gitlab"] {
        let run = project.run(&["validate", "--no-config", "m", "--format", format]);
        assert_eq!(run.exit, 1, "{format}: {}", run.stderr);
        let commands = run.stdout.lines().filter(|it| it.starts_with("::") || it.contains("##["));
        match format {
            "github" => {
                for line in commands {
                    let (head, text) = line[2..].split_once("::").unwrap();
                    assert!(head.starts_with("error file=") || head.starts_with("notice"), "{line}");
                    assert!(!text.contains("::") && !text.contains("##["), "{line}");
                }
                assert!(run.stdout.contains("%250A") && run.stdout.contains("%0A"), "{}", run.stdout);
            }
            "markdown" => assert!(
                !run.stdout.contains("<img") && !run.stdout.replace("\\](", "").contains("](http"),
                "{}",
                run.stdout
            ),
            "text" => assert!(run.stdout.contains("1 finding") && run.stdout.contains("FAIL"), "{}", run.stdout),
            _ => {
                let json = serde_json::from_str::<Value>(&run.stdout).unwrap();
                assert!(run.stdout.contains("drop-table"), "{json}");
            }
        }
    }
}

#[test]
fn sarif_is_what_its_schema_says_with_help_and_suppressions() {
    let waived =
        format!("-- liftlock: allow drop-column because nobody reads it\n{}", "alter table orders drop column note;");
    let project = Project::new(&[
        CREATE,
        INDEX,
        ("m/0003_x_safe.sql", &waived),
        ("liftlock.yml", &config("")),
        (HOSTILE_NAME, HOSTILE),
    ]);
    let judged = [INDEX.0, "m/0003_x_safe.sql", HOSTILE_NAME];
    assert_eq!(project.run(&["baseline", "write", INDEX.0]).exit, 0);
    let run = project.run(&[&["validate", "--format", "sarif"], judged.as_slice()].concat());
    let log = serde_json::from_str::<Value>(&run.stdout).unwrap();
    let wrong = schema().iter_errors(&log).map(|it| format!("{} at {}", it, it.instance_path())).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{wrong:?}");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), liftlock::lint::rules::ALL.len());
    for rule in rules {
        let (help, page) = (rule["help"]["markdown"].as_str().unwrap(), rule["helpUri"].as_str().unwrap());
        assert!(help.contains("```sql") && page.starts_with("https://github.com/"), "{rule}");
    }
    let results = log["runs"][0]["results"].as_array().unwrap();
    let kinds = results.iter().map(|it| {
        let print = it["partialFingerprints"]["liftlockStatement/v1"].as_str().unwrap();
        assert_eq!(print.len(), 34, "{print}");
        (it["ruleId"].as_str().unwrap(), it["suppressions"][0]["kind"].as_str().unwrap_or("none"))
    });
    let mut kinds = kinds.collect::<Vec<_>>();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [("drop-column", "inSource"), ("drop-table", "none"), ("index-without-concurrently", "external")]
    );
}

#[test]
fn gitlab_is_given_issues_as_it_documents_them() {
    let project = Project::new(&[CREATE, (HOSTILE_NAME, &format!("{HOSTILE}{HOSTILE}drop table orders;"))]);
    let run = project.run(&["validate", "--no-config", "m", "--format", "gitlab"]);
    let issues = serde_json::from_str::<Value>(&run.stdout).unwrap();
    let issues = issues.as_array().unwrap();
    assert!(issues.len() >= 2, "{}", run.stdout);
    let mut prints = std::collections::BTreeSet::new();
    for issue in issues {
        let text = |pointer: &str| issue.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert!(!text("/description").is_empty() && !text("/check_name").is_empty(), "{issue}");
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&text("/severity")), "{issue}");
        assert!(text("/location/path").starts_with("m/0004_"), "{issue}");
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() > 0, "{issue}");
        assert!(prints.insert(text("/fingerprint").to_owned()), "{issue}");
    }
}

#[test]
fn a_job_on_github_gets_ten_annotations_of_a_kind_and_the_rest_in_its_summary() {
    let drops = (0..14).map(|it| format!("drop table t_{it};\n")).collect::<String>();
    let project = Project::new(&[("m/0001_drop_safe.sql", &drops)]);
    let arguments = ["validate", "--no-config", "m", "--format", "github"];
    let run = project.run(&arguments);
    assert_eq!(run.stdout.matches("::error ").count(), 10, "{}", run.stdout);
    assert!(run.stdout.contains("more than are shown: `--format text`"), "{}", run.stdout);
    let summary = project.path("summary.md");
    let output = project.liftlock(&arguments).env("GITHUB_STEP_SUMMARY", &summary).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("4 errors more in the summary"), "{output:?}");
    assert!(fs::read_to_string(summary).unwrap().contains("14 errors"));
}

#[test]
fn a_format_for_findings_is_refused_where_there_are_none() {
    let project = Project::new(&[]);
    for format in ["sarif", "github", "gitlab"] {
        let run = project.run(&["rules", "--format", format]);
        assert!(run.exit == 2 && run.stderr.contains("format::no_findings"), "{format}: {}", run.stderr);
    }
}

#[test]
fn stdin_is_judged_where_it_would_lie() {
    let project = Project::new(&[
        CREATE,
        INDEX,
        ("sub/liftlock.yml", &config("rules: { drop-table: off }")),
        ("sub/m/0001_x_safe.sql", "create table t (id int);"),
    ]);
    for (arguments, text, expected) in [
        // Without a path there is no history and no name.
        (&["-", "--no-config"][..], "create index i on orders (note);", &["error index-without-concurrently"][..]),
        (
            &["-", "--no-config", "--stdin-path", "m/0001_create_safe.sql"],
            "create table orders (id bigint primary key, note text); create index i on orders (note);",
            &[],
        ),
        (&["-", "--no-config", "--stdin-path", "m/0002_index_safe.sql"], "select 1;", &[]),
        (&["-", "--no-config", "--stdin-path", "m/0003_new_safe.sql"], "drop table orders;", &["error drop-table"]),
        (
            &["-", "--no-config", "--stdin-path", "nowhere/yet/0003_new_safe.sql"],
            "drop table orders;",
            &["error drop-table"],
        ),
        // The configuration is found from the path.
        (&["-", "--stdin-path", "sub/m/0002_new_safe.sql"], "drop table t;", &[]),
    ] {
        let text = format!("{HEADER}{text}");
        let all = [&["validate"], arguments, &["--format", "json"]].concat();
        let run = project.fed(&all, text.as_bytes());
        let json =
            serde_json::from_str::<Value>(&run.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", run.stderr));
        let findings = json["findings"].as_array().unwrap();
        let found =
            findings.iter().map(|it| format!("{} {}", it["severity"].as_str().unwrap(), it["rule"].as_str().unwrap()));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{arguments:?}");
        assert_eq!(json["files"], 1, "{arguments:?}");
        let path = arguments.iter().skip_while(|it| **it != "--stdin-path").nth(1).copied().unwrap_or("stdin");
        assert!(findings.iter().all(|it| it["file"] == path), "{arguments:?}: {json}");
    }
    for (arguments, text, code) in [
        (&["-", "m"][..], &b"select 1;"[..], "validate::stdin_alone"),
        (&["--stdin-path", "m/1.sql", "m"], b"", "validate::no_stdin"),
        (&["-", "--watch"], b"", "validate::watched_stdin"),
        (&["-"], b"select '\xff';", "migration::not_utf8"),
    ] {
        let run = project.fed(&[&["validate", "--no-config"], arguments].concat(), text);
        assert!(run.exit == 2 && run.stderr.contains(code), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_baseline_lets_only_new_findings_count() {
    let project = Project::new(&[CREATE, INDEX, ("liftlock.yml", &config(""))]);
    let judged = ["validate", INDEX.0];
    assert_eq!(project.run(&judged).exit, 1);
    let written = project.run(&["baseline", "write", INDEX.0]);
    assert!(written.exit == 0 && written.stdout.contains("knows 1 finding\n"), "{}", written.stdout);
    let text = fs::read_to_string(project.path(".liftlock-baseline.json")).unwrap();
    assert!(text.contains("\"file\":\"m/0002_index_safe.sql\"") && !text.contains("orders"), "{text}");
    // Known, also when lines move, and shown when asked for.
    assert_eq!(project.run(&judged).exit, 0);
    // What was applied long ago is not rewritten.
    let applied = fs::read_to_string(project.path(INDEX.0)).unwrap();
    project.run(&["validate", "--fix", INDEX.0]);
    assert_eq!(fs::read_to_string(project.path(INDEX.0)).unwrap(), applied);
    // A slip in its name is told, not taken for an empty one.
    assert_eq!(project.run(&["validate", "--baseline", "bassline.json", INDEX.0]).exit, 2);
    let stdin = project.run(&["baseline", "write", "-"]);
    assert!(stdin.exit == 2 && stdin.stderr.contains("recorded_stdin"), "{}", stdin.stderr);
    assert_eq!(project.run(&["validate", "--no-baseline", INDEX.0]).exit, 1);
    project.write(INDEX.0, &format!("-- moved\n\n{}", INDEX.1));
    let run = project.run(&judged);
    assert!(run.exit == 0 && run.stdout.contains("1 finding of the baseline, not shown"), "{}", run.stdout);
    // From another folder.
    let elsewhere =
        project.liftlock(&["validate", "0002_index_safe.sql"]).current_dir(project.path("m")).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(0), "{elsewhere:?}");
    // One more of the same counts.
    project.write(INDEX.0, &format!("{}\n{}", INDEX.1, INDEX.1));
    assert_eq!(project.run(&judged).exit, 1);
    // Renamed, it is known again.
    project.write(INDEX.0, INDEX.1);
    fs::rename(project.path(INDEX.0), project.path("m/0002_renamed_safe.sql")).unwrap();
    assert_eq!(project.run(&["validate", "m/0002_renamed_safe.sql"]).exit, 0);
    // Mended, it is told, and writing anew removes it.
    fs::rename(project.path("m/0002_renamed_safe.sql"), project.path(INDEX.0)).unwrap();
    project.write(INDEX.0, "select 1;");
    let run = project.run(&judged);
    assert!(
        run.exit == 0 && run.stdout.contains("stale-baseline") && run.stdout.contains("no longer occurs"),
        "{}",
        run.stdout
    );
    assert_eq!(project.run(&["baseline", "write"]).exit, 0);
    assert_eq!(project.found(&judged), [""; 0]);
    project.write(".liftlock-baseline.json", "<<<<<<< ours\n");
    let run = project.run(&judged);
    assert!(run.exit == 2 && run.stderr.contains("baseline::not_json"), "{}", run.stderr);
}

#[test]
fn rows_of_copy_are_found_once_and_never_shown() {
    let copy = "copy orders (id) from stdin;\n1\tjo@example.com\n\\.\nselect 1;\n";
    let project = Project::new(&[CREATE, ("m/0002_copy_safe.sql", copy)]);
    let run = project.run(&["validate", "--no-config", "m/0002_copy_safe.sql"]);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(said.matches("error[copy-from-stdin]").count(), 1, "{said}");
    assert!(said.contains("2 statements read, 1 not analysable (1 COPY FROM stdin)"), "{said}");
    assert!(!said.contains("jo@example"), "{said}");
}

#[test]
fn a_fix_keeps_read_only_files_and_writes_the_mark_that_sqlx_wants() {
    let index = "create index concurrently a on t (x);\n";
    let check = "alter table t add constraint c check (x > 0);\r\n";
    let project = Project::new(&[
        ("s/Cargo.toml", "[dependencies]\nsqlx = \"1\"\n"),
        ("s/migrations/20260101120000_a.sql", index),
        ("m/0001_check.sql", check),
    ]);
    let run = project.run(&["validate", "--no-config", "--fix", "s/migrations"]);
    assert!(run.exit == 0 && run.stdout.contains("Wrote 1 file\n"), "{}", run.stdout);
    let written = fs::read_to_string(project.path("s/migrations/20260101120000_a.sql")).unwrap();
    assert!(written.starts_with("-- no-transaction\n") && written.ends_with(index), "{written}");

    let file = project.path("m/0001_check.sql");
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let run = project.run(&["validate", "--no-config", "--fix", "m"]);
    assert!(run.exit == 2 && run.stderr.contains("read-only"), "{}{}", run.stdout, run.stderr);
    assert_eq!(fs::read_dir(project.path("m")).unwrap().count(), 1);
}

/// It was once written, and every finding it mended weighed more than the one it made.
#[test]
fn a_fix_that_fails_when_it_runs_is_not_written() {
    let taken = "create table app (a int);\ncreate index app_pkey on app (a);\n";
    let keyed = "create table app (a int primary key);\n";
    let added = "alter table app add column id uuid default gen_random_uuid() primary key;\n";
    for before in [taken, keyed] {
        let project = Project::new(&[("m/0001_a.sql", before), ("m/0002_b.sql", added)]);
        let run = project.run(&["validate", "--no-config", "--fix", "m/0002_b.sql"]);
        assert!(run.exit == 1 && run.stdout.contains("Nothing to write"), "{}", run.stdout);
        assert_eq!(fs::read_dir(project.path("m")).unwrap().count(), 2);
        assert!(fs::read_to_string(project.path("m/0002_b.sql")).unwrap().ends_with(added));
    }
}

fn git(project: &Project, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(project.root()).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn only_what_has_changed_since_a_ref_is_judged_after_its_whole_history() {
    let project = Project::new(&[
        CREATE,
        ("m/0002_old_safe.sql", "drop table gone;"),
        ("m/0003_old_safe.sql", "drop table gone_too;"),
    ]);
    git(&project, &["init", "-q", "-b", "main"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "one"]);
    git(&project, &["checkout", "-qb", "feature"]);
    let since = ["validate", "--no-config", "m", "--since", "main"];
    assert_eq!(project.found(&since), [""; 0]);
    // Committed, staged, changed, renamed, untracked with an odd name.
    project.write("m/0004_a_safe.sql", "create index i on orders (note);");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "two"]);
    git(&project, &["mv", "m/0002_old_safe.sql", "m/0002_renamed_safe.sql"]);
    project.write("m/0003_old_safe.sql", "select 1; drop table gone_too;");
    project.write("m/0005_\"q\\ n\u{e9}\n_safe.sql", "alter table orders drop column note;");
    // What happens on main meanwhile is no change of ours.
    git(&project, &["branch", "-q", "other", "main"]);
    let run = project.run(&[since.as_slice(), &["--format", "json"]].concat());
    let json = serde_json::from_str::<Value>(&run.stdout).unwrap();
    assert_eq!(json["files"], 4, "{json}");
    assert!(json["texts"][0]["body"].as_str().unwrap().starts_with("4 of 5 changed since "), "{json}");
    let rules = json["findings"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(rules, ["drop-table", "drop-table", "index-without-concurrently", "drop-column"], "{json}");
    // From a folder inside, too.
    let inside = project
        .liftlock(&["validate", "--no-config", ".", "--since", "main", "--format", "json"])
        .current_dir(project.path("m"))
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&inside.stdout).unwrap()["files"], 4);
}

#[test]
fn why_it_is_not_known_what_has_changed_is_said() {
    let project = Project::new(&[CREATE]);
    let since = |reference: &'static str| {
        ["validate".to_owned(), "--no-config".to_owned(), "m".to_owned(), format!("--since={reference}")]
    };
    let check = |project: &Project, reference: &'static str, code: &str, help: &str| {
        let run = project.run(&since(reference).each_ref().map(String::as_str));
        let words = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(run.exit == 2 && words.contains(code) && words.contains(help), "{reference}: {}", run.stderr);
    };
    check(&project, "main", "since::no_repository", "leave `--since` out");
    git(&project, &["init", "-q", "-b", "main"]);
    check(&project, "main", "since::unknown_ref", "git fetch origin");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "one"]);
    check(&project, "--output=x", "since::unknown_ref", "");
    git(&project, &["update-ref", "refs/remotes/origin/trunk", "HEAD"]);
    check(&project, "trunk", "since::unknown_ref", "did you mean `origin/trunk`?");
    git(&project, &["commit", "-q", "--allow-empty", "-m", "two"]);
    git(&project, &["checkout", "-q", "--orphan", "lone"]);
    git(&project, &["commit", "-qm", "three"]);
    check(&project, "main", "since::no_merge_base", "");
    git(&project, &["checkout", "-q", "main"]);
    let shallow = Project::new(&[]);
    let url = format!("file://{}", project.root());
    git(&shallow, &["clone", "-q", "--depth", "1", &url, "."]);
    check(&shallow, "HEAD~1", "since::shallow", "fetch-depth: 0");
    let bare =
        project.liftlock(&since("main").each_ref().map(String::as_str)).env("PATH", "/nowhere").output().unwrap();
    assert!(String::from_utf8_lossy(&bare.stderr).contains("since::no_git"), "{bare:?}");
}

#[test]
fn a_watch_judges_again_when_a_file_changes_and_survives_a_folder_that_is_gone() {
    let project = Project::new(&[CREATE]);
    let mut command = project.liftlock(&["validate", "--no-config", "--watch", "m"]);
    let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let stdout = watch.stdout.take().unwrap();
    std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|it| send.send(it)));
    // All lines up to the one that says that it waits.
    let judged = || {
        let mut text = String::new();
        loop {
            let line = lines.recv_timeout(std::time::Duration::from_secs(60)).expect("it is judged");
            if line.contains("watching; Ctrl-C ends it") {
                return text;
            }
            text += &(line + "\n");
        }
    };
    let first = judged();
    assert!(first.contains("nothing found") && !first.contains('\u{1b}'), "{first}");
    project.write("m/0002_drop_safe.sql", "drop table orders_2;");
    assert!(judged().contains("drop-table"));
    fs::rename(project.path("m"), project.path("away")).unwrap();
    assert!(judged().contains("validate::not_found"));
    fs::rename(project.path("away"), project.path("m")).unwrap();
    assert!(judged().contains("drop-table"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(watch.id().cast_signed()), nix::sys::signal::Signal::SIGINT)
        .unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn a_judgement_that_nobody_wants_any_more_ends_at_once() {
    let project = Project::new(&[CREATE]);
    let mut command = project.liftlock(&["validate", "-", "--no-config", "--stdin-path", "m/0002_x_safe.sql"]);
    let mut judging = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It waits for a text that never ends. Before it listens for signals, they end it as they end any process.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let pid = nix::unistd::Pid::from_raw(judging.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let (send, ended) = std::sync::mpsc::channel();
    let stdin = judging.stdin.take();
    std::thread::spawn(move || send.send(judging.wait().unwrap().code()));
    let code = ended.recv_timeout(std::time::Duration::from_secs(60)).expect("one signal ends it");
    assert!(matches!(code, Some(130) | None), "{code:?}");
    drop(stdin);
}

#[test]
fn rules_are_listed_explained_and_paged() {
    let project = Project::new(&[("liftlock.yml", &config("rules: { drop-table: { dev: off } }"))]);
    let all = project.run(&["rules", "--format", "json"]);
    let json = serde_json::from_str::<Value>(&all.stdout).unwrap();
    let rules = json["rules"].as_array().unwrap();
    assert_eq!(rules.len(), liftlock::lint::rules::ALL.len());
    let of = |name: &str| rules.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(
        of("drop-table")["severity"],
        serde_json::json!({ "production": "error", "staging": "error", "dev": "off" })
    );
    assert!(
        rules.iter().all(|it| !it["found"].as_array().unwrap().is_empty() && !it["title"].as_str().unwrap().is_empty())
    );
    let table = project.run(&["rules", "--format", "markdown"]).stdout;
    assert!(table.contains("### Loses data") && table.contains("| drop-table | error | error | off |"), "{table}");
    let page = project.run(&["rules", "drop-table", "--format", "markdown"]).stdout;
    assert!(page.starts_with("# drop-table\n\n") && page.contains("```sql"), "{page}");
    assert_eq!(project.run(&["rules", "--pages", "docs/rules"]).exit, 0);
    for rule in liftlock::lint::rules::ALL {
        let text = fs::read_to_string(project.path(&format!("docs/rules/{}.md", rule.name))).unwrap();
        let parts = [
            format!("# {}\n", rule.name),
            "**Found**".to_owned(),
            "**Not found**".to_owned(),
            " in production".to_owned(),
        ];
        assert!(parts.iter().all(|it| text.contains(it)), "{text}");
    }
    assert_eq!(fs::read_to_string(project.path("docs/rules/drop-table.md")).unwrap(), page);
}

#[test]
fn the_hooks_of_pre_commit_judge_what_is_committed_and_not_what_undoes_it() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.pre-commit-hooks.yaml")).unwrap();
    let hooks: Vec<Value> = serde_yaml::from_str(&text).unwrap();
    assert_eq!(hooks.iter().map(|it| it["id"].as_str().unwrap()).collect::<Vec<_>>(), ["liftlock", "liftlock-system"]);
    let project = Project::new(&[CREATE, INDEX]);
    for hook in hooks {
        for key in ["name", "description", "entry", "language", "exclude"] {
            assert!(hook[key].is_string(), "{key}: {hook}");
        }
        assert!(hook["require_serial"] == true && hook["types"] == serde_json::json!(["sql"]), "{hook}");
        let exclude = regex::Regex::new(hook["exclude"].as_str().unwrap()).unwrap();
        for (file, excluded) in [
            ("m/0001_x.sql", false),
            ("m/0001_countdown.sql", false),
            ("m/0001_x.down.sql", true),
            ("m/0001_x_down.sql", true),
            ("m/0001_x/down.sql", true),
            ("m/U1__x.sql", true),
            ("m/Users.sql", false),
        ] {
            assert_eq!(exclude.is_match(file), excluded, "{file}");
        }
        let words = hook["entry"].as_str().unwrap().split(' ').skip(1).chain([INDEX.0]).collect::<Vec<_>>();
        let run = project.run(&words);
        assert!(run.exit == 1 && run.stdout.contains("index-without-concurrently"), "{}{}", run.stdout, run.stderr);
    }
}
