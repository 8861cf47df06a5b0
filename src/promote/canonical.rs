//! JSON in the one form of RFC 8785 (JCS): the same value is always the same bytes, so it can be hashed.
//!
//! Members are sorted by the UTF-16 code units of their names, nothing stands between tokens, strings are
//! escaped only where they must be, and numbers are written as ECMAScript writes a double.

use serde_json::{Map, Number, Value};

/// `value` in canonical form. Numbers are doubles here (RFC 8785 §3.2.2.3): whole numbers beyond 2^53 lose
/// digits, so write those as strings.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&double(number)),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => write_members(members, out),
    }
}

fn write_members(members: &Map<String, Value>, out: &mut String) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    out.push('{');
    for (index, (name, member)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        write(member, out);
    }
    out.push('}');
}

/// serde_json escapes exactly what RFC 8785 §3.2.2.2 wants escaped, in the same spelling.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

/// ECMAScript's `Number::toString`: the shortest digits that read back as the same double, with an exponent
/// only from 1e21 up and below 1e-6.
fn double(number: &Number) -> String {
    let value = number.as_f64().expect("without arbitrary precision every JSON number is a double");
    if value == 0.0 {
        return "0".to_string();
    }
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').expect("`{:e}` writes an exponent");
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", placed(&digits, exponent + 1))
}

/// `digits` with the decimal point after the first `point` of them.
fn placed(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    let repeat = |zeros: i32| "0".repeat(usize::try_from(zeros).unwrap_or(0));
    match point {
        22.. | ..=-6 => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent = point - 1;
            let plus = if exponent > 0 { "+" } else { "" };
            format!("{first}{dot}{rest}e{plus}{exponent}")
        }
        _ if point >= count => format!("{digits}{}", repeat(point - count)),
        1.. => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).expect("it is positive here"));
            format!("{whole}.{fraction}")
        }
        _ => format!("0.{}{digits}", repeat(-point)),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    fn check(json: &str, expected: &str) {
        let value = serde_json::from_str(json).unwrap();
        assert_eq!(canonical(&value), expected, "{json}");
        let again = serde_json::from_str(expected).unwrap();
        assert_eq!(canonical(&again), expected, "not a fixed point: {expected}");
    }

    #[test]
    fn values_have_one_form() {
        for (json, expected) in [
            (r#" { "b" : 1 , "a" : [ true , null , { } ] } "#, r#"{"a":[true,null,{}],"b":1}"#),
            (r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#, r#""€$\u000f\nA'B\"\\\\\"/""#),
            (r#""\b\t\n\f\r\u0000\u001f\u007f\u2028""#, "\"\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}\u{2028}\""),
            // RFC 8785 §3.2.3: sorted by UTF-16, so the emoji stands before U+FB33.
            (
                r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
                "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
            ),
        ] {
            check(json, expected);
        }
    }

    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        for (json, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-7", "-7"),
            ("9007199254740992", "9007199254740992"),
            ("333333333.33333329", "333333333.3333333"),
            ("1E30", "1e+30"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("0.000000000000000000000000001", "1e-27"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("123456.789e-12", "1.23456789e-7"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("-0.0000033333333333333333", "-0.0000033333333333333333"),
        ] {
            check(json, expected);
        }
    }
}
