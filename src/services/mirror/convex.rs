//! A Convex deployment as the mirror, through the functions that `liftlock convex init` writes into the app; what
//! they promise is said at the top of `sync/functions/sync.ts`.

mod call;
mod failure;
mod key;
mod pace;
mod preflight;
mod wire;

pub use call::{Deployment, Kind};
pub use failure::ConvexError;
pub use key::KeyKind;
pub use pace::Class;
pub use preflight::preflight;
pub use wire::{HeldDocument, Hello};

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::OnceCell, time};
use uuid::Uuid;

use self::{
    failure::Refusal,
    pace::Pace,
    wire::{
        Asking, AskingRange, AskingTable, DigestPage, DocumentsPage, Known, Proposing, ScanPage, State, WriteReceipt,
        Written, number_of, read,
    },
};
use super::{
    Batch, Digest, Evidence, Held, Identity, KeyRange, Limits, Mirror, MirrorError, Page, Receipt, TableState,
};
use crate::config::{Convex, ConvexAuth, ProfileName};

/// What we and the functions say to each other.
pub const PROTOCOL: u32 = 1;

/// Changes in one batch: a transaction looks each key up and patches, which is two of 4,096 index ranges.
const BATCH_ROWS: usize = 2000;

/// <https://docs.convex.dev/production/state/limits>, system fields included.
const DOCUMENT_BYTES: usize = 1024 * 1024;

/// <https://docs.convex.dev/production/state/limits>: 1,024 with `neon` and the system fields.
const FIELDS: usize = 1021;

/// Documents that one query reads at a time: it may read 16 MiB and take a second.
const PAGE: usize = 4000;

/// A deployment with our functions in it.
#[derive(Debug)]
pub struct ConvexMirror {
    deployment: Deployment,
    hello: OnceCell<Hello>,
    pace: Mutex<Pace>,
    under_way: AtomicUsize,
    page: AtomicUsize,
    began: Instant,
}

impl ConvexMirror {
    /// Without a call. A deploy key that is not meant for an environment of this profile is refused.
    pub fn open(settings: &Convex, profile: ProfileName) -> Result<Self, MirrorError> {
        if let ConvexAuth::DeployKey(key) = &settings.auth {
            KeyKind::of(key).assert_suits(profile)?;
        }
        Ok(Self {
            deployment: Deployment::of(settings),
            hello: OnceCell::new(),
            pace: Mutex::new(Pace::of(Class::S16)),
            under_way: AtomicUsize::new(0),
            page: AtomicUsize::new(PAGE),
            began: Instant::now(),
        })
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What the deployed functions say of themselves; asked once.
    pub async fn hello(&self) -> Result<&Hello, MirrorError> {
        let ask = async || -> Result<Hello, MirrorError> {
            let hello: Hello = self.query("version", "", &Asking { auth_key: self.deployment.shared_key() }).await?;
            if hello.protocol != u64::from(PROTOCOL) {
                return Err(ConvexError::VersionMismatch.into());
            }
            *self.pace() = Pace::of(Class::named(hello.class.as_deref()));
            Ok(hello)
        };
        self.hello.get_or_try_init(ask).await
    }

    /// The table's name in Convex.
    async fn name_of(&self, table: &str) -> Result<&str, MirrorError> {
        let known = self.hello().await?.tables.iter().find(|it| it.source == table);
        let unknown = || ConvexError::NoTable { table: table.to_owned() };
        Ok(&known.ok_or_else(unknown)?.table)
    }

    /// Live and deleted documents of a page in key order, with `fields` of each as Convex encodes them.
    pub async fn documents(
        &self,
        table: &str,
        range: &KeyRange,
        fields: &[String],
    ) -> Result<Page<Vec<HeldDocument>>, MirrorError> {
        let page: DocumentsPage = self.page("documents", table, range, Some(fields)).await?;
        Ok(Page { of: page.documents, through: page.next })
    }

    /// Reads one page, and a shorter one when it was too much.
    async fn page<T: DeserializeOwned>(
        &self,
        function: &str,
        table: &str,
        range: &KeyRange,
        fields: Option<&[String]>,
    ) -> Result<T, MirrorError> {
        let name = self.name_of(table).await?;
        loop {
            let limit = self.page.load(Ordering::Relaxed);
            let asking = AskingRange {
                table: name,
                after: range.after.as_deref(),
                through: range.through.as_deref(),
                limit,
                fields,
                auth_key: self.deployment.shared_key(),
            };
            match self.query(function, table, &asking).await {
                Err(MirrorError::Convex(ConvexError::TooLarge { .. } | ConvexError::Failed { code: None, .. }))
                    if limit > 1 =>
                {
                    // Another table may have found out meanwhile.
                    self.page.fetch_min(limit / 2, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
    }

    async fn query<T: DeserializeOwned>(
        &self,
        function: &str,
        table: &str,
        args: &impl Serialize,
    ) -> Result<T, MirrorError> {
        Ok(read(self.deployment.call(Kind::Query, function, table, args).await?)?)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("nobody panics with the bucket in hand")
    }

    /// Waits until a write of so many bytes may go.
    async fn admitted(&self, bytes: usize) -> UnderWay<'_> {
        let wait = self.pace().take(bytes, self.began.elapsed());
        time::sleep(wait).await;
        while self.under_way.load(Ordering::Relaxed) >= self.pace().at_a_time() {
            time::sleep(Duration::from_millis(20)).await;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }
}

/// Counts a call as under way for as long as it lives.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Mirror for ConvexMirror {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        let hello = self.hello().await?;
        let id = match &hello.id {
            Some(id) => id.clone(),
            None => {
                let propose = Uuid::new_v4().to_string();
                let asking = Proposing { propose: &propose, auth_key: self.deployment.shared_key() };
                let known: Known = read(self.deployment.call(Kind::Mutation, "describe", "", &asking).await?)?;
                known.id
            }
        };
        let tables = Class::named(hello.class.as_deref()).batches_at_a_time();
        let limits =
            Limits { batch_rows: BATCH_ROWS, document_bytes: Some(DOCUMENT_BYTES), fields: Some(FIELDS), tables };
        let notice = self.deployment.deprecation().map(str::to_owned);
        Ok(Identity { id, place: self.deployment.place().to_owned(), limits, evidence: Evidence::Stamps, notice })
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        let name = self.name_of(table).await?;
        let asking = AskingTable { table: name, auth_key: self.deployment.shared_key() };
        let state: Option<State> = self.query("table", table, &asking).await?;
        let Some((state, last)) = state.and_then(|mut it| it.last.take().map(|last| (it, last))) else {
            return Ok(None);
        };
        let last = Receipt {
            table: state.id.clone(),
            run: last.run,
            number: last.number,
            tally: last.tally.into(),
            through: last.through,
            replayed: true,
        };
        Ok(Some(TableState { id: state.id, mapping: state.mapping, fence: state.fence, last, live: state.live }))
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        let name = self.name_of(&batch.table).await?;
        let written = Written::of(batch, name, self.deployment.shared_key());
        let under_way = self.admitted(written.bytes).await;
        let answer = self.deployment.call(Kind::Mutation, "upsertBatch", &batch.table, &written.args).await;
        drop(under_way);
        let receipt: WriteReceipt = match answer {
            Ok(value) => read(value)?,
            Err(error) => {
                if error.is_pressure() {
                    self.pace().slow(self.began.elapsed());
                }
                return Err(of_batch(error, batch, &written.rows_at));
            }
        };
        let mut pace = self.pace();
        if let Some(metrics) = receipt.metrics {
            pace.correct(written.bytes, metrics.bytes_written);
        }
        pace.recover(self.began.elapsed());
        Ok(Receipt {
            table: receipt.table,
            run: batch.run,
            number: batch.number,
            tally: receipt.tally.into(),
            through: receipt.through,
            replayed: receipt.replayed,
        })
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        let page: ScanPage = self.page("scan", table, range, None).await?;
        let held = page.rows.into_iter().map(|it| Ok(Held { hash: number_of(&it.hash)?, key: it.key }));
        Ok(Page { of: held.collect::<Result<_, ConvexError>>()?, through: page.next })
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        let page: DigestPage = self.page("digest", table, range, None).await?;
        let digest = Digest { live: page.live, deleted: page.deleted, hashes: number_of(&page.hashes)? };
        Ok(Page { of: digest, through: page.next })
    }
}

/// A refusal of a batch as every mirror tells it. `rows_at` are the places of the batch's rows among its changes.
fn of_batch(error: ConvexError, batch: &Batch, rows_at: &[usize]) -> MirrorError {
    let (table, number) = (batch.table.clone(), batch.number);
    match error {
        ConvexError::TooLarge { limit } => MirrorError::TooLarge { table, number, reason: limit },
        ConvexError::Refused(Refusal::StaleRun) => MirrorError::StaleRun { table },
        ConvexError::Refused(Refusal::BatchMismatch) => MirrorError::BatchMismatch { table, number },
        ConvexError::Refused(Refusal::Unsorted) => MirrorError::Unsorted { table, number },
        ConvexError::Refused(Refusal::Row { position, reason }) => {
            MirrorError::RowRefused { table, position: rows_at.get(position).copied().unwrap_or(usize::MAX), reason }
        }
        other => other.into(),
    }
}
