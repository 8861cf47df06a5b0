//! Names as Postgres sees them: quoting, folding, truncation, equality.

use std::fmt;

use super::Span;

/// One part of a name, folded (unquoted ASCII to lower case) and cut at 63 bytes.
///
/// Equality and order look at the name only, not at where it stands.
#[derive(Debug, Clone, Default)]
pub struct Ident {
    pub name: String,
    pub span: Span,
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
    /// As written, outermost first; empty only for the default value.
    pub parts: Vec<Ident>,
    pub span: Span,
}

impl ObjectName {
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
        self.schema() == other.schema() && self.last() == other.last()
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
        (self.schema(), self.last()).cmp(&(other.schema(), other.last()))
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
