//! The mirror: where tables are carried to. `Mirror` says what sync needs of one; `ConvexMirror` is a Convex
//! deployment, `LocalMirror` a folder of JSON lines.
//!
//! A mirrored row is one document: the row's columns under their field names, whatever fields the destination
//! added for itself, and one nested object `neon` with `key`, `hash` and `deletedAt`. Writing a document sets our
//! fields and leaves the destination's alone.

mod any;
pub mod convex;
mod local;
mod manifest;
mod segment;

pub use any::{AnyMirror, open, place};
pub use convex::{ConvexError, ConvexMirror};
pub use local::LocalMirror;

use std::{borrow::Cow, error, io};

use camino::Utf8PathBuf;
use data_encoding::HEXLOWER;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::exit::Exit;

/// Where rows are carried to. One writer per table at a time; reads show what was acknowledged.
///
/// Each call is tried once. What to do after a failure is in the error: [`MirrorError::remedy`].
#[expect(async_fn_in_trait, reason = "callers are generic and run on one runtime")]
pub trait Mirror {
    /// Which mirror this is. The identity stays with the data: moving the mirror keeps it, replacing changes it.
    async fn describe(&self) -> Result<Identity, MirrorError>;

    /// What is known about a table without reading it; `None` when nothing was ever written to it.
    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError>;

    /// Makes all changes of a batch, or none. Once this returns they are durable. A batch that was written
    /// before, by run and number, changes nothing and gets its first receipt again. An older run than the last
    /// one is refused.
    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError>;

    /// Live documents at the beginning of a range, in key order, with their hashes; as many as the mirror likes to
    /// read at a time.
    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError>;

    /// Counts and folded hashes of the documents at the beginning of a range; of as many as the mirror likes to
    /// read at a time.
    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError>;
}

/// Which mirror it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    /// Where it is, for people.
    pub place: String,
    pub limits: Limits,
    pub evidence: Evidence,
    /// What it has to say to people.
    pub notice: Option<String>,
}

/// How much a mirror takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Changes in one batch. A batch may still prove too large: [`Remedy::Smaller`].
    pub batch_rows: usize,
    /// The largest document, in bytes as Convex counts them; `None`: any.
    pub document_bytes: Option<usize>,
    /// Fields of ours in a document; `None`: any number.
    pub fields: Option<usize>,
    /// Tables that may be written at the same time.
    pub tables: usize,
}

/// What hashes that a mirror answers with are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// What the documents hold now.
    Contents,
    /// The hashes that were written with the documents: a field that somebody else changed since is not seen.
    Stamps,
}

/// The beginning of an answer that may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub of: T,
    /// Up to and with this key; `None`: to the end of the range.
    pub through: Option<String>,
}

/// How rows became documents: a change of mapping makes every row a changed row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub version: String,
    /// Our fields, in document order.
    pub fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// Changes when the table is made anew.
    pub id: String,
    pub mapping: Mapping,
    /// The highest fence seen.
    pub fence: u64,
    /// The last batch written.
    pub last: Receipt,
    /// Live documents, as the batches have counted them.
    pub live: u64,
}

/// Changes to one table, at least one, in key order, each key once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub table: String,
    pub run: Uuid,
    /// From 1 within the run.
    pub number: u64,
    /// Grows with every start of a run on this table: a batch with a lower one comes from a run that was given up.
    pub fence: u64,
    pub mapping: Mapping,
    /// Fields of columns that are gone: removed from the documents put.
    pub unset: Vec<String>,
    pub changes: Vec<Change>,
    /// RFC 3339; what `deletedAt` becomes.
    pub now: String,
}

impl Batch {
    /// What tells it from another batch of the same run and number.
    pub fn content(&self) -> String {
        let mut hasher = Sha256::new();
        for change in &self.changes {
            hasher.update(change.key.as_bytes());
            match &change.action {
                Action::Put { hash, .. } => {
                    hasher.update(b"\nput ");
                    hasher.update(hash.to_be_bytes());
                }
                Action::MarkDeleted => hasher.update(b"\nmark"),
                Action::Delete => hasher.update(b"\ndelete"),
            }
        }
        hasher.update(document_hash(&self.mapping.version, "", "").to_be_bytes());
        HEXLOWER.encode(&hasher.finalize()[..16])
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Insert, update or revive. `document` is a JSON object of our fields in mapping order, compact.
    /// `size` is that of its values in bytes, as Convex counts them.
    Put { hash: u64, document: String, size: usize },
    /// Keep the document and set its `deletedAt`.
    MarkDeleted,
    /// Remove the document, the destination's own fields with it.
    Delete,
}

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub inserted: u64,
    pub updated: u64,
    /// Puts of what was there already.
    pub unchanged: u64,
    /// Removals of what was live.
    pub deleted: u64,
    /// Puts of what was marked as deleted.
    pub revived: u64,
}

/// The mirror's word that a batch is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The table's identity.
    pub table: String,
    pub run: Uuid,
    pub number: u64,
    pub tally: Tally,
    /// The batch's last key.
    pub through: String,
    /// The batch was there before.
    pub replayed: bool,
}

/// A live document's key and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub key: String,
    pub hash: u64,
}

/// Keys above `after`, up to and with `through`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    pub after: Option<String>,
    pub through: Option<String>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self::default()
    }

    pub fn contains(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key > after) && !self.ends_before(key)
    }

    /// Whether `key` and all above it are outside.
    pub fn ends_before(&self, key: &str) -> bool {
        self.through.as_deref().is_some_and(|through| key > through)
    }
}

/// Equal for equal sets of live documents: their number and their hashes folded by exclusive or. The hashes are
/// cryptographic and hold the key, so swapped or doubled values do not cancel out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    pub live: u64,
    /// Documents marked as deleted; not part of `hashes`.
    pub deleted: u64,
    pub hashes: u64,
}

impl Digest {
    pub fn add(&mut self, hash: u64) {
        self.live += 1;
        self.hashes ^= hash;
    }

    /// Takes back what was added.
    pub fn remove(&mut self, hash: u64) {
        self.live -= 1;
        self.hashes ^= hash;
    }

    /// Both together.
    pub fn with(self, other: Self) -> Self {
        Self { live: self.live + other.live, deleted: self.deleted + other.deleted, hashes: self.hashes ^ other.hashes }
    }
}

/// The hash that `neon.hash` holds: 64 bits of SHA-256 over mapping version, key and document.
pub fn document_hash(mapping: &str, key: &str, document: &str) -> u64 {
    let mut hasher = Sha256::new();
    for part in [mapping, "\n", key, "\n", document] {
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let first = digest.first_chunk::<8>().expect("SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Why a mirror did not do what was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum MirrorError {
    #[error("another sync is writing to `{place}`")]
    #[diagnostic(code(mirror::busy), help("wait until it is done, then run the same command again"))]
    Busy { place: String },
    #[error("cannot {action} `{path}`")]
    #[diagnostic(code(mirror::inaccessible), help("{}", advice(source)))]
    Inaccessible { action: &'static str, path: Utf8PathBuf, source: io::Error },
    #[error("`{file}` line {line}: {reason}")]
    #[diagnostic(
        code(mirror::corrupt),
        help("put the line right, or delete the table's folder: the next `liftlock sync` writes it anew")
    )]
    Corrupt { file: Utf8PathBuf, line: u64, reason: Cow<'static, str> },
    #[error("`{file}` is missing")]
    #[diagnostic(
        code(mirror::missing),
        help("restore it, or delete the table's folder: the next `liftlock sync` writes it anew")
    )]
    Missing { file: Utf8PathBuf },
    #[error("`{file}` is not a manifest that this version reads: {reason}")]
    #[diagnostic(
        code(mirror::bad_manifest),
        help("restore it, or delete the folder that it is in: the next `liftlock sync` writes it anew")
    )]
    BadManifest { file: Utf8PathBuf, reason: String },
    #[error("a newer sync has written to `{table}` since this one started")]
    #[diagnostic(code(mirror::stale_run), help("nothing was overwritten; run `liftlock sync` again"))]
    StaleRun { table: String },
    #[error("batch {number} of `{table}` was written before with other content")]
    #[diagnostic(
        code(mirror::batch_mismatch),
        help("nothing was overwritten; run `liftlock sync` again, and report it if it comes back")
    )]
    BatchMismatch { table: String, number: u64 },
    #[error("batch {number} of `{table}` is not in key order")]
    #[diagnostic(code(mirror::unsorted), help("this is a defect in liftlock; please report it"))]
    Unsorted { table: String, number: u64 },
    /// Not written; nor would it be the next time.
    #[error("batch {number} of `{table}` is too much at once: {reason}")]
    #[diagnostic(code(mirror::too_large), help("set a smaller `sync.batch_rows`"))]
    TooLarge { table: String, number: u64, reason: String },
    /// Nothing was written; without this change the batch would be.
    #[error("a row of `{table}` is not taken: {reason}")]
    #[diagnostic(code(mirror::row_refused), help("see the table's own lines in the report"))]
    RowRefused { table: String, position: usize, reason: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Convex(#[from] ConvexError),
    /// Nobody knows whether the batch was written; sending it again is safe.
    #[error("the mirror did not answer")]
    #[diagnostic(code(mirror::unanswered), help("run the same command again: it continues where it stopped"))]
    Unanswered { source: Box<dyn error::Error + Send + Sync> },
}

impl MirrorError {
    /// The message and what to do about it, for where errors are lines of a list.
    pub fn explained(&self) -> (String, Option<String>) {
        (self.to_string(), self.help().map(|it| it.to_string()))
    }

    /// The number that the process leaves with, when nothing was written before.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Busy { .. }
            | Self::Inaccessible { .. }
            | Self::Corrupt { .. }
            | Self::Missing { .. }
            | Self::BadManifest { .. }
            | Self::StaleRun { .. }
            | Self::BatchMismatch { .. }
            | Self::Unsorted { .. }
            | Self::TooLarge { .. }
            | Self::RowRefused { .. }
            | Self::Unanswered { .. } => Exit::Service,
            Self::Convex(error) => error.exit(),
        }
    }

    /// What may help.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unanswered { .. } => Remedy::Again,
            Self::TooLarge { .. } => Remedy::Smaller,
            Self::Convex(error) => error.remedy(),
            Self::RowRefused { position, .. } => Remedy::Without(*position),
            Self::Busy { .. }
            | Self::Inaccessible { .. }
            | Self::Corrupt { .. }
            | Self::Missing { .. }
            | Self::BadManifest { .. }
            | Self::StaleRun { .. }
            | Self::BatchMismatch { .. }
            | Self::Unsorted { .. } => Remedy::None,
        }
    }
}

/// What may help after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same call, after a while: a batch with the same run, number and content.
    Again,
    /// The same, but it hardly helps when it did not help the first few times.
    AgainBriefly,
    /// Fewer changes in the batch: this one was not written and never will be.
    Smaller,
    /// Fewer changes, perhaps; when one alone fails too, nothing.
    PerhapsSmaller,
    /// The batch without this change, counted from 0.
    Without(usize),
    /// Nothing but a change by somebody: of a key, a setting, the deployment, our code.
    None,
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room on that disk and run the same command again: it continues where it stopped"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let this user write there, or set `sync.to.folder` to a folder that it may write to"
        }
        _ => "put it right and run the same command again: what is in the mirror stays",
    }
}
