//! `run(journal, plan, perform)`: the loop, resumable at any moment.
//!
//! Deciding is pure ([`plan`], [`gates`]); doing is a loop that asks the journal for the next step, writes
//! `started`, performs, writes `finished`. A step that started and did not finish runs again, so every kind of
//! step recognises its own work: a transactional migration by its history row, a statement outside a
//! transaction by what it left in the database, a restore point by name and nonce, an event by its id, a sync
//! by its cursor.

pub mod apply;
pub mod approval;
pub mod canonical;
pub mod chronicle;
pub mod emergency;
pub mod event;
pub mod failure;
pub mod gates;
pub mod inspect;
pub mod journal;
pub mod line;
pub mod neon;
pub mod outbox;
pub mod own;
pub mod perform;
pub mod plan;
pub mod prepare;
pub mod restore;
mod stepwise;
pub mod survey;
mod watch;

use std::time::Instant;

use miette::Diagnostic;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    approval::record::Record,
    journal::{End, Entry, Facts, Journal, JournalError, Standing, standing},
    perform::{Perform, StepError},
    plan::{Plan, Step, StepId},
    restore::RestoreError,
};
use crate::{
    exit::Exit,
    report::progress::{Event, Observe},
    services::{bookkeeping::BookkeepingError, postgres::PostgresError},
};

/// Why a promotion did not come to its end.
#[derive(Debug, Error, Diagnostic)]
pub enum PromoteError {
    #[error("promotion {run} stopped at `{step}`")]
    #[diagnostic(code(promote::stopped), help("{help}"))]
    Stopped {
        run: Uuid,
        step: StepId,
        /// What is done, and the command that goes on.
        help: String,
        exit: Exit,
        #[source]
        #[diagnostic_source]
        source: Boxed,
    },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Journal(#[from] JournalError),
    #[error("the journal could not be written{}", done_shown(done))]
    #[diagnostic(code(promote::journal), help("go on with `{command}`"))]
    JournalBroke {
        /// Migrations that are applied.
        done: Vec<String>,
        command: String,
        #[source]
        #[diagnostic_source]
        source: JournalError,
    },
    #[error("{environment} is not what it was when the plan was shown")]
    #[diagnostic(
        code(promote::changed_meanwhile),
        help(
            "somebody promoted, or a file was changed, in between; nothing was done. Look at the plan anew: `{command}`"
        )
    )]
    ChangedMeanwhile { environment: String, command: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bookkeeping(#[from] BookkeepingError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),
}

/// Keeps the error small: it is large, and returned by value through every call.
#[derive(Debug, Error, Diagnostic)]
#[error(transparent)]
#[diagnostic(transparent)]
pub struct Boxed(pub Box<StepError>);

impl PromoteError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Stopped { exit, .. } => *exit,
            Self::Journal(error) => error.exit(),
            Self::JournalBroke { done, source, .. } => {
                if done.is_empty() {
                    source.exit()
                } else {
                    Exit::Half
                }
            }
            Self::ChangedMeanwhile { .. } => Exit::No,
            Self::Bookkeeping(error) => error.exit(),
            Self::Postgres(error) => error.exit(),
        }
    }
}

fn done_shown(done: &[String]) -> String {
    match done {
        [] => "; nothing is applied yet".to_owned(),
        _ => format!("; applied are {}", done.join(", ")),
    }
}

/// How a run ended well.
#[derive(Debug, Clone, PartialEq)]
pub struct Promoted {
    pub standing: Standing,
    /// It went on with what an earlier process had begun.
    pub resumed: bool,
    /// Of this process, not of the one that was stopped.
    pub millis: u64,
}

/// Who asks for it.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub actor: &'a str,
    pub tool_version: &'a str,
    /// Who has approved what is about to be done, as it was seen just now.
    pub approval: Option<&'a Record>,
    pub observe: &'a dyn Observe,
    pub cancel: &'a CancellationToken,
}

/// Carries a plan to its end, or goes on with one that was stopped. May be called again after any failure, at
/// any moment, with the same plan, and comes to the same end.
pub async fn run(
    journal: &mut impl Journal,
    plan: &Plan,
    performer: &mut impl Perform,
    asker: &Asker<'_>,
) -> Result<Promoted, PromoteError> {
    let began = Instant::now();
    let mut standing = standing(&journal.entries(plan.run).await?);
    let resumed = standing.plan.is_some();
    if resumed {
        resume(journal, plan, performer, asker, &mut standing).await?;
    } else {
        let entry = Entry::Planned { plan: Box::new(plan.clone()) };
        journal.append(plan.run, &entry).await?;
        standing.plan = Some(plan.clone());
    }
    while let Some(step) = next(plan, &standing) {
        step_once(journal, plan, performer, asker, &mut standing, step).await?;
    }
    if standing.end.is_none() {
        write(journal, plan, &mut standing, Entry::Closed { end: End::Finished }).await?;
    }
    Ok(Promoted { standing, resumed, millis: millis_since(began) })
}

/// Gives an unfinished promotion up: what it has applied stays, what it has not is left to a new plan.
pub async fn abandon(
    journal: &mut impl Journal,
    plan: &Plan,
    performer: &mut impl Perform,
    asker: &Asker<'_>,
) -> Result<Standing, PromoteError> {
    let mut standing = standing(&journal.entries(plan.run).await?);
    if standing.end.is_none() {
        let told = performer.abandoned(asker.actor).await;
        told.map_err(|error| stopped(plan, &standing, &StepId("abandon".to_owned()), error))?;
        write(journal, plan, &mut standing, Entry::Closed { end: End::Abandoned }).await?;
    }
    Ok(standing)
}

/// The first step that is not finished. The journal alone says so.
fn next<'a>(plan: &'a Plan, standing: &Standing) -> Option<&'a Step> {
    plan.steps.iter().find(|step| !standing.finished.contains_key(&step.id()))
}

async fn resume(
    journal: &mut impl Journal,
    plan: &Plan,
    performer: &mut impl Perform,
    asker: &Asker<'_>,
    standing: &mut Standing,
) -> Result<(), PromoteError> {
    let message = format!(
        "promotion {} was stopped; {} of {} steps are done, going on",
        plan.run,
        standing.finished.len(),
        plan.steps.len()
    );
    asker.observe.event(Event::Notice { message });
    let at = StepId("resume".to_owned());
    let told = performer.resumed(standing, asker).await;
    told.map_err(|error| stopped(plan, standing, &at, error))?;
    let entry = Entry::Resumed {
        actor: asker.actor.to_owned(),
        tool_version: asker.tool_version.to_owned(),
        approval: asker.approval.cloned().map(Box::new),
    };
    write(journal, plan, standing, entry).await
}

async fn step_once(
    journal: &mut impl Journal,
    plan: &Plan,
    performer: &mut impl Perform,
    asker: &Asker<'_>,
    standing: &mut Standing,
    step: &Step,
) -> Result<(), PromoteError> {
    let id = step.id();
    if asker.cancel.is_cancelled() {
        return Err(stopped(plan, standing, &id, StepError::Cancelled));
    }
    write(journal, plan, standing, Entry::Started { step: id.clone() }).await?;
    asker.observe.event(Event::StepStarted { step: step.shown() });
    let began = Instant::now();
    match performer.perform(step, standing).await {
        Ok(facts) => {
            let facts = Facts { millis: if facts.millis > 0 { facts.millis } else { millis_since(began) }, ..facts };
            let (detail, millis) = (facts.detail.clone(), facts.millis);
            asker.observe.event(Event::StepFinished { step: step.shown(), detail, millis });
            write(journal, plan, standing, Entry::Finished { step: id, facts }).await
        }
        Err(error) => {
            record_failure(journal, plan, performer, standing, &id, &error).await;
            Err(stopped(plan, standing, &id, error))
        }
    }
}

/// Best effort: the failure itself is what must be told, and a journal that lacks it is still right.
async fn record_failure(
    journal: &mut impl Journal,
    plan: &Plan,
    performer: &mut impl Perform,
    standing: &mut Standing,
    step: &StepId,
    error: &StepError,
) {
    let cause = error.cause();
    let attempt = standing.started.get(step).copied().unwrap_or_default();
    if performer.failed(&format!("{step}#{attempt}"), &cause).await.is_err() {
        return;
    }
    let failed = Entry::Failed { step: step.clone(), cause };
    if write(journal, plan, standing, failed).await.is_ok()
        && let Some(end) = error.ends()
    {
        let _ = write(journal, plan, standing, Entry::Closed { end }).await;
    }
}

async fn write(
    journal: &mut impl Journal,
    plan: &Plan,
    standing: &mut Standing,
    entry: Entry,
) -> Result<(), PromoteError> {
    let written = journal.append(plan.run, &entry).await;
    // It has happened, whether or not it could be written down.
    standing.take(entry);
    written.map_err(|source| PromoteError::JournalBroke {
        done: applied(plan, standing),
        command: command(plan),
        source,
    })
}

/// Migrations that this run has applied, in order.
fn applied(plan: &Plan, standing: &Standing) -> Vec<String> {
    let done = |id: &&String| standing.finished.contains_key(&Step::Apply { migration: (*id).clone() }.id());
    plan.migrations.iter().map(|it| &it.id).filter(done).cloned().collect()
}

/// The command that goes on with a plan.
pub fn command(plan: &Plan) -> String {
    let kind =
        if plan.promotion_type == "schema_safe" { String::new() } else { format!(" --type {}", plan.promotion_type) };
    format!("liftlock promote --to {}{kind}", plan.environment)
}

fn stopped(plan: &Plan, standing: &Standing, step: &StepId, error: StepError) -> PromoteError {
    let done = applied(plan, standing);
    let half = !done.is_empty() || error.exit() == Exit::Half;
    let so_far = match done.as_slice() {
        [] if half => "none of its migrations is known to be applied whole".to_owned(),
        [] => "nothing was changed".to_owned(),
        _ => format!("applied: {}", done.join(", ")),
    };
    let restore_point = standing.finished.values().find_map(|it| it.restore_point.as_ref());
    let gone = matches!(error, StepError::Restore(RestoreError::Gone { .. }));
    let way_back = restore_point
        .filter(|_| !gone)
        .map(|it| format!("; restore point `{}` is from before", it.name))
        .unwrap_or_default();
    let (then, command) = match error.ends() {
        None if gone => {
            ("give it up and plan anew with", format!("liftlock promote --to {} --abandon", plan.environment))
        }
        None => ("go on with", command(plan)),
        Some(End::Finished) => ("the promotion is done; carry the mirror on with", "liftlock sync".to_owned()),
        Some(End::Failed | End::Abandoned) => ("when that is put right, promote the rest with", command(plan)),
    };
    PromoteError::Stopped {
        run: plan.run,
        step: step.clone(),
        help: format!("{so_far}{way_back}; {then} `{command}`"),
        exit: if half { Exit::Half } else { error.exit() },
        source: Boxed(Box::new(error)),
    }
}

fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
