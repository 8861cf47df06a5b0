//! A primary key as one string that orders as the key does: compared byte by byte, the strings stand in the
//! order in which the table is read. All ASCII, so that every comparison of strings anywhere agrees.

use std::fmt::{self, Write as _};

use super::value::Malformed;

/// How one column of a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// int2, int4, int8: `i` and 16 hex digits, biased so that negative numbers come first.
    Integer,
    /// 32 hex digits.
    Uuid,
    /// Text under `collate "C"`, whatever the column's type: bytes from `~` on as `~` and two hex digits.
    Text,
}

impl Part {
    /// By the OID of the column's type, domains resolved.
    pub fn of(oid: u32) -> Self {
        match oid {
            20 | 21 | 23 => Self::Integer,
            2950 => Self::Uuid,
            _ => Self::Text,
        }
    }
}

/// Writes a key from the binary values of its columns. A part of a composite key ends with U+0000, which no
/// Postgres text contains, so that a shorter text comes before a longer one whatever follows.
pub fn push_key<'a>(
    out: &mut String,
    parts: &[Part],
    values: impl Iterator<Item = Option<&'a [u8]>>,
) -> Result<(), Malformed> {
    for (part, raw) in parts.iter().zip(values) {
        push_part(out, *part, raw.ok_or(Malformed::Unknown)?)?;
        if parts.len() > 1 {
            out.push('\0');
        }
    }
    Ok(())
}

fn push_part(out: &mut String, part: Part, raw: &[u8]) -> Result<(), Malformed> {
    let written = match part {
        Part::Integer => {
            let number = match raw.len() {
                2 => i64::from(i16::from_be_bytes(raw.try_into().expect("two bytes"))),
                4 => i64::from(i32::from_be_bytes(raw.try_into().expect("four bytes"))),
                _ => i64::from_be_bytes(raw.try_into().map_err(|_| Malformed::Short)?),
            };
            write!(out, "i{:016x}", number.cast_unsigned() ^ (1 << 63))
        }
        Part::Uuid => raw.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
        Part::Text => push_escaped(out, raw),
    };
    written.expect("writing to a string does not fail");
    Ok(())
}

fn push_escaped(out: &mut String, raw: &[u8]) -> fmt::Result {
    raw.iter().try_for_each(|byte| match byte {
        0..0x7e => out.write_char(char::from(*byte)),
        _ => write!(out, "~{byte:02x}"),
    })
}

fn unescaped(piece: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(piece.len());
    let mut rest = piece;
    while let Some((plain, escaped)) = rest.split_once('~') {
        bytes.extend(plain.as_bytes());
        let (hex, behind) = escaped.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    Some(bytes)
}

/// The key in fewer bytes that stand in the same order: what was escaped is one byte again. About as long as the
/// key is at the source, whose index must hold it as well.
pub fn packed(key: &str) -> Vec<u8> {
    unescaped(key).unwrap_or_else(|| key.as_bytes().to_vec())
}

/// The key that [`packed`] was given.
pub fn unpacked(bytes: &[u8]) -> String {
    let mut key = String::with_capacity(bytes.len());
    push_escaped(&mut key, bytes).expect("writing to a string does not fail");
    key
}

/// The values of a key, as text that Postgres casts back; `None` when the key was not written by [`push_key`].
pub fn values(parts: &[Part], key: &str) -> Option<Vec<String>> {
    if parts.len() == 1 {
        return Some(vec![value(parts[0], key)?]);
    }
    let pieces: Vec<&str> = key.strip_suffix('\0')?.split('\0').collect();
    if pieces.len() != parts.len() {
        return None;
    }
    parts.iter().zip(pieces).map(|(part, piece)| value(*part, piece)).collect()
}

fn value(part: Part, piece: &str) -> Option<String> {
    match part {
        Part::Integer => {
            let biased = u64::from_str_radix(piece.strip_prefix('i')?, 16).ok()?;
            Some((biased ^ (1 << 63)).cast_signed().to_string())
        }
        Part::Uuid => Some(piece.to_owned()),
        Part::Text => String::from_utf8(unescaped(piece)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, proptest};

    use super::{Part, packed, push_key, unpacked, values};

    fn key(parts: &[Part], values: &[&[u8]]) -> String {
        let mut out = String::new();
        push_key(&mut out, parts, values.iter().map(|it| Some(*it))).unwrap();
        out
    }

    #[test]
    fn keys_are_plain_ascii() {
        for (parts, values, expected) in [
            (&[Part::Integer][..], &[&1_i32.to_be_bytes()[..]][..], "i8000000000000001"),
            (&[Part::Integer], &[&i64::MIN.to_be_bytes()], "i0000000000000000"),
            (&[Part::Integer], &[&(-1_i16).to_be_bytes()], "i7fffffffffffffff"),
            (&[Part::Uuid], &[&[0xab; 16]], "abababababababababababababababab"),
            (&[Part::Text], &["a~é".as_bytes()], "a~7e~c3~a9"),
            (&[Part::Text, Part::Text], &[b"a", b""], "a\0\0"),
        ] {
            assert_eq!(key(parts, values), expected);
        }
    }

    #[test]
    fn a_null_in_a_key_is_refused() {
        assert!(push_key(&mut String::new(), &[Part::Text], [None].into_iter()).is_err());
    }

    proptest! {
        #[test]
        fn keys_order_as_their_values_do(
            one in (any::<i64>(), "[a-c~}\u{1}é😀\u{7f}]{0,3}", any::<[u8; 16]>(), any::<i16>()),
            other in (any::<i64>(), "[a-c~}\u{1}é😀\u{7f}]{0,3}", any::<[u8; 16]>(), any::<i16>()),
            texts in vec("[a-c~\u{1}é]{0,3}", 2),
        ) {
            let check = |parts: &[Part], a: &[&[u8]], b: &[&[u8]], order| {
                assert_eq!(key(parts, a).cmp(&key(parts, b)), order, "{parts:?}");
            };
            check(&[Part::Integer], &[&one.0.to_be_bytes()], &[&other.0.to_be_bytes()], one.0.cmp(&other.0));
            check(&[Part::Text], &[one.1.as_bytes()], &[other.1.as_bytes()], one.1.as_bytes().cmp(other.1.as_bytes()));
            check(&[Part::Uuid], &[&one.2], &[&other.2], one.2.cmp(&other.2));
            check(
                &[Part::Text, Part::Integer, Part::Text],
                &[one.1.as_bytes(), &one.3.to_be_bytes(), texts[0].as_bytes()],
                &[other.1.as_bytes(), &other.3.to_be_bytes(), texts[1].as_bytes()],
                (&one.1, one.3, &texts[0]).cmp(&(&other.1, other.3, &texts[1])),
            );
            let parts = [Part::Text, Part::Integer];
            let written = key(&parts, &[one.1.as_bytes(), &one.0.to_be_bytes()]);
            assert_eq!(values(&parts, &written), Some(vec![one.1.clone(), one.0.to_string()]));
            let (packed, others) = (packed(&written), packed(&key(&parts, &[other.1.as_bytes(), &other.0.to_be_bytes()])));
            assert_eq!(packed.cmp(&others), (&one.1, one.0).cmp(&(&other.1, other.0)));
            assert_eq!(unpacked(&packed), written);
        }
    }
}
