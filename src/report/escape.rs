//! Text from elsewhere as Markdown that shows it and does nothing else: no link, no markup, no mention, no comment.
//!
//! GitHub looks for mentions and references in what it has rendered, where an escape is gone; those are broken
//! with a space of no width. <https://github.github.com/gfm/>

use super::clean::clean;

/// Stands between two characters that together would mean something.
const GAP: char = '\u{200B}';

/// Text. Names that our own messages put between backticks become code, where it is certain which backtick
/// belongs to which.
pub(super) fn text(text: &str) -> String {
    let text = clean(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Every backtick stands alone and has its partner; an empty part between two means that they touch.
    let touching = parts.len() > 2 && parts[1..parts.len() - 1].iter().any(|it| it.is_empty());
    if parts.len().is_multiple_of(2) || touching {
        return plain(&text);
    }
    let parts = parts.iter().enumerate();
    parts.map(|(index, part)| if index.is_multiple_of(2) { plain(part) } else { code(part) }).collect()
}

/// Inline code that its content cannot leave, in a table, too.
pub(super) fn code(text: &str) -> String {
    let text = clean(text);
    let text = if text.trim().is_empty() { "?" } else { text.trim() };
    let harmless = |it: char| it.is_alphanumeric() || " _-.,:;/()=+*#%?'\"".contains(it);
    if text.chars().all(harmless) {
        return format!("`{text}`");
    }
    // Between tags, for a backtick or `|` cannot be written between backticks everywhere.
    let inside: String = text.chars().map(|it| if it == '\n' { " ".to_owned() } else { spelt(it) }).collect();
    format!("<code>{inside}</code>")
}

/// A part of a link's address. Slashes stay; `www.` would begin a link of its own.
pub(super) fn address(text: &str) -> String {
    let mut address = String::with_capacity(text.len());
    for byte in clean(text).bytes() {
        match byte {
            b'.' if address.ends_with(['w', 'W']) => address.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// A code block whose fence is longer than any run of backticks inside.
pub(super) fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", clean(text))
}

fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    let mut characters = text.chars().peekable();
    let mut before = None;
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        match character {
            '\n' => escaped.push_str("<br>"),
            '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' => escaped.push_str("&#124;"),
            '@' => escaped.extend(['@', GAP]),
            // `#12` and `GH-12` would be tied to an issue.
            '#' => escaped.extend(['\\', '#', GAP]),
            '-' if next.is_some_and(|it| it.is_ascii_digit()) && matches!(before, Some('H' | 'h')) => {
                escaped.extend(['-', GAP]);
            }
            // `http://` and `www.` would become links.
            '/' if next == Some('/') => escaped.push_str("&#47;"),
            '.' if matches!(before, Some('w' | 'W')) => escaped.push_str("&#46;"),
            // What begins a list or a heading where a line begins.
            '-' | '+' | '=' | '.' | ')' if escaped.chars().all(|it| it.is_ascii_digit()) => {
                escaped.push_str(&spelt(character));
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '!' | '{' | '}' | '$' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
        before = Some(character);
    }
    escaped
}

/// By number: neither Markdown nor HTML sees anything in it.
fn spelt(character: char) -> String {
    if character.is_ascii_punctuation() { format!("&#{};", u32::from(character)) } else { character.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{address, code, fenced, text};

    #[test]
    fn text_from_elsewhere_stays_text() {
        for (input, expected) in [
            ("plain", "plain"),
            ("writes to `a_b` wait", "writes to `a_b` wait"),
            ("a_b", "a\\_b"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("@here [x](http://y)", "@\u{200B}here \\[x\\](http:&#47;/y)"),
            ("www.example.com", "www&#46;example.com"),
            ("fixes #12, GH-12", "fixes \\#\u{200B}12, GH-\u{200B}12"),
            ("a|b", "a&#124;b"),
            ("`a|b`", "<code>a&#124;b</code>"),
            ("odd ` tick <b>", "odd \\` tick &lt;b&gt;"),
            // Which backtick belongs to which is not certain: none is code.
            ("``x```<img>`", "\\`\\`x\\`\\`\\`&lt;img&gt;\\`"),
            ("two\nlines", "two<br>lines"),
            ("- item", "&#45; item"),
            ("12. item", "12&#46; item"),
            ("=== x", "&#61;== x"),
            ("<!-- liftlock:v1 key=0 -->", "&lt;\\!-- liftlock:v1 key=0 --&gt;"),
            ("`<!-- x -->`", "<code>&#60;&#33;&#45;&#45; x &#45;&#45;&#62;</code>"),
            ("$x$", "\\$x\\$"),
        ] {
            assert_eq!(text(input), expected);
        }
    }

    #[test]
    fn code_cannot_be_left() {
        for (input, expected) in [
            ("a/b.sql:3", "`a/b.sql:3`"),
            ("a`b", "<code>a&#96;b</code>"),
            ("a\nb|", "<code>a b&#124;</code>"),
            ("</code><img src=x>", "<code>&#60;&#47;code&#62;&#60;img src&#61;x&#62;</code>"),
            (" ", "`?`"),
        ] {
            assert_eq!(code(input), expected);
        }
        assert_eq!(fenced("x ``` y"), "````text\nx ``` y\n````");
    }

    #[test]
    fn an_address_holds_nothing_that_ends_it() {
        assert_eq!(address("db/a b)\"é.sql"), "db/a%20b%29%22%C3%A9.sql");
        assert_eq!(address("db/www.evil.example.sql"), "db/www%2Eevil.example.sql");
    }
}
