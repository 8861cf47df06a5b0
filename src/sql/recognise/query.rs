//! Statements that read or write rows: `SELECT`, `WITH`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, `TRUNCATE`.

use super::{
    super::{
        Place, Statement,
        change::{
            Arbiter, Change, Copy, CopySource, CreateTable, Dml, Expression, Filter, Insert, InsertSource, OnConflict,
            Set, SetScope, Truncate, Unread,
        },
        names::{Ident, ObjectName},
        scan::TokenKind,
    },
    Reading, create,
    cursor::{Cursor, Result},
    expression, operand, outputs, relations,
};

const WRITES: &[&str] = &["INSERT", "UPDATE", "DELETE", "MERGE"];
/// What may follow the list behind `SELECT`, and ends it.
pub const CLAUSES: &[&str] = &[
    "EXCEPT",
    "FETCH",
    "FOR",
    "FROM",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "INTO",
    "LIMIT",
    "OFFSET",
    "ORDER",
    "UNION",
    "WHERE",
    "WINDOW",
];
const QUERIES: &[&str] = &["SELECT", "VALUES", "TABLE", "WITH"];

/// Whether a query starts here.
pub fn is_query(mut cursor: Cursor<'_>) -> bool {
    while cursor.is_symbol(0, "(") {
        cursor.at += 1;
    }
    cursor.is_one_of(0, QUERIES)
}

/// `SELECT`, `VALUES`, `TABLE`, `WITH` and whatever opens with `(`.
pub fn query(cursor: Cursor<'_>) -> Result<Reading> {
    let mut first = cursor;
    while first.is_symbol(0, "(") {
        first.at += 1;
    }
    if !first.is_one_of(0, QUERIES) {
        return Err(first.expected("a query"));
    }
    let mut inner = writes_within(cursor)?;
    inner.extend(sets_search_path(cursor));
    if cursor.is_word(0, "WITH") {
        let main = behind_with(cursor)?;
        if main.is_one_of(0, WRITES) {
            let mut reading = super::statement(main.deeper()?)?;
            reading.inner.splice(0..0, inner);
            return Ok(reading);
        }
    }
    if let Some(table) = into(first)? {
        inner.extend(called_within(cursor));
        return Ok(Reading { change: Change::CreateTable(Box::new(table)), inner });
    }
    Ok(Reading { change: own_query(cursor), inner })
}

/// A query that is a statement of its own.
pub fn own_query(cursor: Cursor<'_>) -> Change {
    let calls = operand::invocations(cursor);
    let routines = calls.iter().map(|call| call.name.clone()).collect();
    Change::Query { routines, calls, reads: relations::read(cursor) }
}

/// `set_config('search_path', …)` as the `SET` that it is.
fn sets_search_path(cursor: Cursor<'_>) -> Option<Statement> {
    let text = |at: usize| cursor.text_at(at);
    let call = (cursor.at..cursor.end.saturating_sub(4)).find(|at| {
        text(*at).trim_matches('"').eq_ignore_ascii_case("set_config")
            && text(at + 1) == "("
            && text(at + 2).trim_matches('\'').eq_ignore_ascii_case("search_path")
    })?;
    let mut value = cursor.range(call + 4, cursor.end);
    // One that is put together when it runs names no schema that is known.
    let value = value.string().unwrap_or_else(|_| "?".to_owned());
    Some(Statement {
        span: cursor.span(),
        change: Change::Set(Set { name: "search_path".to_owned(), value: Some(value), scope: SetScope::Session }),
        place: Place::Within,
        inner: Vec::new(),
        directives: Vec::new(),
    })
}

/// The statement behind a `WITH` list.
fn behind_with(mut cursor: Cursor<'_>) -> Result<Cursor<'_>> {
    cursor.expect("WITH")?;
    if cursor.is_word(0, "RECURSIVE") && !cursor.is_word(1, "AS") && !cursor.is_symbol(1, "(") {
        cursor.at += 1;
    }
    loop {
        cursor.ident()?;
        cursor.parentheses();
        cursor.expect("AS")?;
        if !cursor.eat("NOT MATERIALIZED") {
            cursor.eat("MATERIALIZED");
        }
        cursor.expect_parentheses()?;
        if cursor.eat("SEARCH") {
            cursor.skip_to(&["SET"]);
            cursor.at += 2;
        }
        if cursor.eat("CYCLE") {
            cursor.skip_to(&["USING"]);
            cursor.at += 2;
        }
        if !cursor.eat_symbol(",") {
            return if cursor.done() { Err(cursor.expected("a query")) } else { Ok(cursor) };
        }
    }
}

/// The writes behind `AS (`, at any depth of a query.
pub fn writes_within(cursor: Cursor<'_>) -> Result<Vec<Statement>> {
    let mut found = Vec::new();
    let mut at = cursor.at + 1;
    while at < cursor.end {
        let opens = cursor.text_at(at) == "(" && cursor.tokens[at].partner > at;
        let before = cursor.range(at - 1, cursor.end);
        if opens && before.is_one_of(0, &["AS", "MATERIALIZED"]) {
            let close = cursor.tokens[at].partner.min(cursor.end);
            let inside = cursor.range(at + 1, close);
            if is_write(inside) {
                found.push(super::inner(inside, Place::Within));
                at = close;
            }
        }
        at += 1;
    }
    Ok(found)
}

fn is_write(mut cursor: Cursor<'_>) -> bool {
    if cursor.is_word(0, "WITH") {
        // What stands in its own list is found later, by the reading of this statement.
        return behind_with(cursor).is_ok_and(|main| main.is_one_of(0, WRITES));
    }
    cursor.is("DELETE FROM")
        || cursor.is("INSERT INTO")
        || cursor.is("MERGE INTO")
        || (cursor.eat("UPDATE") && cursor.has("SET"))
}

/// `SELECT … INTO table`.
fn into(mut cursor: Cursor<'_>) -> Result<Option<CreateTable>> {
    if cursor.plpgsql {
        return Ok(None);
    }
    if cursor.is_word(0, "WITH") {
        cursor = behind_with(cursor)?;
    }
    let query = cursor;
    if !cursor.eat("SELECT") || !cursor.skip_to(&["INTO", "FROM", "WHERE", "UNION", "EXCEPT", "INTERSECT"]) {
        return Ok(None);
    }
    if !cursor.eat("INTO") {
        return Ok(None);
    }
    let temporary =
        cursor.eat("LOCAL TEMPORARY") || cursor.eat("LOCAL TEMP") || cursor.eat("TEMPORARY") || cursor.eat("TEMP");
    let unlogged = cursor.eat("UNLOGGED");
    cursor.eat("TABLE");
    let (name, reads, outputs) = (cursor.name()?, relations::read(query), outputs::read(query).map(Box::new));
    let table = CreateTable { name, temporary, unlogged, from_query: true, reads, outputs, ..CreateTable::default() };
    Ok(Some(table))
}

/// What a statement calls, as a query inside it, when it calls anything.
pub fn called_within(cursor: Cursor<'_>) -> Option<Statement> {
    let routines = expression::calls(cursor);
    (!routines.is_empty()).then(|| Statement {
        span: cursor.span(),
        change: Change::Query { routines, calls: Vec::new(), reads: Vec::new() },
        place: Place::Within,
        inner: Vec::new(),
        directives: Vec::new(),
    })
}

pub fn insert(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.expect("INTO")?;
    let table = cursor.name()?;
    if cursor.eat("AS") {
        cursor.ident()?;
    }
    let mut columns = Vec::new();
    let mut list = cursor;
    if let Some(inside) = list.parentheses()
        && !is_query(inside)
    {
        for mut part in inside.split() {
            columns.push(part.ident()?);
        }
        cursor = list;
    }
    let overriding = cursor.eat("OVERRIDING");
    if overriding {
        cursor.at += 2;
    }
    let source = match () {
        () if cursor.eat("DEFAULT VALUES") => InsertSource::Default,
        () if cursor.is_word(0, "VALUES") => InsertSource::Values,
        () if is_query(cursor) => InsertSource::Query,
        () => return Err(cursor.expected("`VALUES` or a query")),
    };
    let mut inner = writes_within(cursor)?;
    inner.extend(called_within(cursor));
    let reads = if source == InsertSource::Query { relations::read(cursor) } else { Vec::new() };
    let mut updated = cursor;
    let (on_conflict, arbiter) = match on_conflict(&mut updated)? {
        Some((action, arbiter)) => (Some(action), arbiter),
        None => (None, None),
    };
    let updates = if updated.eat("DO UPDATE SET") { set_columns(updated) } else { Vec::new() };
    let insert = Insert { table, on_conflict, arbiter, source, overriding, columns, updates, reads };
    Ok(Reading { change: Change::Insert(insert), inner })
}

/// What is done where a row is there already; leaves the cursor at its `DO`.
fn on_conflict(cursor: &mut Cursor<'_>) -> Result<Option<(OnConflict, Option<Arbiter>)>> {
    while cursor.skip_to(&["ON"]) {
        if cursor.eat("ON CONFLICT") {
            let arbiter = arbiter(*cursor)?;
            while cursor.skip_to(&["DO"]) {
                if cursor.is("DO NOTHING") {
                    return Ok(Some((OnConflict::DoNothing, arbiter)));
                }
                if cursor.is("DO UPDATE") {
                    return Ok(Some((OnConflict::DoUpdate, arbiter)));
                }
                cursor.at += 1;
            }
            return Err(cursor.expected("`DO NOTHING` or `DO UPDATE`"));
        }
        cursor.at += 1;
    }
    Ok(None)
}

/// `(keys) [WHERE …]` or `ON CONSTRAINT name`.
fn arbiter(mut cursor: Cursor<'_>) -> Result<Option<Arbiter>> {
    if cursor.eat("ON CONSTRAINT") {
        return Ok(Some(Arbiter::Constraint(cursor.ident()?)));
    }
    let Some(inside) = cursor.parentheses() else { return Ok(None) };
    let keys = inside.split().into_iter().map(create::key).collect();
    let mut end = cursor;
    let filtered = cursor.eat("WHERE") && end.skip_to(&["DO"]);
    let predicate = filtered.then(|| Box::new(cursor.range(cursor.at, end.at).expression()));
    Ok(Some(Arbiter::Keys { keys, predicate }))
}

/// How the depth-0 `WHERE` of the rest bounds it, and with what condition.
fn filter(mut cursor: Cursor<'_>) -> (Filter, Option<Expression>) {
    if !cursor.skip_to(&["WHERE"]) {
        return (Filter::None, None);
    }
    cursor.at += 1;
    let mut end = cursor;
    if end.skip_to(&["RETURNING"]) {
        cursor.end = end.at;
    }
    (expression::filter(cursor), Some(cursor.expression()))
}

pub fn update(mut cursor: Cursor<'_>) -> Result<Reading> {
    let whole = cursor;
    let (table, only) = cursor.relation()?;
    if !cursor.skip_to(&["SET"]) {
        return Err(cursor.expected("`SET`"));
    }
    cursor.at += 1;
    if cursor.done() {
        return Err(cursor.expected("a column"));
    }
    let inner = writes_within(whole)?.into_iter().chain(called_within(cursor)).collect();
    let columns = set_columns(cursor);
    let mut from = cursor;
    let alone = !from.skip_to(&["FROM"]);
    let (filter, condition) = filter(cursor);
    let dml = Dml { table, filter, only, columns, condition, alone, reads: relations::read(cursor) };
    Ok(Reading { change: Change::Update(dml), inner })
}

/// The columns that `SET` names, the cursor behind it.
fn set_columns(mut cursor: Cursor<'_>) -> Vec<Ident> {
    let mut end = cursor;
    if end.skip_to(&["FROM", "WHERE", "RETURNING"]) {
        cursor.end = end.at;
    }
    let mut columns = Vec::new();
    for mut part in cursor.split() {
        match part.parentheses() {
            Some(inside) => columns.extend(inside.split().into_iter().filter_map(|mut it| it.ident().ok())),
            None => columns.extend(part.ident().ok()),
        }
    }
    columns
}

pub fn delete(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.expect("FROM")?;
    let whole = cursor;
    let (table, only) = cursor.relation()?;
    let inner = writes_within(whole)?.into_iter().chain(called_within(cursor)).collect();
    if !cursor.done() && !cursor.is_one_of(0, &["AS", "USING", "WHERE", "RETURNING"]) {
        cursor.ident()?;
    }
    if !cursor.done() && !cursor.is_one_of(0, &["AS", "USING", "WHERE", "RETURNING"]) {
        return Err(cursor.expected("`WHERE`"));
    }
    let mut using = cursor;
    let alone = !using.skip_to(&["USING"]);
    let (filter, condition) = filter(cursor);
    let dml = Dml { table, filter, only, columns: Vec::new(), condition, alone, reads: relations::read(cursor) };
    Ok(Reading { change: Change::Delete(dml), inner })
}

pub fn merge(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.expect("INTO")?;
    let (table, _) = cursor.relation()?;
    let inner = writes_within(cursor)?.into_iter().chain(called_within(cursor)).collect();
    let deletes = cursor.has("THEN DELETE");
    Ok(Reading { change: Change::Merge { table, deletes }, inner })
}

pub fn truncate(mut cursor: Cursor<'_>) -> Result<Reading> {
    if cursor.is_word(0, "TABLE")
        && cursor.token(1).is_some_and(|token| token.kind != TokenKind::Symbol || cursor.is_symbol(1, "("))
    {
        cursor.at += 1;
    }
    let mut tables = vec![cursor.relation()?.0];
    while cursor.eat_symbol(",") {
        tables.push(cursor.relation()?.0);
    }
    let restart_identity = cursor.eat("RESTART IDENTITY");
    cursor.eat("CONTINUE IDENTITY");
    let cascade = cursor.eat_one_of(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
    cursor.finish()?;
    Ok(Change::Truncate(Truncate { tables, cascade, restart_identity }).into())
}

pub fn copy(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.eat("BINARY");
    let mut inner = Vec::new();
    let mut table: Option<ObjectName> = None;
    let mut columns = Vec::new();
    match cursor.parentheses() {
        Some(query) => inner.push(super::inner(query, Place::Within)),
        None => {
            table = Some(cursor.name()?);
            if let Some(inside) = cursor.parentheses() {
                columns = inside.split().into_iter().map(|mut part| part.ident()).collect::<Result<_>>()?;
            }
        }
    }
    let from = match cursor.eat_one_of(&["FROM", "TO"]) {
        Some(word) => word == "FROM",
        None => return Err(cursor.expected("`FROM` or `TO`")),
    };
    let source = match cursor.eat_one_of(&["STDIN", "STDOUT", "PROGRAM"]) {
        Some("PROGRAM") => CopySource::Program,
        Some(_) => CopySource::Stdio,
        None if cursor.is_string() => CopySource::File,
        None => return Err(cursor.expected("a file, `STDIN` or `STDOUT`")),
    };
    if from && source == CopySource::Stdio {
        return Err(Unread::CopyFromStdin);
    }
    Ok(Reading { change: Change::Copy(Copy { table, columns, from, source }), inner })
}
