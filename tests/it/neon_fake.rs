//! The fake Neon, asked by plain HTTP: does it do what is known of the real one?

use std::time::Duration;

use liftlock::services::http;
use serde_json::{Value, json};

use crate::support::neon::FakeNeon;

/// Asks the fake; the status, and the body when there is one.
pub async fn ask(neon: &FakeNeon, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/projects/{}{path}", neon.api_url, neon.project);
    let mut request = http::client().request(method.parse().unwrap(), url).bearer_auth(neon.key().expose());
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

/// The same until the project is not locked any more.
async fn when_free(neon: &FakeNeon, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    loop {
        let answer = ask(neon, method, path, body.clone()).await;
        if answer.0 != 423 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn settled(neon: &FakeNeon, answer: &Value) {
    for operation in answer["operations"].as_array().unwrap() {
        loop {
            let (_, read) = ask(neon, "GET", &format!("/operations/{}", operation["id"].as_str().unwrap()), None).await;
            match read["operation"]["status"].as_str().unwrap() {
                "finished" => break,
                "scheduling" | "running" => tokio::time::sleep(Duration::from_millis(10)).await,
                other => panic!("{other}: {read:#}"),
            }
        }
    }
}

#[tokio::test]
async fn a_branch_is_a_copy_at_its_lsn_and_a_restore_puts_it_back() {
    let neon = FakeNeon::start();
    neon.execute("create table poles (id int primary key); insert into poles select generate_series(1, 9)").await;
    let (status, made) = ask(&neon, "POST", "/branches", Some(json!({ "branch": { "name": "kept" } }))).await;
    assert_eq!(status, 201, "{made:#}");
    settled(&neon, &made).await;
    let lsn = made["branch"]["parent_lsn"].as_str().unwrap();
    neon.execute("delete from poles where id > 2").await;
    let body = json!({ "source_branch_id": neon.branch, "source_lsn": lsn, "preserve_under_name": "before" });
    let (status, restored) = ask(&neon, "POST", &format!("/branches/{}/restore", neon.branch), Some(body)).await;
    assert_eq!(status, 200, "{restored:#}");
    settled(&neon, &restored).await;
    assert_eq!(neon.text("select count(*)::text from poles").await, "9");
    let preserved = neon.branches().into_iter().find(|it| it.name == "before").unwrap();
    let body = json!({ "endpoint": { "branch_id": preserved.id, "type": "read_write" } });
    let (status, made) = when_free(&neon, "POST", "/endpoints", Some(body)).await;
    assert_eq!(status, 201, "{made:#}");
    settled(&neon, &made).await;
}
