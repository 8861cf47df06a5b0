//! A Postgres value as a Convex value: from the bytes of the binary protocol straight to Convex-encoded JSON
//! (<https://docs.convex.dev/database/types>), and its size by Convex's formula.
//!
//! Nothing is lost: what a Convex number cannot hold exactly becomes an `$integer` or a string in Postgres's form.

mod decimal;
mod json;
mod moment;

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use thiserror::Error;

/// Convex: the most elements an array may have.
pub const ARRAY_ELEMENTS: usize = 8192;

/// How a column is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Types whose binary form is their text: text, varchar, bpchar, name; and whatever is selected as `::text`.
    Text,
    Uuid,
    TimestampTz,
    Timestamp,
    Date,
    Time,
    Bytea,
    Json,
    Jsonb,
}

impl Kind {
    /// The kind of a built-in type by its OID in `pg_type.dat`; types not listed are selected as `::text`.
    pub fn of(oid: u32) -> Option<Self> {
        Some(match oid {
            16 => Self::Bool,
            17 => Self::Bytea,
            19 | 25 | 1042 | 1043 => Self::Text,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            26 => Self::Oid,
            114 => Self::Json,
            700 => Self::Float4,
            701 => Self::Float8,
            1082 => Self::Date,
            1083 => Self::Time,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            1700 => Self::Numeric,
            2950 => Self::Uuid,
            3802 => Self::Jsonb,
            _ => return None,
        })
    }
}

/// A value that is not what its type promises. Holds no part of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("the server's answer ends too early")]
    Short,
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the binary form is not one that this version knows")]
    Unknown,
}

/// What writing a value came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrote {
    /// In bytes, as Convex counts.
    pub size: usize,
    /// JSON that Convex cannot hold as it is: written as a string.
    pub is_json_as_text: bool,
}

impl Wrote {
    fn size(size: usize) -> Self {
        Self { size, is_json_as_text: false }
    }
}

/// The size of a document as Convex counts it: with `_id`, `_creationTime` and our own `neon`. `values` is the size
/// of the fields with their names.
pub fn document_size(values: usize, key: &str) -> usize {
    /// `_id` takes 37 to 43 bytes, `_creationTime` 23.
    const SYSTEM: usize = 64 + 2;
    /// `neon: { key, hash, deletedAt }`, without the key itself and with a time of deletion, RFC 3339 with
    /// nanoseconds.
    const STAMP: usize =
        ("neon".len() + 1 + 2) + ("key".len() + 1 + 2) + ("hash".len() + 1 + 2 + 16) + ("deletedAt".len() + 1 + 2 + 30);
    values + SYSTEM + STAMP + key.len()
}

/// Writes one value; `raw` is `None` for NULL, which is written as `null`, never left out.
pub fn push_value(out: &mut String, kind: Kind, raw: Option<&[u8]>) -> Result<Wrote, Malformed> {
    let Some(raw) = raw else { return Ok(push_null(out)) };
    Ok(match kind {
        Kind::Bool => {
            out.push_str(if fixed::<1>(raw)? == [0] { "false" } else { "true" });
            Wrote::size(1)
        }
        Kind::Int2 => push_display(out, i16::from_be_bytes(fixed(raw)?)),
        Kind::Int4 => push_display(out, i32::from_be_bytes(fixed(raw)?)),
        Kind::Int8 => push_integer(out, i64::from_be_bytes(fixed(raw)?)),
        Kind::Oid => push_integer(out, i64::from(u32::from_be_bytes(fixed(raw)?))),
        Kind::Float4 => push_number(out, widened(f32::from_be_bytes(fixed(raw)?))),
        Kind::Float8 => push_number(out, f64::from_be_bytes(fixed(raw)?)),
        Kind::Numeric => push_string(out, &decimal::text(raw)?),
        Kind::Text => push_string(out, utf8(raw)?),
        Kind::Uuid => push_string(out, &uuid::Uuid::from_bytes(fixed(raw)?).hyphenated().to_string()),
        Kind::TimestampTz => push_string(out, &moment::timestamp(i64::from_be_bytes(fixed(raw)?), moment::Zone::Utc)),
        Kind::Timestamp => push_string(out, &moment::timestamp(i64::from_be_bytes(fixed(raw)?), moment::Zone::None)),
        Kind::Date => push_string(out, &moment::date(i32::from_be_bytes(fixed(raw)?))),
        Kind::Time => push_string(out, &moment::time(i64::from_be_bytes(fixed(raw)?))),
        Kind::Bytea => push_bytes(out, raw),
        Kind::Json => push_json(out, utf8(raw)?, json::Keys::MayRepeat),
        Kind::Jsonb => match raw.split_first() {
            Some((1, text)) => push_json(out, utf8(text)?, json::Keys::Unique),
            Some(_) => return Err(Malformed::Unknown),
            None => return Err(Malformed::Short),
        },
    })
}

/// Writes an array, nested when it has several dimensions. The caller has seen to it that lower bounds are 1 and
/// no dimension is above [`ARRAY_ELEMENTS`]; such arrays are written as text.
pub fn push_array(out: &mut String, element: Kind, raw: &[u8]) -> Result<Wrote, Malformed> {
    let mut rest = raw;
    let dimensions = take_i32(&mut rest)?;
    let (_has_null, _element_type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(take_i32(&mut rest)?);
        let _lower_bound = take_i32(&mut rest)?;
    }
    if lengths.is_empty() {
        out.push_str("[]");
        return Ok(Wrote::size(2));
    }
    push_dimension(out, element, &lengths, &mut rest)
}

fn push_dimension(out: &mut String, element: Kind, lengths: &[i32], rest: &mut &[u8]) -> Result<Wrote, Malformed> {
    let Some((length, inner)) = lengths.split_first() else {
        let length = take_i32(rest)?;
        let Ok(length) = usize::try_from(length) else { return Ok(push_null(out)) };
        let (raw, behind) = rest.split_at_checked(length).ok_or(Malformed::Short)?;
        *rest = behind;
        return push_value(out, element, Some(raw));
    };
    let mut size = 2;
    out.push('[');
    for index in 0..*length {
        if index > 0 {
            out.push(',');
        }
        size += push_dimension(out, element, inner, rest)?.size;
    }
    out.push(']');
    Ok(Wrote::size(size))
}

pub fn push_null(out: &mut String) -> Wrote {
    out.push_str("null");
    Wrote::size(1)
}

/// Writes a string in JSON; the same escapes as `serde_json`.
pub fn push_string(out: &mut String, text: &str) -> Wrote {
    out.push('"');
    let mut plain = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..index]);
        plain = index + 1;
        if escape.is_empty() {
            push_formatted(out, format_args!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
    Wrote::size(text.len() + 2)
}

/// Writes a Convex Float64: whole numbers without a fraction, others with the fewest digits that read back the same.
pub fn push_number(out: &mut String, number: f64) -> Wrote {
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    if !number.is_finite() || is_negative_zero {
        let canonical = if number.is_nan() { f64::NAN } else { number };
        push_formatted(out, format_args!("{{\"$float\":\"{}\"}}", BASE64_STANDARD.encode(canonical.to_le_bytes())));
    } else if number.fract() == 0.0 && number.abs() < 1e15 {
        push_formatted(out, format_args!("{number:.0}"));
    } else {
        push_formatted(out, format_args!("{number:?}"));
    }
    Wrote::size(9)
}

fn push_integer(out: &mut String, integer: i64) -> Wrote {
    push_formatted(out, format_args!("{{\"$integer\":\"{}\"}}", BASE64_STANDARD.encode(integer.to_le_bytes())));
    Wrote::size(9)
}

fn push_bytes(out: &mut String, bytes: &[u8]) -> Wrote {
    out.push_str("{\"$bytes\":\"");
    BASE64_STANDARD.encode_string(bytes, out);
    out.push_str("\"}");
    Wrote::size(bytes.len() + 2)
}

fn push_json(out: &mut String, text: &str, keys: json::Keys) -> Wrote {
    let start = out.len();
    match json::push_structured(out, text, keys) {
        Some(size) => Wrote::size(size),
        None => {
            out.truncate(start);
            Wrote { is_json_as_text: true, ..push_string(out, text) }
        }
    }
}

fn push_display(out: &mut String, number: impl std::fmt::Display) -> Wrote {
    push_formatted(out, format_args!("{number}"));
    Wrote::size(9)
}

fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}

/// By its shortest decimal: 0.1 stays 0.1.
fn widened(number: f32) -> f64 {
    if number.is_finite() { number.to_string().parse().expect("a printed number parses") } else { f64::from(number) }
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], Malformed> {
    raw.try_into().map_err(|_| Malformed::Short)
}

fn utf8(raw: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(raw).map_err(|_| Malformed::NotUtf8)
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Malformed> {
    let (number, behind) = rest.split_first_chunk().ok_or(Malformed::Short)?;
    *rest = behind;
    Ok(i32::from_be_bytes(*number))
}

fn take_i16(rest: &mut &[u8]) -> Result<i16, Malformed> {
    let (number, behind) = rest.split_first_chunk().ok_or(Malformed::Short)?;
    *rest = behind;
    Ok(i16::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Malformed, push_array, push_number, push_string, push_value};

    fn written(kind: Kind, raw: &[u8]) -> (String, usize) {
        let mut out = String::new();
        let wrote = push_value(&mut out, kind, Some(raw)).unwrap();
        (out, wrote.size)
    }

    #[test]
    fn values_become_convex_encoded_json_with_convex_sizes() {
        for (kind, raw, expected, size) in [
            (Kind::Bool, vec![1], "true", 1),
            (Kind::Int2, (-7_i16).to_be_bytes().to_vec(), "-7", 9),
            (Kind::Int4, i32::MIN.to_be_bytes().to_vec(), "-2147483648", 9),
            (Kind::Int8, 9_007_199_254_740_993_i64.to_be_bytes().to_vec(), r#"{"$integer":"AQAAAAAAIAA="}"#, 9),
            (Kind::Oid, u32::MAX.to_be_bytes().to_vec(), r#"{"$integer":"/////wAAAAA="}"#, 9),
            (Kind::Float4, 0.1_f32.to_be_bytes().to_vec(), "0.1", 9),
            (Kind::Float4, f32::MIN_POSITIVE.to_be_bytes().to_vec(), "1.1754944e-38", 9),
            (Kind::Text, "é\"\n".as_bytes().to_vec(), r#""é\"\n""#, 6),
            (Kind::Bytea, vec![0, 255], r#"{"$bytes":"AP8="}"#, 4),
            (Kind::Json, b"{\"a\" : [1, 2.50]}".to_vec(), r#"{"a":[1,2.5]}"#, 2 + 2 + 2 + 18),
            (Kind::Jsonb, b"\x01{\"$a\": 1}".to_vec(), r#""{\"$a\": 1}""#, 11),
        ] {
            assert_eq!(written(kind, &raw), (expected.to_owned(), size), "{kind:?}");
        }
    }

    #[test]
    fn numbers_are_short_and_special_ones_are_marked() {
        for (number, expected) in [
            (5.0, "5"),
            (-1.5, "-1.5"),
            (1e300, "1e300"),
            (0.1 + 0.2, "0.30000000000000004"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (f64::NAN, r#"{"$float":"AAAAAAAA+H8="}"#),
            (f64::INFINITY, r#"{"$float":"AAAAAAAA8H8="}"#),
            (f64::NEG_INFINITY, r#"{"$float":"AAAAAAAA8P8="}"#),
            (-0.0, r#"{"$float":"AAAAAAAAAIA="}"#),
            (0.0, "0"),
        ] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        let all: String = ('\u{0}'..'\u{180}').chain(['\u{2028}', '\u{ffff}', '😀']).collect();
        let mut out = String::new();
        push_string(&mut out, &all);
        assert_eq!(out, serde_json::to_string(&all).unwrap());
    }

    #[test]
    fn arrays_nest_and_keep_null_elements() {
        let mut raw = Vec::new();
        for number in [2_i32, 1, 23, 2, 1, 1, 1, 4, 7, -1] {
            raw.extend(number.to_be_bytes());
        }
        let mut out = String::new();
        assert_eq!(push_array(&mut out, Kind::Int4, &raw).unwrap().size, 2 + (2 + 9) + (2 + 1));
        assert_eq!(out, "[[7],[null]]");
        assert_eq!(push_array(&mut out, Kind::Int4, &raw[..raw.len() - 2]), Err(Malformed::Short));
    }

    #[test]
    fn a_malformed_value_is_an_error_and_no_panic() {
        for kind in
            [Kind::Bool, Kind::Int8, Kind::Float4, Kind::Numeric, Kind::Uuid, Kind::Date, Kind::Time, Kind::Jsonb]
        {
            assert!(push_value(&mut String::new(), kind, Some(&[])).is_err(), "{kind:?}");
        }
        assert_eq!(push_value(&mut String::new(), Kind::Text, Some(&[0xff])), Err(Malformed::NotUtf8));
    }
}
