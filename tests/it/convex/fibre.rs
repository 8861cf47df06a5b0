//! The 59,500 rows of the fixture in seven tables, through all that can happen to them.

use std::{fs, process::Stdio, thread, time::Duration};

use liftlock::services::mirror::{Mirror, Receipt};
use serde_json::json;
use tempfile::TempDir;

use super::{Recording, Setting, outcomes};
use crate::support::{self, convex::DEPLOY_KEY};

const TABLES: [&str; 7] = [
    "lawley_activations",
    "mohadin_activations",
    "nokia_exports",
    "onemap_installations",
    "onemap_poles",
    "sow_drops",
    "sow_poles",
];

const ROWS: u64 = 59_500;

const NETWORK: &str =
    include_str!("../../../fixtures/projects/fibre/db/migrations/20260901080000_create_network_safe.sql");
const SEED: &str = include_str!("../../../fixtures/projects/fibre/seed.sql");

/// Every tenth row of every table, by its place in the key's order.
const CHANGE: &str = "
    with n as (select id, row_number() over (order by id) n from sow_poles)
      update sow_poles t set height_m = coalesce(height_m, 0) + 1 from n where n.id = t.id and n.n % 10 = 0;
    with n as (select id, row_number() over (order by id) n from sow_drops)
      update sow_drops t set fee = 0.01 from n where n.id = t.id and n.n % 10 = 0;
    with n as (select ont_serial, exported_on, row_number() over (order by ont_serial, exported_on) n from nokia_exports)
      update nokia_exports t set rx_dbm = -99.50 from n
      where n.ont_serial = t.ont_serial and n.exported_on = t.exported_on and n.n % 10 = 0;
    with n as (select id, row_number() over (order by id) n from onemap_installations)
      update onemap_installations t set contractor = 'other' from n where n.id = t.id and n.n % 10 = 0;
    with n as (select property_id, row_number() over (order by property_id collate \"C\") n from onemap_poles)
      update onemap_poles t set last_modified = '2020-01-01 00:00:00.000001Z' from n
      where n.property_id = t.property_id and n.n % 10 = 0;
    with n as (select id, row_number() over (order by id) n from lawley_activations)
      update lawley_activations t set traffic_bytes = traffic_bytes - 1000000 from n where n.id = t.id and n.n % 10 = 0;
    with n as (select activation_code, row_number() over (order by activation_code collate \"C\") n from mohadin_activations)
      update mohadin_activations t set score = coalesce(score, 0) + 0.1 from n where n.activation_code = t.activation_code and n.n % 10 = 0;";

async fn setting(test: &str) -> Setting {
    let mut setting = Setting::new(test, NETWORK, &TABLES).await;
    setting.database.execute(SEED).await;
    setting.request.tables = TABLES.map(str::to_owned).to_vec();
    setting.request.batch_rows = 500;
    setting
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_thousand_rows_arrive_and_follow_every_change_value_by_value() {
    let setting = setting("sixty_thousand_rows_in_convex").await;
    let mirror = setting.open();
    let recording = Recording::of(&mirror);

    let first = setting.carry(&recording).await.unwrap();
    assert_eq!(outcomes(&first), [ROWS, ROWS, ROWS, 0, 0, 0]);
    setting.assert_all_equal(&TABLES).await;

    // Unchanged: not a document is written, not even of our own books.
    let before = setting.written().await;
    assert_eq!(outcomes(&setting.sync().await), [ROWS, ROWS, 0, 0, ROWS, 0]);
    assert_eq!(setting.written().await, before);

    // Every batch once more: all replayed, nothing written.
    let batches = recording.batches.lock().await;
    assert!(batches.len() >= 120, "{}", batches.len());
    for batch in batches.iter() {
        let Receipt { replayed, tally, .. } = mirror.write(batch).await.unwrap();
        assert!(replayed, "batch {} of {}", batch.number, batch.table);
        let puts = u64::try_from(batch.changes.len()).unwrap();
        assert_eq!(tally.inserted, puts, "the first receipt again");
    }
    assert_eq!(setting.written().await, before);

    // The app's own fields survive whatever happens to the rows.
    let keys: Vec<String> = setting.documents("onemap_poles").await.into_keys().step_by(5).collect();
    for key in &keys[..20] {
        setting.harness.patch("onemap_poles", key, json!({ "note": "ours", "seen": { "by": ["app"] } })).await;
    }
    setting.database.execute(CHANGE).await;
    let tenth = setting.sync().await;
    assert_eq!(outcomes(&tenth), [ROWS, ROWS, 0, ROWS / 10, ROWS - ROWS / 10, 0]);
    setting.assert_all_equal(&TABLES).await;

    // 1 % gone, and back again.
    setting
        .database
        .execute(
            "create schema kept; create table kept.drops as select * from sow_drops where id % 300 = 0;
        delete from sow_drops where id % 300 = 0; create table kept.poles as select * from onemap_poles order by property_id collate \"C\" limit 54;
        delete from onemap_poles where property_id in (select property_id from kept.poles)",
        )
        .await;
    let gone = 237 + 54;
    let fewer = setting.sync().await;
    assert_eq!(outcomes(&fewer), [ROWS - gone, ROWS - gone, 0, 0, ROWS - gone, gone]);
    setting.assert_all_equal(&TABLES).await;
    let documents = setting.documents("sow_drops").await;
    assert_eq!(documents.len(), 23_700, "deleted ones stay");
    assert_eq!(documents.values().filter(|it| it["neon"]["deletedAt"].is_string()).count(), 237);
    setting
        .database
        .execute("insert into sow_drops select * from kept.drops; insert into onemap_poles select * from kept.poles")
        .await;
    assert_eq!(outcomes(&setting.sync().await), [ROWS, ROWS, gone, 0, ROWS - gone, 0]);
    setting.assert_all_equal(&TABLES).await;
    let documents = setting.documents("onemap_poles").await;
    for key in &keys[..20] {
        let document = &documents[key];
        assert_eq!((&document["note"], &document["seen"]), (&json!("ours"), &json!({ "by": ["app"] })), "{key}");
    }
    assert_eq!(setting.notices(), "");
}

/// The process itself, by SIGKILL, at moments that nobody chose.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_again_and_again_leaves_sixty_thousand_rows_equal() {
    let setting = setting("killed_again_and_again").await;
    let folder = TempDir::new().unwrap();
    let yaml = format!(
        "migrations: migrations\nenvironments:\n  production: {{ database: \"${{DATABASE_URL_PROD}}\", profile: production }}\n\
         sync:\n  from: production\n  to: {{ convex: \"${{CONVEX_URL}}\", deploy_key: \"${{CONVEX_DEPLOY_KEY}}\" }}\n  tables: [{}]\n",
        TABLES.join(", ")
    );
    fs::write(folder.path().join("liftlock.yml"), yaml).unwrap();
    let sync = || {
        let mut command = support::liftlock();
        command.args(["sync", "--format", "json"]).current_dir(folder.path());
        command.env("DATABASE_URL_PROD", setting.database.url.expose());
        command.env("CONVEX_URL", &setting.harness.url).env("CONVEX_DEPLOY_KEY", DEPLOY_KEY);
        command
    };
    let mut kills = 0;
    for attempt in 0..8 {
        let mut child = sync().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(300 + 250 * attempt + u64::from(rand::random::<u8>()) * 2));
        kills += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if attempt % 3 == 2 {
            setting.database.execute("update sow_drops set fee = coalesce(fee, 0) + 1 where id % 30 = 0").await;
        }
    }
    assert!(kills > 3, "the syncs were too quick to be killed: {kills}");
    let output = sync().output().unwrap();
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told} {said}");
    assert_eq!(told.matches("\"verified\": true").count(), TABLES.len(), "{told}");
    assert!(!told.contains("made-up") && !said.contains("made-up"), "the key is in the output");
    setting.assert_all_equal(&TABLES).await;
}
