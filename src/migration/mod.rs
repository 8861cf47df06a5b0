//! A migration: its id, bytes, order; and which of them a database still lacks.

use camino::Utf8PathBuf;

use crate::sql::Statement;

/// What the history records: the path below the migrations folder, `/` between its parts
/// (`20260101120000_add_x_safe.sql`, `20260101_add_x_safe/up.sql`). Orders as its version number does, then
/// byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MigrationId(pub String);

/// SHA-256, in lower-case hex, of the file's bytes with a BOM removed and CRLF turned into LF.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checksum(pub String);

/// One migration, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    pub id: MigrationId,
    /// As it was found, for messages.
    pub path: Utf8PathBuf,
    /// The name that the naming rule judges: stem without `.sql` and `.up`, or the folder for fixed file names.
    pub name: String,
    /// The whole text without a BOM; spans refer to it.
    pub text: String,
    pub checksum: Checksum,
    pub statements: Vec<Statement>,
    pub transaction: TransactionMode,
}

/// How the runner runs a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionMode {
    /// All of it in one transaction.
    Single,
    /// Statement by statement: it holds one that Postgres refuses inside a transaction block.
    PerStatement,
}

/// One file as it lies on disk, before it is read as SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub path: Utf8PathBuf,
    pub id: MigrationId,
    pub text: String,
}
