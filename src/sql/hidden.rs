//! What a string, comment or quoted name that never ends has swallowed, read as its author may have meant it.
//!
//! Nobody can say where it should have ended, so the statement stays unread and its file refused. But a line that
//! starts with a statement's first word is hardly text: what stands there is read on its own, so that its dangers are
//! told at once and not after the quote is mended. What cannot be understood there is passed over.

use super::{
    Change, Place, Span, Statement, confirm,
    scan::{self, Piece},
    source::Source,
};

/// Words that start a statement, and hardly ever a line inside one.
const STARTS: &[&str] = &[
    "ALTER", "CALL", "CLUSTER", "COMMENT", "CREATE", "DELETE", "DO", "DROP", "GRANT", "INSERT", "LOCK", "REFRESH",
    "REINDEX", "REVOKE", "TRUNCATE", "UPDATE", "VACUUM",
];

/// Statements inside a piece that never ends, in order.
pub(super) fn statements(text: &str, piece: &Piece) -> Vec<Statement> {
    let starts = starts(text, piece.span);
    let ends = starts.iter().skip(1).copied().chain([end(text, piece.span)]);
    starts.iter().zip(ends).flat_map(|(&start, end)| part(text, Span { start, end })).collect()
}

/// Places of lines below the piece's first that start a statement, up to another tool's section.
fn starts(text: &str, span: Span) -> Vec<usize> {
    let lines = text[span.start..end(text, span)].match_indices('\n').map(|(at, _)| span.start + at + 1);
    lines.filter(|at| starts_statement(&text[*at..span.end])).collect()
}

fn starts_statement(rest: &str) -> bool {
    let word = &rest[..rest.bytes().take_while(u8::is_ascii_alphabetic).count()];
    STARTS.iter().any(|it| it.eq_ignore_ascii_case(word)) && rest[word.len()..].starts_with([' ', '\t', '\r', '\n'])
}

/// Where another tool's section starts, which may undo what is above it; otherwise the piece's end.
fn end(text: &str, span: Span) -> usize {
    let mut at = span.start;
    for line in text[span.start..span.end].split_inclusive('\n') {
        if scan::is_section(line.trim_start()) {
            return at;
        }
        at += line.len();
    }
    span.end
}

/// What is understood of one part, read as if nothing stood around it.
fn part(text: &str, span: Span) -> Vec<Statement> {
    let source = Source::within(&text[span.start..span.end], vec![(0, span.start)]);
    let pieces = scan::scan(source.text).pieces;
    let found = pieces.iter().map(|it| confirm::statement(&source, it, 0, &Place::Within));
    found.filter(|it| !matches!(it.change, Change::Unread { .. })).collect()
}
