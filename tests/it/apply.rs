//! One migration onto one database: what the server refuses, who is in the way, what a broken connection leaves.

use std::time::Duration;

use liftlock::{error::Error, exit::Exit, promote::line::Line, services::postgres::Address};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time,
};

use crate::{project::Project, support};

/// As a user sees it, without the wrapping.
fn shown(error: Error) -> String {
    let text = format!("{:?}", miette::Report::new(error)).replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command, which must fail with this exit and say all of this.
async fn fails(project: &Project, exit: Exit, says: &[&str]) -> String {
    let error = project.command().await.unwrap_err();
    assert_eq!(error.exit(), exit, "{error:?}");
    let shown = shown(error);
    for words in says {
        assert!(shown.contains(words), "`{words}` is not in:\n{shown}");
    }
    shown
}

#[tokio::test]
async fn what_the_server_refuses_is_shown_at_its_place_and_nothing_of_it_is_kept() {
    let mut project = Project::new("apply_refused").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);\nalter table a add column x nosuch;");
    let says = [
        "0002_b_safe.sql:7:28",
        "type \"nosuch\" does not exist",
        "42704",
        "applied: 0001_a_safe.sql",
        "liftlock promote",
    ];
    fails(&project, Exit::Half, &says).await;
    assert_eq!(project.database.text("select (to_regclass('b') is null)::text").await, "true");
    // Edited, as the author would, the rest goes on with a new plan.
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql", "0002_b_safe.sql"]).await;
}

#[tokio::test]
async fn a_first_migration_that_is_refused_leaves_with_nothing_changed() {
    let mut project = Project::new("apply_first").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key, x nosuch);");
    fails(&project, Exit::Service, &["nothing was changed", "0001_a_safe.sql:6:"]).await;
    let events = "select string_agg(kind, ' ' order by sequence) from liftlock.audit_outbox";
    assert!(project.database.text(events).await.ends_with("dev.liftlock.promotion.failed.v1"));
}

#[tokio::test]
async fn a_unique_index_over_duplicates_leaves_no_invalid_index_behind() {
    let project = Project::new("apply_unique").await;
    project
        .database
        .execute("create table pole (id bigint primary key, tag text); insert into pole values (1, 'a'), (2, 'a')")
        .await;
    project.migration("0001_unique_safe.sql", "create unique index concurrently pole_tag_idx on pole (tag);");
    fails(&project, Exit::Service, &["23505", "pole_tag_idx"]).await;
    let invalid = "select count(*)::text from pg_index where not indisvalid";
    assert_eq!(project.database.text(invalid).await, "0");
    project.database.execute("update pole set tag = 'b' where id = 2").await;
    project.command().await.unwrap();
    project.assert_promoted(&["0001_unique_safe.sql"]).await;
}

/// What a run that was killed has left: its rows, and an index in this state.
async fn left_by_a_killed_run(test: &str, index: &str) -> Project {
    let project = Project::new(test).await;
    project
        .database
        .execute("create table pole (id bigint primary key, tag text); insert into pole values (1, 'a'), (2, 'a')")
        .await;
    project.migration("0001_index_safe.sql", "create index concurrently pole_tag_idx on pole (tag);");
    let files = project.files();
    drop(project.line().await);
    let statement = &files[0].statements[0];
    let statement = liftlock::migration::Checksum::of(&files[0].text[statement.span.start..statement.span.end]).0;
    let id = &files[0].checksum.0;
    project
        .database
        .execute(&format!(
            "insert into liftlock.migrations (id, checksum, transactional, state, total)
             values ('0001_index_safe.sql', '{id}', false, 'running', 1);
             insert into liftlock.statements (migration, ordinal, checksum, state)
             values ('0001_index_safe.sql', 1, '{statement}', 'running');"
        ))
        .await;
    let session = project.database.session().await;
    // A unique index over duplicates fails, and stays as an invalid one.
    let built = session.batch_execute(index).await;
    assert!(built.is_err() == index.contains("unique"), "{built:?}");
    session.close().await;
    project
}

#[tokio::test]
async fn an_index_that_a_killed_run_left_invalid_is_dropped_and_built_anew() {
    let project =
        left_by_a_killed_run("apply_invalid", "create unique index concurrently pole_tag_idx on pole (tag)").await;
    assert_eq!(project.database.text("select count(*)::text from pg_index where not indisvalid").await, "1");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_index_safe.sql"]).await;
    let unique = "select indisunique::text from pg_index where indexrelid = 'pole_tag_idx'::regclass";
    assert_eq!(project.database.text(unique).await, "false");
}

#[tokio::test]
async fn an_index_that_a_killed_run_finished_is_not_built_again() {
    let project = left_by_a_killed_run("apply_built", "create index concurrently pole_tag_idx on pole (tag)").await;
    let oid = "select 'pole_tag_idx'::regclass::oid::text";
    let before = project.database.text(oid).await;
    project.command().await.unwrap();
    project.assert_promoted(&["0001_index_safe.sql"]).await;
    assert_eq!(project.database.text(oid).await, before);
    assert!(project.heard.all().contains("was done before"), "{}", project.heard.all());
}

#[tokio::test]
async fn an_invalid_index_of_somebody_else_does_not_pass_as_built() {
    let project = Project::new("apply_foreign").await;
    project
        .database
        .execute("create table pole (id bigint primary key, tag text); insert into pole values (1, 'a'), (2, 'a')")
        .await;
    let session = project.database.session().await;
    session.batch_execute("create unique index concurrently pole_tag_idx on pole (tag)").await.unwrap_err();
    session.close().await;
    project.migration("0001_index_safe.sql", "create index concurrently if not exists pole_tag_idx on pole (tag);");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_index_safe.sql"]).await;
}

#[tokio::test]
async fn a_connection_that_is_ended_in_the_middle_rolls_back_and_the_next_run_goes_on() {
    let project = Project::new("apply_ended").await;
    project.migration(
        "0001_slow_safe.sql",
        "create table a (id bigint primary key);\nselect pg_sleep(30);\ncreate table b (id bigint primary key);",
    );
    let database = project.database.url.clone();
    let ending = async {
        let observer = support_session(&database).await;
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and query like 'select pg_sleep%'";
        while observer.query(sql, &[]).await.unwrap().is_empty() {
            time::sleep(Duration::from_millis(50)).await;
        }
        observer.close().await;
    };
    let (error, ()) = tokio::join!(ended_soon(&project), ending);
    assert_eq!(error.exit(), Exit::Service, "{error:?}");
    assert!(shown(error).contains("connection"), "says what happened");
    assert_eq!(project.database.text("select (to_regclass('a') is null)::text").await, "true");
    assert!(project.status().await.is_ok_and(|it| format!("{it:?}").contains("stopped half-way")));
    project.abandon().await.unwrap();
    project.migration("0001_slow_safe.sql", "create table a (id bigint primary key);");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_slow_safe.sql"]).await;
}

async fn support_session(url: &liftlock::secret::Secret) -> liftlock::services::postgres::Session {
    let address = Address::parse(url).unwrap();
    // The restore point needs that nobody else is connected, and looks for half a minute.
    time::sleep(Duration::from_secs(3)).await;
    liftlock::services::postgres::connect(&address, &Default::default()).await.unwrap()
}

async fn ended_soon(project: &Project) -> Error {
    time::timeout(Duration::from_secs(40), project.command()).await.unwrap().unwrap_err()
}

/// Stands between client and server, on a socket of its own, and cuts the client off as soon as the server has
/// answered a COMMIT that follows the marker.
async fn cutting_proxy(server: String, folder: String, marker: &'static str) {
    let listener = UnixListener::bind(format!("{folder}/.s.PGSQL.5432")).unwrap();
    let mut cut = false;
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = UnixStream::connect(&server).await.unwrap();
        let armed = !cut;
        cut |= relay(client, server, armed.then_some(marker)).await;
    }
}

/// Whether the connection was cut.
async fn relay(mut client: UnixStream, mut server: UnixStream, marker: Option<&str>) -> bool {
    let (mut from_client, mut from_server) = (vec![0; 65536], vec![0; 65536]);
    let (mut seen, mut committing) = (false, false);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return false };
                let text = String::from_utf8_lossy(&from_client[..length]).into_owned();
                seen |= marker.is_some_and(|it| text.contains(it));
                committing = seen && text.contains("commit\0");
                server.write_all(&from_client[..length]).await.unwrap();
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return false };
                if committing {
                    return true;
                }
                client.write_all(&from_server[..length]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_commit_is_resolved_by_looking() {
    let mut project = Project::new("apply_commit").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    let folder = tempfile::Builder::new().prefix("ll").tempdir().unwrap();
    let server = support::sandbox().folder().join("run/.s.PGSQL.5432");
    let proxy = cutting_proxy(server.to_string(), folder.path().display().to_string(), "create table cut");
    let url = format!("postgres://postgres@/{}?host={}", project.database.name, folder.path().display());
    project.variables.insert("DATABASE_URL_PROD".to_owned(), url);
    project.configure();
    project.migration("0001_cut_safe.sql", "create table cut (id bigint primary key);");
    project.migration("0002_next_safe.sql", "create table next (id bigint primary key);");
    // Connections come one after the other here, as the proxy wants it.
    let ended = tokio::select! {
        ended = project.command() => ended,
        () = proxy => unreachable!("the proxy never ends"),
    };
    assert!(ended.is_ok(), "{}", shown(ended.unwrap_err()));
    assert!(project.heard.all().contains("broke in the commit"), "{}", project.heard.all());
    project.assert_promoted(&["0001_cut_safe.sql", "0002_next_safe.sql"]).await;
}

/// It said that nothing was changed, and left with 3; the migration was applied.
#[tokio::test]
async fn a_server_that_is_gone_behind_a_commit_leaves_half_way_and_claims_nothing() {
    for (test, sql, marker) in [
        ("apply_gone_commit", "create table cut (id bigint primary key);", "create table cut"),
        ("apply_gone_alone", "create table cut (id bigint primary key);\nvacuum cut;", "create table cut"),
    ] {
        let mut project = Project::new(test).await;
        project.yaml = project.yaml.replace("profile: production", "profile: dev");
        let folder = tempfile::Builder::new().prefix("ll").tempdir().unwrap();
        let server = support::sandbox().folder().join("run/.s.PGSQL.5432");
        let through = project.database.url.clone();
        let url = format!("postgres://postgres@/{}?host={}", project.database.name, folder.path().display());
        project.variables.insert("DATABASE_URL_PROD".to_owned(), url);
        project.configure();
        project.migration("0001_cut_safe.sql", sql);
        let socket = folder.path().join(".s.PGSQL.5432");
        let gone = async {
            let listener = UnixListener::bind(&socket).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if relay(client, UnixStream::connect(&server).await.unwrap(), Some(marker)).await {
                    break;
                }
            }
            drop(listener);
            std::fs::remove_file(&socket).unwrap();
        };
        let (ended, ()) = tokio::join!(project.command(), gone);
        let error = ended.unwrap_err();
        assert_eq!(error.exit(), Exit::Half, "{error:?}");
        let shown = shown(error);
        assert!(!shown.contains("nothing was changed"), "{shown}");
        assert!(shown.contains("go on with `liftlock promote --to"), "{shown}");
        project.variables.insert("DATABASE_URL_PROD".to_owned(), through.expose().to_owned());
        project.command().await.unwrap();
        project.assert_promoted(&["0001_cut_safe.sql"]).await;
    }
}

#[tokio::test]
async fn a_lock_that_somebody_holds_for_a_while_is_waited_for_and_they_are_named() {
    let project = Project::new("apply_lock").await;
    project.database.execute("create table pole (id bigint primary key)").await;
    project.migration("0001_column_safe.sql", "alter table pole add column note text;");
    let line = project.line().await;
    let plan = project.decide(&line).await.plan.unwrap();
    let (files, restore_points) = (project.files(), project.restore_points());
    let mut performer = project.performer(&line, &plan, &files, &restore_points);
    let blocker = async {
        // After the restore point, which needs that nobody else is connected.
        while !project.heard.all().contains("restore point") {
            time::sleep(Duration::from_millis(20)).await;
        }
        let blocker = project.database.session().await;
        blocker.batch_execute("begin; lock table pole in access share mode").await.unwrap();
        time::sleep(Duration::from_millis(2500)).await;
        blocker.batch_execute("commit").await.unwrap();
        blocker.close().await;
    };
    // The file waits until the blocker is there.
    let waiting = async {
        let mut journal = liftlock::promote::journal::PostgresJournal::new(&line);
        liftlock::promote::run(&mut journal, &plan, &mut performer, &project.asker()).await
    };
    let (ended, ()) = tokio::join!(waiting, blocker);
    ended.unwrap();
    drop(line);
    project.assert_promoted(&["0001_column_safe.sql"]).await;
}

#[tokio::test]
async fn a_lock_that_is_never_free_ends_within_its_budget_and_names_who_holds_it() {
    let mut project = Project::new("apply_never").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.patience.retry_for = Duration::from_secs(2);
    project.database.execute("create table pole (id bigint primary key)").await;
    project.migration("0001_column_safe.sql", "alter table pole add column note text;");
    let blocker = project.database.session().await;
    blocker.batch_execute("begin; select * from pole").await.unwrap();
    let error = Error::from(project.promote().await.unwrap_err());
    assert_eq!(error.exit(), Exit::Service);
    let shown = shown(error);
    for words in ["no lock for", "liftlock test", "idle in transaction", "nothing was changed", "go on with"] {
        assert!(shown.contains(words), "`{words}` is not in:\n{shown}");
    }
    let heard = project.heard.all();
    assert!(heard.contains("select * from pole") && heard.contains("attempt 2"), "{heard}");
    // Never into the journal: it may hold values.
    let kept = "select count(*)::text from liftlock.journal where entry::text like '%from pole%'";
    assert_eq!(project.database.text(kept).await, "0");
    blocker.batch_execute("rollback").await.unwrap();
    project.promote().await.unwrap();
    project.assert_promoted(&["0001_column_safe.sql"]).await;
}

#[tokio::test]
async fn ctrl_c_stops_the_statement_and_the_next_run_goes_on() {
    let mut project = Project::new("apply_cancel").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute("create table wait (seconds integer); insert into wait values (30)").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project
        .migration("0002_b_safe.sql", "create table b (id bigint primary key);\nselect pg_sleep(seconds) from wait;");
    let cancel = project.cancel.clone();
    let stopping = async {
        time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    };
    let (error, ()) = tokio::join!(ended_soon(&project), stopping);
    assert_eq!(error.exit(), Exit::Half);
    let shown = shown(error);
    assert!(shown.contains("stopped on request") && shown.contains("go on with `liftlock promote"), "{shown}");
    project.cancel = Default::default();
    project.database.execute("update wait set seconds = 0").await;
    project.command().await.unwrap();
    assert!(project.heard.all().contains("was stopped"), "it says that it goes on");
    project.assert_promoted(&["0001_a_safe.sql", "0002_b_safe.sql"]).await;
}

#[tokio::test]
async fn what_a_migration_sets_is_gone_for_the_next_one() {
    let mut project = Project::new("apply_settings").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute("create schema other; create role settled; grant all on schema other to settled").await;
    project.migration(
        "0001_set_safe.sql",
        "set search_path = other;\nset role settled;\ncreate table here (id bigint primary key);",
    );
    project.migration("0002_plain_safe.sql", "create table there (id bigint primary key);");
    let ended = project.command().await;
    project.database.execute("reassign owned by settled to postgres; drop owned by settled; drop role settled").await;
    ended.unwrap();
    let places = "select string_agg(schemaname || '.' || tablename, ' ' order by tablename) from pg_tables
        where tablename in ('here', 'there')";
    assert_eq!(project.database.text(places).await, "other.here public.there");
}

/// `set role` in a file that runs statement by statement was undone behind the first statement, and the history
/// was written as that role.
#[tokio::test]
async fn a_role_that_a_file_sets_holds_to_its_end_and_needs_no_rights_on_the_history() {
    let mut project = Project::new("apply_role").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute("create schema app; create role app_owner; grant all on schema app to app_owner").await;
    project.migration(
        "0001_owned_safe.sql",
        "set role app_owner;\ncreate table app.a (id bigint primary key);\ncreate table app.b (id bigint primary key);
         create index concurrently b_idx on app.b (id);",
    );
    let ended = project.command().await;
    let owners = project.database.text("select string_agg(tableowner, ' ') from pg_tables where schemaname = 'app'");
    let owners = owners.await;
    project.database.execute("drop owned by app_owner; drop role app_owner").await;
    ended.unwrap();
    assert_eq!(owners, "app_owner app_owner");
}

/// `insert into parcel` went into the temporary table of the file before, and was reported as applied.
#[tokio::test]
async fn a_temporary_table_is_gone_for_the_next_migration() {
    let mut project = Project::new("apply_temporary").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.database.execute("create table parcel (id bigint primary key)").await;
    project.migration("0001_a_safe.sql", "create temporary table parcel (id bigint primary key);");
    project.migration("0002_b_safe.sql", "insert into parcel values (1) on conflict do nothing;");
    project.command().await.unwrap();
    assert_eq!(project.database.text("select count(*)::text from parcel").await, "1");
}

/// With `statement_timeout` set by the file, CONCURRENTLY got the short lock timeout too and never came to its end.
#[tokio::test]
async fn a_file_that_sets_one_timeout_leaves_the_other_long_for_concurrently() {
    let mut project = Project::new("apply_one_timeout").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.patience.retry_for = Duration::from_secs(1);
    project.database.execute("create table pole (id bigint primary key, tag text)").await;
    project.migration(
        "0001_index_safe.sql",
        "set statement_timeout = '5min';\ncreate index concurrently pole_tag_idx on pole (tag);",
    );
    // A snapshot that is older than the index holds it up for longer than the short timeout.
    let reader = project.database.session().await;
    reader.batch_execute("begin isolation level repeatable read; select from pole").await.unwrap();
    let reading = async {
        time::sleep(Duration::from_millis(2500)).await;
        reader.batch_execute("commit").await.unwrap();
        reader.close().await;
    };
    let (ended, ()) = tokio::join!(project.promote(), reading);
    ended.unwrap();
    assert!(!project.heard.all().contains("no lock for"), "{}", project.heard.all());
    project.assert_promoted(&["0001_index_safe.sql"]).await;
}

#[tokio::test]
async fn of_two_runners_one_waits_and_finds_nothing_left() {
    let project = Project::new("apply_two").await;
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);");
    let (one, two) = tokio::join!(project.command(), project.command());
    let ended = [one, two];
    let failed: Vec<String> = ended.into_iter().filter_map(Result::err).map(shown).collect();
    // The later one may find that what it showed is not there any more; then it says so and did nothing.
    assert!(failed.len() <= 1 && failed.iter().all(|it| it.contains("not what it was")), "{failed:#?}");
    project.command().await.unwrap();
    project.assert_promoted(&["0001_a_safe.sql", "0002_b_safe.sql"]).await;
}

#[tokio::test]
async fn a_runner_that_waits_in_vain_leaves_and_says_for_whom() {
    let mut project = Project::new("apply_busy").await;
    project.patience.runner = Duration::from_secs(1);
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    let first = project.line().await;
    let second = Line::open(&project.database.address(), project.patience, &*project.heard).await;
    let error = Error::from(liftlock::promote::PromoteError::from(second.err().unwrap()));
    assert_eq!(error.exit(), Exit::Service);
    assert!(shown(error).contains("another liftlock is at work"));
    assert!(project.heard.all().contains("waiting for another liftlock"));
    drop(first);
}

#[tokio::test]
async fn a_database_that_disappears_leaves_with_the_command_that_goes_on() {
    let mut project = Project::new("apply_gone").await;
    project.yaml = project.yaml.replace("profile: production", "profile: dev");
    project.configure();
    project.migration("0001_a_safe.sql", "create table a (id bigint primary key);");
    project.migration("0002_b_safe.sql", "create table b (id bigint primary key);\nselect pg_sleep(30);");
    let name = project.database.name.clone();
    let dropping = async {
        time::sleep(Duration::from_secs(2)).await;
        let url = support::sandbox().url("postgres");
        let session =
            liftlock::services::postgres::connect(&Address::parse(&url).unwrap(), &Default::default()).await.unwrap();
        session.batch_execute(&format!("drop database \"{name}\" with (force)")).await.unwrap();
        session.close().await;
    };
    let (error, ()) = tokio::join!(ended_soon(&project), dropping);
    assert_eq!(error.exit(), Exit::Half);
    let shown = shown(error);
    assert!(
        shown.contains("applied: 0001_a_safe.sql") && shown.contains("liftlock promote --to production"),
        "{shown}"
    );
}
