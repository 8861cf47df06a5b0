//! The gate `approved` and emergencies, through the built binary, against real Postgres and GitHub's fake.

use std::{collections::BTreeMap, process::Output};

use camino::Utf8PathBuf;
use liftlock::promote::outbox;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    project::migration_text,
    support::{
        TestDatabase, database, drop_restore_points,
        github::{Environment, Fault, GitHub, TOKEN, World},
        liftlock,
    },
};

const FILE: &str = "db/migrations/0001_create_pole_safe.sql";

const CONFIG: &str = "
migrations: db/migrations
environments:
  staging: { database: \"${DATABASE_URL_STAGING}\", profile: staging }
  production: { database: \"${DATABASE_URL_PROD}\", profile: production, after: staging }
";

/// A checkout with two databases; staging has had its migration.
struct Project {
    folder: TempDir,
    staging: TestDatabase,
    production: TestDatabase,
}

impl Project {
    async fn new(test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self {
            folder,
            staging: database(&format!("{test}_s")).await,
            production: database(&format!("{test}_p")).await,
        };
        for below in [".git", "db/migrations"] {
            std::fs::create_dir_all(project.path(below)).unwrap();
        }
        project.write("liftlock.yml", CONFIG);
        project.write(FILE, &text());
        project
    }

    fn path(&self, below: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.folder.path().join(below)).unwrap()
    }

    fn write(&self, below: &str, text: &str) {
        std::fs::write(self.path(below), text).unwrap();
    }

    /// `approvals:` of production.
    fn demand(&self, approvals: &str) {
        let line = format!("after: staging, approvals: {approvals} }}");
        self.write("liftlock.yml", &CONFIG.replace("after: staging }", &line));
    }

    async fn run(&self, variables: &[(String, String)], arguments: &[&str]) -> Output {
        let mut command = liftlock();
        command.current_dir(self.path("")).args(arguments).envs(variables.iter().cloned());
        command.env("DATABASE_URL_STAGING", self.staging.url.expose());
        command.env("DATABASE_URL_PROD", self.production.url.expose());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn stage(&self) {
        let staged = self.run(&[], &["promote", "--to", "staging", "--yes"]).await;
        assert_eq!(staged.status.code(), Some(0), "{}", said(&staged));
    }

    /// `promote --to prod --yes`, as a step of this run's job.
    async fn promote(&self, github: &GitHub, run: u64, more: &[&str]) -> (Option<i32>, Value, String) {
        self.job(github, run, &[&["promote", "--to", "prod", "--yes", "--format", "json"], more].concat()).await
    }

    async fn job(&self, github: &GitHub, run: u64, arguments: &[&str]) -> (Option<i32>, Value, String) {
        let output = self.run(&github.variables(run), arguments).await;
        let said = said(&output);
        assert!(!said.contains("CANARY"), "the token is in: {said}");
        let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), report, said)
    }

    /// Nothing was done to production, not even the schema.
    async fn assert_untouched(&self) {
        let made = "select count(*)::text from pg_namespace where nspname = 'liftlock'";
        assert_eq!(self.production.text(made).await, "0");
    }

    async fn assert_no_canary(&self) {
        for sql in [
            "select coalesce(string_agg(plan::text, ''), '') from liftlock.promotions",
            "select coalesce(string_agg(entry::text, ''), '') from liftlock.journal",
            "select coalesce(string_agg(body, ''), '') from liftlock.audit_outbox",
        ] {
            assert!(!self.production.text(sql).await.contains("CANARY"), "{sql}");
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text() -> String {
    migration_text("create table pole (id bigint primary key, height integer);")
}

/// alice wrote it, merged by her pull request; production is protected; dave started the run.
fn world() -> (World, u64) {
    let mut world = World::new();
    world.commit("carol", &[("README.md", "hello")]);
    let sha = world.commit("alice", &[(FILE, &text())]);
    world.merged("alice", &[&sha]);
    world.environments.insert("production".to_owned(), Environment::protected());
    let run = world.run("dave");
    (world, run)
}

fn approves(world: &mut World, run: u64, login: &str) {
    world.answers(run, login, "production", "approved", "");
}

/// What a gate said and would have done about it.
fn gate(report: &Value, name: &str) -> (bool, String) {
    let gates = report["plan"]["gates"].as_array().unwrap_or_else(|| panic!("no gates in {report:#}"));
    let found = gates.iter().find(|it| it["name"] == name).unwrap();
    let fix = found["fix"].as_str().unwrap_or_default();
    (found["passed"] == true, format!("{} Fix: {fix}", found["evidence"].as_str().unwrap()))
}

type Change = fn(&mut World, u64);

/// What keeps it from production, although everything else is right and bob has approved.
const REFUSED: &[(&str, Change)] = &[
    ("nothing there to see: 0 of 1 approvals", |it, run| it.runs.get_mut(&run).unwrap().approvals.clear()),
    ("alice had a hand in the change", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        approves(it, run, "alice");
    }),
    ("dave started the run", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        approves(it, run, "dave");
    }),
    ("bob had a hand in the change", |it, _| {
        let last = it.commits.last_mut().unwrap();
        last.message = "Add it\n\nCo-authored-by: Bob <101+bob@users.noreply.github.com>".to_owned();
    }),
    ("bob had a hand in the change", |it, _| it.pulls.values_mut().next().unwrap().author = "bob".to_owned()),
    ("bob started this attempt of the run", |it, run| {
        let run = it.runs.get_mut(&run).unwrap();
        (run.attempt, run.triggering_actor) = (2, "bob".to_owned());
    }),
    ("bob started an earlier attempt of the run", |it, run| {
        let run = it.runs.get_mut(&run).unwrap();
        (run.attempt, run.earlier) = (3, vec!["dave".to_owned(), "bob".to_owned()]);
    }),
    ("found nothing to read attempt 1", |it, run| {
        it.runs.get_mut(&run).unwrap().attempt = 2;
        it.faults.push(Fault::status("GET", "/attempts/1", 9, 404));
    }),
    ("bob approved environment `staging`", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        it.answers(run, "bob", "staging", "approved", "");
    }),
    ("bob rejected it", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        it.answers(run, "bob", "production", "rejected", "");
    }),
    ("bob answered `a_state_of_tomorrow`", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        it.answers(run, "bob", "production", "a_state_of_tomorrow", "");
    }),
    ("bob approved plan 0000-0000", |it, run| {
        it.runs.get_mut(&run).unwrap().approvals.clear();
        it.answers(run, "bob", "production", "approved", "plan 0000-0000");
    }),
    ("there is no environment `production`", |it, _| it.environments.clear()),
    ("no required reviewers", |it, _| {
        it.environments.insert("production".to_owned(), Environment::made_by_a_workflow());
    }),
    ("administrators may bypass", |it, _| {
        it.environments.get_mut("production").unwrap().can_admins_bypass = Some(true);
    }),
    ("whoever starts a run may approve it", |it, _| {
        it.environments.get_mut("production").unwrap().prevent_self_review = false;
    }),
    ("is not on `main`: GitHub says it is ahead", |it, _| it.commits.last_mut().unwrap().fork_only = true),
    ("has other bytes than commit", |it, _| {
        it.commits.last_mut().unwrap().files.insert(FILE.to_owned(), "select 1;".to_owned());
    }),
    ("is not in commit", |it, _| {
        it.commits.last_mut().unwrap().files.remove(FILE);
    }),
    ("nobody with a GitHub account is known", |it, _| {
        it.commits.last_mut().unwrap().author = None;
        it.commits.last_mut().unwrap().committer = None;
        it.pulls.clear();
    }),
    ("the token may not read the approvals", |it, _| it.without("actions")),
    ("add `pull-requests: read`", |it, _| it.without("pull_requests")),
    ("found nothing to read run", |it, _| it.faults.push(Fault::status("GET", "/actions/runs/", 9, 404))),
    ("GitHub did not read run", |it, _| it.faults.push(Fault::status("GET", "/actions/runs/", 99, 502))),
    ("does not take the token", |it, _| it.tokens.clear()),
];

#[tokio::test]
async fn whatever_is_wrong_with_the_approval_keeps_it_from_production() {
    let project = Project::new("approvals_refused").await;
    project.stage().await;
    for (words, change) in REFUSED {
        let (mut world, run) = world();
        approves(&mut world, run, "bob");
        change(&mut world, run);
        let github = GitHub::start(world);
        let (status, report, said) = project.promote(&github, run, &[]).await;
        assert_eq!(status, Some(1), "{words}: {said}");
        let (passed, evidence) = gate(&report, "approved");
        let words = words.rsplit(": 0").next().unwrap();
        assert!(!passed && evidence.contains(words), "`{words}` is not in: {evidence}");
        assert!(evidence.len() - evidence.find("Fix: ").unwrap() > 30, "no fix: {evidence}");
        github.assert_proper();
    }
    project.assert_untouched().await;
}

#[tokio::test]
async fn an_approved_promotion_keeps_its_grounds_in_plan_journal_and_event() {
    let project = Project::new("approvals_good").await;
    project.stage().await;
    project.demand("{ required: 2 }");
    let (mut world, run) = world();
    let environment = world.environments.get_mut("production").unwrap();
    environment.can_admins_bypass = None;
    approves(&mut world, run, "bob");
    let github = GitHub::start(world);
    let (status, report, _) = project.promote(&github, run, &[]).await;
    assert_eq!(status, Some(1), "{report:#}");
    assert!(gate(&report, "approved").1.contains("1 of 2 approvals (bob)"), "{report:#}");
    // `plan` comes before anybody could approve: it says how things stand, and shows the code.
    let (status, planned, _) = project.job(&github, run, &["plan", "--to", "prod", "--format", "json"]).await;
    assert_eq!(status, Some(0), "{planned:#}");
    let code = planned["plan"]["code"].as_str().unwrap();
    github.world().answers(run, "carol", "production", "approved", &format!("fine, plan {}", code.to_lowercase()));
    // carol wrote the README only: none of it is promoted.
    let (status, report, said) = project.promote(&github, run, &[]).await;
    assert_eq!(status, Some(0), "{said}");
    let sha = github.world().head().unwrap().sha.clone();
    let approval = &report["promotion"]["approval"];
    assert_eq!((&approval["commit"], &approval["run"]), (&Value::from(sha), &Value::from(run)));
    assert!(gate(&report, "approved").1.contains("does not say whether administrators may bypass"), "{report:#}");
    for sql in [
        "select plan ->> 'approval' from liftlock.promotions",
        "select entry #>> '{is,plan,approval}' from liftlock.journal where sequence = 0",
    ] {
        let kept: Value = serde_json::from_str(&project.production.text(sql).await).unwrap();
        assert_eq!(&kept, approval);
    }
    let sql = "select body from liftlock.audit_outbox where kind = 'dev.liftlock.promotion.started.v1'";
    let event: Value = serde_json::from_str(&project.production.text(sql).await).unwrap();
    let kept = &event["data"]["approval"];
    let people: Vec<_> = kept["approvals"]["listed"].as_array().unwrap().iter().map(|it| &it["login"]).collect();
    assert_eq!(people, ["bob", "carol"]);
    assert_eq!((&kept["authors"]["listed"][0], &kept["started_by"]["listed"][0]), (&"alice".into(), &"dave".into()));
    assert_eq!(kept["environments"]["listed"][0]["name"], "production");
    assert_eq!((&kept["required"], &kept["attempt"]), (&2.into(), &1.into()));
    assert!(kept["observed_at"].as_str().unwrap().ends_with('Z'));
    let session = project.production.session().await;
    assert_eq!(outbox::verify(&*session).await.unwrap().broken, None);
    session.close().await;
    project.assert_no_canary().await;
    github.assert_proper();
    drop_restore_points(&project.production).await;
}

#[tokio::test]
async fn outside_a_job_configured_approvals_refuse_and_others_warn() {
    let project = Project::new("approvals_outside").await;
    project.stage().await;
    project.demand("{ required: 1 }");
    let arguments = ["promote", "--to", "prod", "--yes", "--format", "json"];
    let refused = project.run(&[], &arguments).await;
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    let (passed, evidence) = gate(&report, "approved");
    assert!(!passed && evidence.contains("outside a GitHub job") && evidence.contains("gh workflow run"), "{evidence}");
    // Whoever writes files could write an approval.
    let (world, run) = world();
    let github = GitHub::start(world);
    let mut variables = github.variables(run);
    variables.push(("LIFTLOCK_FORGE".to_owned(), project.path("forge").to_string()));
    let refused = project.run(&variables, &arguments).await;
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(gate(&report, "approved").1.contains("a folder stands for GitHub"), "{report:#}");
    project.assert_untouched().await;
    project.write("liftlock.yml", CONFIG);
    let promoted = project.run(&[], &arguments).await;
    assert_eq!(promoted.status.code(), Some(0), "{}", said(&promoted));
    let report: Value = serde_json::from_slice(&promoted.stdout).unwrap();
    assert_eq!(gate(&report, "approved").1.split(" Fix").next(), Some("nobody was asked"));
    drop_restore_points(&project.production).await;
}

#[tokio::test]
async fn variables_that_are_not_the_runs_own_are_refused() {
    let project = Project::new("approvals_variables").await;
    project.stage().await;
    let (mut world, run) = world();
    approves(&mut world, run, "bob");
    let older = world.commits[0].sha.clone();
    let github = GitHub::start(world);
    let nowhere = "f".repeat(40);
    for (name, value, words) in [
        ("GITHUB_RUN_ID", "", "`GITHUB_RUN_ID` is missing"),
        ("GITHUB_RUN_ID", "1", "found nothing to read run 1"),
        ("GITHUB_RUN_ATTEMPT", "2", "this is attempt 2 of run"),
        ("GITHUB_SHA", "main", "`GITHUB_SHA` is missing or malformed"),
        ("GITHUB_SHA", &older, "and this job is at"),
        ("LIFTLOCK_COMMIT", "abc", "`LIFTLOCK_COMMIT` is missing or malformed"),
        ("LIFTLOCK_COMMIT", &older, "is not in commit"),
        ("LIFTLOCK_COMMIT", &nowhere, "found nothing to compare"),
        ("GITHUB_REPOSITORY", "fibre", "GITHUB_REPOSITORY"),
        ("GITHUB_TOKEN", "", "no token"),
    ] {
        let mut variables: BTreeMap<String, String> = github.variables(run).into_iter().collect();
        variables.insert(name.to_owned(), value.to_owned());
        let variables: Vec<_> = variables.into_iter().collect();
        let output = project.run(&variables, &["promote", "--to", "prod", "--yes", "--format", "json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{name}={value}: {}", said(&output));
        let (passed, evidence) = gate(&report, "approved");
        assert!(!passed && evidence.contains(words), "{name}={value}: `{words}` is not in: {evidence}");
        assert!(!said(&output).contains(TOKEN));
    }
    project.assert_untouched().await;
}

#[tokio::test]
async fn other_bytes_than_staged_do_not_reach_production_however_many_approve_them() {
    let project = Project::new("approvals_staged").await;
    project.stage().await;
    let other = migration_text("create table pole (id bigint primary key, height bigint);");
    project.write(FILE, &other);
    let mut edited = world().0;
    let sha = edited.commit("alice", &[(FILE, &other)]);
    edited.merged("alice", &[&sha]);
    let run = edited.run("dave");
    approves(&mut edited, run, "bob");
    let github = GitHub::start(edited);
    let haste = ["--emergency", "--incident", "INC-1", "--reason", "orders fail until this table is there"];
    for more in [&[][..], &haste] {
        let (status, report, said) = project.promote(&github, run, more).await;
        assert_eq!(status, Some(1), "{said}");
        assert!(gate(&report, "approved").0, "{report:#}");
        let (passed, evidence) = gate(&report, "staged-first");
        assert!(!passed && evidence.contains("has other bytes there"), "{evidence}");
    }
    // A history that somebody wrote by hand.
    project.write(FILE, &text());
    project
        .staging
        .execute("alter table liftlock.audit_outbox disable trigger all; delete from liftlock.audit_outbox")
        .await;
    let (mut world, run) = world();
    approves(&mut world, run, "bob");
    let (_, report, _) = project.promote(&GitHub::start(world), run, &[]).await;
    assert!(gate(&report, "staged-first").1.contains("no promotion has recorded applying it"), "{report:#}");
    project.assert_untouched().await;
}

#[tokio::test]
async fn an_emergency_names_incident_and_reason_and_waives_staging_but_no_approval() {
    let project = Project::new("approvals_emergency").await;
    let (world, run) = world();
    let github = GitHub::start(world);
    let reason = "orders fail until this table is there";
    for (arguments, words) in [
        (&["--emergency"][..], "--incident"),
        (&["--emergency", "--incident", "INC-1"], "--reason"),
        (&["--emergency", "--reason", reason], "--incident"),
        (&["--incident", "INC-1"], "--emergency"),
        (&["--reason", reason], "--emergency"),
        (&["--emergency", "--incident", "INC-1", "--reason", "because"], "20 characters"),
        (&["--emergency", "--incident", "x y", "--reason", reason], "INC-123"),
    ] {
        let (status, _, said) = project.promote(&github, run, arguments).await;
        assert!(status == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
    let haste = ["--emergency", "--incident", "INC-1", "--reason", reason];
    // Waives neither approval …
    let (status, report, _) = project.promote(&github, run, &haste).await;
    assert_eq!((status, gate(&report, "approved").0, gate(&report, "staged-first").0), (Some(1), false, true));
    approves(&mut github.world(), run, "bob");
    // … nor the account of a hotfix …
    let (status, report, _) = project.promote(&github, run, &["--type", "hotfix"]).await;
    assert_eq!((status, gate(&report, "emergency").0), (Some(1), false), "{report:#}");
    // … nor the restore point.
    let session = project.production.session().await;
    let (status, report, _) = project.promote(&github, run, &haste).await;
    assert_eq!((status, gate(&report, "restore-point").0), (Some(1), false), "{report:#}");
    session.close().await;
    project.assert_untouched().await;

    let (status, report, said) = project.promote(&github, run, &haste).await;
    assert_eq!(status, Some(0), "{said}");
    let staged = gate(&report, "staged-first").1;
    assert!(staged.contains("waived by emergency INC-1: orders fail"), "{staged}");
    let sql = "select string_agg(kind || ' ' || (body::jsonb #>> '{data,emergency,incident}'), ' ' order by sequence)
        from liftlock.audit_outbox where kind like '%promotion%'";
    assert_eq!(
        project.production.text(sql).await,
        "dev.liftlock.promotion.started.v1 INC-1 dev.liftlock.promotion.emergency.v1 INC-1 \
         dev.liftlock.promotion.finished.v1 INC-1"
    );
    let kept = project.production.text("select plan #>> '{emergency,reason}' from liftlock.promotions").await;
    assert_eq!(kept, reason);
    project.assert_no_canary().await;
    drop_restore_points(&project.production).await;
}

/// What lint would refuse and calls waivable, stands in the plan with incident and reason; what loses data stays refused.
#[tokio::test]
async fn an_emergency_lifts_what_is_waivable_and_says_so_and_nothing_that_loses_data() {
    let project = Project::new("approvals_lifted").await;
    let index = migration_text("create index pole_height_idx on pole (height);");
    for (sql, passes) in [(index, true), (migration_text("drop table pole;"), false)] {
        project
            .production
            .execute("drop table if exists pole; create table pole (id bigint primary key, height int)")
            .await;
        project.write(FILE, &sql);
        let haste = ["--emergency", "--incident", "INC-1", "--reason", "orders fail until this is done"];
        let plain = project.run(&[], &["plan", "--to", "prod", "--format", "json"]).await;
        assert_eq!(plain.status.code(), Some(1));
        let arguments = [&["plan", "--to", "prod", "--format", "json"][..], &haste].concat();
        let planned = project.run(&[], &arguments).await;
        let report: Value = serde_json::from_slice(&planned.stdout).unwrap();
        assert_eq!(gate(&report, "validated").0, passes, "{report:#}");
        let waivers = report["plan"]["waivers"].to_string();
        assert_eq!(waivers.contains("emergency INC-1: orders fail until this is done"), passes, "{waivers}");
    }
}
