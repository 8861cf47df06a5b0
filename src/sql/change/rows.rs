//! What changes, reads and moves rows.

use super::{
    super::names::{Ident, ObjectName},
    Expression,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    pub tables: Vec<ObjectName>,
    pub cascade: bool,
    pub restart_identity: bool,
}

/// `DELETE` or `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dml {
    pub table: ObjectName,
    pub filter: Filter,
    pub only: bool,
    /// What `UPDATE` sets, in order.
    pub columns: Vec<Ident>,
    pub condition: Option<Expression>,
    /// No `FROM` and no `USING`: every plain name is a column of the table.
    pub alone: bool,
    /// Other tables and views that it reads.
    pub reads: Vec<ObjectName>,
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
    /// What `ON CONFLICT` names; `None` when it names nothing, or is not written.
    pub arbiter: Option<Arbiter>,
    pub source: InsertSource,
    /// `OVERRIDING`: values for identity columns are taken, or left unused, instead of refused.
    pub overriding: bool,
    pub columns: Vec<Ident>,
    /// What `DO UPDATE` sets, in order.
    pub updates: Vec<Ident>,
    /// Tables and views that its query reads.
    pub reads: Vec<ObjectName>,
}

/// The unique index that `ON CONFLICT` looks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Arbiter {
    /// Keys as [`CreateIndex::keys`](super::CreateIndex::keys).
    Keys {
        keys: Vec<String>,
        predicate: Option<Box<Expression>>,
    },
    Constraint(Ident),
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
    pub columns: Vec<Ident>,
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
