//! A promotion that is killed at any moment and run again comes to the same end.

use std::{
    cell::Cell,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::future::join_all;
use liftlock::{
    exit::Exit,
    promote::{
        self, Asker, PromoteError, Promoted,
        journal::{Cause, Entry, Facts, Journal, JournalError, PostgresJournal, Standing},
        perform::{Perform, StepError},
        plan::{Plan, Step},
    },
    services::postgres::PostgresError,
};
use uuid::Uuid;

use crate::project::Project;

/// Counts moments: each call to the outside is one before its effect and one after it. At the chosen moment
/// the process is dead: this call and all later ones do nothing.
#[derive(Clone)]
struct Mortal {
    left: Rc<Cell<usize>>,
}

/// Nothing that a dead process hears matters.
fn dead() -> JournalError {
    JournalError::Database(PostgresError::LockLost { address: "a dead process".to_owned() })
}

impl Mortal {
    /// Whether the process lives on past this moment.
    fn lives(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

struct MortalJournal<J>(J, Mortal);

impl<J: Journal> Journal for MortalJournal<J> {
    async fn append(&mut self, run: Uuid, entry: &Entry) -> Result<(), JournalError> {
        if !self.1.lives() {
            return Err(dead());
        }
        let done = self.0.append(run, entry).await;
        if self.1.lives() { done } else { Err(dead()) }
    }

    async fn entries(&mut self, run: Uuid) -> Result<Vec<Entry>, JournalError> {
        self.0.entries(run).await
    }

    async fn unfinished(&mut self) -> Result<Option<Uuid>, JournalError> {
        self.0.unfinished().await
    }
}

struct MortalPerformer<P>(P, Mortal);

impl<P: Perform> Perform for MortalPerformer<P> {
    async fn perform(&mut self, step: &Step, standing: &Standing) -> Result<Facts, StepError> {
        if !self.1.lives() {
            return Err(StepError::Cancelled);
        }
        let done = self.0.perform(step, standing).await;
        if self.1.lives() { done } else { Err(StepError::Cancelled) }
    }

    async fn resumed(&mut self, standing: &Standing, asker: &Asker<'_>) -> Result<(), StepError> {
        if self.1.lives() { self.0.resumed(standing, asker).await } else { Err(StepError::Cancelled) }
    }

    async fn failed(&mut self, what: &str, cause: &Cause) -> Result<(), StepError> {
        if self.1.lives() { self.0.failed(what, cause).await } else { Err(StepError::Cancelled) }
    }

    async fn abandoned(&mut self, actor: &str) -> Result<(), StepError> {
        if self.1.lives() { self.0.abandoned(actor).await } else { Err(StepError::Cancelled) }
    }
}

const IDS: [&str; 4] = ["0001_create_safe.sql", "0002_index_safe.sql", "0003_unnamed_safe.sql", "0004_column_safe.sql"];

/// Transactional files of several statements, and files that run outside a transaction.
async fn project(test: &str) -> Project {
    let project = Project::new(test).await;
    project.migration(
        IDS[0],
        "create table pole (id bigint primary key, height integer);\n\
         create table once (id bigint primary key);\n\
         insert into once values (1) on conflict do nothing;",
    );
    project.migration(IDS[1], "create index concurrently pole_height_idx on pole (height);");
    project.migration(IDS[2], "create index concurrently on pole (height, id);");
    project.migration(IDS[3], "alter table pole add column note text;\ncomment on column pole.note is 'why';");
    project
}

/// What the database must look like in the end.
async fn assert_same_end(project: &Project) {
    project.assert_promoted(&IDS).await;
    let seen = "select string_agg(indexname, ' ' order by indexname) from pg_indexes where tablename = 'pole'";
    let indexes = project.database.text(seen).await;
    assert_eq!(indexes, "pole_height_id_idx pole_height_idx pole_pkey");
    let name = project.database.name.clone();
    let seen = format!("select count(*)::text from pg_database where datname like 'liftlock_backup_{}%'", &name[..10]);
    assert_ne!(project.database.text(&seen).await, "0", "there is a restore point");
    let started = "select count(*)::text from liftlock.audit_outbox where kind = 'dev.liftlock.promotion.started.v1'";
    assert_eq!(project.database.text(started).await, "1");
    let finished = "select count(*)::text from liftlock.audit_outbox where kind = 'dev.liftlock.promotion.finished.v1'";
    assert_eq!(project.database.text(finished).await, "1");
}

/// Runs a promotion that dies at this moment, unless it ends before: its plan, and what became of it.
async fn run_until(project: &Project, moment: usize) -> (Plan, Result<Promoted, PromoteError>) {
    let mortal = Mortal { left: Rc::new(Cell::new(moment)) };
    let line = project.line().await;
    let plan = project.decide(&line).await.plan.unwrap();
    let (files, restore_points) = (project.files(), project.restore_points());
    let performer = project.performer(&line, &plan, &files, &restore_points);
    let mut performer = MortalPerformer(performer, mortal.clone());
    let mut journal = MortalJournal(PostgresJournal::new(&line), mortal);
    let ended = promote::run(&mut journal, &plan, &mut performer, &project.asker()).await;
    drop(line);
    (plan, ended)
}

/// Runs a promotion that dies at this moment, then the real thing; says whether it died.
async fn dies_at(moment: usize) -> bool {
    let project = project(&format!("dies{moment:03}")).await;
    let died = run_until(&project, moment).await.1.is_err();
    let again = project.command().await;
    assert!(again.is_ok(), "moment {moment}: {:?}", miette::Report::new(again.unwrap_err()));
    assert_same_end(&project).await;
    died
}

#[tokio::test]
async fn a_promotion_killed_at_every_journal_moment_comes_to_the_same_end() {
    let mut moment = 0;
    loop {
        let died = join_all((moment..moment + 6).map(dies_at)).await;
        if died.contains(&false) {
            break;
        }
        moment += 6;
    }
    assert!(moment > 40, "only {moment} moments were tried");
}

/// A future that is dropped after some polls, as a process that is killed while it waits for an answer.
struct Killed<F> {
    future: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Killed<F> {
    /// What it came to, when it was faster; and how many polls were left.
    type Output = Option<(F::Output, usize)>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        let left = self.left;
        self.future.as_mut().poll(context).map(|it| Some((it, left)))
    }
}

async fn killed_after(polls: usize) -> Option<usize> {
    let project = project(&format!("killed{polls:04}")).await;
    let killed = pin!(Killed { future: Box::pin(project.promote()), left: polls }).await;
    let again = project.command().await;
    assert!(again.is_ok(), "{polls} polls: {:?}", miette::Report::new(again.unwrap_err()));
    assert_same_end(&project).await;
    killed.map(|(_, left)| polls - left)
}

#[tokio::test]
async fn a_promotion_killed_while_it_waits_for_any_answer_comes_to_the_same_end() {
    // How many there are, more or less: it depends on how answers are cut into packets.
    let all = killed_after(100_000).await.unwrap();
    let step = (all / 30).max(1);
    let polls: Vec<usize> = (1..all).step_by(step).collect();
    for few in polls.chunks(5) {
        join_all(few.iter().map(|it| killed_after(*it))).await;
    }
}

#[tokio::test]
async fn once_the_restore_point_is_made_the_application_may_be_back() {
    let project = project("resume_back").await;
    // Planned, event, restore point: each with its two moments and its entries.
    run_until(&project, 14).await.1.unwrap_err();
    let finished = "select string_agg(entry #>> '{is,step}', ' ' order by sequence) from liftlock.journal
        where entry #>> '{is,entry}' = 'finished'";
    assert_eq!(project.database.text(finished).await, "audit:started restore-point");
    let application = project.database.session().await;
    project.command().await.unwrap();
    application.close().await;
    assert_same_end(&project).await;
}

/// A resumed promotion applied the rest without any way back, and noticed that afterwards.
#[tokio::test]
async fn nothing_more_is_applied_when_the_restore_point_is_gone() {
    let project = project("resume_gone").await;
    let (plan, ended) = run_until(&project, 14).await;
    ended.unwrap_err();
    let Some(Step::RestorePoint { name, .. }) = plan.steps.get(1) else { panic!("{:?}", plan.steps) };
    project.database.execute(&format!("drop database \"{name}\"")).await;
    let error = project.command().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Service);
    let shown = format!("{:?}", miette::Report::new(error)).replace('│', " ");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("is gone") && shown.contains("nothing was changed"), "{shown}");
    assert!(shown.contains("--abandon") && !shown.contains("is from before"), "{shown}");
    assert_eq!(project.database.text("select (to_regclass('pole') is null)::text").await, "true");
    project.abandon().await.unwrap();
    project.command().await.unwrap();
    project.assert_promoted(&IDS).await;
}

/// Loses the connection when it is to write that a migration is applied.
struct BreaksBehindApply<J>(J);

impl<J: Journal> Journal for BreaksBehindApply<J> {
    async fn append(&mut self, run: Uuid, entry: &Entry) -> Result<(), JournalError> {
        match entry {
            Entry::Finished { step, .. } if step.0.starts_with("apply:") => Err(dead()),
            _ => self.0.append(run, entry).await,
        }
    }

    async fn entries(&mut self, run: Uuid) -> Result<Vec<Entry>, JournalError> {
        self.0.entries(run).await
    }

    async fn unfinished(&mut self) -> Result<Option<Uuid>, JournalError> {
        self.0.unfinished().await
    }
}

/// It said that nothing was applied, and left with 3.
#[tokio::test]
async fn a_journal_that_breaks_behind_a_commit_says_what_is_applied() {
    let project = project("resume_journal").await;
    let line = project.line().await;
    let plan = project.decide(&line).await.plan.unwrap();
    let (files, restore_points) = (project.files(), project.restore_points());
    let mut performer = project.performer(&line, &plan, &files, &restore_points);
    let mut journal = BreaksBehindApply(PostgresJournal::new(&line));
    let error = promote::run(&mut journal, &plan, &mut performer, &project.asker()).await.unwrap_err();
    drop(line);
    assert_eq!(error.exit(), Exit::Half);
    assert!(error.to_string().contains(&format!("applied are {}", IDS[0])), "{error}");
    project.command().await.unwrap();
    assert_same_end(&project).await;
}

/// A statement that runs outside a transaction, killed between its effect and the row that says so.
async fn killed_behind(number: usize, setup: &str, statement: &str) {
    let mut project = Project::new(&format!("behind{number}")).await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute("create table pole (id bigint primary key, tag text)").await;
    project.database.execute(setup).await;
    project.migration("0001_it_safe.sql", statement);
    project.command().await.unwrap_or_else(|error| panic!("{statement}: {:?}", miette::Report::new(error)));
    project
        .database
        .execute(
            "update liftlock.statements set state = 'running';
             update liftlock.migrations set state = 'running', applied = 0;",
        )
        .await;
    let again = project.command().await;
    assert!(again.is_ok(), "{statement}: {:?}", miette::Report::new(again.unwrap_err()));
    let left = "select (select count(*) from liftlock.statements where state <> 'done')
        + (select count(*) from liftlock.migrations where state <> 'done')
        + (select count(*) from pg_index where not indisvalid)";
    assert_eq!(project.database.text(&format!("select ({left})::text")).await, "0", "{statement}");
}

#[tokio::test]
async fn every_kind_of_statement_outside_a_transaction_recognises_its_own_work() {
    let partition = "create table part (id bigint primary key) partition by range (id);
        create table part_1 partition of part for values from (0) to (10);";
    let index = "create index pole_tag_idx on pole (tag)";
    let kinds = [
        ("", "create index concurrently pole_tag_idx on pole (tag);"),
        ("", "create index concurrently on pole (tag);"),
        (index, "drop index concurrently pole_tag_idx;"),
        (index, "drop index concurrently if exists public.pole_tag_idx;"),
        (index, "reindex index concurrently pole_tag_idx;"),
        (index, "reindex table concurrently pole;"),
        (partition, "alter table part detach partition part_1 concurrently;"),
        ("", "vacuum (analyze) pole;"),
    ];
    for (number, (setup, statement)) in kinds.into_iter().enumerate() {
        killed_behind(number, setup, statement).await;
    }
}

const COMMITS: &str = "create table pole (id bigint primary key);
    create procedure fill() language plpgsql as $$
    begin insert into pole values (1) on conflict do nothing; commit; insert into pole values (2); end $$;";

#[tokio::test]
async fn a_procedure_that_commits_runs_outside_and_is_not_run_twice_by_guessing() {
    let mut project = Project::new("resume_call").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute(COMMITS).await;
    project.write("0001_call_safe.sql", "-- no-transaction\ncall fill();\n");
    project.command().await.unwrap();
    assert_eq!(project.database.text("select count(*)::text from pole").await, "2");
    project
        .database
        .execute(
            "update liftlock.statements set state = 'running';
             update liftlock.migrations set state = 'running', applied = 0;",
        )
        .await;
    let error = project.command().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Half);
    let shown = format!("{:?}", miette::Report::new(error));
    assert!(shown.contains("nobody can say") && shown.contains("set state = 'done'"), "{shown}");
    // What the message says, once somebody has looked.
    project.database.execute("update liftlock.statements set state = 'done' where ordinal = 1").await;
    project.command().await.unwrap();
    assert_eq!(project.database.text("select state from liftlock.migrations").await, "done");
    assert_eq!(project.database.text("select count(*)::text from pole").await, "2");
}
