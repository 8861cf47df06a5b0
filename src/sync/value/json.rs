//! JSON from Postgres as a Convex value, when it fits: keys are printable ASCII without a leading `$`, numbers
//! survive as doubles, and depth, arrays and objects are within Convex's limits.

use std::{borrow::Cow, collections::HashSet};

use super::{ARRAY_ELEMENTS, push_number, push_string};

/// Convex allows 16 levels with the document, which is the first.
const DEPTH: usize = 15;

const FIELDS: usize = 1024;
const KEY_CHARACTERS: usize = 1024;

/// Whether an object may have a key twice: `json` keeps the text as it came, `jsonb` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Unique,
    MayRepeat,
}

/// Writes the value and returns its Convex size; `None` when it does not fit, with some of it written.
pub(super) fn push_structured(out: &mut String, text: &str, keys: Keys) -> Option<usize> {
    let mut reader = Reader { rest: text, keys };
    let size = reader.value(out, 0)?;
    reader.skip_space();
    reader.rest.is_empty().then_some(size)
}

struct Reader<'a> {
    rest: &'a str,
    keys: Keys,
}

impl<'a> Reader<'a> {
    fn value(&mut self, out: &mut String, depth: usize) -> Option<usize> {
        self.skip_space();
        match self.rest.as_bytes().first()? {
            b'{' if depth < DEPTH => self.object(out, depth + 1),
            b'[' if depth < DEPTH => self.array(out, depth + 1),
            b'"' => Some(push_string(out, &self.string()?).size),
            b't' => self.word(out, "true"),
            b'f' => self.word(out, "false"),
            b'n' => self.word(out, "null"),
            b'-' | b'0'..=b'9' => self.number(out),
            _ => None,
        }
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Option<usize> {
        let mut size = 2;
        let mut seen = HashSet::new();
        self.take('{').then(|| out.push('{'))?;
        if self.take('}') {
            out.push('}');
            return Some(size);
        }
        for count in 1.. {
            self.skip_space();
            let key = self.string()?;
            let is_new = self.keys == Keys::Unique || seen.insert(key.clone());
            if !is_new || count > FIELDS || !is_key(&key) {
                return None;
            }
            size += push_string(out, &key).size - 1;
            self.take(':').then(|| out.push(':'))?;
            size += self.value(out, depth)?;
            if self.take('}') {
                out.push('}');
                break;
            }
            self.take(',').then(|| out.push(','))?;
        }
        Some(size)
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Option<usize> {
        let mut size = 2;
        self.take('[').then(|| out.push('['))?;
        if self.take(']') {
            out.push(']');
            return Some(size);
        }
        for count in 1.. {
            if count > ARRAY_ELEMENTS {
                return None;
            }
            size += self.value(out, depth)?;
            if self.take(']') {
                out.push(']');
                break;
            }
            self.take(',').then(|| out.push(','))?;
        }
        Some(size)
    }

    fn word(&mut self, out: &mut String, word: &str) -> Option<usize> {
        self.rest = self.rest.strip_prefix(word)?;
        out.push_str(word);
        Some(1)
    }

    fn number(&mut self, out: &mut String) -> Option<usize> {
        let end = self.rest.find(|it: char| !matches!(it, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let number: f64 = text.parse().ok()?;
        // The shortest text that reads back as this double must be the same number that Postgres holds.
        (number.is_finite() && Decimal::of(text)? == Decimal::of(&format!("{number:e}"))?)
            .then(|| push_number(out, number).size)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let mut end = 1;
        let mut is_plain = true;
        while *bytes.get(end)? != b'"' {
            if bytes[end] == b'\\' {
                is_plain = false;
                end += 1;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at_checked(end + 1)?;
        self.rest = rest;
        if is_plain { Some(Cow::Borrowed(&text[1..end])) } else { serde_json::from_str(text).ok().map(Cow::Owned) }
    }

    fn take(&mut self, expected: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= KEY_CHARACTERS && !key.starts_with('$') && key.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// A decimal number without its many ways of being written: 1, 1.0 and 10e-1 are equal.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end.
    digits: String,
    /// Of the last digit.
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (text, 0_i64),
        };
        let is_negative = mantissa.starts_with('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = all.trim_end_matches('0');
        let exponent = exponent - i64::try_from(fraction.len()).ok()? + i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative, digits, exponent: 0 });
        }
        Some(Self { is_negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, push_structured};

    fn structured(text: &str, keys: Keys) -> Option<String> {
        let mut out = String::new();
        push_structured(&mut out, text, keys).map(|_| out)
    }

    #[test]
    fn what_convex_can_hold_is_written_compact() {
        for (text, expected) in [
            ("null", "null"),
            (" { } ", "{}"),
            ("[]", "[]"),
            (r#"{"a": [1, 1.50, -2e3, 0.1, true], "": "x"}"#, r#"{"a":[1,1.5,-2000,0.1,true],"":"x"}"#),
            (r#"{"\u0061": "\u00e9\/"}"#, r#"{"a":"é/"}"#),
            ("9007199254740992", "9007199254740992.0"),
            ("1e300", "1e300"),
            (r#"{"a": {"_b": 1}}"#, r#"{"a":{"_b":1}}"#),
        ] {
            assert_eq!(structured(text, Keys::Unique).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_convex_cannot_hold_is_left_to_text() {
        let deep = format!("{}1{}", "[".repeat(16), "]".repeat(16));
        let wide = format!("[{}1]", "1,".repeat(8192));
        let fields: String = (0..1025).map(|it| format!("\"k{it}\":1,")).collect();
        let many = format!("{{{fields}\"z\":1}}");
        for text in [
            r#"{"$bytes": "AAAA"}"#,
            r#"{"a": {"$x": 1}}"#,
            r#"{"é": 1}"#,
            "9007199254740993",
            "0.1234567890123456789",
            "1e400",
            r#""\ud800""#,
            "[1",
            "1 2",
            "",
            &deep,
            &wide,
            &many,
        ] {
            assert_eq!(structured(text, Keys::Unique), None, "{text}");
        }
        assert!(structured(&deep[1..deep.len() - 1], Keys::Unique).is_some());
        assert_eq!(structured(r#"{"a":1,"a":2}"#, Keys::MayRepeat), None);
        assert_eq!(structured(r#"{"a":1,"b":2}"#, Keys::MayRepeat).as_deref(), Some(r#"{"a":1,"b":2}"#));
    }
}
