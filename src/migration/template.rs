//! What `liftlock new` writes: files that pass the production rules, with names for the author to fill in.
//!
//! Work that Postgres only does without stopping traffic in several transactions becomes several files: each
//! is a migration of its own, so that each holds its locks for an instant.

mod placed;
mod skeletons;
#[cfg(test)]
mod tests;

use self::{
    placed::{New, placed},
    skeletons::{Part, parts},
};
use super::{layout::Layout, script};

/// Which statement skeleton to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    Column,
    Index,
    Constraint,
    NotNull,
    Config,
    Data,
    Empty,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Table,
        Self::Column,
        Self::Index,
        Self::Constraint,
        Self::NotNull,
        Self::Config,
        Self::Data,
        Self::Empty,
    ];

    /// The promotion type that such a migration is for.
    fn promotion_type(self) -> &'static str {
        match self {
            Self::Config => "config_only",
            Self::Data => "data_migration",
            Self::Table | Self::Column | Self::Index | Self::Constraint | Self::NotNull | Self::Empty => "schema_safe",
        }
    }
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// Its path below the migrations folder: `20260131120000_add_pole_owner_safe.sql`.
    pub name: String,
    pub text: String,
    /// Words in it that stand for names only the author knows.
    pub fill_in: Vec<String>,
}

/// What a template is made from.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// As [`snake_name`] returns it.
    pub name: &'a str,
    pub kind: Kind,
    /// Now, in UTC.
    pub now: jiff::civil::DateTime,
    /// The ids that are there: the new ones are ordered behind those that carry a time, too.
    pub existing: &'a [super::MigrationId],
    /// Whose folder it goes into.
    pub layout: Layout,
    /// The first of the configuration's `config_tables`.
    pub config_table: Option<&'a str>,
}

/// Why a name cannot be one: what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadName {
    pub why: &'static str,
    pub help: String,
}

/// The longest name, so that every file system and `psql` take the file's name.
const LONGEST_NAME: usize = 80;

/// Turns words into a name: `Add pole-owner` → `add_pole_owner`. `.sql`, `_safe` and a time in front may be
/// there already.
pub fn snake_name(words: &str) -> Result<String, BadName> {
    let bad = |why, help: &str| Err(BadName { why, help: help.to_owned() });
    const EXAMPLE: &str = "say in a few words what it does: `liftlock new add_pole_owner`";
    if words.contains(['/', '\\']) {
        return bad("it holds a path", "the folder is `migrations:` in liftlock.yml; give only the name");
    }
    let words = words.trim();
    let words = words.strip_suffix(".sql").unwrap_or(words);
    let mut name = String::new();
    for character in words.chars() {
        match character {
            letter if letter.is_ascii_alphanumeric() => name.push(letter.to_ascii_lowercase()),
            ' ' | '-' | '_' | '.' | '\t' if name.ends_with('_') || name.is_empty() => {}
            ' ' | '-' | '_' | '.' | '\t' => name.push('_'),
            _ => return bad("it holds characters that not every system takes", "use letters a to z, digits and `_`"),
        }
    }
    let name = name.trim_end_matches('_');
    let name =
        name.strip_suffix("_sql").filter(|_| words.trim().to_ascii_lowercase().ends_with(".sql")).unwrap_or(name);
    let name = name.strip_suffix("_safe").unwrap_or(name);
    let time = name.bytes().take_while(u8::is_ascii_digit).count();
    let name = if time == 14 { name[time..].trim_start_matches('_') } else { name };
    if name.is_empty() || name == "safe" {
        return bad("it says nothing", EXAMPLE);
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return bad("it starts with a digit", "start with a letter: liftlock puts the time in front by itself");
    }
    if name.len() > LONGEST_NAME {
        return Err(BadName {
            why: "it is too long",
            help: format!("use at most {LONGEST_NAME} characters; the description in the file has room for the rest"),
        });
    }
    Ok(name.to_owned())
}

/// The files of a new migration, in order.
pub fn files(wanted: &Wanted) -> Vec<TemplateFile> {
    let names = Names::guessed(wanted);
    let first = first_free(wanted);
    let parts = parts(wanted.kind, wanted.name);
    let mut files = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let at = first.saturating_add(jiff::Span::new().seconds(i64::try_from(index).unwrap_or_default()));
        let text = text(&part, wanted, &names);
        let name = format!("{}_safe", part.name);
        let rollback = part.rollback.replace("{table}", &names.table).replace("{column}", &names.column) + "\n";
        let in_transaction = part.in_transaction;
        let new = New { name: &name, at, index, text, rollback, in_transaction };
        for (name, text) in placed(wanted.layout, wanted.existing, new) {
            let fill_in = FILL_INS.iter().filter(|word| text.contains(**word)).map(|word| (*word).to_owned()).collect();
            files.push(TemplateFile { name, text, fill_in });
        }
    }
    files
}

/// Now, or the second behind the last migration that carries a time.
fn first_free(wanted: &Wanted) -> jiff::civil::DateTime {
    let times =
        wanted.existing.iter().filter_map(|id| script::script(&id.0).version).map(|version| version.to_string());
    let times = times.filter(|version| version.len() == 14);
    let last = times.filter_map(|time| jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", time).ok()).max();
    let behind_last = last.map(|last| last.saturating_add(jiff::Span::new().seconds(1)));
    behind_last.map_or(wanted.now, |behind_last| behind_last.max(wanted.now))
}

const FILL_INS: [&str; 5] = ["table_name", "column_name", "other_table", "some_key", "some_value"];

/// The names in the statements, guessed from the migration's name where it gives them away.
struct Names {
    table: String,
    column: String,
}

impl Names {
    /// `create_poles` → `poles`; `add_owner_to_poles` → `poles.owner`; `index_drops_by_pole` → `drops.pole`.
    fn guessed(wanted: &Wanted) -> Self {
        let words = |text: &str, fallback: &str| if text.is_empty() { fallback.to_owned() } else { text.to_owned() };
        let mut name = wanted.name;
        for verb in ["create_", "add_", "index_", "require_", "check_", "set_", "backfill_", "make_", "new_"] {
            name = name.strip_prefix(verb).unwrap_or(name);
        }
        let (table, column) = match wanted.kind {
            Kind::Table => (words(name.strip_suffix("_table").unwrap_or(name), "table_name"), "column_name".to_owned()),
            Kind::Index => {
                name.split_once("_by_").map_or_else(Self::unknown, |(table, column)| (table.into(), column.into()))
            }
            Kind::Config => (wanted.config_table.unwrap_or("table_name").to_owned(), "column_name".to_owned()),
            Kind::Column | Kind::Constraint | Kind::NotNull | Kind::Data | Kind::Empty => {
                let divided = [("_to_", false), ("_of_", false), ("_on_", false), ("_in_", false)];
                let found = divided.iter().find_map(|(word, _)| name.split_once(word));
                found.map_or_else(Self::unknown, |(column, table)| (table.into(), column.into()))
            }
        };
        Self { table: reserved_or(table, "table_name"), column: reserved_or(column, "column_name") }
    }

    fn unknown() -> (String, String) {
        ("table_name".to_owned(), "column_name".to_owned())
    }
}

/// Words that Postgres takes for something else, and those that no name was guessed from.
fn reserved_or(guess: String, fallback: &str) -> String {
    const RESERVED: [&str; 24] = [
        "all",
        "analyse",
        "analyze",
        "and",
        "array",
        "as",
        "case",
        "check",
        "column",
        "constraint",
        "default",
        "desc",
        "end",
        "from",
        "group",
        "limit",
        "not",
        "null",
        "order",
        "primary",
        "references",
        "table",
        "user",
        "where",
    ];
    if RESERVED.contains(&guess.as_str()) { fallback.to_owned() } else { guess }
}

fn text(part: &Part, wanted: &Wanted, names: &Names) -> String {
    let rollback = part.rollback.replace("{table}", &names.table).replace("{column}", &names.column);
    let rollback: String = rollback.lines().map(|line| format!("--   {line}\n")).collect();
    let lock_timeout = if part.in_transaction {
        "-- Gives way instead of holding up everybody behind it; liftlock tries again.\nset local lock_timeout = '2s';\n\n"
    } else {
        ""
    };
    let body = part.body.replace("{table}", &names.table).replace("{column}", &names.column);
    format!(
        "-- Description: {}\n-- Created: {}\n-- Type: {}\n-- Rollback:\n{rollback}\n{lock_timeout}{body}",
        part.description,
        wanted.now.strftime("%Y-%m-%d %H:%M UTC"),
        wanted.kind.promotion_type(),
    )
}
