//! `sync` from a real Postgres into real Convex functions behind Convex's HTTP API: what arrives, what is written again,
//! what is done about every kind of failure. How fast this is says nothing about Convex.

mod faults;
mod fibre;
mod live;
mod promotion;
mod refusals;
mod values;

use std::collections::BTreeMap;

use liftlock::{
    config::{Convex, ConvexAuth, Deletes, ProfileName, Verify},
    report::SyncReport,
    secret::Secret,
    services::mirror::{
        Batch, ConvexMirror, Digest, Held, Identity, KeyRange, Mirror, MirrorError, Page, Receipt, TableState,
    },
    sync::{self, Request, SyncError, functions},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    support::{
        self, TestDatabase,
        convex::{DEPLOY_KEY, Harness},
    },
    sync::{Notices, only, outcome, reader::assert_documents},
};

/// A database, a deployment, and how to sync one into the other.
struct Setting {
    database: TestDatabase,
    harness: Harness,
    request: Request,
    notices: Notices,
}

impl Setting {
    /// `tables` are the mirrored ones, named as at the source.
    async fn new(test: &str, sql: &str, tables: &[&str]) -> Self {
        let database = support::database(test).await;
        database.execute(sql).await;
        let harness = Harness::start(tables);
        // Only those tests that are about the rate are held back.
        harness.configure(json!({ "writeRate": 1 << 30 })).await;
        let request = Request {
            environment: "production".to_owned(),
            database: database.url.clone(),
            tables: Vec::new(),
            batch_rows: 10,
            deletes: Deletes::Soft,
            verify: Verify::Digest,
            foreign: sync::Foreign::Refuse,
            patience: sync::PATIENCE,
        };
        Self { database, harness, request, notices: Notices::default() }
    }

    fn settings(&self) -> Convex {
        let auth = ConvexAuth::DeployKey(Secret::new(DEPLOY_KEY));
        Convex { url: self.harness.url.clone(), auth, functions: "liftlock/sync".to_owned() }
    }

    fn open(&self) -> ConvexMirror {
        ConvexMirror::open(&self.settings(), ProfileName::Production).unwrap()
    }

    async fn carry(&self, mirror: &impl Mirror) -> Result<SyncReport, SyncError> {
        sync::run(&self.request, mirror, &self.notices, &CancellationToken::new()).await
    }

    async fn sync(&self) -> SyncReport {
        self.carry(&self.open()).await.unwrap()
    }

    /// What the last syncs had to say, once.
    fn notices(&self) -> String {
        self.notices.all().drain(..).collect::<Vec<_>>().join("\n")
    }

    /// Documents of the mirrored table by key, deleted ones included.
    async fn documents(&self, source: &str) -> BTreeMap<String, Value> {
        let documents = self.harness.documents(&functions::table_name(source)).await;
        let key = |it: &Value| it["neon"]["key"].as_str().unwrap().to_owned();
        let by_key: BTreeMap<String, Value> = documents.iter().map(|it| (key(it), it.clone())).collect();
        assert_eq!(by_key.len(), documents.len(), "no key is there twice");
        by_key
    }

    /// The live documents of a table are exactly its rows, value by value.
    async fn assert_equal(&self, table: &str, columns: &[(impl AsRef<str>, impl AsRef<str>, impl AsRef<str>)]) {
        let documents = self.documents(table).await.into_values();
        let live: Vec<Value> = documents.filter(|it| it["neon"]["deletedAt"].is_null()).collect();
        assert_documents(&self.database, &live, table, columns).await;
    }

    /// The same for every column that the catalog has.
    async fn assert_all_equal(&self, tables: &[&str]) {
        let session = self.database.session().await;
        for table in tables {
            let sql = "select attname::text, format_type(atttypid, atttypmod) from pg_attribute
                where attrelid = $1::text::regclass and attnum > 0 and not attisdropped";
            let columns = session.query(sql, &[table]).await.unwrap();
            let column = |name: String, kind: String| match kind.as_str() {
                // A JSON null and SQL's are one in the mirror.
                "jsonb" => (name.clone(), format!("nullif({name}::text, 'null')"), kind),
                _ => (name.clone(), name, kind),
            };
            let columns: Vec<_> = columns.iter().map(|it| column(it.get(0), it.get(1))).collect();
            self.assert_equal(table, &columns).await;
        }
        session.close().await;
    }

    /// Documents written so far, by table in Convex.
    async fn written(&self) -> Value {
        self.harness.statistics().await["written"].clone()
    }
}

/// An error as people see it, without the folds of its lines.
fn unfolded(error: SyncError) -> String {
    let told = format!("{:?}", miette::Report::new(error));
    told.split_whitespace().filter(|it| *it != "│").collect::<Vec<_>>().join(" ")
}

/// The sums over all tables.
fn outcomes(report: &SyncReport) -> [u64; 6] {
    report.tables.iter().map(outcome).fold([0; 6], |sum, it| std::array::from_fn(|at| sum[at] + it[at]))
}

/// A mirror that keeps what was written to it.
struct Recording<'a, M> {
    inner: &'a M,
    batches: Mutex<Vec<Batch>>,
}

impl<'a, M> Recording<'a, M> {
    fn of(inner: &'a M) -> Self {
        Self { inner, batches: Mutex::default() }
    }
}

impl<M: Mirror> Mirror for Recording<'_, M> {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        self.inner.describe().await
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        self.inner.table(table).await
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        let receipt = self.inner.write(batch).await?;
        self.batches.lock().await.push(batch.clone());
        Ok(receipt)
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        self.inner.scan(table, range).await
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        self.inner.digest(table, range).await
    }
}
