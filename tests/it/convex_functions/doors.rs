//! Who may call what: internal functions need a deploy key, public ones the shared key.

use serde_json::{Value, json};

use super::{all, batch, with};
use crate::support::convex::{Answer, DEPLOY_KEY, Harness, SYNC_AUTH_KEY};

/// All functions, with arguments that they take.
fn functions() -> Vec<(&'static str, &'static str, Value)> {
    let mut marking = with(batch(2), json!({ "keys": ["a"] }));
    for field in ["rows", "unset", "softDelete", "hardDelete"] {
        marking.as_object_mut().unwrap().remove(field);
    }
    vec![
        ("mutation", "describe", json!({ "propose": "x" })),
        ("mutation", "upsertBatch", batch(1)),
        ("mutation", "softDelete", marking),
        ("query", "version", json!({})),
        ("query", "table", json!({ "table": "customers" })),
        ("query", "counts", json!({})),
        ("query", "scan", all("customers")),
        ("query", "digest", all("customers")),
        ("query", "documents", with(all("customers"), json!({ "fields": [] }))),
    ]
}

async fn call(harness: &Harness, route: &str, function: &str, key: Option<&str>, args: &Value) -> Answer {
    let body = json!({ "path": format!("liftlock/sync:{function}"), "args": args, "format": "convex_encoded_json" });
    harness.post(&format!("/api/{route}"), key, &body).await.unwrap()
}

#[tokio::test]
async fn internal_functions_are_there_for_a_deploy_key_only() {
    let harness = Harness::start(&["customers"]);
    for (route, function, args) in functions() {
        let nobody = call(&harness, route, function, None, &args).await;
        assert_eq!((nobody.status, &nobody.body["status"], nobody.code()), (200, &json!("error"), ""), "{function}");
        assert!(nobody.body["errorMessage"].as_str().unwrap().ends_with("Server Error"), "{nobody:?}");
        let wrong = call(&harness, route, function, Some("prod:test-server|other"), &args).await;
        assert_eq!((wrong.status, wrong.code()), (403, "BadDeployKey"), "{function}");
    }
    assert_eq!(harness.statistics().await["succeeded"], 0);
    for (route, function, args) in functions() {
        call(&harness, route, function, Some(DEPLOY_KEY), &args).await.value();
        // The kind in front of a key is for people.
        call(&harness, route, function, Some("test-server|made-up"), &args).await.value();
    }
}

#[tokio::test]
async fn public_functions_are_never_open() {
    let harness = Harness::start(&["customers"]);
    let check = async |given: &str, code: &str| {
        for (route, function, args) in functions() {
            let args = with(args, json!({ "authKey": given }));
            let answer = call(&harness, route, &format!("{function}WithKey"), None, &args).await;
            assert_eq!((answer.status, answer.code()), (200, code), "{function} {given}: {answer:?}");
            let is_hidden = answer.body["errorMessage"].as_str().is_none_or(|it| it.ends_with("Server Error"));
            assert!(is_hidden, "{answer:?}");
        }
    };
    // Not configured: nobody gets in, whatever they bring.
    for given in ["", SYNC_AUTH_KEY] {
        check(given, "SyncAuthNotConfigured").await;
    }
    for short in ["", "x", &"x".repeat(31)] {
        harness.configure(json!({ "syncAuthKey": short })).await;
        check(short, "SyncAuthNotConfigured").await;
    }
    harness.configure(json!({ "syncAuthKey": SYNC_AUTH_KEY })).await;
    let longer = format!("{SYNC_AUTH_KEY}{SYNC_AUTH_KEY}");
    let changed = SYNC_AUTH_KEY.replacen('m', "n", 1);
    for wrong in ["", &SYNC_AUTH_KEY[1..], &longer, &changed, "made-up-made-up-made-up-made-up-made-uP"] {
        check(wrong, "SyncUnauthorized").await;
    }
    assert_eq!(harness.statistics().await["written"], json!({}));
    check(SYNC_AUTH_KEY, "").await;
    assert_eq!(harness.documents("liftlock_batches").await.len(), 2);
    for no_key in
        [json!({}), json!({ "authKey": 5.0 }), json!({ "authKey": null }), json!({ "authKey": [SYNC_AUTH_KEY] })]
    {
        let without = call(&harness, "query", "versionWithKey", None, &no_key).await;
        assert_eq!(without.code(), "SyncUnauthorized", "{no_key}");
    }
}

/// Convex quotes the arguments that its own check refuses, in the deployment's log: the shared key was among them.
#[tokio::test]
async fn arguments_that_do_not_fit_are_refused_without_a_word_of_theirs() {
    let harness = Harness::start(&["customers"]);
    harness.configure(json!({ "syncAuthKey": SYNC_AUTH_KEY, "redact": false })).await;
    let canary = "a-value-of-a-row";
    let keyed = |args: Value| with(args, json!({ "authKey": SYNC_AUTH_KEY }));
    for (route, function, args, argument) in [
        ("query", "version", json!({ canary: canary }), Value::Null),
        ("query", "version", json!({ "toString": canary }), Value::Null),
        ("query", "table", json!({}), json!("table")),
        ("query", "table", json!({ "table": "users" }), json!("table")),
        ("query", "table", json!({ "table": { canary: 1.0 } }), json!("table")),
        ("query", "counts", json!({ "table": null }), json!("table")),
        ("query", "scan", with(all("customers"), json!({ "limit": canary })), json!("limit")),
        ("query", "scan", with(all("customers"), json!({ "after": 5.0 })), json!("after")),
        ("query", "documents", with(all("customers"), json!({ "fields": [canary, 1.0] })), json!("fields")),
        ("mutation", "describe", json!({ "propose": 5.0 }), json!("propose")),
        ("mutation", "upsertBatch", with(batch(1), json!({ "fence": canary })), json!("fence")),
        ("mutation", "upsertBatch", with(batch(1), json!({ "mapping": [canary] })), json!("mapping")),
        ("mutation", "upsertBatch", with(batch(1), json!({ "mapping": { "version": "m" } })), json!("mapping")),
        (
            "mutation",
            "upsertBatch",
            with(batch(1), json!({ "part": { "path": "0", "isLast": canary } })),
            json!("part"),
        ),
        ("mutation", "upsertBatch", with(batch(1), json!({ "rows": [{ "key": "a", "hash": "b" }] })), json!("rows")),
        (
            "mutation",
            "upsertBatch",
            with(batch(1), json!({ "rows": [{ "key": "a", "hash": "b", "doc": {}, canary: 1.0 }] })),
            json!("rows"),
        ),
    ] {
        let answer = call(&harness, route, &format!("{function}WithKey"), None, &keyed(args.clone())).await;
        assert_eq!(answer.code(), "ArgumentRefused", "{function} {args}: {answer:?}");
        assert_eq!(answer.body["errorData"]["argument"], argument, "{answer:?}");
        let told = answer.body.to_string();
        assert!(!told.contains(SYNC_AUTH_KEY) && !told.contains(canary), "{told}");
    }
    assert_eq!(harness.statistics().await["written"], json!({}));
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let harness = Harness::start(&["customers"]);
    let (queries, mutations, view) = (
        "deployment:functions:runInternalQueries",
        "deployment:functions:runInternalMutations",
        "deployment:data:view",
    );
    let version = json!({ "path": "liftlock/sync:version", "args": {} });
    let describe = json!({ "path": "liftlock/sync:describe", "args": { "propose": "x" } });
    let size = json!({ "path": "_system/cli/tableSize", "args": { "tableName": "customers" } });
    for (operations, missing) in
        [([queries, mutations], view), ([queries, view], mutations), ([mutations, view], queries)]
    {
        harness.configure(json!({ "keys": [{ "key": DEPLOY_KEY, "operations": operations }] })).await;
        for (route, body, needed) in [
            ("/api/query", &version, queries),
            ("/api/mutation", &describe, mutations),
            ("/api/query", &size, view),
            ("/api/function", &version, queries),
            ("/api/query_batch", &json!({ "queries": [version] }), queries),
        ] {
            let answer = harness.post(route, Some(DEPLOY_KEY), body).await.unwrap();
            if needed == missing {
                assert_eq!((answer.status, answer.code()), (403, "OperationNotPermitted"), "{route} {missing}");
                assert!(answer.body["message"].as_str().unwrap().contains(missing), "{answer:?}");
            } else {
                assert_eq!(answer.status, 200, "{route} {missing}: {answer:?}");
            }
        }
    }
}
