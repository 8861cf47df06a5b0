//! When triggers fire.

use super::{super::names::Ident, Expression};

/// When a trigger fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// `CREATE CONSTRAINT TRIGGER`.
    pub constraint: bool,
    pub timing: Timing,
    pub events: Vec<TriggerEvent>,
    /// `FOR EACH ROW`; once per statement otherwise.
    pub each_row: bool,
    pub condition: Option<Expression>,
    pub deferrable: bool,
    pub initially_deferred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    Before,
    After,
    InsteadOf,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TriggerEvent {
    Insert,
    /// With the columns of `UPDATE OF`; empty for any.
    Update {
        columns: Vec<Ident>,
    },
    Delete,
    Truncate,
}
