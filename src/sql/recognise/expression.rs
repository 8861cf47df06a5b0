//! What an expression calls, and whether a condition bounds anything.

use super::{
    super::{change::Filter, names::ObjectName, scan::TokenKind},
    cursor::Cursor,
};

/// Words that a `(` may follow without a call.
const NO_CALL: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "BETWEEN",
    "BY",
    "CACHE",
    "CASE",
    "CHECK",
    "CONFLICT",
    "CROSS",
    "DEFAULT",
    "DISTINCT",
    "DO",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "FILTER",
    "FOR",
    "FROM",
    "GROUP",
    "HAVING",
    "IF",
    "ILIKE",
    "IN",
    "INCLUDE",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LATERAL",
    "LIKE",
    "LIMIT",
    "MATERIALIZED",
    "NOT",
    "OF",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OVER",
    "OVERLAPS",
    "PARTITION",
    "REFERENCES",
    "RETURN",
    "RETURNING",
    "ROW",
    "ROWS",
    "SELECT",
    "SET",
    "SETS",
    "SIMILAR",
    "SOME",
    "SYMMETRIC",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "UNION",
    "UNIQUE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WHILE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// Calls that are written without parentheses.
const BARE_CALL: &[&str] = &[
    "CURRENT_CATALOG",
    "CURRENT_DATE",
    "CURRENT_ROLE",
    "CURRENT_SCHEMA",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "SESSION_USER",
    "SYSTEM_USER",
    "USER",
];

/// Words behind which a name with parentheses is a type or a table, not a call.
const NAMES_OTHER: &[&str] = &["AS", "INTO", "JOIN", "ONLY", "UPDATE", "TABLE", "REFERENCES", "INSERT"];

/// The functions called in the rest, at any depth, in order.
pub fn calls(cursor: Cursor<'_>) -> Vec<ObjectName> {
    let mut found = Vec::new();
    let mut at = cursor.at;
    while at < cursor.end {
        match name_at(&cursor, at) {
            Some((name, behind)) => {
                if is_call(&cursor, at, &behind) {
                    found.push(name);
                }
                at = behind.at;
            }
            None => at += 1,
        }
    }
    found
}

/// The name that starts at a token, and the place behind it.
pub fn name_at<'a>(cursor: &Cursor<'a>, at: usize) -> Option<(ObjectName, Cursor<'a>)> {
    if !matches!(cursor.tokens[at].kind, TokenKind::Word | TokenKind::Quoted) {
        return None;
    }
    let mut behind = cursor.range(at, cursor.end);
    let name = behind.name().ok()?;
    Some((name, behind))
}

/// Whether the name between `start` and `behind` is called.
pub fn is_call(cursor: &Cursor<'_>, start: usize, behind: &Cursor<'_>) -> bool {
    let token = cursor.tokens[start];
    let single = behind.at == start + 1;
    let text = cursor.source.of(token);
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if token.kind == TokenKind::Word && single {
        if is(BARE_CALL) {
            return true;
        }
        if is(NO_CALL) {
            return false;
        }
    }
    if !behind.is_symbol(0, "(") {
        return false;
    }
    let Some(before) = start.checked_sub(1).filter(|before| *before + 1 > cursor.at) else { return true };
    let before = cursor.tokens[before];
    let text = cursor.source.of(before);
    let is_other = before.kind == TokenKind::Word && NAMES_OTHER.iter().any(|word| word.eq_ignore_ascii_case(text));
    text != "::" && !is_other
}

/// How the condition behind `WHERE` bounds a statement; the cursor stands behind `WHERE`.
pub fn filter(cursor: Cursor<'_>) -> Filter {
    if cursor.is("CURRENT OF") {
        return Filter::Cursor;
    }
    let mut condition = cursor;
    loop {
        let mut outer = condition;
        match outer.parentheses() {
            Some(inside) if outer.done() => condition = inside,
            _ => break,
        }
    }
    let words: Vec<&str> = (condition.at..condition.end).map(|at| condition.text_at(at)).collect();
    let always = match words.as_slice() {
        [word] => word.eq_ignore_ascii_case("true") || *word == "'t'" || *word == "'true'",
        [not, word] => not.eq_ignore_ascii_case("not") && word.eq_ignore_ascii_case("false"),
        [left, "=", right] => left == right && !matches!(condition.tokens[condition.at].kind, TokenKind::Word),
        _ => false,
    };
    if always { Filter::None } else { Filter::Where }
}
