//! The functions that receive a sync, run as they are by Convex's own test runtime behind Convex's HTTP API.

mod app;
mod doors;
mod reading;
mod server;
mod writing;

use serde_json::{Value, json};

use crate::support::convex::{Answer, Harness};

/// A batch of `customers`: fence 1, mapping 1, nothing in it yet.
fn batch(number: u64) -> Value {
    json!({
        "protocol": 1,
        "table": "customers",
        "run": "00000000-0000-0000-0000-000000000007",
        "number": number,
        "content": format!("content of {number}"),
        "fence": 1,
        "mapping": { "version": "1", "fields": ["id", "name"] },
        "unset": [],
        "rows": [],
        "softDelete": [],
        "hardDelete": [],
        "now": "2026-01-01T00:00:00Z",
    })
}

/// `value` with the fields of `changes` in it.
fn with(mut value: Value, changes: Value) -> Value {
    for (field, change) in changes.as_object().unwrap() {
        value[field] = change.clone();
    }
    value
}

/// A row whose hash is the hash's number.
fn row(key: &str, hash: u64, doc: Value) -> Value {
    json!({ "key": key, "hash": format!("{hash:016x}"), "doc": doc })
}

async fn upsert(harness: &Harness, batch: Value) -> Answer {
    harness.call("mutation", "upsertBatch", batch).await.unwrap()
}

async fn query(harness: &Harness, function: &str, args: Value) -> Value {
    harness.call("query", function, args).await.unwrap().value()
}

/// Inserted, updated, unchanged, deleted, revived.
#[track_caller]
fn tally(receipt: &Value) -> [u64; 5] {
    ["inserted", "updated", "unchanged", "deleted", "revived"].map(|it| receipt["tally"][it].as_u64().unwrap())
}

/// The whole table in one page.
fn all(table: &str) -> Value {
    json!({ "table": table, "after": null, "through": null, "limit": 8000 })
}

/// The document with this key, without what Convex adds.
async fn document(harness: &Harness, key: &str) -> Value {
    let found = harness.documents("customers").await;
    let mut document = found.into_iter().find(|it| it["neon"]["key"] == key).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|field, _| !field.starts_with('_'));
    }
    document
}
