//! Columns that an expression names and its table does not have.

use crate::{
    catalog::Table,
    sql::{
        Span,
        change::{Expression, Outputs},
        names::{Ident, ObjectName},
    },
};

/// Columns that every table has.
const SYSTEM: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Words of SQL's own that stand where a column could.
const WORDS: &[&str] = &[
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "document",
    "json",
    "local",
    "localtime",
    "localtimestamp",
    "nfc",
    "nfd",
    "nfkc",
    "nfkd",
    "normalized",
    "of",
    "session_user",
    "system_user",
    "unknown",
    "user",
    "value",
];

/// What has words of its own between its arguments, or behind a value.
const SPOKEN: &[&str] =
    &["extract", "interval", "json_", "normalize", "operator", "overlay", "xml", "collate", "uescape"];

/// Whether a table has a column, also one that every table has.
pub fn has(table: &Table, column: &str) -> bool {
    table.column_named(column).is_some() || is_of_system(column)
}

/// A column that every table has.
pub fn is_of_system(column: &str) -> bool {
    SYSTEM.contains(&column)
}

fn is_word(name: &str) -> bool {
    WORDS.contains(&name) || is_of_system(name)
}

/// The first column that an expression about the rows of one table names and `known` does not know. Silent about what
/// is more than names, operators and plain calls.
pub fn unknown(expression: &Expression, table: &ObjectName, known: impl Fn(&str) -> bool) -> Option<Ident> {
    let text = expression.text.to_ascii_lowercase();
    let spoken =
        SPOKEN.iter().any(|it| text.contains(it)) || [").", "].", "=>", ":="].iter().any(|it| text.contains(it));
    if expression.subquery || spoken {
        return None;
    }
    let column = |name: &ObjectName| match &*name.parts {
        [column] if column.name != table.last() => Some(column.clone()),
        [of, column] if of.name == table.last() => Some(column.clone()),
        _ => None,
    };
    expression.names.iter().filter_map(column).find(|it| !is_word(&it.name) && !known(&it.name))
}

/// The same of what a query gives that reads one relation and no other.
pub fn unknown_output<'o>(outputs: &'o Outputs, table: &Table) -> Option<&'o (String, Span)> {
    if !outputs.alone || !outputs.flat {
        return None;
    }
    let named = |name: &str| outputs.called.as_deref() == Some(name) || name == table.name.last();
    outputs.plain.iter().find(|(name, _)| !named(name) && !is_word(name) && table.column_named(name).is_none())
}
