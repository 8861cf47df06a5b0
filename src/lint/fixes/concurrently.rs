//! `concurrently`, alone in a migration of its own.

use crate::{
    lint::{Context, Problem},
    sql::{
        Change, Statement,
        change::{ActionKind, ReindexTarget},
    },
};

use super::{
    Fix,
    draft::{Draft, alone, beside, words},
    partitioned,
};

const TITLE: &str = "do it concurrently, alone in a migration of its own";

pub fn create_index(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::CreateIndex(index) = &statement.change else { return None };
    if context.catalog.table(&index.table).is_some_and(|it| it.partitioned) {
        return partitioned::index(context, statement, index);
    }
    let draft = Draft::of(context, statement)?;
    // `if not exists` would take the invalid leftover of a build that failed for the finished index.
    let sql = draft.with_behind_and_without(&["index"], "concurrently", &["if", "not", "exists"])?;
    let table = draft.name(&index.table)?;
    let name = index.name.as_ref().map(|it| it.name.as_str());
    let rollback = match name {
        Some(name) => draft.write(&["{drop index concurrently}", &beside(table, name)]) + ";",
        None => format!("drop the index of {table} that this builds"),
    };
    let called = words(&["index", name.unwrap_or(index.table.last())]);
    Some(Fix { title: TITLE.to_owned(), replaces: statement.span, steps: vec![alone(called, sql, rollback)] })
}

/// One index that no constraint needs: `cascade` has no concurrent form.
pub fn drop_index(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::Drop(drop) = &statement.change else { return None };
    let [index] = drop.names.as_slice() else { return None };
    if drop.cascade || context.catalog.index(index)?.constraint.is_some() {
        return None;
    }
    let sql = Draft::of(context, statement)?.with_behind(&["drop", "index"], "concurrently")?;
    let rollback = format!("create {} again, concurrently, as the migration that created it says", index.last());
    let step = alone(words(&["drop", index.last()]), sql, rollback);
    Some(Fix { title: TITLE.to_owned(), replaces: statement.span, steps: vec![step] })
}

pub fn reindex(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::Reindex { target, name, .. } = &statement.change else { return None };
    let word = match target {
        ReindexTarget::Index => "index",
        ReindexTarget::Table => "table",
        ReindexTarget::Schema => "schema",
        ReindexTarget::Database | ReindexTarget::System => return None,
    };
    let name = name.as_ref()?;
    // Options in parentheses have a spelling of their own for it.
    let draft = Draft::of(context, statement)?;
    let sql = draft.with_behind(&["reindex", word], "concurrently")?;
    let step = alone(words(&["reindex", name.last()]), sql, "nothing to undo: the index is what it was");
    Some(Fix { title: TITLE.to_owned(), replaces: statement.span, steps: vec![step] })
}

/// Needs a unique index over all rows; allowed inside a transaction.
pub fn refresh(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::Refresh { view, .. } = &statement.change else { return None };
    let mut indexes = context.catalog.indexes_of(view);
    indexes.find(|it| it.unique && !it.partial)?;
    let sql = Draft::of(context, statement)?.with_behind(&["refresh", "materialized", "view"], "concurrently")?;
    let step = super::draft::step(words(&["refresh", view.last()]), sql, "nothing to undo: refresh it again");
    Some(Fix { title: "refresh it concurrently".to_owned(), replaces: statement.span, steps: vec![step] })
}

/// What no transaction block allows, taken out of it as it stands.
pub fn apart(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let draft = Draft::of(context, statement)?;
    let (called, rollback) = match &statement.change {
        Change::CreateIndex(index) => {
            let name = &index.name.as_ref()?.name;
            let undo = draft.write(&["{drop index concurrently}", &beside(draft.name(&index.table)?, name)]);
            (words(&["index", name]), undo + ";")
        }
        Change::Drop(drop) => {
            let [name] = drop.names.as_slice() else { return None };
            let again = format!("create {} again, as the migration that created it says", name.last());
            (words(&["drop", name.last()]), again)
        }
        Change::Vacuum { .. } => ("vacuum".to_owned(), "nothing to undo".to_owned()),
        Change::Reindex { .. } => ("reindex".to_owned(), "nothing to undo: the index is what it was".to_owned()),
        Change::AlterTable(alter) => {
            let [action] = alter.actions.as_slice() else { return None };
            let ActionKind::DetachPartition { partition, .. } = &action.kind else { return None };
            (words(&["detach", partition.last()]), format!("attach {} again", draft.name(partition)?))
        }
        _ => return None,
    };
    let steps = vec![alone(called, draft.text.to_owned(), rollback)];
    Some(Fix { title: "give it a migration of its own".to_owned(), replaces: statement.span, steps })
}
