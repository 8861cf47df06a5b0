//! No value loses anything on its way, and sizes are counted as Convex counts them.

use liftlock::{services::mirror::Action, sync::value::document_size};
use serde_json::{Value, json};

use super::{Recording, Setting};
use crate::sync::{AWKWARD, AWKWARD_COLUMNS};

#[tokio::test]
async fn every_value_arrives_in_convex_as_postgres_has_it() {
    let setting = Setting::new("every_value_arrives_in_convex", AWKWARD, &["awkward"]).await;
    let mirror = setting.open();
    let recording = Recording::of(&mirror);
    let report = setting.carry(&recording).await.unwrap();
    assert_eq!(super::outcomes(&report), [9, 9, 9, 0, 0, 0]);
    setting.assert_equal("awkward", AWKWARD_COLUMNS).await;
    assert!(report.recommendations.iter().any(|it| it.contains("6 JSON values of `awkward`")), "{report:?}");
    let documents = setting.documents("awkward").await;
    let smallest = &documents["i0000000000000000"];
    for (field, expected) in [
        ("i8", json!({ "$integer": "AQAAAAAAIAA=" })),
        ("n", json!("NaN")),
        ("f4", json!({ "$float": "AAAAAAAA+H8=" })),
        ("f8", json!({ "$float": "AAAAAAAAAIA=" })),
        ("by", json!({ "$bytes": "AP8=" })),
        ("jb", json!("{\"$a\": 1}")),
        ("ts", json!("-infinity")),
    ] {
        assert_eq!(smallest[field], expected, "{field}");
    }

    // Sizes of values by our formula are Convex's own; those of documents are at most a little more than they take.
    let mut sent: Vec<(String, Value, usize)> = Vec::new();
    for batch in recording.batches.lock().await.iter() {
        for change in &batch.changes {
            let Action::Put { document, size, .. } = &change.action else { panic!("{change:?}") };
            sent.push((change.key.clone(), serde_json::from_str(document).unwrap(), *size));
        }
    }
    let values: Vec<Value> = sent.iter().map(|(_, document, _)| document.clone()).collect();
    let whole: Vec<Value> = sent.iter().map(|(key, ..)| documents[key].clone()).collect();
    let (values, whole) = (setting.harness.sizes(&values).await, setting.harness.sizes(&whole).await);
    for (((key, _, size), by_convex), whole) in sent.iter().zip(values).zip(whole) {
        assert_eq!(size + 2, by_convex, "{key}: an object adds two");
        let ours = document_size(*size, key);
        assert!((whole..whole + 64).contains(&ours), "{key}: {ours} for {whole}");
    }
    // None of it looks changed the next time, also when the ledger is lost.
    assert_eq!(super::outcomes(&setting.sync().await), [9, 9, 0, 0, 9, 0]);
    setting.database.execute("drop schema liftlock cascade").await;
    assert_eq!(super::outcomes(&setting.sync().await), [9, 9, 0, 0, 9, 0]);
}

#[tokio::test]
async fn a_dropped_column_leaves_every_document_and_a_new_one_comes() {
    let setting = Setting::new("a_dropped_column_in_convex", crate::sync::NUMBERS, &["numbers"]).await;
    setting.sync().await;
    setting.harness.patch("numbers", "i8000000000000005", json!({ "mine": 1.5 })).await;
    setting.database.execute("alter table numbers drop column name, add column size numeric default 1.50").await;
    assert_eq!(super::outcomes(&setting.sync().await), [100, 100, 0, 100, 0, 0]);
    let documents = setting.documents("numbers").await;
    assert!(documents.values().all(|it| it.get("name").is_none() && it["size"] == "1.50"));
    assert_eq!(documents["i8000000000000005"]["mine"], 1.5);
}
