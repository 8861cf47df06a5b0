//! The same end, whenever a sync is killed.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use liftlock::services::mirror::{
    Batch, Digest, Held, Identity, KeyRange, Mirror, MirrorError, Page, Receipt, TableState,
};

use super::{NUMBERS, Setting, TempDir, only, outcome};
use crate::support;

/// A mirror whose `write` fails at one call: before it has an effect, or after.
struct Failing<'a, M> {
    inner: &'a M,
    writes: AtomicU64,
    at: u64,
    moment: Moment,
    failure: fn() -> MirrorError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// A mirror during one write of which the database ends every session of the sync.
struct Cutting<'a, M> {
    inner: &'a M,
    setting: &'a Setting,
    writes: AtomicU64,
    at: u64,
}

/// As good as a kill: nobody tries again.
fn killed() -> MirrorError {
    MirrorError::Inaccessible { action: "write", path: "mirror".into(), source: std::io::ErrorKind::StorageFull.into() }
}

fn unanswered() -> MirrorError {
    MirrorError::Unanswered { source: "timed out".into() }
}

impl<M: Mirror> Mirror for Failing<'_, M> {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        self.inner.describe().await
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        self.inner.table(table).await
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        let is_hit = self.writes.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
        if is_hit && self.moment == Moment::Before {
            return Err((self.failure)());
        }
        let receipt = self.inner.write(batch).await?;
        if is_hit { Err((self.failure)()) } else { Ok(receipt) }
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        self.inner.scan(table, range).await
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        self.inner.digest(table, range).await
    }
}

impl<M: Mirror> Mirror for Cutting<'_, M> {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        self.inner.describe().await
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        self.inner.table(table).await
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            let cut = "select count(pg_terminate_backend(pid))::text from pg_stat_activity
                where application_name = 'liftlock sync' and datname = current_database()";
            assert_eq!(self.setting.database.text(cut).await, "2");
        }
        self.inner.write(batch).await
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        self.inner.scan(table, range).await
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        self.inner.digest(table, range).await
    }
}

const BATCHES: u64 = 10;

#[tokio::test]
async fn a_database_that_goes_away_stops_the_sync_with_4_and_loses_nothing() {
    let setting = Setting::new("a_database_that_goes_away", NUMBERS).await;
    let mirror = setting.open();
    let cutting = Cutting { inner: &mirror, setting: &setting, writes: AtomicU64::new(0), at: 4 };
    let error = setting.carry(&cutting).await.unwrap_err();
    assert_eq!(error.exit(), liftlock::exit::Exit::Half, "{error:?}");
    assert_eq!(error.to_string(), "the sync stopped half-way: 0 of 1 tables are done, and 40 rows of `numbers`");
    let synced = only(setting.carry(&mirror).await.unwrap());
    assert_eq!((outcome(&synced), synced.resumed), ([100, 100, 100, 0, 0, 0], true));
    drop(mirror);
    setting.assert_numbers().await;
}

/// The process itself, by SIGKILL, as late as its work may take.
#[tokio::test]
async fn a_killed_process_leaves_nothing_that_the_next_cannot_finish() {
    let rows = "create table numbers (id int primary key, name text not null);
        insert into numbers select it, repeat('row ', 20) || it from generate_series(1, 4000) it";
    let setting = Setting::new("a_killed_process", rows).await;
    let root = setting.folder.path();
    let yaml = "migrations: migrations\nenvironments:\n  production: { database: \"${DATABASE_URL_PROD}\" }\n\
        sync: { from: production, to: { folder: ./mirror }, batch_rows: 20 }\n";
    fs::write(root.join("liftlock.yml"), yaml).unwrap();
    let sync = || {
        let mut command = support::liftlock();
        command.args(["sync", "--format", "json"]).current_dir(root);
        command.env("DATABASE_URL_PROD", setting.database.url.expose());
        command
    };
    let mut kills = 0;
    for attempt in 0..12 {
        setting.database.execute("update numbers set name = name || '!' where id % 3 = 0").await;
        let mut child = sync().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(50 + attempt * 60));
        kills += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 3, "the syncs were too quick to be killed: {kills}");
    let output = sync().output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report} {}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("\"verified\": true"), "{report}");
    setting.assert_numbers().await;
}

#[tokio::test]
async fn a_sync_killed_at_any_batch_goes_on_and_counts_everything_once() {
    let mut setting = Setting::new("a_sync_killed_at_any_batch", NUMBERS).await;
    for (at, moment) in (1..=BATCHES).flat_map(|at| [(at, Moment::Before), (at, Moment::After)]) {
        setting.folder = TempDir::new().unwrap();
        let mirror = setting.open();
        let failing = Failing { inner: &mirror, writes: AtomicU64::new(0), at, moment, failure: killed };
        let error = setting.carry(&failing).await.unwrap_err();
        assert_eq!(error.exit() as u8, if at == 1 { 3 } else { 4 }, "{at} {moment:?}: {error:?}");
        let synced = only(setting.carry(&mirror).await.unwrap());
        let is_resumed = at > 1 || moment == Moment::After;
        assert_eq!((outcome(&synced), synced.resumed), ([100, 100, 100, 0, 0, 0], is_resumed), "{at} {moment:?}");
        assert_eq!(synced.batches, BATCHES, "{at} {moment:?}");
        drop(mirror);
        setting.assert_numbers().await;
        assert_eq!(setting.notices().contains("goes on after batch"), is_resumed, "{at} {moment:?}");
    }
}

#[tokio::test]
async fn a_source_that_moved_while_the_sync_was_dead_is_caught_up_with() {
    let mut setting = Setting::new("a_source_that_moved", NUMBERS).await;
    for (at, moment) in [2, 5, BATCHES].into_iter().flat_map(|at| [(at, Moment::Before), (at, Moment::After)]) {
        setting
            .database
            .execute("truncate numbers; insert into numbers select it, 'row ' || it from generate_series(1, 100) it")
            .await;
        setting.folder = TempDir::new().unwrap();
        let mirror = setting.open();
        let failing = Failing { inner: &mirror, writes: AtomicU64::new(0), at, moment, failure: killed };
        setting.carry(&failing).await.unwrap_err();
        setting
            .database
            .execute(
                "update numbers set name = 'moved' where id % 7 = 0; delete from numbers where id % 9 = 0;
                insert into numbers values (0, 'new'), (1000, 'new')",
            )
            .await;
        let synced = only(setting.carry(&mirror).await.unwrap());
        assert_eq!((synced.verified, synced.resumed, synced.source_rows), (Some(true), true, 91), "{synced:?}");
        drop(mirror);
        setting.assert_numbers().await;
    }
}

#[tokio::test]
async fn a_mapping_that_changed_while_the_sync_was_dead_is_carried_to_every_row() {
    let setting = Setting::new("a_mapping_that_changed", NUMBERS).await;
    setting.sync().await;
    setting.database.execute("alter table numbers rename column name to title").await;
    let mirror = setting.open();
    for at in [3, 2] {
        let failing = Failing { inner: &mirror, writes: AtomicU64::new(0), at, moment: Moment::After, failure: killed };
        setting.carry(&failing).await.unwrap_err();
    }
    let synced = only(setting.carry(&mirror).await.unwrap());
    assert_eq!((synced.verified, synced.resumed, synced.updated), (Some(true), true, 100), "{synced:?}");
    let documents = super::live(&setting.table("numbers"));
    assert!(documents.values().all(|it| it.get("name").is_none() && it["title"].is_string()));
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_and_counts_once() {
    let mut setting = Setting::new("an_answer_that_is_lost", NUMBERS).await;
    for moment in [Moment::Before, Moment::After] {
        setting.folder = TempDir::new().unwrap();
        let mirror = setting.open();
        let failing = Failing { inner: &mirror, writes: AtomicU64::new(0), at: 4, moment, failure: unanswered };
        let synced = only(setting.carry(&failing).await.unwrap());
        assert_eq!((outcome(&synced), synced.retries), ([100, 100, 100, 0, 0, 0], 1), "{moment:?}");
        assert!(setting.notices().contains("`numbers`, batch 4: the mirror did not answer; asking again in"));
    }
}
