//! What was measured in a database: rows, bytes, writes, open transactions, settings.

use std::collections::BTreeMap;

use super::Catalog;
use crate::sql::names::ObjectName;

/// Measured in one database at one time. Says nothing of what the files have made since.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    /// Of tables and materialized views that hold rows themselves: not of partitioned tables.
    pub sizes: BTreeMap<ObjectName, Size>,
    /// The oldest first.
    pub transactions: Vec<OpenTransaction>,
    /// What a session starts with: `lock_timeout`, `statement_timeout`, `TimeZone`, `search_path`, …
    pub settings: BTreeMap<String, String>,
    /// `170005`.
    pub server_version: u32,
}

/// How much a table is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Size {
    /// Estimated; `None`: never analyzed.
    pub rows: Option<u64>,
    /// The table's own pages, without TOAST and indexes.
    pub heap_bytes: u64,
    pub index_bytes: u64,
    /// Everything: heap, TOAST, indexes.
    pub total_bytes: u64,
    pub writes: Option<Writes>,
}

/// How often rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Writes {
    /// Inserts, updates and deletes per second, on average since the statistics began.
    pub per_second: f64,
}

/// A transaction that was open when the database was read: what needs a lock that conflicts waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    pub application_name: String,
    /// `active`, `idle in transaction`.
    pub state: String,
    pub seconds: u64,
    /// Relations on which it holds locks, with schema, as far as that could be seen.
    pub locks: Vec<ObjectName>,
}

impl Catalog {
    /// How much a table or materialized view is: the sum over its partitions and heirs. `None`: not known, or the
    /// files have made it since.
    pub fn size(&self, name: &ObjectName) -> Option<Size> {
        let measures = self.measures.as_ref()?;
        let parts = self.family(name);
        let stored = parts.iter().filter(|it| self.tables.get(it).is_none_or(|table| !table.partitioned));
        let sizes = stored.map(|it| measures.sizes.get(it).copied()).collect::<Option<Vec<_>>>()?;
        sizes.into_iter().reduce(Size::and)
    }
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows.zip(other.rows).map(|(one, two)| one + two),
            heap_bytes: self.heap_bytes + other.heap_bytes,
            index_bytes: self.index_bytes + other.index_bytes,
            total_bytes: self.total_bytes + other.total_bytes,
            writes: match (self.writes, other.writes) {
                (Some(one), Some(two)) => Some(Writes { per_second: one.per_second + two.per_second }),
                (one, two) => one.or(two),
            },
        }
    }
}
