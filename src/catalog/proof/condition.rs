//! A condition of a `CHECK`, read as far as Postgres's own prover looks: comparisons with constants, null tests, and
//! what `AND`, `OR`, `NOT`, `IN` and `BETWEEN` make of them.

use super::value::{Value, literal};
use crate::sql::{
    self,
    scan::{Token, TokenKind},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compared {
        subject: String,
        operator: Operator,
        value: Value,
    },
    Null {
        subject: String,
        is: Nullness,
    },
    /// Anything else: it implies nothing and is implied by nothing.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nullness {
    Null,
    NotNull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    NotEqual,
}

/// Deeper than anybody writes.
const DEEPEST: usize = 40;

/// Words that end what stands before them in a condition.
const BORDERS: [&str; 7] = ["is", "isnull", "notnull", "between", "in", "not", "like"];

/// Reads a condition. Total: what it does not know is [`Condition::Other`].
pub fn read(text: &str) -> Condition {
    let tokens = sql::tokens(text);
    condition(Slice { text, tokens: &tokens, first: 0 }, 0)
}

/// An expression as both sides of a comparison name it: folded, without spaces, outer brackets and casts to `text`.
pub fn subject(text: &str) -> String {
    let tokens = sql::tokens(text);
    Slice { text, tokens: &tokens, first: 0 }.subject()
}

/// Some tokens of a text; `first` is the index of the first of them among all, which partners count from.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub first: usize,
}

impl<'a> Slice<'a> {
    fn part(self, from: usize, to: usize) -> Self {
        Self { tokens: &self.tokens[from..to], first: self.first + from, ..self }
    }

    /// As written.
    pub fn of(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |it| &self.text[it.span.start..it.span.end])
    }

    /// Is it this keyword?
    pub fn says(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|it| it.kind == TokenKind::Word) && self.of(at).eq_ignore_ascii_case(word)
    }

    /// The index behind the token at `at`, or behind the bracket that it opens.
    fn behind(&self, at: usize) -> usize {
        let partner = self.tokens[at].partner;
        if partner > self.first + at && partner < self.first + self.tokens.len() {
            partner - self.first + 1
        } else {
            at + 1
        }
    }

    /// Without brackets around the whole.
    pub fn bare(self) -> Self {
        let mut inner = self;
        while inner.of(0) == "(" && inner.tokens.len() > 1 && inner.behind(0) == inner.tokens.len() {
            inner = inner.part(1, inner.tokens.len() - 1);
        }
        inner
    }

    /// Parts between what `is_border` says of tokens outside brackets.
    fn split(self, is_border: impl Fn(usize) -> bool) -> Vec<Self> {
        let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
        while at < self.tokens.len() {
            if is_border(at) {
                parts.push(self.part(start, at));
                start = at + 1;
            }
            at = self.behind(at);
        }
        parts.push(self.part(start, self.tokens.len()));
        parts
    }

    /// The first token outside brackets of which `is_it` is true.
    fn find(self, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = 0;
        while at < self.tokens.len() {
            if is_it(at) {
                return Some(at);
            }
            at = self.behind(at);
        }
        None
    }

    fn subject(self) -> String {
        let mut inner = self.bare();
        // What `pg_get_constraintdef` writes of a varchar: `(region)::text`.
        while let [.., colons, cast] = inner.tokens
            && inner.text.get(colons.span.start..colons.span.end) == Some("::")
            && is_text(&inner.text[cast.span.start..cast.span.end])
        {
            inner = inner.part(0, inner.tokens.len() - 2).bare();
        }
        let words = (0..inner.tokens.len()).map(|at| match inner.tokens[at].kind {
            TokenKind::Word => inner.of(at).to_ascii_lowercase(),
            TokenKind::Quoted => inner.of(at).trim_matches('"').replace("\"\"", "\""),
            _ => inner.of(at).to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn is_text(name: &str) -> bool {
    ["text", "varchar"].iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn condition(slice: Slice, depth: usize) -> Condition {
    let slice = slice.bare();
    if depth > DEEPEST || slice.tokens.is_empty() || slice.find(|at| slice.says(at, "case")).is_some() {
        return Condition::Other;
    }
    let deeper = |it: Slice| condition(it, depth + 1);
    let either = slice.split(|at| slice.says(at, "or"));
    if either.len() > 1 {
        return Condition::Any(either.into_iter().map(deeper).collect());
    }
    let both = slice.split(|at| slice.says(at, "and") && !belongs_to_between(slice, at));
    if both.len() > 1 {
        return Condition::All(both.into_iter().map(deeper).collect());
    }
    if slice.says(0, "not") {
        return deeper(slice.part(1, slice.tokens.len())).negated();
    }
    atom(slice)
}

/// `AND` behind `BETWEEN`: the first one does.
fn belongs_to_between(slice: Slice, and: usize) -> bool {
    let before = slice.part(0, and);
    let mut open = false;
    let mut at = 0;
    while at < before.tokens.len() {
        open = match () {
            () if before.says(at, "between") => true,
            () if before.says(at, "and") => false,
            () => open,
        };
        at = before.behind(at);
    }
    open
}

fn atom(slice: Slice) -> Condition {
    let all = slice.tokens.len();
    let is_border =
        |at: usize| at > 0 && (comparison(slice.of(at)).is_some() || BORDERS.iter().any(|it| slice.says(at, it)));
    let Some(at) = slice.find(is_border) else { return Condition::Other };
    let left = slice.part(0, at);
    if let Some(operator) = comparison(slice.of(at)) {
        return compared(left, operator, slice.part(at + 1, all));
    }
    let negative = usize::from(slice.says(at, "not"));
    let rest = slice.part(at + negative + 1, all);
    let word = slice.of(at + negative).to_ascii_lowercase();
    let found = match word.as_str() {
        "is" => return null_test(left, rest),
        "isnull" if rest.tokens.is_empty() => null(left, Nullness::Null),
        "notnull" if rest.tokens.is_empty() => null(left, Nullness::NotNull),
        "in" => Condition::Any(each(rest.bare()).map(|it| compared(left, Operator::Equal, it)).collect()),
        "between" => {
            let bounds = rest.split(|at| rest.says(at, "and"));
            let [low, high] = bounds.as_slice() else { return Condition::Other };
            Condition::All(vec![
                compared(left, Operator::GreaterOrEqual, *low),
                compared(left, Operator::LessOrEqual, *high),
            ])
        }
        _ => Condition::Other,
    };
    if negative == 1 { found.negated() } else { found }
}

/// The parts between commas.
fn each(list: Slice<'_>) -> impl Iterator<Item = Slice<'_>> {
    list.split(|at| list.of(at) == ",").into_iter()
}

/// Behind `IS`.
fn null_test(left: Slice, rest: Slice) -> Condition {
    let words = (0..rest.tokens.len()).map(|at| rest.of(at).to_ascii_lowercase()).collect::<Vec<_>>();
    let words = words.iter().map(String::as_str).collect::<Vec<_>>();
    match words.as_slice() {
        ["null"] | ["not", "distinct", "from", "null"] => null(left, Nullness::Null),
        ["not", "null"] | ["distinct", "from", "null"] => null(left, Nullness::NotNull),
        _ => Condition::Other,
    }
}

fn null(left: Slice, is: Nullness) -> Condition {
    Condition::Null { subject: left.subject(), is }
}

fn compared(left: Slice, operator: Operator, right: Slice) -> Condition {
    let right = right.bare();
    // `= ANY (ARRAY[…])`, `<> ALL (ARRAY[…])`: what `pg_get_constraintdef` writes of `IN`.
    let list = right.part(right.tokens.len().min(1), right.tokens.len());
    match operator {
        Operator::Equal if right.says(0, "any") => {
            return elements(list).map_or(Condition::Other, |all| {
                Condition::Any(all.into_iter().map(|it| compared(left, operator, it)).collect())
            });
        }
        Operator::NotEqual if right.says(0, "all") => {
            return elements(list).map_or(Condition::Other, |all| {
                Condition::All(all.into_iter().map(|it| compared(left, operator, it)).collect())
            });
        }
        _ => {}
    }
    match (literal(left.bare()), literal(right)) {
        (None, Some(value)) => Condition::Compared { subject: left.subject(), operator, value },
        (Some(value), None) => Condition::Compared { subject: right.subject(), operator: operator.turned(), value },
        (None, None) => {
            Condition::Compared { subject: left.subject(), operator, value: Value::written(&right.subject()) }
        }
        (Some(_), Some(_)) => Condition::Other,
    }
}

/// Of `(ARRAY[…])`, casts around it left out.
fn elements(list: Slice) -> Option<Vec<Slice>> {
    let mut inner = list.bare();
    while let Some(cast) = inner.find(|at| inner.of(at) == "::") {
        inner = inner.part(0, cast).bare();
    }
    if !inner.says(0, "array") || inner.of(1) != "[" || inner.behind(1) != inner.tokens.len() {
        return None;
    }
    Some(each(inner.part(2, inner.tokens.len() - 1)).collect())
}

fn comparison(text: &str) -> Option<Operator> {
    Some(match text {
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        "=" => Operator::Equal,
        ">=" => Operator::GreaterOrEqual,
        ">" => Operator::Greater,
        "<>" | "!=" => Operator::NotEqual,
        _ => return None,
    })
}

impl Operator {
    /// With its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
            Self::Equal | Self::NotEqual => self,
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Equal => Self::NotEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Greater => Self::LessOrEqual,
            Self::NotEqual => Self::Equal,
        }
    }
}

impl Condition {
    /// `NOT` of it.
    pub fn negated(self) -> Self {
        let each = |all: Vec<Self>| all.into_iter().map(Self::negated).collect();
        match self {
            Self::All(all) => Self::Any(each(all)),
            Self::Any(all) => Self::All(each(all)),
            Self::Compared { subject, operator, value } => {
                Self::Compared { subject, operator: operator.negated(), value }
            }
            Self::Null { subject, is: Nullness::Null } => Self::Null { subject, is: Nullness::NotNull },
            Self::Null { subject, is: Nullness::NotNull } => Self::Null { subject, is: Nullness::Null },
            Self::Other => Self::Other,
        }
    }
}
