//! `sync` on a real Postgres: what arrives in the mirror, what is written again, and that a kill at any moment
//! changes nothing about the end.

mod kills;
pub mod reader;

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard},
};

use camino::Utf8PathBuf;
use liftlock::{
    config::{Deletes, MirrorTarget, Verify},
    exit::Exit,
    report::{
        SyncReport, TableSync,
        progress::{Event, Observe},
    },
    services::{
        mirror::{LocalMirror, Mirror},
        postgres::quote_identifier,
    },
    sync::{self, Foreign, Request, SyncError},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::reader::{assert_equal, documents, live};
use crate::support::{self, TestDatabase};

/// A database, a folder for the mirror, and how to sync one into the other.
struct Setting {
    database: TestDatabase,
    folder: TempDir,
    request: Request,
    notices: Notices,
}

#[derive(Default)]
pub struct Notices(Mutex<Vec<String>>);

impl Notices {
    pub fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }
}

impl Observe for Notices {
    fn event(&self, event: Event) {
        if let Event::Notice { message } = event {
            self.all().push(message);
        }
    }
}

impl Setting {
    async fn new(test: &str, sql: &str) -> Self {
        let database = support::database(test).await;
        database.execute(sql).await;
        let request = Request {
            environment: "production".to_owned(),
            database: database.url.clone(),
            tables: Vec::new(),
            batch_rows: 10,
            deletes: Deletes::Soft,
            verify: Verify::Digest,
            foreign: Foreign::Refuse,
            patience: sync::PATIENCE,
        };
        Self { database, folder: TempDir::new().unwrap(), request, notices: Notices::default() }
    }

    fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.folder.path().join("mirror")).unwrap()
    }

    fn table(&self, name: &str) -> Utf8PathBuf {
        self.path().join(name)
    }

    fn open(&self) -> LocalMirror {
        LocalMirror::open(&self.path()).unwrap()
    }

    async fn carry(&self, mirror: &impl Mirror) -> Result<SyncReport, SyncError> {
        sync::run(&self.request, mirror, &self.notices, &CancellationToken::new()).await
    }

    async fn sync(&self) -> SyncReport {
        self.carry(&self.open()).await.unwrap()
    }

    async fn sync_table(&self) -> TableSync {
        only(self.sync().await)
    }

    /// What the last syncs had to say, once.
    fn notices(&self) -> String {
        self.notices.all().drain(..).collect::<Vec<_>>().join("\n")
    }

    /// The mirror's `numbers` equal the source's.
    async fn assert_numbers(&self) {
        assert_equal(&self.database, &self.table("numbers"), "numbers", NUMBERS_COLUMNS).await;
    }
}

pub fn only(report: SyncReport) -> TableSync {
    assert_eq!(report.tables.len(), 1, "{report:?}");
    report.tables.into_iter().next().unwrap()
}

/// Source rows, mirror rows, inserted, updated, unchanged, deleted.
pub fn outcome(it: &TableSync) -> [u64; 6] {
    assert_eq!((it.verified, it.errors.len()), (Some(true), 0), "{it:?}");
    assert_eq!(it.source_digest, it.mirror_digest);
    [it.source_rows, it.mirror_rows, it.inserted, it.updated, it.unchanged, it.deleted]
}

pub const NUMBERS: &str = "create table numbers (id int primary key, name text not null);
    insert into numbers select it, 'row ' || it from generate_series(1, 100) it;";

pub const NUMBERS_COLUMNS: &[(&str, &str, &str)] = &[("id", "id", "int"), ("name", "name", "text")];

#[tokio::test]
async fn only_what_changed_is_written() {
    let setting = Setting::new("only_what_changed_is_written", NUMBERS).await;
    let execute = async |sql| setting.database.execute(sql).await;
    let files = || -> BTreeMap<String, Vec<u8>> {
        let entries = setting.table("numbers").read_dir_utf8().unwrap().map(Result::unwrap);
        entries.map(|it| (it.file_name().to_owned(), fs::read(it.path()).unwrap())).collect()
    };

    let first = setting.sync_table().await;
    assert_eq!((outcome(&first), first.batches, first.resumed), ([100, 100, 100, 0, 0, 0], 10, false));
    setting.assert_numbers().await;

    let before = files();
    execute("update numbers set name = name").await;
    let again = setting.sync_table().await;
    assert_eq!((outcome(&again), again.batches), ([100, 100, 0, 0, 100, 0], 0));
    assert!(files() == before, "not a file is touched");

    execute("update numbers set name = 'new ' || id where id % 10 = 0").await;
    let tenth = setting.sync_table().await;
    assert_eq!((outcome(&tenth), tenth.batches), ([100, 100, 0, 10, 90, 0], 1));

    execute("delete from numbers where id = 77").await;
    assert_eq!(outcome(&setting.sync_table().await), [99, 99, 0, 0, 99, 1]);
    assert_eq!(documents(&setting.table("numbers")).len(), 100);
    setting.assert_numbers().await;

    execute("insert into numbers values (77, 'again'), (-5, 'first'), (500, 'last')").await;
    assert_eq!(outcome(&setting.sync_table().await), [102, 102, 3, 0, 99, 0]);
    setting.assert_numbers().await;

    execute("delete from numbers").await;
    assert_eq!(outcome(&setting.sync_table().await), [0, 0, 0, 0, 0, 102]);
    assert_eq!(setting.notices(), "");
}

/// A ledger that was never analyzed looked small to the planner: each page sorted all that was left, and 600,000
/// rows took three times as long a row as 60,000 did.
#[tokio::test]
async fn each_page_of_the_ledger_reads_that_page_only() {
    let sql = "create table numbers (id int primary key, name text not null);
        insert into numbers select it, 'row ' || it from generate_series(1, 30000) it;";
    let mut setting = Setting::new("each_page_of_the_ledger_reads_that_page_only", sql).await;
    setting.request.batch_rows = 5_000;
    setting.sync_table().await;
    // Counters reach everybody's eyes when a session ends, which may take a moment.
    let read = async |at_least: i64| -> i64 {
        let sql = "select idx_tup_read::text from pg_stat_user_indexes where relname = 'sync_ledger'";
        let mut read = 0;
        for _ in 0..100 {
            read = setting.database.text(sql).await.parse().unwrap();
            if read >= at_least {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        read
    };
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let before = read(0).await;
    assert_eq!(setting.sync_table().await.unchanged, 30_000);
    let took = read(before + 30_000).await - before;
    assert!((30_000..45_000).contains(&took), "{took} entries were read for 30,000 rows");
}

#[tokio::test]
async fn rows_that_are_gone_are_marked_removed_or_kept_as_configured() {
    for (deletes, live_rows, documents_left, deleted) in
        [(Deletes::Soft, 90, 100, 10), (Deletes::Hard, 90, 90, 10), (Deletes::Keep, 100, 100, 0)]
    {
        let mut setting = Setting::new("rows_that_are_gone_are_marked_removed_or_kept", NUMBERS).await;
        setting.request.deletes = deletes;
        setting.sync().await;
        setting.database.execute("delete from numbers where id % 10 = 3").await;
        for deleted in [deleted, 0] {
            let synced = setting.sync_table().await;
            assert_eq!(outcome(&synced), [90, live_rows, 0, 0, 90, deleted], "{deletes:?}");
        }
        let table = setting.table("numbers");
        assert_eq!((live(&table).len() as u64, documents(&table).len()), (live_rows, documents_left), "{deletes:?}");
        // Whatever was done, a row that comes back is there.
        setting.database.execute("insert into numbers values (13, 'back')").await;
        let back = setting.sync_table().await;
        assert_eq!((back.source_rows, back.verified), (91, Some(true)), "{deletes:?} {back:?}");
        assert_eq!(live(&table)["i800000000000000d"]["name"], "back", "{deletes:?}");
        assert_eq!(setting.notices(), "");
    }
}

#[tokio::test]
async fn what_the_destination_added_survives_changes_and_dropped_columns_go() {
    let setting = Setting::new("what_the_destination_added_survives", NUMBERS).await;
    setting.sync().await;
    let table = setting.table("numbers");
    for entry in table.read_dir_utf8().unwrap().map(Result::unwrap) {
        if entry.file_name().ends_with(".jsonl") {
            let text = fs::read_to_string(entry.path()).unwrap().replace("{\"id\":", "{\"note\":\"ours\",\"id\":");
            fs::write(entry.path(), text).unwrap();
        }
    }
    setting.database.execute("update numbers set name = 'new' where id = 1; delete from numbers where id = 2").await;
    assert_eq!(outcome(&setting.sync_table().await), [99, 99, 0, 1, 98, 1]);
    setting.database.execute("insert into numbers values (2, 'back')").await;
    setting.sync().await;
    setting.assert_numbers().await;
    assert!(live(&table).values().all(|it| it["note"] == "ours"));

    // A changed mapping sends every row; what only the source had is gone with its column.
    setting.database.execute("alter table numbers drop column name, add column size numeric default 1.50").await;
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 100, 0, 0]);
    let documents = live(&table);
    assert!(documents.values().all(|it| it.get("name").is_none() && it["size"] == "1.50" && it["note"] == "ours"));
    assert_equal(&setting.database, &table, "numbers", &[("id", "id", "int"), ("size", "size", "numeric")]).await;
    // From now on the name is free for the destination.
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 0, 100, 0]);
}

pub const AWKWARD: &str = r#"
    create type mood as enum ('fine', 'so "so"', 'né');
    create domain code as text check (value <> 'x');
    create domain sure as code;
    create type pair as (a int, b text);
    create table awkward (
      id bigint primary key, i2 smallint, i4 int, i8 bigint, o oid, n numeric, n2 numeric(12,2), m money,
      f4 real, f8 double precision, b boolean, t text, v varchar(20), c char(5), u uuid, e mood, d code, s sure,
      tz timestamptz, ts timestamp, da date, ti time, tiz timetz, iv interval, by bytea, j json, jb jsonb, x xml,
      ip inet, bits bit varying, r int4range, p point, row_ pair, vec tsvector,
      ai int[], al bigint[], at text[], an numeric[], ab bytea[], atz timestamptz[], ae mood[], ad code[], ajb jsonb[],
      generated text generated always as (upper(t)) stored,
      "_x" int, "$money" text, "Straße" text, neon text, "with space" int
    );
    insert into awkward (id) values (1);
    insert into awkward values (
      -9223372036854775808, -32768, -2147483648, 9007199254740993, 4294967295, 'NaN', -0.10, -1234.5,
      'NaN', '-0', true, E'é\u00df\U0001F600 "\\ \t\u0001', 'v', 'c', '00000000-0000-0000-0000-000000000000', 'so "so"', 'd', 's',
      'infinity', '-infinity', '0044-03-15 BC', '24:00:00', '12:30:00+02', '1 year -2 days 03:04:05.6', '\x00ff', '{"b":1,"a":[1,2]}', '{"$a": 1}', '<a>b</a>',
      '10.0.0.1/8', b'101', '[1,5)', '(1.5,2)', (1, 'a"b'), 'a b',
      '{{1,NULL},{3,4}}', '{9007199254740993,-1}', '{"a,b",NULL,"NULL","","\"q\"","\\"}', '{1.10,NaN,NULL}', '{"\\x01",NULL}',
      '{2024-01-02 03:04:05+00,infinity}', '{fine,"so \"so\"",NULL}', '{d1}', '{"{\"$k\": 1}"}',
      default, -1, 'm', 'ß', 'n', 2
    );
    insert into awkward values (
      9223372036854775807, 32767, 2147483647, -9223372036854775808, 0, 12345678901234567890.123456789012345678901234567890, 99999999.99, 92233720368547758.07,
      3.4028235e38, 5e-324, false, '', '', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'né', '', '',
      '2024-02-29 23:59:59.999999+14', '9999-12-31 23:59:59.000001', '-infinity', '00:00:00.000001', '00:00:00-15', '-1 mon', '', '"text"', '"text"', null,
      '::1', b'', 'empty', '(0,0)', (null, null), '',
      '[0:1]={7,8}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
      default, 2147483647, '', '', '', 0
    );
    insert into awkward (id, n, f4, f8, tz, ts, j, jb) values
      (3, 'Infinity', 0.1, 'Infinity', '0001-01-01 00:00:00+00', '0044-03-15 10:00:00.5 BC', '[1.5, 2]', '{"n": 9007199254740993}'),
      (4, '-Infinity', '-Infinity', '-Infinity', '-infinity', 'infinity', 'null', '{"é": 1}'),
      (5, 1e-20, 1e-45, 1.7976931348623157e308, '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999', '{"a":1,"a":2}', '[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]'),
      (6, 1e30, 123456792, 0.1, '1970-01-01', '2000-01-01', '{ }', '{"deep": {"list": [1, 2.5, -0.5, true, null, "s"]}, "": {}}'),
      (7, 0.000, 16777216, 1e15, '1969-12-31 23:59:59.5', '1999-12-31 23:59:59.5', '"$x"', '1.000000000000000000001'),
      (8, 100000000, 0, 123456789012345678, null, null, '-0', '1e5');
"#;

pub const AWKWARD_COLUMNS: &[(&str, &str, &str)] = &[
    ("id", "id", "bigint"),
    ("i2", "i2", "smallint"),
    ("i4", "i4", "int"),
    ("i8", "i8", "bigint"),
    ("o", "o", "oid"),
    ("n", "n", "numeric"),
    ("n2", "n2", "numeric"),
    ("m", "m", "money"),
    ("f4", "f4", "real"),
    ("f8", "f8", "double precision"),
    ("b", "b", "boolean"),
    ("t", "t", "text"),
    ("v", "v", "varchar"),
    ("c", "c", "char(5)"),
    ("u", "u", "uuid"),
    ("e", "e", "mood"),
    ("d", "d", "code"),
    ("s", "s", "sure"),
    ("tz", "tz", "timestamptz"),
    ("ts", "ts", "timestamp"),
    ("da", "da", "date"),
    ("ti", "ti", "time"),
    ("tiz", "tiz", "timetz"),
    ("iv", "iv", "interval"),
    ("by", "by", "bytea"),
    ("j", "nullif(j::text, 'null')", "jsonb"),
    ("jb", "jb", "jsonb"),
    ("x", "x", "xml"),
    ("ip", "ip", "inet"),
    ("bits", "bits", "varbit"),
    ("r", "r", "int4range"),
    ("p", "p", "point"),
    ("row_", "row_", "pair"),
    ("vec", "vec", "tsvector"),
    ("ai", "ai", "int[]"),
    ("al", "al", "bigint[]"),
    ("at", "at", "text[]"),
    ("an", "an", "numeric[]"),
    ("ab", "ab", "bytea[]"),
    ("atz", "atz", "timestamptz[]"),
    ("ae", "ae", "mood[]"),
    ("ad", "ad", "code[]"),
    ("ajb", "ajb", "jsonb[]"),
    ("generated", "generated", "text"),
    ("u_x", "\"_x\"", "int"),
    ("u__24money", "\"$money\"", "text"),
    ("u_Stra_dfe", "\"Straße\"", "text"),
    ("u_neon", "neon", "text"),
    ("u_with_20space", "\"with space\"", "int"),
];

#[tokio::test]
async fn every_value_arrives_as_postgres_has_it() {
    let setting = Setting::new("every_value_arrives_as_postgres_has_it", AWKWARD).await;
    // Another zone and style on the role must not change what is written.
    let role = format!("alter database {} set timezone = 'Asia/Tokyo'", quote_identifier(&setting.database.name));
    setting.database.execute(&role).await;
    let report = setting.sync().await;
    assert_eq!(outcome(&report.tables[0]), [9, 9, 9, 0, 0, 0]);
    let table = setting.table("awkward");
    assert_equal(&setting.database, &table, "awkward", AWKWARD_COLUMNS).await;

    let documents = live(&table);
    let document = |key: &str| &documents[key];
    let smallest = document("i0000000000000000");
    for (field, expected) in [
        ("i8", serde_json::json!({"$integer": "AQAAAAAAIAA="})),
        ("n", "NaN".into()),
        ("n2", "-0.10".into()),
        ("f4", serde_json::json!({"$float": "AAAAAAAA+H8="})),
        ("f8", serde_json::json!({"$float": "AAAAAAAAAIA="})),
        ("tz", "infinity".into()),
        ("da", "0044-03-15 BC".into()),
        ("by", serde_json::json!({"$bytes": "AP8="})),
        ("j", serde_json::json!({"b": 1, "a": [1, 2]})),
        ("jb", "{\"$a\": 1}".into()),
        ("ai", serde_json::json!([[1, null], [3, 4]])),
        ("ajb", serde_json::json!(["{\"$k\": 1}"])),
    ] {
        assert_eq!(smallest[field], expected, "{field}");
    }
    let largest = document("iffffffffffffffff");
    for (field, expected) in [
        ("tz", Value::from("2024-02-29T09:59:59.999999Z")),
        ("ti", "00:00:00.000001".into()),
        ("ai", "[0:1]={7,8}".into()),
        ("at", serde_json::json!([])),
        ("jb", "text".into()),
    ] {
        assert_eq!(largest[field], expected, "{field}");
    }
    let empty = document("i8000000000000001").as_object().unwrap();
    assert_eq!(empty.len(), AWKWARD_COLUMNS.len() + 1, "NULL is null, never left out");
    assert!(report.recommendations.iter().any(|it| it.contains("6 JSON values of `awkward`")), "{report:?}");
    assert!(report.recommendations.iter().any(|it| it.contains("column `neon` of `awkward` is field `u_neon`")));
    // And none of it looks changed the next time.
    assert_eq!(outcome(&setting.sync().await.tables[0]), [9, 9, 0, 0, 9, 0]);
}

#[tokio::test]
async fn any_key_gives_one_order_on_both_sides() {
    let setting = Setting::new(
        "any_key_gives_one_order_on_both_sides",
        r#"create collation odd (provider = icu, locale = 'en-u-kf-upper');
        create table texts (name text collate odd primary key, n int);
        insert into texts select name, row_number() over () from (values
          (''), ('a'), ('A'), ('b'), ('B'), ('ä'), ('Z'), ('~'), ('}'), (E'\u007f'), (E'\u0001'), ('a b'), ('ab'), ('é'), ('😀'), ('ﬀ')) v (name);
        create table composite (a text, b int, c uuid, n int, primary key (b, a, c));
        insert into composite select chr(96 + i % 3) || repeat(chr(97), i % 2), i % 5 - 2, md5(i::text)::uuid, i from generate_series(1, 60) i;
        create table dates (at timestamptz, n numeric, primary key (at, n));
        insert into dates select '2024-01-01'::timestamptz + i * interval '17 hours', i % 3 + 0.50 from generate_series(-20, 20) i;
        insert into dates values ('infinity', 1), ('-infinity', 2), ('0001-01-01 BC', 3);
        create table flags (yes boolean not null, c char(3) not null, other int);
        create unique index on flags (yes, c);
        insert into flags values (true, 'a', 1), (false, 'a', 2), (true, 'ab', 3);
        create schema app; create table app."Orders" (id smallint primary key);
        insert into app."Orders" values (-1), (0), (1);
        create table parts (id int, day date, primary key (id, day)) partition by range (day);
        create table parts_1 partition of parts for values from ('2024-01-01') to ('2025-01-01');
        create table parts_2 partition of parts for values from ('2025-01-01') to ('2026-01-01');
        insert into parts select i, '2024-12-01'::date + i from generate_series(1, 50) i;
        create table parent (id int primary key, a text); create table child (primary key (id)) inherits (parent);
        insert into parent values (1, 'p'); insert into child values (1, 'c'), (2, 'c');
        create table empty (id int primary key);
        create table keyless (id int); create view seen as select 1 as id;"#,
    )
    .await;
    for round in [0, 1] {
        let report = setting.sync().await;
        let rows: Vec<(&str, u64, u64)> =
            report.tables.iter().map(|it| (it.table.as_str(), outcome(it)[0], it.inserted)).collect();
        let expected = [
            ("app.\"Orders\"", 3),
            ("child", 2),
            ("composite", 60),
            ("dates", 44),
            ("empty", 0),
            ("flags", 3),
            ("parent", 1),
            ("parts", 50),
            ("texts", 16),
        ];
        let inserted = |rows| if round == 0 { rows } else { 0 };
        assert_eq!(rows, expected.map(|(table, rows)| (table, rows, inserted(rows))));
        let equal = async |folder: &str, from: &str, columns| {
            assert_equal(&setting.database, &setting.table(folder), from, columns).await;
        };
        equal("texts", "texts", &[("name", "name", "text"), ("n", "n", "int")]).await;
        equal(
            "composite",
            "composite",
            &[("a", "a", "text"), ("b", "b", "int"), ("c", "c", "uuid"), ("n", "n", "int")],
        )
        .await;
        equal("dates", "dates", &[("at", "at", "timestamptz"), ("n", "n", "numeric")]).await;
        equal("flags", "flags", &[("yes", "yes", "boolean"), ("c", "c", "char(3)"), ("other", "other", "int")]).await;
        equal("app.%22%4frders%22", "app.\"Orders\"", &[("id", "id", "smallint")]).await;
        equal("parts", "parts", &[("id", "id", "int"), ("day", "day", "date")]).await;
        equal("parent", "only parent", &[("id", "id", "int"), ("a", "a", "text")]).await;
        assert!(report.recommendations.iter().any(|it| it.starts_with("`keyless` is left out")), "{report:?}");
        assert!(report.recommendations.iter().any(|it| it.starts_with("`flags` has no primary key")), "{report:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_carried_is_told_and_the_rest_is_carried() {
    let mut setting = Setting::new(
        "what_cannot_be_carried_is_told",
        &format!(
            "{NUMBERS} create table hidden (id int primary key); insert into hidden values (1);
            alter table hidden enable row level security; alter table hidden force row level security;
            create table keyless (id int); create view seen as select 1 as id;"
        ),
    )
    .await;
    let role = format!("reader_{}", rand::random::<u32>());
    setting
        .database
        .execute(&format!(
            "create role {role} login; grant create on database {} to {role}; grant select on numbers, hidden, keyless to {role};
            create table secret (id int primary key);",
            quote_identifier(&setting.database.name)
        ))
        .await;
    let url = setting.database.url.expose().replace("postgres@", &format!("{role}@"));
    let url = if url.contains(&role) { url } else { format!("{url}&user={role}") };
    setting.request.database = liftlock::secret::Secret::new(url);
    setting.request.tables = ["numbers", "hidden", "keyless", "seen", "secret", "nowhere"].map(str::to_owned).to_vec();
    let report = setting.sync().await;
    let told: BTreeMap<&str, String> = report
        .tables
        .iter()
        .map(|it| {
            let errors = it.errors.iter().map(|it| format!("{} | {}", it.message, it.hint.as_deref().unwrap_or("")));
            (it.table.as_str(), errors.collect::<String>())
        })
        .collect();
    assert_eq!(told["numbers"], "");
    for (table, expected) in [
        ("hidden", "row-level security policy"),
        ("keyless", "neither a primary key nor a unique index"),
        ("seen", "it is a view"),
        ("secret", "grant select on \"public\".\"secret\""),
        ("nowhere", "there is no such table"),
    ] {
        assert!(told[table].contains(expected), "{table}: {}", told[table]);
    }
    assert!(!sync::is_whole(&report));
    let place = setting.path().canonicalize_utf8().unwrap();
    let planned = sync::planned(&setting.request, &MirrorTarget::Folder(place)).await.unwrap();
    assert!(planned.recommendations.iter().any(|it| it.starts_with("`numbers` was synced last")), "{planned:?}");
    assert_eq!(planned.tables.iter().filter(|it| it.errors.is_empty()).count(), 2, "{planned:?}");
    setting.database.execute(&format!("drop owned by {role}; drop role {role}")).await;
}

// Keys used to be three times as long in the ledger as at the source, and the first that was too long ended it all.
#[tokio::test]
async fn a_key_as_long_as_postgres_holds_is_carried_and_a_longer_one_stops_its_table_only() {
    let mut setting = Setting::new(
        "a_key_as_long_as_postgres_holds",
        "select setseed(0.5); create table long (k text primary key, v int);
        insert into long select string_agg(chr(192 + (random() * 6000)::int), ''), it
          from generate_series(1, 30) it, generate_series(1, 850) group by it;
        insert into long values (repeat('é', 100000), 0), ('', -1), ('~', -2);
        create table bytes (k bytea primary key);
        insert into bytes select decode(string_agg(md5(random()::text), ''), 'hex') from generate_series(1, 160);
        create table short (k int primary key); insert into short values (1);",
    )
    .await;
    for _ in 0..2 {
        let report = setting.sync().await;
        let [bytes, long, short] = report.tables.as_slice() else { panic!("{report:?}") };
        assert!(bytes.errors[0].message.contains("a key of `bytes` is too long"), "{bytes:?}");
        assert_eq!((outcome(long)[0], outcome(short)[0]), (33, 1));
        assert!(!sync::is_whole(&report));
    }
    setting.request.tables = vec!["long".to_owned()];
    setting.database.execute("drop schema liftlock cascade; update long set v = 7 where v = 5").await;
    assert_eq!(outcome(&setting.sync_table().await), [33, 33, 0, 1, 32, 0]);
}

#[tokio::test]
async fn a_lost_ledger_is_rebuilt_from_the_mirror() {
    let setting = Setting::new("a_lost_ledger_is_rebuilt", NUMBERS).await;
    setting.sync().await;
    setting.database.execute("drop schema liftlock cascade; update numbers set name = 'x' where id = 5; delete from numbers where id = 6").await;
    let synced = setting.sync_table().await;
    assert_eq!(outcome(&synced), [99, 99, 0, 1, 98, 1]);
    assert!(setting.notices().contains("the database has no record of it"));
    setting.assert_numbers().await;
    setting.sync().await;
    assert_eq!(setting.notices(), "");
    // Only one of its tables: it used to stop every sync for good.
    for lost in ["sync_ledger", "sync_tables"] {
        setting
            .database
            .execute(&format!("drop table liftlock.{lost}; update numbers set name = '{lost}' where id = 5"))
            .await;
        assert_eq!(outcome(&setting.sync_table().await), [99, 99, 0, 1, 98, 0]);
        let notices = setting.notices();
        assert!(notices.contains("are made again") && notices.contains("has no record of it"), "{notices}");
        setting.assert_numbers().await;
    }
}

// A renamed table used to leave its old documents behind without a word.
#[tokio::test]
async fn a_table_that_left_the_source_is_named() {
    let setting = Setting::new("a_table_that_left_the_source", NUMBERS).await;
    setting.sync().await;
    setting.database.execute("alter table numbers rename to figures; create view seen as select 1").await;
    let told = "`numbers` is in the mirror from an earlier sync, but not at the source any more";
    let place = setting.path().canonicalize_utf8().unwrap();
    let planned = sync::planned(&setting.request, &MirrorTarget::Folder(place)).await.unwrap();
    // What nobody knows yet is not shown as nothing.
    let shown = liftlock::report::Report::pass("sync").with(liftlock::report::Section::Sync(planned.clone()));
    let shown = liftlock::report::text::render(&shown, &liftlock::report::text::Look::of_terminal(false));
    assert!(shown.contains("figures") && !shown.contains("inserted") && !shown.contains(" ms"), "{shown}");
    for report in [planned, setting.sync().await] {
        assert_eq!(report.recommendations.iter().filter(|it| it.starts_with(told)).count(), 1, "{report:?}");
        assert_eq!(report.tables.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_mirror_is_filled_again() {
    let setting = Setting::new("a_lost_mirror_is_filled_again", NUMBERS).await;
    setting.sync().await;
    fs::remove_dir_all(setting.table("numbers")).unwrap();
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 100, 0, 0, 0]);
    assert!(setting.notices().contains("gone from the mirror"));
    fs::remove_dir_all(setting.path()).unwrap();
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 100, 0, 0, 0]);
    assert!(setting.notices().contains("was replaced since the last sync"));
    assert_eq!(setting.database.text("select count(*)::text from liftlock.sync_ledger").await, "100");
    setting.assert_numbers().await;
    // A folder that was moved is still the same mirror.
    let moved = setting.path().with_file_name("moved");
    fs::rename(setting.path(), &moved).unwrap();
    let report = setting.carry(&LocalMirror::open(&moved).unwrap()).await.unwrap();
    assert_eq!((outcome(&only(report)), setting.notices()), ([100, 100, 0, 0, 100, 0], String::new()));
}

#[tokio::test]
async fn a_restored_source_is_compared_row_by_row() {
    let mut setting = Setting::new("a_restored_source_is_compared", NUMBERS).await;
    setting.sync().await;
    // What a restore point is: the ledger in it is as old as its rows.
    let restored = format!("{}_r", setting.database.name);
    let copy = format!(
        "create database {} template {}",
        quote_identifier(&restored),
        quote_identifier(&setting.database.name)
    );
    crate::support::sandbox_execute(&copy).await;
    setting.database.execute("update numbers set name = 'later' where id <= 30; insert into numbers values (101, 'later'); delete from numbers where id = 50").await;
    setting.sync().await;
    let url = setting.database.url.expose().replace(&setting.database.name, &restored);
    let original = std::mem::replace(&mut setting.request.database, liftlock::secret::Secret::new(url.clone()));
    let synced = setting.sync_table().await;
    assert_eq!(outcome(&synced), [100, 100, 1, 30, 69, 1]);
    assert!(setting.notices().contains("every row is compared"));
    let back = TestDatabase { name: restored, url: liftlock::secret::Secret::new(url) };
    assert_equal(&back, &setting.table("numbers"), "numbers", NUMBERS_COLUMNS).await;
    drop(original);
}

/// A mistyped URL used to mark every row of the mirror as deleted, or to remove it.
#[tokio::test]
async fn a_mirror_of_another_database_is_left_alone_until_somebody_says_so() {
    let mut setting = Setting::new("a_mirror_of_another_database", NUMBERS).await;
    setting.sync().await;
    let others = [
        ("create table numbers (id int primary key, name text not null)", "100 of its 100 rows of `numbers` are not"),
        (
            "create table numbers (id int primary key, name text not null);
             insert into numbers select it, 'staging ' || it from generate_series(1, 100) it",
            "100 of its 100 rows are not in this database or differ there",
        ),
    ];
    let home = setting.request.database.clone();
    let other = support::database("another_database_than_the_mirrors").await;
    for (sql, expected) in others {
        other.execute(&format!("drop table if exists numbers; {sql}")).await;
        setting.request.database = other.url.clone();
        for deletes in [Deletes::Soft, Deletes::Hard] {
            setting.request.deletes = deletes;
            let error = setting.carry(&setting.open()).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.exit(), Exit::Usage);
        }
        assert_eq!(other.text("select count(*)::text from pg_namespace where nspname = 'liftlock'").await, "0");
        setting.assert_numbers().await;
    }
    setting.request.foreign = Foreign::Adopt;
    setting.request.deletes = Deletes::Soft;
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 100, 0, 0]);
    // Said once. And the first database is still known, and put back without a word.
    setting.request.foreign = Foreign::Refuse;
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 0, 100, 0]);
    setting.request.database = home;
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 100, 0, 0]);
    setting.assert_numbers().await;
}

/// A Neon branch has the ledger of its parent, and nearly its rows.
#[tokio::test]
async fn a_ledger_that_came_from_another_server_is_not_followed_unasked() {
    let mut setting = Setting::new("a_ledger_from_another_server", NUMBERS).await;
    setting.sync().await;
    setting
        .database
        .execute("update liftlock.sync_tables set database = '1/br-main/5'; delete from numbers where id = 5")
        .await;
    let error = setting.carry(&setting.open()).await.unwrap_err();
    assert!(error.to_string().contains("last written from another server or Neon branch"), "{error}");
    assert_eq!(live(&setting.table("numbers")).len(), 100);
    setting.request.foreign = Foreign::Adopt;
    assert_eq!(outcome(&setting.sync_table().await), [99, 99, 0, 0, 99, 1]);
}

/// Hashes of another mapping differ in every row, and prove nothing.
#[tokio::test]
async fn a_lost_ledger_and_a_new_column_are_not_another_database() {
    let setting = Setting::new("a_lost_ledger_and_a_new_column", NUMBERS).await;
    setting.sync().await;
    setting.database.execute("drop schema liftlock cascade; alter table numbers add column size int").await;
    assert_eq!(outcome(&setting.sync_table().await), [100, 100, 0, 100, 0, 0]);
}

/// What the guard cannot read is the trouble of that table alone, as ever.
#[tokio::test]
async fn a_table_that_cannot_be_compared_does_not_stop_the_others() {
    let setting = Setting::new("a_table_that_cannot_be_compared", NUMBERS).await;
    setting.database.execute("create table words (id text primary key); insert into words values ('a')").await;
    setting.sync().await;
    setting.database.execute("drop schema liftlock cascade; update numbers set name = 'x' where id = 5").await;
    fs::write(setting.table("words").join("manifest.json"), "{").unwrap();
    let report = setting.sync().await;
    assert_eq!(outcome(&report.tables[0]), [100, 100, 0, 1, 99, 0]);
    assert_eq!(report.tables[1].errors.len(), 1, "{report:?}");
}

#[tokio::test]
async fn a_document_that_was_changed_behind_our_back_is_found_and_sent_again() {
    let setting = Setting::new("a_document_changed_behind_our_back", NUMBERS).await;
    setting.sync().await;
    let table = setting.table("numbers");
    let file = table
        .read_dir_utf8()
        .unwrap()
        .map(|it| it.unwrap().path().to_owned())
        .find(|it| it.extension() == Some("jsonl"));
    let file = file.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[2] = lines[2].replace("row ", "changed ");
    lines.remove(5);
    fs::write(&file, lines.join("\n")).unwrap();
    let synced = setting.sync_table().await;
    assert_eq!((synced.verified, synced.inserted, synced.updated), (Some(true), 1, 1), "{synced:?}");
    assert!(setting.notices().contains("differs in the mirror in 2 rows, between row"), "{:?}", setting.notices.all());
    setting.assert_numbers().await;

    // Damage that is no document at all: this table is told, the others are carried.
    setting.database.execute("create table others (id int primary key); insert into others values (1)").await;
    let file = table
        .read_dir_utf8()
        .unwrap()
        .map(|it| it.unwrap().path().to_owned())
        .find(|it| it.extension() == Some("jsonl"));
    fs::write(file.unwrap(), "oops\n").unwrap();
    let report = setting.sync().await;
    let numbers = &report.tables[0];
    assert!(numbers.errors[0].message.contains(".jsonl` line 1: not JSON"), "{numbers:?}");
    assert!(numbers.errors[0].hint.as_ref().unwrap().contains("delete the table's folder"), "{numbers:?}");
    assert_eq!((report.tables[1].table.as_str(), report.tables[1].verified), ("others", Some(true)));
    fs::remove_dir_all(&table).unwrap();
    setting.sync().await;
    setting.assert_numbers().await;
}

#[tokio::test]
async fn a_sync_that_is_stopped_leaves_with_4_and_says_how_to_go_on() {
    let setting = Setting::new("a_sync_that_is_stopped", NUMBERS).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = sync::run(&setting.request, &setting.open(), &setting.notices, &cancel).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Half);
    let told = format!("{:?}", miette::Report::new(error));
    assert!(told.contains("it continues"), "{told}");
    setting.sync().await;
    setting.assert_numbers().await;
}

#[tokio::test]
async fn two_syncs_of_one_table_do_not_meet() {
    let setting = Setting::new("two_syncs_of_one_table", NUMBERS).await;
    setting.sync().await;
    let session = setting.database.session().await;
    let mirror = setting.open();
    let identity = mirror.describe().await.unwrap().id;
    let key = liftlock::services::mirror::document_hash("sync", &identity, "numbers").cast_signed();
    session.query_one("select pg_advisory_lock($1)", &[&key]).await.unwrap();
    let error = setting.carry(&mirror).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Service);
    assert!(error.to_string().contains("another liftlock is at work"), "{error}");
    session.close().await;
    setting.carry(&mirror).await.unwrap();
}
