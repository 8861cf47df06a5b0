//! Statements about rows, and those that keep them in order.

use crate::{
    lint::Context,
    sql::{
        Change, Statement,
        change::{Dml, Filter},
        names::ObjectName,
    },
};

use super::{Chance, LockMode, draft::Draft};

pub fn change(draft: &mut Draft, statement: &Statement) {
    match &statement.change {
        Change::Truncate(truncate) => {
            for table in &truncate.tables {
                draft.lock_family(table, LockMode::AccessExclusive);
                for child in reached(draft.context, table).iter().filter(|_| truncate.cascade) {
                    draft.lock_family(child, LockMode::AccessExclusive);
                }
            }
        }
        Change::Update(dml) | Change::Delete(dml) => {
            draft.lock_family(&dml.table, LockMode::RowExclusive);
            draft.scan(&dml.table, scan_of(draft.context, dml, statement));
        }
        Change::Insert(insert) => draft.lock(&insert.table, LockMode::RowExclusive),
        Change::Merge { table, .. } => {
            draft.lock_family(table, LockMode::RowExclusive);
            draft.scan(table, Chance::Likely);
        }
        Change::Copy(copy) => {
            let mode = if copy.from { LockMode::RowExclusive } else { LockMode::AccessShare };
            if let Some(table) = &copy.table {
                draft.lock(table, mode);
                draft.scan(table, if copy.from { Chance::No } else { Chance::Sure });
            }
        }
        Change::Refresh { view, concurrently, with_data } => {
            draft.lock(view, if *concurrently { LockMode::Exclusive } else { LockMode::AccessExclusive });
            match (concurrently, with_data) {
                (true, _) => draft.scan(view, Chance::Sure),
                (false, true) => draft.rewrite(view, Chance::Sure),
                (false, false) => {}
            }
        }
        Change::Cluster { table: Some(table) } => draft.rewrite(table, Chance::Sure),
        Change::Vacuum { full: true, tables } => {
            for table in tables {
                draft.rewrite(table, Chance::Sure);
            }
        }
        Change::Vacuum { full: false, tables } | Change::Analyze { tables } => {
            for table in tables {
                draft.lock_family(table, LockMode::ShareUpdateExclusive);
            }
        }
        Change::Lock { tables, mode } => {
            for table in tables {
                draft.lock_family(table, LockMode::named(mode));
                let known = draft.context.catalog.views.get(&draft.context.catalog.resolve(table));
                for read in known.filter(|it| !it.materialized).map(|it| it.reads.as_slice()).unwrap_or_default() {
                    draft.lock_family(read, LockMode::named(mode));
                }
            }
        }
        _ => {}
    }
}

/// Tables that `TRUNCATE … CASCADE` empties too.
fn reached(context: &Context, table: &ObjectName) -> Vec<ObjectName> {
    let mut reached = vec![context.catalog.resolve(table)];
    let mut next = 0;
    while next < reached.len() {
        let children = context.catalog.referencing(&reached[next]).map(|it| &it.name);
        let more = children.filter(|it| !reached.contains(it)).cloned().collect::<Vec<_>>();
        reached.extend(more);
        next += 1;
    }
    reached.split_off(1)
}

fn scan_of(context: &Context, dml: &Dml, statement: &Statement) -> Chance {
    match dml.filter {
        Filter::Cursor => Chance::No,
        Filter::None => Chance::Sure,
        Filter::Where if is_keyed(context, &dml.table, statement) => Chance::No,
        Filter::Where => Chance::Likely,
    }
}

/// `WHERE key = …`, with a key that finds one row.
fn is_keyed(context: &Context, table: &ObjectName, statement: &Statement) -> bool {
    let text = context.migration.text.get(statement.span.start..statement.span.end).unwrap_or_default();
    let text = text.to_lowercase();
    let Some((_, condition)) = text.rsplit_once("where") else { return false };
    let Some((subject, _)) = condition.split_once('=') else { return false };
    let column = subject.trim().rsplit('.').next().unwrap_or_default().trim_matches('"');
    let mut indexes = context.catalog.indexes_of(table);
    !condition.contains(" or ")
        && indexes.any(|it| it.unique && !it.partial && it.keys.len() == 1 && it.keys[0] == column)
}
