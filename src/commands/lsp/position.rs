//! Bytes of a text, and places as editors count them: lines and UTF-16 code units, both from 0.

use serde_json::{Value, json};

/// The place of a byte; one behind the end is the end.
pub fn position(text: &str, offset: usize) -> Value {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line = text[..start].matches('\n').count();
    json!({ "line": line, "character": text[start..offset].encode_utf16().count() })
}

/// The byte of a place; behind a line's end is its end.
pub fn offset(text: &str, position: &Value) -> usize {
    let number = |name: &str| usize::try_from(position[name].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
    let (line, character) = (number("line"), number("character"));
    let start = match line {
        0 => 0,
        line => match text.match_indices('\n').nth(line - 1) {
            Some((at, _)) => at + 1,
            None => return text.len(),
        },
    };
    let rest = text[start..].split(['\n', '\r']).next().unwrap_or_default();
    let mut units = 0;
    for (at, character_there) in rest.char_indices() {
        if units >= character {
            return start + at;
        }
        units += character_there.len_utf16();
    }
    start + rest.len()
}

/// From byte to byte.
pub fn range(text: &str, start: usize, end: usize) -> Value {
    json!({ "start": position(text, start), "end": position(text, end.max(start)) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{offset, position};

    #[test]
    fn places_count_utf16_code_units_and_come_back() {
        let text = "é𝔘x\r\ny\n\nz";
        for (at, line, character) in [(0, 0, 0), (2, 0, 1), (6, 0, 3), (7, 0, 4), (9, 1, 0), (11, 2, 0), (13, 3, 1)] {
            let place = json!({ "line": line, "character": character });
            assert_eq!(position(text, at), place, "{at}");
            assert_eq!(offset(text, &place), at, "{place}");
        }
        for (line, character, at) in [(0, 99, 7), (9, 0, 13), (0, 2, 6), (u64::MAX, 1, 13), (1, u64::MAX, 10)] {
            assert_eq!(offset(text, &json!({ "line": line, "character": character })), at);
        }
        assert_eq!(offset(text, &json!("nothing")), 0);
        assert_eq!(position(text, 4), json!({ "line": 0, "character": 1 }), "inside a character");
        assert_eq!(position(text, 999), json!({ "line": 3, "character": 1 }));
    }
}
