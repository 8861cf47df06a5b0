//! The whole promotion: plan, gates, journal, status, and what a user sees of them.

use std::time::Duration;

use liftlock::{
    cli,
    exit::Exit,
    promote::{
        journal::{Cause, End, Entry, Facts, FileJournal, Journal, JournalError, PostgresJournal},
        outbox,
        plan::{Plan, StepId},
    },
    report::{MigrationState, Report, Section, Verdict},
};

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::project::{PLAIN, Project};

#[tokio::test]
async fn pending_migrations_are_promoted_and_a_second_promotion_finds_nothing() {
    let project = Project::new("promote_all").await;
    project.migration("0001_create_pole_safe.sql", "create table pole (id bigint primary key, height integer);");
    project.migration("0002_index_pole_safe.sql", "create index concurrently pole_height_idx on pole (height);");
    let report = project.command().await.unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");

    project.assert_promoted(&["0001_create_pole_safe.sql", "0002_index_pole_safe.sql"]).await;
    let again = project.command().await.unwrap();
    assert!(format!("{again:?}").contains("Nothing is pending"), "{again:#?}");
}

/// Staging before production, each a database of its own.
const STAGED: &str = "
migrations: db/migrations
environments:
  staging: { database: \"${DATABASE_URL_STAGING}\", profile: staging }
  production: { database: \"${DATABASE_URL_PROD}\", profile: production, after: staging }
";

/// The gates that failed, as `plan` shows them.
fn failed_gates(report: &Report) -> Vec<String> {
    let Some(Section::Plan(view)) = report.sections.iter().find(|it| matches!(it, Section::Plan(_))) else {
        panic!("no plan in {report:#?}");
    };
    let failed = view.gates.iter().filter(|it| !it.passed);
    failed.map(|it| format!("{}: {} Fix: {}", it.name, it.evidence, it.fix.clone().unwrap_or_default())).collect()
}

/// `plan` and `promote` must both refuse, by these gates, with these words, and change nothing.
async fn refused(project: &Project, expected: &[(&str, &str)]) {
    for report in [project.plan().await.unwrap(), project.command().await.unwrap()] {
        assert_eq!(report.verdict, Verdict::Fail);
        let failed = failed_gates(&report);
        assert_eq!(failed.len(), expected.len(), "{failed:#?}");
        for (gate, words) in expected {
            let found = failed.iter().any(|it| it.starts_with(&format!("{gate}: ")) && it.contains(words));
            assert!(found, "{gate}, {words}: {failed:#?}");
        }
    }
}

fn migrations(report: &Report) -> Vec<(String, MigrationState)> {
    let Some(Section::Status(view)) = report.sections.first() else { panic!("no status in {report:#?}") };
    view.migrations.iter().map(|it| (it.id.clone(), it.state)).collect()
}

#[tokio::test]
async fn plan_and_status_write_nothing_not_even_the_schema() {
    let project = Project::new("promote_reads").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let report = project.plan().await.unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
    let status = project.status().await.unwrap();
    assert_eq!(migrations(&status), [("0001_a_safe.sql".to_owned(), MigrationState::Pending)]);
    let made = "select count(*)::text from pg_namespace where nspname = 'liftlock'";
    assert_eq!(project.database.text(made).await, "0");
}

#[tokio::test]
async fn every_failed_gate_is_named_and_not_the_first_only() {
    let project = Project::new("promote_gates").await;
    project.database.execute("create table pole (id bigint primary key, height integer)").await;
    project.migration("0001_drop_safe.sql", "alter table pole drop column height;");
    project.migration(
        "0002_own_safe.sql",
        "create table a (id bigint primary key);\ncommit;\ncreate table b (id bigint primary key);",
    );
    let connected = project.database.session().await;
    refused(
        &project,
        &[
            ("validated", "0001_drop_safe.sql"),
            ("transactions", "0002_own_safe.sql"),
            ("restore-point", "liftlock test"),
        ],
    )
    .await;
    connected.close().await;
    assert_eq!(project.database.text("select count(*)::text from pg_namespace where nspname = 'liftlock'").await, "0");
}

#[tokio::test]
async fn a_file_that_changed_or_went_after_it_was_applied_is_named() {
    let project = Project::new("promote_history").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    project.command().await.unwrap();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key, more text);");
    project.remove("0002_b_safe.sql");
    project.migration("0003_c_safe.sql", "create table c (id bigint primary key);");
    let words = "0001_a_safe.sql was changed after it was applied, 0002_b_safe.sql was applied and its file is gone";
    refused(&project, &[("history", words)]).await;
    let status = project.status().await.unwrap();
    let states = [
        ("0001_a_safe.sql", MigrationState::Changed),
        ("0003_c_safe.sql", MigrationState::Pending),
        ("0002_b_safe.sql", MigrationState::Missing),
    ];
    assert_eq!(migrations(&status), states.map(|(id, state)| (id.to_owned(), state)));
}

/// Nothing of it was applied, and it was said to be changed, or gone, "after it was applied": nothing more could be
/// promoted but with the bytes that fail.
#[tokio::test]
async fn a_file_that_failed_at_its_first_statement_may_be_written_anew_or_taken_away() {
    let project = Project::new("promote_anew").await;
    let setup = "create table pole (id bigint primary key, tag text); insert into pole values (1, 'a'), (2, 'a')";
    project.database.execute(setup).await;
    let failing = "create unique index concurrently pole_tag_idx on pole (tag);";
    project.migration("0001_unique_safe.sql", failing);
    project.command().await.unwrap_err();
    project.migration("0001_unique_safe.sql", "alter table pole add column note text;");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_unique_safe.sql"]).await;
    project.migration("0002_unique_safe.sql", failing);
    project.command().await.unwrap_err();
    project.remove("0002_unique_safe.sql");
    project.migration("0003_c_safe.sql", "create table c (id bigint primary key);");
    project.command().await.unwrap();
    let status = format!("{:?}", project.status().await.unwrap());
    assert!(status.contains("0 of 1 statements are done, and no file has this id"), "{status}");
}

/// The plan promised a restore point; then somebody connected, and the run went on without one.
#[tokio::test]
async fn steps_that_are_not_those_that_were_shown_are_not_done() {
    let yaml = PLAIN.replace("profile: production", "profile: staging");
    let project = Project::with("promote_steps", &yaml).await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let other = project.line().await;
    let meanwhile = async {
        while !project.heard.all().contains("waiting for another liftlock") {
            time::sleep(Duration::from_millis(20)).await;
        }
        let application = project.database.session().await;
        drop(other);
        application
    };
    let (ended, application) = tokio::join!(project.command(), meanwhile);
    let error = ended.unwrap_err();
    assert_eq!(error.exit(), Exit::No);
    assert!(error.to_string().contains("is not what it was when the plan was shown"), "{error}");
    assert_eq!(project.database.text("select count(*)::text from liftlock.promotions").await, "0");
    application.close().await;
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql"]).await;
}

async fn restore(project: &Project) {
    let env = || cli::Env { environment: "prod".to_owned() };
    let listed = project.backup(cli::BackupCommand::List(env())).await.unwrap();
    let Some(Section::Backups(found)) = listed.sections.first() else { panic!("{listed:#?}") };
    let name = found[0].name.clone();
    project.backup(cli::BackupCommand::Restore { name, env: env(), yes: true }).await.unwrap();
}

/// After going back to the restore point of a promotion, its events were said to be cut off, by "somebody".
#[tokio::test]
async fn the_chain_holds_after_going_back_to_the_restore_point_of_a_promotion() {
    let mut project = Project::new("promote_back").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    restore(&project).await;
    let session = project.database.session().await;
    assert_eq!(outbox::verify(&*session).await.unwrap().broken, None);
    session.close().await;
    // One that never came to its end has no event of it.
    project.cancel.cancel();
    project.command().await.unwrap_err();
    project.cancel = CancellationToken::new();
    project.backup(cli::BackupCommand::Create(cli::Env { environment: "prod".to_owned() })).await.unwrap();
    restore(&project).await;
    let session = project.database.session().await;
    assert_eq!(outbox::verify(&*session).await.unwrap().broken, None);
    session.close().await;
    let report = format!("{:?}", project.command().await.unwrap());
    assert!(!report.contains("broken"), "{report}");
}

/// Such an insert has `ON CONFLICT DO NOTHING`, so no rule refused it, and a file counted as applied that never ran.
#[tokio::test]
async fn a_migration_that_writes_the_history_itself_is_refused() {
    let project = Project::new("promote_own").await;
    project.migration(
        "0001_a_safe.sql",
        "insert into liftlock.migrations (id, checksum, transactional, state, total)
         values ('0002_b_safe.sql', '', true, 'done', 1) on conflict do nothing;",
    );
    refused(&project, &[("history", "0001_a_safe.sql:6:1")]).await;
}

/// The promotion applied everything, stopped at its last check, and stopped there again for ever.
#[tokio::test]
async fn events_that_somebody_edited_long_ago_are_told_and_block_no_promotion() {
    let project = Project::new("promote_tampered").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    project.database.execute("update liftlock.audit_outbox set body = body || ' ' where sequence = 2").await;
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    let report = format!("{:?}", project.command().await.unwrap());
    assert!(report.contains("was broken before this promotion: event 2 was changed"), "{report}");
    let open = "select count(*)::text from liftlock.promotions where state = 'running'";
    assert_eq!(project.database.text(open).await, "0");
    // Its own events are another matter.
    project.database.execute("create table own (); create function edit() returns trigger language plpgsql as $$
        begin update liftlock.audit_outbox set body = body || ' ' where sequence = (select max(sequence) from liftlock.audit_outbox); return new; end $$;
        create trigger edit after insert on liftlock.migrations for each row execute function edit()").await;
    project.migration("0003_c_safe.sql", "create table c (id bigint primary key);");
    let error = project.command().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Half);
    assert!(format!("{:?}", miette::Report::new(error)).contains("the audit chain does not hold"));
}

#[tokio::test]
async fn line_ends_do_not_count_as_a_change() {
    let project = Project::new("promote_crlf").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    let text = crate::project::migration_text("create table a (id bigint primary key);");
    project.write("0001_a_safe.sql", &text.replace('\n', "\r\n"));
    assert_eq!(migrations(&project.status().await.unwrap())[0].1, MigrationState::Applied);
}

#[tokio::test]
async fn a_file_that_comes_before_an_applied_one_is_reported_and_applied() {
    let project = Project::new("promote_order").await;
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    project.command().await.unwrap();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    assert_eq!(migrations(&project.status().await.unwrap())[0].1, MigrationState::OutOfOrder);
    let plan = project.plan().await.unwrap();
    assert!(format!("{plan:?}").contains("out of order: 0001_a_safe.sql"), "{plan:#?}");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql", "0002_b_safe.sql"]).await;
}

#[tokio::test]
async fn production_takes_only_the_bytes_that_staging_has_applied() {
    let mut project = Project::with("promote_staged", STAGED).await;
    let staging = crate::support::database("promote_staging").await;
    project.variables.insert("DATABASE_URL_STAGING".to_owned(), staging.url.expose().to_owned());
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    refused(&project, &[("staged-first", "0001_a_safe.sql is not applied there")]).await;
    project.promote_to("staging").await.unwrap();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key, more text);");
    refused(&project, &[("staged-first", "0001_a_safe.sql has other bytes there")]).await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql"]).await;
    // Not reachable is not staged.
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    let gone = format!("{}_gone", staging.url.expose().split('?').next().unwrap());
    let query = staging.url.expose().split_once('?').map(|it| it.1).unwrap_or_default();
    project.variables.insert("DATABASE_URL_STAGING".to_owned(), format!("{gone}?{query}"));
    refused(&project, &[("staged-first", "cannot look at `staging`")]).await;
}

#[tokio::test]
async fn two_environments_that_are_one_database_are_refused() {
    let mut project = Project::with("promote_same", STAGED).await;
    // Another way of writing the same place.
    let same = project.database.url.expose().replace("postgres://", "postgresql://");
    project.variables.insert("DATABASE_URL_STAGING".to_owned(), same);
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let words = "`production` and `staging` are one database";
    refused(&project, &[("identity", words), ("staged-first", "is not applied there")]).await;
}

#[tokio::test]
async fn a_role_that_may_only_read_can_ask_and_is_refused_by_the_gates() {
    let mut project = Project::new("promote_reader").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    project.migration("0002_b_safe.sql", "create index concurrently a_idx on a (id, id);");
    let role = project.database.name.clone();
    project.database.execute(&format!("create role \"{role}\" login")).await;
    let url = project.database.url.expose().replace("postgres@", &format!("{role}@"));
    project.variables.insert("DATABASE_URL_PROD".to_owned(), url);
    let unreadable = project.status().await.unwrap();
    assert!(format!("{unreadable:?}").contains("grant usage on schema liftlock"), "{unreadable:#?}");
    let grants = format!(
        "grant usage on schema liftlock to \"{role}\"; grant select on all tables in schema liftlock to \"{role}\""
    );
    project.database.execute(&grants).await;
    let status = project.status().await;
    let plan = project.plan().await;
    project.database.execute(&format!("drop owned by \"{role}\"; drop role \"{role}\"")).await;
    let states = [("0001_a_safe.sql", MigrationState::Applied), ("0002_b_safe.sql", MigrationState::Pending)];
    assert_eq!(migrations(&status.unwrap()), states.map(|(id, state)| (id.to_owned(), state)));
    let failed = failed_gates(&plan.unwrap());
    assert!(failed.iter().any(|it| it.starts_with("privileges: ")), "{failed:#?}");
    assert!(failed.iter().any(|it| it.starts_with("restore-point: ")), "{failed:#?}");
}

#[tokio::test]
async fn an_unfinished_promotion_goes_on_only_with_its_own_bytes_or_is_given_up() {
    let project = Project::new("promote_abandon").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let line = project.line().await;
    let plan = project.decide(&line).await.plan.unwrap();
    let mut journal = PostgresJournal::new(&line);
    journal.append(plan.run, &Entry::Planned { plan: Box::new(plan.clone()) }).await.unwrap();
    drop(line);
    let status = project.status().await.unwrap();
    assert!(format!("{status:?}").contains("stopped half-way"), "{status:#?}");
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key, more text);");
    refused(&project, &[("history", "0001_a_safe.sql is not what promotion")]).await;
    project.abandon().await.unwrap();
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql"]).await;
    let states = "select string_agg(state, ' ' order by started_at) from liftlock.promotions";
    assert_eq!(project.database.text(states).await, "abandoned finished");
}

#[tokio::test]
async fn a_file_that_failed_behind_its_first_statements_may_be_edited_there() {
    let mut project = Project::new("promote_edited").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project
        .database
        .execute("create table pole (id bigint primary key, tag text); insert into pole values (1, 'a'), (2, 'a')")
        .await;
    let first = "create index concurrently pole_tag_idx on pole (tag);\n";
    project.migration(
        "0001_two_safe.sql",
        &format!("{first}create unique index concurrently pole_one_idx on pole (tag);"),
    );
    let error = project.command().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Half);
    let shown = format!("{:?}", miette::Report::new(error));
    assert!(shown.contains("1 of 2 statements"), "{shown}");
    assert_eq!(migrations(&project.status().await.unwrap())[0].1, MigrationState::Running);
    // The statement that is done must stay as it is.
    project.migration("0001_two_safe.sql", "create index concurrently other_idx on pole (tag);\nselect 1;");
    refused(&project, &[("history", "0001_two_safe.sql was changed")]).await;
    project
        .migration("0001_two_safe.sql", &format!("{first}create index concurrently pole_one_idx on pole (tag, id);"));
    project.command().await.unwrap();
    project.assert_promoted(&["0001_two_safe.sql"]).await;
}

/// Both journals keep the same promises.
async fn keeps_its_promises(mut journal: impl Journal, mut other: impl Journal, plan: &Plan) {
    let run = plan.run;
    assert_eq!(journal.unfinished().await.unwrap(), None);
    assert_eq!(journal.entries(run).await.unwrap(), []);
    let step = StepId("apply:a".to_owned());
    let cause = Cause { code: "apply::refused".to_owned(), sqlstate: Some("42704".to_owned()), place: None };
    let entries = [
        Entry::Planned { plan: Box::new(plan.clone()) },
        Entry::Started { step: step.clone() },
        Entry::Failed { step: step.clone(), cause },
        Entry::Resumed { actor: "ann".to_owned(), tool_version: "1".to_owned(), approval: None },
        Entry::Started { step: step.clone() },
        Entry::Finished { step, facts: Facts { detail: "done".to_owned(), millis: 3, ..Facts::default() } },
    ];
    for entry in &entries {
        journal.append(run, entry).await.unwrap();
    }
    assert_eq!(journal.entries(run).await.unwrap(), entries);
    assert_eq!(journal.unfinished().await.unwrap(), Some(run));
    // Who has read and then finds that somebody else went on, is told and writes nothing.
    assert_eq!(other.entries(run).await.unwrap(), entries);
    journal.append(run, &Entry::Closed { end: End::Finished }).await.unwrap();
    let late = other.append(run, &Entry::Closed { end: End::Abandoned }).await;
    assert!(matches!(late, Err(JournalError::Overtaken { .. })), "{late:?}");
    assert_eq!(journal.entries(run).await.unwrap().len(), entries.len() + 1);
    assert_eq!(journal.unfinished().await.unwrap(), None);
}

#[tokio::test]
async fn a_journal_in_the_database_or_in_a_file_keeps_the_same_promises() {
    let project = Project::new("promote_journal").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let line = project.line().await;
    let plan = project.decide(&line).await.plan.unwrap();
    keeps_its_promises(PostgresJournal::new(&line), PostgresJournal::new(&line), &plan).await;
    let path = project.path("journal.jsonl");
    keeps_its_promises(FileJournal::new(&path), FileJournal::new(&path), &plan).await;
    // What a crash left half-written is no entry, and the next one takes its place.
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"run\":\"0197a1b2-0000-7000-8000-0000");
    std::fs::write(&path, &text).unwrap();
    let mut journal = FileJournal::new(&path);
    let known = journal.entries(plan.run).await.unwrap().len();
    journal.append(plan.run, &Entry::Closed { end: End::Failed }).await.unwrap();
    assert_eq!(FileJournal::new(&path).entries(plan.run).await.unwrap().len(), known + 1);
}
