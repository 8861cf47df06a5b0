//! The test server itself: that it answers as Convex does where no function of ours is asked.

use std::fs;

use liftlock::{
    services::http,
    sync::value::{self, Kind},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{all, batch, row, upsert, with};
use crate::support::convex::{DEPLOY_KEY, Harness};

#[tokio::test]
async fn our_sizes_are_convexes_sizes() {
    let harness = Harness::start(&["customers"]);
    let jsonb = |text: &str| [&[1], text.as_bytes()].concat();
    let values: Vec<(Kind, Option<Vec<u8>>)> = vec![
        (Kind::Text, None),
        (Kind::Bool, Some(vec![1])),
        (Kind::Int2, Some(vec![0, 1])),
        (Kind::Int4, Some(7_i32.to_be_bytes().to_vec())),
        (Kind::Int8, Some(i64::MIN.to_be_bytes().to_vec())),
        (Kind::Float8, Some(f64::NAN.to_be_bytes().to_vec())),
        (Kind::Float8, Some(1.5_f64.to_be_bytes().to_vec())),
        (Kind::Float4, Some(0.1_f32.to_be_bytes().to_vec())),
        (Kind::Text, Some("plain".into())),
        (Kind::Text, Some("é€😀\u{1}\"".into())),
        (Kind::Text, Some(Vec::new())),
        (Kind::Bytea, Some((0..=255).collect())),
        (Kind::Bytea, Some(Vec::new())),
        (Kind::Uuid, Some(vec![7; 16])),
        (Kind::TimestampTz, Some(0_i64.to_be_bytes().to_vec())),
        (Kind::Jsonb, Some(jsonb("[]"))),
        (Kind::Jsonb, Some(jsonb("{}"))),
        (Kind::Jsonb, Some(jsonb(r#"{"a": [1, null, true, "é"], "b c": {"": 1.5}}"#))),
        (Kind::Jsonb, Some(jsonb(r#"{"$odd": 12345678901234567890}"#))),
    ];
    let (mut encoded, mut ours) = (Vec::new(), Vec::new());
    for (kind, raw) in &values {
        let mut text = String::new();
        ours.push(value::push_value(&mut text, *kind, raw.as_deref()).unwrap().size);
        encoded.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert_eq!(harness.sizes(&encoded).await, ours, "{encoded:?}");
}

#[tokio::test]
async fn whole_numbers_keep_their_point() {
    let harness = Harness::start(&["customers"]);
    let doc = json!({ "id": 7, "big": { "$integer": "BwAAAAAAAAA=" }, "large": 1e21, "half": 0.5 });
    upsert(&harness, with(batch(1), json!({ "rows": [row("a", 1, doc)] }))).await.value();
    let fields = json!({ "fields": ["id", "big", "large", "half"] });
    for (format, big) in [("convex_encoded_json", r#"{"$integer":"BwAAAAAAAAA="}"#), ("json", "\"7\"")] {
        let asked = json!({
            "path": "liftlock/sync:documents", "args": with(all("customers"), fields.clone()), "format": format,
        });
        let request = http::client().post(format!("{}/api/query", harness.url)).json(&asked);
        let request = request.header("authorization", format!("Convex {DEPLOY_KEY}"));
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!(r#""doc":{{"big":{big},"half":0.5,"id":7.0,"large":1e+21}}"#)), "{text}");
    }
}

#[tokio::test]
async fn an_app_without_our_functions_says_so() {
    let app = TempDir::new().unwrap();
    fs::create_dir(app.path().join("convex")).unwrap();
    fs::write(app.path().join("convex/own.ts"), "export const nothing = 1;\n").unwrap();
    let harness = Harness::start_app(app.path());
    let answer = harness.call("query", "version", json!({})).await.unwrap();
    let message = answer.body["errorMessage"].as_str().unwrap();
    assert!(message.contains("Could not find public function for 'liftlock/sync:version'"), "{answer:?}");
    let spec = json!({ "path": "_system/cli/modules:apiSpec", "args": {} });
    assert_eq!(harness.post("/api/query", Some(DEPLOY_KEY), &spec).await.unwrap().value(), json!([]));
}

#[tokio::test]
async fn requests_that_are_not_convexes_are_refused() {
    let harness = Harness::start(&["customers"]);
    let good = r#"{"path":"liftlock/sync:version","args":{},"format":"json"}"#;
    let key = format!("Convex {DEPLOY_KEY}");
    for (headers, body, status, code) in [
        (vec![], good.to_owned(), 200, ""),
        (vec![("content-type", "text/plain")], good.to_owned(), 400, "BadJsonBody"),
        (vec![("convex-client", "liftlock")], good.to_owned(), 400, "InvalidClientVersion"),
        (vec![("authorization", "Bearer token")], good.to_owned(), 401, "InvalidAuthHeader"),
        (vec![("authorization", "Basic xyz")], good.to_owned(), 400, "InvalidHeaderFailure"),
        (vec![], "{".to_owned(), 400, "BadJsonBody"),
        (vec![], r#"{"args":{}}"#.to_owned(), 400, "BadJsonBody"),
        (vec![], r#"{"path":"a:b"}"#.to_owned(), 400, "BadJsonBody"),
        (vec![], good.replace("json", "xml"), 400, "BadFormat"),
        (vec![], format!("{good}{}", " ".repeat(17 * 1024 * 1024)), 400, "BadJsonBody"),
        (vec![], r#"{"path":"a:b","args":{"x":"\ud800"}}"#.to_owned(), 200, ""),
        (vec![], r#"{"path":"liftlock/sync:describe","args":{"propose":"\ud800"}}"#.to_owned(), 400, "BadJsonBody"),
    ] {
        let route = if body.contains("describe") { "mutation" } else { "query" };
        let mut request = http::client().post(format!("{}/api/{route}", harness.url)).body(body.clone());
        for (name, default) in [("content-type", "application/json"), ("authorization", key.as_str())] {
            if !headers.iter().any(|(it, _)| *it == name) {
                request = request.header(name, default);
            }
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let (found, told): (u16, Value) = (response.status().as_u16(), response.json().await.unwrap());
        assert_eq!(
            (found, told["code"].as_str().unwrap_or_default()),
            (status, code),
            "{}",
            &body[..body.len().min(80)]
        );
    }
}

#[tokio::test]
async fn values_that_convex_does_not_take_are_refused() {
    let harness = Harness::start(&["customers"]);
    for (number, (doc, is_taken)) in (1..).zip([
        (json!({ "a b.c-d": 1, "nested": { "": 1, "_x": 1 } }), true),
        (json!({ "a": { "naïve": 1 } }), false),
        (json!({ "a": { "$ref": "x", "y": 1 } }), false),
        (json!({ "a": { "$integer": "abc" } }), false),
        (json!({ "a": { "$float": "AAAAAAAA+D8=" } }), false),
        (json!({ "a": vec![0; 8192] }), true),
        (json!({ "a": vec![0; 8193] }), false),
    ]) {
        let answer = upsert(&harness, with(batch(number), json!({ "rows": [row("k", 1, doc.clone())] }))).await;
        assert_eq!(answer.body["status"] == "success", is_taken, "{number}: {answer:?}");
    }
}

#[tokio::test]
async fn too_much_a_second_or_at_a_time_is_429() {
    let harness = Harness::start(&["customers"]);
    harness.configure(json!({ "writeRate": 1000 })).await;
    let large = |number: u64| {
        with(batch(number), json!({ "rows": [row(&number.to_string(), 1, json!({ "id": "x".repeat(5000) }))] }))
    };
    let mut codes = Vec::new();
    for number in 1..=3 {
        codes.push(upsert(&harness, large(number)).await.code().to_owned());
    }
    // The server waits a little by itself before it says no, so that a second one may have got through.
    let statistics = harness.statistics().await;
    assert!(statistics["serverRetries"].as_u64().unwrap() > 0, "{statistics}");
    assert!(codes[0].is_empty(), "{codes:?}");

    harness.configure(json!({ "writeRate": 1_000_000_000, "permits": 0, "permitWait": 50 })).await;
    let answer = upsert(&harness, batch(10)).await;
    assert_eq!((answer.status, answer.code()), (429, "TooManyConcurrentRequests"));
}

#[tokio::test]
async fn it_tells_about_itself_what_a_preflight_asks() {
    let harness = Harness::start(&["customers", "app.orders"]);
    upsert(&harness, with(batch(1), json!({ "rows": [row("k", 1, json!({}))] }))).await.value();
    let system = async |path: &str, args: Value| {
        let asked = json!({ "path": path, "args": args, "format": "convex_encoded_json" });
        harness.post("/api/query", Some(DEPLOY_KEY), &asked).await.unwrap().value()
    };
    assert_eq!(system("_system/cli/tableSize", json!({ "tableName": "customers" })).await, 1);
    let tables = system("_system/cli/tables", json!({})).await;
    assert_eq!(tables["page"].as_array().unwrap().len(), 5);
    let spec = system("_system/cli/modules:apiSpec", json!({})).await;
    let upsert = spec.as_array().unwrap().iter().find(|it| it["identifier"] == "liftlock/sync.js:upsertBatch").unwrap();
    assert_eq!((&upsert["functionType"], &upsert["visibility"]["kind"]), (&json!("Mutation"), &json!("internal")));
    let state = async || {
        let asked = json!({ "tableName": "app__orders", "tableNamespace": null });
        system("_system/frontend/indexes", asked).await[0].clone()
    };
    assert_eq!((&state().await["name"], &state().await["backfill"]["state"]), (&json!("by_neon_key"), &json!("done")));
    harness.configure(json!({ "backfilling": ["app__orders"] })).await;
    assert_eq!(state().await["backfill"]["state"], "in_progress");

    let get = async |path: &str| {
        let request = http::client().get(format!("{}{path}", harness.url));
        request.header("authorization", format!("Convex {DEPLOY_KEY}")).send().await.unwrap()
    };
    assert_eq!(get("/version").await.text().await.unwrap(), "test-server");
    let rights: Value = get("/api/check_admin_key").await.json().await.unwrap();
    assert_eq!((&rights["success"], &rights["isReadOnly"]), (&json!(true), &json!(false)));
    let both = json!({ "queries": [
        { "path": "liftlock/sync:counts", "args": {}, "format": "json" },
        { "path": "liftlock/sync:nothing", "args": {}, "format": "json" },
    ] });
    let results = harness.post("/api/query_batch", Some(DEPLOY_KEY), &both).await.unwrap().body["results"].clone();
    assert_eq!((&results[0]["status"], &results[1]["status"]), (&json!("success"), &json!("error")));
}

#[tokio::test]
async fn it_does_not_outlive_who_started_it() {
    let mut harness = Harness::start(&["customers"]);
    // All that a killed process leaves behind is the end of the pipe.
    drop(harness.server.stdin.take());
    assert!(harness.server.wait().unwrap().success());
    assert!(http::client().get(format!("{}/version", harness.url)).send().await.is_err());
}
