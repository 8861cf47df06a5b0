//! Constants that Postgres cannot read as a value of a type, or does not take for one.
//!
//! From the input functions of the types (`src/backend/utils/adt`), and `pg_cast` for what is no string. Silent about
//! whatever is not certain.

use serde::de::IgnoredAny;

use crate::{
    catalog::Catalog,
    sql::{
        change::{Operand, OperandKind, TypeKind},
        data_type::DataType,
        names::ObjectName,
    },
};

use super::{casts, types};

/// Whether a constant is refused where a column of this type is given it.
pub fn is_refused(catalog: &Catalog, data_type: &DataType, constant: &Operand) -> bool {
    if let Some(cast) = &constant.cast {
        let to = catalog.read_type(cast);
        return matches!(&constant.kind, OperandKind::Text(text) if is_unreadable(catalog, &to, text));
    }
    let array = |from: &str| data_type.array && types::is_built_in(data_type) && !from.is_empty();
    let from = match &constant.kind {
        OperandKind::Text(text) => return is_unreadable(catalog, data_type, text),
        OperandKind::Number(number) if number.contains(['.', 'e', 'E']) => "numeric",
        OperandKind::Number(_) => "integer",
        OperandKind::Boolean(_) => "boolean",
        OperandKind::Call(name) if name.parts.len() == 1 && catalog.routine(name).is_empty() => result_of(name.last()),
        _ => return false,
    };
    let plain = DataType { name: from.to_owned(), ..types::read("text") };
    !from.is_empty() && (array(from) || casts::is_refused(catalog, &plain, data_type))
}

/// What a function of Postgres's own gives.
fn result_of(function: &str) -> &'static str {
    match function {
        "now" | "current_timestamp" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" => {
            "timestamp with time zone"
        }
        "current_date" => "date",
        "gen_random_uuid" | "uuid_generate_v4" | "uuidv7" => "uuid",
        _ => "",
    }
}

/// Whether a string is no value of the type.
fn is_unreadable(catalog: &Catalog, data_type: &DataType, text: &str) -> bool {
    let trimmed = text.trim_matches(|it: char| it.is_ascii_whitespace() || it == '\x0b');
    if data_type.array {
        return !(trimmed.starts_with('{') || (trimmed.starts_with('[') && trimmed.contains("]=")));
    }
    match data_type.name.as_str() {
        "smallint" => !is_integer(trimmed, i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => !is_integer(trimmed, i64::from(i32::MIN), i64::from(i32::MAX)),
        "bigint" => !is_integer(trimmed, i64::MIN, i64::MAX),
        "numeric" | "real" | "double precision" => !is_number(trimmed),
        "boolean" => !is_boolean(trimmed),
        "uuid" => !is_uuid(text),
        "json" | "jsonb" => {
            !text.contains('\\')
                && serde_json::from_str::<IgnoredAny>(text).is_err_and(|it| it.is_syntax() || it.is_eof())
                && text.len() < 1000
        }
        "date" | "time" | "time with time zone" | "timestamp" | "timestamp with time zone" | "interval" => {
            let word = trimmed.to_ascii_lowercase();
            word.is_empty() || word.starts_with("0000-00-00") || word.starts_with("current_")
        }
        "inet" | "cidr" => trimmed.is_empty(),
        _ => match types::of(catalog, data_type) {
            Some(known) => match &known.kind {
                TypeKind::Enum { values } => {
                    let name = ObjectName::dotted(&data_type.name);
                    catalog.is_there(&name, known.origin) && !values.iter().any(|it| it == text)
                }
                _ => false,
            },
            None => false,
        },
    }
}

/// Also what only newer servers read: other bases, and `_` between digits.
fn is_integer(text: &str, least: i64, most: i64) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.starts_with(|it: char| it.is_ascii_digit()) {
        return false;
    }
    match digits.bytes().all(|it| it.is_ascii_digit()) {
        true => text.parse::<i64>().is_ok_and(|it| (least..=most).contains(&it)),
        false => {
            digits.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
                && digits.contains(['x', 'X', 'o', 'O', 'b', 'B', '_'])
        }
    }
}

/// Whatever begins like a number, or like `NaN` and `Infinity`, may be one.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    digits.starts_with(|it: char| it.is_ascii_digit() || it == '.')
        || digits.starts_with("nan")
        || digits.starts_with("inf")
}

fn is_boolean(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    ["true", "false", "yes", "no"].iter().any(|it| begins(it)) || ["on", "of", "off", "1", "0"].contains(&text.as_str())
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(|it| !matches!(it, b'-' | b'{' | b'}'));
    digits.clone().all(|it| it.is_ascii_hexdigit()) && digits.count() == 32
}

#[cfg(test)]
mod tests {
    use super::is_unreadable;
    use crate::{catalog::Catalog, lint::types::read};

    /// As PostgreSQL 15 was seen to read them, but for what is let pass.
    #[test]
    fn strings_are_read_as_postgres_reads_them() {
        let cases = [
            ("integer", " 12 ", false),
            ("integer", "-2147483648", false),
            ("integer", "2147483648", true),
            ("integer", "1.5", true),
            ("integer", "", true),
            ("integer", "0x1F", false),
            ("bigint", "1_000", false),
            ("boolean", "T", false),
            ("boolean", "of", false),
            ("boolean", "o", true),
            ("boolean", "maybe", true),
            ("boolean", " 1 ", false),
            ("uuid", "{00000000-0000-0000-0000-000000000000}", false),
            ("uuid", "00000000-0000-0000-0000-00000000000", true),
            ("jsonb", "{}", false),
            ("jsonb", "", true),
            ("json", "{a: 1}", true),
            ("json", "[1, \"x\", null]", false),
            ("text[]", "{}", false),
            ("text[]", "[]", true),
            ("int[]", "[0:1]={1,2}", false),
            ("numeric(10,2)", "1e3", false),
            ("numeric", "NaN", false),
            ("numeric", "x", true),
            ("timestamptz", "0000-00-00 00:00:00", true),
            ("timestamptz", "now()", false),
            ("timestamp", "CURRENT_TIMESTAMP", true),
            ("date", "today", false),
            ("text", "", false),
            ("citext", "", false),
        ];
        for (data_type, text, expected) in cases {
            assert_eq!(is_unreadable(&Catalog::default(), &read(data_type), text), expected, "{data_type}: {text}");
        }
    }
}
