//! Types as they are written, and where they end.

use super::{super::scan::TokenKind, cursor::Cursor};

/// Words that end a type or a default: the next clause of a column.
const CLAUSES: &[&str] = &[
    "CHECK",
    "COLLATE",
    "COMPRESSION",
    "CONSTRAINT",
    "DEFAULT",
    "DEFERRABLE",
    "ENFORCED",
    "GENERATED",
    "INITIALLY",
    "NOT",
    "NULL",
    "OPTIONS",
    "PRIMARY",
    "REFERENCES",
    "STORAGE",
    "UNIQUE",
    "USING",
];

/// Whether the next clause of a column starts here, and no name in a schema that is called like one: `storage.kind`.
pub fn starts_clause(cursor: &Cursor<'_>) -> bool {
    cursor.is_one_of(0, CLAUSES) && !cursor.is_symbol(1, ".")
}

/// Passes a type and gives it as written, in lower case, one space between words; empty when none stands here.
pub fn data_type(cursor: &mut Cursor<'_>) -> String {
    const WORDS: &[&str] = &[
        "ARRAY",
        "CHAR",
        "CHARACTER",
        "DAY",
        "HOUR",
        "MINUTE",
        "MONTH",
        "PRECISION",
        "SECOND",
        "TO",
        "VARYING",
        "YEAR",
    ];
    let start = cursor.at;
    if starts_clause(cursor) || cursor.is("WITH OPTIONS") {
        return String::new();
    }
    cursor.eat("SETOF");
    if cursor.name().is_err() {
        cursor.at = start;
        return String::new();
    }
    while cursor.eat("WITH TIME ZONE")
        || cursor.eat("WITHOUT TIME ZONE")
        || cursor.eat_one_of(WORDS).is_some()
        || cursor.parentheses().is_some()
        || (cursor.is_symbol(0, "[") && cursor.brackets().is_some())
    {}
    type_text(&cursor.range(start, cursor.at))
}

fn type_text(cursor: &Cursor<'_>) -> String {
    let mut text = String::new();
    let is_wordy = |kind| matches!(kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Number | TokenKind::String);
    let mut wordy_before = false;
    for at in cursor.at..cursor.end {
        let kind = cursor.tokens[at].kind;
        if is_wordy(kind) && (wordy_before || text.ends_with([')', ']'])) {
            text.push(' ');
        }
        match kind {
            TokenKind::Word => text.push_str(&cursor.text_at(at).to_ascii_lowercase()),
            _ => text.push_str(cursor.text_at(at)),
        }
        wordy_before = is_wordy(kind);
    }
    text
}
