//! Names as Postgres sees them: quoting, folding, truncation, equality.

use std::{fmt, sync::Arc};

use super::{
    Span,
    scan::{Token, TokenKind},
    source::Source,
};

/// Postgres's `NAMEDATALEN - 1`: longer names are cut, so two long names may be one.
const LONGEST: usize = 63;

/// One part of a name, folded (unquoted ASCII to lower case) and cut at 63 bytes.
///
/// Equality and order look at the name only, not at where it stands.
#[derive(Debug, Clone, Default)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

impl Ident {
    /// The name a word or quoted token means. `escape` is the character of a `UESCAPE` behind it. `None` when the
    /// token is no name, or its unicode escapes are wrong.
    pub(super) fn read(source: &Source<'_>, token: Token, escape: char) -> Option<Self> {
        let raw = source.of(token);
        let name = match token.kind {
            TokenKind::Word => raw.to_ascii_lowercase(),
            TokenKind::Quoted if raw.starts_with('"') => raw.get(1..raw.len().checked_sub(1)?)?.replace("\"\"", "\""),
            TokenKind::Quoted => decode(&raw.get(3..raw.len() - 1)?.replace("\"\"", "\""), escape)?,
            _ => return None,
        };
        Some(Self { name: cut(name), span: source.span(token.span) })
    }
}

/// Cut at 63 bytes, on a character's border.
pub(super) fn cut(mut name: String) -> String {
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST));
    }
    name
}

/// `\XXXX` and `\+XXXXXX` of `U&"…"`, surrogate pairs included.
fn decode(text: &str, escape: char) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        if letter != escape {
            units.extend(letter.encode_utf16(&mut [0; 2]).iter());
        } else if let Some(after) = rest.strip_prefix(escape) {
            units.extend(escape.encode_utf16(&mut [0; 2]).iter());
            rest = after;
        } else {
            let long = rest.strip_prefix('+');
            let digits = if long.is_some() { long?.get(..6)? } else { rest.get(..4)? };
            rest = &rest[digits.len() + usize::from(long.is_some())..];
            let code = u32::from_str_radix(digits, 16).ok()?;
            match u16::try_from(code) {
                Ok(unit) => units.push(unit),
                Err(_) => units.extend(char::from_u32(code)?.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }
    String::from_utf16(&units).ok()
}

impl PartialEq for Ident {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Ident {}

impl PartialEq<str> for Ident {
    fn eq(&self, other: &str) -> bool {
        self.name == other
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A possibly schema-qualified name.
///
/// Two names are equal when they name the same object under the default `search_path`: an unqualified name
/// is one in `public`.
#[derive(Debug, Clone, Default)]
pub struct ObjectName {
    /// As written, outermost first; empty only for the default value. Shared, because a name is held in many places.
    pub parts: Arc<[Ident]>,
}

impl ObjectName {
    /// A name of one part.
    pub fn of(ident: Ident) -> Self {
        Self { parts: Arc::new([ident]) }
    }

    /// A name as catalogs and configurations write it: parts between dots, quotes around them left out.
    pub fn dotted(text: &str) -> Self {
        let parts = text.split('.').map(|part| Ident { name: part.trim_matches('"').to_owned(), ..Ident::default() });
        Self { parts: parts.collect() }
    }

    /// From its first part to its last.
    pub fn span(&self) -> Span {
        let start = self.parts.first().map_or(0, |it| it.span.start);
        Span { start, end: self.parts.last().map_or(0, |it| it.span.end) }
    }

    /// The last part: the object's own name.
    pub fn last(&self) -> &str {
        self.parts.last().map_or("", |part| part.name.as_str())
    }

    /// The schema, `public` when not written.
    pub fn schema(&self) -> &str {
        match self.parts.len() {
            0 | 1 => "public",
            n => &self.parts[n - 2].name,
        }
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &Self) -> bool {
        // What differs differs mostly here.
        self.last() == other.last() && self.schema() == other.schema()
    }
}

impl Eq for ObjectName {}

impl std::hash::Hash for ObjectName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.schema().hash(state);
        self.last().hash(state);
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Mostly both are written without a schema, and catalogs compare all day.
        match (&*self.parts, &*other.parts) {
            ([one], [other]) => one.name.cmp(&other.name),
            _ => (self.schema(), self.last()).cmp(&(other.schema(), other.last())),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}
