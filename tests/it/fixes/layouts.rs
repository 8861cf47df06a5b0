//! Fixes written into the folders of other tools: in their own form, in order, with what they want beside; and run on
//! Postgres beside the original.

use std::{fmt::Write, fs};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::migration::{
    discover,
    layout::{Applier, Asked},
};

use super::{catalog, run};
use crate::support;

const CREATE: &str = "create table orders (id bigint primary key, total int);\n";
const INDEX: &str = "create index orders_total_idx on orders (total);\n";
const CHECK: &str = "alter table orders add constraint total_sign check (total > 0);\n";

/// Name, files, and what is judged; the last is what a fix is written for.
fn cases() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let up = |text: &str| text.to_owned();
    let goose = |sql: &str, down: &str| format!("-- +goose Up\n{sql}\n-- +goose Down\n{down}");
    let dbmate = |sql: &str, down: &str| format!("-- migrate:up\n{sql}\n-- migrate:down\n{down}");
    let changesets = |sql: &str| {
        format!(
            "--liquibase formatted sql\n\n--changeset ann:2\n{sql}--rollback select 1;\n\n--changeset ann:3\n\
             comment on table orders is 'x';\n--rollback select 1;\n"
        )
    };
    let first = format!("--liquibase formatted sql\n\n--changeset ann:1\n{CREATE}--rollback drop table orders;\n");
    let (drop_table, drop_index) = ("drop table orders;\n", "drop index orders_total_idx;\n");
    let drop_check = "alter table orders drop constraint total_sign;\n";
    let mixed = format!("alter table orders add column a int;\n{INDEX}alter table orders add column b int;\n");
    vec![
        ("goose", vec![("00001_create.sql", goose(CREATE, drop_table)), ("00002_index.sql", goose(INDEX, drop_index))]),
        (
            "goose mixed",
            vec![
                ("20260101120000_create.sql", goose(CREATE, drop_table)),
                (
                    "20260102120000_mixed.sql",
                    goose(
                        &mixed,
                        "alter table orders drop column b;\ndrop index orders_total_idx;\nalter table orders drop column a;\n",
                    ),
                ),
            ],
        ),
        (
            "goose backfill",
            vec![
                ("00001_create.sql", goose(CREATE, drop_table)),
                ("00002_fill.sql", goose("update orders set total = 0;\n", "select 1;\n")),
            ],
        ),
        (
            "sql-migrate",
            vec![
                ("1_create.sql", format!("-- +migrate Up\n{CREATE}\n-- +migrate Down\n{drop_table}")),
                ("2_index.sql", format!("-- +migrate Up\n{INDEX}\n-- +migrate Down\n{drop_index}")),
            ],
        ),
        (
            "dbmate",
            vec![
                ("20260101120000_create.sql", dbmate(CREATE, drop_table)),
                ("20260102120000_check.sql", dbmate(CHECK, drop_check)),
                ("20260103120000_index.sql", dbmate(INDEX, drop_index)),
            ],
        ),
        ("liquibase index", vec![("1.sql", first.clone()), ("2.sql", changesets(INDEX))]),
        ("liquibase check", vec![("1.sql", first), ("2.sql", changesets(CHECK))]),
        (
            "golang-migrate",
            vec![
                ("000001_create.up.sql", up(CREATE)),
                ("000001_create.down.sql", up(drop_table)),
                ("000002_check.up.sql", up(CHECK)),
                ("000002_check.down.sql", up(drop_check)),
            ],
        ),
        (
            "sqlx",
            vec![
                ("Cargo.toml", up("[dependencies]\nsqlx = \"1\"\n")),
                ("migrations/20260101120000_create.up.sql", up(CREATE)),
                ("migrations/20260101120000_create.down.sql", up(drop_table)),
                ("migrations/20260102120000_mixed.up.sql", mixed.clone()),
                ("migrations/20260102120000_mixed.down.sql", up("alter table orders drop column a;\n")),
            ],
        ),
        (
            "diesel",
            vec![
                ("2026-01-01-120000_create/up.sql", up(CREATE)),
                ("2026-01-01-120000_create/down.sql", up(drop_table)),
                ("2026-01-02-120000_mixed/up.sql", mixed.clone()),
                ("2026-01-02-120000_mixed/down.sql", up("alter table orders drop column a;\n")),
            ],
        ),
        (
            "flyway",
            vec![
                ("V1__create.sql", up(CREATE)),
                ("V2__check.sql", up(CHECK)),
                ("V3__other.sql", up("comment on table orders is 'x';\n")),
            ],
        ),
        ("flyway with underscores", vec![("V1__create.sql", up(CREATE)), ("V1_2__mixed.sql", mixed.clone())]),
        (
            "flyway backfill",
            vec![("V1__create.sql", up(CREATE)), ("V2__fill.sql", up("update orders set total = 0;\n"))],
        ),
        (
            "prisma",
            vec![
                ("migration_lock.toml", up("provider = \"postgresql\"\n")),
                ("20260101120000_create/migration.sql", up(CREATE)),
                ("20260102120000_check/migration.sql", up(CHECK)),
            ],
        ),
        (
            "drizzle",
            vec![
                (
                    "meta/_journal.json",
                    up(
                        "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":[{\"idx\":0,\"version\":\"7\",\"when\":1,\"tag\":\"0000_a\",\"breakpoints\":true},{\"idx\":1,\"version\":\"7\",\"when\":2,\"tag\":\"0001_b\",\"breakpoints\":true}]}",
                    ),
                ),
                ("0000_a.sql", up(CREATE)),
                ("0001_b.sql", up(CHECK)),
            ],
        ),
        (
            "supabase",
            vec![
                ("supabase/migrations/20260101120000_create.sql", up(CREATE)),
                ("supabase/migrations/20260102120000_index.sql", up(INDEX)),
            ],
        ),
        (
            "atlas",
            vec![("atlas.sum", up("h1:x\n")), ("20260101120000.sql", up(CREATE)), ("20260102120000.sql", up(CHECK))],
        ),
        (
            "atlas in place",
            vec![
                ("atlas.sum", up("h1:x\n")),
                (
                    "20260101120000.sql",
                    up(CREATE)
                        + "create materialized view totals as select id, total from orders;\ncreate unique index totals_id on totals (id);\n",
                ),
                ("20260102120000.sql", up("refresh materialized view totals;\n")),
            ],
        ),
        (
            "numbered without room",
            vec![
                ("0001_create.sql", up(CREATE)),
                ("0002_check.sql", up(CHECK)),
                ("0003_other.sql", up("comment on table orders is 'x';\n")),
            ],
        ),
        (
            "something is in the way",
            vec![
                ("000001_create.up.sql", up(CREATE)),
                ("000001_create.down.sql", up(drop_table)),
                ("000002_check.up.sql", up(CHECK)),
                ("000002_check.down.sql", up(drop_check)),
                ("000003_validate_total_sign.down.sql", up("precious\n")),
            ],
        ),
    ]
}

#[tokio::test]
async fn fixes_fit_the_layout_of_their_tool_and_end_in_the_same_catalog() {
    let mut told = String::new();
    for (number, (name, files)) in cases().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for (file, text) in &files {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), text).unwrap();
        }
        let migrations = ["migrations", "supabase/migrations"].map(|it| root.join(it));
        let migrations = migrations.into_iter().find(|it| it.is_dir()).unwrap_or(root.to_owned());
        let before = applied(&migrations).await;
        let judged = judged(&migrations);
        writeln!(told, "# {name}").unwrap();
        for file in &judged {
            let arguments = ["validate", "--no-config", "--fix", "--no-color", file.as_str()];
            let output = support::liftlock().args(arguments).current_dir(root).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
            for line in said.lines().filter(|it| it.contains("is left to you")) {
                writeln!(told, "{}", line.replace(root.as_str(), "")).unwrap();
            }
        }
        for file in walk(root) {
            let text = fs::read_to_string(&file).unwrap();
            let below = file.strip_prefix(root).unwrap();
            if files.iter().all(|(name, was)| below != *name || *was != text) {
                writeln!(told, "--- {below}\n{text}").unwrap();
            }
        }
        let original = support::database(&format!("fix_layout_{number}_a")).await;
        let amended = support::database(&format!("fix_layout_{number}_b")).await;
        for text in before {
            run(&original, &text).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        for text in applied(&migrations).await {
            run(&amended, &text).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        assert_eq!(catalog(&original).await, catalog(&amended).await, "{name}: {told}");
    }
    insta::assert_snapshot!(told);
}

/// All but the first migration: that one makes the tables.
fn judged(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let files = discover::whole(folder, asked()).unwrap().files;
    let skipped = usize::from(files.len() > 1);
    files.into_iter().skip(skipped).map(|it| it.path).collect()
}

fn asked() -> Asked {
    Asked { applier: Applier::Unknown, ..Asked::default() }
}

/// What the tool would run, file by file.
async fn applied(folder: &Utf8Path) -> Vec<String> {
    let migrations = discover::whole(folder, asked()).unwrap().read();
    let text = |it: &liftlock::migration::Migration| {
        it.statements.iter().map(|one| format!("{};\n", &it.text[one.span.start..one.span.end])).collect::<String>()
    };
    migrations.map(|it| text(&it)).collect()
}

fn walk(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => files.extend(walk(entry.path())),
            false => files.push(entry.path().to_owned()),
        }
    }
    files.sort();
    files
}
