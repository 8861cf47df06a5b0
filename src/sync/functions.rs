//! The functions that receive a sync inside Convex, embedded: the files that an app deploys with its own, and the
//! names that tables have there. `functions/sync.ts` says what each function takes and gives.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::services::mirror::document_hash;

/// What writers must send as `protocol`; the functions refuse any other.
pub use crate::services::mirror::convex::PROTOCOL;

/// The module that the functions are called by, unless the configuration says otherwise: `liftlock/sync:version`.
pub const MODULE: &str = "liftlock/sync";

/// Convex: table names have at most 64 characters.
const TABLE_CHARACTERS: usize = 64;

/// Begins the names of the tables that hold the sync's own books.
const OWN: &str = "liftlock_";

/// What a file of ours begins with.
const MARKER: &str = "// liftlock ";
const MARKER_END: &str = "written by `liftlock convex init`; a file that was edited is never overwritten";

const TEMPLATES: &[(&str, &str)] = &[
    ("guard.ts", include_str!("functions/guard.ts")),
    ("reading.ts", include_str!("functions/reading.ts")),
    ("sync.ts", include_str!("functions/sync.ts")),
    ("tables.ts", include_str!("functions/tables.ts")),
    ("values.ts", include_str!("functions/values.ts")),
    ("writing.ts", include_str!("functions/writing.ts")),
];

/// A whole schema, for an app that has none.
pub const SCHEMA: &str = r#"import { defineSchema } from "convex/server";
import { liftlockTables } from "./liftlock/tables";

// Yours from here on: liftlock does not touch this file again. Add your own tables behind the mirrored ones.
export default defineSchema({
  ...liftlockTables,
});
"#;

/// A table in Convex, and the one at the source that it mirrors, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mirrored {
    pub table: String,
    pub source: String,
}

impl Mirrored {
    /// The table that mirrors `source`.
    pub fn of(source: &str) -> Self {
        Self { table: table_name(source), source: source.to_owned() }
    }
}

/// The name in Convex of a table that people write as `source`: plain names stay, `app.flags` becomes `app__flags`,
/// and a part that Convex does not take begins with `u_` and has its odd characters as hex, as fields do. It depends
/// on nothing but the name; that no two tables of a plan get one name is for [`collision`] to say.
pub fn table_name(source: &str) -> String {
    let parts: Vec<String> = identifiers(source).iter().map(|it| part(it)).collect();
    let mut name = parts.join("__");
    if name.starts_with(OWN) {
        name.insert_str(0, "u_");
    }
    if name.len() > TABLE_CHARACTERS {
        name.truncate(TABLE_CHARACTERS - 17);
        name.push_str(&format!("_{:016x}", document_hash("table", source, "")));
    }
    name
}

/// Two tables that would be one in Convex.
pub fn collision(tables: &[Mirrored]) -> Option<(&Mirrored, &Mirrored)> {
    let mut sorted: Vec<&Mirrored> = tables.iter().collect();
    sorted.sort();
    sorted.windows(2).find(|it| it[0].table == it[1].table).map(|it| (it[0], it[1]))
}

/// `app."Odd ""one"""` → `app`, `Odd "one"`.
fn identifiers(source: &str) -> Vec<String> {
    let (mut found, mut current, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                current.push('"');
            }
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => found.push(std::mem::take(&mut current)),
            other => current.push(other),
        }
    }
    found.push(current);
    found
}

fn part(identifier: &str) -> String {
    let is_plain = identifier.starts_with(|it: char| it.is_ascii_alphabetic())
        && identifier.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    if is_plain {
        return identifier.to_owned();
    }
    let mut name = String::from(if identifier.starts_with('_') { "u" } else { "u_" });
    for character in identifier.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => name.push(character),
            other => name.push_str(&format!("_{:x}", u32::from(other))),
        }
    }
    name
}

/// A file below the app's `convex` folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: String,
    pub text: String,
}

/// All files of ours for these tables, at least one, each with its marker line.
pub fn files(tables: &[Mirrored]) -> Vec<File> {
    let file = |(name, template): &(&str, &str)| {
        let text = match *name {
            "tables.ts" => with_tables(template, tables),
            "sync.ts" => template.replace("\"0.0.0\"", &format!("\"{}\"", env!("CARGO_PKG_VERSION"))),
            _ => (*template).to_owned(),
        };
        File { path: format!("liftlock/{name}"), text: marked(&text) }
    };
    TEMPLATES.iter().map(file).collect()
}

fn with_tables(template: &str, tables: &[Mirrored]) -> String {
    let lines = |line: &dyn Fn(&Mirrored) -> String| tables.iter().map(line).collect::<String>();
    let mut text = template.to_owned();
    for (list, lines) in [
        ("mirrored", lines(&|it| format!("  {}: mirrored(),\n", it.table))),
        ("names", lines(&|it| format!("  v.literal({}),\n", quoted(&it.table)))),
        ("sources", lines(&|it| format!("  {{ table: {}, source: {} }},\n", quoted(&it.table), quoted(&it.source)))),
    ] {
        let (begin, end) = (format!("  // {list} begin\n"), format!("  // {list} end\n"));
        let from = text.find(&begin).expect("the template has every list");
        let to = text.find(&end).expect("every list of the template has an end") + end.len();
        text.replace_range(from..to, &lines);
    }
    text
}

/// As a string of TypeScript: JSON is one, and a name in a comment or a string ends neither.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

fn marked(text: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("{MARKER}{version} sha256:{}; {MARKER_END}\n/* eslint-disable */\n{text}", fingerprint(text))
}

/// What is known about a file that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As some version of liftlock wrote it.
    Ours,
    /// Ours, and edited since.
    Edited,
    /// Without our marker line.
    Foreign,
}

/// Whose a file is. Line ends may have become those of Windows on the way through version control.
pub fn found(text: &str) -> Found {
    let text = text.replace("\r\n", "\n");
    let marker = text.split_once('\n').filter(|(first, _)| first.starts_with(MARKER));
    let Some((first, rest)) = marker else { return Found::Foreign };
    let content = rest.split_once('\n').map_or("", |(_, content)| content);
    let written = first.split_once("sha256:").and_then(|(_, rest)| rest.split_once(';')).map(|(digest, _)| digest);
    let has_second = rest.starts_with("/* eslint-disable */\n");
    match written == Some(fingerprint(content).as_str()) && has_second && first.ends_with(MARKER_END) {
        true => Found::Ours,
        false => Found::Edited,
    }
}

/// The tables that a `tables.ts` of ours lists.
pub fn tables_of(text: &str) -> Vec<Mirrored> {
    let entry = |line: &str| {
        let (table, source) = line.trim().strip_prefix("{ table: ")?.strip_suffix(" },")?.split_once(", source: ")?;
        Some(Mirrored { table: serde_json::from_str(table).ok()?, source: serde_json::from_str(source).ok()? })
    };
    text.lines().filter_map(entry).collect()
}

fn fingerprint(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::{Found, Mirrored, collision, files, found, table_name, tables_of};

    #[test]
    fn tables_get_names_that_convex_takes() {
        let long = format!("{}.{}", "s".repeat(40), "t".repeat(40));
        for (source, table) in [
            ("sow_poles", "sow_poles"),
            ("app.flags", "app__flags"),
            ("\"Orders\"", "Orders"),
            ("\"Odd Name\"", "u_Odd_20Name"),
            ("\"a.b\"", "u_a_2eb"),
            ("a.\"say \"\"x\"\"\"", "a__u_say_20_22x_22"),
            ("_x", "u_x"),
            ("\"1st\"", "u_1st"),
            ("liftlock_tables", "u_liftlock_tables"),
            ("\"é\"", "u__e9"),
        ] {
            assert_eq!(table_name(source), table, "{source}");
        }
        let name = table_name(&long);
        assert!(
            name.len() == 64 && name.starts_with("ssss") && name != table_name(&long.replace("tt", "ut")),
            "{name}"
        );
    }

    #[test]
    fn two_tables_that_would_be_one_are_noticed() {
        for (sources, expected) in
            [(&["a.b", "c"][..], None), (&["a.b", "c", "a__b"], Some(("a.b", "a__b"))), (&["b", "B"], None)]
        {
            let tables: Vec<Mirrored> = sources.iter().map(|it| Mirrored::of(it)).collect();
            let found = collision(&tables).map(|(one, other)| (one.source.as_str(), other.source.as_str()));
            assert_eq!(found, expected, "{sources:?}");
        }
    }

    #[test]
    fn only_an_untouched_file_is_ours() {
        let tables = [Mirrored::of("poles"), Mirrored::of("app.\"odd */ \\\" }, // name\"")];
        for file in files(&tables) {
            let text = file.text;
            for (changed, expected) in [
                (text.clone(), Found::Ours),
                (text.replace('\n', "\r\n"), Found::Ours),
                (text.replacen("0.1.0", "0.0.1", 1), Found::Ours),
                (format!("{text}\n"), Found::Edited),
                (text.replacen("export", "exporT", 1), Found::Edited),
                (text.replacen("sha256:", "sha256:0", 1), Found::Edited),
                (text.replacen("eslint-disable", "eslint-enable", 1), Found::Edited),
                (text.replacen("never", "always", 1), Found::Edited),
                (format!("\n{text}"), Found::Foreign),
                (text.split_once('\n').unwrap().1.to_owned(), Found::Foreign),
                (String::new(), Found::Foreign),
            ] {
                assert_eq!(found(&changed), expected, "{}:\n{}", file.path, &changed[..changed.len().min(300)]);
            }
        }
    }

    #[test]
    fn the_tables_of_a_file_can_be_read_back() {
        let tables = [Mirrored::of("poles"), Mirrored::of("app.\"odd */ \\\" }, // name\"")];
        let text = &files(&tables).iter().find(|it| it.path == "liftlock/tables.ts").unwrap().text.clone();
        assert_eq!(tables_of(text), tables);
        assert!(!text.contains("customers") && text.contains("  poles: mirrored(),\n"), "{text}");
    }
}
