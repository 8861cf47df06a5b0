//! Folders, good and bad, on a real disk.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;

use super::{DiscoverError, LARGEST, folder, folder_of, likely_folders};

/// A folder with these files in it, gone at the end of the test.
fn project(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().join("m")).unwrap();
    fs::create_dir(&root).unwrap();
    for (name, bytes) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    (folder, root)
}

fn ids(root: &Utf8Path) -> Vec<String> {
    folder(root).unwrap().into_iter().map(|file| file.id.0).collect()
}

/// The error's text with its help, the folder's own name left out.
fn told(root: &Utf8Path) -> String {
    let error = folder(root).expect_err("the folder is bad");
    let code = error.code().map(|code| code.to_string()).unwrap_or_default();
    let help = error.help().map(|help| help.to_string()).unwrap_or_default();
    format!("{code}: {error} ({help})").replace(root.as_str(), "m")
}

#[test]
fn up_scripts_of_every_layout_are_found_in_order() {
    let check = |files: &[&str], expected: &[&str]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, b"select 1;".as_slice())).collect();
        let (_folder, root) = project(&files);
        assert_eq!(ids(&root), expected, "{files:?}");
    };
    check(&["10_c.sql", "9_b.sql", "README.md", ".hidden.sql", "seed.ts"], &["9_b.sql", "10_c.sql"]);
    check(&["1_x/up.sql", "1_x/down.sql", "2_y/up.sql"], &["1_x/up.sql", "2_y/up.sql"]);
    check(&["20260101_x/migration.sql", "migration_lock.toml"], &["20260101_x/migration.sql"]);
    check(&["1_x.sql/migration.sql", "2_y.sql"], &["1_x.sql/migration.sql", "2_y.sql"]);
    check(&["1_x.up.sql", "1_x.down.sql"], &["1_x.up.sql"]);
    check(&["1_x_up.sql", "1_x_down.sql"], &["1_x_up.sql"]);
    check(&["1-x-up.sql", "1-x-down.sql"], &["1-x-up.sql"]);
    check(&["1-scale-down.sql"], &["1-scale-down.sql"]);
    check(&["1_x.sql", "1_x_down.sql"], &["1_x.sql"]);
    check(&["1_scale_down.sql"], &["1_scale_down.sql"]);
    check(&["V1__x.sql", "U1__x.sql", "V1_1__y.sql"], &["V1__x.sql", "V1_1__y.sql"]);
    check(&["1_x.sql", ".git/2_y.sql", "node_modules/p/3_z.sql"], &["1_x.sql"]);
    check(&["20260101_a.sql", "20260101_b.sql"], &["20260101_a.sql", "20260101_b.sql"]);
    check(&["a/1_x.sql", "b/1_x.sql"], &["a/1_x.sql", "b/1_x.sql"]);
}

#[test]
fn what_is_odd_but_no_mistake_is_read() {
    let (_folder, root) = project(&[("1_empty.sql", b""), ("2_bom.sql", b"\xef\xbb\xbfselect 1;\r\n")]);
    symlink(root.join("1_empty.sql"), root.join("3_link.sql")).unwrap();
    let texts: Vec<String> = folder(&root).unwrap().into_iter().map(|file| file.text).collect();
    assert_eq!(texts, ["", "\u{feff}select 1;\r\n", ""]);
}

#[test]
fn bad_folders_are_told_apart() {
    let check = |files: &[(&str, &[u8])], expected: &str| {
        let (_folder, root) = project(files);
        assert!(told(&root).starts_with(expected), "{}", told(&root));
    };
    check(&[("README.md", b"")], "migration::none: no migrations in `m` (migrations are files that end in `.sql`");
    check(&[("1_x.down.sql", b"")], "migration::none: no migrations in `m`");
    check(
        &[("1_x.sql", b"select 1;\nselect '\xe9';\n")],
        "migration::not_utf8: `m/1_x.sql` is not UTF-8: byte 18, on line 2, belongs to no character (save it as UTF-8; `iconv",
    );
    check(&[("1_x.sql", b"\xff\xfes\x00")], "migration::not_utf8: `m/1_x.sql` is not UTF-8: byte 0, on line 1");
    check(
        &[("007_x.sql", b""), ("7_y.sql", b"")],
        "migration::same_version: `m/007_x.sql` and `m/7_y.sql` have the same version, 7",
    );
    check(&[("7_x/up.sql", b""), ("7_y/up.sql", b"")], "migration::same_version: `m/7_x/up.sql` and `m/7_y/up.sql`");
    check(&[("7_x.sql", b""), ("7_x.up.sql", b"")], "migration::same_version");
}

#[test]
fn a_folder_that_is_not_there_and_a_file_instead_of_one_are_told_apart() {
    let (_folder, root) = project(&[("1_x.sql", b"")]);
    assert!(told(&root.join("no")).starts_with("migration::no_folder: no folder"));
    assert!(told(&root.join("1_x.sql")).starts_with("migration::not_a_folder"));
    assert!(told(&root.join("1_x.sql/x")).starts_with("migration::no_folder"));
}

#[test]
fn a_symlink_loop_is_named() {
    let (_folder, root) = project(&[("a/1_x.sql", b"")]);
    symlink(&root, root.join("a/back")).unwrap();
    let expected = "migration::symlink_loop: `m/a/back` is a symbolic link to `m`, the folder that it lies in";
    assert!(told(&root).starts_with(expected), "{}", told(&root));
}

#[test]
fn a_link_to_nowhere_and_a_link_to_itself_are_errors() {
    let (_folder, root) = project(&[("1_x.sql", b"")]);
    symlink("nowhere.sql", root.join("2_y.sql")).unwrap();
    assert!(told(&root).starts_with("migration::unreadable: cannot read `m/2_y.sql`"), "{}", told(&root));
    fs::remove_file(root.join("2_y.sql")).unwrap();
    symlink("3_z.sql", root.join("3_z.sql")).unwrap();
    assert!(told(&root).starts_with("migration::unreadable: cannot read `m/3_z.sql`"), "{}", told(&root));
}

#[test]
fn a_name_that_is_not_utf8_is_an_error() {
    let (_folder, root) = project(&[("1_x.sql", b"")]);
    let name = std::ffi::OsStr::from_bytes(b"2_\xff.sql");
    fs::write(root.as_std_path().join(name), "").unwrap();
    assert!(told(&root).starts_with("migration::name_not_utf8: the name of `m/2_\u{fffd}.sql` is not UTF-8"));
}

#[test]
fn what_is_no_plain_file_is_an_error() {
    let (_folder, root) = project(&[("1_x.sql", b"")]);
    let _socket = std::os::unix::net::UnixListener::bind(root.join("2_y.sql")).unwrap();
    assert!(told(&root).starts_with("migration::not_a_file: `m/2_y.sql` is neither"), "{}", told(&root));
}

#[test]
fn a_file_of_50_mb_is_refused_before_it_is_read() {
    let (_folder, root) = project(&[]);
    fs::File::create(root.join("1_x.sql")).unwrap().set_len(50_000_000).unwrap();
    let expected = "migration::too_large: `m/1_x.sql` is 47.7 MB large; the limit is 16 MB";
    assert!(told(&root).starts_with(expected), "{}", told(&root));
    fs::File::create(root.join("1_x.sql")).unwrap().set_len(LARGEST).unwrap();
    assert_eq!(folder(&root).unwrap()[0].text.len() as u64, LARGEST);
}

#[test]
fn a_permission_error_names_the_file() {
    // Root may read everything, so the error is made by hand; the code that meets it is one line.
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = super::unreadable(Utf8Path::new("m/1_x.sql"), source);
    assert_eq!(error.to_string(), "cannot read `m/1_x.sql`");
    assert!(error.help().unwrap().to_string().contains("the right to read it"));
    assert!(matches!(error, DiscoverError::Unreadable { .. }));
}

#[test]
fn a_file_finds_the_folder_that_it_belongs_to() {
    let check = |file: &str, configured: Option<&str>, expected: &str| {
        assert_eq!(folder_of(Utf8Path::new(file), configured.map(Utf8Path::new)), expected, "{file}");
    };
    check("m/1_x.sql", None, "m");
    check("m/1_x/up.sql", None, "m");
    check("m/1_x/migration.sql", None, "m");
    check("1_x.sql", None, ".");
    check("m/core/V1__x.sql", Some("m"), "m");
    check("other/1_x.sql", Some("m"), "other");
}

#[test]
fn the_likely_folder_is_found() {
    let check = |files: &[&str], expected: &[(&str, usize)]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, b"".as_slice())).collect();
        let (_folder, root) = project(&files);
        let found = likely_folders(&root);
        let found: Vec<(&str, usize)> = found.iter().map(|(folder, count)| (folder.as_str(), *count)).collect();
        assert_eq!(found, expected, "{files:?}");
    };
    check(&[], &[]);
    check(&["README.md"], &[]);
    check(&["db/migrations/1_x.sql"], &[("db/migrations", 1)]);
    check(&["sql/report.sql", "prisma/migrations/1_x/migration.sql"], &[("prisma/migrations", 1), ("sql", 1)]);
    check(&["server/store/1_x.up.sql", "server/store/1_x.down.sql"], &[("server/store", 1)]);
    check(&["a/1.sql", "b/1.sql", "b/2.sql"], &[("b", 2), ("a", 1)]);
    check(&["1_x.sql"], &[(".", 1)]);
    check(&["node_modules/p/1.sql", "target/2.sql", ".git/3.sql", "tests/4.sql"], &[]);
}
