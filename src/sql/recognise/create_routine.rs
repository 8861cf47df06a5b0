//! `CREATE` of what runs later: functions, procedures, triggers, rules; and `DO`, which runs now.

use std::borrow::Cow;

use super::{
    super::{
        Place, Span, Words, body,
        change::{
            Body, Change, CreateRoutine, Firing, ObjectKind, RoutineArgument, Timing, TriggerEvent, Unread, Volatility,
        },
        scan::{self, Token, TokenKind},
        source::Source,
    },
    Reading, create,
    cursor::{Cursor, Result},
    query, types,
};

pub fn trigger(mut cursor: Cursor<'_>, or_replace: bool, constraint: bool) -> Result<Reading> {
    let name = cursor.ident()?;
    let (timing, events) = events(&mut cursor)?;
    cursor.expect("ON")?;
    let table = cursor.name()?;
    let mut firing = Firing {
        constraint,
        timing,
        events,
        each_row: false,
        condition: None,
        deferrable: false,
        initially_deferred: false,
    };
    while !cursor.eat("EXECUTE") {
        trigger_clause(&mut cursor, &mut firing)?;
    }
    if !cursor.eat("FUNCTION") {
        cursor.expect("PROCEDURE")?;
    }
    let routine = Some(cursor.name()?);
    cursor.expect_parentheses()?;
    cursor.finish()?;
    Ok(Change::CreateTrigger { name, table, or_replace, routine, firing: Box::new(firing) }.into())
}

/// `BEFORE INSERT OR UPDATE OF a, b`.
fn events(cursor: &mut Cursor<'_>) -> Result<(Timing, Vec<TriggerEvent>)> {
    let timing = match cursor.eat_one_of(&["BEFORE", "AFTER", "INSTEAD"]) {
        Some("BEFORE") => Timing::Before,
        Some("AFTER") => Timing::After,
        Some(_) => {
            cursor.expect("OF")?;
            Timing::InsteadOf
        }
        None => return Err(cursor.expected("`BEFORE`, `AFTER` or `INSTEAD OF`")),
    };
    let mut events = Vec::new();
    loop {
        events.push(match cursor.eat_one_of(&["INSERT", "UPDATE", "DELETE", "TRUNCATE"]) {
            Some("INSERT") => TriggerEvent::Insert,
            Some("DELETE") => TriggerEvent::Delete,
            Some("TRUNCATE") => TriggerEvent::Truncate,
            Some(_) => TriggerEvent::Update { columns: if cursor.eat("OF") { cursor.idents()? } else { Vec::new() } },
            None => return Err(cursor.expected("an event")),
        });
        if !cursor.eat("OR") {
            return Ok((timing, events));
        }
    }
}

/// One clause between a trigger's table and its `EXECUTE`.
fn trigger_clause(cursor: &mut Cursor<'_>, firing: &mut Firing) -> Result<()> {
    match () {
        () if cursor.eat("FOR") => {
            cursor.eat("EACH");
            firing.each_row = cursor.eat_one_of(&["ROW", "STATEMENT"]) == Some("ROW");
        }
        () if cursor.eat("WHEN") => firing.condition = Some(cursor.expect_parentheses()?.expression()),
        () if cursor.eat("NOT DEFERRABLE") || cursor.eat("INITIALLY IMMEDIATE") => {}
        () if cursor.eat("DEFERRABLE") => firing.deferrable = true,
        () if cursor.eat("INITIALLY DEFERRED") => (firing.deferrable, firing.initially_deferred) = (true, true),
        () if cursor.eat("FROM") => {
            cursor.name()?;
        }
        () if cursor.eat("REFERENCING") => {
            while cursor.eat_one_of(&["NEW", "OLD"]).is_some() {
                cursor.eat_one_of(&["TABLE", "ROW"]);
                cursor.eat("AS");
                cursor.ident()?;
            }
        }
        () => return Err(cursor.expected("`EXECUTE`")),
    }
    Ok(())
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

/// The words behind `SELECT`, beside its clauses, that keep Postgres from putting a body where its call stands.
const MORE_THAN_AN_EXPRESSION: &[&str] = &["DISTINCT", "SELECT"];

/// What the clauses of a routine say.
struct Clauses {
    language: Option<String>,
    volatility: Volatility,
    strict: bool,
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
    let arguments = arguments(cursor.expect_parentheses()?)?;
    let mut returns = None;
    if cursor.eat("RETURNS") {
        if cursor.eat("TABLE") {
            cursor.expect_parentheses()?;
            returns = Some("table".to_owned());
        } else {
            returns = Some(routine_type(&mut cursor)?);
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
    let change = Change::CreateRoutine(Box::new(CreateRoutine {
        kind,
        name,
        or_replace,
        arguments,
        returns,
        strict: clauses.strict,
        volatility: clauses.volatility,
        security_definer: clauses.security_definer,
        sets: clauses.sets,
        body: Body {
            words: clauses.literal.map(|it| words(cursor, it)).unwrap_or_default(),
            language,
            span,
            expression,
        },
    }));
    Ok(Reading { change, inner })
}

/// The arguments of a routine.
fn arguments(inside: Cursor<'_>) -> Result<Vec<RoutineArgument>> {
    let mut arguments = Vec::new();
    if inside.done() {
        return Ok(arguments);
    }
    for mut part in inside.split() {
        let mut name = None;
        let mut mode = mode(&mut part);
        // `name [mode] type`, unless the type is all there is.
        let mut alone = part;
        let is_type = routine_type(&mut alone).is_ok() && (alone.done() || starts_default(&alone));
        if !is_type {
            name = part.try_ident()?;
            mode = mode.or_else(|| self::mode(&mut part));
        }
        let data_type = routine_type(&mut part)?;
        let default = if part.done() {
            None
        } else {
            part.at += 1;
            Some(part.expression())
        };
        arguments.push(RoutineArgument { mode: mode.unwrap_or("IN"), name, data_type, default });
    }
    Ok(arguments)
}

fn mode(part: &mut Cursor<'_>) -> Option<&'static str> {
    if part.eat("IN OUT") { Some("INOUT") } else { part.eat_one_of(&["IN", "OUT", "INOUT", "VARIADIC"]) }
}

fn starts_default(part: &Cursor<'_>) -> bool {
    part.is_word(0, "DEFAULT") || part.is_symbol(0, "=") || part.is_symbol(0, ":=")
}

/// A type, or `table.column%TYPE`.
fn routine_type(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut data_type = types::data_type(cursor);
    if data_type.is_empty() {
        return Err(cursor.expected("a type"));
    }
    if cursor.is_symbol(0, "%") && cursor.is_word(1, "TYPE") {
        cursor.at += 2;
        data_type.push_str("%type");
    }
    Ok(data_type)
}

fn clauses(cursor: &mut Cursor<'_>) -> Result<Clauses> {
    let mut clauses = Clauses {
        language: None,
        volatility: Volatility::Volatile,
        strict: false,
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
            "STRICT",
            "RETURNS",
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
            "STRICT" => clauses.strict = true,
            "RETURNS" => clauses.strict |= cursor.eat("NULL ON NULL INPUT"),
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

/// Names in a body, and its keywords.
fn words(cursor: Cursor<'_>, literal: Token) -> Words {
    let Some((text, _)) = cursor.source.literal(literal) else { return Words::default() };
    let tokens = scan::tokens(&text);
    let written = tokens.iter().filter_map(|it| match it.kind {
        TokenKind::Word => Some(Cow::Owned(text[it.span.start..it.span.end].to_ascii_lowercase())),
        TokenKind::Quoted => Some(Cow::Borrowed(text[it.span.start..it.span.end].trim_matches('"'))),
        _ => None,
    });
    written.collect::<Vec<_>>().iter().map(AsRef::as_ref).collect()
}

/// Nothing but `SELECT` and an expression.
fn is_expression(cursor: Cursor<'_>, literal: Token) -> bool {
    let Some((text, map)) = cursor.source.literal(literal) else { return false };
    let source = Source::within(&text, map);
    let tokens = scan::tokens(&text);
    let mut body = Cursor::new(&source, &tokens);
    if !body.eat("SELECT") {
        return false;
    }
    ![query::CLAUSES, MORE_THAN_AN_EXPRESSION].iter().any(|words| {
        let mut rest = body;
        rest.skip_to(words)
    })
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
    Ok(Reading { change: Change::Do { body: Body { language, span, ..Body::default() } }, inner })
}
