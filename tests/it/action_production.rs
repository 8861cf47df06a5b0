//! Promotions to production under the Action: the approvals that open the gate, the whole way on the stand-ins of
//! Neon and Convex, and no secret to be seen when something is wrong with one.

use crate::{
    action_promote::{ADD_LABEL, COLUMNS, FILE, POLES, Project, columns},
    project::migration_text,
    support::{
        TestDatabase,
        act::{Event, Job},
        convex, database,
        github::Environment,
        neon::{
            FakeNeon,
            faults::{self, Call, Fault},
        },
    },
};

impl Project {
    /// Somebody starts the promotion of a commit to production, and these people approve it.
    async fn dispatched(&self, commit: &str, approvers: &[&str], more: &[(&str, &str)]) -> Job {
        let run = {
            let mut world = self.repository.github.world();
            let run = world.run("dave");
            for approver in approvers {
                world.answers(run, approver, "production", "approved", "");
            }
            run
        };
        let inputs = [&[("commit", commit)], more].concat();
        let child = self.repository.start("liftlock-promote.yml", &Event::Dispatch { run, inputs: &inputs });
        self.ended(child).await
    }
}

const PRODUCTION: &str = r#"
migrations: db/migrations
environments:
  staging: { database: "${DATABASE_URL_STAGING}", profile: staging }
  production:
    database: "${DATABASE_URL_PROD}"
    profile: production
    after: staging
    approvals: { required: 2 }
audit: { webhook: "${AUDIT_WEBHOOK_URL}", secret: "${AUDIT_WEBHOOK_SECRET}" }
"#;

/// A change of alice's that staging has had, before production: the project, production, and the commit.
async fn staged(test: &str) -> (Project, TestDatabase, String) {
    let mut project = Project::new(test, &[], PRODUCTION).await;
    let production = database(&format!("{test}_production")).await;
    production.execute(POLES).await;
    project.repository.secrets.insert("DATABASE_URL_PROD".to_owned(), production.url.expose().to_owned());
    project.repository.github.world().environments.insert("production".to_owned(), Environment::protected());
    project.pushed().await.ends(0);
    let commit = project.repository.git(&["rev-parse", "HEAD"]);
    project.repository.github.world().merged("alice", &[&commit]);
    (project, production, commit)
}

#[tokio::test(flavor = "multi_thread")]
async fn production_waits_for_two_people_who_neither_wrote_it_nor_started_it() {
    let (project, production, commit) = staged("action_gate").await;

    let emergency =
        [("emergency", "true"), ("incident", "INC-7"), ("reason", "orders fail until this column is there")];
    for (approvers, more, said) in [
        (&[][..], &[][..], "0 of 2 approvals"),
        (&["bob"], &[], "1 of 2 approvals (bob)"),
        (&["alice", "bob"], &[], "alice had a hand in the change"),
        (&["dave", "bob"], &[], "dave started the run"),
        (&["bob", "bob"], &[], "1 of 2 approvals (bob)"),
        // Haste waives much, and never this.
        (&["bob"], &emergency[..], "1 of 2 approvals (bob)"),
        (&["bob", "carol"], &emergency[..2], "--reason"),
    ] {
        let job = project.dispatched(&commit, approvers, more).await;
        job.ends(1).says(said);
        assert_eq!(columns(&production).await, "id", "{approvers:?}");
    }
    // `act` now and then loses what a step prints that ends at once; the refusal itself is there each time.
    let refusal = "must be a full commit id";
    for attempt in 1.. {
        let job = project.dispatched(&commit[..12], &["bob", "carol"], &[]).await;
        job.ends(1);
        if job.log.contains(refusal) || attempt == 3 {
            job.says(refusal);
            break;
        }
    }

    // Other bytes than staging has had.
    project.repository.write(FILE, &migration_text("alter table poles add column label integer;"));
    let other = project.repository.commit("alice");
    project.dispatched(&other, &["bob", "carol"], &[]).await.ends(1).says("staged-first");
    assert_eq!(columns(&production).await, "id");

    let job = project.dispatched(&commit, &["bob", "carol"], &[]).await;
    job.ends(0);
    assert_eq!(columns(&production).await, "id label");
    let report = job.report("liftlock-production");
    assert_eq!(report["promotion"]["applied"].as_array().map(Vec::len), Some(1), "{report:#}");
    let approval = report["promotion"]["approval"].to_string();
    assert!(approval.contains("bob") && approval.contains("carol"), "{approval}");

    // In haste without staging: somebody has to answer for it, two people still have to agree, and it is recorded.
    project.repository.write(FILE, &migration_text(ADD_LABEL));
    project.repository.write(
        "db/migrations/20260102000001_add_colour_safe.sql",
        &migration_text("alter table poles add column colour text;"),
    );
    let hasty = project.repository.commit("alice");
    let job = project.dispatched(&hasty, &["bob", "carol"], &emergency).await;
    job.ends(0);
    assert_eq!(columns(&production).await, "id label colour");
    let told = "select count(*)::text from liftlock.audit_outbox where body like '%INC-7%orders fail until%'";
    assert_ne!(production.text(told).await, "0");
    project.repository.github.assert_proper();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_goes_the_whole_way_on_neon_and_on_to_convex() {
    let neon = FakeNeon::start();
    neon.execute(POLES).await;
    let convex = tokio::task::spawn_blocking(|| convex::Harness::start(&["poles"])).await.unwrap();
    let configuration = PRODUCTION.replace(
        "    after: staging\n",
        &format!(
            "    after: staging\n    neon: {{ project: \"${{NEON_PROJECT_ID}}\", branch: {}, api_key: \"${{NEON_API_KEY}}\", api_url: \"{}\" }}\n",
            neon.branch, neon.api_url
        ),
    ) + "sync: { from: production, to: { convex: \"${CONVEX_URL}\", deploy_key: \"${CONVEX_DEPLOY_KEY}\" } }\n";
    let mut project = Project::new("action_whole_way", &[], &configuration).await;
    for (name, value) in [
        ("DATABASE_URL_PROD", neon.database_url().expose()),
        ("NEON_API_KEY", neon.key().expose()),
        ("CONVEX_DEPLOY_KEY", convex::DEPLOY_KEY),
    ] {
        project.repository.secrets.insert(name.to_owned(), value.to_owned());
    }
    project.repository.variables.insert("NEON_PROJECT_ID".to_owned(), neon.project.clone());
    project.repository.variables.insert("CONVEX_URL".to_owned(), convex.url.clone());
    project.repository.github.world().environments.insert("production".to_owned(), Environment::protected());
    project.pushed().await.ends(0);
    let commit = project.repository.git(&["rev-parse", "HEAD"]);
    project.repository.github.world().merged("alice", &[&commit]);

    // Neon has something else to do at first: 423.
    neon.fail(Fault::once(Call::CreateBranch, faults::answer(423, "project already has running operations")).times(2));
    let job = project.dispatched(&commit, &["bob", "carol"], &[]).await;
    job.ends(0);
    let made: Vec<_> = neon.mutations("POST", "/branches").iter().map(|it| it.status).collect();
    assert_eq!(made, [Some(423), Some(423), Some(201)]);
    assert_eq!(neon.text(COLUMNS).await, "id label");
    let branches = neon.branches();
    let backup = branches.iter().find(|it| it.name.starts_with("liftlock/")).expect("a restore point is there");
    assert!(job.log.contains(&format!("set-output:: backup-branch-id={}", backup.id)), "{}", job.log);
    let report = job.report("liftlock-production");
    assert_eq!(report["sync"]["tables"][0]["verified"], true, "{report:#}");
    assert_eq!(convex.documents("poles").await.len(), 2);
    assert!(project.webhook.taken().iter().any(|it| it.body.contains("promotion.finished")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_environment_asks_a_second_person_first() {
    let configuration = PRODUCTION.replace("required: 2", "required: 2, also: [production-second]");
    let mut project = Project::new("action_second", &[], &configuration).await;
    let production = database("action_second_production").await;
    production.execute(POLES).await;
    project.repository.secrets.insert("DATABASE_URL_PROD".to_owned(), production.url.expose().to_owned());
    for name in ["production", "production-second"] {
        project.repository.github.world().environments.insert(name.to_owned(), Environment::protected());
    }
    let caller = ".github/workflows/liftlock-promote.yml";
    let text = std::fs::read_to_string(project.repository.path(caller)).unwrap();
    let uncommented = text.replace("# second-environment:", "second-environment:");
    assert_ne!(text, uncommented, "the caller says how");
    project.repository.write(caller, &uncommented);
    project.pushed().await.ends(0);
    let commit = project.repository.git(&["rev-parse", "HEAD"]);
    let run = {
        let mut world = project.repository.github.world();
        world.merged("alice", &[&commit]);
        let run = world.run("dave");
        world.answers(run, "bob", "production-second", "approved", "");
        world.answers(run, "carol", "production", "approved", "");
        run
    };
    let event = Event::Dispatch { run, inputs: &[("commit", &commit)] };
    let job = project.ended(project.repository.start("liftlock-promote.yml", &event)).await;
    job.ends(0).says("Whether that counts is for the next job to find out");
    assert_eq!(columns(&production).await, "id label");
}

/// What goes wrong is said without the secret that it went wrong with; every job here is searched for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_when_each_of_them_is_wrong() {
    let (mut project, production, commit) = staged("action_canaries").await;
    for (name, wrong) in [
        ("DATABASE_URL_PROD", "postgres://shop:canary-closed-port@127.0.0.1:9/shop"),
        ("DATABASE_URL_PROD", "postgres://shop:canary-no-port@127.0.0.1:port/shop"),
        ("DATABASE_URL_PROD", "canary-not-an-address-at-all"),
        ("DATABASE_URL_STAGING", "postgres://shop:canary-staging@127.0.0.1:9/shop"),
        ("AUDIT_WEBHOOK_SECRET", "whsec_canary-that-is-no-base64"),
        ("AUDIT_WEBHOOK_URL", "canary://not-a-webhook"),
        ("GITHUB_TOKEN", "ghs_canary_token_that_nobody_knows"),
    ] {
        let right = project.repository.secrets.insert(name.to_owned(), wrong.to_owned()).unwrap();
        let job = project.dispatched(&commit, &["bob", "carol"], &[]).await;
        job.ends(1);
        assert!(!job.log.contains("canary"), "{name}:\n{}", job.log);
        assert_eq!(columns(&production).await, "id", "{name}");
        project.repository.secrets.insert(name.to_owned(), right);
    }
}
