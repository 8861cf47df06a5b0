//! How a tool sends a file's statements: what it does by itself, and what markers in or beside the file change.

use std::borrow::Cow;

use super::{Layout, Tool, Transactions, marker};
use crate::{
    migration::{
        TransactionMode,
        sending::{Part, Sent},
    },
    sql::{Span, Statement},
};

/// The parts of a file. `in_transaction` is what a file beside it says, `mode` what liftlock itself would do.
pub fn parts(
    layout: Layout,
    text: &str,
    in_transaction: Option<bool>,
    statements: &[Statement],
    mode: TransactionMode,
) -> Vec<Part> {
    let whole = |sent| vec![Part { first: 0, sent }];
    match (layout.tool, layout.transactions) {
        (Tool::Liquibase, Transactions::File) => by_changeset(text, statements),
        (Tool::Supabase, Transactions::Automatic) => between_the_forbidden(statements),
        (_, Transactions::Automatic) => whole(match in_transaction {
            Some(true) => Sent::InTransaction,
            Some(false) => Sent::OneByOne,
            None => Sent::by_liftlock(mode),
        }),
        (tool, Transactions::File | Transactions::Batch) => {
            let out = in_transaction.map_or_else(|| leaves_transaction(tool, text), |wanted| !wanted);
            whole(match layout.transactions {
                _ if out => outside(tool),
                Transactions::Batch => Sent::InSharedTransaction,
                _ => Sent::InTransaction,
            })
        }
        (_, Transactions::Query) => whole(Sent::AsOneQuery),
        (_, Transactions::Statement) => whole(Sent::OneByOne),
    }
}

/// What a tool does with a file that left its transaction: most send it as it is.
fn outside(tool: Tool) -> Sent {
    match tool {
        Tool::Dbmate | Tool::Diesel | Tool::GraphileMigrate | Tool::Pop | Tool::Refinery | Tool::Sqlx => {
            Sent::AsOneQuery
        }
        Tool::Atlas
        | Tool::Drizzle
        | Tool::Flyway
        | Tool::GolangMigrate
        | Tool::Goose
        | Tool::Liftlock
        | Tool::Liquibase
        | Tool::NodePgMigrate
        | Tool::Postgrator
        | Tool::Prisma
        | Tool::SqlMigrate
        | Tool::Supabase => Sent::OneByOne,
    }
}

/// The first line with which a new file leaves the tool's transaction; nothing where the tool knows none.
pub fn way_out_line(tool: Tool) -> &'static str {
    match tool {
        Tool::Atlas => "-- atlas:txmode none\n\n",
        Tool::Goose => "-- +goose NO TRANSACTION\n",
        Tool::GraphileMigrate => "--! no-transaction\n",
        Tool::Refinery => "-- +refinery NO TRANSACTION\n",
        Tool::Sqlx => "-- no-transaction\n",
        Tool::Dbmate
        | Tool::Diesel
        | Tool::Drizzle
        | Tool::Flyway
        | Tool::GolangMigrate
        | Tool::Liftlock
        | Tool::Liquibase
        | Tool::NodePgMigrate
        | Tool::Pop
        | Tool::Postgrator
        | Tool::Prisma
        | Tool::SqlMigrate
        | Tool::Supabase => "",
    }
}

/// Whether the file's own marker says that it runs outside the tool's transaction.
fn leaves_transaction(tool: Tool, text: &str) -> bool {
    let on_top = |wanted: &str| marker::on_top(text).any(|it| marker::is(it, wanted));
    let anywhere = |wanted: &str| marker::lines(text).any(|it| marker::is(it, wanted));
    match tool {
        Tool::Atlas => on_top("atlas:txmode none"),
        Tool::Dbmate => marker::lines(text)
            .filter(|it| it.starts_with("migrate:up"))
            .any(|it| marker::attribute(it, "transaction").is_some_and(|value| value.eq_ignore_ascii_case("false"))),
        Tool::Goose => anywhere("+goose no transaction"),
        Tool::GraphileMigrate => on_top("! no-transaction"),
        Tool::Refinery => on_top("+refinery no transaction"),
        Tool::SqlMigrate => anywhere("+migrate up notransaction"),
        Tool::Sqlx => text.starts_with("-- no-transaction"),
        Tool::Diesel
        | Tool::Drizzle
        | Tool::Flyway
        | Tool::GolangMigrate
        | Tool::Liftlock
        | Tool::Liquibase
        | Tool::NodePgMigrate
        | Tool::Pop
        | Tool::Postgrator
        | Tool::Prisma
        | Tool::Supabase => false,
    }
}

/// Statements that Postgres refuses in a transaction are sent alone, the others together up to the next such one.
fn between_the_forbidden(statements: &[Statement]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (first, statement) in statements.iter().enumerate() {
        let sent = if statement.change.forbids_transaction() { Sent::OneByOne } else { Sent::InTransaction };
        if parts.last().is_none_or(|last| last.sent != sent) {
            parts.push(Part { first, sent });
        }
    }
    if parts.is_empty() { vec![Part { first: 0, sent: Sent::InTransaction }] } else { parts }
}

/// Each changeset is a transaction, unless it says `runInTransaction:false`.
fn by_changeset(text: &str, statements: &[Statement]) -> Vec<Part> {
    let mut parts: Vec<Part> = vec![Part { first: 0, sent: Sent::InTransaction }];
    for changeset in changesets(text) {
        let first = statements.partition_point(|it| it.span.start < changeset.span.start);
        let sent = if changeset.in_transaction { Sent::InTransaction } else { Sent::OneByOne };
        match parts.last_mut() {
            // Nothing stands between the two.
            Some(last) if last.first == first => last.sent = sent,
            _ => parts.push(Part { first, sent }),
        }
    }
    parts
}

/// A changeset of formatted SQL, <https://docs.liquibase.com/concepts/changelogs/sql-format.html>.
struct Changeset {
    /// From its marker to the next.
    span: Span,
    in_transaction: bool,
    /// Whether it is for Postgres.
    runs: bool,
    end_delimiter: Option<String>,
    has_rollback: bool,
}

fn changesets(text: &str) -> Vec<Changeset> {
    let mut found: Vec<Changeset> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let comment = marker::comment(line).unwrap_or_default();
        if marker::is(comment, "changeset") {
            if let Some(last) = found.last_mut() {
                last.span.end = at;
            }
            let runs = |it: &str| it.split(',').any(|it| matches!(it.trim(), "postgresql" | "all"));
            found.push(Changeset {
                span: Span { start: at, end: text.len() },
                in_transaction: marker::attribute(comment, "runInTransaction").is_none_or(|it| it != "false"),
                runs: marker::attribute(comment, "dbms").is_none_or(runs),
                end_delimiter: marker::attribute(comment, "endDelimiter").map(str::to_owned),
                has_rollback: false,
            });
        } else if marker::is(comment, "rollback")
            && let Some(last) = found.last_mut()
        {
            let what = comment["rollback".len()..].trim();
            last.has_rollback |= !what.is_empty();
        }
        at += line.len();
    }
    found
}

/// How many changesets of formatted SQL have a rollback, and how many there are.
pub fn rollbacks(text: &str) -> (usize, usize) {
    let all = changesets(text);
    (all.iter().filter(|it| it.has_rollback).count(), all.len())
}

/// The text as Postgres would get it, byte for byte in the same place: without what the tool takes out, and with a
/// `;` where the tool divides statements by something else.
pub fn as_sent(tool: Tool, text: &str) -> Cow<'_, str> {
    match tool {
        Tool::Liquibase => Cow::Owned(divided(text)),
        Tool::NodePgMigrate => without_down_migration(text),
        _ => Cow::Borrowed(text),
    }
}

fn divided(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for changeset in changesets(text) {
        let Span { start, end } = changeset.span;
        // The marker is a border, also behind a statement without `;`.
        bytes[start] = b';';
        let line = text[start..end].find('\n').map_or(end, |at| start + at);
        blank(&mut bytes[start + 1..line]);
        if !changeset.runs {
            blank(&mut bytes[line..end]);
        }
        let delimiter = changeset.end_delimiter.filter(|it| !it.is_empty() && it != ";");
        let Some(delimiter) = delimiter else { continue };
        let mut at = line;
        for part in text[line..end].split_inclusive('\n') {
            let trimmed = part.trim_end();
            if trimmed.ends_with(&delimiter) {
                let from = at + trimmed.len() - delimiter.len();
                blank(&mut bytes[from..from + delimiter.len()]);
                bytes[from] = b';';
            }
            at += part.len();
        }
    }
    // Whole lines and whole delimiters were taken out, so characters are whole, too.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Its tool cuts the text at these lines, wherever they stand.
fn without_down_migration(text: &str) -> Cow<'_, str> {
    let is = |line: &str, wanted| marker::comment(line).is_some_and(|it: &str| it.eq_ignore_ascii_case(wanted));
    let (mut up, mut at) = (false, 0);
    for line in text.split_inclusive('\n') {
        up |= is(line, "up migration");
        if up && is(line, "down migration") {
            return Cow::Borrowed(&text[..at]);
        }
        at += line.len();
    }
    Cow::Borrowed(text)
}

/// The text of the down part that [`as_sent`] takes out.
pub fn down_part(tool: Tool, text: &str) -> Option<&str> {
    let up = as_sent(tool, text).len();
    (tool == Tool::NodePgMigrate && up < text.len()).then(|| &text[up..])
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
}
