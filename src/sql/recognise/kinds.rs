//! The kinds of object that statements name, and `DROP`, `COMMENT`, `GRANT`, which do little else.

use super::{
    super::{
        change::{Change, Drop, ObjectKind},
        names::ObjectName,
        scan::TokenKind,
    },
    Reading,
    cursor::{Cursor, Result},
};

/// Longest first.
const KINDS: &[(&str, ObjectKind)] = &[
    ("FOREIGN DATA WRAPPER", ObjectKind::ForeignDataWrapper),
    ("TEXT SEARCH CONFIGURATION", ObjectKind::TextSearch),
    ("TEXT SEARCH DICTIONARY", ObjectKind::TextSearch),
    ("TEXT SEARCH PARSER", ObjectKind::TextSearch),
    ("TEXT SEARCH TEMPLATE", ObjectKind::TextSearch),
    ("ACCESS METHOD", ObjectKind::AccessMethod),
    ("EVENT TRIGGER", ObjectKind::EventTrigger),
    ("FOREIGN TABLE", ObjectKind::ForeignTable),
    ("LARGE OBJECT", ObjectKind::LargeObject),
    ("MATERIALIZED VIEW", ObjectKind::MaterializedView),
    ("OPERATOR CLASS", ObjectKind::OperatorClass),
    ("OPERATOR FAMILY", ObjectKind::OperatorFamily),
    ("PROCEDURAL LANGUAGE", ObjectKind::Language),
    ("TRUSTED LANGUAGE", ObjectKind::Language),
    ("USER MAPPING", ObjectKind::UserMapping),
    ("AGGREGATE", ObjectKind::Aggregate),
    ("CAST", ObjectKind::Cast),
    ("COLLATION", ObjectKind::Collation),
    ("COLUMN", ObjectKind::Column),
    ("CONSTRAINT", ObjectKind::Constraint),
    ("CONVERSION", ObjectKind::Conversion),
    ("DATABASE", ObjectKind::Database),
    ("DOMAIN", ObjectKind::Domain),
    ("EXTENSION", ObjectKind::Extension),
    ("FUNCTION", ObjectKind::Function),
    ("GROUP", ObjectKind::Role),
    ("INDEX", ObjectKind::Index),
    ("LANGUAGE", ObjectKind::Language),
    ("OPERATOR", ObjectKind::Operator),
    ("POLICY", ObjectKind::Policy),
    ("PROCEDURE", ObjectKind::Procedure),
    ("PUBLICATION", ObjectKind::Publication),
    ("ROLE", ObjectKind::Role),
    ("ROUTINE", ObjectKind::Routine),
    ("RULE", ObjectKind::Rule),
    ("SCHEMA", ObjectKind::Schema),
    ("SEQUENCE", ObjectKind::Sequence),
    ("SERVER", ObjectKind::Server),
    ("STATISTICS", ObjectKind::Statistics),
    ("SUBSCRIPTION", ObjectKind::Subscription),
    ("TABLE", ObjectKind::Table),
    ("TABLESPACE", ObjectKind::Tablespace),
    ("TRANSFORM", ObjectKind::Transform),
    ("TRIGGER", ObjectKind::Trigger),
    ("TYPE", ObjectKind::Type),
    ("USER", ObjectKind::Role),
    ("VIEW", ObjectKind::View),
];

/// What `GRANT … ON` says in the plural or in words of its own.
const GRANTED: &[(&str, ObjectKind)] = &[
    ("ALL FUNCTIONS IN SCHEMA", ObjectKind::Function),
    ("ALL PROCEDURES IN SCHEMA", ObjectKind::Procedure),
    ("ALL ROUTINES IN SCHEMA", ObjectKind::Routine),
    ("ALL SEQUENCES IN SCHEMA", ObjectKind::Sequence),
    ("ALL TABLES IN SCHEMA", ObjectKind::Table),
    ("FOREIGN SERVER", ObjectKind::Server),
    ("PARAMETER", ObjectKind::Parameter),
];

pub fn try_kind(cursor: &mut Cursor<'_>) -> Option<ObjectKind> {
    KINDS.iter().find(|(words, _)| cursor.eat(words)).map(|(_, kind)| *kind)
}

pub fn kind(cursor: &mut Cursor<'_>) -> Result<ObjectKind> {
    try_kind(cursor).ok_or_else(|| cursor.expected("a kind of object"))
}

/// Kinds whose names carry a list of argument types.
pub fn takes_arguments(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Aggregate | ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine)
}

/// The name of an operator: `schema.===`; its symbols come in one or more tokens.
fn operator_name(cursor: &mut Cursor<'_>) -> Result<Option<ObjectName>> {
    while cursor.is_symbol(1, ".") {
        cursor.ident()?;
        cursor.eat_symbol(".");
    }
    let start = cursor.at;
    while cursor.token(0).is_some_and(|token| token.kind == TokenKind::Operator) {
        cursor.at += 1;
    }
    if cursor.at == start {
        return Err(cursor.expected("an operator"));
    }
    cursor.expect_parentheses()?;
    Ok(None)
}

/// The name of one object, with what belongs to it: arguments, `USING method`. `None` when it has no name.
pub fn object(cursor: &mut Cursor<'_>, kind: ObjectKind) -> Result<Option<ObjectName>> {
    match kind {
        ObjectKind::Operator => operator_name(cursor),
        ObjectKind::Cast => {
            cursor.expect_parentheses()?;
            Ok(None)
        }
        ObjectKind::LargeObject => {
            cursor.at += 1;
            Ok(None)
        }
        ObjectKind::Transform => {
            cursor.expect("FOR")?;
            type_name(cursor)?;
            cursor.expect("LANGUAGE")?;
            cursor.name().map(Some)
        }
        ObjectKind::UserMapping => {
            cursor.expect("FOR")?;
            cursor.ident()?;
            cursor.expect("SERVER")?;
            cursor.name().map(Some)
        }
        // An old form names a language by a string.
        ObjectKind::Language if cursor.is_string() => {
            cursor.at += 1;
            Ok(None)
        }
        _ => {
            let name = cursor.name()?;
            if takes_arguments(kind) {
                cursor.parentheses();
            }
            if matches!(kind, ObjectKind::OperatorClass | ObjectKind::OperatorFamily) {
                cursor.expect("USING")?;
                cursor.ident()?;
            }
            Ok(Some(name))
        }
    }
}

/// Passes a type: words, an argument list, brackets.
pub fn type_name(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor.eat("SETOF");
    cursor.name()?;
    while cursor.eat_one_of(&["PRECISION", "VARYING", "WITH", "WITHOUT", "TIME", "ZONE"]).is_some() {}
    cursor.parentheses();
    while cursor.eat_one_of(&["WITH", "WITHOUT", "TIME", "ZONE"]).is_some() {}
    while cursor.is_symbol(0, "[") && cursor.brackets().is_some() {}
    Ok(())
}

pub fn drop(mut cursor: Cursor<'_>) -> Result<Reading> {
    if cursor.eat("OWNED BY") {
        let roles = cursor.names()?.into_iter().filter_map(|name| name.parts.first().cloned()).collect();
        cursor.eat_one_of(&["CASCADE", "RESTRICT"]);
        cursor.finish()?;
        return Ok(Change::DropOwned { roles }.into());
    }
    let kind_at = cursor.at;
    let kind = kind(&mut cursor)?;
    let kind_span = cursor.span_from(kind_at, cursor.at);
    let concurrently = kind == ObjectKind::Index
        && cursor.is_word(0, "CONCURRENTLY")
        && cursor.token(1).is_some_and(|token| token.kind != TokenKind::Symbol)
        && cursor.eat("CONCURRENTLY");
    let if_exists = cursor.eat("IF EXISTS");
    let (mut names, mut arguments) = (Vec::new(), Vec::new());
    loop {
        if let Some(name) = object(&mut cursor, kind)? {
            names.push(name);
            arguments.push(written_arguments(&cursor));
        }
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    let on = match kind {
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            cursor.expect("ON")?;
            Some(cursor.name()?)
        }
        _ => None,
    };
    let cascade_at = cursor.at;
    let cascade = cursor.eat_one_of(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
    let cascade_span = cascade.then(|| cursor.span_from(cascade_at, cursor.at));
    if kind == ObjectKind::Database && (cursor.eat("WITH") || cursor.is_symbol(0, "(")) {
        cursor.expect_parentheses()?;
    }
    cursor.finish()?;
    Ok(Change::Drop(Drop { kind, names, on, if_exists, cascade, concurrently, kind_span, cascade_span, arguments })
        .into())
}

/// The text between the brackets that the cursor has just passed.
pub fn written_arguments(behind: &Cursor<'_>) -> Option<String> {
    let close = behind.at.checked_sub(1)?;
    let open = behind.tokens[close].partner;
    (open < close).then(|| behind.range(open + 1, close).text())
}

/// `COMMENT ON kind name IS …` and, with the same form, `SECURITY LABEL … ON`.
pub fn comment(mut cursor: Cursor<'_>) -> Result<Reading> {
    cursor.expect("ON")?;
    let kind = kind(&mut cursor)?;
    let (mut name, mut part) = (object(&mut cursor, kind)?, None);
    if matches!(kind, ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy) {
        cursor.expect("ON")?;
        let of_domain = cursor.eat("DOMAIN");
        part = name.and_then(|it| it.parts.last().cloned()).filter(|_| !of_domain);
        name = Some(cursor.name()?);
    }
    cursor.expect("IS")?;
    if !cursor.eat("NULL") {
        cursor.string().or_else(|error| {
            if cursor.is_string() {
                cursor.at += 1;
                Ok(String::new())
            } else {
                Err(error)
            }
        })?;
    }
    cursor.finish()?;
    Ok(Change::Comment { kind, name, part }.into())
}

/// What stands behind `ON` in a grant.
pub fn granted(mut cursor: Cursor<'_>) -> Result<(ObjectKind, Vec<ObjectName>)> {
    if let Some((_, kind)) = GRANTED.iter().find(|(words, _)| cursor.eat(words)) {
        return Ok((*kind, cursor.names()?));
    }
    let mut kind = ObjectKind::Table;
    let mut behind = cursor;
    // A table may be called `type` or `schema`: the word is a kind only when a name follows it.
    if let Some(found) = try_kind(&mut behind)
        && behind.token(0).is_some()
        && !behind.is_symbol(0, ",")
        && !behind.is_symbol(0, ".")
    {
        kind = found;
        cursor = behind;
    }
    let mut names = Vec::new();
    loop {
        names.extend(object(&mut cursor, kind)?);
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.finish()?;
    Ok((kind, names))
}
