//! `NOT VALID` and `VALIDATE CONSTRAINT` in one transaction: the lock of the first is held while the second reads.

use crate::{
    migration::Migration,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Transaction},
    },
};

use super::{
    Fix, FixStep,
    draft::{step, words},
};

/// Takes `VALIDATE CONSTRAINT` behind a place out of its transaction, each into a migration of its own. Only where
/// nothing but more of its kind stands behind it: nothing may move across another statement.
pub fn apart(migration: &Migration, from: Span) -> Option<Fix> {
    let at = migration.statements.iter().position(|it| it.span.start > from.start && validated(it).is_some())?;
    let is_end = |it: &Statement| matches!(it.change, Change::Transaction(Transaction::Commit) | Change::Set(_));
    let count = migration.statements[at..].iter().take_while(|it| validated(it).is_some()).count();
    let (validates, behind) = migration.statements[at..].split_at(count);
    if !behind.iter().all(is_end) {
        return None;
    }
    let gone = FixStep { sql: String::new(), ..step(String::new(), String::new(), "") };
    let mut steps = vec![gone];
    for statement in validates {
        let sql = migration.text.get(statement.span.start..statement.span.end)?.to_owned();
        let name = words(&["validate", validated(statement)?]);
        steps.push(step(name, sql, "nothing to undo: the rows were only read"));
    }
    Some(Fix {
        title: "validate it in the next migration, when the lock is released".to_owned(),
        replaces: Span { start: validates.first()?.span.start, end: validates.last()?.span.end },
        steps,
    })
}

/// The constraint that a statement validates, and nothing else.
fn validated(statement: &Statement) -> Option<&str> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    match alter.actions.as_slice() {
        [action] => match &action.kind {
            ActionKind::ValidateConstraint { name, .. } => Some(name.name.as_str()),
            _ => None,
        },
        _ => None,
    }
}
