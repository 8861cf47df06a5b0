//! Which relations a query reads, as far as its tokens tell.

use super::{
    super::{names::ObjectName, scan::TokenKind},
    cursor::Cursor,
};

/// Words that end a list of `FROM`.
const ENDS: &[&str] = &[
    "EXCEPT",
    "FETCH",
    "FOR",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "INTO",
    "LIMIT",
    "OFFSET",
    "ORDER",
    "RETURNING",
    "SELECT",
    "SET",
    "UNION",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
];

/// Functions that write `FROM` between their arguments.
const FUNCTIONS: &[&str] = &["EXTRACT", "OVERLAY", "POSITION", "SUBSTRING", "TRIM"];

/// What a bracket holds.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Arguments, among which `FROM` lists nothing.
    arguments: bool,
    /// In the list of a `FROM`.
    lists: bool,
    /// A relation may come next.
    expects: bool,
}

/// The relations behind `FROM`, `JOIN` and `TABLE`, at any depth and each once; what the query itself names behind
/// `WITH` is none.
pub fn read(cursor: Cursor<'_>) -> Vec<ObjectName> {
    let mut found: Vec<ObjectName> = Vec::new();
    let own = own_names(cursor);
    let mut levels = Vec::new();
    let mut level = Level { expects: cursor.is_word(0, "TABLE"), ..Level::default() };
    let mut at = cursor.at;
    while at < cursor.end {
        let here = cursor.range(at, cursor.end);
        at += 1;
        match cursor.text_at(here.at) {
            "(" => {
                let function = here.at > cursor.at && cursor.range(here.at - 1, here.at).is_one_of(0, FUNCTIONS);
                let inside = Level { arguments: function, lists: level.expects, expects: level.expects };
                level.expects = false;
                levels.push(std::mem::replace(&mut level, inside));
            }
            ")" => level = levels.pop().unwrap_or_default(),
            "," => level.expects = level.lists,
            _ if level.expects
                && !here.is_one_of(0, &["LATERAL", "ONLY", "TABLE", "SELECT", "VALUES", "WITH", "ROWS"]) =>
            {
                level.expects = false;
                let mut behind = here;
                let Ok(name) = behind.name() else { continue };
                at = behind.at;
                let is_own = name.parts.len() == 1 && own.contains(&name);
                if !is_own && !behind.is_symbol(0, "(") && !found.contains(&name) {
                    found.push(name);
                }
            }
            _ if cursor.tokens[here.at].kind != TokenKind::Word => {}
            _ if here.is_word(0, "JOIN") => (level.lists, level.expects) = (true, true),
            _ if here.is_word(0, "FROM") && !level.arguments && !follows(&cursor, here.at, &["DISTINCT", "DELETE"]) => {
                (level.lists, level.expects) = (true, true);
            }
            _ if here.is_one_of(0, ENDS) => (level.lists, level.expects) = (false, false),
            _ => {}
        }
    }
    found
}

fn follows(cursor: &Cursor<'_>, at: usize, words: &[&str]) -> bool {
    at > cursor.at && cursor.range(at - 1, cursor.end).is_one_of(0, words)
}

/// Names in front of `AS (`: those of `WITH`.
fn own_names(cursor: Cursor<'_>) -> Vec<ObjectName> {
    let mut names = Vec::new();
    for at in cursor.at..cursor.end {
        let here = cursor.range(at, cursor.end);
        if !(here.is_symbol(0, ",") || here.is_one_of(0, &["WITH", "RECURSIVE"])) {
            continue;
        }
        let mut behind = cursor.range(at + 1, cursor.end);
        behind.eat("RECURSIVE");
        let Ok(name) = behind.name() else { continue };
        behind.parentheses();
        if behind.eat("AS") && (behind.is_symbol(0, "(") || behind.is_one_of(0, &["MATERIALIZED", "NOT"])) {
            names.push(name);
        }
    }
    names
}
