//! Restore points: one contract that every provider keeps, and what is particular to databases on one server.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use liftlock::services::{
    bookkeeping,
    branches::{
        self, BranchError, BranchState, Branches, Depth, LocalBranches, NewBranch, Scope, backup_name, preserve_name,
    },
    postgres::quote_identifier,
};

use crate::{
    neon,
    support::{self, TestDatabase, neon::FakeNeon},
};

/// Tables, rows, a sequence, a view and a function: enough for a fingerprint to differ.
const SHOP: &str = "
    create type mood as enum ('calm', 'windy');
    create table poles (id bigint generated always as identity primary key, label text not null, mood mood);
    create table drops (id bigint primary key, pole bigint references poles, payload jsonb default '{}');
    create index on drops (pole);
    create view calm as select * from poles where mood = 'calm';
    create function twice(n int) returns int language sql as 'select n * 2';
    insert into poles (label, mood) select 'p' || n, 'calm' from generate_series(1, 100) n;
    insert into drops select n, n, '{}' from generate_series(1, 50) n;";

fn new_branch(source: &str, nonce: &str) -> NewBranch {
    let now = Timestamp::now();
    NewBranch {
        name: backup_name(source, now, nonce),
        nonce: nonce.to_owned(),
        // Neon keeps whole seconds.
        expires_at: Some(Timestamp::from_second(now.as_second() + 3600).unwrap()),
        run: Some(uuid::Uuid::now_v7()),
        commit: None,
        scope: Scope::All,
    }
}

/// A database of which restore points are made.
trait Source {
    fn name(&self) -> &str;
    async fn execute(&self, sql: &str);
    async fn text(&self, sql: &str) -> String;
}

impl Source for TestDatabase {
    fn name(&self) -> &str {
        &self.name
    }

    async fn execute(&self, sql: &str) {
        TestDatabase::execute(self, sql).await;
    }

    async fn text(&self, sql: &str) -> String {
        TestDatabase::text(self, sql).await
    }
}

impl Source for FakeNeon {
    fn name(&self) -> &str {
        "neondb"
    }

    async fn execute(&self, sql: &str) {
        FakeNeon::execute(self, sql).await;
    }

    async fn text(&self, sql: &str) -> String {
        FakeNeon::text(self, sql).await
    }
}

/// What every provider promises.
async fn contract(provider: &impl Branches, source: &impl Source) {
    let new = new_branch(source.name(), "6e6f6e63");
    let made = provider.create(&new).await.unwrap();
    assert_eq!((made.name.as_str(), made.nonce.as_str(), made.run), (new.name.as_str(), "6e6f6e63", new.run));
    assert_eq!((made.expires_at, made.state), (new.expires_at, BranchState::Ready));
    assert!(made.lsn.is_some() && made.created_at.is_some());

    let again = provider.create(&new).await.unwrap();
    assert_eq!((again.lsn, again.created_at), (made.lsn.clone(), made.created_at), "made once");
    let stolen = provider.create(&NewBranch { nonce: "other".to_owned(), ..new.clone() }).await;
    assert!(matches!(stolen, Err(BranchError::Taken { .. })), "{stolen:?}");

    let listed = provider.list().await.unwrap();
    assert_eq!(listed.iter().map(|it| &it.name).collect::<Vec<_>>(), [&new.name]);
    let verification = provider.verify(&made, Depth::Contents).await.unwrap();
    assert!(verification.is_sound(), "{verification:?}");
    assert_eq!((verification.tables, verification.rows), (2, 150));

    source
        .execute("delete from drops; alter table poles add column lost int; insert into poles (label) values ('new')")
        .await;
    assert!(
        provider.verify(&made, Depth::Contents).await.unwrap().is_sound(),
        "the source's life is not the restore point's"
    );
    let preserve = preserve_name(source.name(), Timestamp::now(), "6e6f6e63");
    let restored = provider.restore(&made, &preserve).await.unwrap();
    assert_eq!(restored.preserved.as_ref(), Some(&preserve));
    assert_eq!(source.text("select count(*)::text from drops").await, "50");
    assert_eq!(source.text("select count(*)::text from poles").await, "100");
    source.execute("insert into poles (label) values ('written after the restore')").await;
    provider.restore(&made, &preserve).await.unwrap();
    assert_eq!(source.text("select count(*)::text from poles").await, "101", "a second time does nothing");
    assert!(provider.verify(&made, Depth::Contents).await.unwrap().is_sound(), "the restore point stays");

    let impostor = branches::Branch { nonce: "other".to_owned(), ..made.clone() };
    assert!(matches!(provider.delete(&impostor).await, Err(BranchError::Taken { .. })));
    assert!(branches::prune(provider, Timestamp::now()).await.unwrap().is_empty(), "not expired yet");
    let later = Timestamp::now() + SignedDuration::from_hours(2);
    assert!(branches::prune(provider, later).await.unwrap().is_empty(), "the last one that is whole stays");
    provider.delete(&made).await.unwrap();
    provider.delete(&made).await.unwrap();
    assert!(provider.list().await.unwrap().is_empty());
    assert!(matches!(provider.verify(&made, Depth::Contents).await, Err(BranchError::NotFound { .. })));
    let gone = provider.restore(&made, &preserve_name(source.name(), later, "6e6f6e63")).await;
    assert!(matches!(gone, Err(BranchError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn databases_on_the_same_server_keep_the_contract() {
    let database = support::database("local_contract").await;
    database.execute(SHOP).await;
    contract(&LocalBranches::new(database.address()), &database).await;
    support::drop_restore_points(&database).await;
}

#[tokio::test]
async fn branches_of_a_neon_project_keep_the_contract() {
    let production = FakeNeon::start();
    production.execute(SHOP).await;
    // The place in the log must lie behind the moment when production was made.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    contract(&neon::provider(&production), &production).await;
}

#[tokio::test]
async fn the_only_session_with_the_source_may_be_the_one_that_copies() {
    let database = support::database("through_session").await;
    database.execute(SHOP).await;
    let session = database.session().await;
    session.batch_execute("set statement_timeout = '1ms'").await.unwrap();
    session.batch_execute("set statement_timeout = '15min'").await.unwrap();
    let provider = LocalBranches::new(database.address()).through(&session);
    let made = provider.create(&new_branch(&database.name, "aa")).await.unwrap();
    assert!(provider.verify(&made, Depth::Contents).await.unwrap().is_sound());
    let timeout: String = session.query_one("show statement_timeout", &[]).await.unwrap().get(0);
    assert_eq!(timeout, "15min", "the session is as it was");
    provider.delete(&made).await.unwrap();
}

#[tokio::test]
async fn a_source_in_use_is_refused_with_who_uses_it() {
    let database = support::database("busy_source").await;
    database.execute(SHOP).await;
    let other = database.session().await;
    let mut provider = LocalBranches::new(database.address());
    provider.patience = Duration::from_millis(1);
    let answer = provider.create(&new_branch(&database.name, "aa")).await;
    let Err(BranchError::Busy { sessions, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(sessions.iter().map(|it| it.pid).collect::<Vec<_>>(), [other.pid()]);
    assert_eq!(sessions[0].application_name, "liftlock test");
    assert!(provider.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_was_left_half_made_is_shown_and_made_again() {
    let database = support::database("half_made").await;
    database.execute(SHOP).await;
    let new = new_branch(&database.name, "aa");
    // As a process leaves it that dies between copying and commenting.
    let admin = support::admin().await;
    admin.batch_execute(&format!("create database {}", quote_identifier(&new.name))).await.unwrap();
    let provider = LocalBranches::new(database.address());
    let listed = provider.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, BranchState::Incomplete);
    assert!(matches!(provider.verify(&listed[0], Depth::Contents).await, Err(BranchError::Incomplete { .. })));
    let refused = provider.restore(&listed[0], "liftlock_before_x").await;
    assert!(matches!(refused, Err(BranchError::Incomplete { .. })), "{refused:?}");
    assert!(branches::prune(&provider, Timestamp::MAX).await.unwrap().is_empty(), "it carries no nonce");
    let made = provider.create(&new).await.unwrap();
    assert!(provider.verify(&made, Depth::Contents).await.unwrap().is_sound());
    provider.delete(&made).await.unwrap();
}

#[tokio::test]
async fn what_somebody_changed_in_a_restore_point_is_found() {
    let database = support::database("tampered").await;
    database.execute(SHOP).await;
    let provider = LocalBranches::new(database.address());
    let made = provider.create(&new_branch(&database.name, "aa")).await.unwrap();
    let change = async |sql: &str| {
        let session = support::connect(&database.address().with_database(&made.name)).await;
        session.batch_execute("set default_transaction_read_only = off").await.unwrap();
        session.batch_execute(sql).await.unwrap();
        session.close().await;
    };
    let refused = support::connect(&database.address().with_database(&made.name)).await;
    assert!(refused.batch_execute("delete from drops").await.is_err(), "it is protected from mistakes");
    refused.close().await;
    for (sql, expected) in [
        ("delete from drops where id = 1", "`public.drops` has 49 rows, not 50"),
        ("insert into drops values (1)", ""),
        ("alter table poles alter label drop not null", "the definitions of tables, columns or other objects differ"),
        ("alter table poles alter label set not null", ""),
        (
            "create table more (id int)",
            "the definitions of tables, columns or other objects differ, and 1 more difference",
        ),
    ] {
        change(sql).await;
        let verification = provider.verify(&made, Depth::Contents).await.unwrap();
        let shown = if verification.is_sound() { String::new() } else { verification.shown() };
        assert_eq!(shown, expected, "{sql}");
    }
    provider.delete(&made).await.unwrap();
}

#[tokio::test]
async fn a_restore_keeps_owner_privileges_settings_and_ends_sessions() {
    let database = support::database("dressed").await;
    database.execute(SHOP).await;
    let (name, role) = (quote_identifier(&database.name), database.name.replace("dressed", "role"));
    database
        .execute(&format!(
            "create role {role} login; comment on database {name} is 'the shop''s';
             alter database {name} owner to {role}; revoke all on database {name} from public;
             grant connect, temporary on database {name} to pg_monitor with grant option;
             alter database {name} connection limit 77; alter database {name} set search_path = \"$user\", public, \"Odd\";
             alter database {name} set work_mem = '7MB'; alter database {name} set app.motto = 'it''s \\ fine';
             alter role {role} in database {name} set lock_timeout = '3s'"
        ))
        .await;
    let worn = async || {
        let sql = "select concat_ws('|', pg_get_userbyid(datdba), datconnlimit, (select array_agg(a order by a) from
            unnest(datacl::text[]) a), shobj_description(oid, 'pg_database'), (select array_agg(concat(setrole, setconfig)
            order by setrole) from pg_db_role_setting where setdatabase = d.oid)) from pg_database d where datname = $1";
        let row = support::admin().await.query_one(sql, &[&database.name]).await.unwrap();
        row.get::<_, String>(0)
    };
    let before = worn().await;
    assert!(before.contains("Odd") && before.contains("77|") && before.contains("pg_monitor"), "{before}");
    let provider = LocalBranches::new(database.address());
    let made = provider.create(&new_branch(&database.name, "aa")).await.unwrap();
    let bystander = database.session().await;
    let restored = provider.restore(&made, &preserve_name(&database.name, Timestamp::now(), "aa")).await.unwrap();
    assert_eq!(restored.disconnected, 1);
    assert!(bystander.query_one("select 1", &[]).await.is_err());
    assert_eq!(worn().await, before);
    let writes = database.session().await;
    writes.batch_execute("delete from drops").await.unwrap();
    writes.close().await;
    support::drop_restore_points(&database).await;
    let admin = support::admin().await;
    let sql = format!("alter database {name} owner to postgres; drop owned by {role}; drop role {role}");
    admin.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_restore_loses_no_audit_event_and_closes_what_was_under_way() {
    let database = support::database("journal_kept").await;
    database.execute(SHOP).await;
    bookkeeping::ensure(&mut *database.session().await).await.unwrap();
    let event = |n: i32| {
        format!(
            "insert into liftlock.audit_outbox (sequence, id, kind, body, previous_hash, hash)
             values ({n}, '00000000-0000-0000-0000-00000000000{n}', 'k', 'b', 'p', 'h{n}');"
        )
    };
    let run = "insert into liftlock.promotions (run, environment, type, plan, digest, state, actor, tool_version)
        values ('00000000-0000-0000-0000-0000000000aa', 'production', 'schema_safe', '{}', 'd', 'running', 'me', '0');";
    let ledger =
        |hash: i32| format!("insert into liftlock.sync_ledger (sync, key, hash) values (1, 'k{hash}', {hash});");
    database.execute(&format!("{}{}{run}{}", event(1), event(2), ledger(1))).await;
    let provider = LocalBranches::new(database.address());
    let made = provider.create(&new_branch(&database.name, "aa")).await.unwrap();
    let mirrored =
        "insert into liftlock.sync_tables (mirror, place, table_name, database, mapping, run, fence, counters)
        values ('m', 'p', 't' || random(), 'd', '1', '00000000-0000-0000-0000-0000000000aa', 1, '{}');";
    let since = "update liftlock.audit_outbox set delivered_at = now() where sequence = 1;
        update liftlock.promotions set state = 'finished'; delete from liftlock.sync_ledger;";
    database.execute(&format!("{}{since}{mirrored}{mirrored}{}{}", event(3), ledger(2), ledger(3))).await;
    let preserve = preserve_name(&database.name, Timestamp::now(), "aa");
    let restored = provider.restore(&made, &preserve).await.unwrap();
    assert_eq!((restored.events_kept, restored.abandoned.len()), (1, 1));
    let outbox =
        "select string_agg(sequence || ':' || hash || ':' || (delivered_at is not null), ' ' order by sequence)
        from liftlock.audit_outbox";
    assert_eq!(database.text(outbox).await, "1:h1:true 2:h2:false 3:h3:false");
    assert_eq!(database.text("select state from liftlock.promotions").await, "abandoned");
    assert_eq!(
        database.text("select string_agg(convert_from(key, 'UTF8'), ' ' order by key) from liftlock.sync_ledger").await,
        "k2 k3"
    );
    database.execute(mirrored).await;
    assert_eq!(database.text("select string_agg(id::text, ' ' order by id) from liftlock.sync_tables").await, "1 2 3");
    support::drop_restore_points(&database).await;
}

#[tokio::test]
async fn a_restore_goes_on_after_a_killed_one_and_brings_back_a_dropped_source() {
    let database = support::database("resumed").await;
    database.execute(SHOP).await;
    let provider = LocalBranches::new(database.address());
    let made = provider.create(&new_branch(&database.name, "aa")).await.unwrap();
    // Killed at growing distances from its start; whatever it left, the next call ends well.
    let preserve = preserve_name(&database.name, Timestamp::now(), "aa");
    for millis in [20, 60, 100, 140, 180, 220, 300] {
        let _ = tokio::time::timeout(Duration::from_millis(millis), provider.restore(&made, &preserve)).await;
        assert_eq!(database.text("select count(*)::text from poles").await, "100", "after {millis} ms");
    }
    let restored = provider.restore(&made, &preserve).await.unwrap();
    assert_eq!(restored.preserved.as_ref(), Some(&preserve));
    assert_eq!(database.text("select count(*)::text from poles").await, "100");
    let admin = support::admin().await;
    admin.batch_execute(&format!("drop database {} with (force)", quote_identifier(&database.name))).await.unwrap();
    let another = preserve_name(&database.name, Timestamp::now(), "bb");
    assert_eq!(provider.restore(&made, &another).await.unwrap().preserved, None);
    assert_eq!(database.text("select count(*)::text from poles").await, "100");
    support::drop_restore_points(&database).await;
}

#[tokio::test]
async fn a_role_that_may_not_copy_is_told_what_to_grant() {
    let database = support::database("denied_copy").await;
    let role = database.name.replace("denied_copy", "role");
    database.execute(&format!("create role {role} login")).await;
    let url = database.url.expose().replace("postgres://postgres@", &format!("postgres://{role}@"));
    let address = liftlock::services::postgres::Address::parse(&liftlock::secret::Secret::new(url)).unwrap();
    let provider = LocalBranches::new(address);
    for (grant, expected) in [("select 1", "createdb"), (&format!("alter role {role} createdb"), "owner to")] {
        database.execute(grant).await;
        let answer = provider.create(&new_branch(&database.name, "aa")).await;
        let Err(BranchError::Permission { grant, .. }) = answer else { panic!("{answer:?}") };
        assert!(grant.contains(expected), "{grant}");
    }
    database.execute(&format!("drop role {role}")).await;
}
