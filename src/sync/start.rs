//! What the ledger says + what the mirror says → how a run begins. Pure.

use super::{ledger::Entry, plan::dropped_fields};
use crate::services::mirror::{Mapping, TableState};

/// How a run of one table begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Neither side knows the table.
    First,
    /// The last run reached its end, or cannot be continued: a new one, from the first key.
    Next,
    /// The last run was stopped between two batches: it goes on.
    Resume,
    /// It was stopped after the mirror wrote a batch and before the ledger heard of it: the ledger hears of it now.
    Adopt,
    /// The ledger does not tell what the mirror holds. The mirror's word counts, then a new run.
    Rebuild(Reason),
}

/// Why the ledger cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    LedgerLost,
    TableLost,
    TableReplaced,
    OtherDatabase,
    OutOfStep,
}

impl Reason {
    /// For people.
    pub fn told(self, table: &str) -> String {
        let why = match self {
            Self::LedgerLost => "is in the mirror, but the database has no record of it",
            Self::TableLost => "is gone from the mirror, and is sent anew",
            Self::TableReplaced => "was replaced in the mirror since the last sync",
            Self::OtherDatabase => "now comes from another database than at the last sync",
            Self::OutOfStep => "in the mirror is not what the database recorded last, as after a restore",
        };
        format!("`{table}` {why}: every row is compared")
    }
}

/// Decides from what both sides remember.
pub fn start(entry: Option<&Entry>, state: Option<&TableState>, database: &str, mapping: &str) -> Start {
    let (entry, state) = match (entry, state) {
        (None, None) => return Start::First,
        (None, Some(_)) => return Start::Rebuild(Reason::LedgerLost),
        // Nothing was ever acknowledged: the ledger is as empty as the mirror.
        (Some(entry), None) if entry.mirror_table.is_none() => return Start::Next,
        (Some(_), None) => return Start::Rebuild(Reason::TableLost),
        (Some(entry), Some(state)) => (entry, state),
    };
    if entry.mirror_table.as_ref().is_some_and(|it| *it != state.id) {
        return Start::Rebuild(Reason::TableReplaced);
    }
    if entry.database != database {
        return Start::Rebuild(Reason::OtherDatabase);
    }
    if !entry.is_finished && state.last.run == entry.run && state.last.number == entry.batch + 1 {
        return Start::Adopt;
    }
    if entry.acknowledged != Some((state.last.run, state.last.number)) {
        return Start::Rebuild(Reason::OutOfStep);
    }
    if entry.is_finished || entry.mapping != mapping { Start::Next } else { Start::Resume }
}

/// The fields that a new run must remove: those that the mirror's mapping had and ours has not, and those that a
/// run which was stopped had still to remove.
pub fn unset(entry: Option<&Entry>, state: Option<&TableState>, mapping: &Mapping) -> Vec<String> {
    let mut fields = state.map(|it| dropped_fields(&it.mapping, mapping)).unwrap_or_default();
    let left = entry.filter(|it| !it.is_finished).map(|it| it.unset.as_slice()).unwrap_or_default();
    fields.extend(left.iter().filter(|it| !mapping.fields.contains(it)).cloned());
    fields.sort();
    fields.dedup();
    fields
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Reason, Start, start, unset};
    use crate::{
        services::mirror::{Mapping, Receipt, TableState, Tally},
        sync::ledger::{Counters, Entry},
    };

    fn mapping(version: &str, fields: &[&str]) -> Mapping {
        Mapping { version: version.to_owned(), fields: fields.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn entry(run: u128, batch: u64, is_finished: bool) -> Entry {
        Entry {
            id: 1,
            mirror_table: Some("t".to_owned()),
            database: "here".to_owned(),
            mapping: "m".to_owned(),
            unset: vec![],
            run: Uuid::from_u128(run),
            fence: 1,
            cursor: None,
            batch,
            acknowledged: Some((Uuid::from_u128(run), batch)),
            counters: Counters::default(),
            is_finished,
        }
    }

    fn state(run: u128, number: u64) -> TableState {
        let last = Receipt {
            table: "t".to_owned(),
            run: Uuid::from_u128(run),
            number,
            tally: Tally::default(),
            through: "k".to_owned(),
            replayed: true,
        };
        TableState { id: "t".to_owned(), mapping: mapping("m", &["a", "b"]), fence: 1, last, live: 0 }
    }

    #[test]
    fn a_run_begins_where_both_sides_agree() {
        let unknown = || Entry { mirror_table: None, acknowledged: None, ..entry(1, 0, false) };
        for (entry, state, expected) in [
            (None, None, Start::First),
            (None, Some(state(1, 3)), Start::Rebuild(Reason::LedgerLost)),
            (Some(unknown()), None, Start::Next),
            (Some(unknown()), Some(state(1, 1)), Start::Adopt),
            (Some(entry(1, 3, true)), None, Start::Rebuild(Reason::TableLost)),
            (Some(entry(1, 3, true)), Some(state(1, 3)), Start::Next),
            (Some(entry(1, 3, false)), Some(state(1, 3)), Start::Resume),
            (Some(entry(1, 3, false)), Some(state(1, 4)), Start::Adopt),
            (Some(entry(1, 3, true)), Some(state(1, 4)), Start::Rebuild(Reason::OutOfStep)),
            (Some(entry(1, 3, false)), Some(state(1, 5)), Start::Rebuild(Reason::OutOfStep)),
            (Some(entry(1, 3, true)), Some(state(2, 1)), Start::Rebuild(Reason::OutOfStep)),
            (Some(entry(1, 5, true)), Some(state(1, 3)), Start::Rebuild(Reason::OutOfStep)),
            (
                Some(Entry { database: "there".to_owned(), ..entry(1, 3, true) }),
                Some(state(1, 3)),
                Start::Rebuild(Reason::OtherDatabase),
            ),
            (
                Some(Entry { mirror_table: Some("u".to_owned()), ..entry(1, 3, true) }),
                Some(state(1, 3)),
                Start::Rebuild(Reason::TableReplaced),
            ),
            (Some(Entry { mapping: "old".to_owned(), ..entry(1, 3, false) }), Some(state(1, 3)), Start::Next),
        ] {
            assert_eq!(start(entry.as_ref(), state.as_ref(), "here", "m"), expected, "{entry:?} {state:?}");
        }
    }

    #[test]
    fn fields_of_dropped_columns_are_removed_until_a_run_reaches_its_end() {
        let new = mapping("n", &["b"]);
        assert_eq!(unset(None, Some(&state(1, 1)), &new), ["a"]);
        let stopped = Entry { unset: vec!["a".to_owned(), "z".to_owned()], ..entry(1, 1, false) };
        assert_eq!(unset(Some(&stopped), None, &mapping("n", &["a"])), ["z"]);
        assert!(unset(Some(&Entry { is_finished: true, ..stopped }), None, &new).is_empty());
    }
}
