//! Options of sequences, also of those behind identity columns.

use super::super::names::ObjectName;

/// What is written; `None` where nothing is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SequenceOptions {
    /// `GENERATED ALWAYS` (`true`) or `BY DEFAULT`.
    pub always: Option<bool>,
    /// `AS type`, lower case.
    pub data_type: Option<String>,
    pub start: Option<i64>,
    pub increment: Option<i64>,
    pub minimum: Option<Bound>,
    pub maximum: Option<Bound>,
    pub cache: Option<i64>,
    pub cycle: Option<bool>,
    pub restart: Option<Restart>,
    pub owned_by: Option<OwnedBy>,
    /// `SEQUENCE NAME name`.
    pub name: Option<ObjectName>,
    pub logged: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Value(i64),
    /// `NO MINVALUE`, `NO MAXVALUE`: what the type allows.
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// At what `START` says.
    Start,
    With(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub enum OwnedBy {
    /// `table.column`.
    Column(ObjectName),
    No,
}
