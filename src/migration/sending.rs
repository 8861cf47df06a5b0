//! How a runner sends a migration's statements to the server, which decides what `CONCURRENTLY` and locks do.

use super::{Migration, TransactionMode};

/// Statements of a migration, from `first` to the next part's first, that are sent in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Index of a top-level statement.
    pub first: usize,
    pub sent: Sent,
}

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Inside a transaction that the runner begins and commits.
    InTransaction,
    /// Inside one transaction with all migrations that are pending, those before it among them.
    InSharedTransaction,
    /// As one query. When it holds several statements the server makes them one transaction, and refuses what
    /// cannot run in one, <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>.
    AsOneQuery,
    /// One by one, each committed at once.
    OneByOne,
}

impl Sent {
    /// As liftlock's own runner sends a migration.
    pub fn by_liftlock(mode: TransactionMode) -> Self {
        match mode {
            TransactionMode::Single => Self::InTransaction,
            TransactionMode::PerStatement | TransactionMode::Own => Self::OneByOne,
        }
    }
}

impl Migration {
    /// How a top-level statement is sent, and whether its part starts with it.
    pub fn sent(&self, index: usize) -> (Sent, bool) {
        let part = self.parts.iter().rfind(|part| part.first <= index);
        part.map_or((Sent::OneByOne, false), |part| (part.sent, part.first == index))
    }

    /// How many statements the part of this one holds.
    pub fn sent_with(&self, index: usize) -> usize {
        let at = self.parts.partition_point(|part| part.first <= index);
        let first = at.checked_sub(1).map_or(0, |at| self.parts[at].first);
        let next = self.parts.get(at).map_or(self.statements.len(), |part| part.first);
        next.saturating_sub(first)
    }
}
