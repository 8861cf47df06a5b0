//! `ALTER COLUMN … TYPE` where no file says what the type was: whether rows are written is guessed from what the statement
//! and its migration say besides.
//!
//! Counted in 201 folders of real migrations, by their histories: of 26 changes to `text` or `varchar` 18 wrote rows; the name
//! of the column or a dropped default tells 12 of these, and 3 of the 8 others. To `varchar(n)` 10 of 12 were free from 200
//! characters on, and 11 of 26 below. To `bigint`, `double precision`, `smallint` and `numeric` all 39 wrote rows, and so
//! did all 45 with a cast in `USING`. To `integer` without one nobody's histories tell: it comes from a `smallint` or a `bigint`,
//! which writes rows, from an `oid` or a domain, which does not, and from tools that say again what is there. To `timestamptz` after `set time zone 'UTC'` 68 of 82 were free; the others had an index.

use crate::{
    lint::{Context, types::DataType},
    sql::{
        Change, Statement,
        change::ActionKind,
        names::{Ident, ObjectName},
    },
};

use super::{Chance, type_change::EITHER_WAY};

/// How likely rows are written.
pub fn chance(context: &Context, table: &ObjectName, column: &Ident, new: &DataType, written: Written) -> Chance {
    // Who writes `USING` needs a cast, and a cast that is needed is rarely free.
    let free = match written {
        Written::Converted => false,
        Written::UnderUtc => new.modifiers.is_none() && !new.array,
        Written::Plain => {
            is_mostly_free(new) && !is_told_by_name(&column.name, new) && !is_told_by_migration(context, table, column)
        }
    };
    if free { Chance::Unlikely } else { Chance::Likely }
}

/// What stands behind the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Nothing, or what would happen without it.
    Plain,
    /// A cast, or another collation.
    Converted,
    /// Nothing, while the session's time zone is UTC.
    UnderUtc,
}

/// [`DataType::finest`] of an interval that keeps all its fields.
const SECONDS: u8 = 4;
/// From here on a `varchar(n)` is mostly one that was shorter.
const ROOMY: u32 = 200;

/// Types to which people widen, when nobody says from where.
fn is_mostly_free(new: &DataType) -> bool {
    let number = || new.modifiers.as_ref().and_then(|it| it.first()?.parse::<u32>().ok());
    let unlimited = new.modifiers.is_none() && !new.array;
    // Six digits are all there are.
    let widest = unlimited || !new.array && number() == Some(6);
    match new.name.as_str() {
        "interval" => widest && new.finest >= SECONDS,
        "timestamp" | "time" => widest,
        "text" | "citext" | "inet" | EITHER_WAY => unlimited,
        "character varying" => unlimited || !new.array && number().is_some_and(|it| it >= ROOMY),
        "bit varying" => !new.array,
        _ => false,
    }
}

/// Names of columns whose values are none of a text's: keys are numbers or UUIDs, states are enums; none of a time's; and
/// keys that are written again as a number: they were another number.
fn is_told_by_name(name: &str, new: &DataType) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    match new.name.as_str() {
        "text" | "character varying" | "citext" => {
            ["id", "uuid", "status", "state", "role", "kind", "type", "stage"].contains(&last)
        }
        EITHER_WAY => last == "id",
        "timestamp" => ["date", "dt", "day", "birthday", "dob"].contains(&last),
        _ => false,
    }
}

/// `user_id`, `userId` → `user`, `id`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().expect("there is a first word").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

/// The migration drops the column's default, which would not fit the new type, or makes something else of it with `USING`
/// afterwards: an enum becomes a text on its way to another.
fn is_told_by_migration(context: &Context, table: &ObjectName, column: &Ident) -> bool {
    // A file with more statements than this is generated, and not by hand in steps.
    const NEAR: usize = 50;
    let name = context.catalog.resolve(table);
    let is_it = |other: &ObjectName| context.catalog.resolve(other) == name;
    let actions = |statement: &'_ Statement| match &statement.change {
        Change::AlterTable(alter) if is_it(&alter.table) => alter.actions.iter().map(|it| it.kind.clone()).collect(),
        _ => Vec::new(),
    };
    let present = context.migration.statements.get(context.index);
    let before = context.earlier().iter().rev().take(NEAR).chain(present);
    let drops_default =
        |it: &ActionKind| matches!(it, ActionKind::DropDefault { column: of } if of.name == column.name);
    let converts = |it: &ActionKind| {
        matches!(it, ActionKind::SetType { column: of, using: Some(using), .. }
            if of.name == column.name && using.text.contains("::"))
    };
    before.flat_map(actions).any(|it| drops_default(&it))
        || context.later().iter().take(NEAR).flat_map(actions).any(|it| converts(&it))
}

#[cfg(test)]
mod tests {
    use super::{is_told_by_name, words};
    use crate::lint::types;

    #[test]
    fn a_name_is_split_where_its_words_begin() {
        for (name, expected) in [("user_id", "user id"), ("userId", "user id"), ("ID", "id"), ("hashID", "hash id")] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn some_names_say_that_a_value_was_no_text_or_no_time() {
        let cases = [
            ("user_id", "text", true),
            ("recordId", "varchar", true),
            ("status", "text", true),
            ("paid", "text", false),
            ("note", "text", false),
            ("birth_date", "timestamp", true),
            ("updated", "timestamp", false),
            ("status", "timestamp", false),
            ("order_id", "integer", true),
            ("paid", "int", false),
        ];
        for (name, data_type, expected) in cases {
            assert_eq!(is_told_by_name(name, &types::read(data_type)), expected, "{name} {data_type}");
        }
    }
}
