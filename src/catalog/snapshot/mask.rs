//! Strings in expressions, masked.

use crate::sql::{self, TokenKind};

/// The expression with each string as `'…'`, but for dates and times, which say what a bound or a check is about, and
/// names of objects (`'orders_id_seq'::regclass`). Text that is no SQL is masked whole.
pub fn masked(expression: &str) -> String {
    let tokens = sql::tokens(expression);
    let mut text = String::new();
    let mut copied = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != TokenKind::String {
            continue;
        }
        let literal = &expression[token.span.start..token.span.end];
        let behind = tokens[at + 1..].iter().take(2).map(|it| &expression[it.span.start..it.span.end]);
        let names_object = behind.eq(["::", "regclass"]);
        if !names_object && !is_time(literal.trim_matches('\'')) {
            text.push_str(&expression[copied..token.span.start]);
            text.push_str("'…'");
            copied = token.span.end;
        }
    }
    text.push_str(&expression[copied..]);
    text
}

/// `2026-01-31`, `2026-01-31 23:59:59.5+00`.
fn is_time(text: &str) -> bool {
    let shape = text.get(..10).unwrap_or_default().bytes().enumerate();
    let is_date = text.len() >= 10
        && shape.into_iter().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    let rest = text.get(10..).unwrap_or("x");
    is_date
        && (rest.is_empty() || rest.starts_with([' ', 'T']))
        && rest.len() <= 25
        && rest.bytes().all(|it| it.is_ascii_digit() || b" T:.+-Z".contains(&it))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn strings_are_masked_unless_they_are_dates_or_names_of_objects() {
        let cases = [
            ("'hunter2'::text", "'…'::text"),
            ("E'a\\'b' || 'c'", "'…' || '…'"),
            ("$tag$secret$tag$", "'…'"),
            ("nextval('public.orders_id_seq'::regclass)", "nextval('public.orders_id_seq'::regclass)"),
            ("day >= '2026-01-01'::date", "day >= '2026-01-01'::date"),
            (
                "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE)",
                "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE)",
            ),
            ("'2026-01-01 my secret'", "'…'"),
            ("'1234567890'", "'…'"),
            ("status = ANY (ARRAY['a'::text, 'b'::text])", "status = ANY (ARRAY['…'::text, '…'::text])"),
            ("\"it's\" IS NOT NULL", "\"it's\" IS NOT NULL"),
            ("42", "42"),
        ];
        for (expression, expected) in cases {
            assert_eq!(masked(expression), expected, "{expression}");
        }
    }
}
