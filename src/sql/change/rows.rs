//! What changes, reads and moves rows.

use super::super::names::{Ident, ObjectName};

#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    pub tables: Vec<ObjectName>,
    pub cascade: bool,
}

/// `DELETE` or `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dml {
    pub table: ObjectName,
    pub filter: Filter,
}

/// How a `DELETE` or `UPDATE` is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// No `WHERE`, or one that is always true (`WHERE true`, `WHERE 1 = 1`).
    None,
    Where,
    /// `WHERE CURRENT OF cursor`.
    Cursor,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    pub table: ObjectName,
    pub on_conflict: Option<OnConflict>,
    pub source: InsertSource,
    pub columns: Vec<Ident>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    DoNothing,
    DoUpdate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertSource {
    Values,
    Query,
    Default,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub table: Option<ObjectName>,
    /// `true` for `FROM`.
    pub from: bool,
    pub source: CopySource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopySource {
    Stdio,
    File,
    Program,
}
