//! Tokens → [`Change`]: our own reader, which knows every statement of Postgres by its tokens alone.
//!
//! It parses no expressions; it reads heads, names, clauses and lists, and skips brackets whole. It never
//! guesses: what does not fit is [`Unread`]. The grammar it follows is
//! [gram.y](https://github.com/postgres/postgres/blob/master/src/backend/parser/gram.y).

mod alter;
mod alter_object;
mod create;
mod create_routine;
mod cursor;
pub(super) mod expression;
mod kinds;
mod maintain;
mod operand;
mod outputs;
mod privilege;
pub(super) mod query;
mod references;
pub(super) mod relations;
mod sequence;
mod session;
mod table;
mod types;

pub(super) use cursor::{Cursor, Result};

use super::{
    Place, Span, Statement,
    change::{Change, Unread},
    scan::TokenKind,
};

/// What a statement does, and the statements inside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub change: Change,
    pub inner: Vec<Statement>,
}

impl From<Change> for Reading {
    fn from(change: Change) -> Self {
        Self { change, inner: Vec::new() }
    }
}

/// Reads one statement; the cursor holds all of it.
pub(super) fn statement(cursor: Cursor<'_>) -> Result<Reading> {
    let Some(head) = cursor.word(0) else {
        return if cursor.is_symbol(0, "(") {
            query::query(cursor)
        } else {
            let word = cursor.token(0).map(|token| match token.kind {
                TokenKind::String => "a string".to_owned(),
                _ => cursor.source.of(token).chars().take(40).collect(),
            });
            Err(Unread::UnknownStatement { word: word.unwrap_or_default() })
        };
    };
    let head = head.to_ascii_uppercase();
    let mut rest = cursor;
    rest.at += 1;
    match head.as_str() {
        "SELECT" | "VALUES" | "TABLE" | "WITH" => query::query(cursor),
        "INSERT" => query::insert(rest),
        "UPDATE" => query::update(rest),
        "DELETE" => query::delete(rest),
        "MERGE" => query::merge(rest),
        "TRUNCATE" => query::truncate(rest),
        "COPY" => query::copy(rest),
        "CREATE" => create::create(rest),
        "ALTER" => alter::alter(rest),
        "DROP" => kinds::drop(rest),
        "COMMENT" => kinds::comment(rest),
        "GRANT" => privilege::grant(rest, false),
        "REVOKE" => privilege::grant(rest, true),
        "DO" => create_routine::do_block(rest),
        "CALL" => session::call(rest),
        "SET" => session::set(rest),
        "RESET" => session::reset(rest),
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            session::transaction(cursor)
        }
        "PREPARE" | "EXECUTE" | "DEALLOCATE" => session::prepared(cursor),
        "DECLARE" | "FETCH" | "MOVE" | "CLOSE" => session::cursor_statement(cursor, &head),
        "EXPLAIN" => maintain::explain(rest),
        "VACUUM" => maintain::vacuum(rest),
        "ANALYZE" | "ANALYSE" => maintain::analyze(rest),
        "REINDEX" => maintain::reindex(rest),
        "CLUSTER" => maintain::cluster(rest),
        "REFRESH" => maintain::refresh(rest),
        "LOCK" => maintain::lock(rest),
        "LISTEN" | "UNLISTEN" | "NOTIFY" | "CHECKPOINT" | "LOAD" | "DISCARD" | "SHOW" => {
            let tail = rest.word(0).filter(|_| head == "DISCARD").map(|word| format!(" {}", word.to_ascii_uppercase()));
            Ok(Change::Harmless { verb: format!("{head}{}", tail.unwrap_or_default()) }.into())
        }
        "SECURITY" if rest.is_word(0, "LABEL") => Ok(Change::Harmless { verb: "SECURITY LABEL".to_owned() }.into()),
        "REASSIGN" if rest.is("OWNED BY") => Ok(Change::Harmless { verb: "REASSIGN OWNED".to_owned() }.into()),
        "IMPORT" if rest.is("FOREIGN SCHEMA") => {
            Ok(Change::Harmless { verb: "IMPORT FOREIGN SCHEMA".to_owned() }.into())
        }
        _ => Err(Unread::UnknownStatement { word: head.chars().take(40).collect() }),
    }
}

/// A statement inside another one, of the same tokens.
pub(super) fn inner(cursor: Cursor<'_>, place: Place) -> Statement {
    let reading = cursor.deeper().and_then(statement);
    let Reading { change, inner } = reading.unwrap_or_else(|reason| Change::Unread { reason }.into());
    Statement { span: cursor.span(), change, place, inner, directives: Vec::new() }
}

/// Why no reader should try: placeholders of other tools, brackets without partners.
pub(super) fn unreadable(cursor: Cursor<'_>) -> Option<Unread> {
    let mut slices = 0_usize;
    for at in cursor.at..cursor.end {
        let token = cursor.tokens[at];
        if token.kind != TokenKind::Symbol {
            continue;
        }
        let next = cursor.tokens.get(at + 1).filter(|next| at + 1 < cursor.end && next.span.start == token.span.end);
        match cursor.text_at(at) {
            "[" => slices += 1,
            "]" => slices = slices.saturating_sub(1),
            ":" if slices == 0 => {
                let name =
                    next.filter(|next| matches!(next.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::String));
                if let Some(name) = name {
                    let text = format!(":{}", cursor.source.of(*name));
                    return Some(filled_in(text.chars().take(60).collect(), cursor));
                }
            }
            "{" | "$" => return Some(filled_in(placeholder(&cursor, token.span.start), cursor)),
            _ => {}
        }
        let bracket = matches!(cursor.text_at(at), "(" | ")" | "[" | "]");
        if bracket && (token.partner == at || token.partner < cursor.at || token.partner >= cursor.end) {
            let detail = format!("`{}` has no partner", cursor.text_at(at));
            return Some(Unread::Malformed { detail });
        }
    }
    None
}

/// The first placeholder of a template in a body of plpgsql, outside its statements, which are read for themselves.
pub(super) fn template(cursor: Cursor<'_>) -> Option<(Span, Unread)> {
    let opens = |at: &usize| cursor.tokens[*at].kind == TokenKind::Symbol && matches!(cursor.text_at(*at), "{" | "$");
    let at = (cursor.at..cursor.end).find(opens)?;
    let text = placeholder(&cursor, cursor.tokens[at].span.start);
    Some((cursor.source.span(cursor.tokens[at].span), Unread::Placeholder { text, table: None }))
}

fn filled_in(text: String, statement: Cursor<'_>) -> Unread {
    Unread::Placeholder { text, table: create::table_head(statement).map(Box::new) }
}

/// A template's placeholder up to its closing brace, on one line.
fn placeholder(cursor: &Cursor<'_>, start: usize) -> String {
    let line = cursor.source.text[start..].lines().next().unwrap_or_default();
    let end = line.find('}').map_or(line.len(), |end| if line[end..].starts_with("}}") { end + 2 } else { end + 1 });
    line[..end].chars().take(60).collect()
}
