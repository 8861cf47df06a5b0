//! What is wrong with a key, the functions or the tables is said by name, with what to do, and nothing is written.

use std::{fs, path::Path, process::Output};

use liftlock::{
    config::{Convex, ConvexAuth, Deletes, ProfileName, Verify},
    secret::Secret,
    services::mirror::{ConvexMirror, MirrorError, convex::preflight},
    sync::SyncError,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Setting, only, outcome, unfolded};
use crate::{
    support::{
        self, TestDatabase,
        convex::{DEPLOY_KEY, Harness, SYNC_AUTH_KEY, write_app},
    },
    sync::{NUMBERS, NUMBERS_COLUMNS},
};

/// Stands for whatever key somebody has: it must not be in anything that is shown.
const CANARY: &str = "prod:canary-otter-7|canarycanarycanarycanary0000";
const SHARED_CANARY: &str = "canary-shared-canary-shared-canary-0000";

fn deploy_key(url: &str, key: &str) -> Convex {
    let auth = ConvexAuth::DeployKey(Secret::new(key));
    Convex { url: url.to_owned(), auth, functions: "liftlock/sync".to_owned() }
}

fn shared_key(url: &str, key: &str) -> Convex {
    Convex { auth: ConvexAuth::SyncAuthKey(Secret::new(key)), ..deploy_key(url, "") }
}

#[tokio::test]
async fn both_ways_of_being_known_carry_everything() {
    let setting = Setting::new("both_ways_of_being_known", NUMBERS, &["numbers"]).await;
    setting.harness.configure(json!({ "syncAuthKey": SYNC_AUTH_KEY })).await;
    let open = |settings| ConvexMirror::open(&settings, ProfileName::Production).unwrap();
    let public = open(shared_key(&setting.harness.url, SYNC_AUTH_KEY));
    assert_eq!(outcome(&only(setting.carry(&public).await.unwrap())), [100, 100, 100, 0, 0, 0]);
    // The other door leads to the same mirror.
    assert_eq!(outcome(&only(setting.sync().await)), [100, 100, 0, 0, 100, 0]);
}

#[tokio::test]
async fn whatever_is_wrong_is_said_with_what_to_do() {
    let setting = Setting::new("whatever_is_wrong_is_said", NUMBERS, &["numbers"]).await;
    let other = Harness::start(&["others"]);
    let newer = TempDir::new().unwrap();
    write_app(newer.path(), &["numbers"]);
    let guard = newer.path().join("convex/liftlock/guard.ts");
    let text = fs::read_to_string(&guard).unwrap();
    assert!(text.contains("PROTOCOL = 1;"));
    fs::write(&guard, text.replace("PROTOCOL = 1;", "PROTOCOL = 2;")).unwrap();
    let newer = Harness::start_app(newer.path());
    let bare = TempDir::new().unwrap();
    fs::create_dir_all(bare.path().join("convex")).unwrap();
    let schema = "import { defineSchema } from \"convex/server\";\nexport default defineSchema({});\n";
    fs::write(bare.path().join("convex/schema.ts"), schema).unwrap();
    let bare = Harness::start_app(bare.path());
    let url = &setting.harness.url;
    for (settings, complaint, advice) in [
        (deploy_key(url, CANARY), "the deploy key is not one of this deployment", "`sync.to.deploy_key`"),
        (shared_key(url, SHARED_CANARY), "the deployment's LIFTLOCK_SYNC_AUTH_KEY is missing", "npx convex env set"),
        (deploy_key(&newer.url, DEPLOY_KEY), "the deployed functions are of another version", "liftlock convex init"),
        (
            deploy_key(&bare.url, DEPLOY_KEY),
            "the deployment has no function `liftlock/sync:version`",
            "npx convex deploy",
        ),
        (
            deploy_key("http://127.0.0.1:9", DEPLOY_KEY),
            "Convex did not answer: it cannot be reached",
            "http://127.0.0.1:9",
        ),
    ] {
        let mirror = ConvexMirror::open(&settings, ProfileName::Production).unwrap();
        let request = liftlock::sync::Request { patience: std::time::Duration::ZERO, ..setting.request.clone() };
        let cancel = tokio_util::sync::CancellationToken::new();
        let error = liftlock::sync::run(&request, &mirror, &setting.notices, &cancel).await.unwrap_err();
        assert_eq!(error.exit(), liftlock::exit::Exit::Service, "{complaint}");
        let told = unfolded(error);
        assert!(told.contains(complaint), "{complaint}: {told}");
        assert!(told.contains(advice), "{advice}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    // The database was not touched by any of them.
    let made = setting.database.text("select count(*)::text from pg_namespace where nspname = 'liftlock'").await;
    assert_eq!(made, "0");
    setting.harness.configure(json!({ "syncAuthKey": SYNC_AUTH_KEY })).await;
    let mirror = ConvexMirror::open(&shared_key(url, SHARED_CANARY), ProfileName::Production).unwrap();
    let error = setting.carry(&mirror).await.unwrap_err();
    assert!(error.to_string().contains("does not take the shared key"), "{error}");

    // A table that the functions do not know is told, and the others are carried.
    let mirror = ConvexMirror::open(&deploy_key(&other.url, DEPLOY_KEY), ProfileName::Production).unwrap();
    setting.database.execute("create table others (id int primary key); insert into others values (1)").await;
    let report = setting.carry(&mirror).await.unwrap();
    let [numbers, others] = report.tables.as_slice() else { panic!("{report:?}") };
    assert_eq!(numbers.errors[0].message, "the deployed functions do not know table `numbers`");
    assert_eq!(outcome(others), [1, 1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_key_of_another_kind_is_refused_before_anything_is_asked() {
    for (key, profile) in [
        ("dev:canary|canary", ProfileName::Production),
        ("preview:canary:canary|canary", ProfileName::Production),
        (CANARY, ProfileName::Staging),
        (CANARY, ProfileName::Dev),
    ] {
        let error = ConvexMirror::open(&deploy_key("http://127.0.0.1:9", key), profile).unwrap_err();
        assert_eq!(error.exit(), liftlock::exit::Exit::Usage);
        let told = unfolded(SyncError::Mirror(error));
        assert!(told.contains("deploy key does not belong") && !told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn a_run_that_was_overtaken_stops_and_overwrites_nothing() {
    let setting = Setting::new("a_run_that_was_overtaken", NUMBERS, &["numbers"]).await;
    let mirror = setting.open();
    let recording = super::Recording::of(&mirror);
    setting.carry(&recording).await.unwrap();
    let old = recording.batches.lock().await[0].clone();
    setting.database.execute("update numbers set name = 'newer'").await;
    setting.sync().await;
    // A request that was under way for a while: the same run, another number.
    let late = liftlock::services::mirror::Batch { number: 99, ..old };
    let error = liftlock::services::mirror::Mirror::write(&mirror, &late).await.unwrap_err();
    assert!(matches!(error, MirrorError::StaleRun { .. }), "{error}");
    assert!(setting.documents("numbers").await.values().all(|it| it["name"] == "newer"));
}

const YAML: &str = "migrations: migrations\nenvironments:\n  production: { database: \"${DATABASE_URL_PROD}\", profile: production }\n\
        sync:\n  from: production\n  to: { convex: \"${CONVEX_URL}\", deploy_key: \"${CONVEX_DEPLOY_KEY}\" }\n";

/// Runs `liftlock` in a project whose mirror is at `url`.
fn run(folder: &Path, database: &TestDatabase, url: &str, key: &str, arguments: &[&str]) -> Output {
    run_configured(YAML, folder, database, url, key, arguments)
}

fn run_configured(
    yaml: &str,
    folder: &Path,
    database: &TestDatabase,
    url: &str,
    key: &str,
    arguments: &[&str],
) -> Output {
    fs::write(folder.join("liftlock.yml"), yaml).unwrap();
    let mut command = support::liftlock();
    command.args(arguments).current_dir(folder);
    command.env("DATABASE_URL_PROD", database.url.expose()).env("CONVEX_URL", url).env("CONVEX_DEPLOY_KEY", key);
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_carries_tells_and_never_shows_a_key() {
    let setting = Setting::new("the_command_carries", NUMBERS, &["numbers"]).await;
    let folder = TempDir::new().unwrap();
    let run = |key: &str, arguments: &[&str]| {
        let output = run(folder.path(), &setting.database, &setting.harness.url, key, arguments);
        let told = told(&output);
        assert!(!told.contains("canary") && !told.contains("made-up"), "{arguments:?}: {told}");
        (output.status.code().unwrap(), told)
    };
    for format in ["text", "json", "markdown"] {
        let (code, told) = run(CANARY, &["sync", "--format", format]);
        assert!(code == 3 && told.contains("the deploy key is not one of this deployment"), "{code} {told}");
    }
    let (code, told) = run("dev:canary|canary", &["sync"]);
    assert!(code == 2 && told.contains("a development deploy key does not belong"), "{code} {told}");
    let before = setting.written().await;
    let (code, told) = run(DEPLOY_KEY, &["sync", "--plan"]);
    assert!(code == 0 && told.contains("every sync verifies by reading"), "{code} {told}");
    assert_eq!(setting.written().await, before, "a plan writes nothing");
    let (code, told) = run(DEPLOY_KEY, &["sync"]);
    assert!(code == 0 && told.contains("count and digest"), "{code} {told}");
    let counted = |arguments: &[&str]| {
        let yaml = format!("{YAML}  verify: counts\n");
        let url = &setting.harness.url;
        let output = run_configured(&yaml, folder.path(), &setting.database, url, DEPLOY_KEY, arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    };
    let (code, said) = counted(&["sync"]);
    assert!(code == 0 && said.contains("every count agrees on both sides, digests were not compared"), "{code} {said}");
    let (code, said) = counted(&["sync", "--plan"]);
    assert!(code == 0 && said.contains("verifies by counts that the deployment keeps"), "{code} {said}");
    let (code, told) = run(DEPLOY_KEY, &["doctor"]);
    assert!(told.contains("sync: functions") && told.contains("100 rows live"), "{code} {told}");
}

/// A mistyped URL used to mark every document of the deployment as deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_holds_another_database_is_left_alone_until_somebody_says_so() {
    let setting = Setting::new("a_deployment_of_another_database", NUMBERS, &["numbers"]).await;
    setting.sync().await;
    let before = setting.written().await;
    let empty = support::database("an_empty_database_for_a_full_deployment").await;
    empty.execute("create table numbers (id int primary key, name text not null)").await;
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let output = run(folder.path(), &empty, &setting.harness.url, DEPLOY_KEY, arguments);
        let told = told(&output).replace('│', " ");
        (output.status.code().unwrap(), told.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (code, told) = run(&["sync"]);
    assert!(code == 2 && told.contains("100 of its 100 rows of `numbers` are not in this database"), "{code} {told}");
    assert!(told.contains("`liftlock sync --adopt`") && told.contains("nothing was written"), "{told}");
    assert_eq!(setting.written().await, before);
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
    let (code, told) = run(&["sync", "--adopt"]);
    assert_eq!(code, 0, "{told}");
    assert!(setting.harness.documents("numbers").await.iter().all(|it| it["neon"]["deletedAt"] != Value::Null));
    assert_eq!(outcome(&only(setting.sync().await)), [100, 100, 100, 0, 0, 0]);
    setting.assert_equal("numbers", NUMBERS_COLUMNS).await;
}

/// Each sync used to read every document, which is most of what a small plan has.
#[tokio::test]
async fn counts_alone_are_compared_where_that_is_enough_and_read_no_document() {
    let mut setting = Setting::new("counts_alone", NUMBERS, &["numbers"]).await;
    setting.request.verify = Verify::Counts;
    setting.request.deletes = Deletes::Keep;
    let read = async || {
        let calls = &setting.harness.statistics().await["calls"];
        ["digest", "scan", "documents"]
            .map(|it| calls[format!("liftlock/sync:{it}")].as_u64().unwrap_or(0))
            .iter()
            .sum::<u64>()
    };
    let report = setting.sync().await;
    let said = "only the counts that the mirror keeps were compared";
    assert!(report.recommendations.iter().any(|it| it.starts_with(said)), "{report:?}");
    let first = only(report);
    assert_eq!((first.verified, first.mirror_rows, first.mirror_digest.as_str()), (Some(true), 100, ""));
    setting.database.execute("delete from numbers where id < 11; update numbers set name = 'x' where id = 50").await;
    let second = only(setting.sync().await);
    assert_eq!((second.verified, second.updated, second.mirror_rows, read().await), (Some(true), 1, 100, 0));
    // What counts do not see, digests do.
    setting.harness.delete("numbers", Some("i8000000000000014")).await;
    assert_eq!((only(setting.sync().await).inserted, read().await), (0, 0));
    setting.request.verify = Verify::Digest;
    assert_eq!(only(setting.sync().await).inserted, 1);
    // The deployment's count is one too high now, and what differs is looked into.
    setting.request.verify = Verify::Counts;
    let before = read().await;
    let last = only(setting.sync().await);
    assert_eq!((last.verified, last.mirror_digest.is_empty(), read().await), (Some(true), false, before + 1));
}

#[tokio::test]
async fn what_convex_says_of_the_end_of_our_days_is_told_once() {
    let setting = Setting::new("the_end_of_our_days", NUMBERS, &["numbers"]).await;
    setting.harness.configure(json!({ "deprecation": "ask for a newer one" })).await;
    let report = setting.sync().await;
    let told = report.recommendations.iter().filter(|it| it.ends_with("of liftlock: ask for a newer one")).count();
    assert_eq!(told, 1, "{report:?}");
    let checks = preflight(&setting.open(), &[]).await;
    assert_eq!(checks.iter().filter(|it| it.message.contains("ask for a newer one")).count(), 1, "{checks:?}");
}

/// Each line of the preflight, and what it says when that is what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_everything_that_is_missing_and_writes_nothing() {
    let setting = Setting::new("a_check_names_everything", NUMBERS, &["numbers"]).await;
    setting.database.execute("create table others (id int primary key)").await;
    let folder = TempDir::new().unwrap();
    let check = |key: &str| {
        let output = run(folder.path(), &setting.database, &setting.harness.url, key, &["convex", "check"]);
        let told = told(&output);
        assert!(!told.contains("canary") && !told.contains("made-up"), "{told}");
        (output.status.code().unwrap(), told.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let needed = [
        "deployment:functions:runInternalMutations",
        "deployment:functions:runInternalQueries",
        "deployment:data:view",
    ];
    let before = setting.written().await;
    let all = json!([{ "key": DEPLOY_KEY, "operations": needed }]);
    setting.harness.configure(json!({ "keys": all })).await;
    let (code, told) = check(DEPLOY_KEY);
    assert!(code == 1 && told.contains("the deployed functions do not know table `others`"), "{code} {told}");
    setting.database.execute("drop table others").await;
    let (code, told) = check(DEPLOY_KEY);
    assert_eq!(code, 0, "{told}");
    for line in [
        "a production deploy key",
        "answers, version test-server",
        "may run internal functions and look at tables",
        "`liftlock/sync` is deployed, protocol 1",
        "1 table is known and indexed",
        "the first sync sends every row",
        "4 tables at a time",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    for missing in needed {
        let left: Vec<&str> = needed.into_iter().filter(|it| *it != missing).collect();
        setting.harness.configure(json!({ "keys": [{ "key": DEPLOY_KEY, "operations": left }] })).await;
        let (code, told) = check(DEPLOY_KEY);
        assert!(code == 1 && told.contains(&format!("the deploy key may not: {missing}")), "{missing} {code} {told}");
    }
    for (options, expected, complaint) in [
        (json!({ "keys": [{ "key": DEPLOY_KEY, "operations": needed, "isReadOnly": true }] }), 1, "may only read"),
        (json!({ "keys": [{ "key": DEPLOY_KEY }] }), 0, "may do more than a sync needs: deployment:deploy"),
        (json!({ "keys": all, "backfilling": ["numbers"] }), 0, "index `by_neon_key` is still being built"),
    ] {
        setting.harness.configure(options).await;
        let (code, told) = check(DEPLOY_KEY);
        assert!(code == expected && told.contains(complaint), "{complaint}: {code} {told}");
    }
    let (code, told) = check(CANARY);
    assert!(code == 1 && told.contains("the deploy key is not one of this deployment"), "{code} {told}");
    let (code, told) = check("dev:canary|canary");
    assert!(code == 1 && told.contains("a development deploy key does not belong"), "{code} {told}");
    assert_eq!(setting.written().await, before, "a check writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_functions_that_are_not_deployed_from_half_of_them() {
    let database = support::database("a_check_tells_functions").await;
    database.execute(NUMBERS).await;
    let folder = TempDir::new().unwrap();
    for (is_half, complaint) in
        [(false, "`liftlock/sync` is not deployed"), (true, "not deployed: liftlock/sync:digest")]
    {
        let app = TempDir::new().unwrap();
        write_app(app.path(), &["numbers"]);
        let sync = app.path().join("convex/liftlock/sync.ts");
        match is_half {
            true => {
                let text = fs::read_to_string(&sync).unwrap();
                let line = "export const [digest, digestWithKey]";
                assert!(text.contains(line));
                fs::write(&sync, text.replace(line, "export const [digested, digestedWithKey]")).unwrap();
            }
            false => fs::remove_file(&sync).unwrap(),
        }
        let harness = Harness::start_app(app.path());
        let output = run(folder.path(), &database, &harness.url, DEPLOY_KEY, &["convex", "check"]);
        let told = told(&output);
        assert!(output.status.code() == Some(1) && told.contains(complaint), "{complaint}: {told}");
        assert!(told.contains("npx convex deploy"), "{told}");
    }
}
