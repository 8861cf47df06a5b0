//! `${NAME}` in values.

use std::borrow::Cow;

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As it is; `$$` has become `$`.
    Literal(Cow<'a, str>),
    /// `${NAME}`.
    Variable(&'a str),
    /// `${` and what follows, which is no variable; with what is wrong.
    Malformed(&'static str),
}

/// Takes a value apart.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            pieces.push(Piece::Literal(Cow::Borrowed(&rest[..at])));
        }
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            pieces.push(Piece::Literal(Cow::Borrowed("$")));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let Some(end) = after.find('}') else {
                pieces.push(Piece::Malformed("`${` is never closed by `}`; write `$$` for a dollar sign"));
                return pieces;
            };
            pieces.push(variable(&after[..end]));
            rest = &after[end + 1..];
        } else {
            pieces.push(Piece::Literal(Cow::Borrowed("$")));
            rest = &rest[1..];
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(Cow::Borrowed(rest)));
    }
    pieces
}

fn variable(name: &str) -> Piece<'_> {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Piece::Variable(name)
    } else if name.contains(":-") || name.contains(":?") {
        Piece::Malformed("`${NAME}` takes no default: set the variable where liftlock runs")
    } else {
        Piece::Malformed("between `${` and `}` stands the name of a variable: letters, digits and `_`")
    }
}

/// Why a value could not be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Unset(String),
    Empty(String),
    Malformed(&'static str),
}

/// Puts a value together; `env` answers for environment variables. Values of variables are taken as they
/// are: a `$` in a password means nothing.
pub fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Vec<Trouble>> {
    let mut value = String::new();
    let mut troubles = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => value.push_str(&literal),
            Piece::Malformed(what) => troubles.push(Trouble::Malformed(what)),
            // CI systems set secrets that do not exist to the empty text.
            Piece::Variable(name) => match env(name) {
                None => troubles.push(Trouble::Unset(name.to_owned())),
                Some(found) if found.trim().is_empty() => troubles.push(Trouble::Empty(name.to_owned())),
                Some(found) => value.push_str(found.trim_matches(['\n', '\r'])),
            },
        }
    }
    if troubles.is_empty() { Ok(value) } else { Err(troubles) }
}

/// What is written in clear: the value without its variables.
pub fn in_clear(text: &str) -> String {
    let literals = pieces(text).into_iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.into_owned(),
        Piece::Variable(_) | Piece::Malformed(_) => String::new(),
    });
    literals.collect()
}
