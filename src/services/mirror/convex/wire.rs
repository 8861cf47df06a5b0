//! What goes over the wire: arguments of the functions and their answers, as `sync/functions/sync.ts` has them.
//! Arguments are strict; of answers, what is not needed may be missing and what is not known is ignored.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use super::{PROTOCOL, failure::ConvexError};
use crate::services::mirror::{Action, Batch, Mapping, Tally};

/// Ours in a batch beyond its documents.
const ENVELOPE: usize = 512;

/// What the deployed functions say of themselves.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    #[serde(deserialize_with = "whole")]
    pub protocol: u64,
    /// The liftlock that wrote them.
    #[serde(default)]
    pub liftlock: Option<String>,
    pub tables: Vec<KnownTable>,
    /// The mirror's identity; `None` before the first sync.
    #[serde(default)]
    pub id: Option<String>,
    /// The deployment's class, where Convex tells it.
    #[serde(default)]
    pub class: Option<String>,
}

/// A mirrored table.
#[derive(Debug, Clone, Deserialize)]
pub struct KnownTable {
    /// In Convex.
    pub table: String,
    /// At the source.
    pub source: String,
}

/// A batch as `upsertBatch` takes it.
pub(super) struct Written<'a> {
    pub args: Writing<'a>,
    /// As Convex counts, without indexes.
    pub bytes: usize,
    pub rows_at: Vec<usize>,
}

impl<'a> Written<'a> {
    pub fn of(batch: &'a Batch, name: &'a str, auth_key: Option<&'a str>) -> Self {
        let mut args = Writing {
            protocol: PROTOCOL,
            table: name,
            run: batch.run.to_string(),
            number: batch.number,
            content: batch.content(),
            fence: batch.fence,
            mapping: &batch.mapping,
            unset: &batch.unset,
            rows: Vec::with_capacity(batch.changes.len()),
            soft_delete: Vec::new(),
            hard_delete: Vec::new(),
            now: &batch.now,
            auth_key,
        };
        let mut bytes = ENVELOPE;
        let mut rows_at = Vec::with_capacity(batch.changes.len());
        for (at, change) in batch.changes.iter().enumerate() {
            bytes += change.key.len() + ENVELOPE / 4;
            match &change.action {
                Action::Put { hash, document, size } => {
                    bytes += size;
                    rows_at.push(at);
                    let doc = serde_json::from_str(document).expect("documents are written as JSON");
                    args.rows.push(WritingRow { key: &change.key, hash: format!("{hash:016x}"), doc });
                }
                Action::MarkDeleted => args.soft_delete.push(&change.key),
                Action::Delete => args.hard_delete.push(&change.key),
            }
        }
        Self { args, bytes, rows_at }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Writing<'a> {
    pub protocol: u32,
    pub table: &'a str,
    pub run: String,
    pub number: u64,
    pub content: String,
    pub fence: u64,
    pub mapping: &'a Mapping,
    pub unset: &'a [String],
    pub rows: Vec<WritingRow<'a>>,
    pub soft_delete: Vec<&'a str>,
    pub hard_delete: Vec<&'a str>,
    pub now: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_key: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct WritingRow<'a> {
    pub key: &'a str,
    pub hash: String,
    pub doc: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asking<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AskingTable<'a> {
    pub table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proposing<'a> {
    pub propose: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AskingRange<'a> {
    pub table: &'a str,
    pub after: Option<&'a str>,
    pub through: Option<&'a str>,
    pub limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_key: Option<&'a str>,
}

#[derive(Deserialize)]
pub(super) struct Known {
    pub id: String,
}

#[derive(Deserialize)]
pub(super) struct State {
    pub id: String,
    pub mapping: Mapping,
    #[serde(deserialize_with = "whole")]
    pub fence: u64,
    #[serde(default)]
    pub last: Option<LastBatch>,
    #[serde(deserialize_with = "whole")]
    pub live: u64,
}

#[derive(Deserialize)]
pub(super) struct LastBatch {
    pub run: Uuid,
    #[serde(deserialize_with = "whole")]
    pub number: u64,
    pub tally: Counted,
    pub through: String,
}

#[derive(Deserialize)]
pub(super) struct WriteReceipt {
    pub table: String,
    pub tally: Counted,
    pub through: String,
    pub replayed: bool,
    #[serde(default)]
    pub metrics: Option<Metrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metrics {
    #[serde(deserialize_with = "whole_size")]
    pub bytes_written: usize,
}

/// A tally in Convex's numbers.
#[derive(Deserialize)]
pub(super) struct Counted {
    #[serde(deserialize_with = "whole")]
    pub inserted: u64,
    #[serde(deserialize_with = "whole")]
    pub updated: u64,
    #[serde(deserialize_with = "whole")]
    pub unchanged: u64,
    #[serde(deserialize_with = "whole")]
    pub deleted: u64,
    #[serde(deserialize_with = "whole")]
    pub revived: u64,
}

impl From<Counted> for Tally {
    fn from(it: Counted) -> Self {
        let Counted { inserted, updated, unchanged, deleted, revived } = it;
        Self { inserted, updated, unchanged, deleted, revived }
    }
}

#[derive(Deserialize)]
pub(super) struct ScanPage {
    pub rows: Vec<ScanRow>,
    #[serde(default)]
    pub next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ScanRow {
    pub key: String,
    pub hash: String,
}

#[derive(Deserialize)]
pub(super) struct DigestPage {
    #[serde(deserialize_with = "whole")]
    pub live: u64,
    #[serde(deserialize_with = "whole")]
    pub deleted: u64,
    pub hashes: String,
    #[serde(default)]
    pub next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DocumentsPage {
    pub documents: Vec<HeldDocument>,
    #[serde(default)]
    pub next: Option<String>,
}

/// A document with its values as Convex encodes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldDocument {
    pub key: String,
    pub hash: String,
    #[serde(default)]
    pub deleted_at: Option<String>,
    pub doc: Value,
}

/// Convex's numbers are doubles: `3`, and in some versions `3.0`.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    match number >= 0.0 && number.fract() == 0.0 && number < 2_f64.powi(53) {
        true => Ok(number as u64),
        false => Err(D::Error::custom("not a whole number")),
    }
}

fn whole_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    whole(deserializer).map(|it| usize::try_from(it).unwrap_or(usize::MAX))
}

pub(super) fn number_of(hash: &str) -> Result<u64, ConvexError> {
    u64::from_str_radix(hash, 16)
        .map_err(|_| ConvexError::Unreadable { reason: "a hash is not hexadecimal".to_owned() })
}

/// The kind of trouble and no more: serde's message may quote a value.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, ConvexError> {
    serde_json::from_value(value).map_err(|reason| {
        let place = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default().trim_end_matches('>');
        ConvexError::Unreadable { reason: format!("{place}, {:?}", reason.classify()) }
    })
}
