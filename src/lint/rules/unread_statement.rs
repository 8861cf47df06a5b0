//! A statement that is not understood may do anything.
//!
//! Nothing can be said about what it loses or whom it stops, and the server may refuse it in the middle of a
//! promotion. Most often it is a slip of the pen. If Postgres accepts it, say why it is harmless.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! ```
//!
//! ```sql bad fails=42601
//! alter table orders ad column note text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column note text;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    migration,
    report::Harm,
    sql::{Change, Statement, change::Unread},
};

pub static RULE: Rule = Rule {
    name: "unread-statement",
    harm: Harm::Unread,
    severity: Severities::UNREAD,
    waivable: Waivable::WithReason,
    source: include_str!("unread_statement.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Unread { reason } = &statement.change else { return Vec::new() };
    let (message, help) = match reason {
        Unread::UnknownStatement { word } => (
            format!("`{word}` starts no statement that is known"),
            "correct it; if Postgres knows it, say what it does: `-- liftlock: allow unread-statement because …`",
        ),
        Unread::Malformed { detail } => (
            format!("cannot be read as Postgres reads it: {detail}"),
            "correct it; `psql -c 'begin' -f FILE -c 'rollback'` on a copy says what Postgres thinks of it",
        ),
        Unread::Disagreement { parser, recogniser } => (
            format!("can be read as {parser} and as {recogniser}, so nothing is certain"),
            "write it more plainly, one action per statement",
        ),
        Unread::Unterminated { what, .. } => (
            format!("a {what} starts here and never ends, so the rest of the file is inside it"),
            "close it; lines below are judged as if it were",
        ),
        Unread::ForeignLanguage { language } => (
            format!("what this {language} code does is not read"),
            "write it in SQL or PL/pgSQL, or say what it does: `-- liftlock: allow unread-statement because …`",
        ),
        Unread::NonStandardStrings => (
            "`standard_conforming_strings` is off: what a backslash means from here on is not read".to_owned(),
            "leave it on, and write `E'…'` where a backslash is meant",
        ),
        Unread::NotUtf8 { offset } => (
            format!("the file is not UTF-8: byte {offset} belongs to no character, and Postgres refuses it"),
            if migration::is_wide(&context.migration.text) {
                "it starts like UTF-16: save it as UTF-8"
            } else {
                "save it as UTF-8; `iconv -f latin1 -t utf-8 FILE` turns most old files into it"
            },
        ),
        Unread::TooComplex => ("is nested too deeply to be read".to_owned(), "split it into smaller statements"),
        // These have rules of their own.
        Unread::PsqlCommand { .. } | Unread::Placeholder { .. } | Unread::DynamicSql | Unread::CopyFromStdin => {
            return Vec::new();
        }
        // What the statement before it is told for.
        Unread::CopyData => return Vec::new(),
    };
    let span = if let Unread::Unterminated { opened, .. } = reason { *opened } else { statement.span };
    vec![Problem::at(span).says(message).help(help)]
}
