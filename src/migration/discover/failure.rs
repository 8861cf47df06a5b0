//! Why a folder of migrations could not be read, and what helps.

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;

use super::LARGEST;
use crate::exit::Exit;

pub const MEGABYTE: u64 = 1024 * 1024;

/// Bytes in megabytes, with one digit behind the point, rounded up: what is over a limit shows as more than it.
fn tenths(size: u64) -> String {
    let tenths = size.saturating_mul(10).div_ceil(MEGABYTE);
    format!("{}.{}", tenths / 10, tenths % 10)
}

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
    #[error("`{path}` is {} MB large; the limit is {} MB", tenths(*size), LARGEST / MEGABYTE)]
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

/// What was read may have U+FFFD already.
pub fn not_utf8(path: Utf8PathBuf, bytes: &[u8], offset: usize) -> DiscoverError {
    let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
    let is_wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let help = if is_wide || bytes.starts_with("\u{fffd}\u{fffd}".as_bytes()) {
        "it starts like UTF-16: save it as UTF-8"
    } else {
        "save it as UTF-8; `iconv -f latin1 -t utf-8 FILE` turns most old files into it"
    };
    DiscoverError::NotUtf8 { path, offset, line, help }
}

pub fn unreadable(path: &Utf8Path, source: std::io::Error) -> DiscoverError {
    let help = match source.kind() {
        std::io::ErrorKind::PermissionDenied => "give the user who runs liftlock the right to read it",
        std::io::ErrorKind::NotFound => "it is a symbolic link to nowhere, or was removed meanwhile",
        _ => "every migration must be readable, or their order would have a gap",
    };
    DiscoverError::Unreadable { path: path.to_owned(), source, help }
}
