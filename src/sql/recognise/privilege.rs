//! `GRANT`, `REVOKE`, `ALTER DEFAULT PRIVILEGES`, `CREATE POLICY`.

use super::{
    super::{
        change::{Change, DefaultPrivileges, ObjectKind, PolicyTerms, Terms},
        names::Ident,
    },
    Reading,
    cursor::{Cursor, Result},
    kinds,
};

pub fn grant(cursor: Cursor<'_>, revoke: bool) -> Result<Reading> {
    let (mut objects, mut terms) = terms(cursor, revoke)?;
    if !objects.skip_to(&["ON"]) {
        return Ok(Change::Grant { revoke, kind: None, names: Vec::new(), terms }.into());
    }
    objects.at += 1;
    terms.in_schemas = objects.is_word(0, "ALL") && objects.has("IN SCHEMA");
    let (kind, names) = kinds::granted(objects)?;
    Ok(Change::Grant { revoke, kind: Some(kind), names, terms }.into())
}

/// Behind `DEFAULT PRIVILEGES`.
pub fn default_privileges(mut cursor: Cursor<'_>) -> Result<Reading> {
    let (mut schemas, mut creators) = (Vec::new(), Vec::new());
    loop {
        if cursor.eat("IN SCHEMA") {
            schemas.extend(cursor.names()?.iter().map(|it| it.last().to_owned()));
        } else if cursor.eat("FOR ROLE") || cursor.eat("FOR USER") {
            creators.extend(cursor.names()?.iter().map(|it| it.last().to_owned()));
        } else {
            break;
        }
    }
    let revoke = match cursor.eat_one_of(&["GRANT", "REVOKE"]) {
        Some(word) => word == "REVOKE",
        None => return Err(cursor.expected("`GRANT` or `REVOKE`")),
    };
    let (mut objects, terms) = terms(cursor, revoke)?;
    if !objects.skip_to(&["ON"]) {
        return Err(objects.expected("`ON`"));
    }
    objects.at += 1;
    let kind = match objects.eat_one_of(&["TABLES", "SEQUENCES", "FUNCTIONS", "ROUTINES", "TYPES", "SCHEMAS", "LARGE"])
    {
        Some("TABLES") => ObjectKind::Table,
        Some("SEQUENCES") => ObjectKind::Sequence,
        Some("TYPES") => ObjectKind::Type,
        Some("SCHEMAS") => ObjectKind::Schema,
        Some("LARGE") => ObjectKind::LargeObject,
        Some(_) => ObjectKind::Function,
        None => return Err(objects.expected("a kind of object")),
    };
    Ok(Change::AlterDefaultPrivileges(DefaultPrivileges { revoke, schemas, creators, kind, terms }).into())
}

/// The part before `TO` or `FROM`, and what the statement says of privileges and roles.
fn terms(mut cursor: Cursor<'_>, revoke: bool) -> Result<(Cursor<'_>, Terms)> {
    let target = if revoke { "FROM" } else { "TO" };
    let mut option = cursor.is_one_of(1, &["OPTION"]) && cursor.is_word(2, "FOR");
    if option {
        cursor.at += 3;
    }
    let mut objects = cursor;
    if !cursor.skip_to(&[target]) {
        return Err(cursor.expected(&format!("`{target}`")));
    }
    objects.end = cursor.at;
    cursor.at += 1;
    let mut roles = Vec::new();
    loop {
        if cursor.token(1).is_some() && !cursor.is_symbol(1, ",") {
            cursor.eat("GROUP");
        }
        roles.push(cursor.name()?.last().to_owned());
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    option |= cursor.has("GRANT OPTION") || cursor.has("ADMIN OPTION") || cursor.has("ADMIN TRUE");
    let mut named = objects;
    if named.skip_to(&["ON"]) {
        named.end = named.at;
    }
    named.at = objects.at;
    Ok((objects, Terms { privileges: privileges(named), columns: columns(named), roles, option, in_schemas: false }))
}

/// Columns in brackets behind the privileges.
fn columns(cursor: Cursor<'_>) -> Vec<Ident> {
    let mut columns = Vec::new();
    for mut part in cursor.split() {
        while part.word(0).is_some() {
            part.at += 1;
        }
        let listed = part.parentheses().into_iter().flat_map(|it| it.split());
        columns.extend(listed.filter_map(|mut it| it.ident().ok()));
    }
    columns
}

fn privileges(cursor: Cursor<'_>) -> Vec<String> {
    let parts = cursor.split().into_iter().filter(|it| !it.done());
    let name = |mut part: Cursor<'_>| {
        let Some(word) = part.word(0) else { return part.text() };
        let mut words = word.to_ascii_uppercase();
        part.at += 1;
        while let Some(next) = part.word(0) {
            words = format!("{words} {}", next.to_ascii_uppercase());
            part.at += 1;
        }
        if words == "ALL PRIVILEGES" {
            words = "ALL".to_owned();
        }
        if part.is_symbol(0, "(") { format!("{words} (…)") } else { words }
    };
    parts.map(name).collect()
}

/// Behind `CREATE POLICY`.
pub fn policy(mut cursor: Cursor<'_>) -> Result<Reading> {
    let name = cursor.ident()?;
    cursor.expect("ON")?;
    let table = cursor.name()?;
    let mut terms =
        PolicyTerms { permissive: true, command: "ALL".to_owned(), roles: Vec::new(), using: None, check: None };
    while !cursor.done() {
        if cursor.eat("AS") {
            terms.permissive = cursor.eat_one_of(&["PERMISSIVE", "RESTRICTIVE"]) != Some("RESTRICTIVE");
        } else if cursor.eat("FOR") {
            let word = cursor.eat_one_of(&["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]);
            terms.command = word.ok_or_else(|| cursor.expected("a command"))?.to_owned();
        } else if cursor.eat("TO") {
            let roles = cursor.names()?.iter().map(|it| it.last().to_owned()).collect::<Vec<_>>();
            let everybody = roles.iter().any(|it| it == "public");
            terms.roles = if everybody { Vec::new() } else { roles };
        } else if cursor.eat("USING") {
            terms.using = Some(cursor.expect_parentheses()?.expression());
        } else if cursor.eat("WITH CHECK") {
            terms.check = Some(cursor.expect_parentheses()?.expression());
        } else {
            return Err(cursor.expected("the statement's end"));
        }
    }
    Ok(Change::CreatePolicy { name, table, terms: Box::new(terms) }.into())
}
