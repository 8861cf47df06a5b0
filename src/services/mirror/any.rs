//! The mirror that a configuration names.

use super::{
    Batch, ConvexMirror, Digest, Held, Identity, KeyRange, LocalMirror, Mirror, MirrorError, Page, Receipt, TableState,
};
use crate::config::{MirrorTarget, ProfileName};

/// One of the mirrors.
#[derive(Debug)]
pub enum AnyMirror {
    Folder(LocalMirror),
    Convex(Box<ConvexMirror>),
}

/// Opens the mirror for rows of an environment of this profile. A folder is made when it is not there; nobody is
/// called.
pub fn open(target: &MirrorTarget, profile: ProfileName) -> Result<AnyMirror, MirrorError> {
    Ok(match target {
        MirrorTarget::Folder(folder) => AnyMirror::Folder(LocalMirror::open(folder)?),
        MirrorTarget::Convex(settings) => AnyMirror::Convex(Box::new(ConvexMirror::open(settings, profile)?)),
    })
}

/// Where it is, as its identity will say, without opening it.
pub fn place(target: &MirrorTarget) -> String {
    match target {
        MirrorTarget::Folder(folder) => folder.canonicalize_utf8().unwrap_or_else(|_| folder.clone()).into_string(),
        MirrorTarget::Convex(settings) => settings.url.clone(),
    }
}

impl Mirror for AnyMirror {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        match self {
            Self::Folder(mirror) => mirror.describe().await,
            Self::Convex(mirror) => mirror.describe().await,
        }
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        match self {
            Self::Folder(mirror) => mirror.table(table).await,
            Self::Convex(mirror) => mirror.table(table).await,
        }
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        match self {
            Self::Folder(mirror) => mirror.write(batch).await,
            Self::Convex(mirror) => mirror.write(batch).await,
        }
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        match self {
            Self::Folder(mirror) => mirror.scan(table, range).await,
            Self::Convex(mirror) => mirror.scan(table, range).await,
        }
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        match self {
            Self::Folder(mirror) => mirror.digest(table, range).await,
            Self::Convex(mirror) => mirror.digest(table, range).await,
        }
    }
}
