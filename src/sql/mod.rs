//! Text → statements.
//!
//! [`read`] is total: it never fails, never panics, never loses a byte. What it does not understand it
//! returns as [`Change::Unread`]. The way a statement takes: [`scan`] cuts it out → its comments are blanked
//! → `sqlparser` reads it, to its end, and [`lower`] turns the tree into a [`Change`] → [`recognise`] reads
//! the same tokens on its own → two different answers are `Unread`.

mod body;
pub mod change;
mod comments;
mod confirm;
pub mod data_type;
mod effect;
mod hidden;
mod lower;
pub mod names;
mod recognise;
pub mod scan;
mod shape;
mod source;
#[cfg(test)]
mod tests;
mod words;

pub use change::Change;
use change::{Set, Unread};
pub use comments::directives;
use names::ObjectName;
pub use scan::{Token, TokenKind, tokens};
use source::Source;
pub use words::Words;

/// All statements of a text, in order. A byte order mark at its start is passed over.
pub fn read(text: &str) -> Vec<Statement> {
    let source = Source::file(text);
    let scan = scan::scan(text);
    let mut statements: Vec<Statement> = Vec::with_capacity(scan.pieces.len());
    for piece in &scan.pieces {
        let mut statement = confirm::statement(&source, piece, 0, &Place::Top);
        match piece.unterminated {
            Some(_) => statement.inner = hidden::statements(&source, piece, &Place::Within),
            None => hidden::between(&source, &mut statement, &piece.tokens),
        }
        if statements.last().is_some_and(|last| ends_standard_strings(text, last)) {
            // From here on a backslash means something else: no border can be trusted.
            statement.span.end = text.trim_ascii_end().len();
            statement.change = Change::Unread { reason: Unread::NonStandardStrings };
            statement.inner.clear();
            statements.push(statement);
            break;
        }
        statements.push(statement);
    }
    comments::attach(&source, &scan.comments, &mut statements);
    statements
}

/// It sets `standard_conforming_strings` to anything but on, or calls what may.
fn ends_standard_strings(text: &str, statement: &Statement) -> bool {
    const NAME: &str = "standard_conforming_strings";
    let is_on =
        |value: &str| ["on", "true", "yes", "1"].iter().any(|on| value.trim_matches('\'').eq_ignore_ascii_case(on));
    let sets = statement.walk().any(|statement| match &statement.change {
        Change::Set(Set { name, value: Some(value), .. }) if name == NAME => !is_on(value),
        _ => false,
    });
    let written = &text[statement.span.start..statement.span.end];
    if sets || !written.contains(NAME) || !written.contains("set_config") {
        return sets;
    }
    let tokens: Vec<&str> = tokens(written).iter().map(|token| &written[token.span.start..token.span.end]).collect();
    !tokens.windows(3).any(|three| three[0].trim_matches('\'') == NAME && is_on(three[2]))
}

/// A range of bytes in the file's text; `start <= end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// One statement of a file, or of a body inside one.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// From its first token to its last, without the `;`.
    pub span: Span,
    pub change: Change,
    /// Whether, and when, it runs.
    pub place: Place,
    /// Statements inside this one: behind `WITH`, in `EXPLAIN ANALYZE`, in a body; and what a quote that never ends
    /// has swallowed.
    pub inner: Vec<Statement>,
    /// `-- liftlock: …` comments directly above or on the statement.
    pub directives: Vec<Directive>,
}

/// Where a statement stands, which says when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Runs when the file runs.
    Top,
    /// Part of another statement: runs with it.
    Within,
    /// In a `DO` block: runs when the file runs, perhaps behind an `IF`.
    Do,
    /// In a routine's body: runs when the routine is called.
    Routine(ObjectName),
}

/// A `-- liftlock: …` comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The comment, from its `--`.
    pub span: Span,
    pub kind: DirectiveKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectiveKind {
    /// `allow RULE because REASON`; `reason` is empty when it was left out.
    Allow { rule: String, reason: String },
    /// `safe`: what `_safe` in the migration's name says.
    Safe,
    /// Anything else after `liftlock:`.
    Unknown { text: String },
}

/// Lines and columns of a text, both counted from 1, columns in characters.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    pub fn new(text: &str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1))
            .collect();
        Self { starts }
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    pub fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, text[start..offset].chars().count() + 1)
    }
}
