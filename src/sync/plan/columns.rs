//! Columns: how each is read, and the field that it becomes.

use std::collections::HashSet;

use super::{CatalogColumn, Part};
use crate::{
    services::{mirror::document_hash, postgres::quote_identifier},
    sync::value::{ARRAY_ELEMENTS, Kind},
};

/// Convex: field names at the top of a document have at most 64 characters.
const FIELD_CHARACTERS: usize = 64;

/// One column to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Its name in the mirror.
    pub field: String,
    /// Of the value, or of an array's elements.
    pub kind: Kind,
    pub shape: Shape,
    /// The binary form is not ours to read: the server writes it as text.
    pub is_cast: bool,
    pub type_oid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Scalar,
    Array,
}

/// The columns with their fields, in catalog order.
pub(super) fn columns(catalog: &[CatalogColumn]) -> Vec<Column> {
    let mut taken: HashSet<String> = catalog.iter().filter(|it| is_field(&it.name)).map(|it| it.name.clone()).collect();
    let column = |it: &CatalogColumn| {
        let (shape, native) = match it.element_oid {
            // JSON as elements would be structured in one element and text in the next.
            Some(element) => (Shape::Array, Kind::of(element).filter(|it| !matches!(it, Kind::Json | Kind::Jsonb))),
            None => (Shape::Scalar, Kind::of(it.type_oid)),
        };
        Column {
            name: it.name.clone(),
            field: field(&it.name, &mut taken),
            kind: native.unwrap_or(Kind::Text),
            shape,
            is_cast: native.is_none(),
            type_oid: it.type_oid,
        }
    };
    catalog.iter().map(column).collect()
}

fn is_field(name: &str) -> bool {
    name.len() <= FIELD_CHARACTERS
        && name != "neon"
        && name.starts_with(|it: char| it.is_ascii_alphabetic())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

/// A name that Convex takes: others begin with `u` and have odd characters as hex. What would be too long or is
/// taken ends in a hash of the column's name, so that the choice does not depend on other columns' order.
fn field(name: &str, taken: &mut HashSet<String>) -> String {
    if is_field(name) {
        return name.to_owned();
    }
    let mut field = String::from(if name.starts_with('_') { "u" } else { "u_" });
    for character in name.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => field.push(character),
            other => field.push_str(&format!("_{:x}", u32::from(other))),
        }
    }
    if field.len() > FIELD_CHARACTERS || taken.contains(&field) {
        field.truncate(FIELD_CHARACTERS - 17);
        field.push_str(&format!("_{:016x}", document_hash("field", name, "")));
    }
    taken.insert(field.clone());
    field
}

impl Column {
    fn quoted(&self) -> String {
        format!("t.{}", quote_identifier(&self.name))
    }

    pub(super) fn selected(&self) -> String {
        let cast = match (self.is_cast, self.shape) {
            (false, _) => "",
            (true, Shape::Scalar) => "::text",
            (true, Shape::Array) => "::text[]",
        };
        format!("{}{cast}", self.quoted())
    }

    /// The text of an array that Convex cannot hold as one, else NULL.
    pub(super) fn odd_array(&self) -> String {
        let column = self.quoted();
        let odd =
            |it: i32| format!("array_lower({column}, {it}) <> 1 or array_length({column}, {it}) > {ARRAY_ELEMENTS}");
        // Postgres arrays have at most six dimensions.
        let conditions: Vec<String> = (1..=6).map(odd).collect();
        format!("case when {} then {column}::text end", conditions.join(" or "))
    }

    pub(super) fn key_part(&self) -> Part {
        match self.shape {
            Shape::Scalar => Part::of(self.type_oid),
            Shape::Array => Part::Text,
        }
    }

    pub(super) fn key_selected(&self) -> String {
        match self.key_part() {
            Part::Integer | Part::Uuid => self.quoted(),
            Part::Text => format!("{}::text", self.quoted()),
        }
    }

    pub(super) fn key_ordered(&self) -> String {
        match self.key_part() {
            Part::Integer | Part::Uuid => self.quoted(),
            Part::Text => format!("{}::text collate \"C\"", self.quoted()),
        }
    }

    pub(super) fn key_parameter(&self, number: usize) -> String {
        match self.key_part() {
            Part::Integer => format!("${number}::text::int8"),
            Part::Uuid => format!("${number}::text::uuid"),
            Part::Text => format!("${number}::text collate \"C\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CatalogColumn, columns};

    fn fields(names: &[&str]) -> Vec<String> {
        let column = |it: &&str| CatalogColumn { name: (*it).to_owned(), type_oid: 25, ..CatalogColumn::default() };
        let catalog: Vec<CatalogColumn> = names.iter().map(column).collect();
        columns(&catalog).into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn columns_get_names_that_convex_takes() {
        for (name, field) in [
            ("plain_Name9", "plain_Name9"),
            ("_x", "u_x"),
            ("$x", "u__24x"),
            ("neon", "u_neon"),
            ("_id", "u_id"),
            ("café au", "u_caf_e9_20au"),
            ("1st", "u_1st"),
        ] {
            assert_eq!(fields(&[name]), [field]);
        }
    }

    #[test]
    fn no_two_columns_become_one_field() {
        let found = fields(&["_x", "u_x", "é", "u__e9", &"é".repeat(31), &format!("{}e", "é".repeat(30))]);
        assert_eq!(found[1], "u_x");
        assert!(found[0].starts_with("u_x_") && found[3] == "u__e9", "{found:?}");
        let distinct: std::collections::HashSet<&String> = found.iter().collect();
        assert!(distinct.len() == 6 && found.iter().all(|it| it.len() <= 64), "{found:?}");
    }
}
