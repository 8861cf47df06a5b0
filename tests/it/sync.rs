//! `sync` on a real Postgres: what arrives in the mirror, what is written again, and that a kill at any moment
//! changes nothing about the end.

use camino::Utf8PathBuf;
use liftlock::{
    config::Deletes,
    report::{SyncReport, TableSync, progress::Quiet},
    services::mirror::LocalMirror,
    sync::{self, Request},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{self, TestDatabase};

/// A database, a folder for the mirror, and how to sync one into the other.
struct Setting {
    database: TestDatabase,
    folder: TempDir,
    request: Request,
}

impl Setting {
    async fn new(test: &str, sql: &str) -> Self {
        let database = support::database(test).await;
        database.execute(sql).await;
        let request = Request {
            environment: "production".to_owned(),
            database: database.url.clone(),
            tables: Vec::new(),
            batch_rows: 10,
            deletes: Deletes::Soft,
        };
        Self { database, folder: TempDir::new().unwrap(), request }
    }

    fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.folder.path().join("mirror")).unwrap()
    }

    async fn sync(&self) -> SyncReport {
        let mirror = LocalMirror::open(&self.path()).unwrap();
        sync::run(&self.request, &mirror, &Quiet, &CancellationToken::new()).await.unwrap()
    }

    async fn sync_table(&self) -> TableSync {
        let report = self.sync().await;
        assert_eq!(report.tables.len(), 1, "{report:?}");
        report.tables.into_iter().next().unwrap()
    }
}

const NUMBERS: &str = "create table numbers (id int primary key, name text not null);
    insert into numbers select it, 'row ' || it from generate_series(1, 100) it;";

#[tokio::test]
async fn only_what_changed_is_written() {
    let setting = Setting::new("only_what_changed_is_written", NUMBERS).await;
    let outcome = |it: &TableSync| (it.source_rows, it.mirror_rows, it.inserted, it.updated, it.unchanged, it.deleted);

    let first = setting.sync_table().await;
    assert_eq!(outcome(&first), (100, 100, 100, 0, 0, 0), "{first:?}");
    assert_eq!((first.verified, first.batches, first.resumed), (Some(true), 10, false), "{first:?}");

    setting.database.execute("update numbers set name = name").await;
    let again = setting.sync_table().await;
    assert_eq!((outcome(&again), again.batches), ((100, 100, 0, 0, 100, 0), 0), "{again:?}");
}
