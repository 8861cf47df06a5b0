//! What holds for any text.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::super::{Change, LineIndex, Span, Statement, read, scan};

/// What has misled lexers, to be glued together.
const FRAGMENTS: &[&str] = &[
    "'",
    "''",
    "\"",
    "$$",
    "$a$",
    "$1",
    "--",
    "/*",
    "*/",
    "\n",
    "\r",
    "\r\n",
    "\\",
    "\\.",
    "E'",
    "U&'",
    "U&\"",
    "N'",
    "B'",
    "X'",
    ";",
    "~",
    "@",
    "-",
    "<",
    ">",
    "|",
    "#",
    "?",
    "%",
    "&",
    "é",
    "\u{b}",
    "\u{a0}",
    "1e5",
    "0x1F",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    ":",
    "::",
    "a",
    " ",
    "DROP TABLE t",
    "SELECT 1",
    "COPY t FROM STDIN",
    "BEGIN ATOMIC",
    "END",
    "CASE",
    "CREATE FUNCTION f() RETURNS int",
    "AS",
    "WITH",
    "DELETE FROM t",
    "DO",
    "ALTER TABLE t",
    "ADD",
    "EXECUTE",
    "BEGIN",
    "LOOP",
    "--> statement-breakpoint",
    "-- liftlock: safe",
    "\u{feff}",
    "SET standard_conforming_strings = off",
    "UPDATE t SET a = 1 WHERE",
];

fn glued() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(FRAGMENTS), 3..20)
        .prop_flat_map(|fragments| prop_oneof![Just(fragments.concat()), Just(fragments.join(" "))])
}

/// Spans lie in the text, on characters' borders, one after the other, inner ones inside outer ones.
fn check_spans(text: &str, statements: &[Statement], bounds: Span) {
    let mut end = bounds.start;
    for statement in statements {
        let span = statement.span;
        assert!(span.start <= span.end && span.end <= bounds.end, "{text:?}: {span:?} in {bounds:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{text:?}: {span:?}");
        assert!(end <= span.start, "{text:?}: {span:?} after {end}");
        end = span.end;
        for inner in &statement.inner {
            check_spans(text, std::slice::from_ref(inner), Span { start: span.start, end: span.end });
        }
        for directive in &statement.directives {
            assert!(text.get(directive.span.start..directive.span.end).is_some(), "{text:?}");
        }
    }
}

/// Between the statements stands nothing but whitespace, comments and `;`.
fn check_nothing_lost(text: &str, statements: &[Statement]) {
    let mut gaps = vec![0; text.len()];
    for statement in statements {
        gaps[statement.span.start..statement.span.end].fill(1);
    }
    for comment in scan::scan(text).comments {
        gaps[comment.start..comment.end].fill(1);
    }
    let text = text.strip_prefix('\u{feff}').map_or(text.to_owned(), |rest| format!("   {rest}"));
    for (at, byte) in text.bytes().enumerate() {
        let is_blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | b';');
        assert!(is_blank || gaps[at] == 1, "{text:?}: byte {at} is lost");
    }
}

fn check_all(text: &str) {
    let statements = read(text);
    check_spans(text, &statements, Span { start: 0, end: text.len() });
    check_nothing_lost(text, &statements);
    let lines = LineIndex::new(text);
    for statement in &statements {
        let (line, column) = lines.position(text, statement.span.start);
        assert!(line >= 1 && column >= 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_whole(text in any::<String>()) {
        check_all(&text);
    }

    #[test]
    fn glued_fragments_are_read_whole(text in glued()) {
        check_all(&text);
    }

    #[test]
    fn cutting_a_text_short_breaks_nothing(text in glued(), at in any::<prop::sample::Index>()) {
        let sql = format!("DO $x$ BEGIN {text} END $x$; CREATE TABLE t (a int DEFAULT ({text})); {text}");
        let mut at = at.index(sql.len());
        while !sql.is_char_boundary(at) {
            at -= 1;
        }
        check_all(&sql[..at]);
    }

    #[test]
    fn every_statement_between_semicolons_is_kept(names in prop::collection::vec("[a-z]{1,8}", 1..20)) {
        let text: String = names.iter().map(|name| format!("DROP TABLE \"{name}\" -- ; '\n;; /* ; */\n")).collect();
        let found: Vec<String> = read(&text)
            .into_iter()
            .map(|statement| match statement.change {
                Change::Drop(drop) => drop.names[0].to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        prop_assert_eq!(found, names);
    }

    #[test]
    fn an_unread_statement_never_shows_a_literal(secret in "[a-z]{12}") {
        for sql in [
            format!("ALTER TABLE t '{secret}'"),
            format!("DROP TABLE a '{secret}'"),
            format!("'{secret}' x"),
            format!("CREATE ROLE a; FROB '{secret}'"),
            format!("SET a '{secret}'"),
        ] {
            for statement in read(&sql) {
                if let Change::Unread { reason } = &statement.change {
                    prop_assert!(!format!("{reason:?}").contains(&secret), "{}", sql);
                }
            }
        }
    }
}

#[test]
fn scanning_takes_work_linear_in_the_text() {
    for unit in [
        "'a' \n",
        "'a'\n\n\n\n'b' ",
        "COPY t FROM STDIN; '\n';\n",
        "COPY t FROM STDIN;\n",
        "$a$ $b$ ",
        "$a",
        "/* ",
        "-- x\n",
        "(",
        ")",
        "a'",
        "\\x\n",
        "BEGIN ATOMIC CASE ",
        "--> statement-breakpoint\n",
        "U&\"",
        "~-",
        "COPY t FROM STDIN;\n\\.\n",
        "E'\\'",
    ] {
        let work = |times: usize| {
            let text = unit.repeat(times);
            let work = scan::work(&text);
            assert!(work <= 4 * text.len() + 16, "{unit:?}: {work} bytes looked at in {}", text.len());
            work
        };
        let (once, twice) = (work(2_000), work(4_000));
        assert!(twice <= 2 * once + 64, "{unit:?}: {once}, then {twice}");
    }
}
