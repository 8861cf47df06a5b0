//! A push to staging under the Action, on real Postgres.

use std::{process::Child, time::Duration};

use tokio::time;

use crate::{
    project::migration_text,
    receiver::{Answer, Receiver, SECRET},
    support::{
        TestDatabase,
        act::{Event, Job, Repository},
        database,
        github::World,
    },
};

pub const FILE: &str = "db/migrations/20260101000001_add_label_safe.sql";
pub const POLES: &str = "create table poles (id integer primary key); insert into poles values (1), (2)";
pub const ADD_LABEL: &str = "alter table poles add column label text;";

/// A project on its way: staging on plain Postgres, events to a webhook.
pub struct Project {
    pub repository: Repository,
    pub staging: TestDatabase,
    pub webhook: Receiver,
}

const STAGING: &str = r#"
migrations: db/migrations
environments:
  staging: { database: "${DATABASE_URL_STAGING}", profile: staging }
audit: { webhook: "${AUDIT_WEBHOOK_URL}", secret: "${AUDIT_WEBHOOK_SECRET}" }
"#;

impl Project {
    pub async fn new(test: &str, script: &[Answer], configuration: &str) -> Self {
        let staging = database(test).await;
        staging.execute(POLES).await;
        let webhook = Receiver::start(SECRET, script).await;
        let mut repository = Repository::new(World::new(), configuration);
        for (name, value) in [
            ("DATABASE_URL_STAGING", staging.url.expose().to_owned()),
            ("AUDIT_WEBHOOK_URL", webhook.url()),
            ("AUDIT_WEBHOOK_SECRET", SECRET.to_owned()),
        ] {
            repository.secrets.insert(name.to_owned(), value);
        }
        repository.write(FILE, &migration_text(ADD_LABEL));
        Self { repository, staging, webhook }
    }

    /// Commits what there is, and pushes it to the branch `staging`.
    fn push(&self) -> Child {
        self.repository.commit("alice");
        let run = self.repository.github.world().run("alice");
        self.repository.start("liftlock-migrate.yml", &Event::Push { branch: "staging", run })
    }

    pub async fn pushed(&self) -> Job {
        self.ended(self.push()).await
    }

    /// The webhook is served on this test's own thread.
    pub async fn ended(&self, child: Child) -> Job {
        tokio::task::block_in_place(|| self.repository.ended(child))
    }
}

pub const COLUMNS: &str =
    "select string_agg(column_name, ' ' order by ordinal_position) from information_schema.columns
    where table_name = 'poles'";

pub async fn columns(database: &TestDatabase) -> String {
    database.text(COLUMNS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_staging_carries_the_migrations_there() {
    let project = Project::new("action_staging", &[], STAGING).await;
    let job = project.pushed().await;
    job.ends(0);
    assert_eq!(columns(&project.staging).await, "id label");
    let report = job.report("liftlock-staging");
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["promotion"]["applied"][0][0], "20260101000001_add_label_safe.sql");
    assert!(job.log.contains("set-output:: applied-count=1"), "{}", job.log);
    assert!(job.log.contains("set-output:: audit-delivered=true"), "{}", job.log);
    assert!(job.artifacts["liftlock-staging/audit.json"].contains("promotion.finished"), "{:?}", job.artifacts);
    assert!(!project.webhook.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_webhook_down_the_promotion_is_done_and_the_event_waits() {
    let project = Project::new("action_webhook_down", &[Answer::Status(500); 200], STAGING).await;
    let job = project.pushed().await;
    job.ends(0);
    assert_eq!(columns(&project.staging).await, "id label");
    assert!(job.log.contains("set-output:: audit-delivered=false"), "{}", job.log);
    assert!(job.report("liftlock-staging")["promotion"]["events_waiting"].as_u64().unwrap() > 0);
    assert_eq!(project.webhook.taken().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_killed_while_it_applies_comes_to_the_same_end_when_it_is_run_again() {
    let project = Project::new("action_killed", &[], STAGING).await;
    let holder = project.staging.session().await;
    holder.batch_execute("begin; lock table poles in access exclusive mode").await.unwrap();
    let child = project.push();
    let waiting = "select count(*)::text from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query ilike '%alter table poles%'";
    let until = time::Instant::now() + Duration::from_secs(30);
    while project.staging.text(waiting).await == "0" {
        assert!(time::Instant::now() < until, "it never came to the migration");
        time::sleep(Duration::from_millis(50)).await;
    }
    project.repository.kill_liftlock();
    let job = project.ended(child).await;
    job.ends(1).says("did not come to its end");
    holder.batch_execute("rollback").await.unwrap();
    holder.close().await;
    assert_eq!(columns(&project.staging).await, "id");

    let run = project.repository.github.world().run("alice");
    let event = Event::Push { branch: "staging", run };
    let again = project.repository.start("liftlock-migrate.yml", &event);
    project.ended(again).await.ends(0);
    assert_eq!(columns(&project.staging).await, "id label");
    let done = "select string_agg(id || ' ' || state, ',') from liftlock.migrations";
    assert_eq!(project.staging.text(done).await, "20260101000001_add_label_safe.sql done");
}
