//! One statement, read by both readers.

use sqlparser::{
    ast,
    dialect::PostgreSqlDialect,
    parser::Parser,
    tokenizer::{Location, Token as Theirs, TokenWithSpan, Tokenizer},
};

use super::{
    Place, Statement,
    change::{Change, Unread},
    lower,
    recognise::{self, Cursor, Reading},
    scan::{Piece, PieceKind, TokenKind},
    shape::{self, Shape},
    source::Source,
};

/// How many tokens may follow each other without a comma, nested ones added, before sqlparser is not asked.
const LONGEST_CHAIN: usize = 1_500;

/// How many tokens a statement may have before sqlparser is not asked: its tree takes half a kilobyte for each.
const MOST_TOKENS: usize = 500_000;

/// A piece of a text as a statement.
pub(super) fn statement(source: &Source<'_>, piece: &Piece, depth: u8, place: &Place) -> Statement {
    let span = source.span(piece.span);
    let Reading { change, inner } = read(source, piece, depth);
    Statement { span, change, place: place.clone(), inner, directives: Vec::new() }
}

fn read(source: &Source<'_>, piece: &Piece, depth: u8) -> Reading {
    let unread = |reason| Reading::from(Change::Unread { reason });
    match piece.kind {
        PieceKind::Psql => {
            let command = source.slice(piece.span).split_whitespace().next().unwrap_or("\\").to_owned();
            return unread(Unread::PsqlCommand { command });
        }
        PieceKind::CopyData => return unread(Unread::CopyData),
        PieceKind::Statement => {}
    }
    if let Some(open) = piece.unterminated {
        return unread(Unread::Unterminated { what: open.what, opened: source.span(open.opened) });
    }
    both(Cursor { depth, ..Cursor::new(source, &piece.tokens) })
}

/// An SQL statement among the tokens of a plpgsql body.
pub(super) fn within_body(cursor: Cursor<'_>, place: &Place) -> Statement {
    let Reading { change, inner } = both(cursor);
    Statement { span: cursor.span(), change, place: place.clone(), inner, directives: Vec::new() }
}

/// What the recogniser reads, unless sqlparser reads something else.
fn both(cursor: Cursor<'_>) -> Reading {
    let unread = |reason| Reading::from(Change::Unread { reason });
    if let Some(reason) = recognise::unreadable(cursor) {
        return unread(reason);
    }
    let reading = match recognise::statement(cursor) {
        Ok(reading) => reading,
        Err(reason) => return unread(reason),
    };
    // In a body, INTO fills variables, which sqlparser takes for something else.
    if cursor.plpgsql && cursor.has("INTO") && !matches!(reading.change, Change::Insert(_)) {
        return reading;
    }
    confirmed(reading, parse(cursor).as_ref().and_then(lower::shape))
}

/// Two different answers are no answer; a reader that has none to give leaves it to the other.
fn confirmed(reading: Reading, parsed: Option<Shape>) -> Reading {
    let Some(parsed) = parsed else { return reading };
    let recognised = shape::of(&reading.change, &reading.inner);
    if parsed.agrees(&recognised) {
        return reading;
    }
    Reading::from(Change::Unread {
        reason: Unread::Disagreement { parser: parsed.line(), recogniser: recognised.line() },
    })
}

/// sqlparser's tree, when it reads the very tokens that we read, to their end.
fn parse(cursor: Cursor<'_>) -> Option<ast::Statement> {
    if is_too_deep(&cursor) {
        return None;
    }
    let text = blanked(&cursor);
    let dialect = PostgreSqlDialect {};
    // It counts blanks as tokens.
    let mut tokens = Vec::with_capacity(2 * (cursor.end - cursor.at) + 1);
    Tokenizer::new(&dialect, &text).tokenize_with_location_into_buf(&mut tokens).ok()?;
    if !same_borders(&cursor, &text, &tokens) {
        return None;
    }
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().ok()?;
    (parser.peek_token().token == Theirs::EOF).then_some(statement)
}

/// Whether the tree would be so large that it fills the memory, or so deep that dropping it could overflow the stack:
/// an overflow aborts the process.
/// Every level of a tree takes a token without a comma, or a set operation.
fn is_too_deep(cursor: &Cursor<'_>) -> bool {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let (mut run, mut deepest) = (0_usize, 0_usize);
    let mut sets = 0_usize;
    for at in cursor.at..cursor.end {
        run += 1;
        match cursor.text_at(at) {
            "(" | "[" => {
                open.push((run, deepest));
                (run, deepest) = (0, 0);
            }
            ")" | "]" => {
                let inside = deepest.max(run);
                let (outer_run, outer_deepest) = open.pop().unwrap_or_default();
                (run, deepest) = (outer_run + inside, outer_deepest);
            }
            "," => {
                deepest = deepest.max(run);
                run = 0;
            }
            word if ["UNION", "EXCEPT", "INTERSECT"].iter().any(|set| set.eq_ignore_ascii_case(word)) => sets += 1,
            _ => {}
        }
    }
    cursor.end - cursor.at > MOST_TOKENS || deepest.max(run) > LONGEST_CHAIN || sets > LONGEST_CHAIN / 4
}

/// The statement's text with a space for every byte between tokens but a line's end, so that every offset fits.
fn blanked(cursor: &Cursor<'_>) -> String {
    let (Some(first), Some(last)) = (cursor.token(0), cursor.tokens[..cursor.end].last()) else {
        return String::new();
    };
    let mut text = String::with_capacity(last.span.end - first.span.start);
    let mut behind = first.span.start;
    for token in &cursor.tokens[cursor.at..cursor.end] {
        let gap = &cursor.source.text.as_bytes()[behind..token.span.start];
        text.extend(gap.iter().map(|byte| if *byte == b'\n' { '\n' } else { ' ' }));
        text.push_str(cursor.source.of(*token));
        behind = token.span.end;
    }
    text
}

/// What a border belongs to; numbers, operators, dots and square brackets are cut differently and harmlessly.
#[derive(Debug, PartialEq, Eq)]
enum Border {
    Word,
    Quoted,
    String,
    Symbol,
}

/// Whether sqlparser cuts words, names, strings, parentheses and commas where we do.
fn same_borders(cursor: &Cursor<'_>, text: &str, theirs: &[TokenWithSpan]) -> bool {
    let start = cursor.token(0).map_or(0, |token| token.span.start);
    let ours = cursor.tokens[cursor.at..cursor.end].iter().filter_map(|token| {
        let border = match token.kind {
            TokenKind::Word => Border::Word,
            TokenKind::Quoted => Border::Quoted,
            TokenKind::String => Border::String,
            TokenKind::Symbol if matches!(cursor.source.of(*token), "(" | ")" | "," | ";") => Border::Symbol,
            TokenKind::Symbol | TokenKind::Number | TokenKind::Parameter | TokenKind::Operator => return None,
        };
        Some((border, token.span.start - start, token.span.end - start))
    });
    let mut place = Position { text, at: 0, line: 1, column: 1 };
    let theirs = theirs.iter().filter_map(|token| {
        let border = match &token.token {
            Theirs::Word(word) if word.quote_style.is_some() => Border::Quoted,
            Theirs::Word(_) => Border::Word,
            Theirs::SingleQuotedString(_)
            | Theirs::DollarQuotedString(_)
            | Theirs::NationalStringLiteral(_)
            | Theirs::EscapedStringLiteral(_)
            | Theirs::UnicodeStringLiteral(_)
            | Theirs::SingleQuotedByteStringLiteral(_)
            | Theirs::HexStringLiteral(_) => Border::String,
            Theirs::LParen | Theirs::RParen | Theirs::Comma | Theirs::SemiColon => Border::Symbol,
            _ => return None,
        };
        Some((border, place.offset(token.span.start), place.offset(token.span.end)))
    });
    ours.eq(theirs)
}

/// Turns sqlparser's lines and columns, which only grow, into offsets.
struct Position<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    column: u64,
}

impl Position<'_> {
    fn offset(&mut self, location: Location) -> usize {
        for letter in self.text[self.at..].chars() {
            if (self.line, self.column) >= (location.line, location.column) {
                break;
            }
            self.at += letter.len_utf8();
            if letter == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Source, confirmed, lower, parse, recognise};
    use crate::sql::{
        change::{Change, Unread},
        scan,
    };

    /// Whether sqlparser is heard on a text, which it is only when it reads the same tokens to their end.
    fn check(sql: &str, heard: bool) {
        let tokens = scan::tokens(sql);
        let source = Source::file(sql);
        assert_eq!(parse(Cursor::new(&source, &tokens)).is_some(), heard, "{sql}");
    }

    /// Whether the recogniser's reading of one text stands when sqlparser is said to have read the other.
    fn check_confirmed(recognised: &str, parsed: &str, stands: bool) {
        let of = |sql| (Source::file(sql), scan::tokens(sql));
        let ((one, one_tokens), (other, other_tokens)) = (of(recognised), of(parsed));
        let reading = recognise::statement(Cursor::new(&one, &one_tokens)).unwrap();
        let shape = parse(Cursor::new(&other, &other_tokens)).as_ref().and_then(lower::shape);
        let change = confirmed(reading, shape).change;
        let is_unread = matches!(change, Change::Unread { reason: Unread::Disagreement { .. } });
        assert_eq!(is_unread, !stands, "{recognised} / {parsed}");
    }

    #[test]
    fn two_different_answers_are_no_answer() {
        check_confirmed("DELETE FROM a", "DELETE FROM a", true);
        check_confirmed("DELETE FROM a", "DROP TABLE a", false);
        check_confirmed("DELETE FROM a WHERE b", "DELETE FROM a", false);
        check_confirmed("CREATE INDEX i ON a (b)", "CREATE INDEX CONCURRENTLY i ON a (b)", false);
        check_confirmed("ALTER TABLE a ADD COLUMN b int", "ALTER TABLE a DROP COLUMN b", false);
        check_confirmed("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY i", true);
    }

    #[test]
    fn a_tree_that_ends_early_is_not_heard() {
        check("SELECT 1", true);
        check("SELECT 1 END", false);
        check("UPDATE t SET a = 1 RETURNING a END", false);
        check("DELETE FROM t WHERE true", true);
    }

    #[test]
    fn a_tree_of_other_tokens_is_not_heard() {
        check("SELECT a &> 'x'", true);
        check("SELECT a &>b FROM t", false);
        check("SELECT a &>' 2'", false);
        check(r#"SELECT U&"d\0061t""#, false);
        check("SELECT 'a'\n'b'", false);
        check("SELECT 0x1F", false);
        check("SELECT 'é', \"é\" FROM t -- é\n WHERE é = $$é$$", true);
    }

    #[test]
    fn comments_are_blanked_before_it_reads() {
        check("SELECT a ~-- it's\n b", true);
        check("SELECT a ~/* it's */ b", true);
    }

    #[test]
    fn a_chain_that_could_overflow_the_stack_is_not_heard() {
        check(&format!("SELECT 1{}", " + 1".repeat(100)), true);
        check(&format!("SELECT 1{}", " + 1".repeat(1_000)), false);
        check(&format!("SELECT 1, 1{}", " UNION SELECT 1, 1".repeat(1_000)), false);
        check(&format!("SELECT {}", vec!["1"; 5_000].join(", ")), true);
    }
}
