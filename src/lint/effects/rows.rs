//! Statements about rows, and those that keep them in order.

use crate::{
    lint::Context,
    sql::{
        Change, Statement,
        change::{Dml, Filter, Insert, InsertSource},
        names::ObjectName,
        tokens,
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
        Change::Insert(insert) => {
            draft.lock(&insert.table, LockMode::RowExclusive);
            if let Some((source, chance)) = copied(draft.context, insert, statement) {
                draft.scan(&source, chance);
            }
        }
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

/// The table whose rows a query reads to insert them, and whether it reads them all: what stands behind the `FROM` of
/// the query itself. `INSERT … SELECT 1 WHERE NOT EXISTS (…)` has none, and a `LIMIT` ends early.
fn copied(context: &Context, insert: &Insert, statement: &Statement) -> Option<(ObjectName, Chance)> {
    if insert.source != InsertSource::Query {
        return None;
    }
    let outer = outermost(context, statement);
    let place = |word: &str| outer.iter().position(|(_, it)| it == word);
    let from = place("from")?;
    if place("limit").is_some() || place("fetch").is_some() {
        return None;
    }
    let (start, _) = outer[from + 1..].iter().find(|(_, it)| it != "only")?;
    let source = insert.reads.iter().find(|it| it.span().start == *start)?;
    let catalog = context.catalog;
    if catalog.views.contains_key(&catalog.resolve(source)) || context.is_bookkeeping(source) {
        return None;
    }
    let chance = match place("where") {
        Some(_) if is_keyed(context, source, statement) => Chance::No,
        Some(_) => Chance::Likely,
        None => Chance::Sure,
    };
    Some((source.clone(), chance))
}

/// The statement's own words in lower case, each with its place, without what stands in brackets.
fn outermost(context: &Context, statement: &Statement) -> Vec<(usize, String)> {
    let written = context.written(statement.span);
    let (mut depth, mut outer) = (0_usize, Vec::new());
    for token in tokens(written) {
        let text = &written[token.span.start..token.span.end];
        match text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ if depth == 0 => outer.push((statement.span.start + token.span.start, text.to_lowercase())),
            _ => {}
        }
    }
    outer
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
