//! What is rolled back.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    catalog::Catalog,
    migration::{Migration, sending::Sent},
    sql::{Change, change::Transaction},
};

/// What a migration that rolls back goes back to.
pub(super) struct Undo {
    /// How many statements have run when each of these rolls back to.
    back: BTreeMap<usize, usize>,
    /// What was known then.
    kept: BTreeMap<usize, Catalog>,
}

impl Engine<'_> {
    pub(super) fn undo_of(&self, migration: &Migration) -> Undo {
        let mut undo = Undo { back: ways_back(migration), kept: BTreeMap::new() };
        undo.keep(0, &self.catalog);
        undo
    }

    /// What is rolled back never was.
    pub(super) fn undo(&mut self, index: usize, undo: &mut Undo) {
        if let Some(to) = undo.back.remove(&index) {
            let again = undo.is_needed(to);
            let start = if again { undo.kept.get(&to).cloned() } else { undo.kept.remove(&to) };
            self.catalog = start.expect("it was kept when that many statements had run");
        }
        undo.keep(index + 1, &self.catalog);
    }
}

impl Undo {
    fn is_needed(&self, run: usize) -> bool {
        self.back.values().any(|it| *it == run)
    }

    fn keep(&mut self, run: usize, catalog: &Catalog) {
        if self.is_needed(run) {
            self.kept.insert(run, catalog.clone());
        }
    }
}

/// For each statement that rolls back, how many statements have run when what it goes back to was: where its transaction
/// began, or its savepoint. A `BEGIN` begins nothing inside the transaction that the runner opened.
fn ways_back(migration: &Migration) -> BTreeMap<usize, usize> {
    let mut back = BTreeMap::new();
    let mut start = 0;
    let mut savepoints: Vec<(String, usize)> = Vec::new();
    let mut is_open = false;
    for (index, statement) in migration.statements.iter().enumerate() {
        let Change::Transaction(transaction) = &statement.change else { continue };
        let text = &migration.text[statement.span.start..statement.span.end];
        let one_by_one = migration.sent(index).0 == Sent::OneByOne;
        match transaction {
            Transaction::Begin if one_by_one && !is_open => {
                start = index + 1;
                is_open = true;
            }
            Transaction::Commit | Transaction::PrepareTransaction => {
                start = index + 1;
                savepoints.clear();
                is_open = text.to_ascii_lowercase().contains("and chain");
            }
            Transaction::Rollback => {
                if is_open || !one_by_one {
                    back.insert(index, start);
                }
                savepoints.clear();
                is_open = text.to_ascii_lowercase().contains("and chain");
            }
            Transaction::Savepoint => savepoints.push((savepoint(text), index + 1)),
            Transaction::Release => {
                let name = savepoint(text);
                let at = savepoints.iter().rposition(|it| it.0 == name);
                savepoints.truncate(at.unwrap_or(savepoints.len()));
            }
            Transaction::RollbackTo => {
                let name = savepoint(text);
                let at = savepoints.iter().rposition(|it| it.0 == name);
                savepoints.truncate(at.map_or(savepoints.len(), |at| at + 1));
                back.insert(index, at.map_or(start, |at| savepoints[at].1));
            }
            _ => {}
        }
    }
    back
}

/// The name at the end of `SAVEPOINT`, `RELEASE` and `ROLLBACK TO`.
fn savepoint(text: &str) -> String {
    let name = text.trim_end_matches(|it: char| it == ';' || it.is_whitespace()).rsplit(char::is_whitespace).next();
    let name = name.unwrap_or_default();
    match name.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => name.to_ascii_lowercase(),
    }
}
