//! Every failure that can be injected, and limits that are met by themselves: each row arrives once.

use std::time::Duration;

use liftlock::exit::Exit;
use serde_json::json;

use super::{Setting, only, outcome, unfolded};
use crate::sync::{NUMBERS, NUMBERS_COLUMNS};

/// Kinds after which the same call is tried again.
const PASSING: [&str; 12] = [
    "occ503",
    "overloaded503",
    "internal500",
    "writes429",
    "requests429",
    "drop_before",
    "drop_after",
    "truncated_after",
    "garbled_after",
    "html502",
    "html502_after",
    "timeout408",
];

#[tokio::test]
async fn after_every_kind_of_fault_each_row_is_written_once() {
    let setting = Setting::new("after_every_kind_of_fault", NUMBERS, &["numbers"]).await;
    for (round, kind) in PASSING.into_iter().chain(["slow"]).enumerate() {
        setting.harness.faults(json!([{ "path": "liftlock/sync:upsertBatch", "nth": [2, 5], "kind": kind }])).await;
        let before = setting.written().await["numbers"].as_u64().unwrap_or(0);
        let synced = only(setting.sync().await);
        let (inserted, updated) = if round == 0 { (100, 0) } else { (0, 100) };
        assert_eq!(outcome(&synced), [100, 100, inserted, updated, 0, 0], "{kind}");
        assert_eq!((synced.retries, synced.batches), (if kind == "slow" { 0 } else { 2 }, 10), "{kind}");
        assert_eq!(setting.written().await["numbers"].as_u64().unwrap_or(0) - before, 100, "{kind}");
        let notices = setting.notices();
        assert_eq!(notices.matches("asking again in").count(), if kind == "slow" { 0 } else { 2 }, "{kind}: {notices}");
        setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
        setting.database.execute("update numbers set name = name || '!'").await;
    }
}

#[tokio::test]
async fn reads_are_asked_again_too() {
    let setting = Setting::new("reads_are_asked_again", NUMBERS, &["numbers"]).await;
    for kind in PASSING {
        let faults = ["version", "describe", "table", "digest", "scan"]
            .map(|it| json!({ "path": format!("liftlock/sync:{it}"), "nth": [1], "kind": kind }));
        setting.harness.faults(json!(faults)).await;
        // Without its ledger a sync reads everything back.
        setting.database.execute("drop schema if exists liftlock cascade").await;
        assert_eq!(outcome(&only(setting.sync().await))[..2], [100, 100], "{kind}");
        assert!(setting.notices().contains("asking again in"), "{kind}");
    }
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
}

#[tokio::test]
async fn a_failure_that_does_not_pass_ends_the_sync_and_the_next_goes_on() {
    let mut setting = Setting::new("a_failure_that_does_not_pass", NUMBERS, &["numbers"]).await;
    setting.request.patience = Duration::from_secs(2);
    for (kind, expected) in [
        ("key403", "the deploy key is not one of this deployment"),
        ("token401", "Convex does not know who is asking"),
        ("drop_before", "Convex did not answer"),
        ("occ503", "Convex is busy"),
        ("function_error", "the deployment does not run: it is paused"),
    ] {
        setting.database.execute("update numbers set name = name || '!'").await;
        // From the fourth on.
        let nth: Vec<u32> = (4..100).collect();
        setting.harness.faults(json!([{ "path": "liftlock/sync:upsertBatch", "nth": nth, "kind": kind, "message": "Your deployment is paused" }])).await;
        let error = setting.carry(&setting.open()).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Half, "{kind}: {error:?}");
        let told = unfolded(error);
        assert!(told.contains(expected) && told.contains("30 rows of `numbers`"), "{kind}: {told}");
        assert!(told.contains("continues where it stopped"), "{kind}: {told}");
        setting.harness.faults(json!([])).await;
        let synced = only(setting.sync().await);
        assert_eq!((outcome(&synced)[..2].to_vec(), synced.resumed), (vec![100, 100], true), "{kind}");
        setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
    }
    // Before anything was written it is no half.
    setting.harness.faults(json!([{ "path": "*", "kind": "key403" }])).await;
    assert_eq!(setting.carry(&setting.open()).await.unwrap_err().exit(), Exit::Service);
}

#[tokio::test]
async fn a_deployment_that_holds_us_back_gets_less_and_everything_in_the_end() {
    let rows = |table: &str| {
        format!(
            "create table {table} (id int primary key, name text not null);
            insert into {table} select it, repeat('{table} ', 60) || it from generate_series(1, 150) it;"
        )
    };
    let tables = ["one", "two", "three", "four"];
    let setting = Setting::new("a_deployment_that_holds_us_back", &tables.map(rows).concat(), &tables).await;
    setting.harness.configure(json!({ "writeRate": 32 * 1024 })).await;
    let report = setting.sync().await;
    assert_eq!(super::outcomes(&report), [600, 600, 600, 0, 0, 0]);
    let statistics = setting.harness.statistics().await;
    assert!(statistics["serverRetries"].as_u64() > Some(0), "the rate was never met: {statistics}");
    // A test server that computes takes no other call; while it holds one back, it does.
    assert!(statistics["mostInFlight"].as_u64() > Some(1), "one table at a time: {statistics}");
    setting.assert_all_equal(&tables).await;
}

/// Each of the rows is small, and what they replace is not: their transaction reads more than one may.
#[tokio::test]
async fn a_batch_that_is_too_much_for_one_transaction_is_halved() {
    let sql = "create table numbers (id int primary key, name text not null);
        insert into numbers select it, repeat('x', 900000) || it from generate_series(1, 40) it;";
    let mut setting = Setting::new("a_batch_that_is_too_much", sql, &["numbers"]).await;
    setting.request.batch_rows = 500;
    setting.sync().await;
    setting.database.execute("update numbers set name = 'row ' || id").await;
    let synced = only(setting.sync().await);
    assert_eq!(outcome(&synced), [40, 40, 0, 40, 0, 0]);
    assert!(synced.batches > 1, "{synced:?}");
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
    // And nothing of it is left to do.
    assert_eq!(outcome(&only(setting.sync().await)), [40, 40, 0, 0, 40, 0]);
    assert_eq!(setting.notices(), "");
}

/// The halves have numbers of their own: wherever it ends among them, the next run counts each row once.
#[tokio::test]
async fn a_sync_that_ends_between_the_halves_of_a_batch_goes_on_there() {
    let sql = "create table numbers (id int primary key, name text not null);
        insert into numbers select it, repeat('x', 900000) || it from generate_series(1, 24) it;";
    let mut setting = Setting::new("between_the_halves_of_a_batch", sql, &["numbers"]).await;
    setting.request.batch_rows = 500;
    setting.request.patience = Duration::ZERO;
    for (nth, kind) in [(2, "key403"), (2, "drop_after"), (3, "drop_before"), (3, "drop_after")] {
        setting.database.execute("update numbers set name = repeat('x', 900000) || id").await;
        setting.sync().await;
        setting.database.execute("update numbers set name = 'row ' || id").await;
        // The first call is too much, the second is its half.
        setting.harness.faults(json!([{ "path": "liftlock/sync:upsertBatch", "nth": [nth], "kind": kind }])).await;
        let before = setting.written().await["numbers"].as_u64().unwrap();
        setting.carry(&setting.open()).await.unwrap_err();
        setting.database.execute("update numbers set name = 'later' where id = 1").await;
        let synced = only(setting.sync().await);
        assert_eq!((synced.verified, synced.source_rows, synced.mirror_rows), (Some(true), 24, 24), "{nth} {kind}");
        let written = setting.written().await["numbers"].as_u64().unwrap() - before;
        // The first row changed meanwhile: it is written once more when it was among those that had arrived.
        assert!((24..=25).contains(&written), "{nth} {kind}: {written} documents written for 24 rows");
        setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
    }
}

#[tokio::test]
async fn a_row_that_convex_cannot_hold_is_told_and_the_others_arrive() {
    let setting = Setting::new("a_row_that_convex_cannot_hold", NUMBERS, &["numbers"]).await;
    setting.sync().await;
    setting
        .database
        .execute(
            "update numbers set name = repeat('x', 1100000) where id = 7; update numbers set name = 'new' where id = 8;
            insert into numbers values (500, repeat('é', 600000)), (501, 'small')",
        )
        .await;
    for _ in 0..2 {
        let report = setting.sync().await;
        assert!(!liftlock::sync::is_whole(&report));
        let synced = only(report);
        assert_eq!((synced.source_rows, synced.mirror_rows, synced.verified), (102, 101, Some(false)), "{synced:?}");
        assert!(synced.errors[0].message.starts_with("2 rows are too large or too deep"), "{synced:?}");
        assert!(synced.errors[0].hint.as_ref().unwrap().contains("octet_length"), "{synced:?}");
        let documents = setting.documents("numbers").await;
        assert_eq!(documents["i8000000000000007"]["name"], "row 7", "what it had stays");
        assert_eq!(documents["i8000000000000008"]["name"], "new");
        assert_eq!(documents["i80000000000001f5"]["name"], "small");
    }
    setting.database.execute("update numbers set name = 'short' where id in (7, 500)").await;
    assert_eq!(outcome(&only(setting.sync().await)), [102, 102, 1, 1, 100, 0]);
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
}

/// One table with more columns than a document has fields used to stop all tables, after halving its batches to nothing.
#[tokio::test]
async fn a_table_too_wide_for_documents_is_told_and_the_others_arrive() {
    let widest: Vec<String> = (1..=1020).map(|it| format!("c{it} int default {it}")).collect();
    let sql = format!(
        "{NUMBERS}; create table fits (id int primary key, {all}); insert into fits values (1);
         create table a_wide (id int primary key, {all}, one_more int); insert into a_wide values (1)",
        all = widest.join(", ")
    );
    let setting = Setting::new("a_table_too_wide", &sql, &["numbers", "fits", "a_wide"]).await;
    let report = setting.sync().await;
    let [wide, fits, numbers] = report.tables.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        wide.errors[0].message,
        "`a_wide` has 1022 columns, more than the 1021 that fit into a document of the mirror"
    );
    assert_eq!((fits.errors.len(), fits.verified, fits.inserted), (0, Some(true), 1), "{fits:?}");
    assert_eq!((numbers.verified, numbers.inserted), (Some(true), 100));
}

/// What the app does to its data is noticed as far as it changes keys, counts or hashes.
#[tokio::test]
async fn documents_that_the_app_removed_come_back() {
    let setting = Setting::new("documents_that_the_app_removed", NUMBERS, &["numbers"]).await;
    setting.sync().await;
    setting.harness.delete("numbers", Some("i8000000000000007")).await;
    setting.harness.insert("numbers", json!({ "mine": true })).await;
    let synced = only(setting.sync().await);
    assert_eq!(outcome(&synced), [100, 100, 1, 0, 99, 0]);
    assert!(setting.notices().contains("differs in the mirror in 1 row") || synced.inserted == 1);
    setting.harness.delete("numbers", None).await;
    assert_eq!(outcome(&only(setting.sync().await)), [100, 100, 100, 0, 0, 0]);
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
}
