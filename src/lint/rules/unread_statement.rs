//! A statement that is not understood may do anything.
//!
//! Nothing can be said about what it loses or whom it stops, and the server may refuse it in the middle of a
//! promotion. Most often it is a slip of the pen. If Postgres accepts it, say why it is harmless. A file that was
//! written for MySQL, SQLite or SQL Server is told once, at the first statement that shows it.
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
    lint::{Check, Context, Problem, Rule, Severities, Waivable, foreign},
    migration,
    report::Harm,
    sql::{Change, Place, Statement, change::Unread},
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
    if let Some(sign) = foreign::sign(context.written(statement.span), reason).filter(|_| is_of_file(statement)) {
        return written_for(context, statement, &sign);
    }
    let (message, help) = match reason {
        Unread::UnknownStatement { word } => (
            format!("`{word}` starts no statement that is known"),
            "correct it; if Postgres knows it, say what it does: `-- liftlock: allow unread-statement because …`",
        ),
        Unread::Malformed { detail } | Unread::MalformedTable { detail, .. } => (
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
            match context.written(statement.span) {
                "\0" if !migration::is_wide(&context.migration.text) => {
                    format!("byte {offset} of the file is zero, and Postgres takes no such text")
                }
                _ => format!("the file is not UTF-8: byte {offset} belongs to no character, and Postgres refuses it"),
            },
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

fn is_of_file(statement: &Statement) -> bool {
    statement.place == Place::Top
}

/// A file for another database system is told once, at its first statement that shows it.
fn written_for(context: &Context, statement: &Statement, sign: &str) -> Vec<Problem> {
    let unread = |it: &&Statement| matches!(it.change, Change::Unread { .. });
    let shows = |it: &Statement| match &it.change {
        Change::Unread { reason } => foreign::sign(context.written(it.span), reason).is_some(),
        _ => false,
    };
    let all = &context.migration.statements;
    // Only so many are looked at: a dump may have thousands.
    if all[..context.index.min(all.len())].iter().filter(unread).take(20).any(shows) {
        return Vec::new();
    }
    let count = all.iter().filter(unread).count();
    let statements = if count == 1 { "statement" } else { "statements" };
    let message = format!("{sign}, not Postgres: {count} {statements} of this file cannot be read");
    vec![Problem::at(statement.span).says(message).help(
        "write it for Postgres; if it is meant for another system, move it to a folder that liftlock is not given \
         (`migrations:` in liftlock.yml)",
    )]
}
