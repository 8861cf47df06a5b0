//! Which files are migrations, in which order, and what undoes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Asked, Found, Tool};
use crate::migration::script::{self, Direction};

/// Ids of a folder's files, told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Those that run, in order.
    pub up: Vec<String>,
    /// The down script of an up script.
    pub down: HashMap<String, String>,
    /// What is no migration of this tool, and why.
    pub left_out: Vec<(String, &'static str)>,
}

/// Whether a file only undoes what another one does, or stands in a folder of such. Refinery's `U…__` go up.
pub fn downs(ids: &[String], is_refinery: bool) -> BTreeSet<&String> {
    let all: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let is_down = |id: &&String| match script::direction(id) {
        Direction::Up => false,
        Direction::Down => !(is_refinery && id.rsplit('/').next().is_some_and(|name| name.starts_with('U'))),
        Direction::DownIfPaired => {
            let stem = &id[..id.len() - "_down.sql".len()];
            ["", "_up", "-up"].iter().any(|up| all.contains(format!("{stem}{up}.sql").as_str()))
        }
    };
    ids.iter().filter(is_down).collect()
}

/// A dump of the whole schema or rows to begin with, which lies beside migrations in many projects; no number is in
/// its name.
pub fn is_dump(id: &str) -> bool {
    const NAMES: [&str; 5] = ["structure.sql", "schema.sql", "seed.sql", "seeds.sql", "dump.sql"];
    let name = id.rsplit('/').next().unwrap_or(id);
    let in_seeds = || id.split('/').rev().skip(1).any(|part| matches!(part, "seed" | "seeds"));
    (NAMES.iter().any(|it| it.eq_ignore_ascii_case(name)) || in_seeds()) && !script::has_version(id)
}

/// Tells the files of a folder apart; `ids` are all `.sql` files, `journal` is Drizzle's.
pub fn select(found: &mut Found, asked: Asked, ids: &[String], journal: Option<&str>) -> Selection {
    let tool = found.layout.tool;
    let downs = downs(ids, tool == Tool::Refinery);
    let (mut up, mut left_out) = (Vec::new(), Vec::new());
    let has_numbered = ids.iter().any(|id| script::has_version(id));
    let may_leave_out = has_numbered && (tool != Tool::Liftlock || asked.may_be_any());
    for id in ids.iter().filter(|id| !downs.contains(id)) {
        let dump = (may_leave_out && is_dump(id)).then_some("a dump or seed");
        match dump.or_else(|| no_migration(tool, id)) {
            Some(why) => left_out.push((id.clone(), why)),
            None => up.push(id.clone()),
        }
    }
    let mut up = script::in_order(up, |id| is_repeatable(tool, id));
    let journal = journal.filter(|_| tool == Tool::Drizzle).and_then(|text| entries(text, &mut found.notes));
    if let Some(entries) = journal {
        up = in_journal(up, &entries, &mut left_out, &mut found.notes);
    }
    let keys: BTreeMap<Key, &String> = downs.iter().map(|id| (key(id), *id)).collect();
    let pair = |id: &String| Some((id.clone(), (*keys.get(&key(id))?).clone()));
    let down = if keys.is_empty() { HashMap::new() } else { up.iter().filter_map(pair).collect() };
    Selection { up, down, left_out }
}

fn no_migration(tool: Tool, id: &str) -> Option<&'static str> {
    let name = id.rsplit('/').next().unwrap_or(id);
    let starts =
        |head: &str| name.strip_prefix(head).is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_uppercase()));
    match tool {
        Tool::Flyway if starts("before") || starts("after") => Some("a callback of Flyway"),
        Tool::Flyway if starts_versioned(name, 'B') => Some("a baseline of Flyway, for new databases alone"),
        Tool::Pop
            if [".mysql.", ".sqlite3.", ".sqlite.", ".mariadb.", ".cockroach."].iter().any(|it| name.contains(it)) =>
        {
            Some("for another database")
        }
        _ => None,
    }
}

fn starts_versioned(name: &str, head: char) -> bool {
    name.strip_prefix(head).is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()) && rest.contains("__"))
}

/// Flyway runs `R__x.sql` behind all others, whenever its text has changed.
fn is_repeatable(tool: Tool, id: &str) -> bool {
    tool == Tool::Flyway && id.rsplit('/').next().unwrap_or(id).starts_with("R__")
}

/// An entry of `meta/_journal.json`.
struct Entry {
    tag: String,
    when: f64,
}

fn entries(text: &str, notes: &mut Vec<String>) -> Option<Vec<Entry>> {
    let entry = |it: &Value| {
        Some(Entry {
            tag: it.get("tag")?.as_str()?.to_owned(),
            when: it.get("when").and_then(Value::as_f64).unwrap_or(0.0),
        })
    };
    let read = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).ok();
    let read = read.and_then(|it| it.get("entries")?.as_array()?.iter().map(entry).collect::<Option<Vec<_>>>());
    if read.is_none() {
        notes.push("meta/_journal.json cannot be read: files are taken in the order of their numbers".to_owned());
    }
    read
}

/// Those that the journal lists, in its order.
fn in_journal(
    up: Vec<String>,
    entries: &[Entry],
    left_out: &mut Vec<(String, &'static str)>,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let stem = |id: &str| id.rsplit('/').next().unwrap_or(id).trim_end_matches(".sql").to_owned();
    let mut files: BTreeMap<String, String> = up.into_iter().map(|id| (stem(&id), id)).collect();
    let mut listed = Vec::new();
    let mut latest: Option<&Entry> = None;
    for entry in entries {
        match files.remove(&entry.tag) {
            Some(id) => listed.push(id),
            None => {
                notes.push(format!("{}.sql is in meta/_journal.json and not there: Drizzle stops at it", entry.tag))
            }
        }
        match latest {
            Some(before) if entry.when <= before.when => notes.push(format!(
                "{} is not later than {} in meta/_journal.json (`when`): Drizzle skips it, silently, where that one is applied",
                entry.tag, before.tag
            )),
            _ => latest = Some(entry),
        }
    }
    left_out.extend(files.into_values().map(|id| (id, "not in meta/_journal.json, so Drizzle never runs it")));
    listed
}

type Key = (String, Option<script::Version>, String);

/// What an up script and its down script have in common: folder, version, and the name where there is no version.
fn key(id: &str) -> Key {
    let script = script::script(id);
    let folder = id
        .rsplit('/')
        .skip(1)
        .filter(|part| !matches!(*part, "up" | "down" | "undo") && part.trim_end_matches(".sql") != script.name);
    let folder = folder.collect::<Vec<_>>().join("/");
    let name = script
        .name
        .trim_end_matches("_down")
        .trim_end_matches("-down")
        .replace(".undo", "")
        .replace(".down", "")
        .replace(".do", "");
    let name = if script.version.is_some() { String::new() } else { name };
    (folder, script.version, name)
}
