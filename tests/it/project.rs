//! A small project of its own for each test: a folder, a configuration, databases; and a promotion of it, by
//! the same functions that the command calls.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use camino::Utf8PathBuf;
use liftlock::{
    cli::{self, Format, Global},
    commands::{Shell, promote as command},
    config::{self, Config},
    error::Error,
    migration::{self, Migration, discover},
    promote::{
        self, Asker, PromoteError, Promoted,
        approval::look::Approving,
        journal::PostgresJournal,
        line::{Line, Patience},
        outbox,
        perform::Performer,
        plan::{self, Decision, Plan},
        prepare::{self, Question},
        restore::Local,
    },
    report::{
        Report,
        progress::{Event, Observe, Quiet},
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{TestDatabase, database};

/// Keeps what is said.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Observe for Heard {
    fn event(&self, event: Event) {
        match event {
            Event::Notice { message } => self.0.lock().unwrap().push(message),
            Event::Blocked { message, statements } => self.0.lock().unwrap().push(format!("{message}: {statements}")),
            Event::StepFinished { step, detail, millis } => {
                self.0.lock().unwrap().push(format!("{step}: {detail} ({millis} ms)"));
            }
            _ => {}
        }
    }
}

impl Heard {
    pub fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

pub struct Project {
    pub database: TestDatabase,
    pub folder: TempDir,
    pub cancel: CancellationToken,
    pub heard: Arc<Heard>,
    pub patience: Patience,
    pub yaml: String,
    pub variables: BTreeMap<String, String>,
}

/// One production database, no webhook, no mirror.
pub const PLAIN: &str = "
migrations: db/migrations
environments:
  production: { database: \"${DATABASE_URL_PROD}\", profile: production }
";

impl Project {
    pub async fn new(test: &str) -> Self {
        Self::with(test, PLAIN).await
    }

    pub async fn with(test: &str, yaml: &str) -> Self {
        let database = database(test).await;
        let folder = tempfile::tempdir().unwrap();
        // Whoever runs these tests, perhaps a job, has nothing to do with it.
        let no_job = ("GITHUB_ACTIONS".to_owned(), "false".to_owned());
        let variables = BTreeMap::from([no_job, ("DATABASE_URL_PROD".to_owned(), database.url.expose().to_owned())]);
        let patience = Patience {
            lock_timeout: Duration::from_millis(300),
            statement_timeout: Duration::from_secs(60),
            concurrently: Duration::from_secs(20),
            retry_for: Duration::from_secs(10),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(400),
            runner: Duration::from_secs(5),
        };
        let project = Self {
            database,
            folder,
            cancel: CancellationToken::new(),
            heard: Arc::default(),
            patience,
            yaml: yaml.to_owned(),
            variables,
        };
        std::fs::create_dir_all(project.path("db/migrations")).unwrap();
        project.configure();
        project
    }

    /// Writes `yaml`.
    pub fn configure(&self) {
        std::fs::write(self.path("liftlock.yml"), &self.yaml).unwrap();
    }

    pub fn path(&self, below: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.folder.path().join(below)).unwrap()
    }

    pub fn write(&self, id: &str, text: &str) {
        std::fs::write(self.path("db/migrations").join(id), text).unwrap();
    }

    /// A migration with a header that lint accepts.
    pub fn migration(&self, id: &str, sql: &str) {
        self.write(id, &migration_text(sql));
    }

    pub fn remove(&self, id: &str) {
        std::fs::remove_file(self.path("db/migrations").join(id)).unwrap();
    }

    pub fn config(&self) -> Config {
        config::load(&self.path("liftlock.yml"), &|name| self.variables.get(name).cloned()).unwrap()
    }

    pub fn files(&self) -> Vec<Migration> {
        discover::folder(&self.path("db/migrations")).unwrap().into_iter().map(migration::read).collect()
    }

    pub async fn line(&self) -> Line {
        Line::open(&self.database.address(), self.patience, &*self.heard).await.unwrap()
    }

    fn shell(&self) -> Shell {
        Shell {
            global: Global { config: Some(self.path("liftlock.yml")), no_color: true, format: Format::Json },
            observe: Arc::clone(&self.heard) as Arc<dyn Observe>,
            cancel: self.cancel.clone(),
            color: false,
            variables: self.variables.clone(),
            shown: Mutex::default(),
        }
    }

    /// `liftlock promote --to production --yes`.
    pub async fn command(&self) -> Result<Report, Error> {
        self.promote_to("prod").await
    }

    /// `liftlock promote --to ENVIRONMENT --yes`.
    pub async fn promote_to(&self, environment: &str) -> Result<Report, Error> {
        command::promote(&self.shell(), &asked(environment, false)).await
    }

    /// `liftlock promote --to production --yes --abandon`.
    pub async fn abandon(&self) -> Result<Report, Error> {
        command::promote(&self.shell(), &asked("prod", true)).await
    }

    pub async fn backup(&self, command: cli::BackupCommand) -> Result<Report, Error> {
        liftlock::commands::backup::backup(&self.shell(), &cli::Backup { command }).await
    }

    pub async fn status(&self) -> Result<Report, Error> {
        liftlock::commands::status::status(&self.shell(), &cli::To { environment: "prod".to_owned() }).await
    }

    pub async fn plan(&self) -> Result<Report, Error> {
        liftlock::commands::plan::plan(&self.shell(), &asked("prod", false).plan).await
    }

    /// What is decided when it is asked on this line.
    pub async fn decide(&self, line: &Line) -> Decision {
        let (config, files) = (self.config(), self.files());
        let environment = config.environment("production").unwrap();
        let question = Question {
            run: uuid::Uuid::now_v7(),
            now: jiff::Timestamp::now(),
            config: &config,
            environment,
            webhook: false,
            promotion_type: config::PromotionType::SchemaSafe,
            actor: "tester",
            files: &files,
            commit: None,
            emergency: None,
            approving: &Approving::nowhere(),
        };
        let elsewhere = prepare::elsewhere(&config, environment).await;
        let prepared = prepare::prepare(question, &elsewhere, &line.session()).await.unwrap();
        plan::plan(&prepared.request())
    }

    pub fn restore_points(&self) -> Local {
        Local { address: self.database.address(), observe: Arc::new(Quiet) }
    }

    pub fn performer<'a>(
        &'a self,
        line: &'a Line,
        plan: &'a Plan,
        files: &'a [Migration],
        restore_points: &'a Local,
    ) -> Performer<'a, Local> {
        Performer {
            line,
            plan,
            files,
            restore_points,
            sink: None,
            mirroring: None,
            synced: None,
            observe: &*self.heard,
            cancel: &self.cancel,
        }
    }

    pub fn asker(&self) -> Asker<'_> {
        Asker { actor: "tester", tool_version: "0.0.0", approval: None, observe: &*self.heard, cancel: &self.cancel }
    }

    /// Takes the lock, plans and runs, as the command does.
    pub async fn promote(&self) -> Result<Promoted, PromoteError> {
        let line = Line::open(&self.database.address(), self.patience, &*self.heard).await?;
        let decision = self.decide(&line).await;
        let plan =
            decision.plan.unwrap_or_else(|refusal| panic!("refused: {:#?}", refusal.failed().collect::<Vec<_>>()));
        let (files, restore_points) = (self.files(), self.restore_points());
        let mut performer = self.performer(&line, &plan, &files, &restore_points);
        promote::run(&mut PostgresJournal::new(&line), &plan, &mut performer, &self.asker()).await
    }

    /// Everything that must hold after a promotion came to its end, however often it was stopped before.
    pub async fn assert_promoted(&self, ids: &[&str]) {
        let session = self.database.session().await;
        let rows =
            session.query("select id from liftlock.migrations where state = 'done' order by id", &[]).await.unwrap();
        let done: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(done, ids);
        let chain = outbox::verify(&*session).await.unwrap();
        assert_eq!(chain.broken, None);
        let applied = "select count(*), count(distinct body::jsonb #>> '{data,migrations,listed,0,id}')
            from liftlock.audit_outbox where kind = 'dev.liftlock.migration.applied.v1'";
        let row = session.query_one(applied, &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (ids.len() as i64, ids.len() as i64));
        let open = "select count(*) from liftlock.promotions where state = 'running'";
        assert_eq!(session.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);
        let invalid = "select count(*) from pg_index where not indisvalid";
        assert_eq!(session.query_one(invalid, &[]).await.unwrap().get::<_, i64>(0), 0);
        let unfinished = "select count(*) from liftlock.statements where state <> 'done'";
        assert_eq!(session.query_one(unfinished, &[]).await.unwrap().get::<_, i64>(0), 0);
        session.close().await;
    }
}

fn asked(environment: &str, abandon: bool) -> cli::Promote {
    cli::Promote {
        plan: cli::Plan {
            to: cli::To { environment: environment.to_owned() },
            promotion_type: cli::PromotionType::SchemaSafe,
            emergency: cli::Emergency::default(),
            save: None,
        },
        yes: true,
        abandon,
    }
}

/// SQL with a header that lint accepts.
pub fn migration_text(sql: &str) -> String {
    format!(
        "-- Description: a test\n-- Created: 2026-01-01\n-- Type: schema\n-- Rollback: drop what is created here\n\n{sql}\n"
    )
}
