//! Settings, transactions, prepared statements, cursors.

use super::{
    super::{
        Place,
        change::{Change, Set, SetScope, Transaction},
        scan::TokenKind,
    },
    Reading,
    cursor::{Cursor, Result},
    query,
};

pub fn set(mut cursor: Cursor<'_>) -> Result<Reading> {
    let names_setting =
        [".", "="].iter().any(|symbol| cursor.is_symbol(1, symbol)) || cursor.is_one_of(1, &["TO", "FROM"]);
    let is_scope = !names_setting && !cursor.is("SESSION AUTHORIZATION");
    let word = if is_scope { cursor.eat_one_of(&["SESSION", "LOCAL"]) } else { None };
    let scope = if word == Some("LOCAL") { SetScope::Local } else { SetScope::Session };
    let characteristics = cursor.eat("CHARACTERISTICS AS TRANSACTION");
    if characteristics || cursor.eat("TRANSACTION") || cursor.eat("CONSTRAINTS") {
        return if cursor.done() {
            Err(cursor.expected("what to set"))
        } else {
            Ok(Change::Transaction(Transaction::Characteristics).into())
        };
    }
    const SPECIAL: &[(&str, &str)] = &[
        ("TIME ZONE", "timezone"),
        ("SESSION AUTHORIZATION", "session_authorization"),
        ("ROLE", "role"),
        ("SCHEMA", "search_path"),
        ("NAMES", "client_encoding"),
        ("XML OPTION", "xmloption"),
    ];
    let assigns = cursor.is_symbol(1, "=") || cursor.is_word(1, "TO") || cursor.is_symbol(1, ".");
    let special = SPECIAL.iter().find(|(words, _)| !assigns && cursor.eat(words));
    let name = match special {
        Some((_, name)) => (*name).to_owned(),
        None => {
            let name = cursor.name()?.to_string().to_lowercase();
            if !cursor.eat_symbol("=") && !cursor.eat("TO") && !cursor.is("FROM CURRENT") {
                return Err(cursor.expected("`=` or `TO`"));
            }
            name
        }
    };
    if cursor.done() && name != "client_encoding" {
        return Err(cursor.expected("a value"));
    }
    Ok(Change::Set(Set { name, value: value(cursor), scope }).into())
}

/// What `SET` or `RESET` sets, as `ALTER ROLE`, `ALTER DATABASE` and the like write it; `None` for anything else.
pub fn setting(mut cursor: Cursor<'_>) -> Option<Set> {
    let reading = match cursor.eat_one_of(&["SET", "RESET"])? {
        "SET" => set(cursor),
        _ => reset(cursor),
    };
    match reading.ok()?.change {
        Change::Set(set) => Some(set),
        _ => None,
    }
}

/// The value without quotes; `None` for `DEFAULT`.
fn value(mut cursor: Cursor<'_>) -> Option<String> {
    let whole = cursor;
    if let Ok(text) = cursor.string()
        && cursor.done()
    {
        return Some(text);
    }
    let text = whole.text();
    (!text.eq_ignore_ascii_case("default") && !text.is_empty()).then_some(text)
}

pub fn reset(mut cursor: Cursor<'_>) -> Result<Reading> {
    let name = if cursor.eat("TIME ZONE") {
        "timezone".to_owned()
    } else if cursor.eat("SESSION AUTHORIZATION") {
        "session_authorization".to_owned()
    } else if cursor.eat("TRANSACTION ISOLATION LEVEL") {
        "transaction_isolation".to_owned()
    } else {
        cursor.name()?.to_string().to_lowercase()
    };
    cursor.finish()?;
    Ok(Change::Set(Set { name, value: None, scope: SetScope::Reset }).into())
}

pub fn transaction(mut cursor: Cursor<'_>) -> Result<Reading> {
    let head = cursor.eat_one_of(&["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"]);
    let is_prepared = cursor.eat("PREPARED");
    let change = match head {
        Some("BEGIN") => Transaction::Begin,
        Some("START") => {
            cursor.expect("TRANSACTION")?;
            Transaction::Begin
        }
        Some("COMMIT") if is_prepared => Transaction::CommitPrepared,
        Some("ROLLBACK") if is_prepared => Transaction::RollbackPrepared,
        Some("SAVEPOINT") => Transaction::Savepoint,
        Some("RELEASE") => Transaction::Release,
        Some("COMMIT" | "END") => Transaction::Commit,
        _ if cursor.has("TO") => Transaction::RollbackTo,
        _ => Transaction::Rollback,
    };
    let named = matches!(change, Transaction::Savepoint | Transaction::Release | Transaction::RollbackTo);
    let is_literal = matches!(change, Transaction::CommitPrepared | Transaction::RollbackPrepared);
    if is_literal {
        cursor.string()?;
    } else if named {
        let _ = cursor.eat("WORK") || cursor.eat("TRANSACTION");
        if change == Transaction::RollbackTo {
            cursor.expect("TO")?;
        }
        if change != Transaction::Savepoint && cursor.token(1).is_some() {
            cursor.eat("SAVEPOINT");
        }
        cursor.ident()?;
    } else {
        const WORDS: &[&str] = &[
            "WORK",
            "TRANSACTION",
            "ISOLATION",
            "LEVEL",
            "SERIALIZABLE",
            "REPEATABLE",
            "READ",
            "COMMITTED",
            "UNCOMMITTED",
            "ONLY",
            "WRITE",
            "NOT",
            "DEFERRABLE",
            "AND",
            "NO",
            "CHAIN",
        ];
        while cursor.eat_one_of(WORDS).is_some() || cursor.eat_symbol(",") {}
    }
    cursor.finish()?;
    Ok(Change::Transaction(change).into())
}

pub fn prepared(mut cursor: Cursor<'_>) -> Result<Reading> {
    let verb = cursor.eat_one_of(&["PREPARE", "EXECUTE", "DEALLOCATE"]).unwrap_or("EXECUTE");
    if verb == "PREPARE"
        && cursor.is_word(0, "TRANSACTION")
        && cursor.token(1).is_some_and(|token| token.kind == TokenKind::String)
    {
        return Ok(Change::Transaction(Transaction::PrepareTransaction).into());
    }
    if verb == "DEALLOCATE" && cursor.token(1).is_some() {
        cursor.eat("PREPARE");
    }
    cursor.ident()?;
    cursor.parentheses();
    let change = Change::Prepared { verb };
    if verb == "PREPARE" {
        cursor.expect("AS")?;
        return Ok(Reading { change, inner: vec![super::inner(cursor, Place::Within)] });
    }
    cursor.finish()?;
    Ok(change.into())
}

pub fn call(mut cursor: Cursor<'_>) -> Result<Reading> {
    let routine = cursor.name()?;
    let arguments = cursor.expect_parentheses()?;
    cursor.finish()?;
    Ok(Reading { change: Change::Call { routine }, inner: query::called_within(arguments).into_iter().collect() })
}

/// `DECLARE … CURSOR FOR query`, `FETCH`, `MOVE`, `CLOSE`.
pub fn cursor_statement(cursor: Cursor<'_>, head: &str) -> Result<Reading> {
    let mut inner = Vec::new();
    if head == "DECLARE" {
        let mut query = cursor;
        if !query.skip_to(&["FOR"]) {
            return Err(query.expected("`FOR`"));
        }
        query.at += 1;
        inner.push(super::inner(query, Place::Within));
    }
    Ok(Reading { change: Change::Harmless { verb: head.to_owned() }, inner })
}
