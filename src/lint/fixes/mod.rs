//! The safe way to the same end, as SQL, for the rules that have one.
//!
//! A fix is written from the statement's own text: names stay as the author quoted them, keywords follow the case of
//! the statement's first word. Where a part of the statement is not understood well enough to be written again,
//! there is no fix: a person does it. `tests/it/fixes.rs` runs original and fix on Postgres and compares the catalogs.

pub mod amend;
mod attach;
mod backfill;
mod changesets;
mod concurrently;
mod constraint;
mod detach;
mod draft;
mod follow;
mod inline;
mod key_column;
mod not_null;
mod partitioned;
mod validate_later;
mod volatile_default;
pub mod written;

pub use crate::report::{Fix, FixStep, Run};
use crate::{
    migration::Migration,
    sql::{Place, Statement},
};

use super::{Context, Problem, Rule};

/// Writes a fix for a problem of one rule, or nothing.
type Write = fn(&Context, &Statement, &Problem) -> Option<Fix>;

/// Rules and what mends their findings.
pub static ALL: &[(&str, Write)] = &[
    ("check-without-not-valid", constraint::not_valid),
    ("constraint-building-index", constraint::from_index),
    ("detach-without-concurrently", detach::concurrently),
    ("drop-index-without-concurrently", concurrently::drop_index),
    ("enum-value-in-same-transaction", follow::committed_value),
    ("forbidden-in-transaction", concurrently::apart),
    ("foreign-key-without-index", follow::index_of_key),
    ("foreign-key-without-not-valid", constraint::not_valid),
    ("index-without-concurrently", concurrently::create_index),
    ("never-validated", follow::validation),
    ("partition-scan", attach::proved_first),
    ("refresh-without-concurrently", concurrently::refresh),
    ("reindex-without-concurrently", concurrently::reindex),
    ("set-not-null", not_null::proved_first),
    ("unbounded-write", backfill::in_batches),
    ("volatile-default", volatile_default::in_steps),
];

/// Rules whose fix adds what no statement asks for: the end is another one, so an author takes it, and nothing writes it
/// unasked.
pub static ADDING: &[&str] = &["foreign-key-without-index", "never-validated"];

/// The fix of a rule's problem. Only statements that stand in the file as they run can be written anew.
pub fn of(rule: &Rule, context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    if statement.place != Place::Top {
        return None;
    }
    let (_, write) = ALL.iter().find(|(name, _)| *name == rule.name)?;
    write(context, statement, problem)
}

/// The fix of a rule that judges whole transactions, for its problem at a statement of the file.
pub fn of_transaction(rule: &Rule, migration: &Migration, problem: &Problem) -> Option<Fix> {
    (rule.name == "scan-under-lock").then(|| validate_later::apart(migration, problem.span)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{ADDING, ALL};
    use crate::lint::rules;

    #[test]
    fn every_fix_belongs_to_a_rule_and_they_are_sorted() {
        assert!(ALL.is_sorted_by_key(|(name, _)| *name));
        for (name, _) in ALL {
            assert!(rules::find(name).is_some(), "{name}");
        }
        for adding in ADDING {
            assert!(ALL.iter().any(|(name, _)| name == adding), "{adding}");
        }
    }
}
