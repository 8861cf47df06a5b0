//! Which types Postgres changes into which by itself: what an `ALTER COLUMN … TYPE` without `USING` needs, and a default.
//!
//! From `pg_cast`: implicit casts and those of assignments. A value of any type is assigned to a string, none is from a
//! string (<https://www.postgresql.org/docs/current/sql-createcast.html>).

use crate::{
    catalog::{Catalog, Column},
    sql::{
        change::{Expression, ObjectKind, OperandKind, TypeKind},
        data_type::DataType,
    },
};

use super::types;

const NUMBERS: &[&str] = &["smallint", "integer", "bigint", "numeric", "real", "double precision"];

const STRINGS: &[&str] = &["text", "character varying", "character"];

/// Others of which all casts to one another are in [`CASTS`].
const OTHERS: &[&str] = &[
    "boolean",
    "uuid",
    "json",
    "jsonb",
    "bytea",
    "date",
    "time",
    "time with time zone",
    "timestamp",
    "timestamp with time zone",
    "interval",
    "inet",
    "cidr",
];

const CASTS: &[(&str, &str)] = &[
    ("cidr", "inet"),
    ("date", "timestamp"),
    ("date", "timestamp with time zone"),
    ("inet", "cidr"),
    ("interval", "time"),
    ("json", "jsonb"),
    ("jsonb", "json"),
    ("time", "interval"),
    ("time", "time with time zone"),
    ("time with time zone", "time"),
    ("timestamp", "date"),
    ("timestamp", "time"),
    ("timestamp", "timestamp with time zone"),
    ("timestamp with time zone", "date"),
    ("timestamp with time zone", "time"),
    ("timestamp with time zone", "time with time zone"),
    ("timestamp with time zone", "timestamp"),
];

/// Whether Postgres refuses to change a column's values into those of another type by itself. `false` also where that is
/// not known: of types of extensions, of domains, of arrays, and once a file has made a cast.
pub fn is_refused(catalog: &Catalog, old: &DataType, new: &DataType) -> bool {
    !old.array && !new.array && old.name != new.name && is_refused_by_name(catalog, &old.name, new)
}

fn is_refused_by_name(catalog: &Catalog, old: &str, new: &DataType) -> bool {
    let to = new.name.as_str();
    let is_known = |it: &str| [NUMBERS, STRINGS, OTHERS].iter().any(|all| all.contains(&it));
    let is_enum = || matches!(types::created(catalog, new), Some(TypeKind::Enum { .. }));
    if !is_known(old) || STRINGS.contains(&to) || !(is_known(to) || is_enum()) || makes_casts(catalog) {
        return false;
    }
    let numbers = NUMBERS.contains(&old) && NUMBERS.contains(&to);
    old != to && !numbers && !CASTS.contains(&(old, to))
}

/// Whether a column's default is refused so.
pub fn is_default_refused(catalog: &Catalog, column: &Column, new: &DataType) -> bool {
    let of_literal = |default: &Expression| {
        let written = default.whole.cast.is_none() && default.calls.is_empty();
        match &default.whole.kind {
            // A string is of the column's type.
            OperandKind::Text(_) if written && !column.resolved.array => Some(column.resolved.name.clone()),
            OperandKind::Boolean(_) if written => Some("boolean".to_owned()),
            OperandKind::Number(_) if written => Some("numeric".to_owned()),
            _ => None,
        }
    };
    let of_default = column.default.as_ref().and_then(of_literal);
    !new.array && of_default.is_some_and(|it| is_refused_by_name(catalog, &it, new))
}

fn makes_casts(catalog: &Catalog) -> bool {
    catalog.others.keys().any(|(kind, _, _)| *kind == ObjectKind::Cast)
}

#[cfg(test)]
mod tests {
    use super::is_refused;
    use crate::{catalog::Catalog, lint::types::read};

    #[test]
    fn only_what_pg_cast_assigns_is_changed_by_itself() {
        let cases = [
            ("text", "integer", true),
            ("varchar(20)", "uuid", true),
            ("text", "jsonb", true),
            ("integer", "boolean", true),
            ("boolean", "integer", true),
            ("date", "time", true),
            ("bigint", "timestamptz", true),
            ("bigint", "smallint", false),
            ("double precision", "numeric(10,2)", false),
            ("integer", "text", false),
            ("jsonb", "varchar(10)", false),
            ("timestamptz", "date", false),
            ("json", "jsonb", false),
            ("text", "text", false),
            ("text", "citext", false),
            ("integer", "money", false),
            ("text[]", "integer[]", false),
            ("text", "integer[]", false),
        ];
        for (old, new, expected) in cases {
            assert_eq!(is_refused(&Catalog::default(), &read(old), &read(new)), expected, "{old} to {new}");
        }
    }
}
