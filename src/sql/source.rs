//! A text to read and where it stands in the file: the file itself, or a body inside one of its strings.

use super::{Span, scan::Token};

/// A text and, for each of its bytes, the byte of the file it came from.
#[derive(Debug, Clone)]
pub(super) struct Source<'a> {
    pub text: &'a str,
    /// From a byte of `text` on, the bytes of the file from there on; ordered, the first at 0.
    map: Vec<(usize, usize)>,
}

impl<'a> Source<'a> {
    pub fn file(text: &'a str) -> Self {
        Self { text, map: vec![(0, 0)] }
    }

    pub fn within(text: &'a str, map: Vec<(usize, usize)>) -> Self {
        Self { text, map }
    }

    /// The byte of the file.
    pub fn at(&self, offset: usize) -> usize {
        let piece = self.map.partition_point(|(local, _)| *local <= offset).saturating_sub(1);
        let (local, file) = self.map[piece];
        file + (offset - local)
    }

    /// A range of the file.
    pub fn span(&self, local: Span) -> Span {
        let start = self.at(local.start);
        Span { start, end: self.at(local.end).max(start) }
    }

    pub fn slice(&self, span: Span) -> &'a str {
        &self.text[span.start..span.end]
    }

    pub fn of(&self, token: Token) -> &'a str {
        self.slice(token.span)
    }

    /// The text inside a string literal, decoded, with its way back to the file. `None` for a literal that is no
    /// text (`B'…'`, `X'…'`, `U&'…'`) or is never closed.
    pub fn literal(&self, token: Token) -> Option<(String, Vec<(usize, usize)>)> {
        let raw = self.of(token);
        let start = token.span.start;
        if let Some(behind) = raw.strip_prefix('$') {
            let tag = behind.find('$')? + 2;
            if raw.len() < 2 * tag {
                return None;
            }
            let (from, to) = (start + tag, token.span.end - tag);
            return Some((self.text[from..to].to_owned(), self.map_of(from, to)));
        }
        let escapes = raw.starts_with(['e', 'E']);
        let quote = raw.find('\'')?;
        if !escapes && quote > 0 && !raw.starts_with(['n', 'N']) {
            return None;
        }
        Unescape { raw, escapes, at: quote + 1, text: String::new(), map: Vec::new() }
            .run()
            .map(|(text, map)| (text, map.into_iter().map(|(local, at)| (local, self.at(start + at))).collect()))
    }

    /// For each byte of a part, the byte of the file.
    pub fn map_of(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut map = vec![(0, self.at(from))];
        let first = self.map.partition_point(|(local, _)| *local <= from);
        map.extend(
            self.map[first..].iter().take_while(|(local, _)| *local < to).map(|(local, file)| (local - from, *file)),
        );
        map
    }
}

struct Unescape<'a> {
    raw: &'a str,
    escapes: bool,
    at: usize,
    text: String,
    map: Vec<(usize, usize)>,
}

impl Unescape<'_> {
    fn run(mut self) -> Option<(String, Vec<(usize, usize)>)> {
        self.mark();
        loop {
            let rest = &self.raw[self.at..];
            let mut letters = rest.chars();
            match letters.next()? {
                '\'' if rest.starts_with("''") => {
                    self.text.push('\'');
                    self.at += 2;
                    self.mark();
                }
                '\'' => {
                    // The literal's end, or a continuation on a later line.
                    let Some(quote) = next_quote(&rest[1..]) else { return Some((self.text, self.map)) };
                    self.at += 1 + quote + 1;
                    self.mark();
                }
                '\\' if self.escapes => self.escape(letters.next()?)?,
                letter => {
                    self.text.push(letter);
                    self.at += letter.len_utf8();
                }
            }
        }
    }

    /// What follows a backslash in `E'…'`.
    fn escape(&mut self, letter: char) -> Option<()> {
        let after = self.at + 1 + letter.len_utf8();
        let digits = |from: usize, radix: u32, most: usize| {
            self.raw[from..].chars().take(most).take_while(|digit| digit.is_digit(radix)).count()
        };
        let (decoded, end) = match letter {
            'n' => ('\n', after),
            't' => ('\t', after),
            'r' => ('\r', after),
            'b' => ('\u{8}', after),
            'f' => ('\u{c}', after),
            'x' if digits(after, 16, 2) > 0 => self.code(after, digits(after, 16, 2), 16)?,
            'u' => self.code(after, digits(after, 16, 4), 16)?,
            'U' => self.code(after, digits(after, 16, 8), 16)?,
            '0'..='7' => self.code(after - 1, digits(after - 1, 8, 3), 8)?,
            other => (other, after),
        };
        self.text.push(decoded);
        self.at = end;
        self.mark();
        Some(())
    }

    fn code(&self, from: usize, length: usize, radix: u32) -> Option<(char, usize)> {
        let code = u32::from_str_radix(self.raw.get(from..from + length)?, radix).ok()?;
        // Byte escapes above ASCII build a character from several: not text we can map.
        if length <= 3 && code > 0x7f {
            return None;
        }
        Some((char::from_u32(code)?, from + length))
    }

    fn mark(&mut self) {
        self.map.push((self.text.len(), self.at));
    }
}

/// Where the quote of a continuation stands in what follows a closing quote.
fn next_quote(rest: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        match rest.as_bytes().get(at)? {
            b'-' => at += rest[at..].find(['\n', '\r'])?,
            b'\'' => return Some(at),
            _ => at += 1,
        }
    }
}
