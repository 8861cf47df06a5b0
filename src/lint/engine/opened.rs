//! Which transaction a statement runs in.

use super::Engine;
use crate::{
    lint::{OpenTransaction, OpenedBy},
    migration::{Migration, sending::Sent},
    sql::{Change, Statement, change::Transaction},
};

impl Engine<'_> {
    /// The transaction that a top-level statement runs in; `open` is the one that the statement before it left open.
    pub(super) fn opened(
        &self,
        migration: &Migration,
        index: usize,
        open: Option<OpenTransaction>,
    ) -> Option<OpenTransaction> {
        match migration.sent(index) {
            (Sent::InTransaction, true) => Some(self.open_at(index, OpenedBy::Runner)),
            (Sent::InSharedTransaction, true) => {
                Some(self.shared.unwrap_or_else(|| self.open_at(index, OpenedBy::RunnerForAll)))
            }
            (Sent::OneByOne, true) => None,
            (Sent::AsOneQuery, starts) => {
                let of_query = || (migration.sent_with(index) > 1).then(|| self.open_at(index, OpenedBy::Query));
                open.filter(|_| !starts).or_else(of_query)
            }
            (Sent::InTransaction | Sent::InSharedTransaction | Sent::OneByOne, false) => open,
        }
    }

    /// The transaction that is open behind a top-level statement.
    pub(super) fn left_open(
        &self,
        index: usize,
        statement: &Statement,
        open: Option<OpenTransaction>,
    ) -> Option<OpenTransaction> {
        match statement.change {
            Change::Transaction(Transaction::Begin) => open.or(Some(self.open_at(index, OpenedBy::Begin))),
            Change::Transaction(Transaction::Commit | Transaction::Rollback | Transaction::PrepareTransaction) => None,
            _ => open,
        }
    }

    fn open_at(&self, statement: usize, opened_by: OpenedBy) -> OpenTransaction {
        OpenTransaction { migration: self.before.len(), statement, opened_by }
    }
}
