//! What a database holds, as it was read from one: the file of `liftlock snapshot`, and the way from there into a
//! [`Catalog`].
//!
//! No rows, no statistics of values, no comments, no bodies of routines and no texts of views. Strings in defaults,
//! checks and conditions are masked, unless they are dates or names of objects.

mod base;
mod file;
mod mask;

pub use file::{SnapshotError, read, write};
pub use mask::masked;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Catalog, Measures};

/// Schema and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name(pub String, pub String);

/// A database at one time. All lists are sorted by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// As liftlock.yml calls it.
    pub environment: String,
    /// Host and database, never a password.
    pub target: String,
    /// RFC 3339, the server's clock.
    pub taken_at: String,
    /// `170005`.
    pub server_version: u32,
    /// `17.5`.
    pub server: String,
    /// Migrations that are applied; `None`: nobody recorded them there.
    pub applied: Option<Vec<Applied>>,
    /// What a new session of this role starts with; milliseconds where it is a time.
    pub settings: BTreeMap<String, String>,
    /// `ALTER ROLE … SET` and `ALTER DATABASE … SET` of the same settings.
    pub configured: Vec<Configured>,
    /// Since when writes are counted, RFC 3339.
    pub counted_since: Option<String>,
    pub transactions: Vec<Transaction>,
    /// Sessions of which this role may not see whether they are in a transaction.
    pub hidden_sessions: u32,
    pub schemas: Vec<String>,
    pub extensions: Vec<String>,
    pub types: Vec<Type>,
    pub tables: Vec<Table>,
    pub indexes: Vec<Index>,
    pub views: Vec<View>,
    pub sequences: Vec<Sequence>,
    pub routines: Vec<Routine>,
    pub triggers: Vec<Trigger>,
    pub policies: Vec<Policy>,
    pub grants: Vec<Grant>,
    pub default_privileges: Vec<DefaultPrivilege>,
    pub publications: Vec<Publication>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Applied {
    pub id: String,
    /// Lower-case hex, without `sha256:`; empty where it is not recorded.
    pub checksum: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Configured {
    /// `None`: for every role.
    pub role: Option<String>,
    /// For this database only.
    pub here: bool,
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transaction {
    pub application_name: String,
    pub state: String,
    /// How long it had been open.
    pub seconds: u64,
    pub locks: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: Name,
    /// `table`, `partitioned`, `foreign`.
    pub kind: String,
    #[serde(default)]
    pub unlogged: bool,
    #[serde(default)]
    pub columns: Vec<Column>,
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// `RANGE (day)`.
    #[serde(default)]
    pub partition_key: Option<String>,
    #[serde(default)]
    pub partition_of: Option<Name>,
    /// `FOR VALUES …` or `DEFAULT`.
    #[serde(default)]
    pub bound: Option<String>,
    #[serde(default)]
    pub inherits: Vec<Name>,
    #[serde(default)]
    pub row_security: bool,
    #[serde(default)]
    pub forced_row_security: bool,
    /// `default`, `full`, `nothing`, or an index.
    #[serde(default)]
    pub replica_identity: String,
    /// `fillfactor=70`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Of what holds rows itself.
    #[serde(default)]
    pub size: Option<Size>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    pub name: String,
    /// As `format_type` writes it.
    pub data_type: String,
    pub not_null: bool,
    /// The expression, masked; of generated columns what they compute.
    pub default: Option<String>,
    /// `stored`, `virtual`, `always`, `by default`; empty for plain columns.
    pub generated: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Constraint {
    pub name: String,
    /// As `pg_get_constraintdef` writes it, masked.
    pub definition: String,
    pub validated: bool,
}

/// Bytes, rows, and writes since [`Snapshot::counted_since`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Size {
    /// Estimated; `None`: never analyzed.
    pub rows: Option<u64>,
    pub heap_bytes: u64,
    pub index_bytes: u64,
    pub total_bytes: u64,
    pub inserts: u64,
    pub updates: u64,
    pub deletes: u64,
    /// How long they were counted.
    pub seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    pub name: Name,
    pub table: Name,
    /// As `pg_get_indexdef` writes it, masked.
    pub definition: String,
    #[serde(default)]
    pub valid: bool,
    /// The constraint it carries.
    #[serde(default)]
    pub constraint: Option<String>,
    /// The partitioned index that it is a part of.
    #[serde(default)]
    pub parent: Option<Name>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub name: Name,
    #[serde(default)]
    pub materialized: bool,
    /// Relations that it reads, each with the columns that it names.
    #[serde(default)]
    pub reads: Vec<(Name, Vec<String>)>,
    /// Of a materialized view.
    #[serde(default)]
    pub size: Option<Size>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    pub name: Name,
    /// `enum`, `domain`, `composite`, `range`, `other`.
    pub kind: String,
    /// Of an enum, in order.
    #[serde(default)]
    pub values: Vec<String>,
    /// Of a domain: what it is made of.
    #[serde(default)]
    pub data_type: String,
    #[serde(default)]
    pub not_null: bool,
    #[serde(default)]
    pub default: Option<String>,
    #[serde(default)]
    pub constraints: Vec<Constraint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub name: Name,
    #[serde(default)]
    pub data_type: String,
    /// Table and column.
    #[serde(default)]
    pub owned_by: Option<(Name, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    pub name: Name,
    /// `function`, `procedure`, `aggregate`.
    pub kind: String,
    #[serde(default)]
    pub arguments: Vec<String>,
    /// `immutable`, `stable`, `volatile`.
    pub volatility: String,
    #[serde(default)]
    pub language: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    pub table: Name,
    pub routine: Name,
    #[serde(default)]
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    pub table: Name,
    /// Upper case: `ALL`, `SELECT`.
    pub command: String,
    /// Empty: everybody.
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub permissive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `table`, `sequence`, `function`, `schema`, `type`.
    pub kind: String,
    pub name: Name,
    /// `public` for everybody.
    pub role: String,
    #[serde(default)]
    pub privileges: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultPrivilege {
    #[serde(default)]
    pub schema: Option<String>,
    pub creator: String,
    /// As [`Grant::kind`].
    pub kind: String,
    pub role: String,
    #[serde(default)]
    pub privileges: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub name: String,
    #[serde(default)]
    pub all_tables: bool,
    #[serde(default)]
    pub tables: Vec<Name>,
    #[serde(default)]
    pub schemas: Vec<String>,
}

impl Snapshot {
    /// The catalog that a release starts from. Everything in it was there before; `what` names it where messages say
    /// who made or validated something: `production`.
    pub fn catalog(&self, what: &str) -> Catalog {
        base::catalog(self, what)
    }

    /// What was measured.
    pub fn measures(&self) -> Measures {
        base::measures(self)
    }
}
