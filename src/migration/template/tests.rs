//! What `new` writes, whole.

use super::{Kind, TemplateFile, Wanted, files, snake_name};
use crate::migration::{MigrationId, layout::Layout};

fn made(name: &str, kind: Kind, existing: &[&str]) -> Vec<TemplateFile> {
    let existing: Vec<MigrationId> = existing.iter().map(|id| MigrationId((*id).to_owned())).collect();
    let now = jiff::civil::date(2026, 1, 31).at(12, 0, 0, 0);
    files(&Wanted {
        name,
        kind,
        now,
        existing: &existing,
        layout: Layout::default(),
        config_table: Some("site_settings"),
    })
}

#[test]
fn words_become_a_name_or_are_refused() {
    let check = |words: &str, expected: Result<&str, &str>| {
        let name = snake_name(words);
        assert_eq!(name.as_deref().map_err(|bad| bad.why), expected, "{words}");
    };
    check("add_pole_owner", Ok("add_pole_owner"));
    check("Add pole-owner", Ok("add_pole_owner"));
    check("  add__pole  owner ", Ok("add_pole_owner"));
    check("add_pole_owner_safe.sql", Ok("add_pole_owner"));
    check("add_pole_owner_safe", Ok("add_pole_owner"));
    check("20260131120000_add_pole_owner_safe.sql", Ok("add_pole_owner"));
    check("drop_sql", Ok("drop_sql"));
    check("", Err("it says nothing"));
    check("___", Err("it says nothing"));
    check("safe", Err("it says nothing"));
    check(".sql", Err("it says nothing"));
    check("../../etc/passwd", Err("it holds a path"));
    check("a\\b", Err("it holds a path"));
    check("straße", Err("it holds characters that not every system takes"));
    check("a;b", Err("it holds characters that not every system takes"));
    check("a\nb", Err("it holds characters that not every system takes"));
    check("2fa", Err("it starts with a digit"));
    check(&"a".repeat(81), Err("it is too long"));
}

#[test]
fn every_kind_reads_well() {
    let mut shown = String::new();
    let cases = [
        ("create_pole_owners", Kind::Table),
        ("add_owner_to_sow_poles", Kind::Column),
        ("index_sow_drops_by_pole_number", Kind::Index),
        ("check_height_of_sow_poles", Kind::Constraint),
        ("require_owner_of_sow_poles", Kind::NotNull),
        ("map_centre", Kind::Config),
        ("backfill_owner_of_sow_poles", Kind::Data),
        ("tidy_up", Kind::Empty),
        ("pole_owner", Kind::Column),
    ];
    for (name, kind) in cases {
        for file in made(name, kind, &[]) {
            shown.push_str(&format!("=== {} (fill in: {})\n{}\n", file.name, file.fill_in.join(", "), file.text));
        }
    }
    insta::assert_snapshot!("templates", shown);
}

#[test]
fn new_migrations_come_last() {
    let check = |existing: &[&str], expected: &str| {
        let files = made("x", Kind::Empty, existing);
        assert_eq!(files[0].name, format!("{expected}_x_safe.sql"), "{existing:?}");
    };
    check(&[], "20260131120000");
    check(&["0001_a.sql", "20250101000000_b.sql"], "20260131120000");
    check(&["20260131120000_a.sql"], "20260131120001");
    check(&["20260131120000_a/up.sql"], "20260131120001");
    check(&["20270101000000_a.sql"], "20270101000001");
    check(&["99999999999999_a.sql"], "20260131120000");
    check(&["99991231235959_a.sql"], "99991231235959");
}

#[test]
fn each_kind_has_a_type_and_one_lock_timeout_per_transaction() {
    for kind in Kind::ALL {
        for file in made("x", kind, &[]) {
            assert_eq!(file.text.contains("set local lock_timeout"), kind != Kind::Index, "{kind:?}");
            for line in ["-- Description: X", "-- Created: 2026-01-31 12:00 UTC", "-- Type: ", "-- Rollback:\n--   "] {
                assert!(file.text.contains(line), "{kind:?} lacks {line}");
            }
        }
    }
}
