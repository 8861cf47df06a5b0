//! `liftlock report` as typed, in a job on a GitHub of our own: what is shown, what is written, how it ends, and that
//! nothing that goes wrong with it changes the answer.

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    self,
    github::{Fault, GitHub, TOKEN, World},
    tools,
};

const HEADER: &str = "-- Description: a test\n-- Created: 2026-01-31\n-- Type: schema_safe\n-- Rollback: orders\n";
const CREATE: &str = "create table orders (id bigint primary key, note text);";
const DROP: &str = "alter table orders drop column note;";
const GOOD: &str = "alter table orders add column owner text;";

struct Ended {
    exit: i32,
    stdout: String,
    stderr: String,
    /// What the job's summary and its outputs hold after it.
    summary: String,
    outputs: String,
}

impl Ended {
    fn output(&self, name: &str) -> &str {
        let (_, rest) = self.outputs.split_once(&format!("{name}<<")).unwrap_or_else(|| panic!("no {name}"));
        let (delimiter, rest) = rest.split_once('\n').unwrap();
        rest.split_once(&format!("\n{delimiter}\n")).unwrap().0
    }
}

/// A repository with one migration in question, in a job about a pull request.
struct Job {
    github: GitHub,
    pull: u64,
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Job {
    fn new() -> Self {
        let mut world = World::new();
        world.commit("alice", &[("a", "b")]);
        let pull = world.pull("alice");
        let run = world.run("alice");
        let github = GitHub::start(world);
        let folder = tempfile::tempdir().unwrap();
        let mut variables: BTreeMap<String, String> = github.variables(run).into_iter().collect();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for (name, value) in [
            ("GITHUB_WORKSPACE", path("")),
            ("GITHUB_STEP_SUMMARY", path("summary.md")),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_EVENT_PATH", path("event.json")),
            ("GITHUB_REF", format!("refs/pull/{pull}/merge")),
        ] {
            variables.insert(name.to_owned(), value);
        }
        let job = Self { github, pull, folder, variables };
        job.write("db/0001_create_safe.sql", &format!("{HEADER}{CREATE}"));
        job.event("1111111111111111111111111111111111111111", "acme/fibre");
        job
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn event(&self, sha: &str, head: &str) {
        let head = json!({ "sha": sha, "repo": { "full_name": head } });
        let event = json!({ "number": self.pull, "pull_request": { "number": self.pull, "head": head } });
        self.write("event.json", &event.to_string());
    }

    fn liftlock(&self, arguments: &[&str]) -> Ended {
        let path = |name: &str| self.folder.path().join(name);
        for name in ["summary.md", "output"] {
            fs::write(path(name), "").unwrap();
        }
        let mut command = support::liftlock();
        command.args(arguments).envs(&self.variables).current_dir(self.folder.path());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ended = Ended {
            exit: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            summary: fs::read_to_string(path("summary.md")).unwrap(),
            outputs: fs::read_to_string(path("output")).unwrap(),
        };
        for (place, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr), ("the summary", &ended.summary)] {
            assert!(!text.contains(TOKEN), "the token is in {place}: {text}");
        }
        assert!(!ended.outputs.contains(TOKEN));
        ended
    }

    /// Judges the second migration, whose text is this, and saves the report.
    fn validate(&self, sql: &str) {
        self.write("db/0002_change_safe.sql", &format!("{HEADER}{sql}"));
        let ended = self.liftlock(&["validate", "--no-config", "db/0002_change_safe.sql", "--save", "report.json"]);
        assert!(ended.exit < 2, "{}", ended.stderr);
    }

    fn report(&self) -> Ended {
        self.liftlock(&["report", "report.json", "--annotations", "--summary", "--comment", "--outputs"])
    }

    fn push(&self, sha: char, sql: &str) -> Ended {
        self.event(&sha.to_string().repeat(40), "acme/fibre");
        self.validate(sql);
        self.report()
    }

    /// Ids and bodies of the comments by this login.
    fn comments(&self, login: &str) -> Vec<(u64, String)> {
        let world = self.github.world();
        let of = world.comments.iter().filter(|it| it.author == login && it.issue == self.pull);
        of.map(|it| (it.id, it.body.clone())).collect()
    }

    fn ours(&self) -> Vec<(u64, String)> {
        self.comments("github-actions[bot]")
    }

    fn writes(&self) -> usize {
        self.github.asked("POST", "/issues") + self.github.asked("PATCH", "/issues")
    }
}

#[test]
fn three_pushes_make_one_comment_and_a_green_one_resolves_it() {
    let job = Job::new();
    let first = job.push('a', DROP);
    assert_eq!(first.exit, 1, "{}", first.stderr);
    let written = job.ours();
    assert_eq!(written.len(), 1);
    assert!(written[0].1.lines().next().unwrap().contains("`aaaaaaa`"), "{}", written[0].1);
    assert!(first.output("comment-url").ends_with(&format!("#issuecomment-{}", written[0].0)));
    job.push('b', DROP);
    job.push('c', "drop table orders;");
    let edited = job.ours();
    assert_eq!((edited.len(), edited[0].0), (1, written[0].0));
    assert!(edited[0].1.contains("`ccccccc`") && edited[0].1.contains("drop-table"), "{}", edited[0].1);
    // The same again: nothing to write.
    let writes = job.writes();
    job.report();
    assert_eq!(job.writes(), writes);
    let green = job.push('d', GOOD);
    assert_eq!(green.exit, 0, "{}", green.stderr);
    let resolved = job.ours();
    assert_eq!((resolved.len(), resolved[0].0), (1, written[0].0));
    assert!(resolved[0].1.contains("resolved") && !resolved[0].1.contains("drop-table"), "{}", resolved[0].1);
    assert_eq!((job.github.asked("POST", "/issues"), writes), (1, 3));
    job.github.assert_proper();
}

#[test]
fn a_pull_request_that_was_never_red_gets_no_comment() {
    let job = Job::new();
    let ended = job.push('a', GOOD);
    assert_eq!((ended.exit, job.writes()), (0, 0));
    assert_eq!(ended.output("comment-url"), "");
    assert!(ended.summary.starts_with("## ✅ liftlock validate: nothing found\n"), "{}", ended.summary);
}

#[test]
fn a_marker_that_somebody_pasted_is_not_taken_for_ours() {
    let job = Job::new();
    job.push('a', DROP);
    let (id, body) = job.ours().remove(0);
    // The same text, older, by a person; ours is gone.
    job.github.world().comments.retain(|it| it.id != id);
    job.github.world().comment(job.pull, "alice", &body);
    job.push('b', DROP);
    assert_eq!(job.comments("alice")[0].1, body, "somebody else's comment is left alone");
    assert_eq!(job.ours().len(), 1);
    // With a person's token it is that person's comment, and no bot's.
    job.github.world().token(
        "ghp_CANARYCANARYCANARYCANARYCANARY000000",
        "alice",
        &[("pull_requests", support::github::Level::Write)],
    );
    let mut as_alice = job;
    as_alice.variables.insert("GITHUB_TOKEN".to_owned(), "ghp_CANARYCANARYCANARYCANARYCANARY000000".to_owned());
    as_alice.push('c', DROP);
    assert!(as_alice.comments("alice")[0].1.contains("`ccccccc`"));
    assert!(as_alice.ours()[0].1.contains("`bbbbbbb`"));
}

#[test]
fn the_comment_is_found_on_later_pages_and_of_several_the_oldest_is_kept() {
    let job = Job::new();
    job.push('a', DROP);
    let (_, body) = job.ours().remove(0);
    let (older, newer) = {
        let mut world = job.github.world();
        world.comments.clear();
        let pull = job.pull;
        for at in 0..150 {
            world.comment(pull, "bob", &format!("comment {at}"));
        }
        (world.comment(pull, "github-actions[bot]", &body), world.comment(pull, "github-actions[bot]", &body))
    };
    job.push('b', DROP);
    let ours = job.ours();
    assert_eq!(ours.iter().map(|it| it.0).collect::<Vec<_>>(), [older, newer]);
    assert!(ours[0].1.contains("`bbbbbbb`") && ours[1].1 == body);
    job.github.assert_proper();
}

#[test]
fn a_token_that_may_only_read_keeps_annotations_summary_and_verdict() {
    let job = Job::new();
    job.validate(DROP);
    job.event(&"a".repeat(40), "mallory/fibre");
    let scopes = [("pull_requests", support::github::Level::Read), ("contents", support::github::Level::Read)];
    job.github.world().token(TOKEN, "github-actions[bot]", &scopes);
    let ended = job.report();
    assert_eq!(ended.exit, 1);
    assert!(ended.stdout.starts_with("::error file=db/0002_change_safe.sql,line=5,"), "{}", ended.stdout);
    for (place, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr), ("summary", &ended.summary)] {
        for said in ["pull-requests: write", "fork", "permissions:", "pull"] {
            assert!(text.contains(said), "`{said}` is not in {place}: {text}");
        }
        assert!(text.contains("pull\u{5f}requests=write") || text.contains("pull\\_requests=write"), "{place}: {text}");
    }
    assert!(ended.summary.contains("drop-column"));
    assert_eq!(ended.output("conclusion"), "failure");
    // Green stays green, too, when comments cannot even be read.
    job.github.world().without("pull_requests");
    job.validate(GOOD);
    let green = job.report();
    assert_eq!(green.exit, 0, "{}", green.stderr);
    assert!(green.stdout.starts_with("::warning title=liftlock report::"), "{}", green.stdout);
}

#[test]
fn an_answer_that_was_lost_does_not_double_the_comment() {
    // Done and answered with 502; not done and answered with 502; done and cut off; tried again after an edit.
    let lost = |done, hang_up| Fault { done, hang_up, ..Fault::status("POST", "/comments", 1, 502) };
    for (fault, posts) in [(lost(true, false), 1), (lost(false, false), 2), (lost(false, true), 2)] {
        let job = Job::new();
        job.github.world().faults.push(fault.clone());
        let ended = job.push('a', DROP);
        assert_eq!(ended.exit, 1);
        assert_eq!(job.ours().len(), 1, "{fault:?}: {}", ended.stderr);
        assert_eq!(job.github.asked("POST", "/issues"), posts, "{fault:?}");
        assert!(!ended.output("comment-url").is_empty(), "{fault:?}: {}", ended.stderr);
    }
}

#[test]
fn whatever_goes_wrong_with_reporting_the_verdict_stays() {
    let mut job = Job::new();
    job.validate(DROP);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases: &[(&str, String, &str)] = &[
        ("GITHUB_API_URL", format!("http://{nobody}"), "cannot be reached"),
        ("GITHUB_API_URL", "nonsense".to_owned(), "GITHUB_API_URL"),
        ("GITHUB_TOKEN", String::new(), "there is no token"),
        ("GITHUB_TOKEN", "ghs_wrong".to_owned(), "does not take the token"),
        ("GITHUB_STEP_SUMMARY", "/nowhere/summary".to_owned(), "the job summary could not be written"),
        ("GITHUB_OUTPUT", "/nowhere/output".to_owned(), "the step's outputs could not be written"),
        ("GITHUB_REPOSITORY", "x".to_owned(), "no pull request"),
    ];
    let before = job.variables.clone();
    for (name, value, said) in cases {
        job.variables = before.clone();
        job.variables.insert((*name).to_owned(), value.clone());
        let ended = job.report();
        assert_eq!(ended.exit, 1, "{name}={value}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{name}={value}: {}", ended.stderr);
        assert!(ended.stdout.contains("::error file=db/0002_change_safe.sql"), "{name}={value}: {}", ended.stdout);
    }
    job.variables = before;
    let ended = job.liftlock(&["report", "report.json", "--sarif", "/nowhere/x.sarif", "--outputs"]);
    assert_eq!((ended.exit, ended.output("sarif-file")), (1, ""));
    assert!(ended.stderr.contains("the SARIF file could not be written"), "{}", ended.stderr);
    job.write("event.json", "{");
    job.variables.insert("GITHUB_REF".to_owned(), "refs/heads/main".to_owned());
    let ended = job.report();
    assert!(ended.exit == 1 && ended.stderr.contains("about no pull request"), "{}", ended.stderr);
}

#[test]
fn a_comment_about_very_much_is_taken_by_github() {
    let job = Job::new();
    let columns = (0..2_000).map(|it| format!("alter table orders drop column c{it};\n")).collect::<String>();
    let ended = job.push('a', &columns);
    assert_eq!(ended.exit, 1);
    let ours = job.ours();
    assert_eq!(ours.len(), 1, "{}", ended.stderr);
    assert!(ours[0].1.contains("more in this file") && ours[0].1.contains("[whole report]"), "{}", &ours[0].1[..500]);
    let lines = ended.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 11, "{}", ended.stdout);
    assert!(lines[10].starts_with("::notice title=liftlock::1,990 errors more"), "{}", lines[10]);
    assert_eq!(ended.output("error-count"), "2000");
}

#[test]
fn the_report_decides_how_the_process_ends() {
    let job = Job::new();
    let error = |exit: u8| json!({ "version": 1, "command": "promote", "verdict": "fail", "error": { "exit": exit, "message": "m" } });
    let warning = json!({ "version": 1, "command": "validate", "verdict": "pass", "findings": [{
        "rule": "r", "kind": "blocks", "severity": "warning", "file": "f.sql", "line": 1, "column": 1, "end_line": 1,
        "end_column": 2, "message": "m", "help": null, "waived": false, "reason": null,
    }] });
    let mut bad = warning.clone();
    bad["verdict"] = json!("fail");
    bad["findings"][0]["severity"] = json!("error");
    let gate = json!({ "name": "approved", "passed": false, "evidence": "nobody", "fix": "ask" });
    let refused = json!({ "version": 1, "command": "plan", "verdict": "fail", "plan": { "gates": [gate] } });
    for (report, fail_on, exit) in [
        (warning.to_string(), "error", 0),
        (warning.to_string(), "warning", 1),
        (warning.to_string(), "never", 0),
        (bad.to_string(), "error", 1),
        (bad.to_string(), "never", 0),
        (refused.to_string(), "error", 1),
        (refused.to_string(), "never", 1),
        (error(2).to_string(), "never", 2),
        (error(3).to_string(), "error", 3),
        (error(4).to_string(), "error", 4),
        (warning.to_string().replace("\"version\":1", "\"version\":2"), "error", 2),
        ("{}".to_owned(), "error", 2),
        (String::new(), "error", 2),
        ("\u{0}::error::x".to_owned(), "error", 2),
    ] {
        job.write("given.json", &report);
        for more in [&[][..], &["--annotations"], &["--summary", "--outputs"], &["--format", "json"]] {
            let all = [&["report", "given.json", "--fail-on", fail_on], more].concat();
            let ended = job.liftlock(&all);
            assert_eq!(ended.exit, exit, "{report} {all:?}: {}", ended.stderr);
            assert!(!ended.stderr.contains("::error"), "{}", ended.stderr);
        }
    }
    let ended = job.liftlock(&["report", "gone.json", "--annotations"]);
    assert_eq!(ended.exit, 2, "{}", ended.stderr);
    // No file says how long it is.
    let ended = job.liftlock(&["report", "/dev/zero", "--annotations"]);
    assert_eq!(ended.exit, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("64 MiB"), "{}", ended.stderr);
}

#[test]
fn a_command_that_fails_or_is_killed_leaves_a_report_of_that() {
    let job = Job::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "migrations: db\nenvironments:\n  production:\n    database: postgres://joe:hunter2@{nobody}/app\n\
         sync: {{ from: production, to: {{ folder: mirror }} }}\n"
    );
    job.write("liftlock.yml", &config);
    job.write("report.json", "{\"version\":1,\"command\":\"plan\",\"verdict\":\"pass\"}");
    for command in [&["plan", "--to", "production"][..], &["promote", "--to", "production", "--yes"], &["sync"]] {
        let ended = job.liftlock(&[command, &["--save", "report.json"]].concat());
        let saved = fs::read_to_string(job.folder.path().join("report.json")).unwrap();
        assert!(ended.exit > 1 && !saved.contains("hunter2"), "{}: {saved}", ended.stderr);
        let saved = serde_json::from_str::<Value>(&saved).unwrap();
        assert_eq!((&saved["command"], &saved["verdict"]), (&json!(command[0]), &json!("fail")));
        assert_eq!(saved["error"]["exit"], ended.exit, "{saved}");
        assert!(saved["error"]["help"].is_string() && saved["error"]["code"] != "", "{saved}");
        let reported = job.report();
        assert_eq!((reported.exit, reported.output("conclusion")), (ended.exit, "error"));
        assert!(reported.stdout.starts_with("::error title="), "{}", reported.stdout);
    }
    // Nobody can write there: nothing is begun.
    let ended = job.liftlock(&["plan", "--to", "production", "--save", "/nowhere/report.json"]);
    assert!(ended.exit == 2 && ended.stderr.contains("cannot write"), "{}", ended.stderr);
    killed(&job, "report.json");
}

/// A server that takes the connection and says nothing, until the command is killed.
fn killed(job: &Job, report: &str) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "migrations: db\nenvironments:\n  production:\n    database: postgres://joe@{}/app?sslmode=disable\n",
        silent.local_addr().unwrap()
    );
    job.write("liftlock.yml", &config);
    let mut command = support::liftlock();
    command.args(["promote", "--to", "production", "--yes", "--save", report]).current_dir(job.folder.path());
    let mut child = command.spawn().unwrap();
    let _connection = silent.accept().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = job.report();
    assert_eq!(ended.exit, 4, "{}", ended.stderr);
    assert!(ended.summary.contains("did not come to its end"), "{}", ended.summary);
}

#[test]
fn sarif_is_as_its_schema_has_it() {
    let job = Job::new();
    job.validate(&format!(
        "-- é𝔘\n{DROP}\n-- liftlock: allow drop-table because it is empty\ndrop table orders;\nfrobnicate \"é𝔘\";"
    ));
    let ended = job.liftlock(&["report", "report.json", "--sarif", "liftlock.sarif", "--outputs"]);
    assert_eq!((ended.exit, ended.output("sarif-file")), (1, "liftlock.sarif"));
    let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let log = read(&job.folder.path().join("liftlock.sarif"));
    // A bracket too many in two of its patterns, which not every engine takes as it stands.
    let schema = fs::read_to_string(tools::tool("sarif-2.1.0.json")).unwrap().replace("{2}]?$", "{2}\\\\]?$");
    let schema = serde_json::from_str::<Value>(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(&log).map(|it| format!("{}: {it}", it.instance_path())).collect::<Vec<_>>();
    assert!(errors.is_empty(), "{errors:#?}");
    let results = log["runs"][0]["results"].as_array().unwrap();
    let suppressed = results.iter().filter(|it| it["suppressions"] != json!([])).collect::<Vec<_>>();
    assert_eq!(suppressed.len(), 1, "{results:#?}");
    assert_eq!(suppressed[0]["ruleId"], "drop-table");
    for result in results {
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "db/0002_change_safe.sql");
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().len() > 30);
    }
    // A broken one is seen.
    let mut broken = log;
    broken["runs"][0]["results"][0]["level"] = json!("catastrophe");
    assert!(validator.iter_errors(&broken).next().is_some());
}
