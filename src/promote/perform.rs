//! What each kind of step does: the thin half of a promotion.

use jiff::Timestamp;
use miette::Diagnostic;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    Asker,
    apply::{self, Job},
    chronicle,
    event::{NewEvent, TableFacts},
    failure::ApplyError,
    gates::counted,
    journal::{Cause, End, Facts, Standing},
    line::Line,
    outbox::{self, Break, Terms},
    plan::{Milestone, Plan, Step},
    restore::{self, Provider, RestoreError},
};
use crate::{
    config::{Config, Environment, MirrorTarget, ProfileName},
    exit::Exit,
    migration::Migration,
    report::{SyncReport, TableSync, progress::Observe},
    services::{
        mirror::{self, ConvexMirror},
        postgres::PostgresError,
        webhook::AnySink,
    },
    sync::{self, SyncError},
};

/// Does the steps of a plan. Each may be called again after it was stopped at any moment.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn these futures")]
pub trait Perform {
    /// Does a step, or finds that it is done.
    async fn perform(&mut self, step: &Step, standing: &Standing) -> Result<Facts, StepError>;
    /// Records that somebody goes on with what stands so far; fails when that cannot be relied on any more.
    async fn resumed(&mut self, standing: &Standing, asker: &Asker<'_>) -> Result<(), StepError>;
    /// Records that a step failed; `what` tells this failure from others of the run.
    async fn failed(&mut self, what: &str, cause: &Cause) -> Result<(), StepError>;
    /// Records that the promotion was given up.
    async fn abandoned(&mut self, actor: &str) -> Result<(), StepError>;
}

/// Why a step was not done.
#[derive(Debug, Error, Diagnostic)]
pub enum StepError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Apply(#[from] ApplyError),
    /// A migration that runs statement by statement, some of which are done.
    #[error("{done} of {total} statements of {migration} are done")]
    #[diagnostic(code(promote::partly_applied))]
    Partly {
        migration: String,
        done: i32,
        total: i32,
        #[source]
        #[diagnostic_source]
        source: ApplyError,
    },
    /// The connection is gone, and its statements commit one by one.
    #[error("how far {migration} got cannot be seen from here")]
    #[diagnostic(code(promote::unseen))]
    Unseen {
        migration: String,
        #[source]
        #[diagnostic_source]
        source: ApplyError,
    },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),
    #[error("{0} is not recorded as applied")]
    #[diagnostic(
        code(promote::not_recorded),
        help("somebody changed liftlock.migrations; `liftlock status --to ENV` shows what it says")
    )]
    NotRecorded(String),
    #[error("the audit chain does not hold: {0}")]
    #[diagnostic(
        code(promote::chain_broken),
        help("`liftlock audit verify --env ENV` shows the place; somebody edited the outbox")
    )]
    Chain(Break),
    #[error("no file has the bytes of {0} that were planned")]
    #[diagnostic(code(promote::no_file), help("put the planned bytes back and run the same command again"))]
    NoFile(String),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sync(#[from] SyncError),
    #[error("the mirror is not equal to the database: {0}")]
    #[diagnostic(code(promote::mirror_differs), help("`liftlock sync` shows each table, and carries what is missing"))]
    MirrorDiffers(String),
    #[error("stopped on request")]
    #[diagnostic(code(promote::cancelled))]
    Cancelled,
}

impl StepError {
    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Apply(error) => error.exit(),
            Self::Restore(error) => error.exit(),
            Self::Postgres(error) => error.exit(),
            Self::Partly { .. } | Self::Unseen { .. } | Self::Cancelled | Self::Sync(_) | Self::MirrorDiffers(_) => {
                Exit::Half
            }
            Self::NotRecorded(_) | Self::Chain(_) | Self::NoFile(_) => Exit::Service,
        }
    }

    /// How the run ends with it; `None`: it can be gone on with. When only the mirror is behind, the promotion
    /// itself is done, and must not be in the way of the next one.
    pub fn ends(&self) -> Option<End> {
        match self {
            Self::Apply(error) | Self::Partly { source: error, .. } | Self::Unseen { source: error, .. } => {
                error.is_final().then_some(End::Failed)
            }
            Self::Sync(_) | Self::MirrorDiffers(_) => Some(End::Finished),
            Self::Restore(_)
            | Self::Postgres(_)
            | Self::NotRecorded(_)
            | Self::Chain(_)
            | Self::NoFile(_)
            | Self::Cancelled => None,
        }
    }

    /// For journal and audit: codes and places only.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Apply(error) | Self::Partly { source: error, .. } | Self::Unseen { source: error, .. } => {
                error.cause()
            }
            Self::Postgres(error) => Cause { sqlstate: error.sqlstate().map(str::to_owned), ..self.coded() },
            Self::Restore(_)
            | Self::NotRecorded(_)
            | Self::Chain(_)
            | Self::NoFile(_)
            | Self::Sync(_)
            | Self::MirrorDiffers(_)
            | Self::Cancelled => self.coded(),
        }
    }

    fn coded(&self) -> Cause {
        Cause { code: self.code().map(|it| it.to_string()).unwrap_or_default(), ..Cause::default() }
    }
}

/// Where tables are carried to after the promotion.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirroring {
    pub request: sync::Request,
    pub to: MirrorTarget,
    /// Of the environment that is carried.
    pub profile: ProfileName,
}

impl Mirroring {
    /// What the configuration says of this environment; `None` when it is not the one that is mirrored.
    pub fn of(config: &Config, environment: &Environment) -> Option<Self> {
        let settings = config.sync().ok().flatten().filter(|it| config.full_name(&it.from) == environment.name)?;
        Some(Self {
            request: sync::Request::of(environment, settings),
            to: settings.to.clone(),
            profile: environment.profile,
        })
    }

    /// Whether the mirror may be carried to at all, as far as can be said without asking it: better known before
    /// anything is applied.
    pub fn assert_suits(&self) -> Result<(), SyncError> {
        match &self.to {
            MirrorTarget::Folder(_) => Ok(()),
            MirrorTarget::Convex(convex) => Ok(ConvexMirror::open(convex, self.profile).map(drop)?),
        }
    }

    /// Carries the tables; all of them, and proven, or an error.
    pub async fn run(&self, observe: &dyn Observe, cancel: &CancellationToken) -> Result<SyncReport, SyncError> {
        let mirror = mirror::open(&self.to, self.profile)?;
        sync::run(&self.request, &mirror, observe, cancel).await
    }
}

/// The real thing.
pub struct Performer<'a, P> {
    pub line: &'a Line,
    pub plan: &'a Plan,
    pub files: &'a [Migration],
    pub restore_points: &'a P,
    /// Where events go; `None`: they stay.
    pub sink: Option<&'a AnySink>,
    pub mirroring: Option<&'a Mirroring>,
    /// What the sync said, once it has run.
    pub synced: Option<SyncReport>,
    pub observe: &'a dyn Observe,
    pub cancel: &'a CancellationToken,
}

impl<P: Provider> Perform for Performer<'_, P> {
    async fn perform(&mut self, step: &Step, standing: &Standing) -> Result<Facts, StepError> {
        match step {
            Step::Audit { milestone } => self.audit(*milestone, standing).await,
            Step::RestorePoint { name, nonce, keep_seconds, neon } => {
                let expires_at = restore::expiry(Timestamp::now(), *keep_seconds);
                self.restore_point(restore::Wanted { name, nonce, expires_at, neon: neon.as_ref() }).await
            }
            Step::Apply { migration } => self.apply(migration).await,
            Step::Verify => self.verify().await,
            Step::Deliver => self.deliver().await,
            Step::Sync { .. } => self.sync(standing).await,
        }
    }

    async fn resumed(&mut self, standing: &Standing, asker: &Asker<'_>) -> Result<(), StepError> {
        self.line.prove_lock().await?;
        self.still_restorable(standing).await?;
        self.append(&chronicle::resumed(self.plan, standing.resumed + 1, asker, Timestamp::now())).await
    }

    async fn failed(&mut self, what: &str, cause: &Cause) -> Result<(), StepError> {
        self.append(&chronicle::failed(self.plan, what, cause, Timestamp::now())).await?;
        if !self.cancel.is_cancelled() {
            self.deliver().await?;
        }
        Ok(())
    }

    async fn abandoned(&mut self, actor: &str) -> Result<(), StepError> {
        self.append(&chronicle::abandoned(self.plan, actor, Timestamp::now())).await
    }
}

impl<P: Provider> Performer<'_, P> {
    /// Appends an event in a transaction of its own.
    async fn append(&self, event: &NewEvent) -> Result<(), StepError> {
        let session = self.line.session();
        session.batch_execute("begin").await.map_err(|it| session.failure(it))?;
        match outbox::append(&**session, event).await {
            Ok(_) => Ok(session.batch_execute("commit").await.map_err(|it| session.failure(it))?),
            Err(error) => {
                // The first error is the one to tell; a dead connection rolls back by itself.
                let _ = session.batch_execute("rollback").await;
                Err(error.into())
            }
        }
    }

    async fn audit(&self, milestone: Milestone, standing: &Standing) -> Result<Facts, StepError> {
        let now = Timestamp::now();
        let restore_point = standing.finished.values().find_map(|it| it.restore_point.as_ref());
        let event = match milestone {
            Milestone::Started => chronicle::started(self.plan, now),
            Milestone::Finished => chronicle::finished(self.plan, restore_point, now),
        };
        self.append(&event).await?;
        Ok(Facts { detail: format!("event {}", event.id), ..Facts::default() })
    }

    async fn restore_point(&self, wanted: restore::Wanted<'_>) -> Result<Facts, StepError> {
        let session = self.line.session();
        let point = restore::make(&self.restore_points.branches(&session), self.plan, wanted).await?;
        self.append(&chronicle::restore_point_created(self.plan, &point, Timestamp::now())).await?;
        let place = point.lsn.as_ref().map(|it| format!("at {it}, ")).unwrap_or_default();
        let detail = format!("{place}{}", point.verified);
        Ok(Facts { detail, restore_point: Some(point), ..Facts::default() })
    }

    /// What an earlier process has made may have been removed, or have expired: then nothing more is applied.
    async fn still_restorable(&self, standing: &Standing) -> Result<(), StepError> {
        let left = |it: &Step| matches!(it, Step::Apply { .. }) && !standing.finished.contains_key(&it.id());
        if !self.plan.steps.iter().any(left) {
            return Ok(());
        }
        let session = self.line.session();
        for step in self.plan.steps.iter().filter(|it| standing.finished.contains_key(&it.id())) {
            if let Step::RestorePoint { name, nonce, .. } = step {
                let branches = self.restore_points.branches(&session);
                restore::still_good(&branches, name, nonce, Timestamp::now()).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, id: &str) -> Result<Facts, StepError> {
        let planned = self.plan.migrations.iter().find(|it| it.id == id);
        let file = self.files.iter().find(|it| it.id.0 == id);
        let (Some(planned), Some(migration)) = (planned, file) else {
            return Err(StepError::NoFile(id.to_owned()));
        };
        if migration.checksum.0 != planned.checksum {
            return Err(StepError::NoFile(id.to_owned()));
        }
        self.restore_points.prove(&self.line.session()).await?;
        let job =
            Job { line: self.line, plan: self.plan, planned, migration, observe: self.observe, cancel: self.cancel };
        let applied = match apply::apply(&job).await {
            Ok(applied) => applied,
            Err(error) => return Err(self.partly(id, error).await),
        };
        let detail = if applied.already { "was applied before the run was stopped" } else { "applied" };
        Ok(Facts { detail: detail.to_owned(), millis: applied.millis, ..Facts::default() })
    }

    /// Says so when some statements of the migration are done.
    async fn partly(&self, id: &str, error: ApplyError) -> StepError {
        let sql = "select applied, total from liftlock.migrations where id = $1 and state = 'running' and applied > 0";
        match self.line.session().query_opt(sql, &[&id]).await {
            Ok(Some(row)) => {
                StepError::Partly { migration: id.to_owned(), done: row.get(0), total: row.get(1), source: error }
            }
            Err(_) if self.plan.migrations.iter().any(|it| it.id == id && !it.transactional) => {
                StepError::Unseen { migration: id.to_owned(), source: error }
            }
            Ok(None) | Err(_) => error.into(),
        }
    }

    async fn verify(&self) -> Result<Facts, StepError> {
        let session = self.line.session();
        let sql = "select id from liftlock.migrations m
            join unnest($1::text[], $2::text[]) as planned(id, checksum) using (id, checksum) where m.state = 'done'";
        let ids: Vec<&str> = self.plan.migrations.iter().map(|it| it.id.as_str()).collect();
        let checksums: Vec<&str> = self.plan.migrations.iter().map(|it| it.checksum.as_str()).collect();
        let rows = session.query(sql, &[&ids, &checksums]).await.map_err(|it| session.failure(it))?;
        let recorded: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if let Some(missing) = ids.iter().find(|id| !recorded.iter().any(|it| it == *id)) {
            return Err(StepError::NotRecorded((*missing).to_owned()));
        }
        let chain = outbox::verify(&**session).await?;
        let mut warnings = Vec::new();
        if let Some(place) = chain.broken {
            // What somebody did to older events is told, and must not keep production from ever being promoted.
            if let Some(place) = outbox::verify_run(&**session, self.plan.run).await?.broken {
                return Err(StepError::Chain(place));
            }
            warnings.push(format!(
                "the audit chain was broken before this promotion: {place}; look at it with `liftlock audit verify --env {}`",
                self.plan.environment
            ));
        }
        for step in &self.plan.steps {
            if let Step::RestorePoint { name, nonce, .. } = step {
                let branches = self.restore_points.branches(&session);
                restore::still_there(&branches, name, nonce).await?;
                warnings.extend(restore::prune(&branches, Timestamp::now()).await);
            }
        }
        let detail = format!("{} recorded, {} chained", counted(ids.len(), "migration"), counted(chain.sound, "event"));
        Ok(Facts { detail, warnings, ..Facts::default() })
    }

    async fn sync(&mut self, standing: &Standing) -> Result<Facts, StepError> {
        let Some(mirroring) = self.mirroring else {
            let detail = "no mirror is configured any more".to_owned();
            return Ok(Facts { detail, ..Facts::default() });
        };
        let report = match mirroring.run(self.observe, self.cancel).await {
            Err(_) if self.cancel.is_cancelled() => return Err(StepError::Cancelled),
            report => report?,
        };
        let whole = sync::is_whole(&report);
        let differing: Vec<&str> =
            report.tables.iter().filter(|it| it.verified != Some(true)).map(|it| it.table.as_str()).collect();
        let error = (!whole).then(|| StepError::MirrorDiffers(differing.join(", ")));
        let tables: Vec<TableFacts> = report.tables.iter().map(table_facts).collect();
        let detail = format!("{} in the mirror, verified", counted(tables.len(), "table"));
        let attempt = standing.started.get(&Step::Sync { tables: Vec::new() }.id()).copied().unwrap_or_default();
        self.synced = Some(report);
        self.append(&chronicle::synced(self.plan, &attempt.to_string(), tables, Timestamp::now())).await?;
        match error {
            Some(error) => Err(error),
            None => Ok(Facts { detail, ..self.deliver().await? }),
        }
    }

    /// Whatever the other side says, the promotion is not held up.
    async fn deliver(&self) -> Result<Facts, StepError> {
        let session = self.line.session();
        let Some(sink) = self.sink else {
            let waiting = outbox::waiting(&**session).await?;
            let detail = "no webhook is configured; the events stay in the database".to_owned();
            return Ok(Facts { detail, delivered: Some(0), waiting: Some(waiting), ..Facts::default() });
        };
        let delivery = outbox::deliver(&session, sink, Terms::AUTOMATIC, self.observe, self.cancel).await?;
        let mut warnings = Vec::new();
        if let Some(stopped) = &delivery.stopped {
            warnings.push(format!(
                "{} audit events wait, because {stopped}; `liftlock audit flush --env {}` sends them",
                delivery.waiting, self.plan.environment
            ));
        }
        Ok(Facts {
            detail: format!("{} delivered, {} waiting", delivery.delivered, delivery.waiting),
            delivered: Some(delivery.delivered),
            waiting: Some(delivery.waiting),
            warnings,
            ..Facts::default()
        })
    }
}

fn table_facts(table: &TableSync) -> TableFacts {
    TableFacts {
        table: table.table.clone(),
        source_rows: table.source_rows,
        mirror_rows: table.mirror_rows,
        verified: table.verified == Some(true),
    }
}
