//! Constants in conditions and bounds, and how two of them stand to each other.

use std::cmp::Ordering;

use super::condition::Slice;
use crate::sql::{
    data_type::{self, DataType},
    scan::TokenKind,
};

/// A constant. Its text may be a secret: it is compared, never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    text: String,
    form: Form,
    /// The type of the cast around it, by its plain name.
    cast: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Null,
    /// A constant that is not read, such as `now() + '1 day'`: equal to itself.
    Written,
}

/// How one constant stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Ordered(Ordering),
    /// Not the same, and in an order that only the server's collation tells.
    Different,
    Unknown,
}

impl Value {
    pub fn written(text: &str) -> Self {
        Self { text: text.to_owned(), form: Form::Written, cast: None }
    }

    pub fn is_null(&self) -> bool {
        self.form == Form::Null
    }

    /// How it stands to another in a column of this type.
    pub fn standing(&self, other: &Self, of: Option<&DataType>) -> Standing {
        if self.is_null() || other.is_null() {
            return Standing::Unknown;
        }
        if self.form == Form::Written || other.form == Form::Written {
            let same = self.form == other.form && self.text == other.text;
            return if same { Standing::Ordered(Ordering::Equal) } else { Standing::Unknown };
        }
        let family = of.map_or_else(|| self.family(), Family::of);
        let fits = |it: &Self| it.cast.as_deref().is_none_or(|cast| family.takes(cast, of));
        if !fits(self) || !fits(other) {
            return Standing::Unknown;
        }
        match family {
            Family::Integer | Family::Number => ordered(number(&self.text, family), number(&other.text, family)),
            Family::Moment | Family::Instant => ordered(moment(&self.text), moment(&other.text)),
            Family::Other if self.text == other.text => Standing::Ordered(Ordering::Equal),
            Family::Other => Standing::Different,
        }
    }

    /// What it looks like where no file says what the column is.
    fn family(&self) -> Family {
        match self.form {
            Form::Number => Family::Number,
            _ if moment(&self.text).is_some() => Family::Instant,
            _ => Family::Other,
        }
    }
}

fn ordered<T: Ord>(one: Option<T>, other: Option<T>) -> Standing {
    match (one, other) {
        (Some(one), Some(other)) => Standing::Ordered(one.cmp(&other)),
        _ => Standing::Unknown,
    }
}

/// Types whose constants compare among each other without the session's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Integer,
    Number,
    /// `date` and `timestamp`.
    Moment,
    /// `timestamptz`; a constant without a zone is taken for UTC's.
    Instant,
    /// Text, uuid, enums, …: only equality is known.
    Other,
}

impl Family {
    fn of(data_type: &DataType) -> Self {
        match data_type.name.as_str() {
            _ if data_type.array => Self::Other,
            "smallint" | "integer" | "bigint" => Self::Integer,
            "numeric" | "real" | "double precision" => Self::Number,
            "date" | "timestamp" => Self::Moment,
            "timestamp with time zone" => Self::Instant,
            _ => Self::Other,
        }
    }

    /// Does the operator that a cast of the constant leads to belong to the column's operator family?
    fn takes(self, cast: &str, of: Option<&DataType>) -> bool {
        match self {
            Self::Integer => matches!(cast, "smallint" | "integer" | "bigint"),
            Self::Number => matches!(cast, "smallint" | "integer" | "bigint" | "numeric" | "double precision" | "real"),
            Self::Moment => matches!(cast, "date" | "timestamp"),
            Self::Instant if of.is_none() => matches!(cast, "date" | "timestamp" | "timestamp with time zone"),
            Self::Instant => cast == "timestamp with time zone",
            Self::Other => of.is_none_or(|it| it.name == cast) || matches!(cast, "text" | "character varying"),
        }
    }
}

/// Sign and digits, scaled to nine places behind the point; an integer has none.
fn number(text: &str, family: Family) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let rest = rest.trim_end_matches('0');
    if rest.len() > 9 || (family == Family::Integer && digits.contains('.')) || (whole.is_empty() && rest.is_empty()) {
        return None;
    }
    let scaled = format!("{whole}{rest:0<9}");
    let value = scaled.bytes().all(|it| it.is_ascii_digit()).then(|| scaled.parse::<i128>().ok())??;
    Some(if negative { -value } else { value })
}

/// Microseconds since the year 0 of `2024-01-31`, `2024-01-31 12:00:00.5+02`, `infinity`.
fn moment(text: &str) -> Option<i128> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "infinity" => return Some(i128::MAX),
        "-infinity" => return Some(i128::MIN),
        _ => {}
    }
    let (date, time) = text.split_at_checked(10)?;
    let mut parts = date.split('-').map(|it| it.parse::<i128>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || date.as_bytes().get(4) != Some(&b'-') || date.as_bytes().get(7) != Some(&b'-') {
        return None;
    }
    let seconds = clock(time.strip_prefix(['T', 't', ' ']).unwrap_or(time).trim())?;
    Some(days(year, month, day) * 86_400_000_000 + seconds)
}

/// Days of the Gregorian calendar before this one, counted from March so that a leap day ends its year.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
}

/// Microseconds of `12:00`, `12:00:00.5`, `12:00:00+02`, `12:00:00Z`; none for nothing.
fn clock(text: &str) -> Option<i128> {
    let text = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("UTC")).unwrap_or(text).trim();
    let (time, zone) = match text.find(['+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let behind = zone.starts_with('-');
    let offset = sexagesimal(zone.trim_start_matches(['+', '-']))?;
    let time = sexagesimal(time.trim())?;
    Some(if behind { time + offset } else { time - offset })
}

/// Microseconds of `hours:minutes:seconds.fraction`, each but the first optional.
fn sexagesimal(text: &str) -> Option<i128> {
    if text.is_empty() {
        return Some(0);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut unit = 3_600_000_000;
    let mut total = 0;
    for part in whole.split(':') {
        total += part.parse::<i128>().ok().filter(|it| (0..100).contains(it))? * unit;
        unit /= 60;
    }
    let fraction = fraction.trim_end_matches('0');
    let micros = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").get(..6)?.parse::<i128>().ok()? };
    Some(total + micros)
}

/// The constant that some tokens are: a string, a number, `NULL`, `TRUE`; with a cast or a sign.
pub fn literal(slice: Slice) -> Option<Value> {
    let slice = slice.bare();
    let end = slice.tokens.len();
    let cast = (0..end).rev().find(|at| slice.of(*at) == "::");
    if let Some(at) = cast {
        let inner = literal(Slice { tokens: &slice.tokens[..at], ..slice })?;
        return Some(Value { cast: Some(type_of(slice, at + 1, end)), ..inner });
    }
    if slice.says(0, "cast") && slice.of(1) == "(" && slice.of(end - 1) == ")" {
        let within = 2..end - 1;
        let at = within.clone().rev().find(|at| slice.says(*at, "as"))?;
        let inner = literal(Slice { tokens: &slice.tokens[2..at], first: slice.first + 2, ..slice })?;
        return Some(Value { cast: Some(type_of(slice, at + 1, within.end)), ..inner });
    }
    let last = slice.tokens.last()?;
    let written = slice.of(end - 1);
    match (last.kind, end) {
        (TokenKind::String, _) => {
            let words = slice.tokens[..end - 1].iter().all(|it| it.kind == TokenKind::Word);
            let text = written.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
            let cast = (end > 1).then(|| type_of(slice, 0, end - 1));
            words.then_some(Value { text, form: Form::Text, cast })
        }
        (TokenKind::Number, 1) => Some(Value { text: written.to_owned(), form: Form::Number, cast: None }),
        (TokenKind::Number, 2) if matches!(slice.of(0), "-" | "+") => {
            Some(Value { text: format!("{}{written}", slice.of(0)), form: Form::Number, cast: None })
        }
        (TokenKind::Word, 1) => match written.to_ascii_lowercase().as_str() {
            "null" => Some(Value { text: String::new(), form: Form::Null, cast: None }),
            it @ ("true" | "false") => Some(Value { text: it.to_owned(), form: Form::Text, cast: None }),
            _ => None,
        },
        _ => None,
    }
}

fn type_of(slice: Slice, from: usize, to: usize) -> String {
    let words = (from..to).map(|at| slice.of(at).to_ascii_lowercase()).collect::<Vec<_>>();
    data_type::read(&words.join(" ")).name
}
