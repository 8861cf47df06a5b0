//! `CREATE` of what runs later: functions, procedures, triggers, rules; and `DO`, which runs now.

use super::{
    super::{
        Place, Span, body,
        change::{Body, Change, CreateRoutine, ObjectKind, Unread, Volatility},
        scan::{self, Token, TokenKind},
        source::Source,
    },
    Reading, create,
    cursor::{Cursor, Result},
    kinds, query,
};

pub fn trigger(mut cursor: Cursor<'_>, or_replace: bool) -> Result<Reading> {
    let name = cursor.ident()?;
    cursor.skip_to(&["ON"]);
    cursor.expect("ON")?;
    let table = cursor.name()?;
    cursor.skip_to(&["EXECUTE"]);
    cursor.expect("EXECUTE")?;
    if !cursor.eat("FUNCTION") {
        cursor.expect("PROCEDURE")?;
    }
    let routine = Some(cursor.name()?);
    cursor.expect_parentheses()?;
    cursor.finish()?;
    Ok(Change::CreateTrigger { name, table, or_replace, routine }.into())
}

pub fn rule(mut cursor: Cursor<'_>, or_replace: bool) -> Result<Reading> {
    let name = cursor.ident()?;
    cursor.expect("AS")?;
    cursor.expect("ON")?;
    cursor.skip_to(&["TO"]);
    cursor.expect("TO")?;
    let on = Some(cursor.name()?);
    if !cursor.skip_to(&["DO"]) {
        return Err(cursor.expected("`DO`"));
    }
    cursor.at += 1;
    cursor.eat_one_of(&["ALSO", "INSTEAD"]);
    let place = Place::Routine(create::owner(&name));
    let change = Change::CreateOther { kind: ObjectKind::Rule, name: Some(create::owner(&name)), or_replace, on };
    if cursor.eat("NOTHING") {
        return Ok(change.into());
    }
    if cursor.is_symbol(0, "(") && !query::is_query(cursor) {
        cursor = cursor.expect_parentheses()?;
    }
    let actions = body::cut(cursor);
    Ok(Reading { change, inner: actions.into_iter().map(|action| super::inner(action, place.clone())).collect() })
}

/// The words behind `SELECT` that keep Postgres from putting a body where its call stands.
const MORE_THAN_AN_EXPRESSION: &[&str] = &[
    "DISTINCT",
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
    "SELECT",
    "UNION",
    "WHERE",
    "WINDOW",
];

/// What the clauses of a routine say.
struct Clauses {
    language: Option<String>,
    volatility: Volatility,
    security_definer: bool,
    sets: Vec<String>,
    /// The literal behind `AS`.
    literal: Option<Token>,
    /// `RETURN …` or `BEGIN ATOMIC … END`, without its first and last words.
    standard: Option<(usize, usize)>,
    /// It is the former.
    returns: bool,
}

pub fn routine(mut cursor: Cursor<'_>, kind: ObjectKind, or_replace: bool) -> Result<Reading> {
    let name = cursor.name()?;
    cursor.expect_parentheses()?;
    if cursor.eat("RETURNS") {
        if cursor.eat("TABLE") {
            cursor.expect_parentheses()?;
        } else {
            kinds::type_name(&mut cursor)?;
        }
    }
    let clauses = clauses(&mut cursor)?;
    let place = Place::Routine(name.clone());
    let language = clauses.language.unwrap_or_else(|| "sql".to_owned());
    let (span, inner) = match (clauses.literal, clauses.standard) {
        (Some(literal), _) => body::literal(cursor, literal, &language, &place)?,
        (None, Some((from, to))) => body::standard(cursor.range(from, to), &place)?,
        (None, None) => return Err(cursor.expected("a body")),
    };
    let expression =
        clauses.returns || clauses.literal.is_some_and(|it| language == "sql" && is_expression(cursor, it));
    let change = Change::CreateRoutine(CreateRoutine {
        kind,
        name,
        or_replace,
        volatility: clauses.volatility,
        security_definer: clauses.security_definer,
        sets: clauses.sets,
        body: Body { language, span, expression },
    });
    Ok(Reading { change, inner })
}

fn clauses(cursor: &mut Cursor<'_>) -> Result<Clauses> {
    let mut clauses = Clauses {
        language: None,
        volatility: Volatility::Volatile,
        security_definer: false,
        sets: Vec::new(),
        literal: None,
        standard: None,
        returns: false,
    };
    while !cursor.done() {
        let Some(word) = cursor.eat_one_of(&[
            "LANGUAGE",
            "IMMUTABLE",
            "STABLE",
            "VOLATILE",
            "SECURITY",
            "SET",
            "AS",
            "RETURN",
            "BEGIN",
        ]) else {
            cursor.skip();
            continue;
        };
        match word {
            "LANGUAGE" => clauses.language = Some(language(cursor)?),
            "IMMUTABLE" => clauses.volatility = Volatility::Immutable,
            "STABLE" => clauses.volatility = Volatility::Stable,
            "VOLATILE" => clauses.volatility = Volatility::Volatile,
            "SECURITY" => clauses.security_definer = cursor.eat("DEFINER"),
            "SET" => clauses.sets.push(cursor.name()?.to_string()),
            "AS" => {
                let literal = cursor.token(0).filter(|token| token.kind == TokenKind::String);
                clauses.literal = Some(literal.ok_or_else(|| cursor.expected("a body"))?);
                cursor.at += 1;
            }
            "RETURN" => {
                clauses.returns = true;
                clauses.standard = Some((cursor.at, cursor.end));
                cursor.at = cursor.end;
            }
            _ => {
                cursor.expect("ATOMIC")?;
                if !cursor.range(cursor.end - 1, cursor.end).is_word(0, "END") {
                    return Err(Unread::Malformed { detail: "expected `END` at the routine's end".to_owned() });
                }
                clauses.standard = Some((cursor.at, cursor.end - 1));
                cursor.at = cursor.end;
            }
        }
    }
    Ok(clauses)
}

/// Nothing but `SELECT` and an expression.
fn is_expression(cursor: Cursor<'_>, literal: Token) -> bool {
    let Some((text, map)) = cursor.source.literal(literal) else { return false };
    let source = Source::within(&text, map);
    let tokens = scan::tokens(&text);
    let mut body = Cursor::new(&source, &tokens);
    body.eat("SELECT") && !body.skip_to(MORE_THAN_AN_EXPRESSION)
}

/// The name behind `LANGUAGE`, a word or a string, in lower case.
fn language(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = if cursor.is_string() { cursor.string()? } else { cursor.ident()?.name };
    Ok(name.to_lowercase())
}

pub fn do_block(mut cursor: Cursor<'_>) -> Result<Reading> {
    let mut name = None;
    let mut text = None;
    while !cursor.done() {
        if cursor.eat("LANGUAGE") {
            name = Some(language(&mut cursor)?);
        } else if cursor.is_string() && text.is_none() {
            text = cursor.token(0);
            cursor.at += 1;
        } else {
            return Err(cursor.expected("a body"));
        }
    }
    let text = text.ok_or_else(|| cursor.expected("a body"))?;
    let language = name.unwrap_or_else(|| "plpgsql".to_owned());
    let (span, inner): (Option<Span>, _) = body::literal(cursor, text, &language, &Place::Do)?;
    Ok(Reading { change: Change::Do { body: Body { language, span, expression: false } }, inner })
}
