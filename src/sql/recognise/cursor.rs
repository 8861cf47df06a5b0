//! A place among a statement's tokens, and the few tools that reading needs.

use super::super::{
    Span,
    change::{Expression, Unread},
    names::{Ident, ObjectName},
    scan::{Token, TokenKind},
    source::Source,
};

/// How deep statements inside statements, and bodies inside bodies, are followed.
const DEEPEST: u8 = 24;

/// The tokens from `at` to `end` are what is read; brackets are skipped whole through their partners.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    pub source: &'a Source<'a>,
    pub tokens: &'a [Token],
    pub at: usize,
    pub end: usize,
    pub depth: u8,
    /// Inside a plpgsql body, where `SELECT … INTO` fills a variable.
    pub plpgsql: bool,
}

pub type Result<T> = std::result::Result<T, Unread>;

impl<'a> Cursor<'a> {
    pub fn new(source: &'a Source<'a>, tokens: &'a [Token]) -> Self {
        Self { source, tokens, at: 0, end: tokens.len(), depth: 0, plpgsql: false }
    }

    /// The same text, `from..to` of its tokens.
    pub fn range(self, from: usize, to: usize) -> Self {
        Self { at: from, end: to.max(from), ..self }
    }

    /// One level deeper.
    pub fn deeper(self) -> Result<Self> {
        if self.depth >= DEEPEST {
            return Err(Unread::TooComplex);
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    pub fn done(&self) -> bool {
        self.at >= self.end
    }

    pub fn token(&self, ahead: usize) -> Option<Token> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.tokens[at])
    }

    pub fn text_at(&self, index: usize) -> &'a str {
        self.source.of(self.tokens[index])
    }

    /// The unquoted word `ahead` of the cursor, as written.
    pub fn word(&self, ahead: usize) -> Option<&'a str> {
        let token = self.token(ahead)?;
        (token.kind == TokenKind::Word).then(|| self.source.of(token))
    }

    pub fn is_word(&self, ahead: usize, word: &str) -> bool {
        self.word(ahead).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    pub fn is_one_of(&self, ahead: usize, words: &[&str]) -> bool {
        self.word(ahead).is_some_and(|found| words.iter().any(|word| found.eq_ignore_ascii_case(word)))
    }

    /// Whether the words of `phrase` come next.
    pub fn is(&self, phrase: &str) -> bool {
        phrase.split(' ').enumerate().all(|(ahead, word)| self.is_word(ahead, word))
    }

    /// Passes `phrase` if it comes next.
    pub fn eat(&mut self, phrase: &str) -> bool {
        let found = self.is(phrase);
        if found {
            self.at += phrase.split(' ').count();
        }
        found
    }

    pub fn eat_one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = self.word(0)?;
        let word = words.iter().find(|word| found.eq_ignore_ascii_case(word))?;
        self.at += 1;
        Some(word)
    }

    pub fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        self.token(ahead).is_some_and(|token| {
            matches!(token.kind, TokenKind::Symbol | TokenKind::Operator) && self.source.of(token) == symbol
        })
    }

    pub fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(0, symbol);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, phrase: &str) -> Result<()> {
        if self.eat(phrase) { Ok(()) } else { Err(self.expected(&format!("`{phrase}`"))) }
    }

    /// What stands here instead of what was expected; the value of a literal is never shown.
    pub fn expected(&self, what: &str) -> Unread {
        let found = match self.token(0) {
            None => "the statement's end".to_owned(),
            Some(token) if token.kind == TokenKind::String => "a string".to_owned(),
            Some(token) if token.kind == TokenKind::Number => "a number".to_owned(),
            Some(token) => format!("`{}`", self.source.of(token).chars().take(40).collect::<String>()),
        };
        Unread::Malformed { detail: format!("expected {what}, found {found}") }
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<()> {
        if self.done() { Ok(()) } else { Err(self.expected("the statement's end")) }
    }

    /// Leaves the bracket at the cursor behind it and gives what it holds.
    pub fn brackets(&mut self) -> Option<Self> {
        let token = self.token(0)?;
        if token.partner <= self.at || token.partner >= self.end {
            return None;
        }
        let inside = self.range(self.at + 1, token.partner);
        self.at = token.partner + 1;
        Some(inside)
    }

    pub fn parentheses(&mut self) -> Option<Self> {
        if self.is_symbol(0, "(") { self.brackets() } else { None }
    }

    pub fn expect_parentheses(&mut self) -> Result<Self> {
        self.parentheses().ok_or_else(|| self.expected("`(`"))
    }

    /// Passes one token, or a whole bracket.
    pub fn skip(&mut self) {
        if self.brackets().is_none() {
            self.at += 1;
        }
    }

    /// Passes everything up to the first of these words outside brackets; `false` when there is none.
    pub fn skip_to(&mut self, words: &[&str]) -> bool {
        while !self.done() {
            if self.is_one_of(0, words) && !self.follows_dot_or_as() {
                return true;
            }
            self.skip();
        }
        false
    }

    /// A word here is a part of a name or a label, not a keyword.
    pub fn follows_dot_or_as(&self) -> bool {
        self.at > 0 && {
            let before = self.tokens[self.at - 1];
            let text = self.source.of(before);
            text == "." || (before.kind == TokenKind::Word && text.eq_ignore_ascii_case("AS"))
        }
    }

    /// Whether `phrase` stands in the rest outside brackets.
    pub fn has(mut self, phrase: &str) -> bool {
        let (first, _) = phrase.split_once(' ').unwrap_or((phrase, ""));
        while self.skip_to(&[first]) {
            if self.is(phrase) {
                return true;
            }
            self.at += 1;
        }
        false
    }

    /// The rest, cut at its commas outside brackets.
    pub fn split(mut self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = self.at;
        while !self.done() {
            if self.is_symbol(0, ",") {
                parts.push(self.range(start, self.at));
                start = self.at + 1;
            }
            self.skip();
        }
        parts.push(self.range(start, self.end));
        parts
    }

    pub fn try_ident(&mut self) -> Result<Option<Ident>> {
        let Some(token) = self.token(0) else { return Ok(None) };
        if !matches!(token.kind, TokenKind::Word | TokenKind::Quoted) {
            return Ok(None);
        }
        let mut escape = '\\';
        let mut length = 1;
        if token.kind == TokenKind::Quoted && self.is_word(1, "UESCAPE") {
            escape = self
                .token(2)
                .and_then(|token| self.source.of(token).strip_prefix('\'')?.chars().next())
                .ok_or_else(|| self.expected("an escape character"))?;
            length = 3;
        }
        let ident = Ident::read(self.source, token, escape).ok_or_else(|| self.expected("a name"))?;
        self.at += length;
        Ok(Some(ident))
    }

    pub fn ident(&mut self) -> Result<Ident> {
        self.try_ident()?.ok_or_else(|| self.expected("a name"))
    }

    /// A name with its dots.
    pub fn name(&mut self) -> Result<ObjectName> {
        let first = self.ident()?;
        if !self.is_symbol(0, ".") {
            return Ok(ObjectName::of(first));
        }
        let mut parts = vec![first];
        while self.eat_symbol(".") {
            parts.push(self.ident()?);
        }
        Ok(ObjectName { parts: parts.into() })
    }

    /// `a, b.c`.
    pub fn names(&mut self) -> Result<Vec<ObjectName>> {
        let mut names = vec![self.name()?];
        while self.eat_symbol(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// `a, b`.
    pub fn idents(&mut self) -> Result<Vec<Ident>> {
        let mut idents = vec![self.ident()?];
        while self.eat_symbol(",") {
            idents.push(self.ident()?);
        }
        Ok(idents)
    }

    /// A table as DML and ALTER name it: `[ONLY] name [*]`, `ONLY (name)`.
    pub fn relation(&mut self) -> Result<(ObjectName, bool)> {
        let only = self.is_word(0, "ONLY") && !self.is_symbol(1, ".") && self.token(1).is_some() && self.eat("ONLY");
        let name = match self.parentheses() {
            Some(mut inside) => {
                let name = inside.name()?;
                inside.finish()?;
                name
            }
            None => self.name()?,
        };
        self.eat_symbol("*");
        Ok((name, only))
    }

    /// The text of a string literal.
    pub fn string(&mut self) -> Result<String> {
        let token = self.token(0).filter(|token| token.kind == TokenKind::String);
        let text = token.and_then(|token| self.source.literal(token));
        let (text, _) = text.ok_or_else(|| self.expected("a string"))?;
        self.at += 1;
        Ok(text)
    }

    pub fn is_string(&self) -> bool {
        self.token(0).is_some_and(|token| token.kind == TokenKind::String)
    }

    /// Where the rest stands in the file.
    pub fn span(&self) -> Span {
        if self.done() {
            let at = self.tokens.get(self.at).map_or(self.source.text.len(), |token| token.span.start);
            return self.source.span(Span { start: at, end: at });
        }
        self.span_from(self.at, self.end)
    }

    pub fn span_from(&self, from: usize, to: usize) -> Span {
        let end = self.tokens[to.max(from + 1) - 1].span.end;
        self.source.span(Span { start: self.tokens[from].span.start, end })
    }

    /// The rest as written, its comments left out.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut behind = None;
        for token in &self.tokens[self.at.min(self.end)..self.end] {
            if behind.is_some_and(|end| end < token.span.start) {
                text.push(' ');
            }
            text.push_str(self.source.of(*token));
            behind = Some(token.span.end);
        }
        text
    }

    /// The rest as an expression.
    pub fn expression(&self) -> Expression {
        super::operand::expression(*self).into()
    }
}
