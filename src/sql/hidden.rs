//! What a string, comment or quoted name that never ends has swallowed, read as its author may have meant it.
//!
//! Nobody can say where it should have ended, so the statement stays unread and its file refused. But a line that
//! starts with a statement's first word is hardly text: what stands there is read on its own, so that its dangers are
//! told at once and not after the quote is mended. What cannot be understood there is passed over.

use super::{
    Change, Place, Span, Statement, Token, TokenKind,
    change::Unread,
    confirm,
    scan::{self, Piece},
    source::Source,
};

/// Words that start a statement, and hardly ever a line inside one.
const STARTS: &[&str] = &[
    "ALTER", "CALL", "CLUSTER", "COMMENT", "CREATE", "DELETE", "DO", "DROP", "GRANT", "INSERT", "LOCK", "REFRESH",
    "REINDEX", "REVOKE", "TRUNCATE", "UPDATE", "VACUUM",
];

/// Statements inside a piece that never ends, in order.
pub(super) fn statements(source: &Source<'_>, piece: &Piece, place: &Place) -> Vec<Statement> {
    within(source, piece.span, place)
}

/// Statements that two quotes have swallowed which belong to no one another: of a statement that cannot be read, the
/// strings and quoted names of several lines.
pub(super) fn between(source: &Source<'_>, statement: &mut Statement, tokens: &[Token]) {
    if !matches!(
        statement.change,
        Change::Unread {
            reason: Unread::Malformed { .. }
                | Unread::MalformedTable { .. }
                | Unread::UnknownStatement { .. }
                | Unread::Disagreement { .. }
        }
    ) {
        return;
    }
    let is_text = |it: &&Token| match it.kind {
        TokenKind::String => !source.of(**it).starts_with('$'),
        TokenKind::Quoted => true,
        _ => false,
    };
    for token in tokens.iter().filter(is_text).filter(|it| source.of(**it).contains('\n')) {
        statement.inner.extend(within(source, token.span, &Place::Within));
    }
}

/// Statements that start on lines below the span's first. Inside a body they may be indented.
pub(super) fn within(source: &Source<'_>, span: Span, place: &Place) -> Vec<Statement> {
    let starts = starts(source, span, place);
    let ends = starts.iter().skip(1).copied().chain([end(source.text, span)]);
    starts.iter().zip(ends).flat_map(|(&start, end)| part(source, Span { start, end }, place)).collect()
}

/// Places of lines below the first that start a statement, up to another tool's section.
fn starts(source: &Source<'_>, span: Span, place: &Place) -> Vec<usize> {
    let text = source.text;
    let lines = text[span.start..end(text, span)].match_indices('\n').map(|(at, _)| span.start + at + 1);
    let in_body = matches!(place, Place::Do | Place::Routine(_));
    let begins = |at: usize| {
        let indent = text[at..span.end].bytes().take_while(|it| matches!(it, b' ' | b'\t')).count();
        at + if in_body { indent } else { 0 }
    };
    lines.map(begins).filter(|at| starts_statement(&text[*at..span.end])).collect()
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
fn part(source: &Source<'_>, span: Span, place: &Place) -> Vec<Statement> {
    let source = Source::within(source.slice(span), source.map_of(span.start, span.end));
    let pieces = scan::scan(source.text).pieces;
    let begins = pieces.iter().filter(|it| starts_statement(&source.text[it.span.start..]));
    let found = begins.map(|it| confirm::statement(&source, it, 0, place));
    found.filter(|it| !matches!(it.change, Change::Unread { .. })).collect()
}
