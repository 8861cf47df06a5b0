//! The commands, as people run them, on a Neon project: the fake one, with real Postgres behind it.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use liftlock::{
    promote::line::{Line, Patience},
    report::progress::Quiet,
    services::postgres::{Address, NeonIdentity, PostgresError},
};
use miette::Report;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    self,
    neon::{
        FakeNeon,
        faults::{Access, Call, Done, Fault, How, Look, Plan, answer},
    },
};

const CONFIGURATION: &str = r#"
migrations: migrations
environments:
  production:
    database: "${URL}"
    profile: production
    neon: { project: "${PROJECT}", branch: "${BRANCH}", api_key: "${KEY}", api_url: "${API}" }
    backup: { keep: KEEP }
"#;

fn migration(sql: &str) -> String {
    format!(
        "-- Description: a test\n-- Created: 2026-01-01\n-- Type: schema\n-- Rollback: drop what is created here\n\n{sql}\n"
    )
}

/// A folder with one pending migration, and what the commands are told about the project.
struct Project {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

async fn project(neon: &FakeNeon) -> Project {
    neon.execute("create table poles (id int primary key); insert into poles select generate_series(1, 9)").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("liftlock.yml"), CONFIGURATION.replace("KEEP", "30d")).unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    std::fs::write(
        folder.path().join("migrations/20260101000000_height_safe.sql"),
        migration("alter table poles add column height int;"),
    )
    .unwrap();
    let variables = vec![
        ("URL", neon.database_url().expose().to_owned()),
        ("PROJECT", neon.project.clone()),
        ("BRANCH", "default".to_owned()),
        ("KEY", neon.key().expose().to_owned()),
        ("API", neon.api_url.clone()),
        ("GITHUB_SHA", "0f3a99aa11223344556677889900aabbccddeeff".to_owned()),
    ];
    Project { folder, variables }
}

impl Project {
    fn with(&self, name: &'static str, value: &str) -> Self {
        let copy = tempfile::tempdir().unwrap();
        let from = self.folder.path();
        std::fs::create_dir(copy.path().join("migrations")).unwrap();
        for file in ["liftlock.yml", "migrations/20260101000000_height_safe.sql"] {
            std::fs::copy(from.join(file), copy.path().join(file)).unwrap();
        }
        let mut variables = self.variables.clone();
        variables.retain(|it| it.0 != name);
        variables.push((name, value.to_owned()));
        Self { folder: copy, variables }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::liftlock();
        command.current_dir(self.folder.path()).args(arguments).envs(self.variables.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs it, and looks for secrets in all that it says.
    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let url = self.variables.iter().find(|it| it.0 == "URL").unwrap();
        let password = url.1.split(['@', ':']).nth(2).unwrap();
        let key = &self.variables.iter().find(|it| it.0 == "KEY").unwrap().1;
        assert!(!said.contains(key.as_str()) && (password.len() < 4 || !said.contains(password)), "{said}");
        output
    }

    /// The exit code, and what stands on stdout as JSON.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let parsed = serde_json::from_slice(&output.stdout);
        let value = parsed.unwrap_or_else(|error| panic!("{error} in {output:?}"));
        (output.status.code().unwrap(), value)
    }
}

/// What a gate said: whether it passed, and its words.
fn gate(report: &Value, name: &str) -> (bool, String) {
    let gates = report["plan"]["gates"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let found = gates.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {report:#}"));
    (found["passed"].as_bool().unwrap(), format!("{} / {}", found["evidence"], found["fix"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_makes_its_branch_first_and_the_way_back_works() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    let (code, planned) = project.json(&["plan", "--to", "prod"]);
    assert_eq!(code, 0, "{planned:#}");
    assert!(planned.to_string().contains("make Neon branch `liftlock/"), "{planned:#}");
    assert!(neon.mutations("POST", "/branches").is_empty(), "a plan changes nothing");

    let (code, promoted) = project.json(&["promote", "--to", "prod", "--yes"]);
    assert_eq!(code, 0, "{promoted:#}");
    let made = neon.branches().into_iter().find(|it| it.name.starts_with("liftlock/")).unwrap();
    assert!(made.name.ends_with("/0f3a99aa1122"), "{}", made.name);
    assert_eq!(made.parent.as_deref(), Some(neon.branch.as_str()));
    assert!(made.expires_at.is_some() && made.annotation.contains_key("liftlock-nonce"));
    let body = neon.mutations("POST", "/branches");
    assert_eq!(body.len(), 1);
    let facts = neon
        .text("select string_agg(body, ' ') from liftlock.audit_outbox where kind like '%restore_point.created%'")
        .await;
    let lsn = made.parent_lsn.as_ref().map(ToString::to_string).unwrap_or_default();
    for expected in [neon.project.as_str(), &made.id, "\"state\":\"ready\"", "expires_at"] {
        assert!(facts.contains(expected), "{expected} {lsn}: {facts}");
    }

    let (code, listed) = project.json(&["backup", "list", "--env", "prod"]);
    assert_eq!((code, listed["backups"][0]["branch"].as_str()), (0, Some(made.id.as_str())), "{listed:#}");
    let (code, verified) = project.json(&["backup", "verify", "--env", "prod"]);
    assert_eq!(code, 0, "{verified:#}");
    assert_eq!(verified["backups"][0]["verified"], "definitions and 9 rows in 1 table are as recorded");
    assert_eq!(neon.mutations("POST", "/endpoints").len(), 1);
    let deleted = neon.requests().iter().filter(|it| it.method == "DELETE" && it.path.contains("/endpoints/")).count();
    assert_eq!(deleted, 1, "the compute is gone again");

    neon.execute("delete from poles where id > 2").await;
    let nobody = project.run(&["backup", "restore", &made.name, "--env", "prod"]);
    let shown = String::from_utf8(nobody.stdout).unwrap();
    assert_eq!(nobody.status.code(), Some(2));
    assert!(shown.contains("`public.poles`: 2 rows now, 9 then"), "{shown}");
    assert!(shown.contains("restored from its own history"), "{shown}");
    assert!(neon.mutations("POST", "/restore").is_empty());

    let (code, restored) = project.json(&["backup", "restore", &made.name, "--env", "prod", "--yes"]);
    assert_eq!(code, 0, "{restored:#}");
    assert_eq!(neon.text("select count(*)::text from poles").await, "9");
    assert_eq!(neon.mutations("POST", "/restore").len(), 1);
    let kinds = neon.text("select string_agg(kind, ' ' order by sequence) from liftlock.audit_outbox").await;
    assert!(kinds.contains("promotion.finished.v1"), "what is newer was taken along: {kinds}");
    assert!(kinds.ends_with("dev.liftlock.restore_point.restored.v1"), "{kinds}");
    let columns = "select count(*)::text from information_schema.columns where column_name = 'height'";
    assert_eq!(neon.text(columns).await, "0");
    assert!(neon.branches().iter().any(|it| it.name.starts_with("liftlock/before-restore/")));

    let (code, again) = project.json(&["promote", "--to", "prod", "--yes"]);
    assert_eq!(code, 0, "{again:#}");
    let (code, gone) = project.json(&["backup", "delete", &made.name, "--env", "prod", "--yes"]);
    assert_eq!(code, 0, "{gone:#}");
    assert!(!neon.branches().iter().any(|it| it.id == made.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_refused_before_anything_is_changed() {
    let neon = FakeNeon::start();
    let sound = project(&neon).await;
    let plain = support::database("not_on_neon").await;
    let claiming = support::database("claims_to_be_on_neon").await;
    for setting in [format!("neon.project_id = '{}'", neon.project), format!("neon.branch_id = '{}'", neon.branch)] {
        claiming.execute(&format!("alter database \"{}\" set {setting}", claiming.name)).await;
    }
    let other = FakeNeon::start();
    type Change = Box<dyn Fn(&FakeNeon)>;
    let nothing = || -> Change { Box::new(|_| {}) };
    for (what, project, change, name, words) in [
        (
            "another server",
            sound.with("URL", plain.url.expose()),
            nothing(),
            "identity",
            "does not say that it is on Neon",
        ),
        ("another project", sound.with("URL", other.database_url().expose()), nothing(), "identity", "leads to branch"),
        (
            "another server that claims it",
            sound.with("URL", claiming.url.expose()),
            nothing(),
            "identity",
            "does not say that it is on Neon",
        ),
        ("no such branch", sound.with("BRANCH", "br-nowhere-1"), nothing(), "identity", "could not be asked"),
        ("a wrong key", sound.with("KEY", "napi_wrongwrongwrong"), nothing(), "identity", "refused the key"),
        (
            "no access",
            sound.with("LC_ALL", "C"),
            Box::new(|neon: &FakeNeon| neon.set(|it| it.access = Access::Hidden)) as Change,
            "identity",
            "may not see it",
        ),
        (
            "an expiring branch",
            sound.with("LC_ALL", "C"),
            Box::new(|neon: &FakeNeon| {
                let id = neon.branch.clone();
                neon.change_branch(&id, |it| {
                    it.expires_at = Some(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9))
                });
            }),
            "restore-point",
            "itself expires",
        ),
    ] {
        change(&neon);
        let (code, planned) = project.json(&["plan", "--to", "prod"]);
        assert_eq!(code, 1, "{what}: {planned:#}");
        let (passed, said) = gate(&planned, name);
        assert!(!passed && said.contains(words), "{what}: {said}");
        let (code, _) = project.json(&["promote", "--to", "prod", "--yes"]);
        assert_eq!(code, 1, "{what}");
        let id = neon.branch.clone();
        neon.change_branch(&id, |it| it.expires_at = None);
        neon.set(|it| it.access = Access::Full);
    }
    let path = sound.folder.path().join("liftlock.yml");
    std::fs::write(&path, CONFIGURATION.replace("KEEP", "45d")).unwrap();
    let (code, planned) = sound.json(&["plan", "--to", "prod"]);
    let (passed, said) = gate(&planned, "restore-point");
    assert!(code == 1 && !passed && said.contains("30 d at most") && said.contains("keep: 30d"), "{said}");
    assert!(neon.mutations("POST", "/branches").is_empty());
    assert_eq!(neon.text("select coalesce(to_regnamespace('liftlock')::text, 'none')").await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_cannot_be_reached_is_a_refusal() {
    let neon = FakeNeon::start();
    let project = project(&neon).await.with("API", "http://127.0.0.1:1/api/v2");
    let began = Instant::now();
    let (code, planned) = project.json(&["plan", "--to", "prod"]);
    let (passed, said) = gate(&planned, "identity");
    assert!(code == 1 && !passed && said.contains("could not be asked"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_host_is_refused_and_the_direct_one_is_asked_for() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    let pooled = project.with("URL", "postgres://neondb_owner:hunter2x@ep-else-pooler.us-east-2.aws.neon.tech/neondb");
    for command in
        [&["plan", "--to", "prod"][..], &["promote", "--to", "prod", "--yes"], &["backup", "create", "--env", "prod"]]
    {
        let output = pooled.run(command);
        let said = String::from_utf8(output.stderr).unwrap().replace(['\n', '│', ' '], "");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("connectionpooler") && !said.contains("ep-else.us"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_project_is_told_before_and_a_refused_expiry_before_anything_is_applied() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    neon.set(|it| it.expiry = support::neon::faults::Verdict::Refused);
    let output = project.run(&["promote", "--to", "prod", "--yes"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let applied = "select count(*)::text from information_schema.columns where column_name = 'height'";
    assert_eq!(neon.text(applied).await, "0", "{said}");
    neon.set(|it| {
        it.expiry = support::neon::faults::Verdict::Allowed;
        it.plan = Plan::Free;
    });
    for number in 0..9 {
        let (status, made) = crate::neon_fake::ask(
            &neon,
            "POST",
            "/branches",
            Some(serde_json::json!({ "branch": { "name": format!("filler-{number}") } })),
        )
        .await;
        assert_eq!(status, 201, "{made:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (code, planned) = project.json(&["plan", "--to", "prod"]);
    let (passed, said) = gate(&planned, "restore-point");
    assert!(code == 1 && !passed && said.contains("10 of 10") && said.contains("backup delete"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_lost_its_answer_or_its_life_makes_no_second_branch() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    neon.fail(Fault::once(Call::CreateBranch, How::Lose(Done::Yes, Look::HangUp)));
    let (code, promoted) = project.json(&["promote", "--to", "prod", "--yes"]);
    assert_eq!(code, 0, "{promoted:#}");
    assert_eq!(neon.mutations("POST", "/branches").len(), 1);

    std::fs::write(
        project.folder.path().join("migrations/20260102000000_width_safe.sql"),
        migration("alter table poles add column width int;"),
    )
    .unwrap();
    neon.forget_requests();
    neon.set(|it| it.operation_time = Duration::from_secs(3));
    let mut child = project.command(&["promote", "--to", "prod", "--yes"]).spawn().unwrap();
    let sent = || !neon.mutations("POST", "/branches").is_empty();
    let began = Instant::now();
    while !sent() && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    neon.set(|it| it.operation_time = Duration::from_millis(30));
    let (code, resumed) = project.json(&["promote", "--to", "prod", "--yes"]);
    assert_eq!(code, 0, "{resumed:#}");
    assert_eq!(neon.mutations("POST", "/branches").len(), 1, "the branch of the killed run is taken over");
    let applied = "select count(*)::text from information_schema.columns where column_name = 'width'";
    assert_eq!(neon.text(applied).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_killed_goes_on_and_happens_once() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    let (code, made) = project.json(&["backup", "create", "--env", "prod"]);
    assert_eq!(code, 0, "{made:#}");
    let name = made["backups"][0]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("liftlock/manual/"), "{name}");
    neon.execute("delete from poles where id > 2").await;
    neon.set(|it| it.operation_time = Duration::from_secs(2));
    let mut child = project.command(&["backup", "restore", &name, "--env", "prod", "--yes"]).spawn().unwrap();
    let began = Instant::now();
    while neon.mutations("POST", "/restore").is_empty() && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    neon.set(|it| it.operation_time = Duration::from_millis(30));
    let (code, resumed) = project.json(&["backup", "restore", &name, "--env", "prod", "--yes"]);
    assert_eq!(code, 0, "{resumed:#}");
    let count = neon.mutations("POST", "/restore").iter().filter(|it| it.status == Some(200)).count();
    assert_eq!(count, 1, "put back once");
    assert_eq!(neon.text("select count(*)::text from poles").await, "9");
    neon.execute("delete from poles where id > 5").await;
    let (code, second) = project.json(&["backup", "restore", &name, "--env", "prod", "--yes"]);
    assert_eq!(code, 0, "{second:#}");
    assert_eq!(neon.text("select count(*)::text from poles").await, "9", "one that is meant happens again");
    let kept = neon.branches().iter().filter(|it| it.name.starts_with("liftlock/before-restore/")).count();
    assert_eq!(kept, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_it_sees_of_the_project() {
    let neon = FakeNeon::start();
    let project = project(&neon).await;
    let (_, report) = project.json(&["doctor"]);
    let find = |report: &Value| {
        let checks = report["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|it| it["name"] == "production: Neon").unwrap_or_else(|| panic!("{report:#}"))
    };
    let check = find(&report);
    assert_eq!(check["state"], "ok", "{check:#}");
    assert!(check["message"].as_str().unwrap().contains(&neon.project), "{check:#}");
    let (code, report) = project.with("KEY", "napi_wrongwrongwrong").json(&["doctor"]);
    let check = find(&report);
    assert_eq!((code, check["state"].as_str()), (1, Some("failed")), "{check:#}");
    assert!(check["fix"].as_str().unwrap().contains("api_key"), "{check:#}");
}

/// A promotion that was killed behind its restore point, with nothing applied: it waited for a table.
async fn killed(neon: &FakeNeon) -> Project {
    let project = project(neon).await.with("BRANCH", &neon.branch);
    let session = neon.session().await;
    session.batch_execute("begin; lock table poles in access share mode").await.unwrap();
    let mut child = project.command(&["promote", "--to", "prod", "--yes"]).spawn().unwrap();
    let waits = "select count(*)::text from pg_locks where not granted";
    let began = Instant::now();
    while neon.text(waits).await == "0" {
        assert!(began.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    session.close().await;
    project
}

const ABANDON: [&str; 5] = ["promote", "--to", "prod", "--abandon", "--yes"];

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_can_be_given_up_while_neon_does_not_answer_and_only_where_it_ran() {
    let neon = FakeNeon::start();
    let project = killed(&neon).await;
    let dead = project.with("API", "http://127.0.0.1:1/api/v2");
    let elsewhere = project.with("BRANCH", "br-elsewhere-1");
    let refused = elsewhere.run(&ABANDON);
    assert_ne!(refused.status.code(), Some(0), "the plan names another branch: {refused:?}");
    let states = "select string_agg(state, ' ') from liftlock.promotions";
    assert_eq!(neon.text(states).await, "running");
    let given_up = dead.run(&ABANDON);
    assert_eq!(given_up.status.code(), Some(0), "{given_up:?}");
    assert_eq!(neon.text(states).await, "abandoned");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_applied_behind_a_restore_point_that_is_gone_or_has_expired() {
    let neon = FakeNeon::start();
    let project = killed(&neon).await;
    let made = neon.branches().into_iter().find(|it| it.name.starts_with("liftlock/")).unwrap();
    neon.change_branch(&made.id, |it| it.expires_at = Some(jiff::Timestamp::now()));
    let tried = || {
        let output = project.run(&["promote", "--to", "prod", "--yes"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = tried();
    assert!(code == Some(3) && said.contains("restore::gone") && said.contains("--abandon"), "{code:?}: {said}");
    let applied = "select count(*)::text from information_schema.columns where column_name = 'height'";
    assert_eq!(neon.text(applied).await, "0");
    neon.remove_branch(&made.id);
    let (code, said) = tried();
    assert!(code == Some(3) && said.contains("restore::gone"), "{code:?}: {said}");
    assert_eq!(neon.text(applied).await, "0");
    assert_eq!(project.run(&ABANDON).status.code(), Some(0));
    let (code, said) = tried();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(neon.branches().iter().filter(|it| it.name.starts_with("liftlock/")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_not_found_once_is_looked_for_again() {
    let neon = FakeNeon::start();
    let project = project(&neon).await.with("BRANCH", &neon.branch);
    for (after, command) in [(0, &["plan", "--to", "prod"][..]), (3, &["promote", "--to", "prod", "--yes"])] {
        neon.fail(Fault::once(Call::ReadBranch, answer(404, "branch not found")).after(after));
        let output = project.run(command);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

/// The gate looks once; sessions come and go after it.
#[tokio::test]
async fn every_session_of_a_promotion_proves_its_branch() {
    let (neon, elsewhere) = (FakeNeon::start(), FakeNeon::start());
    let here = NeonIdentity { project: neon.project.clone(), branch: neon.branch.clone() };
    let patience = Patience {
        lock_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(60),
        concurrently: Duration::from_secs(60),
        retry_for: Duration::from_secs(1),
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(1),
        runner: Duration::from_secs(5),
    };
    let line = async |neon: &FakeNeon| {
        let address = Address::parse(&neon.database_url()).unwrap();
        Line::open_on(&address, patience, Some(here.clone()), &Quiet).await
    };
    let opened = line(&neon).await.unwrap();
    opened.session().batch_execute("select pg_terminate_backend(pg_backend_pid())").await.unwrap_err();
    opened.reconnect(&Quiet).await.unwrap();
    opened.session().prove_neon(&here).await.unwrap();
    let refused = line(&elsewhere).await.err().unwrap();
    assert!(format!("{:?}", Report::new(refused)).contains("postgres::other_branch"));
    assert_eq!(elsewhere.text("select coalesce(to_regnamespace('liftlock')::text, 'none')").await, "none");
    let found = elsewhere.session().await.prove_neon(&here).await;
    assert!(matches!(found, Err(PostgresError::OtherBranch { .. })), "{found:?}");
}
