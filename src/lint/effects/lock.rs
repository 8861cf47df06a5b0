//! The eight modes in which Postgres locks a table.

use std::fmt;

use crate::sql::names::ObjectName;

/// Weakest first, as in <https://www.postgresql.org/docs/current/explicit-locking.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// Who waits for a lock's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// `SHARE`, `SHARE ROW EXCLUSIVE`, `EXCLUSIVE`.
    Writes,
    /// `ACCESS EXCLUSIVE`.
    ReadsAndWrites,
}

impl LockMode {
    /// As `LOCK TABLE` writes it, in upper case; what it does not know is the strongest.
    pub fn named(words: &str) -> Self {
        let all = [
            Self::AccessShare,
            Self::RowShare,
            Self::RowExclusive,
            Self::ShareUpdateExclusive,
            Self::Share,
            Self::ShareRowExclusive,
            Self::Exclusive,
        ];
        all.into_iter().find(|it| it.name() == words).unwrap_or(Self::AccessExclusive)
    }

    /// As the documentation writes it: `SHARE ROW EXCLUSIVE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Whose queries wait; `None` when reads and writes go on.
    pub fn waits(self) -> Option<Waits> {
        match self {
            Self::AccessShare | Self::RowShare | Self::RowExclusive | Self::ShareUpdateExclusive => None,
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => Some(Waits::Writes),
            Self::AccessExclusive => Some(Waits::ReadsAndWrites),
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Waits {
    /// As the subject of a sentence, before "of" or "to" a table.
    pub fn of(self, table: &ObjectName) -> String {
        match self {
            Self::Writes => format!("writes to `{table}`"),
            Self::ReadsAndWrites => format!("reads and writes of `{table}`"),
        }
    }
}
