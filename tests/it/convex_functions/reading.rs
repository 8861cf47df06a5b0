//! Pages, digests, counts: what a sync is verified with.

use serde_json::{Value, json};

use super::{all, batch, query, row, tally, upsert, with};
use crate::support::convex::Harness;

/// Ten customers, of whom every third is marked as deleted, and things of the app's own.
async fn ten() -> Harness {
    let harness = Harness::start(&["customers"]);
    let rows: Vec<Value> =
        (0..10).map(|it| row(&format!("k{it}"), 1 << it, json!({ "id": it, "name": "n" }))).collect();
    upsert(&harness, with(batch(1), json!({ "rows": rows, "softDelete": [] }))).await.value();
    let marked = upsert(&harness, with(batch(2), json!({ "softDelete": ["k0", "k3", "k6", "k9"] }))).await.value();
    assert_eq!(tally(&marked), [0, 0, 0, 4, 0]);
    harness.insert("customers", json!({ "the app's": "own" })).await;
    harness.insert("customers", json!({ "neon": { "key": null } })).await;
    harness.insert("customers", json!({ "neon": { "key": { "$bytes": "AAEC" } } })).await;
    harness
}

fn range(after: Option<&str>, through: Option<&str>, limit: u32) -> Value {
    json!({ "table": "customers", "after": after, "through": through, "limit": limit })
}

/// All pages of a query put together: what `take` takes of each.
async fn pages(
    harness: &Harness,
    function: &str,
    mut args: Value,
    take: fn(&Value) -> Vec<Value>,
) -> (Vec<Value>, u32) {
    let (mut found, mut count) = (Vec::new(), 0);
    loop {
        let page = query(harness, function, args.clone()).await;
        found.extend(take(&page));
        count += 1;
        assert!(count < 100, "pages do not end");
        if page["next"].is_null() {
            return (found, count);
        }
        args["after"] = page["next"].clone();
    }
}

#[tokio::test]
async fn ranges_begin_behind_their_start_and_end_with_their_end() {
    let harness = ten().await;
    for (after, through, live, deleted) in [
        (None, None, "124578", "0369"),
        (Some("k4"), None, "578", "69"),
        (None, Some("k4"), "124", "03"),
        (Some("k1"), Some("k2"), "2", ""),
        (Some("k2"), Some("k3"), "", "3"),
        (Some("k9"), None, "", ""),
        (None, Some("k"), "", ""),
        (Some("k22"), Some("k33"), "", "3"),
        (Some("k5"), Some("k2"), "", ""),
    ] {
        for limit in [1, 2, 3, 10, 100] {
            let asked = range(after, through, limit);
            let told = format!("{after:?} {through:?} {limit}");
            let (rows, count) =
                pages(&harness, "scan", asked.clone(), |it| it["rows"].as_array().unwrap().clone()).await;
            let keys: String = rows.iter().map(|it| it["key"].as_str().unwrap().trim_start_matches('k')).collect();
            assert_eq!(keys, live, "{told}");
            assert!(count as usize <= (live.len() + deleted.len()) / limit as usize + 2, "{told}: {count} pages");

            let folded: u64 = live.chars().map(|it| 1 << it.to_digit(10).unwrap()).fold(0, |all, it: u64| all ^ it);
            let (digests, _) = pages(&harness, "digest", asked, |it| vec![it.clone()]).await;
            let sum = |field: &str| digests.iter().map(|it| it[field].as_f64().unwrap()).sum::<f64>() as usize;
            let hashes = digests.iter().map(|it| u64::from_str_radix(it["hashes"].as_str().unwrap(), 16).unwrap());
            assert_eq!((sum("live"), sum("deleted")), (live.len(), deleted.len()), "{told}");
            assert_eq!(hashes.fold(0, |all, it| all ^ it), folded, "{told}");
        }
    }
}

#[tokio::test]
async fn documents_come_back_as_they_are_without_what_is_not_asked_for() {
    let harness = ten().await;
    harness.patch("customers", "k1", json!({ "name": { "$bytes": "AA==" }, "private": "the app's" })).await;
    let asked = with(range(None, Some("k3"), 2), json!({ "fields": ["name", "id", "nothing"] }));
    let (documents, count) =
        pages(&harness, "documents", asked, |it| it["documents"].as_array().unwrap().clone()).await;
    let told = |key: &str, hash: u64, deleted: Value, doc: Value| json!({ "key": key, "hash": format!("{hash:016x}"), "deletedAt": deleted, "doc": doc });
    let at = json!("2026-01-01T00:00:00Z");
    let expected = [
        told("k0", 1, at.clone(), json!({ "id": 0, "name": "n" })),
        told("k1", 2, Value::Null, json!({ "id": 1, "name": { "$bytes": "AA==" } })),
        told("k2", 4, Value::Null, json!({ "id": 2, "name": "n" })),
        told("k3", 8, at, json!({ "id": 3, "name": "n" })),
    ];
    assert_eq!((documents, count), (expected.to_vec(), 3));
}

#[tokio::test]
async fn pages_of_large_documents_are_cut_before_the_answer_is_too_large() {
    let harness = Harness::start(&["customers"]);
    harness.configure(json!({ "writeRate": 1_000_000_000 })).await;
    for number in 0..12 {
        let large = row(&format!("k{number:02}"), 1, json!({ "id": "x".repeat(900_000) }));
        upsert(&harness, with(batch(number + 1), json!({ "rows": [large] }))).await.value();
    }
    let asked = with(range(None, None, 8000), json!({ "fields": ["id"] }));
    let (documents, count) =
        pages(&harness, "documents", asked, |it| it["documents"].as_array().unwrap().clone()).await;
    assert_eq!((documents.len(), count), (12, 3));
    // More than 16 MiB cannot be read at all: the caller asks for less.
    for number in 12..20 {
        let large = row(&format!("k{number:02}"), 1, json!({ "id": "x".repeat(900_000) }));
        upsert(&harness, with(batch(number + 1), json!({ "rows": [large] }))).await.value();
    }
    let too_much = harness.call("query", "digest", range(None, None, 8000)).await.unwrap();
    assert_eq!(too_much.code(), "LimitExceeded", "{too_much:?}");
    assert_eq!(query(&harness, "digest", range(None, None, 10)).await["next"], "k09");
}

#[tokio::test]
async fn hashes_that_the_app_broke_are_hashes_of_nothing() {
    let harness = ten().await;
    for (key, hash) in [("k1", json!(7)), ("k2", json!("zz")), ("k4", json!(null))] {
        let broken = json!({ "neon": { "key": key, "hash": hash, "deletedAt": null } });
        harness.patch("customers", key, broken).await;
    }
    let digest = query(&harness, "digest", all("customers")).await;
    assert_eq!(digest["hashes"], format!("{:016x}", (1 << 5) | (1 << 7) | (1 << 8)), "{digest}");
    let rows = query(&harness, "scan", all("customers")).await;
    for (position, key) in ["k1", "k2", "k4"].iter().enumerate() {
        assert_eq!(rows["rows"][position], json!({ "key": key, "hash": "0000000000000000" }));
    }
}

#[tokio::test]
async fn a_table_tells_where_it_stands() {
    let harness = Harness::start(&["customers", "app.orders"]);
    assert_eq!(query(&harness, "table", json!({ "table": "customers" })).await, Value::Null);
    assert_eq!(query(&harness, "counts", json!({})).await, json!([]));
    let written =
        with(batch(3), json!({ "table": "app__orders", "fence": 7, "rows": [row("a", 1, json!({ "id": 1 }))] }));
    let receipt = upsert(&harness, written).await.value();
    let state = query(&harness, "table", json!({ "table": "app__orders" })).await;
    assert_eq!(state["id"], receipt["table"]);
    assert_eq!(state["mapping"], json!({ "version": "1", "fields": ["id", "name"] }));
    assert_eq!((&state["fence"], &state["live"]), (&json!(7), &json!(1)));
    assert_eq!((&state["last"]["number"], &state["last"]["through"]), (&json!(3), &json!("a")));
    assert_eq!(state["last"]["tally"], receipt["tally"]);
    let counts = query(&harness, "counts", json!({})).await;
    assert_eq!(counts, json!([{ "table": "app__orders", "live": 1, "deleted": 0 }]));

    // Made anew, it is another table.
    harness.delete("liftlock_tables", None).await;
    let anew = with(batch(4), json!({ "table": "app__orders" }));
    assert_ne!(upsert(&harness, anew).await.value()["table"], receipt["table"]);
}

#[tokio::test]
async fn the_first_proposal_is_the_identity() {
    let harness = Harness::start(&["customers", "app.orders"]);
    let version = async || query(&harness, "version", json!({})).await;
    assert_eq!(version().await["id"], Value::Null);
    for propose in ["one", "two"] {
        let told = harness.call("mutation", "describe", json!({ "propose": propose })).await.unwrap().value();
        assert_eq!(told, json!({ "id": "one" }));
    }
    let expected = json!({
        "protocol": 1, "liftlock": env!("CARGO_PKG_VERSION"), "id": "one", "class": "s16",
        "tables": [{ "table": "customers", "source": "customers" }, { "table": "app__orders", "source": "app.orders" }],
    });
    assert_eq!(version().await, expected);
}
