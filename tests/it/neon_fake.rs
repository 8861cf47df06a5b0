//! The fake Neon, asked by plain HTTP: does it do what is known of the real one? Where the real one is not known,
//! it must be able to do both.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use liftlock::{
    secret::Secret,
    services::{
        http,
        postgres::{self, Address, Options},
    },
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time;

use crate::support::neon::{
    FakeNeon, Setup,
    faults::{
        Access, AfterRestore, Call, Done, Ending, Fault, Fields, Hosts, How, Look, Pages, Plan, RetryAfter, Verdict,
        Words, answer, throttled,
    },
};

/// Asks the fake below its project; the status, and the body when it is JSON.
pub async fn ask(neon: &FakeNeon, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/projects/{}{path}", neon.api_url, neon.project);
    let mut request = http::client().request(method.parse().unwrap(), url).bearer_auth(neon.key().expose());
    if let Some(body) = body {
        request = request.json(&body);
    }
    // The machine may be busy with other tests.
    let response = request.timeout(Duration::from_secs(120)).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

/// A mutation that is taken, when the project is free, and the wait for its operations.
async fn done(neon: &FakeNeon, method: &str, path: &str, body: Option<Value>) -> Value {
    let began = loop {
        let (status, answer) = ask(neon, method, path, body.clone()).await;
        match status {
            423 => time::sleep(Duration::from_millis(10)).await,
            200 | 201 => break answer,
            other => panic!("{method} {path}: {other} {answer:#}"),
        }
    };
    for operation in began["operations"].as_array().unwrap() {
        loop {
            match status(neon, operation).await.as_str() {
                "finished" => break,
                "scheduling" | "running" => time::sleep(Duration::from_millis(10)).await,
                other => panic!("{method} {path}: {other}"),
            }
        }
    }
    began
}

async fn status(neon: &FakeNeon, operation: &Value) -> String {
    let (_, read) = ask(neon, "GET", &format!("/operations/{}", operation["id"].as_str().unwrap()), None).await;
    read["operation"]["status"].as_str().unwrap().to_owned()
}

async fn create(neon: &FakeNeon, name: &str) -> Value {
    done(neon, "POST", "/branches", Some(json!({ "branch": { "name": name } }))).await["branch"].clone()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

fn restore_from(source: &str, lsn: Option<&Value>, preserve: &str) -> Option<Value> {
    let mut body = json!({ "source_branch_id": source, "preserve_under_name": preserve });
    if let Some(lsn) = lsn {
        body["source_lsn"] = lsn.clone();
    }
    Some(body)
}

fn in_days(days: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_hours(24 * days);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test]
async fn a_restore_from_itself_brings_the_rows_back_and_keeps_what_there_was() {
    let neon = FakeNeon::start();
    neon.execute("create table poles (id int primary key); insert into poles select generate_series(1, 9)").await;
    neon.execute("select pg_create_physical_replication_slot('mirror')").await;
    let kept = create(&neon, "kept").await;
    neon.execute("delete from poles where id > 2").await;
    let session = neon.session().await;
    let (url, timeline) = (neon.database_url(), neon.text("show neon.timeline_id").await);
    let path = format!("/branches/{}/restore", neon.branch);
    let restored = done(&neon, "POST", &path, restore_from(&neon.branch, Some(&kept["parent_lsn"]), "before")).await;
    assert_eq!(id(&restored["branch"]), neon.branch);
    assert!(session.query_one("select 1", &[]).await.is_err(), "open connections drop");
    assert_eq!(neon.database_url().expose(), url.expose(), "the address stays");
    assert_eq!(neon.text("select count(*)::text from poles").await, "9");
    assert_eq!(neon.text("select count(*)::text from pg_replication_slots").await, "0");
    assert_ne!(neon.text("show neon.timeline_id").await, timeline);
    let now = neon.branches();
    let preserved = now.iter().find(|it| it.name == "before").unwrap();
    assert_eq!(now.iter().find(|it| it.name == "kept").unwrap().parent.as_ref(), Some(&preserved.id), "children move");
    let compute = json!({ "endpoint": { "branch_id": preserved.id, "type": "read_write" } });
    done(&neon, "POST", "/endpoints", Some(compute)).await;
    let address = Address::parse(&neon.url_of(&preserved.id)).unwrap();
    let session = postgres::connect(&address, &Options::default()).await.unwrap();
    let row = session.query_one("select count(*), current_setting('neon.branch_id') from poles", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, String>(1)), (2, preserved.id.clone()));
    session.close().await;
    // The point belongs to the preserved branch now, before the last reset.
    let again = ask(&neon, "POST", &path, restore_from(&neon.branch, Some(&kept["parent_lsn"]), "more")).await;
    assert_eq!((again.0, again.1["message"].as_str().unwrap().contains("outside")), (422, true));
    done(&neon, "DELETE", &format!("/branches/{}", id(&kept)), None).await;
    done(&neon, "DELETE", &format!("/branches/{}", preserved.id), None).await;
}

#[tokio::test]
async fn a_restore_from_another_branch_leaves_a_root_that_stays_for_ever() {
    for (switch, expected) in [(Verdict::Refused, 422), (Verdict::Allowed, 200)] {
        let neon = FakeNeon::start();
        neon.set(|it| {
            (it.restore_from_expiring, it.timeline, it.annotation) =
                (switch, AfterRestore::Stays, AfterRestore::Changes);
        });
        neon.change_branch(&neon.branch, |it| _ = it.annotation.insert("a".to_owned(), "b".to_owned()));
        neon.execute("create table poles (id int primary key)").await;
        let timeline = neon.text("show neon.timeline_id").await;
        let body = json!({ "branch": { "name": "kept", "expires_at": in_days(1) } });
        let kept = done(&neon, "POST", "/branches", Some(body)).await["branch"].clone();
        neon.execute("drop table poles").await;
        let path = format!("/branches/{}/restore", neon.branch);
        let (status, said) = ask(&neon, "POST", &path, restore_from(id(&kept), None, "before")).await;
        assert_eq!(status, expected, "{said:#}");
        if status != 200 {
            continue;
        }
        while neon.branches().iter().any(|it| it.state != "ready") {
            time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(neon.text("select count(*)::text from poles").await, "0");
        assert_eq!(neon.text("show neon.timeline_id").await, timeline);
        let preserved = neon.branches().into_iter().find(|it| it.name == "before").unwrap();
        assert!(preserved.annotation.contains_key("a"), "it went with the old state");
        for branch in [id(&kept), &preserved.id] {
            assert_eq!(ask(&neon, "DELETE", &format!("/branches/{branch}"), None).await.0, 422);
        }
    }
}

#[tokio::test]
async fn what_the_rules_forbid_is_refused_with_known_words() {
    let neon = FakeNeon::start();
    let kept = create(&neon, "kept").await;
    let expiring = neon.add_branch("expiring", |it| it.expires_at = Some(Timestamp::MAX));
    let (production, kept) = (neon.branch.clone(), id(&kept).to_owned());
    let branch = |more: Value| Some(json!({ "branch": more }));
    let (itself, other) = (format!("/branches/{production}"), format!("/branches/{kept}"));
    let restore = format!("{itself}/restore");
    let uri = "/connection_uri?role_name=neondb_owner&pooled=false";
    for (method, path, body, status, words) in [
        ("POST", "/branches", branch(json!({ "nam": "x" })), 400, "nam"),
        ("POST", "/branches", branch(json!({ "parent_id": "BR_1" })), 400, "does not match"),
        ("POST", "/branches", branch(json!({ "expires_at": "2030-01-01T00:00:00.5Z" })), 400, "does not match"),
        ("POST", "/branches", branch(json!({ "expires_at": "2030-01-01T00:00:00" })), 400, "does not match"),
        ("POST", "/branches", branch(json!({ "expires_at": in_days(-1) })), 422, "30 days"),
        ("POST", "/branches", branch(json!({ "expires_at": in_days(31) })), 422, "30 days"),
        ("POST", "/branches", branch(json!({ "expires_at": in_days(1), "protected": true })), 422, "cannot expire"),
        ("POST", "/branches", branch(json!({ "parent_id": "br-none" })), 404, "branch not found"),
        ("POST", "/branches", branch(json!({ "parent_id": expiring })), 422, "cannot have children"),
        ("POST", "/branches", branch(json!({ "name": "kept" })), 409, "branch already exists; branch_name:\"kept\""),
        ("POST", "/branches", branch(json!({ "parent_lsn": "F/1" })), 422, "outside"),
        ("POST", "/branches", Some(json!({ "annotation_value": { "a": 1 } })), 400, "annotation_value/a"),
        ("GET", "/branches?serch=x", None, 400, "unknown parameter serch"),
        ("GET", "/branches/br-none", None, 404, "branch not found"),
        ("GET", "/branches?limit=0", None, 400, "limit"),
        ("PATCH", &itself, branch(json!({ "expires_at": in_days(1) })), 422, "cannot expire"),
        ("PATCH", &other, branch(json!({ "annotation": {} })), 400, "annotation"),
        ("PATCH", &other, branch(json!({ "name": "expiring" })), 409, "already exists"),
        ("DELETE", &itself, None, 422, "default branch"),
        ("DELETE", &itself, Some(json!({})), 400, "no body"),
        ("DELETE", "/branches/br-none", None, 204, ""),
        ("POST", &restore, Some(json!({})), 400, "source_branch_id"),
        ("POST", &restore, Some(json!({ "source_branch_id": production })), 422, "preserve_under_name"),
        ("POST", &restore, Some(json!({ "source_branch_id": kept })), 422, "preserve_under_name"),
        ("POST", &restore, restore_from(&production, Some(&json!("0/1")), "x"), 422, "outside"),
        ("POST", &restore, restore_from(&production, Some(&json!("0/1")), "kept"), 409, "already exists"),
        ("POST", &restore, restore_from("br-none", None, "x"), 404, "source branch not found"),
        ("POST", &format!("/branches/{expiring}/set_as_default"), None, 422, "expires"),
        ("GET", uri, None, 400, "database_name"),
        ("GET", &format!("{uri}&database_name=x"), None, 404, "database not found"),
        ("GET", &format!("{uri}&database_name=neondb&branch_id={kept}"), None, 404, "endpoint not found"),
        ("GET", &format!("{itself}/roles/neondb_owner/reveal_password"), None, 200, "npg_"),
        ("GET", &format!("{itself}/roles/nobody/reveal_password"), None, 404, "role not found"),
        ("GET", &format!("{itself}/roles"), None, 200, "neondb_owner"),
        ("GET", &format!("{itself}/databases"), None, 200, "neondb"),
        ("GET", "/operations/none", None, 404, "operation not found"),
        ("GET", "/nothing", None, 404, "path not found"),
        ("PATCH", "", Some(json!({ "project": { "history_retention_seconds": 7200 } })), 200, "7200"),
    ] {
        let (found, said) = ask(&neon, method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {said}");
        assert!(said.to_string().replace('\\', "").contains(words), "{method} {path}: {said}");
    }
    neon.set(|it| it.stored_passwords = Verdict::Refused);
    for path in [format!("{uri}&database_name=neondb"), format!("{itself}/roles/neondb_owner/reveal_password")] {
        assert_eq!(ask(&neon, "GET", &path, None).await.0, 412);
    }
    let made = neon.requests().iter().filter(|it| it.is_mutation() && it.status == Some(201)).count();
    assert_eq!((made, neon.branches().len()), (1, 3), "nothing was done");
}

#[tokio::test]
async fn limits_are_those_of_the_plan() {
    let neon = FakeNeon::start();
    let body = |more: Value| Some(json!({ "branch": more }));
    for (plan, branches, body, words) in [
        (Plan::Free, 10, body(json!({ "name": "x" })), "branches limit exceeded"),
        (Plan::Free, 3, body(json!({ "init_source": "schema-only" })), "root branches limit exceeded"),
        (Plan::Free, 1, body(json!({ "protected": true })), "maximum number of protected branches"),
        (Plan::Launch, 5, body(json!({ "init_source": "schema-only" })), "root branches limit exceeded"),
        (Plan::Launch, 3, body(json!({ "protected": true })), "maximum number of protected branches"),
        (Plan::Scale, 25, body(json!({ "init_source": "schema-only" })), "root branches limit exceeded"),
    ] {
        neon.set(|it| (it.plan, it.codes) = (plan, Verdict::Allowed));
        for branch in neon.branches().iter().filter(|it| !it.default) {
            neon.remove_branch(&branch.id);
        }
        for number in 1..branches {
            neon.add_branch(&format!("n{number}"), |it| (it.parent, it.protected) = (None, true));
        }
        let (status, said) = ask(&neon, "POST", "/branches", body).await;
        assert_eq!(status, 422);
        assert!(said["message"].as_str().unwrap().contains(words), "{said:#}");
        let code = if words.starts_with("branches") { "BRANCHES_LIMIT_EXCEEDED" } else { "" };
        assert_eq!(said["code"], code);
    }
}

#[tokio::test]
async fn who_may_not_ask_is_told_in_one_of_four_ways() {
    let neon = FakeNeon::start();
    let (read, change) = (format!("/branches/{}", neon.branch), "/branches");
    for (access, expected) in [
        (Access::Full, (200, 201)),
        (Access::ReadOnly, (200, 403)),
        (Access::Forbidden, (403, 403)),
        (Access::Hidden, (404, 404)),
    ] {
        neon.set(|it| it.access = access);
        let found = (ask(&neon, "GET", &read, None).await.0, ask(&neon, "POST", change, None).await.0);
        assert_eq!(found, expected, "{access:?}");
    }
    neon.set(|it| it.access = Access::Full);
    for (path, key, expected) in [
        ("/auth", neon.key().expose(), 200),
        ("/auth", "napi_wrong", 401),
        ("/projects", neon.key().expose(), 200),
        ("/projects/other-project-1", neon.key().expose(), 404),
        ("/projects//branches", neon.key().expose(), 308),
    ] {
        let sent = http::client().request(Method::GET, format!("{}{path}", neon.api_url)).bearer_auth(key).send();
        assert_eq!(sent.await.unwrap().status().as_u16(), expected, "{path}");
    }
    let requests = neon.requests();
    assert!(!format!("{requests:?}").contains(neon.key().expose()), "the log has no key");
    assert!(requests.iter().all(|it| it.user_agent.starts_with("liftlock/")));
}

#[tokio::test]
async fn pages_end_in_each_of_the_ways_that_were_seen() {
    let neon = FakeNeon::start();
    for name in ["a1", "a2", "b1"] {
        neon.add_branch(name, |_| {});
    }
    neon.set(|it| it.page_length = 2);
    for (pages, expected) in [
        (Pages::Plain, &[(2, true), (2, false)][..]),
        (Pages::TrailingEmpty, &[(2, true), (2, true), (0, false)]),
        (Pages::Repeating, &[(2, true), (2, true), (2, true)]),
    ] {
        neon.set(|it| it.pages = pages);
        let mut next = Some(String::new());
        for (count, more) in expected {
            let cursor = next.take().filter(|it| !it.is_empty()).map(|it| format!("?cursor={it}")).unwrap_or_default();
            let (_, page) = ask(&neon, "GET", &format!("/branches{cursor}"), None).await;
            next = page["pagination"]["next"].as_str().map(str::to_owned);
            assert_eq!((page["branches"].as_array().unwrap().len(), next.is_some()), (*count, *more), "{pages:?}");
        }
    }
    for (search, expected) in [("a", 2), ("1", 2), ("a1", 1), ("zz", 0)] {
        let (_, counted) = ask(&neon, "GET", &format!("/branches/count?search={search}"), None).await;
        // Ids are searched, too, and random.
        assert!(counted["count"].as_u64().unwrap() >= expected, "{search}: {counted}");
    }
}

#[tokio::test]
async fn operations_end_in_every_way_and_lock_the_project_meanwhile() {
    let neon = FakeNeon::start();
    let hour = Duration::from_secs(3600);
    neon.set(|it| (it.operation_time, it.operations_unlisted) = (hour, Duration::from_secs(60)));
    for (ending, expected, gone) in [
        (Ending::Finished, "scheduling running finished finished", true),
        (Ending::Skipped, "scheduling running skipped skipped", true),
        (Ending::Error, "scheduling running error error", false),
        (Ending::Cancelled, "scheduling running cancelled cancelled", false),
        (Ending::FailedThenFinished, "scheduling running failed finished", true),
        (Ending::FailedForGood, "scheduling running failed failed", false),
        (Ending::Never, "scheduling running running running", false),
    ] {
        let branch = neon.add_branch(&format!("{ending:?}"), |_| {});
        neon.set(|it| it.endings = vec![ending]);
        let (_, begun) = ask(&neon, "DELETE", &format!("/branches/{branch}"), None).await;
        let mut seen = Vec::new();
        for wait in [0, 40, 30, 60] {
            neon.advance(Duration::from_secs(60 * wait));
            seen.push(status(&neon, &begun["operations"][0]).await);
            let (locked, _) = ask(&neon, "PATCH", "", Some(json!({ "project": {} }))).await;
            let open = matches!(seen.last().unwrap().as_str(), "scheduling" | "running");
            assert_eq!(locked == 423, open, "{ending:?} {seen:?}");
            let (_, list) = ask(&neon, "GET", "/operations", None).await;
            let listed =
                list["operations"].as_array().unwrap().iter().any(|it| it["id"] == begun["operations"][0]["id"]);
            assert_eq!(listed, wait > 0, "the list knows it later");
        }
        assert_eq!(seen.join(" "), expected);
        assert_eq!(!neon.branches().iter().any(|it| it.id == branch), gone, "{ending:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_looks_the_same_whether_it_was_done_or_not() {
    let neon = FakeNeon::start();
    for look in [Look::HangUp, Look::Truncated, Look::Html524, Look::Text502, Look::Empty504, Look::Json500] {
        for fate in [Done::Yes, Done::No] {
            neon.forget_requests();
            neon.fail(Fault::once(Call::CreateBranch, How::Lose(fate, look)));
            let url = format!("{}/projects/{}/branches", neon.api_url, neon.project);
            let body = json!({ "branch": { "name": format!("{look:?} {fate:?}") } });
            let sent = http::client().post(url).bearer_auth(neon.key().expose()).json(&body).send().await;
            let seen = match sent {
                Err(_) => "nothing".to_owned(),
                Ok(answer) => {
                    let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
                    let whole = answer.bytes().await.is_ok();
                    format!("{status} {whole} {}", kind.map_or(String::new(), |it| it.to_str().unwrap().to_owned()))
                }
            };
            let expected = match look {
                Look::HangUp => "nothing",
                Look::Truncated => "201 false ",
                Look::Html524 => "524 true text/html",
                Look::Text502 => "502 true text/plain",
                Look::Empty504 => "504 true text/plain",
                Look::Json500 => "500 true application/json",
            };
            assert_eq!(seen, expected);
            assert_eq!(neon.mutations("POST", "/branches").len(), 1);
            let there = neon.branches().iter().any(|it| it.name == format!("{look:?} {fate:?}"));
            assert_eq!(there, fate == Done::Yes, "{look:?}");
            while ask(&neon, "PATCH", "", Some(json!({ "project": {} }))).await.0 == 423 {
                time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[tokio::test]
async fn throttling_and_locks_do_nothing_and_pass() {
    let neon = FakeNeon::start();
    for (retry_after, expected) in [
        (RetryAfter::Absent, None),
        (RetryAfter::Seconds(7), Some("7")),
        (RetryAfter::Date(30), Some("GMT")),
        (RetryAfter::Text("soon"), Some("soon")),
    ] {
        for status in [429, 503] {
            neon.fail(Fault::once(Call::Any, throttled(status, retry_after)));
            let url = format!("{}/projects/{}", neon.api_url, neon.project);
            let answer = http::client().get(url).bearer_auth(neon.key().expose()).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            let header = answer.headers().get("retry-after").map(|it| it.to_str().unwrap().to_owned());
            assert_eq!(header.is_some(), expected.is_some());
            assert!(header.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
    neon.lock(Duration::from_secs(60));
    let (status, said) = ask(&neon, "POST", "/branches", None).await;
    assert_eq!((status, said["code"].as_str()), (423, Some("")));
    assert!(said["message"].as_str().unwrap().starts_with("project already has running conflicting operations"));
    let (_, list) = ask(&neon, "GET", "/operations", None).await;
    assert_eq!(list["operations"], json!([]), "nobody sees why");
    neon.advance(Duration::from_secs(61));
    neon.fail(Fault::once(Call::AnyMutation, answer(423, "endpoint is in some transitive state")).after(1).times(2));
    let empty = || Some(json!({ "project": {} }));
    let mut found = Vec::new();
    for _ in 0..4 {
        found.push(ask(&neon, "PATCH", "", empty()).await.0);
    }
    assert_eq!(found, [200, 423, 423, 200]);
}

#[tokio::test]
async fn a_new_branch_shows_itself_bit_by_bit() {
    let neon = FakeNeon::start();
    neon.set(|it| {
        (it.operation_time, it.branch_unreadable) = (Duration::from_secs(60), Duration::from_secs(30));
        (it.lsn_at_end, it.words) = (Verdict::Allowed, Words::Unknown);
    });
    let body = json!({ "branch": { "name": "new" }, "annotation_value": { "nonce": "n" },
        "endpoints": [{ "type": "read_write" }] });
    let (status, made) = ask(&neon, "POST", "/branches", Some(body)).await;
    assert_eq!((status, made["operations"].as_array().unwrap().len()), (201, 2));
    assert_eq!(made["branch"]["current_state"], "warming_up");
    assert!(made["branch"]["parent_lsn"].is_null() && made["branch"]["flux_capacity"].is_object());
    let path = format!("/branches/{}", id(&made["branch"]));
    assert_eq!(ask(&neon, "GET", &path, None).await.0, 404);
    neon.advance(Duration::from_secs(31));
    assert_eq!(ask(&neon, "GET", &path, None).await.0, 200);
    assert_eq!(self::status(&neon, &made["operations"][0]).await, "warming_up");
    neon.advance(Duration::from_secs(31));
    let branch = loop {
        let (_, read) = ask(&neon, "GET", &path, None).await;
        if read["branch"]["current_state"] == "ready" {
            break read;
        }
        time::sleep(Duration::from_millis(10)).await;
    };
    assert!(branch["branch"]["parent_lsn"].as_str().unwrap().contains('/'));
    assert_eq!(branch["annotation"]["value"]["nonce"], "n");
    neon.set(|it| (it.words, it.fields) = (Words::Known, Fields::Required));
    let (_, project) = ask(&neon, "GET", "", None).await;
    assert!(project["project"]["owner"].is_null() && project["project"]["history_retention_seconds"].is_number());
    for (hosts, expected) in
        [(Hosts::Local, "127.0.0.1"), (Hosts::Plain, ".us-east-2.aws.neon.tech"), (Hosts::Cell, ".c-2.us")]
    {
        neon.set(|it| it.hosts = hosts);
        let (_, list) = ask(&neon, "GET", &format!("{path}/endpoints"), None).await;
        assert!(list["endpoints"][0]["host"].as_str().unwrap().contains(expected));
        assert_eq!(ask(&neon, "GET", &format!("/endpoints/{}", id(&list["endpoints"][0])), None).await.0, 200);
    }
}

#[tokio::test]
async fn passwords_of_children_differ_where_the_parent_is_protected() {
    for protected in [true, false] {
        let password = "correct-horse".to_owned();
        let neon = FakeNeon::with(Setup { protected, password: password.clone(), ..Setup::default() });
        let body = json!({ "branch": { "name": "child" }, "endpoints": [{ "type": "read_write" }] });
        let made = done(&neon, "POST", "/branches", Some(body)).await;
        let url = Secret::new(made["connection_uris"][0]["connection_uri"].as_str().unwrap());
        assert_eq!(url.expose().contains(&password), !protected);
        let mut address = Address::parse(&neon.url_of(id(&made["branch"]))).unwrap();
        postgres::connect(&address, &Options::default()).await.unwrap().close().await;
        address.password = Some(Secret::new(password));
        assert_eq!(postgres::connect(&address, &Options::default()).await.is_err(), protected);
        let endpoint = neon.endpoint_of(&neon.branch);
        let (status, _) = ask(&neon, "DELETE", &format!("/endpoints/{endpoint}"), None).await;
        assert_eq!(status, if protected { 422 } else { 200 });
    }
    let neon = FakeNeon::with(Setup {
        protected: true,
        roles: vec!["neondb_owner", "app"],
        databases: vec!["neondb", "more"],
        ..Setup::default()
    });
    let kept = done(&neon, "POST", "/branches", Some(json!({ "endpoints": [{ "type": "read_write" }] }))).await;
    assert!(kept["connection_uris"].is_null(), "with two roles or databases there is none");
    let path = format!("/branches/{}/restore", neon.branch);
    for (switch, expected) in [(Verdict::Refused, 422), (Verdict::Allowed, 200)] {
        neon.set(|it| it.restore_of_protected = switch);
        let body = restore_from(&neon.branch, Some(&kept["branch"]["parent_lsn"]), "before");
        assert_eq!(ask(&neon, "POST", &path, body).await.0, expected);
    }
}

#[tokio::test]
async fn what_expires_goes_late_and_never_under_its_children() {
    let neon = FakeNeon::start();
    neon.set(|it| it.expiry = Verdict::Refused);
    let body = json!({ "branch": { "name": "kept", "expires_at": in_days(1) } });
    assert_eq!(ask(&neon, "POST", "/branches", Some(body.clone())).await.0, 422);
    neon.set(|it| it.expiry = Verdict::Allowed);
    let kept = done(&neon, "POST", "/branches", Some(body)).await["branch"].clone();
    let soon = Timestamp::now() + SignedDuration::from_secs(10);
    neon.add_branch("soon", |it| it.expires_at = Some(soon));
    let parent = neon.add_branch("parent", |it| it.expires_at = Some(soon));
    neon.add_branch("child", |it| it.parent = Some(parent));
    let names = || neon.branches().into_iter().map(|it| it.name).collect::<BTreeSet<_>>();
    neon.advance(Duration::from_secs(30));
    assert!(names().contains("soon"), "not to the minute");
    neon.advance(Duration::from_secs(60));
    assert_eq!(names(), BTreeSet::from(["child", "kept", "parent", "production"].map(str::to_owned)));
    let path = format!("/branches/{}", id(&kept));
    let cleared = done(&neon, "PATCH", &path, Some(json!({ "branch": { "expires_at": null } }))).await;
    assert!(cleared["branch"]["expires_at"].is_null());
    neon.advance(Duration::from_secs(40 * 86_400));
    assert!(names().contains("kept"));
    done(&neon, "POST", &format!("{path}/set_as_default"), None).await;
    assert!(neon.branches().iter().any(|it| it.default && it.name == "kept"));
}

#[tokio::test]
async fn history_ends_where_the_window_does() {
    let neon = FakeNeon::start();
    let kept = create(&neon, "kept").await;
    let path = format!("/branches/{}/restore", neon.branch);
    let at = Timestamp::now().to_string();
    neon.advance(Duration::from_secs(86_401));
    let old = ask(&neon, "POST", &path, restore_from(&neon.branch, Some(&kept["parent_lsn"]), "x")).await;
    assert_eq!(old.0, 422, "{old:?}");
    let body = json!({ "source_branch_id": neon.branch, "source_timestamp": at, "preserve_under_name": "y" });
    assert_eq!(ask(&neon, "POST", &path, Some(body.clone())).await.0, 422);
    let wider = json!({ "project": { "history_retention_seconds": 604_800 } });
    done(&neon, "PATCH", "", Some(wider)).await;
    done(&neon, "POST", &path, Some(body)).await;
}

#[tokio::test]
async fn computes_come_and_go() {
    let neon = FakeNeon::start();
    let kept = create(&neon, "kept").await;
    let wanted = |kind: &str| Some(json!({ "endpoint": { "branch_id": id(&kept), "type": kind, "name": "look" } }));
    neon.set(|it| it.lone_read_only = Verdict::Refused);
    assert_eq!(ask(&neon, "POST", "/endpoints", wanted("read_only")).await.0, 422);
    neon.set(|it| it.lone_read_only = Verdict::Allowed);
    done(&neon, "POST", "/endpoints", wanted("read_only")).await;
    let made = done(&neon, "POST", "/endpoints", wanted("read_write")).await["endpoint"].clone();
    assert_eq!((made["name"].as_str(), made["current_state"].as_str()), (Some("look"), Some("init")));
    assert_eq!(ask(&neon, "POST", "/endpoints", wanted("read_write")).await.0, 409);
    let path = format!("/endpoints/{}", id(&made));
    let address = || Address::parse(&neon.url_of(id(&kept))).unwrap();
    let before = address();
    for (call, works) in [("suspend", false), ("start", true)] {
        done(&neon, "POST", &format!("{path}/{call}"), None).await;
        let connected = postgres::connect(&before, &Options::default()).await;
        assert_eq!(connected.is_ok(), works, "{call}");
    }
    let (_, listed) = ask(&neon, "GET", "/endpoints", None).await;
    assert_eq!(listed["endpoints"].as_array().unwrap().len(), 3);
    done(&neon, "DELETE", &path, None).await;
    assert_eq!(ask(&neon, "DELETE", &path, None).await, (204, Value::Null));
    done(&neon, "DELETE", &format!("/branches/{}", id(&kept)), None).await;
    assert_eq!(ask(&neon, "DELETE", &format!("/branches/{}", id(&kept)), None).await, (204, Value::Null));
}

#[tokio::test]
async fn a_snapshot_without_a_target_hits_the_branch_it_was_made_of() {
    let neon = FakeNeon::start();
    neon.set(|it| it.plan = Plan::Free);
    neon.execute("create table poles (id int primary key)").await;
    let path = format!("/branches/{}/snapshot?name=kept", neon.branch);
    assert_eq!(ask(&neon, "POST", &path, Some(json!({ "name": "kept" }))).await.0, 400, "no body");
    let made = done(&neon, "POST", &path, None).await;
    assert_eq!(ask(&neon, "POST", &path, None).await.0, 422, "one is all there is");
    let (_, list) = ask(&neon, "GET", "/snapshots", None).await;
    assert_eq!(list["snapshots"][0]["name"], "kept");
    let restore = format!("/snapshots/{}/restore", id(&made["snapshot"]));
    let beside = done(&neon, "POST", &restore, None).await;
    assert_ne!(id(&beside["branch"]), neon.branch, "not finalized: beside it");
    neon.execute("drop table poles").await;
    let onto = done(&neon, "POST", &restore, Some(json!({ "finalize_restore": true }))).await;
    assert_eq!(id(&onto["branch"]), neon.branch);
    assert_eq!(neon.text("select count(*)::text from poles").await, "0");
    let itself = format!("/branches/{}/restore", neon.branch);
    let (status, said) = ask(&neon, "POST", &itself, restore_from(&neon.branch, Some(&json!("0/1")), "x")).await;
    assert_eq!((status, said["message"].as_str().unwrap().contains("still ongoing")), (422, true));
    let delete = format!("/snapshots/{}", id(&made["snapshot"]));
    assert_eq!(ask(&neon, "DELETE", &delete, None).await.0, 202);
}

#[tokio::test]
async fn nothing_is_left_of_it() {
    let neon = FakeNeon::start();
    let address = Address::parse(&neon.database_url()).unwrap();
    let folder = neon.folder();
    postgres::connect(&address, &Options::default()).await.unwrap().close().await;
    assert!(folder.exists() && !neon.server_logs().is_empty());
    drop(neon);
    assert!(!folder.exists());
    assert!(postgres::connect(&address, &Options::default()).await.is_err());
}
