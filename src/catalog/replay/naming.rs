//! Names that Postgres gives to what nobody named (`ChooseIndexName`, `ChooseConstraintName`, `makeObjectName`).

use super::{
    super::{Catalog, Index, Table, in_schema},
    plain,
};
use crate::sql::names::Ident;

/// `NAMEDATALEN - 1`.
const LONGEST: usize = 63;

/// Table, columns and label joined by `_`; the longer of the first two is cut until it fits.
fn joined(table: &str, columns: &str, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(!columns.is_empty());
    let available = LONGEST.saturating_sub(overhead);
    let (mut one, mut two) = (table.len(), columns.len());
    while one + two > available {
        if one > two { one -= 1 } else { two -= 1 }
    }
    let (table, columns) = (&table[..table.floor_char_boundary(one)], &columns[..columns.floor_char_boundary(two)]);
    if columns.is_empty() { format!("{table}_{label}") } else { format!("{table}_{columns}_{label}") }
}

/// A name for something on a table of which nothing is known.
pub fn alone(table: &str, columns: &[String], label: &str) -> String {
    joined(table, &addition(columns), label)
}

/// The first of `base`, `base1`, `base2`, … that is free.
fn free(table: &str, columns: &str, label: &str, taken: impl Fn(&str) -> bool) -> String {
    let labels = std::iter::once(label.to_owned()).chain((1..).map(|number| format!("{label}{number}")));
    labels.map(|it| joined(table, columns, &it)).find(|it| !taken(it)).expect("numbers do not run out")
}

/// `ChooseIndexNameAddition`: columns joined, cut at 63 bytes.
fn addition(columns: &[String]) -> String {
    let mut text = String::new();
    for column in columns {
        if !text.is_empty() {
            text.push('_');
        }
        text.push_str(column);
        if text.len() >= LONGEST {
            break;
        }
    }
    text
}

/// A name for an index or the constraint that it carries: no relation of the schema has it.
pub fn of_relation(catalog: &Catalog, table: &Table, columns: &[String], label: &str) -> String {
    let schema = table.name.schema();
    let taken = |name: &str| {
        let full = in_schema(&plain(&Ident { name: name.to_owned(), ..Ident::default() }), schema);
        let relation = catalog.tables.contains_key(&full)
            || catalog.indexes.contains_key(&full)
            || catalog.views.contains_key(&full)
            || catalog.sequences.contains_key(&full);
        // A constraint's name is one of its schema, as far as names are chosen.
        relation || (label != "idx" && table.constraints.iter().any(|it| it.name == name))
    };
    free(table.name.last(), &addition(columns), label, taken)
}

/// A name for a check or a foreign key: no constraint of the schema has it.
pub fn of_constraint(catalog: &Catalog, table: &Table, columns: &[String], label: &str) -> String {
    let schema = table.name.schema();
    let taken = |name: &str| {
        let others = catalog.tables.with_part(name).filter(|it| it.name.schema() == schema && it.name != table.name);
        others.chain([table]).flat_map(|it| &it.constraints).any(|it| it.name == name)
    };
    free(table.name.last(), &addition(columns), label, taken)
}

/// What an index is named after: its columns, `expr` or the function for an expression.
pub fn key_words(index: &Index) -> Vec<String> {
    let words =
        index.keys.iter().map(|key| if index.columns.contains(key) { key.clone() } else { expression_word(key) });
    let mut all: Vec<String> = Vec::new();
    for word in words.chain(index.include.clone()) {
        let numbered = (1..).map(|number| format!("{word}{number}"));
        let free = std::iter::once(word.clone()).chain(numbered).find(|it| !all.contains(it));
        all.extend(free);
    }
    all
}

/// `FigureIndexColname`: a function's name, the type of a cast, else `expr`.
fn expression_word(key: &str) -> String {
    let text = key.trim();
    let word = text.split('(').next().unwrap_or_default().trim().rsplit('.').next().unwrap_or_default();
    let is_call =
        text.ends_with(')') && !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    if is_call { word.to_ascii_lowercase() } else { "expr".to_owned() }
}
