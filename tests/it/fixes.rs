//! Every fix, written into a project by the real binary, and run on Postgres beside the original: both catalogs end
//! equal, the rows too, and the finding is gone.

mod layouts;

use std::fs;

use camino::Utf8Path;
use liftlock::{
    lint::{ExampleKind, fixes, rules},
    services::postgres::Session,
    sql,
};

use crate::support::{self, TestDatabase};

/// Bad examples that no fix can be written for by itself, by rule and a piece of their text.
const BY_HAND: &[(&str, &str)] = &[];

const HEADER: &str = "-- Description: example\n-- Created: 2026-01-31\n-- Type: schema_safe\n-- Rollback:\n--   drop what was added to table orders\n\n";

#[tokio::test]
async fn what_a_fix_writes_ends_in_the_same_catalog_and_is_judged_better() {
    let mut fixed = Vec::new();
    let mut wrong = Vec::new();
    for (name, _) in fixes::ALL.iter().filter(|(name, _)| !fixes::ADDING.contains(name)) {
        let rule = rules::find(name).expect("a test over the list says so");
        let docs = rule.docs();
        for (number, example) in docs.examples.iter().filter(|it| it.kind == ExampleKind::Bad).enumerate() {
            if example.option("fails").is_some() || example.option("unrun").is_some() {
                continue;
            }
            match check(name, number, &docs.setup, &example.sql).await {
                Ok(true) => fixed.push(*name),
                Ok(false) => {}
                Err(why) => wrong.push(format!("{name} {number}: {why}\n{}", example.sql)),
            }
        }
    }
    for (number, (name, setup, sql)) in CASES.iter().enumerate() {
        match check(name, 100 + number, setup, sql).await {
            Ok(true) => fixed.push(name),
            Ok(false) => wrong.push(format!("{name}: no fix is written\n{sql}")),
            Err(why) => wrong.push(format!("{name}: {why}\n{sql}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    for (name, _) in fixes::ALL.iter().filter(|(name, _)| !fixes::ADDING.contains(name)) {
        assert!(fixed.contains(name), "no example shows the fix of {name}");
    }
}

/// Rule, what is there, what is written: more than the rules' own examples show.
const CASES: &[(&str, &str, &str)] = &[
    (
        "check-without-not-valid",
        "create table \"Orders\" (\"Id\" bigint primary key, total int);\ninsert into \"Orders\" select g, g from generate_series(1, 20) g;\n",
        "ALTER TABLE \"Orders\" ADD COLUMN note text, ADD CHECK (total > 0), ADD CONSTRAINT \"small\" CHECK (total < 1000);\n",
    ),
    (
        "check-without-not-valid",
        "create table orders (id bigint primary key);\ninsert into orders select g from generate_series(1, 20) g;\n",
        "alter table orders add column note text, add column total int not null default 5 check (total > 0) constraint small check (total < 9);\n",
    ),
    (
        "foreign-key-without-not-valid",
        "create table a (id bigint primary key);\ncreate table b (id bigint primary key);\ninsert into a values (1);\ninsert into b values (1);\n",
        "ALTER TABLE b ADD COLUMN \"A id\" bigint DEFAULT 1 REFERENCES a (id) ON DELETE CASCADE DEFERRABLE;\n",
    ),
    (
        "constraint-building-index",
        "create table orders (id bigint primary key);\ninsert into orders select g from generate_series(1, 20) g;\n",
        "alter table orders add column code uuid default gen_random_uuid() unique;\n",
    ),
    (
        "constraint-building-index",
        "create table orders (code text);\ninsert into orders select g from generate_series(1, 20) g;\n",
        "ALTER TABLE orders ADD COLUMN id uuid DEFAULT gen_random_uuid() PRIMARY KEY;\n",
    ),
    (
        "constraint-building-index",
        "create schema app;\ncreate table app.\"Orders\" (code text);\ninsert into app.\"Orders\" select g from generate_series(1, 20000) g;\n",
        "alter table app.\"Orders\" add column \"Id\" bigserial constraint key_of_orders primary key;\n",
    ),
    (
        "partition-scan",
        "create table calls (id bigint not null, at date not null, code text, primary key (id, at), unique (at, code)) partition by range (at);\n\
         create index on calls (code);\n\
         create table may_calls (id bigint not null, at date not null, code text);\ninsert into may_calls values (1, '2026-05-02', 'a');\n",
        "alter table calls attach partition may_calls for values from ('2026-05-01') to ('2026-06-01');\n",
    ),
    (
        "detach-without-concurrently",
        "create table events (at timestamptz not null) partition by range (at);\n\
         create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');\n",
        "alter table events detach partition events_2025;\n",
    ),
    (
        "enum-value-in-same-transaction",
        "create type state as enum ('new', 'done');\ncreate table orders (id bigint primary key, state state);\ninsert into orders values (1, 'new');\n",
        "alter table orders add column note text;\nalter type state add value 'sent' before 'done';\nalter table orders alter column state set default 'sent';\nupdate orders set state = 'sent' where id = 1;\n",
    ),
    (
        "partition-scan",
        "create table events (id bigint, \"At\" timestamptz) partition by range (\"At\");\ncreate table events_rest partition of events default;\ncreate table events_2025 (id bigint, \"At\" timestamptz);\ninsert into events_2025 select g, '2025-02-03' from generate_series(1, 20) g;\ninsert into events values (1, '2020-01-01');\n",
        "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n",
    ),
    (
        "partition-scan",
        "create table visits (id bigint, kind text not null) partition by list (kind);\ncreate table visits_rest partition of visits default;\ninsert into visits values (1, 'x');\n",
        "create table visits_ab partition of visits for values in ('a', 'b');\n",
    ),
    (
        "scan-under-lock",
        "create table orders (id bigint primary key, total int);\ninsert into orders select g, g from generate_series(1, 20) g;\n",
        "alter table orders add constraint a check (total > 0) not valid;\nalter table orders add constraint b check (id > 0) not valid;\nalter table orders validate constraint a;\nalter table orders validate constraint b;\n",
    ),
    (
        "constraint-building-index",
        "create schema app;\ncreate table app.orders (id bigint, code text);\ninsert into app.orders select g, g from generate_series(1, 20) g;\n",
        "alter table app.orders add primary key (id), add unique (code);\n",
    ),
    (
        "drop-index-without-concurrently",
        "create table orders (id bigint primary key, state text);\ncreate index orders_state_idx on orders (state);\n",
        "alter table orders add column note text;\ndrop index orders_state_idx;\nalter table orders add column other text;\n",
    ),
    (
        "forbidden-in-transaction",
        "create table orders (id bigint primary key, state text);\n",
        "begin;\nalter table orders add column note text;\ncreate index concurrently orders_state_idx on orders (state);\nalter table orders add column other text;\ncommit;\n",
    ),
    (
        "foreign-key-without-not-valid",
        "create table a (id bigint primary key);\ncreate table b (id bigint primary key, a_id bigint);\ninsert into a values (1);\ninsert into b values (1, 1);\n",
        "alter table b add foreign key (a_id) references a on delete cascade deferrable;\n",
    ),
    (
        "index-without-concurrently",
        "create table events (at timestamptz not null, \"user\" bigint) partition by range (at);\n\
         create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');\n\
         create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');\n",
        "create index events_user_idx on events (\"user\", at desc) where \"user\" > 0;\n",
    ),
    (
        "index-without-concurrently",
        "create table orders (id bigint primary key, state text);\n",
        "create index if not exists orders_state_idx on orders (state);\ncomment on index orders_state_idx is 'for the list';\n",
    ),
    (
        "set-not-null",
        "create table orders (id bigint primary key, state text, total int);\ninsert into orders select g, 'x', g from generate_series(1, 20) g;\n",
        "alter table orders alter column state set not null, alter column total set default 0;\n",
    ),
    (
        "unbounded-write",
        "create table orders (id uuid primary key default gen_random_uuid(), state text);\ninsert into orders (state) select 'x' from generate_series(1, 12000) g;\n",
        "update orders set state = upper(state);\n",
    ),
    (
        "volatile-default",
        "create table orders (id bigint primary key);\ninsert into orders select g from generate_series(1, 20) g;\n",
        "alter table orders add column token uuid not null default gen_random_uuid();\n",
    ),
];

/// Rule, what is there, what is written, and what its fix adds to that.
const ADDED: &[(&str, &str, &str, &str)] = &[
    (
        "foreign-key-without-index",
        "create schema app;\ncreate table app.\"Orders\" (id bigint primary key);\ncreate table app.\"Lines\" (id bigint primary key);\n",
        "ALTER TABLE app.\"Lines\" ADD COLUMN \"Order id\" bigint REFERENCES app.\"Orders\" (id);\n",
        "create index \"Lines_Order id_idx\" on app.\"Lines\" (\"Order id\");",
    ),
    (
        "foreign-key-without-index",
        "create table orders (id bigint primary key);\n",
        "create table lines (id bigint primary key, a int, foreign key (id) references orders, order_id bigint references orders);\n",
        "create index lines_order_id_idx on lines (order_id);",
    ),
    (
        "never-validated",
        "create table orders (id bigint primary key, total int);\ninsert into orders select g, g from generate_series(1, 20) g;\n",
        "alter table orders add constraint orders_total_check check (total >= 0) not valid;\n",
        "alter table orders validate constraint orders_total_check;",
    ),
];

#[tokio::test]
async fn a_fix_that_adds_something_ends_where_its_finding_says_and_is_not_written_unasked() {
    for (number, (rule, setup, bad, adds)) in ADDED.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let path = root.join("20260102000000_example_safe.sql");
        fs::write(root.join("20260101000000_setup_safe.sql"), setup).unwrap();
        fs::write(&path, format!("{HEADER}{bad}")).unwrap();
        // Nobody asks for a validation before another migration follows.
        let next = root.join("20260103000000_next_safe.sql");
        fs::write(&next, format!("{HEADER}select 1;\n")).unwrap();
        let arguments = ["validate", "--no-config", "--fix", "--format", "json", path.as_str(), next.as_str()];
        let output = support::liftlock().args(arguments).current_dir(root).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(files(root).len(), 3, "{rule} is written");
        let finding = report["findings"].as_array().unwrap().iter().find(|it| it["rule"] == *rule).expect(rule);
        let steps = finding["fix"]["steps"].as_array().expect("a fix");
        let name = rule.replace('-', "_");
        let meant = support::database(&format!("added_{name}_{number}_a")).await;
        let amended = support::database(&format!("added_{name}_{number}_b")).await;
        meant.execute(setup).await;
        amended.execute(setup).await;
        run(&meant, &format!("{bad}{adds}")).await.unwrap();
        for step in steps {
            run(&amended, step["sql"].as_str().unwrap()).await.unwrap();
        }
        assert_eq!(catalog(&meant).await, catalog(&amended).await, "{bad}");
    }
}

/// Whether the rule's finding was mended; what is wrong, when the end is another one.
async fn check(rule: &str, number: usize, setup: &str, bad: &str) -> Result<bool, String> {
    if BY_HAND.iter().any(|(name, part)| *name == rule && bad.contains(part)) {
        return Ok(false);
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    fs::write(root.join("20260101000000_setup_safe.sql"), setup).unwrap();
    let path = root.join("20260102000000_example_safe.sql");
    fs::write(&path, format!("{HEADER}{bad}")).unwrap();
    let arguments = ["validate", "--no-config", "--fix", "--format", "json", path.as_str()];
    let output = support::liftlock().args(arguments).current_dir(root).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let files = files(root);
    if files.len() == 2 && files[1].ends_with(bad) {
        return Ok(false);
    }
    let report: serde_json::Value = serde_json::from_str(&output).map_err(|error| format!("{error}: {output}"))?;
    let mut still =
        report["findings"].as_array().unwrap().iter().filter(|it| it["rule"] == rule && it["waived"] == false);
    if let Some(finding) = still.next() {
        return Err(format!("it is found still, in {}:\n{}", finding["file"], files[1..].join("\n---\n")));
    }
    let name = rule.replace('-', "_");
    let original = support::database(&format!("fix_{name}_{number}_a")).await;
    let amended = support::database(&format!("fix_{name}_{number}_b")).await;
    original.execute(setup).await;
    amended.execute(setup).await;
    // What fails as it is written is compared with what was meant.
    let meant = if rule == "forbidden-in-transaction" {
        bad.replace("begin;\n", "").replace("commit;\n", "")
    } else {
        bad.to_owned()
    };
    run(&original, &meant).await.map_err(|why| format!("the original fails: {why}"))?;
    for file in &files[1..] {
        run(&amended, file).await.map_err(|why| format!("the fix fails: {why}\n{file}"))?;
    }
    let (expected, found) = (catalog(&original).await, catalog(&amended).await);
    if expected == found {
        Ok(true)
    } else {
        Err(format!("expected {expected:#?}\nfound {found:#?}\n{}", files[1..].join("\n---\n")))
    }
}

fn files(root: &Utf8Path) -> Vec<String> {
    let mut paths = root.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path()).collect::<Vec<_>>();
    paths.sort();
    paths.iter().map(|it| fs::read_to_string(it).unwrap()).collect()
}

/// Statement by statement, as a file runs that holds what no transaction block allows.
async fn run(database: &TestDatabase, text: &str) -> Result<(), String> {
    let session: Session = database.session().await;
    for statement in sql::read(text) {
        let sql = &text[statement.span.start..statement.span.end];
        session.batch_execute(sql).await.map_err(|error| format!("{error:?}\n{sql}"))?;
    }
    session.close().await;
    Ok(())
}

/// Everything that a fix could leave otherwise, a line each.
async fn catalog(database: &TestDatabase) -> Vec<String> {
    const SQL: &str = "
        select format('column %s.%s %s null=%s default=%s', attrelid::regclass, attname, format_type(atttypid, atttypmod), not attnotnull,
                      pg_get_expr(adbin, adrelid))
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid >= 16384 and attnum > 0 and not attisdropped and attrelid in (select oid from pg_class where relkind in ('r', 'p', 'm'))
          and attrelid::regclass::text not like 'pg_toast%'
        union all
        select format('constraint %s on %s %s validated=%s', conname, conrelid::regclass, pg_get_constraintdef(oid), convalidated)
        from pg_constraint where conrelid >= 16384
        union all
        select format('index %s valid=%s ready=%s attached=%s', pg_get_indexdef(indexrelid), indisvalid, indisready,
                      (select inhparent::regclass from pg_inherits where inhrelid = indexrelid))
        from pg_index where indrelid >= 16384 and indrelid::regclass::text not like 'pg_toast%'
        union all
        select format('value %s.%s', enumtypid::regtype, string_agg(enumlabel, ' ' order by enumsortorder)) from pg_enum group by enumtypid
        union all
        select format('partition %s %s', oid::regclass, pg_get_expr(relpartbound, oid)) from pg_class where relispartition and relkind = 'r'
        union all
        select format('comment %s', description) from pg_description where objoid >= 16384
        order by 1";
    let session = database.session().await;
    let mut lines = session.query(SQL, &[]).await.unwrap().iter().map(|it| it.get::<_, String>(0)).collect::<Vec<_>>();
    let tables = "select oid::regclass::text from pg_class where relkind = 'r' and oid >= 16384 and relnamespace <> 'pg_toast'::regnamespace order by 1";
    for row in session.query(tables, &[]).await.unwrap() {
        let table = row.get::<_, String>(0);
        // A volatile default is another value in each database: only whether there is one can be compared.
        let sql = format!(
            "select coalesce(string_agg(regexp_replace(r::text, '[0-9a-f]{{8}}-[0-9a-f-]{{27}}', 'uuid', 'g'), ' ' order by regexp_replace(r::text, '[0-9a-f]{{8}}-[0-9a-f-]{{27}}', 'uuid', 'g')), '') from {table} r"
        );
        let rows = session.query_one(&sql, &[]).await.unwrap().get::<_, String>(0);
        lines.push(format!("rows of {table}: {} {rows:.200}", rows.len()));
    }
    session.close().await;
    lines
}
