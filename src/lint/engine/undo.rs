//! What is rolled back.

use super::Engine;
use crate::{
    catalog::Catalog,
    migration::Migration,
    sql::{Change, Statement, change::Transaction},
};

/// What a migration that rolls back goes back to.
pub(super) struct Undo {
    /// The last statement that does.
    last: usize,
    start: Catalog,
}

impl Engine<'_> {
    /// The catalog to go back to, when the migration rolls anything back.
    pub(super) fn undo_of(&self, migration: &Migration) -> Option<Undo> {
        let last = migration.statements.iter().rposition(rolls_back)?;
        Some(Undo { last, start: self.catalog.clone() })
    }

    /// What is rolled back never was. Back to a savepoint or to the start of a transaction is taken for back to the
    /// start of the migration: then less counts as new than is, which errs on the side of the data.
    pub(super) fn undo(&mut self, index: usize, statement: &Statement, undo: &mut Option<Undo>) {
        if !rolls_back(statement) {
            return;
        }
        if let Some(undo) = undo.take_if(|it| it.last == index) {
            self.catalog = undo.start;
        } else if let Some(undo) = undo {
            self.catalog.clone_from(&undo.start);
        }
    }
}

fn rolls_back(statement: &Statement) -> bool {
    matches!(statement.change, Change::Transaction(Transaction::Rollback | Transaction::RollbackTo))
}
