//! Statements inside `DO` blocks and routine bodies.
//!
//! plpgsql is not parsed: its tokens are walked. A statement may start at the body's start and after `;`,
//! `BEGIN`, `THEN`, `ELSE`, `LOOP`, a label's `>>`. An SQL verb there opens a statement that runs to the next
//! `;`. Text is never searched: `on update no action` holds no `UPDATE`.

use super::{
    Place, Span, Statement,
    change::{Change, Unread},
    comments, confirm, hidden,
    recognise::{self, Cursor, Reading, expression},
    scan::{self, Piece, Token, TokenKind},
    source::Source,
};

/// The verbs that open an SQL statement in plpgsql.
const VERBS: &[&str] = &[
    "ALTER",
    "ANALYSE",
    "ANALYZE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "EXPLAIN",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// A query may also stand here: behind `RETURN QUERY`, `FOR … IN`, `OPEN … FOR`.
const QUERIES: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE"];

type Body = Result<(Option<Span>, Vec<Statement>), Unread>;

/// The body in a string literal.
pub(super) fn literal(cursor: Cursor<'_>, token: Token, language: &str, place: &Place) -> Body {
    let unread = |reason| unread(cursor.source.span(token.span), reason, place);
    if !matches!(language, "plpgsql" | "sql") {
        let reason = Unread::ForeignLanguage { language: language.to_owned() };
        return Ok((None, vec![unread(reason)]));
    }
    let Some((text, map)) = cursor.source.literal(token) else {
        return Err(Unread::Malformed { detail: "the body is no plain string".to_owned() });
    };
    let cursor = cursor.deeper()?;
    let source = Source::within(&text, map);
    let span = source.span(Span { start: 0, end: text.len() });
    let inner = if language == "sql" {
        statements(&source, cursor.depth, place)
    } else {
        plpgsql(&source, cursor.depth, place)
    };
    Ok((Some(span), inner))
}

/// A body in SQL's own syntax: `RETURN …` or `BEGIN ATOMIC … END`.
pub(super) fn standard(cursor: Cursor<'_>, place: &Place) -> Body {
    let parts = cut(cursor);
    let mut inner = Vec::new();
    for mut part in parts {
        if part.is_word(0, "END") {
            return Err(Unread::Malformed { detail: "the routine's body ends before its end".to_owned() });
        }
        part.eat("RETURN");
        if !part.is_one_of(0, QUERIES) {
            inner.extend(called(part, place));
            continue;
        }
        inner.push(recognise::inner(part, place.clone()));
    }
    Ok((Some(cursor.span()), inner))
}

/// The rest, cut at its `;` outside brackets; empty parts left out.
pub(super) fn cut(mut cursor: Cursor<'_>) -> Vec<Cursor<'_>> {
    let mut parts = Vec::new();
    let mut start = cursor.at;
    loop {
        if cursor.done() || cursor.is_symbol(0, ";") {
            if cursor.at > start {
                parts.push(cursor.range(start, cursor.at.min(cursor.end)));
            }
            start = cursor.at + 1;
        }
        if cursor.done() {
            return parts;
        }
        cursor.skip();
    }
}

fn unread(span: Span, reason: Unread, place: &Place) -> Statement {
    Statement {
        span,
        change: Change::Unread { reason },
        place: place.clone(),
        inner: Vec::new(),
        directives: Vec::new(),
    }
}

/// What an assignment or condition calls.
fn called(cursor: Cursor<'_>, place: &Place) -> Option<Statement> {
    let routines = expression::calls(cursor);
    (!routines.is_empty()).then(|| Statement {
        span: cursor.span(),
        change: Change::Query { routines, calls: Vec::new(), reads: Vec::new() },
        place: place.clone(),
        inner: Vec::new(),
        directives: Vec::new(),
    })
}

/// A text of plain statements.
pub(super) fn statements(source: &Source<'_>, depth: u8, place: &Place) -> Vec<Statement> {
    let scan = scan::scan(source.text);
    let read = |piece: &Piece| {
        let mut statement = confirm::statement(source, piece, depth, place);
        if piece.unterminated.is_some() {
            statement.inner = hidden::statements(source, piece, place);
        }
        statement
    };
    let mut found: Vec<Statement> = scan.pieces.iter().map(read).collect();
    comments::attach(source, &scan.comments, &mut found);
    found
}

/// A text of plpgsql.
fn plpgsql(source: &Source<'_>, depth: u8, place: &Place) -> Vec<Statement> {
    let (tokens, comments, unterminated) = scan::flat(source.text);
    if let Some(open) = unterminated {
        let opened = source.span(open.opened);
        let broken = unread(opened, Unread::Unterminated { what: open.what, opened }, place);
        // Up to the last `;` before the quote nothing is in doubt.
        let sound = tokens.partition_point(|it| it.span.end <= open.opened.start);
        let sound = tokens[..sound].iter().rposition(|it| source.of(*it) == ";").map_or(0, |at| at + 1);
        let mut found = walked(Cursor { depth, plpgsql: true, ..Cursor::new(source, &tokens[..sound]) }, place);
        found.push(broken);
        let swallowed = Span { start: open.opened.start, end: source.text.len() };
        found.extend(hidden::within(source, swallowed, place));
        return found;
    }
    let cursor = Cursor { depth, plpgsql: true, ..Cursor::new(source, &tokens) };
    let mut found = walked(cursor, place);
    // Of a template that fills in statements, what was walked says nothing.
    found.extend(recognise::template(cursor).map(|(span, reason)| unread(span, reason, place)));
    found.sort_by_key(|it| it.span);
    comments::attach(source, &comments, &mut found);
    found
}

fn walked<'a>(cursor: Cursor<'a>, place: &'a Place) -> Vec<Statement> {
    let mut walk = Walk { cursor, place, declares: false, found: Vec::new() };
    while !walk.cursor.done() {
        walk.step();
    }
    walk.found
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    place: &'a Place,
    /// Between `DECLARE` and `BEGIN`, where a variable may be called `comment`.
    declares: bool,
    found: Vec<Statement>,
}

impl<'a> Walk<'a> {
    /// One statement of plpgsql, from its start.
    fn step(&mut self) {
        let cursor = &mut self.cursor;
        if cursor.eat_symbol(";") {
            return;
        }
        if cursor.is_symbol(0, "<<") {
            while !cursor.done() && !cursor.eat_symbol(">>") {
                cursor.at += 1;
            }
            return;
        }
        if cursor.eat("DECLARE") {
            self.declares = true;
            return;
        }
        if cursor.eat("BEGIN") {
            self.declares = false;
            return;
        }
        if self.declares {
            return self.control();
        }
        match () {
            () if cursor.eat_one_of(&["THEN", "ELSE", "LOOP", "EXCEPTION"]).is_some() => {}
            () if cursor.eat("EXECUTE") => self.dynamic(&[]),
            () if cursor.eat("PERFORM") => self.perform(),
            () if cursor.eat("RETURN QUERY EXECUTE") => self.dynamic(&[]),
            () if cursor.eat("RETURN QUERY") => self.sql(&[]),
            () if cursor.is_one_of(0, &["FOR", "OPEN"]) => self.over(),
            () if cursor.is_one_of(0, VERBS) && !self.is_variable() => self.sql(&[]),
            () => self.control(),
        }
    }

    /// A variable that is called like a verb: `comment := …`, `lock.x = …`.
    fn is_variable(&self) -> bool {
        [":=", "=", "."].iter().any(|symbol| self.cursor.is_symbol(1, symbol))
    }

    /// Takes everything up to `;`, or to one of `words`, outside brackets.
    fn part(&mut self, words: &[&str]) -> Cursor<'a> {
        let start = self.cursor.at;
        while !self.cursor.done() && !self.cursor.is_symbol(0, ";") && !self.cursor.is_one_of(0, words) {
            self.cursor.skip();
        }
        self.cursor.range(start, self.cursor.at.min(self.cursor.end))
    }

    fn sql(&mut self, words: &[&str]) {
        let part = self.part(words);
        if !part.done() {
            self.found.push(confirm::within_body(part, self.place));
        }
    }

    fn perform(&mut self) {
        let part = self.part(&[]);
        let Reading { change, inner } = match recognise::query::writes_within(part) {
            Ok(inner) => Reading { change: recognise::query::own_query(part), inner },
            Err(reason) => Change::Unread { reason }.into(),
        };
        if !part.done() {
            let place = self.place.clone();
            self.found.push(Statement { span: part.span(), change, place, inner, directives: Vec::new() });
        }
    }

    /// `FOR … IN …`, `OPEN … FOR …`.
    fn over(&mut self) {
        let opens = self.cursor.is_word(0, "OPEN");
        let start = self.cursor.at;
        let word = if opens { "FOR" } else { "IN" };
        self.cursor.at += 1;
        while !self.cursor.done() && !self.cursor.is_symbol(0, ";") && !self.cursor.is_one_of(0, &[word, "LOOP"]) {
            self.cursor.skip();
        }
        if !self.cursor.eat(word) {
            self.cursor.at = start;
            return self.control();
        }
        let end: &[&str] = if opens { &[] } else { &["LOOP"] };
        if self.cursor.eat("EXECUTE") {
            self.dynamic(end);
        } else if self.cursor.is_one_of(0, QUERIES)
            || self.cursor.is_symbol(0, "(") && recognise::query::is_query(self.cursor)
        {
            self.sql(end);
        } else {
            self.control();
        }
    }

    /// `EXECUTE`: one plain literal is read as SQL, anything else says so.
    fn dynamic(&mut self, words: &[&str]) {
        let mut part = self.part(words);
        let whole = part;
        let literal = part.token(0).filter(|token| token.kind == TokenKind::String);
        part.at += 1;
        let plain = literal.filter(|_| part.done() || part.is_one_of(0, &["INTO", "USING"]));
        let read = plain.and_then(|token| part.source.literal(token));
        let depth = whole.deeper().map(|deeper| deeper.depth);
        match (read, depth) {
            (Some((text, map)), Ok(depth)) => {
                self.found.extend(statements(&Source::within(&text, map), depth, self.place));
            }
            _ => self.found.push(unread(whole.span(), Unread::DynamicSql, self.place)),
        }
    }

    /// Control flow: passed, up to where a statement may start again.
    fn control(&mut self) {
        let start = self.cursor.at;
        let words: &[&str] = if self.declares { &["BEGIN"] } else { &["THEN", "ELSE", "LOOP", "BEGIN"] };
        let part = self.part(words);
        let mut query = part;
        if self.declares && query.has("CURSOR") && query.skip_to(&["FOR", "IS"]) {
            query.at += 1;
        }
        if query.at > part.at && query.is_one_of(0, &["INSERT", "UPDATE", "DELETE", "MERGE", "WITH"]) {
            self.found.push(confirm::within_body(query, self.place));
        } else {
            self.found.extend(called(part, self.place));
        }
        if self.cursor.at == start {
            self.cursor.at += 1;
        }
    }
}
