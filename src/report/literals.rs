//! Literals, which no excerpt shows.

use crate::sql::{
    Span, Token, TokenKind,
    scan::{self, PieceKind},
    tokens,
};

/// Statements in which a number is a row's as much as a string is.
const OF_ROWS: [&str; 10] =
    ["insert", "update", "delete", "merge", "values", "select", "with", "copy", "call", "execute"];

/// A literal and what is shown for each of its bytes.
struct Hidden {
    span: Span,
    mask: u8,
}

/// The text with `*` for every string and `?` for every number of a row, byte for byte, so that all places stay. Bodies are read as code.
pub(super) fn without_values(text: &str) -> String {
    let mut hidden = Vec::new();
    for piece in scan::scan(text).pieces {
        if piece.kind == PieceKind::CopyData {
            hidden.push(Hidden { span: piece.span, mask: b'*' });
            continue;
        }
        let of_rows = piece.tokens.first().is_some_and(|it| is_any(text, it, &OF_ROWS));
        // What a quote that never ends has swallowed is code, rather.
        match (piece.unterminated, piece.tokens.split_last()) {
            (Some(open), Some((last, before))) if last.span.end == piece.span.end => {
                hide(text, 0, before, of_rows, &mut hidden);
                code(text.get(open.opened.end..).unwrap_or_default(), open.opened.end, &mut hidden);
            }
            _ => hide(text, 0, &piece.tokens, of_rows, &mut hidden),
        }
    }
    let mut bytes = text.as_bytes().to_vec();
    for Hidden { span, mask } in hidden {
        bytes[span.start..span.end].iter_mut().filter(|it| !matches!(it, b'\n' | b'\r')).for_each(|it| *it = mask);
    }
    // Literals are hidden from their first byte to their last, so characters are whole.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Tokens of a text that starts at `from` in the file.
fn hide(text: &str, from: usize, tokens: &[Token], of_rows: bool, hidden: &mut Vec<Hidden>) {
    for (at, token) in tokens.iter().enumerate() {
        let written = &text[token.span.start..token.span.end];
        let (start, end) = (from + token.span.start, from + token.span.end);
        match token.kind {
            TokenKind::String if written.starts_with('$') && is_body(text, &tokens[..at]) => {
                body(written, start, hidden);
            }
            TokenKind::String => {
                let quote = written.find(['\'', '$']).map_or(0, |it| it + 1);
                let closes = written.len() > quote && written.ends_with(['\'', '$']);
                let span = Span { start: start + quote.min(written.len()), end: end - usize::from(closes) };
                hidden.push(Hidden { span, mask: b'*' });
            }
            TokenKind::Number if of_rows => hidden.push(Hidden { span: Span { start, end }, mask: b'?' }),
            TokenKind::Number
            | TokenKind::Word
            | TokenKind::Quoted
            | TokenKind::Parameter
            | TokenKind::Operator
            | TokenKind::Symbol => {}
        }
    }
}

/// `do $$`, `as $$`, `do language plpgsql $$`.
fn is_body(text: &str, before: &[Token]) -> bool {
    let opens = |it: &Token| is_any(text, it, &["do", "as"]);
    match before {
        [.., language, _] if is_any(text, language, &["language"]) => before.first().is_some_and(opens),
        [.., last] => opens(last),
        [] => false,
    }
}

/// `start` is where the quoted body stands in the file.
fn body(quoted: &str, start: usize, hidden: &mut Vec<Hidden>) {
    let tag = quoted[1..].find('$').map_or(0, |it| it + 2);
    code(quoted.get(tag..quoted.len().saturating_sub(tag)).unwrap_or_default(), start + tag, hidden);
}

fn code(text: &str, from: usize, hidden: &mut Vec<Hidden>) {
    let all = tokens(text);
    for statement in all.split(|it| &text[it.span.start..it.span.end] == ";") {
        let of_rows = statement.iter().any(|it| is_any(text, it, &OF_ROWS));
        hide(text, from, statement, of_rows, hidden);
    }
}

fn is_any(text: &str, token: &Token, words: &[&str]) -> bool {
    let written = &text[token.span.start..token.span.end];
    token.kind == TokenKind::Word && words.iter().any(|it| written.eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn no_literal_is_shown_and_every_place_stays() {
        for (text, expected) in [
            ("alter table a add b numeric(10, 2) default 'x';", "alter table a add b numeric(10, 2) default '*';"),
            ("insert into a values (1, 'é''s', 2.5e3);", "insert into a values (?, '*****', ?????);"),
            ("update a set b = E'\\'x' where c = $$s$$;", "update a set b = E'***' where c = $***$;"),
            ("do $$ begin update a set b = 5; c := 'x'; end $$;", "do $$ begin update a set b = ?; c := '*'; end $$;"),
            ("do language plpgsql $x$begin return 7; end$x$", "do language plpgsql $x$begin return 7; end$x$"),
            ("comment on table a is $$secret$$;", "comment on table a is $********$;"),
            ("select 'never ends; insert into a values (1);", "select 'never ends; insert into a values (?);"),
            ("copy a from stdin;\n1\tx\n\\.\nselect 1;", "copy a from stdin;\n***\n**\nselect ?;"),
            ("-- 'a comment'\nselect U&'d';", "-- 'a comment'\nselect U&'*';"),
        ] {
            let found = without_values(text);
            assert_eq!(found.len(), text.len(), "{found}");
            assert_eq!(found, expected, "{text}");
        }
    }
}
