//! The file: JSON, versioned, sealed by a digest over all of its bytes.

use data_encoding::HEXLOWER;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Snapshot;
use crate::exit::Exit;

/// Tells the file apart from other JSON.
const FORMAT: &str = "liftlock catalog snapshot";
/// What this liftlock writes, and the newest that it reads. Fields may be added without a new version: readers pass
/// over those that they do not know.
const VERSION: u32 = 1;
/// Where the digest begins; all bytes before are sealed.
const SEAL: &str = "  \"digest\": \"sha256:";

/// Why a file is not believed.
#[derive(Debug, Error, Diagnostic)]
pub enum SnapshotError {
    #[error("`{path}` is no snapshot of a catalog")]
    #[diagnostic(code(snapshot::malformed), help("write one: `liftlock snapshot --env ENV > {path}`"))]
    Malformed {
        path: String,
        #[source]
        source: Option<serde_json::Error>,
    },
    #[error("`{path}` is a snapshot of version {found}; this liftlock reads versions up to {VERSION}")]
    #[diagnostic(
        code(snapshot::too_new),
        help("update liftlock (`liftlock --version` shows what it is), or write the snapshot with this one")
    )]
    TooNew { path: String, found: u64 },
    #[error("`{path}` was changed after it was written: its content does not have its digest")]
    #[diagnostic(code(snapshot::changed), help("take it again: `liftlock snapshot --env ENV > {path}`"))]
    Changed { path: String },
}

impl SnapshotError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Malformed { .. } | Self::TooNew { .. } | Self::Changed { .. } => Exit::Usage,
        }
    }
}

#[derive(Serialize)]
struct Written<'s> {
    format: &'static str,
    version: u32,
    snapshot: &'s Snapshot,
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
struct Content {
    snapshot: Snapshot,
}

/// The file's text. The same snapshot is the same text.
pub fn write(snapshot: &Snapshot) -> String {
    let written = Written { format: FORMAT, version: VERSION, snapshot };
    let text = serde_json::to_string_pretty(&written).expect("plain structs have a JSON form");
    let body = format!("{},\n", text.strip_suffix("\n}").expect("an object ends so"));
    let digest = digest(&body);
    format!("{body}{SEAL}{digest}\"\n}}\n")
}

/// Reads a file's text; `path` is for messages. A version that is newer, and any change, is refused.
pub fn read(path: &str, text: &str) -> Result<Snapshot, SnapshotError> {
    let path = path.to_owned();
    let text = text.replace("\r\n", "\n");
    let malformed = |path: &str, source| SnapshotError::Malformed { path: path.to_owned(), source };
    let head: Head = serde_json::from_str(&text).map_err(|it| malformed(&path, Some(it)))?;
    if head.format != FORMAT {
        return Err(malformed(&path, None));
    }
    if head.version > u64::from(VERSION) {
        return Err(SnapshotError::TooNew { path, found: head.version });
    }
    let seal = text.rfind(SEAL).ok_or_else(|| SnapshotError::Changed { path: path.clone() })?;
    // A line feed more or less at the end says nothing.
    if text[seal..].trim_end() != format!("{SEAL}{}\"\n}}", digest(&text[..seal])) {
        return Err(SnapshotError::Changed { path });
    }
    let content: Content = serde_json::from_str(&text).map_err(|it| malformed(&path, Some(it)))?;
    Ok(content.snapshot)
}

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, SnapshotError, digest, read, write};
    use crate::catalog::snapshot::{Name, Table};

    fn snapshot() -> Snapshot {
        let orders = Table {
            name: Name("public".to_owned(), "orders".to_owned()),
            kind: "table".to_owned(),
            unlogged: false,
            columns: Vec::new(),
            constraints: Vec::new(),
            partition_key: None,
            partition_of: None,
            bound: None,
            inherits: Vec::new(),
            row_security: false,
            forced_row_security: false,
            replica_identity: "default".to_owned(),
            options: Vec::new(),
            size: None,
        };
        Snapshot { environment: "production".to_owned(), tables: vec![orders], ..Snapshot::default() }
    }

    fn sealed(body: &str) -> String {
        format!("{body}  \"digest\": \"sha256:{}\"\n}}\n", digest(body))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = write(&snapshot());
        assert_eq!(read("catalog.json", &text).unwrap(), snapshot());
        assert_eq!(text, write(&snapshot()), "the same snapshot is the same text");
        assert_eq!(read("catalog.json", &text.replace('\n', "\r\n")).unwrap(), snapshot(), "whatever a checkout does");
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let text = write(&snapshot());
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(read("catalog.json", &changed).is_err(), "byte {at} in:\n{changed}");
        }
        for end in 0..text.len() - 1 {
            assert!(read("catalog.json", &text[..end]).is_err(), "cut off at {end}");
        }
    }

    #[test]
    fn newer_versions_are_refused_by_name_and_unknown_fields_passed_over() {
        let text = write(&snapshot());
        let body = &text[..text.rfind("  \"digest\"").unwrap()];
        let newer = body.replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(read("a", &sealed(&newer)), Err(SnapshotError::TooNew { found: 2, .. })));
        let more = body.replace("\"unlogged\": false", "\"unlogged\": false, \"invented\": [1]");
        assert_ne!(more, body);
        assert_eq!(read("a", &sealed(&more)).unwrap(), snapshot());
    }

    #[test]
    fn other_files_are_told_apart() {
        for text in ["", "{}", "[]", "create table a (b int);", "{\"format\": \"other\", \"version\": 1}"] {
            assert!(matches!(read("a", text), Err(SnapshotError::Malformed { .. })), "{text}");
        }
    }
}
