//! Maintenance: `EXPLAIN`, `VACUUM`, `ANALYZE`, `REINDEX`, `CLUSTER`, `REFRESH`, `LOCK`.

use super::{
    super::{
        Place,
        change::{Change, ReindexTarget},
        names::ObjectName,
    },
    Reading,
    cursor::{Cursor, Result},
    query,
};

/// Passes an option list and says whether `option` is on in it: `(concurrently false)` is not. `None` without one.
fn listed(cursor: &mut Cursor<'_>, option: &str) -> Option<bool> {
    let inside = cursor.parentheses()?;
    let part = inside.split().into_iter().rev().find(|part| part.is_word(0, option));
    Some(part.is_some_and(|mut part| {
        part.at += 1;
        part.eat_symbol("=");
        let value = part.text().trim_matches('\'').to_ascii_lowercase();
        !matches!(value.as_str(), "false" | "off" | "0")
    }))
}

pub fn explain(mut cursor: Cursor<'_>) -> Result<Reading> {
    let analyze = if cursor.is_symbol(0, "(") && !query::is_query(cursor) {
        let mut british = cursor;
        let british = listed(&mut british, "ANALYSE").unwrap_or(false);
        listed(&mut cursor, "ANALYZE").unwrap_or(false) || british
    } else {
        cursor.eat_one_of(&["ANALYZE", "ANALYSE"]).is_some()
    };
    cursor.eat("VERBOSE");
    if cursor.done() {
        return Err(cursor.expected("a statement"));
    }
    let inner = if analyze { vec![super::inner(cursor, Place::Within)] } else { Vec::new() };
    Ok(Reading { change: Change::Explain { analyze }, inner })
}

/// `table [(columns)], …`, perhaps none.
fn tables(cursor: &mut Cursor<'_>) -> Result<Vec<ObjectName>> {
    let mut tables = Vec::new();
    while !cursor.done() {
        tables.push(cursor.relation()?.0);
        cursor.parentheses();
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.finish()?;
    Ok(tables)
}

pub fn vacuum(mut cursor: Cursor<'_>) -> Result<Reading> {
    let mut full = listed(&mut cursor, "FULL").unwrap_or(false);
    while let Some(word) = cursor.eat_one_of(&["FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"]) {
        full |= word == "FULL";
    }
    Ok(Change::Vacuum { full, tables: tables(&mut cursor)? }.into())
}

pub fn analyze(mut cursor: Cursor<'_>) -> Result<Reading> {
    listed(&mut cursor, "VERBOSE");
    cursor.eat("VERBOSE");
    Ok(Change::Analyze { tables: tables(&mut cursor)? }.into())
}

pub fn reindex(mut cursor: Cursor<'_>) -> Result<Reading> {
    let mut concurrently = listed(&mut cursor, "CONCURRENTLY").unwrap_or(false);
    let target = match cursor.eat_one_of(&["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"]) {
        Some("INDEX") => ReindexTarget::Index,
        Some("TABLE") => ReindexTarget::Table,
        Some("SCHEMA") => ReindexTarget::Schema,
        Some("DATABASE") => ReindexTarget::Database,
        Some(_) => ReindexTarget::System,
        None => return Err(cursor.expected("what to reindex")),
    };
    concurrently |= cursor.eat("CONCURRENTLY");
    let may_be_nameless = matches!(target, ReindexTarget::Database | ReindexTarget::System);
    let name = if cursor.done() && may_be_nameless { None } else { Some(cursor.name()?) };
    cursor.finish()?;
    Ok(Change::Reindex { target, name, concurrently }.into())
}

pub fn cluster(mut cursor: Cursor<'_>) -> Result<Reading> {
    listed(&mut cursor, "VERBOSE");
    cursor.eat("VERBOSE");
    if cursor.done() {
        return Ok(Change::Cluster { table: None }.into());
    }
    let mut table = cursor.name()?;
    if cursor.eat("ON") {
        table = cursor.name()?;
    } else if cursor.eat("USING") {
        cursor.ident()?;
    }
    cursor.finish()?;
    Ok(Change::Cluster { table: Some(table) }.into())
}

pub fn refresh(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.expect("MATERIALIZED VIEW")?;
    let concurrently = cursor.eat("CONCURRENTLY");
    let view = cursor.name()?;
    let with_data = !cursor.eat("WITH NO DATA");
    cursor.eat("WITH DATA");
    cursor.finish()?;
    Ok(Change::Refresh { view, concurrently, with_data }.into())
}

pub fn lock(mut cursor: Cursor<'_>) -> Result<Reading> {
    // TABLE is reserved: no table is called so.
    cursor.eat("TABLE");
    let mut tables = vec![cursor.relation()?.0];
    while cursor.eat_symbol(",") {
        tables.push(cursor.relation()?.0);
    }
    let mut mode = "ACCESS EXCLUSIVE".to_owned();
    if cursor.eat("IN") {
        let mut written = cursor;
        if !cursor.skip_to(&["MODE"]) {
            return Err(cursor.expected("`MODE`"));
        }
        written.end = cursor.at;
        mode = written.text().split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        cursor.at += 1;
    }
    cursor.eat("NOWAIT");
    cursor.finish()?;
    Ok(Change::Lock { tables, mode }.into())
}
