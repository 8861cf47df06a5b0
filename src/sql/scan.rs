//! The scanner, exact to Postgres's lexer: text → tokens with byte spans, and the borders between statements.
//!
//! Comments are kept apart from tokens; `\` lines and `COPY` data are pieces of their own. It works on bytes:
//! every byte that decides something is ASCII, and a byte from 0x80 up is a letter. One pass, linear time.
//! What it follows is
//! [scan.l](https://github.com/postgres/postgres/blob/master/src/backend/parser/scan.l) and, for borders,
//! [psqlscan.l](https://github.com/postgres/postgres/blob/master/src/fe_utils/psqlscan.l).

use super::Span;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An unquoted word: a keyword or a name.
    Word,
    /// `"…"` or `U&"…"`: a name, never a keyword.
    Quoted,
    /// A literal of any form, its prefix and its continuations included.
    String,
    Number,
    /// `$1`.
    Parameter,
    Operator,
    /// Any other single character: `( ) [ ] , . ; :` and what Postgres would reject.
    Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
    /// For a bracket, the index of its partner among the same tokens; otherwise, or without one, its own.
    pub partner: usize,
}

/// A string, comment or quoted name that never ends: what it is, and where it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unterminated {
    pub what: &'static str,
    pub opened: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PieceKind {
    Statement,
    /// A `\` line.
    Psql,
    /// The lines after `COPY … FROM stdin;`, up to and with `\.`.
    CopyData,
}

/// What stands between two borders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub kind: PieceKind,
    /// From the first token to the last; the `;` is not part of it.
    pub span: Span,
    pub tokens: Vec<Token>,
    pub unterminated: Option<Unterminated>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    pub pieces: Vec<Piece>,
    /// Every comment, in order.
    pub comments: Vec<Span>,
}

/// All tokens of a text, `;` among them, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    flat(text).0
}

/// All tokens with their partners, the comments, and what was left open.
pub(super) fn flat(text: &str) -> (Vec<Token>, Vec<Span>, Option<Unterminated>) {
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next() {
        tokens.push(token);
    }
    pair(text, &mut tokens);
    (tokens, lexer.comments, lexer.unterminated)
}

/// Cuts a text into statements and what else stands in it.
pub fn scan(text: &str) -> Scan {
    let mut cutter =
        Cutter { lexer: Lexer::new(text), open: Vec::new(), depth: 0, block: 0, data: None, pieces: Vec::new() };
    cutter.run();
    Scan { pieces: cutter.pieces, comments: cutter.lexer.comments }
}

/// Gives each bracket its partner.
fn pair(text: &str, tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..tokens.len() {
        tokens[at].partner = at;
        if tokens[at].kind != TokenKind::Symbol {
            continue;
        }
        match text.as_bytes()[tokens[at].span.start] {
            b'(' | b'[' => open.push(at),
            close @ (b')' | b']') => {
                let opens = if close == b')' { b'(' } else { b'[' };
                if let Some(&first) = open.last()
                    && text.as_bytes()[tokens[first].span.start] == opens
                {
                    open.pop();
                    tokens[first].partner = at;
                    tokens[at].partner = first;
                }
            }
            _ => {}
        }
    }
}

/// How many bytes a scan looks at, those it looks at again included.
#[cfg(test)]
pub(super) fn work(text: &str) -> usize {
    let mut cutter =
        Cutter { lexer: Lexer::new(text), open: Vec::new(), depth: 0, block: 0, data: None, pieces: Vec::new() };
    cutter.run();
    cutter.lexer.at + cutter.lexer.ahead
}

/// Tokens that most statements do not exceed.
const USUAL: usize = 32;

struct Cutter<'a> {
    lexer: Lexer<'a>,
    open: Vec<Token>,
    depth: usize,
    /// How many `BEGIN ATOMIC` and `CASE` are open.
    block: usize,
    /// Where the line of a `COPY … FROM stdin;` or `\copy … from stdin` ends, and where its data ends.
    data: Option<(usize, usize)>,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn run(&mut self) {
        loop {
            let gap = self.lexer.comments.len();
            let token = self.lexer.next();
            if self.skips_data(gap, token) {
                continue;
            }
            if self.border_among(gap) {
                // A marker ends the statement before it even without a `;`.
                self.finish();
            }
            let Some(token) = token else { break };
            self.take(token);
        }
        // What never ends runs to the text's end: it belongs to the last piece.
        let unterminated = self.lexer.unterminated.take();
        self.finish_with(unterminated);
    }

    fn take(&mut self, token: Token) {
        let byte = self.lexer.bytes[token.span.start];
        if token.kind == TokenKind::Symbol {
            match byte {
                b'(' | b'[' => self.depth += 1,
                b')' | b']' => self.depth = self.depth.saturating_sub(1),
                b';' if self.depth == 0 && self.block == 0 => return self.end_at(token),
                b'\\' => return self.psql(token),
                _ => {}
            }
        }
        if token.kind == TokenKind::Word {
            self.count_block(token);
        }
        self.open.push(token);
    }

    /// `;` ends a statement; after `COPY … FROM stdin` data may follow on the next line.
    fn end_at(&mut self, token: Token) {
        if self.is_copy_from_stdin() {
            self.data = self.lexer.copy_data(token.span.end);
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.finish_with(None);
    }

    fn finish_with(&mut self, unterminated: Option<Unterminated>) {
        let mut tokens = std::mem::replace(&mut self.open, Vec::with_capacity(USUAL));
        self.depth = 0;
        self.block = 0;
        let span = match (tokens.first(), tokens.last(), unterminated) {
            (Some(first), Some(last), None) => Span { start: first.span.start, end: last.span.end },
            (Some(first), _, Some(_)) => Span { start: first.span.start, end: self.lexer.bytes.len() },
            (None, _, Some(open)) => Span { start: open.opened.start, end: self.lexer.bytes.len() },
            (None, ..) | (_, None, _) => return,
        };
        pair(self.lexer.text, &mut tokens);
        self.pieces.push(Piece { kind: PieceKind::Statement, span, tokens, unterminated });
    }

    /// A `\` outside quotes: psql's to the end of the line; `\;` is only itself.
    fn psql(&mut self, token: Token) {
        self.finish();
        let start = token.span.start;
        let end = if self.lexer.bytes.get(start + 1) == Some(&b';') { start + 2 } else { self.lexer.line_end(start) };
        let end = start + self.lexer.text[start..end].trim_ascii_end().len();
        if is_copy_in(&self.lexer.text[start..end]) {
            self.data = self.lexer.copy_data(end);
        }
        self.lexer.at = end;
        self.pieces.push(Piece {
            kind: PieceKind::Psql,
            span: Span { start, end },
            tokens: Vec::new(),
            unterminated: None,
        });
    }

    /// Jumps over `COPY` data once the lexer has left the `;` line; `gap` is the first comment since the last token.
    fn skips_data(&mut self, gap: usize, token: Option<Token>) -> bool {
        let Some((line_end, end)) = self.data else { return false };
        let passed = self.lexer.comments[gap..].iter().copied().chain(token.map(|token| token.span));
        let mut passed = passed.skip_while(|span| span.end <= line_end);
        match passed.next() {
            None if token.is_some() => return false,
            Some(first) if first.start >= line_end => {}
            // Something that began on the `;` line runs over its end: read on as SQL.
            _ => {
                self.data = None;
                return false;
            }
        }
        self.data = None;
        self.lexer.comments.retain(|comment| comment.start < line_end);
        self.lexer.unterminated = None;
        self.finish();
        let span = Span { start: line_end, end };
        self.pieces.push(Piece { kind: PieceKind::CopyData, span, tokens: Vec::new(), unterminated: None });
        self.lexer.at = end;
        true
    }

    fn word(&self, at: usize, word: &str) -> bool {
        self.open.get(at).is_some_and(|token| {
            token.kind == TokenKind::Word && self.lexer.slice(token.span).eq_ignore_ascii_case(word)
        })
    }

    fn is_copy_from_stdin(&self) -> bool {
        self.word(0, "COPY") && (1..self.open.len()).any(|at| self.word(at, "FROM") && self.word(at + 1, "STDIN"))
    }

    /// `BEGIN ATOMIC` of a routine opens a block that `;` does not end.
    fn count_block(&mut self, token: Token) {
        let word = self.lexer.slice(token.span);
        let last = self.open.len().wrapping_sub(1);
        if self.block == 0 {
            if self.depth == 0 && word.eq_ignore_ascii_case("ATOMIC") && self.word(last, "BEGIN") && self.is_routine() {
                self.block = 1;
            }
            return;
        }
        let is_label =
            self.word(last, "AS") || self.open.last().is_some_and(|token| self.lexer.slice(token.span) == ".");
        if is_label {
            return;
        }
        if word.eq_ignore_ascii_case("CASE") {
            self.block += 1;
        } else if word.eq_ignore_ascii_case("END") {
            self.block -= 1;
        }
    }

    fn is_routine(&self) -> bool {
        let kind = if self.word(1, "OR") { 3 } else { 1 };
        self.word(0, "CREATE") && (self.word(kind, "FUNCTION") || self.word(kind, "PROCEDURE"))
    }

    /// Whether one of the comments from index `first` on is a marker that ends a statement.
    fn border_among(&self, first: usize) -> bool {
        self.lexer.comments[first..].iter().any(|span| {
            let comment = self.lexer.slice(*span);
            is_breakpoint(comment) || (is_section(comment) && starts_line(self.lexer.text, span.start))
        })
    }
}

/// Whether a line is psql's `\copy … from stdin`: the lines after it are its data.
fn is_copy_in(line: &str) -> bool {
    let is_copy = line.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("\\copy"));
    let words = line.split_ascii_whitespace().collect::<Vec<_>>();
    is_copy && words.windows(2).any(|it| it[0].eq_ignore_ascii_case("from") && it[1].eq_ignore_ascii_case("stdin"))
}

/// Whether nothing but blanks stands before a place on its line. Section markers count only there: other tools
/// read them line by line.
pub fn starts_line(text: &str, at: usize) -> bool {
    text[..at].rsplit(['\n', '\r']).next().is_none_or(|before| before.trim().is_empty())
}

/// Drizzle's separator, which mostly stands behind a statement.
fn is_breakpoint(comment: &str) -> bool {
    comment.strip_prefix("-->").is_some_and(|rest| rest.trim_start().starts_with("statement-breakpoint"))
}

/// Whether a comment is another tool's section marker: goose's, sql-migrate's or dbmate's.
pub(super) fn is_section(comment: &str) -> bool {
    let Some(rest) = comment.strip_prefix("--") else { return false };
    let rest = rest.trim_start();
    let starts = |marker: &str| rest.get(..marker.len()).is_some_and(|head| head.eq_ignore_ascii_case(marker));
    starts("+goose ") || starts("+migrate ") || starts("migrate:up") || starts("migrate:down")
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    comments: Vec<Span>,
    unterminated: Option<Unterminated>,
    /// Where the next line `\.` ends, once one was looked for; `None` when there is none any more.
    data_end: Option<Option<usize>>,
    /// Bytes read ahead of the position: the work beyond one pass.
    ahead: usize,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the SQL.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, bytes: text.as_bytes(), at, comments: Vec::new(), unterminated: None, data_end: None, ahead: 0 }
    }

    fn slice(&self, span: Span) -> &'a str {
        &self.text[span.start..span.end]
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token; comments and whitespace before it are passed.
    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let start = self.at;
        let byte = *self.bytes.get(start)?;
        let kind = match byte {
            b'\'' => self.string(start, false),
            b'"' => self.quoted(start),
            b'$' => self.dollar(),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() && self.bytes.get(start.wrapping_sub(1)) != Some(&b'.') => {
                self.number()
            }
            byte if starts_word(byte) => self.word(),
            byte if is_operator(byte) => self.operator(),
            b':' if matches!(self.peek(1), b':' | b'=') => {
                self.at += 2;
                TokenKind::Operator
            }
            _ => {
                self.at += 1;
                TokenKind::Symbol
            }
        };
        Some(Token { kind, span: Span { start, end: self.at }, partner: 0 })
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                byte if is_space(byte) => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    let start = self.at;
                    self.skip_line();
                    self.comments.push(Span { start, end: self.at });
                }
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.bytes[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn line_end(&self, from: usize) -> usize {
        self.bytes[from..]
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .map_or(self.bytes.len(), |at| from + at)
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                break;
            }
        }
        if depth > 0 {
            self.open_to_end("comment", start, 2);
        }
        self.comments.push(Span { start, end: self.at });
    }

    fn open_to_end(&mut self, what: &'static str, start: usize, length: usize) {
        self.at = self.bytes.len();
        self.unterminated.get_or_insert(Unterminated { what, opened: Span { start, end: start + length } });
    }

    /// From the quote on; `escapes` when a backslash takes the next byte.
    fn string(&mut self, start: usize, escapes: bool) -> TokenKind {
        loop {
            self.at += 1;
            loop {
                match self.bytes.get(self.at) {
                    None => {
                        self.open_to_end("string", start, 1);
                        return TokenKind::String;
                    }
                    Some(b'\\') if escapes => self.at = (self.at + 2).min(self.bytes.len()),
                    Some(b'\'') if self.peek(1) == b'\'' => self.at += 2,
                    Some(b'\'') => break,
                    Some(_) => self.at += 1,
                }
            }
            self.at += 1;
            match self.continuation() {
                Some(quote) => self.at = quote,
                None => return TokenKind::String,
            }
        }
    }

    /// Where the quote of a continuation stands: behind blanks and `--` comments with a line's end among them.
    fn continuation(&mut self) -> Option<usize> {
        let mut at = self.at;
        let mut newline = false;
        let mut comments = Vec::new();
        loop {
            match self.bytes.get(at) {
                Some(b'\n' | b'\r') => {
                    newline = true;
                    at += 1;
                }
                Some(&byte) if is_space(byte) => at += 1,
                Some(b'-') if self.bytes.get(at + 1) == Some(&b'-') => {
                    let end = self.line_end(at);
                    comments.push(Span { start: at, end });
                    at = end;
                }
                Some(b'\'') if newline => {
                    self.ahead += at - self.at;
                    self.comments.append(&mut comments);
                    return Some(at);
                }
                _ => {
                    self.ahead += at - self.at;
                    return None;
                }
            }
        }
    }

    fn quoted(&mut self, start: usize) -> TokenKind {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => {
                    self.open_to_end("quoted name", start, 1);
                    return TokenKind::Quoted;
                }
                Some(b'"') if self.peek(1) == b'"' => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    return TokenKind::Quoted;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn dollar(&mut self) -> TokenKind {
        let start = self.at;
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
            return TokenKind::Parameter;
        }
        let mut tag_end = start + 1;
        if self.bytes.get(tag_end).is_some_and(|byte| starts_word(*byte)) {
            while self.bytes.get(tag_end).is_some_and(|byte| starts_word(*byte) || byte.is_ascii_digit()) {
                tag_end += 1;
            }
        }
        if self.bytes.get(tag_end) != Some(&b'$') {
            self.at += 1;
            return TokenKind::Symbol;
        }
        let tag = &self.text[start..=tag_end];
        match self.text[tag_end + 1..].find(tag) {
            Some(length) => self.at = tag_end + 1 + length + tag.len(),
            None => self.open_to_end("dollar-quoted string", start, tag.len()),
        }
        TokenKind::String
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| accept(*byte)) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> TokenKind {
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || byte >= 0x80);
        TokenKind::Number
    }

    /// A word, or the literal or name whose prefix it is.
    fn word(&mut self) -> TokenKind {
        let start = self.at;
        self.skip_while(continues_word);
        let word = &self.bytes[start..self.at];
        let prefix = word.first().map_or(0, u8::to_ascii_lowercase);
        match (word.len(), prefix, self.peek(0)) {
            (1, b'e', b'\'') => self.string(start, true),
            (1, b'n' | b'b' | b'x', b'\'') => self.string(start, false),
            (1, b'u', b'&') if self.peek(1) == b'\'' => {
                self.at += 1;
                self.string(start, false)
            }
            (1, b'u', b'&') if self.peek(1) == b'"' => {
                self.at += 1;
                self.quoted(start)
            }
            _ => TokenKind::Word,
        }
    }

    /// A run of operator bytes, cut before a comment; like Postgres, `+` and `-` at its end stand alone unless a
    /// byte in it says otherwise.
    fn operator(&mut self) -> TokenKind {
        let start = self.at;
        while is_operator(self.peek(0)) && !matches!((self.peek(0), self.peek(1)), (b'-', b'-') | (b'/', b'*')) {
            self.at += 1;
        }
        let keeps_sign = self.bytes[start..self.at].iter().any(|byte| b"~!@#%^&|`?".contains(byte));
        while !keeps_sign && self.at > start + 1 && matches!(self.bytes[self.at - 1], b'+' | b'-') {
            self.at -= 1;
        }
        TokenKind::Operator
    }

    /// The end of the `;` line and of the data behind it, when a line `\.` closes the data.
    fn copy_data(&mut self, from: usize) -> Option<(usize, usize)> {
        let line_end = from + self.bytes[from..].iter().position(|byte| *byte == b'\n')? + 1;
        match self.data_end {
            Some(None) => return None,
            Some(Some(end)) if end > line_end => return Some((line_end, end)),
            _ => {}
        }
        let mut at = line_end;
        while at < self.bytes.len() {
            let end =
                self.bytes[at..].iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |length| at + length);
            self.ahead += end + 1 - at;
            if matches!(&self.bytes[at..end], b"\\." | b"\\.\r") {
                self.data_end = Some(Some(end));
                return Some((line_end, end));
            }
            at = end + 1;
        }
        self.data_end = Some(None);
        None
    }
}

/// Postgres's whitespace; VT counts since version 16.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|?`".contains(&byte)
}
