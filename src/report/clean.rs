//! Making text from elsewhere safe to show: a migration, a file name or a server's message must not be able
//! to move the cursor, recolour the terminal or turn the reading order around.

use std::borrow::Cow;

/// Replaces control characters, line feed and tab apart, and the characters that reorder text, by as many
/// bytes as they had, so that offsets into the text stay true. Lines may end as they do on Windows.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\r' && characters.peek() == Some(&'\n') {
            cleaned.push(' ');
            continue;
        }
        match (is_hostile(character), character.len_utf8()) {
            (false, _) => cleaned.push(character),
            (true, 3) => cleaned.push('\u{FFFD}'),
            (true, bytes) => cleaned.extend(std::iter::repeat_n('?', bytes)),
        }
    }
    Cow::Owned(cleaned)
}

fn is_hostile(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Bidirectional controls: CVE-2021-42574.
        '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn hostile_characters_are_replaced_by_as_many_bytes() {
        for (input, expected) in [
            ("create table é", "create table é"),
            ("a\tb\nc", "a\tb\nc"),
            ("\u{1b}[31mred", "?[31mred"),
            ("a\rb", "a?b"),
            ("a;\r\nb;\r\n", "a; \nb; \n"),
            ("x\u{202E}y", "x\u{FFFD}y"),
            ("\u{85}", "??"),
        ] {
            assert_eq!(clean(input), expected);
            assert_eq!(clean(input).len(), input.len());
        }
    }
}
