//! `liftlock promote`: the pending migrations to an environment; goes on by itself with what was stopped.

use serde_json::json;
use uuid::Uuid;

use super::{Shell, plan as showing};
use crate::{
    cli::{self, Format},
    config::Environment,
    error::Error,
    promote::{
        self, Asker, PromoteError, Promoted,
        approval::{Purpose, look::Approving},
        event::{self, Kind},
        journal::PostgresJournal,
        line::{Line, Patience},
        perform::{Mirroring, Performer},
        plan::{self as planning, Plan, Step},
        prepare::{self, Elsewhere, Question},
        restore::RestorePoints,
        survey::HistoryRow,
    },
    report::{PromotionView, Report, Section, Verdict},
    services::{
        postgres::Address,
        webhook::{self, AnySink},
    },
    sync,
};

pub async fn promote(shell: &Shell, arguments: &cli::Promote) -> Result<Report, Error> {
    let config = shell.config()?;
    let (environment, audit) = config.promotion(&arguments.plan.to.environment)?;
    let sink = audit.map(|audit| webhook::open(audit, &config.root)).transpose()?;
    let files = showing::files(&config)?;
    let actor = showing::actor(shell);
    let commit = showing::commit(shell);
    let emergency = showing::emergency(&arguments.plan.emergency);
    let approving = match arguments.abandon {
        true => Approving::nowhere(),
        false => Approving::here(Purpose::Do, &|name| shell.variable(name)),
    };
    let question = Question {
        run: Uuid::now_v7(),
        now: shell.now(),
        config: &config,
        environment,
        webhook: audit.is_some(),
        promotion_type: arguments.plan.promotion_type.into(),
        actor: &actor,
        files: &files,
        commit: commit.as_deref(),
        emergency: emergency.as_ref(),
        approving: &approving,
    };
    let mirroring = Mirroring::of(&config, environment);
    if let Some(mirroring) = &mirroring {
        mirroring.assert_suits()?;
    }
    let job = Job { shell, environment, sink, mirroring, question };
    if arguments.abandon {
        return job.abandon(arguments.yes).await;
    }
    let elsewhere = prepare::elsewhere(&config, environment).await;
    let shown = match job.show(&elsewhere, arguments.yes).await? {
        Shown::Agreed(plan) => plan,
        Shown::Ended(report) => return Ok(*report),
    };
    match shown {
        Some(agreed) => job.go(&elsewhere, &agreed).await,
        None => job.nothing_pending().await,
    }
}

/// What the command works with.
struct Job<'a> {
    shell: &'a Shell,
    environment: &'a Environment,
    sink: Option<AnySink>,
    mirroring: Option<Mirroring>,
    question: Question<'a>,
}

enum Shown {
    /// The plan that was agreed to; `None` when nothing is pending.
    Agreed(Option<Box<Plan>>),
    Ended(Box<Report>),
}

impl Job<'_> {
    /// Shows the plan and asks. Nothing is changed yet.
    async fn show(&self, elsewhere: &Elsewhere, yes: bool) -> Result<Shown, Error> {
        let session = showing::open_read_only(self.environment).await?;
        let prepared = prepare::prepare(self.question, elsewhere, &session).await?;
        session.close().await;
        refuse_newer(&prepared)?;
        let decision = planning::plan(&prepared.request());
        let report = showing::report("promote", &prepared, &decision);
        let Ok(plan) = decision.plan else {
            return Ok(Shown::Ended(Box::new(report)));
        };
        if plan.is_empty() {
            return Ok(Shown::Agreed(None));
        }
        self.shell.show(&Report { next: Vec::new(), ..report })?;
        let question = format!("Promote {} to {}?", counted(plan.migrations.len()), self.environment.name);
        if !yes && !self.shell.confirm(&question).await? {
            return Ok(Shown::Ended(Box::new(
                Report::fail("promote").with(text("Not promoted", "Nothing was changed.")),
            )));
        }
        Ok(Shown::Agreed(Some(Box::new(plan))))
    }

    async fn open(&self, restore_points: &RestorePoints) -> Result<Line, PromoteError> {
        let address = Address::parse(&self.environment.database)?;
        let identity = restore_points.identity().cloned();
        Ok(Line::open_on(&address, Patience::of(self.environment), identity, &*self.shell.observe).await?)
    }

    async fn restore_points(&self) -> Result<RestorePoints, Error> {
        Ok(RestorePoints::open(self.environment, &self.shell.observe, &self.shell.cancel).await?)
    }

    /// Takes the lock, looks again, and does it.
    async fn go(&self, elsewhere: &Elsewhere, agreed: &Plan) -> Result<Report, Error> {
        let restore_points = self.restore_points().await?;
        let line = self.open(&restore_points).await?;
        let prepared = prepare::prepare(self.question, elsewhere, &line.session()).await.map_err(PromoteError::from)?;
        let decision = planning::plan(&prepared.request());
        let plan = match &decision.plan {
            Ok(plan) if plan.is_empty() => {
                drop(line);
                return self.nothing_pending().await;
            }
            Ok(plan) => plan,
            Err(_) => return Ok(showing::report("promote", &prepared, &decision)),
        };
        // Another run of the same bytes, stopped meanwhile, may be gone on with: its steps are its own.
        let other_steps = plan.run == agreed.run && plan.steps != agreed.steps;
        if plan.digest != agreed.digest || other_steps {
            return Err(PromoteError::ChangedMeanwhile {
                environment: self.environment.name.clone(),
                command: format!("liftlock plan --to {}", self.environment.name),
            }
            .into());
        }
        let mut performer = self.performer(&line, plan, &restore_points);
        let approval = prepared.request().judgement().and_then(|it| it.record);
        let asker = Asker { approval: approval.as_ref(), ..self.asker() };
        let promoted = promote::run(&mut PostgresJournal::new(&line), plan, &mut performer, &asker).await?;
        let report = Report::pass("promote");
        let report = match self.shell.global.format {
            Format::Json => report.with(Section::Plan(planning::view(&prepared.request(), &decision))),
            Format::Text | Format::Markdown | Format::Sarif | Format::Github | Format::Gitlab => report,
        };
        let report = report.with(Section::Promotion(view(plan, &promoted, &prepared.survey.records.history)));
        let report = performer.synced.take().into_iter().fold(report, |report, it| report.with(Section::Sync(it)));
        let receiver = self.sink.as_ref();
        Ok(next(report, plan, &promoted, receiver))
    }

    fn performer<'b>(
        &'b self,
        line: &'b Line,
        plan: &'b Plan,
        restore_points: &'b RestorePoints,
    ) -> Performer<'b, RestorePoints> {
        Performer {
            line,
            plan,
            files: self.question.files,
            restore_points,
            sink: self.sink.as_ref(),
            mirroring: self.mirroring.as_ref(),
            synced: None,
            observe: &*self.shell.observe,
            cancel: &self.shell.cancel,
        }
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            actor: self.question.actor,
            tool_version: env!("CARGO_PKG_VERSION"),
            approval: None,
            observe: &*self.shell.observe,
            cancel: &self.shell.cancel,
        }
    }

    async fn nothing_pending(&self) -> Result<Report, Error> {
        let name = &self.environment.name;
        let said = format!("Nothing is pending in {name}: every migration of the folder is applied.");
        let report = Report::pass("promote").with(text("Up to date", &said));
        if let Some(mirroring) = &self.mirroring {
            let synced = mirroring.run(&*self.shell.observe, &self.shell.cancel).await?;
            let verdict = if sync::is_whole(&synced) { Verdict::Pass } else { Verdict::Fail };
            return Ok(Report { verdict, ..report }.with(Section::Sync(synced)));
        }
        Ok(report.then(format!("liftlock status --to {name}"), "what is applied there"))
    }

    /// Gives the unfinished promotion up.
    async fn abandon(&self, yes: bool) -> Result<Report, Error> {
        let session = showing::open_read_only(self.environment).await?;
        let elsewhere = Elsewhere { staged: None, others: Vec::new() };
        let prepared = prepare::prepare(self.question, &elsewhere, &session).await.map_err(PromoteError::from)?;
        session.close().await;
        refuse_newer(&prepared)?;
        let Some(plan) = prepared.request().resumes.cloned() else {
            let said = format!("No promotion to {} is unfinished.", self.environment.name);
            return Ok(Report::pass("promote").with(text("Nothing to give up", &said)));
        };
        let question = format!("Give promotion {} up? What it has applied stays.", plan.run);
        if !yes && !self.shell.confirm(&question).await? {
            return Ok(Report::fail("promote").with(text("Not given up", "Nothing was changed.")));
        }
        // Nothing is asked of whoever keeps restore points: a promotion can be given up while they are not to be reached.
        let restore_points = match self.restore_points().await {
            Err(error) => {
                RestorePoints::of_plan(self.environment, &plan, &self.shell.observe, &self.shell.cancel).ok_or(error)?
            }
            Ok(restore_points) => restore_points,
        };
        let line = self.open(&restore_points).await?;
        let mut performer = self.performer(&line, &plan, &restore_points);
        let mut journal = PostgresJournal::new(&line);
        let standing = promote::abandon(&mut journal, &plan, &mut performer, &self.asker()).await?;
        let done = plan.steps.iter().filter(|it| standing.finished.contains_key(&it.id())).count();
        let said = format!(
            "{done} of its {} steps were done and stay done. The next promotion makes a new plan.",
            plan.steps.len()
        );
        Ok(Report::pass("promote")
            .with(text(&format!("Promotion {} is given up", plan.run), &said))
            .then(format!("liftlock plan --to {}", self.environment.name), "what is left to do"))
    }
}

/// A plan that a newer liftlock wrote is neither gone on with nor given up.
fn refuse_newer(prepared: &prepare::Prepared<'_>) -> Result<(), PromoteError> {
    match prepared.survey.records.unfinished() {
        Some(unfinished) if unfinished.plan.is_none() => {
            Err(promote::journal::JournalError::Newer { run: unfinished.run, version: planning::VERSION + 1 }.into())
        }
        Some(_) | None => Ok(()),
    }
}

fn text(title: &str, body: &str) -> Section {
    Section::Text { title: title.to_owned(), body: body.to_owned() }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 migration".to_owned() } else { format!("{count} migrations") }
}

fn view(plan: &Plan, promoted: &Promoted, history: &[HistoryRow]) -> PromotionView {
    // What an earlier process of this run has applied is this run's.
    let before = history.iter().filter(|row| row.done && plan.migrations.iter().all(|it| it.id != row.id));
    let before = before.map(|row| row.id.as_str()).max();
    let finished = &promoted.standing.finished;
    let applied = plan.migrations.iter().filter_map(|it| {
        let facts = finished.get(&Step::Apply { migration: it.id.clone() }.id())?;
        Some((it.id.clone(), facts.millis))
    });
    let restore_point = finished.values().find_map(|it| it.restore_point.as_ref());
    PromotionView {
        run: plan.run.to_string(),
        environment: plan.environment.clone(),
        digest: plan.digest.clone(),
        resumed: promoted.resumed,
        applied: applied.collect(),
        restore_point: restore_point.map(|it| {
            let place = it.lsn.as_ref().map(|it| format!(" at {it}")).unwrap_or_default();
            format!("{}{place}; {}", it.name, it.verified)
        }),
        // Local restore points have no id but their name.
        backup_branch: restore_point.map(|it| it.branch.as_ref().unwrap_or(&it.name).clone()),
        to_version: plan.migrations.iter().map(|it| it.id.as_str()).chain(before).max().map(str::to_owned),
        from_version: before.map(str::to_owned),
        audit_event: Some(event::id(plan.run, Kind::PromotionFinished, "").to_string()),
        approval: plan.approval.as_ref().map(|it| json!(it)),
        events_delivered: finished.values().filter_map(|it| it.delivered).sum(),
        events_waiting: waiting(plan, promoted),
        warnings: finished.values().flat_map(|it| it.warnings.clone()).collect(),
        duration_ms: promoted.millis,
    }
}

/// As the last step saw it that delivered.
fn waiting(plan: &Plan, promoted: &Promoted) -> usize {
    let seen = plan.steps.iter().rev().find_map(|it| promoted.standing.finished.get(&it.id())?.waiting);
    seen.unwrap_or_default()
}

/// Without a receiver there is nowhere to deliver to.
fn next(report: Report, plan: &Plan, promoted: &Promoted, receiver: Option<&AnySink>) -> Report {
    let name = &plan.environment;
    let mut report = report.then(format!("liftlock status --to {name}"), "what is applied there");
    if waiting(plan, promoted) > 0 && receiver.is_some() {
        report = report.then(format!("liftlock audit flush --env {name}"), "deliver the events that wait");
    }
    if promoted.standing.finished.values().any(|it| it.restore_point.is_some()) {
        report = report.then(format!("liftlock backup list --env {name}"), "the ways back");
    }
    report
}
