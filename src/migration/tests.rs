//! Names, order, checksums, transaction modes, and files against history.

use super::{
    AppliedMigration, AppliedState, Checksum, Migration, MigrationId, Pending, SourceFile, TransactionMode, pending,
    read,
    script::{self, Direction},
};

#[test]
fn a_path_says_name_version_and_direction() {
    let check = |id: &str, name: &str, version: Option<&str>, direction: Direction| {
        let script = script::script(id);
        assert_eq!(script.name, name, "{id}");
        assert_eq!(script.version.map(|version| version.to_string()).as_deref(), version, "{id}");
        assert_eq!(script.direction, direction, "{id}");
    };
    use Direction::{Down, DownIfPaired, Up};
    check("20260101120000_add_x_safe.sql", "20260101120000_add_x_safe", Some("20260101120000"), Up);
    check("0007_add_x_safe.up.sql", "0007_add_x_safe", Some("7"), Up);
    check("0007_add_x_safe.down.sql", "0007_add_x_safe.down", Some("7"), Down);
    check("0007_add_x_up.sql", "0007_add_x", Some("7"), Up);
    check("0007_add_x_down.sql", "0007_add_x_down", Some("7"), DownIfPaired);
    check("0007_add_x_safe/up.sql", "0007_add_x_safe", Some("7"), Up);
    check("0007_add_x_safe/down.sql", "0007_add_x_safe", Some("7"), Down);
    check("20260101_add_x_safe/migration.sql", "20260101_add_x_safe", Some("20260101"), Up);
    check("20260101_add_x_safe.sql/migration.sql", "20260101_add_x_safe", Some("20260101"), Up);
    check("2026-01-31-120000_x/up.sql", "2026-01-31-120000_x", Some("2026.1.31.120000"), Up);
    check("2026_01_31_120000_x.sql", "2026_01_31_120000_x", Some("2026.1.31.120000"), Up);
    check("001_2_factor.sql", "001_2_factor", Some("1"), Up);
    check("001_2fa.sql", "001_2fa", Some("1"), Up);
    check("V1_2__add_x.sql", "V1_2__add_x", Some("1.2"), Up);
    check("U1_2__add_x.sql", "U1_2__add_x", Some("1.2"), Down);
    check("Users.sql", "Users", None, Up);
    check("001.undo.add_x.sql", "001.undo.add_x", Some("1"), Down);
    check("add_x.undo.sql", "add_x.undo", None, Down);
    check("down/001_x.sql", "001_x", Some("1"), Down);
    check("core/V2__x.sql", "V2__x", Some("2"), Up);
    check("0042.SQL", "0042", Some("42"), Up);
    check("up.sql", "up", None, Up);
    check("ü.sql", "ü", None, Up);
    check("", "", None, Up);
}

#[test]
fn ids_are_ordered_by_number_then_bytes() {
    let check = |expected: &[&str]| {
        let mut ids: Vec<MigrationId> = expected.iter().rev().map(|id| MigrationId((*id).to_owned())).collect();
        ids.sort();
        assert_eq!(ids.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), expected);
    };
    check(&["1_a.sql", "2_b.sql", "10_c.sql"]);
    check(&["0001_a.sql", "0002_b.sql", "20260101120000_c.sql", "init.sql"]);
    check(&["9_x/up.sql", "10_a/up.sql"]);
    check(&["core/V1__a.sql", "features/V2__b.sql", "core/V3__c.sql"]);
    check(&["2025/2_b.sql", "2026/1_a.sql"]);
    check(&["V1_9__a.sql", "V1_10__b.sql", "V2__c.sql"]);
    check(&["2026-01-31-120000_a/up.sql", "2026-02-01-090000_b/up.sql"]);
    check(&["1_a.sql", "1_b.sql", "1_b/up.sql"]);
    check(&["a.sql", "b.sql"]);
    check(&["99999999999999999999999998_a.sql", "99999999999999999999999999_b.sql"]);
}

#[test]
fn line_ends_and_a_bom_do_not_change_the_checksum() {
    let plain = Checksum::of("select 1;\nselect 2;\n");
    assert_eq!(plain.0, "061e995aebcb765888ac7580f67ee3815a03b9b9c3fd5ff2dbb40db98b53a737");
    assert_eq!(Checksum::of("select 1;\r\nselect 2;\r\n"), plain);
    assert_eq!(Checksum::of("\u{feff}select 1;\nselect 2;\n"), plain);
    assert_ne!(Checksum::of("select 1;\rselect 2;\n"), plain);
    assert_ne!(Checksum::of("select 1;\nselect 2;"), plain);
}

fn file(id: &str, text: &str) -> SourceFile {
    SourceFile { path: format!("m/{id}").into(), id: MigrationId(id.to_owned()), text: text.to_owned() }
}

#[test]
fn a_bom_is_no_part_of_the_text() {
    let migration = read(file("1_x_safe.sql", "\u{feff}select 1;\r\n"));
    assert_eq!(migration.text, "select 1;\r\n", "spans and messages refer to the file as it is, but for its BOM");
    assert_eq!(migration.name, "1_x_safe");
}

#[test]
fn the_transaction_mode_follows_from_the_statements() {
    let check = |text: &str, expected: TransactionMode, to_run: usize| {
        let migration = read(file("1.sql", text));
        assert_eq!(migration.transaction, expected, "{text}");
        assert_eq!(migration.to_run().len(), to_run, "{text}");
    };
    use TransactionMode::{Own, PerStatement, Single};
    check("", Single, 0);
    check("create table a (); create table b ();", Single, 2);
    check("begin; create table a (); create table b (); commit;", Single, 2);
    check("begin; commit", Single, 0);
    check("begin; savepoint s; create table a (); rollback to s; commit", Single, 3);
    check("start transaction; create table a (); end;", Single, 1);
    check("create index concurrently i on a (b);", PerStatement, 1);
    check("set lock_timeout = '1s'; vacuum a;", PerStatement, 2);
    check("-- no-transaction\nselect 1;", PerStatement, 1);
    check("-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;", PerStatement, 1);
    check("-- migrate:up transaction:false\nselect 1;", PerStatement, 1);
    check("-- no-transaction\nbegin; select 1; commit;", Single, 1);
    check("select 1; -- no-transaction\n", Single, 1);
    check("begin; create table a (); commit; begin; create table b (); commit;", Own, 6);
    check("create table a (); commit;", Own, 2);
    check("begin; create table a ();", Own, 2);
    check("begin; create table a (); rollback;", Own, 3);
    check("begin; create index concurrently i on a (b); commit;", Own, 3);
    check("create index concurrently i on a (b); begin; create table b (); commit;", Own, 4);
    check("do $$ begin commit; end $$;", Single, 1);
}

#[test]
fn down_sections_are_left_out() {
    let check = |text: &str, expected: &[&str]| {
        let migration = read(file("1.sql", text));
        let texts = migration.statements.iter().map(|it| &migration.text[it.span.start..it.span.end]);
        assert_eq!(texts.collect::<Vec<_>>(), expected, "{text}");
    };
    check("select 1;\nselect 2;", &["select 1", "select 2"]);
    check("-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;", &["select 1"]);
    check("-- +goose up\nselect 1\n-- +goose down\nselect 2", &["select 1"]);
    check(
        "-- +goose Up\n-- +goose StatementBegin\nselect 1;\n-- +goose StatementEnd\nselect 2;\n-- +goose Down\nselect 3;",
        &["select 1", "select 2"],
    );
    check("-- migrate:up transaction:false\nselect 1;\n\n-- migrate:down\nselect 2;\nselect 3;", &["select 1"]);
    check("-- +migrate Down\r\nselect 1;\r\n-- +migrate Up\r\nselect 2;\r\n", &["select 2"]);
    check("-- migrate:down\nselect 1;", &[]);
    check("select '\n-- +goose Down\n'; select 2;", &["select '\n-- +goose Down\n'", "select 2"]);
    check("do $$ begin\n-- migrate:down\nend $$; select 2;", &["do $$ begin\n-- migrate:down\nend $$", "select 2"]);
    check("-- a goose went down\nselect 1;", &["select 1"]);
    // Other tools read markers at the start of a line only.
    check("select 1; -- +goose Down\nselect 2;", &["select 1", "select 2"]);
    check("select 1 -- migrate:down\n, 2;", &["select 1 -- migrate:down\n, 2"]);
    check("/*\n-- +goose Down\n*/ select 2;", &["select 2"]);
}

/// `name:text` per file, `name:text:state` per applied row; the result as one line per list that is not empty.
fn compared(files: &str, applied: &str) -> String {
    let files: Vec<Migration> = files
        .split_whitespace()
        .map(|entry| entry.split_once(':').expect("name:text"))
        .map(|(name, text)| read(file(name, text)))
        .collect();
    let row = |entry: &str| {
        let parts: Vec<&str> = entry.split(':').collect();
        let state = if parts[2] == "done" { AppliedState::Done } else { AppliedState::Running };
        AppliedMigration { id: MigrationId(parts[0].to_owned()), checksum: Checksum::of(parts[1]), state }
    };
    let applied: Vec<AppliedMigration> = applied.split_whitespace().map(row).collect();
    let Pending { to_apply, changed, missing, out_of_order, running } = pending(&files, &applied);
    let lists = [
        ("apply", to_apply),
        ("changed", changed),
        ("missing", missing),
        ("out-of-order", out_of_order),
        ("running", running),
    ];
    let names = |ids: Vec<MigrationId>| ids.into_iter().map(|id| id.0).collect::<Vec<_>>().join(" ");
    let said = lists.into_iter().filter(|(_, ids)| !ids.is_empty()).map(|(what, ids)| format!("{what} {}", names(ids)));
    said.collect::<Vec<_>>().join("; ")
}

#[test]
fn files_are_compared_with_history() {
    let check = |files: &str, applied: &str, expected: &str| assert_eq!(compared(files, applied), expected);
    check("", "", "");
    check("2:b 10:c 1:a", "", "apply 1 2 10");
    check("1:a 2:b", "1:a:done", "apply 2");
    check("1:a 2:b", "2:b:done 1:a:done", "");
    check("1:a 2:b", "1:OTHER:done", "apply 2; changed 1");
    check("2:b", "1:a:done", "apply 2; missing 1");
    check("1:a 2:b", "2:b:done", "apply 1; out-of-order 1");
    check("1:a 2:b 3:c", "1:a:done 2:b:running", "apply 2 3; running 2");
    check("1:a 2:b", "1:OTHER:running", "apply 1 2; changed 1; running 1");
    check("2:b", "1:a:running", "apply 2; missing 1");
    check("1:a 2:b", "2:b:running", "apply 1 2; running 2");
    check("", "10:a:done 9:b:done", "missing 9 10");
}
