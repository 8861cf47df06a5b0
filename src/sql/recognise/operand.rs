//! What stands in an expression: calls with their arguments, casts, operators, names.

use super::{
    super::{
        change::{Argument, Call, Cast, Operand, OperandKind, Parts},
        scan::TokenKind,
    },
    cursor::Cursor,
    expression::{is_call, name_at},
    types,
};

/// How far `CAST(CAST(…` is followed.
const DEEPEST: u8 = 8;

/// Words of expressions and queries that name nothing.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "ASYMMETRIC",
    "AT",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASE",
    "CAST",
    "COLLATE",
    "CROSS",
    "DEFAULT",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "FALSE",
    "FETCH",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "IS",
    "ISNULL",
    "JOIN",
    "LATERAL",
    "LEADING",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NOTNULL",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OPERATOR",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OVERLAPS",
    "RETURNING",
    "RIGHT",
    "ROW",
    "SELECT",
    "SET",
    "SIMILAR",
    "SOME",
    "SYMMETRIC",
    "THEN",
    "TO",
    "TRAILING",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "VARIADIC",
    "WHEN",
    "WHERE",
    "WITH",
    "WITHIN",
];

/// Words that are operators.
const WORDS: &[&str] = &["ILIKE", "LIKE", "OVERLAPS", "SIMILAR"];

/// The rest as an expression.
pub fn expression(cursor: Cursor<'_>) -> Parts {
    let mut expression =
        Parts { span: cursor.span(), text: cursor.text(), whole: operand(cursor, DEEPEST), ..Parts::default() };
    // Types of `CAST(… AS type)`: where each starts and ends.
    let mut types: Vec<(usize, usize)> = Vec::new();
    let mut at = cursor.at;
    while at < cursor.end {
        if let Some((_, end)) = types.pop_if(|(start, _)| *start == at) {
            at = end;
            continue;
        }
        at = step(&cursor, at, &mut types, &mut expression);
    }
    expression
}

/// Reads what starts at a token and gives the place behind it.
fn step(cursor: &Cursor<'_>, at: usize, types: &mut Vec<(usize, usize)>, found: &mut Parts) -> usize {
    let token = cursor.tokens[at];
    if token.kind == TokenKind::Operator {
        return match cursor.source.of(token) {
            "::" => cast(cursor, at, found),
            "=>" | ":=" => at + 1,
            operator => {
                found.operators.push(operator.to_owned());
                at + 1
            }
        };
    }
    let Some((name, behind)) = name_at(cursor, at) else { return at + 1 };
    let here = cursor.range(at, cursor.end);
    if here.is_one_of(0, WORDS) {
        found.operators.push(name.last().to_ascii_uppercase());
    }
    found.subquery |= here.is_word(0, "SELECT");
    if here.is_word(0, "CAST") && here.is_symbol(1, "(") {
        types.extend(written_cast(here, found));
        return at + 1;
    }
    if is_call(cursor, at, &behind) {
        found.invocations.push(call(*cursor, at, behind));
        found.calls.push(name);
    } else if here.is("AT TIME ZONE") {
        return at + 3;
    } else if here.is_one_of(0, KEYWORDS) {
        return at + 1;
    } else if let Some(end) = typed_literal(here, found) {
        return end;
    } else {
        found.names.push(name);
    }
    behind.at
}

/// `:: type`.
fn cast(cursor: &Cursor<'_>, at: usize, found: &mut Parts) -> usize {
    let mut behind = cursor.range(at + 1, cursor.end);
    let to = types::data_type(&mut behind);
    if behind.at == at + 1 {
        return behind.at;
    }
    let before = at.checked_sub(1).filter(|before| *before >= cursor.at).map(|before| cursor.tokens[before].kind);
    let of_literal = matches!(before, Some(TokenKind::String | TokenKind::Number));
    found.casts.push(Cast { to, span: cursor.span_from(at + 1, behind.at), of_literal });
    behind.at
}

/// `CAST(… AS type)`: where the type stands, to be passed over later.
fn written_cast(mut here: Cursor<'_>, found: &mut Parts) -> Option<(usize, usize)> {
    here.at += 1;
    let mut inside = here.parentheses()?;
    let of_literal = matches!(inside.token(0)?.kind, TokenKind::String | TokenKind::Number) && inside.is_word(1, "AS");
    if !inside.skip_to(&["AS"]) {
        return None;
    }
    let start = inside.at + 1;
    inside.at = start;
    let to = types::data_type(&mut inside);
    if inside.at == start {
        return None;
    }
    found.casts.push(Cast { to, span: inside.span_from(start, inside.at), of_literal });
    Some((start, inside.at))
}

/// `interval '1 day'`: the place behind it.
fn typed_literal(here: Cursor<'_>, found: &mut Parts) -> Option<usize> {
    let mut behind = here;
    let to = types::data_type(&mut behind);
    if !behind.is_string() || behind.at == here.at {
        return None;
    }
    found.casts.push(Cast { to, span: here.span_from(here.at, behind.at), of_literal: true });
    Some(behind.at + 1)
}

fn call(cursor: Cursor<'_>, start: usize, mut behind: Cursor<'_>) -> Call {
    let name = cursor.range(start, behind.at).name().unwrap_or_default();
    let arguments = match behind.parentheses() {
        Some(inside) if !inside.done() => inside.split().into_iter().map(argument).collect(),
        _ => Vec::new(),
    };
    Call { name, span: cursor.span_from(start, behind.at), arguments }
}

fn argument(mut part: Cursor<'_>) -> Argument {
    let span = part.span();
    let named = part.is_symbol(1, "=>") || part.is_symbol(1, ":=");
    let name = if named { part.ident().ok() } else { None };
    part.at += usize::from(name.is_some());
    Argument { name, span, operand: operand(part, DEEPEST) }
}

/// Every call of the rest, with its arguments.
pub fn invocations(cursor: Cursor<'_>) -> Vec<Call> {
    let mut found = Vec::new();
    let mut at = cursor.at;
    while at < cursor.end {
        let Some((_, behind)) = name_at(&cursor, at) else {
            at += 1;
            continue;
        };
        if is_call(&cursor, at, &behind) {
            found.push(call(cursor, at, behind));
        }
        at = behind.at;
    }
    found
}

/// What the rest is as a whole.
fn operand(mut cursor: Cursor<'_>, depth: u8) -> Operand {
    loop {
        let mut outer = cursor;
        match outer.parentheses() {
            Some(inside) if outer.done() => cursor = inside,
            _ => break,
        }
    }
    let Some(mut operand) = primary(&mut cursor, depth) else { return Operand::default() };
    while cursor.eat_symbol("::") {
        let to = types::data_type(&mut cursor);
        if to.is_empty() {
            return Operand::default();
        }
        operand.cast = Some(to);
    }
    if cursor.done() { operand } else { Operand::default() }
}

fn primary(cursor: &mut Cursor<'_>, depth: u8) -> Option<Operand> {
    let plain = |kind| Some(Operand { kind, cast: None });
    let token = cursor.token(0)?;
    match token.kind {
        TokenKind::String => return plain(OperandKind::Text(cursor.string().ok()?)),
        TokenKind::Parameter => {
            cursor.at += 1;
            return plain(OperandKind::Parameter);
        }
        TokenKind::Number => {
            cursor.at += 1;
            return plain(OperandKind::Number(cursor.source.of(token).to_owned()));
        }
        TokenKind::Operator => {
            let sign = cursor.source.of(token);
            let number = cursor.token(1).filter(|next| next.kind == TokenKind::Number && matches!(sign, "-" | "+"))?;
            cursor.at += 2;
            return plain(OperandKind::Number(format!("{sign}{}", cursor.source.of(number))));
        }
        TokenKind::Symbol => return None,
        TokenKind::Word | TokenKind::Quoted => {}
    }
    match cursor.eat_one_of(&["NULL", "TRUE", "FALSE"]) {
        Some("NULL") => return plain(OperandKind::Null),
        Some(word) => return plain(OperandKind::Boolean(word == "TRUE")),
        None => {}
    }
    if cursor.is_word(0, "CAST") && cursor.is_symbol(1, "(") {
        return cast_operand(cursor, depth.checked_sub(1)?);
    }
    let (name, behind) = name_at(cursor, cursor.at)?;
    if is_call(cursor, cursor.at, &behind) {
        cursor.at = behind.at;
        cursor.parentheses();
        return plain(OperandKind::Call(name));
    }
    if cursor.is_one_of(0, KEYWORDS) {
        return None;
    }
    let mut literal = *cursor;
    let to = types::data_type(&mut literal);
    if literal.is_string() {
        let kind = OperandKind::Text(literal.string().ok()?);
        cursor.at = literal.at;
        return Some(Operand { kind, cast: Some(to) });
    }
    cursor.at = behind.at;
    plain(OperandKind::Column(name))
}

/// `CAST(operand AS type)`.
fn cast_operand(cursor: &mut Cursor<'_>, depth: u8) -> Option<Operand> {
    cursor.at += 1;
    let inside = cursor.parentheses()?;
    let mut to = inside;
    if !to.skip_to(&["AS"]) {
        return None;
    }
    let kind = operand(inside.range(inside.at, to.at), depth).kind;
    to.at += 1;
    Some(Operand { kind, cast: Some(types::data_type(&mut to)).filter(|it| !it.is_empty()) })
}
