//! Batches: all of one or nothing, each once, and nothing of the app's is lost.

use serde_json::{Value, json};

use super::{all, batch, document, query, row, tally, upsert, with};
use crate::support::convex::Harness;

#[tokio::test]
async fn a_batch_inserts_updates_revives_and_removes_in_one_transaction() {
    let harness = Harness::start(&["customers"]);
    let first = with(batch(1), json!({ "rows": [row("a", 1, json!({ "id": 1 })), row("b", 2, json!({ "id": 2 }))] }));
    let receipt = upsert(&harness, first).await.value();
    assert_eq!((tally(&receipt), &receipt["through"]), ([2, 0, 0, 0, 0], &json!("b")));

    let mixed = with(
        batch(2),
        json!({
            "rows": [row("a", 10, json!({ "id": 10 })), row("b", 2, json!({ "id": 2 })), row("c", 3, json!({ "id": 3 }))],
            "softDelete": ["nothing"], "hardDelete": ["z"],
        }),
    );
    assert_eq!(tally(&upsert(&harness, mixed).await.value()), [1, 1, 3, 0, 0]);

    let removed = with(batch(3), json!({ "softDelete": ["a", "b"], "hardDelete": ["c"] }));
    assert_eq!(tally(&upsert(&harness, removed).await.value()), [0, 0, 0, 3, 0]);
    assert_eq!(document(&harness, "a").await["neon"]["deletedAt"], "2026-01-01T00:00:00Z");
    assert_eq!(document(&harness, "c").await, Value::Null);
    assert_eq!(query(&harness, "counts", json!({})).await, json!([{ "table": "customers", "live": 0, "deleted": 2 }]));

    // Marked again, nothing happens; put again, it lives; removed for good, nothing is left.
    let again = with(batch(4), json!({ "rows": [row("b", 2, json!({ "id": 2 }))], "softDelete": ["a"] }));
    assert_eq!(tally(&upsert(&harness, again).await.value()), [0, 0, 1, 0, 1]);
    let gone = with(batch(5), json!({ "hardDelete": ["a", "b"] }));
    assert_eq!(tally(&upsert(&harness, gone).await.value()), [0, 0, 0, 2, 0]);
    assert_eq!(query(&harness, "counts", json!({ "table": "customers" })).await[0]["deleted"], 0);
    assert!(harness.documents("customers").await.is_empty());
}

#[tokio::test]
async fn soft_delete_is_a_batch_of_its_own() {
    let harness = Harness::start(&["customers"]);
    upsert(&harness, with(batch(1), json!({ "rows": [row("a", 1, json!({ "id": 1 }))] }))).await.value();
    let mut marking = with(batch(2), json!({ "keys": ["a", "b"] }));
    for field in ["rows", "unset", "softDelete", "hardDelete"] {
        marking.as_object_mut().unwrap().remove(field);
    }
    for replayed in [false, true] {
        let receipt = harness.call("mutation", "softDelete", marking.clone()).await.unwrap().value();
        assert_eq!((tally(&receipt), &receipt["replayed"]), ([0, 0, 1, 1, 0], &json!(replayed)));
    }
    let state = query(&harness, "table", json!({ "table": "customers" })).await;
    assert_eq!((&state["last"]["number"], &state["last"]["through"]), (&json!(2), &json!("b")));
}

#[tokio::test]
async fn what_the_app_added_stays_and_columns_that_are_gone_go() {
    let harness = Harness::start(&["customers"]);
    let put = |number, hash, doc: Value| with(batch(number), json!({ "rows": [row("a", hash, doc)] }));
    upsert(&harness, put(1, 1, json!({ "id": 1, "old": "x" }))).await.value();
    harness
        .patch("customers", "a", json!({ "favourite": true, "notes": { "deep": [{ "$integer": "BwAAAAAAAAA=" }] } }))
        .await;

    upsert(
        &harness,
        with(put(2, 2, json!({ "id": 1, "name": "new" })), json!({ "unset": ["old", "favouriteColour"] })),
    )
    .await
    .value();
    let expected = json!({
        "id": 1, "name": "new", "favourite": true, "notes": { "deep": [{ "$integer": "BwAAAAAAAAA=" }] },
        "neon": { "key": "a", "hash": "0000000000000002", "deletedAt": null },
    });
    assert_eq!(document(&harness, "a").await, expected);

    upsert(&harness, with(batch(3), json!({ "softDelete": ["a"] }))).await.value();
    assert_eq!(document(&harness, "a").await["favourite"], true);
    upsert(&harness, put(4, 2, json!({ "id": 1, "name": "new" }))).await.value();
    assert_eq!(document(&harness, "a").await["notes"]["deep"][0]["$integer"], "BwAAAAAAAAA=");
}

#[tokio::test]
async fn what_is_there_already_is_not_written() {
    let harness = Harness::start(&["customers"]);
    let odd = json!({
        "id": { "$integer": "AAAAAAAAAIA=" }, "nan": { "$float": "AAAAAAAA+H8=" }, "zero": { "$float": "AAAAAAAAAIA=" },
        "bytes": { "$bytes": "AAH/" }, "nested": { "a": [1, null, { "b": "é" }] }, "none": null,
    });
    let put = |number, doc: &Value| with(batch(number), json!({ "rows": [row("a", 1, doc.clone())] }));
    let written = async || harness.statistics().await["written"]["customers"].as_u64().unwrap();
    upsert(&harness, put(1, &odd)).await.value();
    assert_eq!(written().await, 1);
    assert_eq!(tally(&upsert(&harness, put(2, &odd)).await.value()), [0, 0, 1, 0, 0]);
    assert_eq!(written().await, 1);

    // One hash, and something else: whatever the app has changed is put right.
    for (number, changed) in [
        (10, json!({ "id": 1 })),
        (20, json!({ "nan": 0 })),
        (30, json!({ "zero": 0 })),
        (40, json!({ "bytes": { "$bytes": "AAH+" } })),
        (50, json!({ "nested": { "a": [1, null, { "b": "e" }] } })),
        (60, json!({ "nested": { "a": [1, null] } })),
        (70, json!({ "nested": { "a": [1, null, { "b": "é" }], "c": 1 } })),
        (80, json!({ "none": 0 })),
    ] {
        harness.patch("customers", "a", changed.clone()).await;
        let before = document(&harness, "a").await;
        assert_eq!(tally(&upsert(&harness, put(number, &odd)).await.value()), [0, 1, 0, 0, 0], "{changed}");
        assert_ne!(document(&harness, "a").await, before, "{changed}");
        assert_eq!(tally(&upsert(&harness, put(number + 1, &odd)).await.value()), [0, 0, 1, 0, 0], "{changed}");
    }
    // A field that has to go is something to write, too; once.
    harness.patch("customers", "a", json!({ "old": 1 })).await;
    for (number, expected) in [(90, [0, 1, 0, 0, 0]), (91, [0, 0, 1, 0, 0])] {
        let batch = with(put(number, &odd), json!({ "unset": ["old"] }));
        assert_eq!(tally(&upsert(&harness, batch).await.value()), expected);
    }
}

#[tokio::test]
async fn a_batch_counts_once_whatever_becomes_of_the_answer() {
    let harness = Harness::start(&["customers"]);
    let path = "liftlock/sync:upsertBatch";
    for (number, kind, arrives) in [
        (1, "drop_before", false),
        (2, "drop_after", true),
        (3, "truncated_after", true),
        (4, "garbled_after", true),
        (5, "html502", false),
        (6, "html502_after", true),
        (7, "occ503", false),
        (8, "overloaded503", false),
        (9, "internal500", false),
        (10, "writes429", false),
        (11, "requests429", false),
        (12, "timeout408", false),
        (13, "key403", false),
        (14, "token401", false),
        (15, "missing404", false),
        (16, "misdirected421", false),
        (17, "early425", false),
        (18, "reads400", false),
        (19, "system400", false),
        (20, "function_error", false),
    ] {
        harness.faults(json!([{ "path": path, "nth": [1], "kind": kind, "message": "paused" }])).await;
        let key = format!("k{number:02}");
        let sent = with(batch(number), json!({ "rows": [row(&key, 1, json!({ "id": number }))] }));
        let answer = harness.call("mutation", "upsertBatch", sent.clone()).await;
        let went_well = answer.is_ok_and(|it| it.status == 200 && it.body["status"] == "success");
        assert!(!went_well, "{kind}");
        let receipt = upsert(&harness, sent).await.value();
        assert_eq!((tally(&receipt), receipt["replayed"] == true), ([1, 0, 0, 0, 0], arrives), "{kind}");
    }
    let digest = query(&harness, "digest", all("customers")).await;
    assert_eq!((&digest["live"], harness.documents("customers").await.len()), (&json!(20), 20));
    assert_eq!(query(&harness, "counts", json!({})).await[0]["live"], 20);
    assert_eq!(harness.documents("liftlock_batches").await.len(), 20);
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    let harness = Harness::start(&["customers"]);
    harness.faults(json!([{ "path": "*", "kind": "slow", "millis": 300 }])).await;
    let began = std::time::Instant::now();
    upsert(&harness, batch(1)).await.value();
    assert!(began.elapsed().as_millis() >= 300);
}

#[tokio::test]
async fn what_cannot_be_true_is_refused_and_nothing_is_written() {
    let harness = Harness::start(&["customers", "orders"]);
    let one = json!({ "rows": [row("a", 1, json!({ "id": 1 }))] });
    upsert(&harness, with(with(batch(1), one.clone()), json!({ "fence": 5 }))).await.value();
    // Both documents carry the key: the app made a copy.
    for _ in 0..2 {
        let copy = json!({ "id": 9, "neon": { "key": "twice", "hash": "0000000000000001", "deletedAt": null } });
        harness.insert("customers", copy).await;
    }
    let valid = with(batch(2), json!({ "fence": 5 }));
    let rows = |rows: Value| json!({ "rows": rows });
    for (changes, code, detail) in [
        (json!({ "protocol": 2 }), "VersionMismatch", json!({ "expected": 1 })),
        (json!({ "fence": 4 }), "StaleRun", json!({ "fence": 5 })),
        (json!({ "number": 1 }), "BatchMismatch", json!({ "number": 1 })),
        (
            rows(json!([row("b", 1, json!({})), row("b", 1, json!({}))])),
            "RowsNotSorted",
            json!({ "list": "rows", "position": 1 }),
        ),
        (json!({ "softDelete": ["b", "a"] }), "RowsNotSorted", json!({ "list": "softDelete", "position": 1 })),
        (json!({ "hardDelete": ["b", "a"] }), "RowsNotSorted", json!({ "list": "hardDelete", "position": 1 })),
        (
            json!({ "softDelete": ["a"], "hardDelete": ["a"] }),
            "RowsNotSorted",
            json!({ "list": "between", "position": 0 }),
        ),
        (rows(json!([row("b", 1, json!({ "neon": 1 }))])), "ReservedField", json!({ "position": 0, "field": "neon" })),
        (rows(json!([row("b", 1, json!({ "_id": 1 }))])), "ReservedField", json!({ "position": 0, "field": "_id" })),
        (json!({ "unset": ["neon"] }), "ReservedField", json!({ "position": null, "field": "neon" })),
        (
            rows(json!([row("b", 1, json!({})), row("twice", 1, json!({}))])),
            "DuplicateKey",
            json!({ "list": "rows", "position": 1 }),
        ),
        (
            rows(json!([row("b", 1, json!({})), row("c", 1, json!({ "id": "x".repeat(1024 * 1024) }))])),
            "RowRefused",
            json!({ "position": 1, "reason": "size" }),
        ),
        (
            rows(json!([row(
                "b",
                1,
                serde_json::from_str(&format!("{{\"id\":{}1{}}}", "[".repeat(16), "]".repeat(16))).unwrap()
            )])),
            "RowRefused",
            json!({ "position": 0, "reason": "nesting" }),
        ),
        (json!({ "table": "liftlock_tables" }), "", json!({})),
        (json!({ "table": "users" }), "", json!({})),
        (json!({ "rows": [{ "key": "a" }] }), "", json!({})),
    ] {
        let answer = upsert(&harness, with(valid.clone(), changes)).await;
        assert_eq!((answer.status, &answer.body["status"], answer.code()), (200, &json!("error"), code), "{answer:?}");
        for (field, expected) in detail.as_object().unwrap() {
            assert_eq!(answer.detail(field), *expected, "{code}: {answer:?}");
        }
    }
    assert_eq!(harness.documents("customers").await.len(), 3);
    assert_eq!(harness.documents("liftlock_batches").await.len(), 1);
    // An older fence may still ask what became of its batch.
    let receipt = upsert(&harness, with(with(batch(1), one), json!({ "fence": 1 }))).await.value();
    assert_eq!(receipt["replayed"], true);
    // Numbers of one table say nothing about another's.
    let other = upsert(&harness, with(batch(1), json!({ "table": "orders" }))).await.value();
    assert_eq!(other["replayed"], false);
}

#[tokio::test]
async fn a_batch_too_large_for_one_transaction_says_so_and_goes_in_parts() {
    let harness = Harness::start(&["customers"]);
    harness.configure(json!({ "writeRate": 1_000_000_000 })).await;
    let rows = |hash, numbers: std::ops::Range<u32>| -> Value {
        numbers.map(|it| row(&format!("{it:05}"), hash, json!({ "id": it }))).collect()
    };
    for (number, range) in [(1, 0..1000), (2, 1000..2100)] {
        upsert(&harness, with(batch(number), json!({ "rows": rows(1, range) }))).await.value();
    }
    let whole = |number| with(batch(number), json!({ "rows": rows(2, 0..2100) }));
    let refused = upsert(&harness, whole(3)).await;
    assert_eq!(refused.code(), "LimitExceeded", "{refused:?}");
    assert_eq!(query(&harness, "table", json!({ "table": "customers" })).await["last"]["number"], 2);

    let part = |path: &str, is_last: bool, content: &str, range| {
        let part = json!({ "path": path, "isLast": is_last });
        with(batch(3), json!({ "rows": rows(2, range), "part": part, "content": content }))
    };
    let last = async || query(&harness, "table", json!({ "table": "customers" })).await["last"]["number"].clone();
    let first = part("0", false, "left", 0..1050);
    assert_eq!(tally(&upsert(&harness, first.clone()).await.value()), [0, 1050, 0, 0, 0]);
    assert_eq!(last().await, 2);
    // Again it changes nothing; with other content it must come from a newer run.
    assert_eq!(upsert(&harness, first).await.value()["replayed"], true);
    let other = part("0", false, "changed", 0..1000);
    assert_eq!(upsert(&harness, other.clone()).await.code(), "BatchMismatch");
    let receipt = upsert(&harness, with(other, json!({ "fence": 2 }))).await.value();
    assert_eq!((tally(&receipt), &receipt["replayed"]), ([0, 0, 1000, 0, 0], &json!(false)));
    let right = with(part("1", true, "right", 1050..2100), json!({ "fence": 2 }));
    assert_eq!(tally(&upsert(&harness, right).await.value()), [0, 1050, 0, 0, 0]);
    assert_eq!(last().await, 3);
}

#[tokio::test]
async fn transactions_tell_what_they_used() {
    let harness = Harness::start(&["customers"]);
    let receipt =
        upsert(&harness, with(batch(1), json!({ "rows": [row("a", 1, json!({ "id": "x".repeat(1000) }))] }))).await;
    let metrics = &receipt.value()["metrics"];
    assert_eq!(metrics["documentsWritten"], 3);
    assert!((1000.0..2000.0).contains(&metrics["bytesWritten"].as_f64().unwrap()), "{metrics}");
}

#[tokio::test]
async fn batches_are_forgotten_after_a_week_a_few_at_a_time() {
    let harness = Harness::start(&["customers", "orders"]);
    for number in 1..=12 {
        upsert(&harness, batch(number)).await.value();
    }
    upsert(&harness, with(batch(1), json!({ "table": "orders" }))).await.value();
    let week: u64 = 7 * 24 * 60 * 60 * 1000;
    for (clock, number, expected) in
        [(week - 60_000, 13, 14), (week + 60_000, 14, 7), (week + 60_000, 15, 4), (week + 60_000, 16, 5)]
    {
        harness.configure(json!({ "clockMillis": clock })).await;
        upsert(&harness, batch(number)).await.value();
        assert_eq!(harness.documents("liftlock_batches").await.len(), expected, "{number}");
    }
    // What the table's last batch was is kept elsewhere.
    assert_eq!(query(&harness, "table", json!({ "table": "orders" })).await["last"]["number"], 1);
}
