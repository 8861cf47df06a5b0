//! A folder → texts. The only file of this module that touches a disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

use super::{MigrationId, SourceFile, layout};
use crate::error::Exit;

/// The largest file that is read, in bytes. The largest hand-written migration that we know of is a tenth.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a folder of migrations could not be read.
#[derive(Debug, Error, Diagnostic)]
pub enum DiscoverError {
    #[error("no folder `{path}`")]
    #[diagnostic(
        code(migration::no_folder),
        help(
            "`migrations:` in liftlock.yml says where the folder is; `liftlock new NAME` makes it and a first migration"
        )
    )]
    NoFolder { path: Utf8PathBuf },
    #[error("`{path}` is not a folder")]
    #[diagnostic(code(migration::not_a_folder), help("name the folder that the migrations lie in"))]
    NotAFolder { path: Utf8PathBuf },
    #[error("no migrations in `{path}`")]
    #[diagnostic(
        code(migration::none),
        help(
            "migrations are files that end in `.sql`; make one with `liftlock new NAME`, or correct `migrations:` in liftlock.yml"
        )
    )]
    None { path: Utf8PathBuf },
    #[error("`{path}` is not UTF-8: byte {offset}, on line {line}, belongs to no character")]
    #[diagnostic(code(migration::not_utf8))]
    NotUtf8 {
        path: Utf8PathBuf,
        /// Bytes before the bad one.
        offset: usize,
        /// From 1.
        line: usize,
        #[help]
        help: &'static str,
    },
    #[error("`{path}` is {} MB large; the limit is {} MB", size / 1_000_000, LARGEST / (1024 * 1024))]
    #[diagnostic(
        code(migration::too_large),
        help("a migration changes a schema; bring bulk data in with `\\copy` or a data pipeline, or split the file")
    )]
    TooLarge { path: Utf8PathBuf, size: u64 },
    #[error("`{first}` and `{second}` have the same version, {version}")]
    #[diagnostic(
        code(migration::same_version),
        help("which runs first would be chance; give the one that is not yet applied anywhere a new version")
    )]
    SameVersion { first: Utf8PathBuf, second: Utf8PathBuf, version: String },
    #[error("`{path}` is a symbolic link to `{ancestor}`, the folder that it lies in")]
    #[diagnostic(code(migration::symlink_loop), help("remove the link: following it never ends"))]
    SymlinkLoop { path: Utf8PathBuf, ancestor: Utf8PathBuf },
    #[error("cannot read `{path}`")]
    #[diagnostic(code(migration::unreadable))]
    Unreadable {
        path: Utf8PathBuf,
        source: std::io::Error,
        #[help]
        help: &'static str,
    },
    #[error("the name of `{path}` is not UTF-8")]
    #[diagnostic(code(migration::name_not_utf8), help("rename it: the history records migrations by name"))]
    NameNotUtf8 {
        /// With `�` for what is no character.
        path: String,
    },
    #[error("`{path}` is neither a file nor a folder")]
    #[diagnostic(code(migration::not_a_file), help("a migration is a plain file; remove it or replace it by one"))]
    NotAFile { path: Utf8PathBuf },
}

impl DiscoverError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoFolder { .. }
            | Self::NotAFolder { .. }
            | Self::None { .. }
            | Self::NotUtf8 { .. }
            | Self::TooLarge { .. }
            | Self::SameVersion { .. }
            | Self::SymlinkLoop { .. }
            | Self::Unreadable { .. }
            | Self::NameNotUtf8 { .. }
            | Self::NotAFile { .. } => Exit::Usage,
        }
    }
}

/// All up migrations of a folder, in order. Down scripts are left out, hidden folders and `node_modules` are
/// not entered, symbolic links are followed.
pub fn folder(root: &Utf8Path) -> Result<Vec<SourceFile>, DiscoverError> {
    let metadata = std::fs::metadata(root).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            DiscoverError::NoFolder { path: root.to_owned() }
        }
        _ => unreadable(root, source),
    })?;
    if !metadata.is_dir() {
        return Err(DiscoverError::NotAFolder { path: root.to_owned() });
    }
    let ids = up_scripts(walk(root)?);
    if ids.is_empty() {
        return Err(DiscoverError::None { path: root.to_owned() });
    }
    refuse_same_version(root, &ids)?;
    ids.into_iter().map(|id| read_file(root, id)).collect()
}

/// The migrations folder that a file belongs to: `configured` when the file lies in it, else the folder that
/// its layout lies in (`m/0001_x.sql` → `m`, `m/0001_x/up.sql` → `m`).
pub fn folder_of(file: &Utf8Path, configured: Option<&Utf8Path>) -> Utf8PathBuf {
    let real = |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    if let Some(configured) = configured
        && real(file).starts_with(real(configured))
    {
        return configured.to_owned();
    }
    let folder = file.parent().unwrap_or(Utf8Path::new(""));
    let fixed_name = matches!(file.file_stem(), Some("up" | "down" | "migration"));
    let folder = if fixed_name { folder.parent().unwrap_or(folder) } else { folder };
    if folder.as_str().is_empty() { Utf8PathBuf::from(".") } else { folder.to_owned() }
}

/// Ids of all `.sql` files.
fn walk(root: &Utf8Path) -> Result<Vec<String>, DiscoverError> {
    let mut ids = Vec::new();
    let entries = WalkDir::new(root).follow_links(true).into_iter().filter_entry(is_of_interest);
    for entry in entries {
        let entry = entry.map_err(|error| of_walkdir(root, error))?;
        let is_sql = entry.file_name().to_string_lossy().to_ascii_lowercase().ends_with(".sql");
        if entry.file_type().is_dir() || !is_sql {
            continue;
        }
        let Some(path) = Utf8Path::from_path(entry.path()) else {
            return Err(DiscoverError::NameNotUtf8 { path: entry.path().to_string_lossy().into_owned() });
        };
        if !entry.file_type().is_file() {
            return Err(DiscoverError::NotAFile { path: path.to_owned() });
        }
        let below = path.strip_prefix(root).expect("walkdir yields only paths below its root");
        ids.push(below.components().map(|part| part.as_str()).collect::<Vec<_>>().join("/"));
    }
    Ok(ids)
}

fn is_of_interest(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name.starts_with('.') || (name == "node_modules" && entry.file_type().is_dir()))
}

fn of_walkdir(root: &Utf8Path, error: walkdir::Error) -> DiscoverError {
    let lossy = |path: &std::path::Path| Utf8PathBuf::from(path.to_string_lossy().into_owned());
    let path = error.path().map_or_else(|| root.to_owned(), lossy);
    if let Some(ancestor) = error.loop_ancestor() {
        return DiscoverError::SymlinkLoop { path, ancestor: lossy(ancestor) };
    }
    let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("the folder could not be walked"));
    unreadable(&path, source)
}

/// Those that go up, in order.
fn up_scripts(ids: Vec<String>) -> Vec<String> {
    let all: BTreeSet<String> = ids.iter().cloned().collect();
    let is_up = |id: &String| match layout::script(id).direction {
        layout::Direction::Up => true,
        layout::Direction::Down => false,
        layout::Direction::DownIfPaired => {
            let stem = &id[..id.len() - "_down.sql".len()];
            !(all.contains(&format!("{stem}.sql")) || all.contains(&format!("{stem}_up.sql")))
        }
    };
    let mut ups: Vec<String> = ids.into_iter().filter(is_up).collect();
    ups.sort_by_cached_key(|id| layout::order(id));
    ups
}

fn refuse_same_version(root: &Utf8Path, ids: &[String]) -> Result<(), DiscoverError> {
    let mut seen: BTreeMap<(String, layout::Version), &String> = BTreeMap::new();
    for id in ids {
        let script = layout::script(id);
        let Some(version) = script.version.filter(|version| !version.is_day()) else { continue };
        let name_at = id.rfind(script.name.as_str()).unwrap_or(0);
        let place = id[..name_at].to_owned();
        if let Some(first) = seen.get(&(place.clone(), version.clone())) {
            let version = version.to_string();
            return Err(DiscoverError::SameVersion { first: root.join(first), second: root.join(id), version });
        }
        seen.insert((place, version), id);
    }
    Ok(())
}

fn read_file(root: &Utf8Path, id: String) -> Result<SourceFile, DiscoverError> {
    let path = root.join(&id);
    let io = |source| unreadable(&path, source);
    let file = File::open(&path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if size > LARGEST {
        return Err(DiscoverError::TooLarge { path, size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // The file may have grown since its size was asked for.
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(DiscoverError::TooLarge { path, size: bytes.len() as u64 });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { path, id: MigrationId(id), text }),
        Err(error) => Err(not_utf8(path, &error)),
    }
}

fn not_utf8(path: Utf8PathBuf, error: &std::string::FromUtf8Error) -> DiscoverError {
    let offset = error.utf8_error().valid_up_to();
    let bytes = error.as_bytes();
    let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
    let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "it starts like UTF-16: save it as UTF-8"
    } else {
        "save it as UTF-8; `iconv -f latin1 -t utf-8 FILE` turns most old files into it"
    };
    DiscoverError::NotUtf8 { path, offset, line, help }
}

fn unreadable(path: &Utf8Path, source: std::io::Error) -> DiscoverError {
    let help = match source.kind() {
        std::io::ErrorKind::PermissionDenied => "give the user who runs liftlock the right to read it",
        std::io::ErrorKind::NotFound => "it is a symbolic link to nowhere, or was removed meanwhile",
        _ => "every migration must be readable, or their order would have a gap",
    };
    DiscoverError::Unreadable { path: path.to_owned(), source, help }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{ffi::OsStrExt, fs::symlink},
    };

    use camino::{Utf8Path, Utf8PathBuf};
    use miette::Diagnostic;

    use super::{DiscoverError, LARGEST, folder, folder_of};

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
        check(
            &[("7_x/up.sql", b""), ("7_y/up.sql", b"")],
            "migration::same_version: `m/7_x/up.sql` and `m/7_y/up.sql`",
        );
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
        let expected = "migration::too_large: `m/1_x.sql` is 50 MB large; the limit is 16 MB";
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
}
