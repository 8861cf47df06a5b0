//! A statement's text, to be written anew: its tokens, its case, names as SQL.

use crate::{
    lint::Context,
    sql::{Span, Statement, Token, TokenKind, change::AlterTable, names::ObjectName, tokens},
};

use super::{FixStep, Run};

/// The text of a statement of the migration that is judged.
pub struct Draft<'a> {
    pub text: &'a str,
    /// Where it stands in the file.
    pub span: Span,
    tokens: Vec<Token>,
    upper: bool,
}

impl<'a> Draft<'a> {
    /// `None` when the span is none of the file's.
    pub fn of(context: &Context<'a>, statement: &Statement) -> Option<Self> {
        let text = context.migration.text.get(statement.span.start..statement.span.end)?;
        let tokens = tokens(text);
        let first = tokens.first().map_or("", |it| &text[it.span.start..it.span.end]);
        let upper = first.chars().all(|it| it.is_ascii_uppercase());
        Some(Self { text, span: statement.span, tokens, upper })
    }

    /// A part of the file's text that lies in the statement.
    pub fn slice(&self, span: Span) -> Option<&'a str> {
        self.text.get(span.start.checked_sub(self.span.start)?..span.end.checked_sub(self.span.start)?)
    }

    /// A name as the author wrote it.
    pub fn name(&self, name: &ObjectName) -> Option<&'a str> {
        self.slice(name.span()).filter(|it| !it.is_empty())
    }

    /// Keywords in the statement's own case.
    pub fn keywords(&self, words: &str) -> String {
        if self.upper { words.to_ascii_uppercase() } else { words.to_owned() }
    }

    /// SQL whose words in `{…}` are keywords and the rest is taken as it is.
    pub fn write(&self, parts: &[&str]) -> String {
        parts
            .iter()
            .map(|part| match part.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
                Some(words) => self.keywords(words),
                None => (*part).to_owned(),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The tokens from the first place on at which these words follow each other.
    fn find(&self, words: &[&str]) -> Option<(usize, usize)> {
        let is = |token: &Token, word: &str| {
            token.kind == TokenKind::Word && self.text[token.span.start..token.span.end].eq_ignore_ascii_case(word)
        };
        let same = |window: &[Token]| window.iter().zip(words).all(|(token, word)| is(token, word));
        let at = self.tokens.windows(words.len()).position(same)?;
        Some((self.tokens[at].span.start, self.tokens[at + words.len() - 1].span.end))
    }

    /// The statement with words behind others: `concurrently` behind `create index`.
    pub fn with_behind(&self, words: &[&str], added: &str) -> Option<String> {
        let (_, end) = self.find(words)?;
        Some(format!("{} {}{}", &self.text[..end], self.keywords(added), &self.text[end..]))
    }

    /// The same, without other words that stand further down: `if not exists`.
    pub fn with_behind_and_without(&self, words: &[&str], added: &str, without: &[&str]) -> Option<String> {
        let (_, end) = self.find(words)?;
        let (until, from) = self.find(without).filter(|(start, _)| *start > end).unwrap_or((end, end));
        let (kept, rest) = (&self.text[end..until], &self.text[from..]);
        let rest = if from > end { rest.trim_start() } else { rest };
        Some(format!("{} {}{kept}{rest}", &self.text[..end], self.keywords(added)))
    }

    /// The statement with a part of the file written anew.
    pub fn replacing(&self, part: Span, by: &str) -> Option<String> {
        let (start, end) = (part.start.checked_sub(self.span.start)?, part.end.checked_sub(self.span.start)?);
        Some(format!("{}{by}{}", self.text.get(..start)?, self.text.get(end..)?))
    }

    /// `ALTER TABLE` without one of its actions; empty when it has no other.
    pub fn without_action(&self, alter: &AlterTable, action: Span) -> Option<String> {
        let at = alter.actions.iter().position(|it| it.span == action)?;
        if alter.actions.len() == 1 {
            return Some(String::new());
        }
        let part = match alter.actions.get(at + 1) {
            Some(next) => Span { start: action.start, end: next.span.start },
            None => Span { start: alter.actions[at - 1].span.end, end: action.end },
        };
        self.replacing(part, "")
    }
}

/// A name as SQL: quoted where Postgres would fold it or take it for a keyword.
pub fn quoted(name: &str) -> String {
    let plain = name.starts_with(|it: char| it.is_ascii_lowercase() || it == '_')
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
    if plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A name in the schema of a table, as the author wrote the table's.
pub fn beside(table: &str, name: &str) -> String {
    // A dot in quotes is no border.
    let schema = tokens(table);
    match schema.as_slice() {
        [.., dot, _] if &table[dot.span.start..dot.span.end] == "." => {
            format!("{}{}", &table[..dot.span.end], quoted(name))
        }
        _ => quoted(name),
    }
}

/// Words joined by `_`, as migrations are called.
pub fn words(parts: &[&str]) -> String {
    let joined = parts.join("_").to_lowercase();
    let mut name = String::new();
    for letter in joined.chars() {
        match letter {
            'a'..='z' | '0'..='9' => name.push(letter),
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    name.trim_end_matches('_').chars().take(80).collect()
}

/// A step in a transaction with its neighbours.
pub fn step(name: String, sql: String, rollback: impl Into<String>) -> FixStep {
    FixStep { name, sql: ended(sql), rollback: rollback.into(), run: Run::InTransaction }
}

/// A step outside any transaction block.
pub fn alone(name: String, sql: String, rollback: impl Into<String>) -> FixStep {
    FixStep { name, sql: ended(sql), rollback: rollback.into(), run: Run::Alone }
}

fn ended(sql: String) -> String {
    if sql.is_empty() || sql.ends_with(';') { sql } else { sql + ";" }
}

/// Fully reserved keywords and those reserved as names,
/// <https://www.postgresql.org/docs/current/sql-keywords-appendix.html>.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];
