//! What is rolled back.

use super::Engine;
use crate::{
    catalog::Catalog,
    migration::Migration,
    sql::{Change, Statement, change::Transaction},
};

impl Engine<'_> {
    /// The catalog to go back to, when the migration rolls anything back.
    pub(super) fn undo_of(&self, migration: &Migration) -> Option<Catalog> {
        migration.statements.iter().any(rolls_back).then(|| self.catalog.clone())
    }

    /// What is rolled back never was. Back to a savepoint or to the start of a transaction is taken for back to the
    /// start of the migration: then less counts as new than is, which errs on the side of the data.
    pub(super) fn undo(&mut self, statement: &Statement, start: Option<&Catalog>) {
        if let Some(start) = start.filter(|_| rolls_back(statement)) {
            self.catalog.clone_from(start);
        }
    }
}

fn rolls_back(statement: &Statement) -> bool {
    matches!(statement.change, Change::Transaction(Transaction::Rollback | Transaction::RollbackTo))
}
