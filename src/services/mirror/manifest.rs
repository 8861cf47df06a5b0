//! `manifest.json` of a mirrored table: which files hold it, and the last batches. Replacing it is the commit.

use std::{
    fs::{self, File},
    io::{self, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Mapping, MirrorError, Receipt, TableState, Tally};

/// The version of both kinds of manifest that this program writes, and the highest that it reads.
const VERSION: u32 = 1;

/// How many batches are remembered. Only the last can be sent again; the rest helps people.
const REMEMBERED: usize = 16;

/// `mirror.json`, at the top of the mirror.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mirror {
    version: u32,
    pub id: Uuid,
}

/// `manifest.json`, in a table's folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    pub id: Uuid,
    pub table: String,
    pub mapping: Mapping,
    pub fence: u64,
    /// The number of the next segment file.
    pub next: u64,
    /// In key order, not overlapping.
    pub segments: Vec<Segment>,
    /// Oldest first.
    pub batches: Vec<Written>,
}

/// One immutable file of documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub file: String,
    pub first: String,
    pub last: String,
    pub live: u64,
    pub deleted: u64,
    pub bytes: u64,
}

/// A batch that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Written {
    pub run: Uuid,
    pub number: u64,
    /// SHA-256 of its changes.
    pub content: String,
    pub tally: Tally,
    pub through: String,
}

impl Mirror {
    pub fn new() -> Self {
        Self { version: VERSION, id: Uuid::new_v4() }
    }

    pub fn read(path: &Utf8Path) -> Result<Option<Self>, MirrorError> {
        let mirror: Option<Self> = read(path)?;
        mirror.map(|it| checked(path, it.version, it)).transpose()
    }
}

impl Manifest {
    pub fn new(table: &str, mapping: Mapping) -> Self {
        Self {
            version: VERSION,
            id: Uuid::new_v4(),
            table: table.to_owned(),
            mapping,
            fence: 0,
            next: 1,
            segments: Vec::new(),
            batches: Vec::new(),
        }
    }

    pub fn read(path: &Utf8Path, table: &str) -> Result<Option<Self>, MirrorError> {
        let manifest: Option<Self> = read(path)?;
        let Some(manifest) = manifest.map(|it| checked(path, it.version, it)).transpose()? else { return Ok(None) };
        if manifest.table != table {
            let reason = format!("it belongs to table `{}`, not `{table}`", manifest.table);
            return Err(MirrorError::BadManifest { file: path.to_owned(), reason });
        }
        Ok(Some(manifest))
    }

    pub fn state(&self) -> Option<TableState> {
        let last = self.batches.last()?;
        Some(TableState {
            id: self.id.to_string(),
            mapping: self.mapping.clone(),
            fence: self.fence,
            last: self.receipt(last, true),
            live: self.segments.iter().map(|it| it.live).sum(),
        })
    }

    pub fn receipt(&self, written: &Written, replayed: bool) -> Receipt {
        Receipt {
            table: self.id.to_string(),
            run: written.run,
            number: written.number,
            tally: written.tally,
            through: written.through.clone(),
            replayed,
        }
    }

    pub fn remember(&mut self, written: Written) {
        self.batches.push(written);
        let superfluous = self.batches.len().saturating_sub(REMEMBERED);
        self.batches.drain(..superfluous);
    }
}

fn read<T: DeserializeOwned>(path: &Utf8Path) -> Result<Option<T>, MirrorError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MirrorError::Inaccessible { action: "read", path: path.to_owned(), source }),
    };
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).map_err(|reason| MirrorError::BadManifest { file: path.to_owned(), reason: reason.to_string() })
}

fn checked<T>(path: &Utf8Path, version: u32, manifest: T) -> Result<T, MirrorError> {
    if version <= VERSION {
        return Ok(manifest);
    }
    let reason = format!("it has version {version}, written by a newer liftlock");
    Err(MirrorError::BadManifest { file: path.to_owned(), reason })
}

/// Replaces a manifest so that a crash leaves the old one or the new one, whole.
pub(super) fn replace(path: &Utf8Path, manifest: &impl Serialize) -> Result<(), MirrorError> {
    let fresh = Utf8PathBuf::from(format!("{path}.new"));
    let written = write_through(&fresh, manifest).and_then(|()| fs::rename(&fresh, path));
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    written.and_then(|()| make_durable(folder)).map_err(|source| MirrorError::Inaccessible {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn write_through(path: &Utf8Path, manifest: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    let mut file = File::create(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// Makes the names in a folder survive a power cut.
pub(super) fn make_durable(folder: &Utf8Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
