//! What a file's path says about its name, its version and its direction.
//!
//! Known: flat `x.sql`, `x.up.sql` beside `x.down.sql`, `x_up.sql` or `x-up.sql` beside `x_down.sql`, `x/up.sql` beside
//! `x/down.sql`, `x/migration.sql`, and Flyway's `V1__x.sql` beside `U1__x.sql`.

use std::cmp::Ordering;

/// What a path below the migrations folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The stem without `.sql`, `.up`, `_up` and `-up`; the folder's name for fixed file names.
    pub name: String,
    pub direction: Direction,
    /// The number that the name starts with.
    pub version: Option<Version>,
}

/// Which way a script goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    /// Undoes an up script; never applied.
    Down,
    /// Ends in `_down.sql` or `-down.sql`, which undoes `…_up.sql` or `….sql` beside it, and is an up script without one.
    DownIfPaired,
}

/// A leading version number: `0042`, `20260101120000`, `1.2`, `2026-01-31-120000`. Orders by its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Vec<String>);

impl Version {
    /// A calendar day is no version: two migrations of one day are no mistake.
    pub fn is_day(&self) -> bool {
        let year = |text: &str| text.len() == 4 && (text.starts_with("19") || text.starts_with("20"));
        match self.0.as_slice() {
            [day] => day.len() == 8 && year(&day[..4]),
            [first, _, _] => year(first),
            _ => false,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros, the longer number is the larger.
        fn numbers(version: &Version) -> impl Iterator<Item = (usize, &str)> {
            version.0.iter().map(|part| (part.len(), part.as_str()))
        }
        numbers(self).cmp(numbers(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reads a path below the migrations folder, parts divided by `/`.
pub fn script(id: &str) -> Script {
    let name = name(id);
    Script { name: name.to_owned(), direction: direction(id), version: version(name) }
}

fn name(id: &str) -> &str {
    let mut parts = id.rsplit('/');
    let stem = without_extension(parts.next().unwrap_or_default());
    match (stem, parts.next().map(without_extension)) {
        ("up" | "down" | "migration", Some(folder)) => folder,
        _ => [".up", "_up", "-up"].iter().find_map(|it| stem.strip_suffix(it)).unwrap_or(stem),
    }
}

/// [`Script::direction`] alone: asked of every file of a folder, more than once.
pub fn direction(id: &str) -> Direction {
    let stem = without_extension(id.rsplit('/').next().unwrap_or_default());
    let undo_segment = stem.split('.').skip(1).any(|part| part == "undo" || part == "down");
    let flyway_undo =
        stem.starts_with('U') && stem[1..].starts_with(|c: char| c.is_ascii_digit()) && stem.contains("__");
    let undo_folder = id.split('/').rev().skip(1).any(|part| matches!(part, "down" | "undo"));
    if stem == "down" || undo_segment || flyway_undo || undo_folder {
        Direction::Down
    } else if stem.ends_with("_down") || stem.ends_with("-down") {
        Direction::DownIfPaired
    } else {
        Direction::Up
    }
}

/// The file name without `.sql`, in any case.
fn without_extension(name: &str) -> &str {
    match name.len().checked_sub(4) {
        Some(at) if name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(".sql") => &name[..at],
        _ => name,
    }
}

/// The number at the start of a name. `-` and `.` join numbers; `_` joins those of two digits and more, so
/// that `2026_01_31_120000_x` is one version and `001_2_factor` is version 1; so does Flyway's `V1_2__x`.
fn version(name: &str) -> Option<Version> {
    let flyway = name.starts_with(['V', 'v', 'U']) && name.contains("__");
    let mut rest = if flyway { &name[1..] } else { name };
    let mut numbers = Vec::new();
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let ends = rest[digits..].chars().next().is_none_or(|next| !next.is_alphanumeric());
        if digits == 0 || (!numbers.is_empty() && !ends) {
            break;
        }
        numbers.push(number(&rest[..digits]));
        rest = &rest[digits..];
        let next_digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let joins = match rest.bytes().next() {
            Some(b'-' | b'.') => true,
            Some(b'_') => flyway || next_digits >= 2,
            _ => false,
        };
        if !joins {
            break;
        }
        rest = &rest[1..];
    }
    (!numbers.is_empty()).then_some(Version(numbers))
}

fn number(digits: &str) -> String {
    let number = digits.trim_start_matches('0');
    if number.is_empty() { "0" } else { number }.to_owned()
}

/// Whether the name starts with a number.
pub fn has_version(id: &str) -> bool {
    version(name(id)).is_some()
}

/// What ids are sorted by: the versions in their parts, ids without one last, then the bytes. Folders
/// without a number do not count, as Flyway has it.
pub fn order(id: &str) -> (bool, Vec<Version>, &str) {
    let name = name(id);
    let folders = id.split('/').count().saturating_sub(1);
    let mut versions: Vec<Version> = id.split('/').take(folders).filter_map(version).collect();
    let own_name_is_folder = folders > 0 && id.split('/').nth(folders - 1).map(without_extension) == Some(name);
    if !own_name_is_folder {
        versions.extend(version(name));
    }
    (versions.is_empty(), versions, id)
}

/// Ids in the order in which they run; those that come `last` behind all others.
pub fn in_order(ids: Vec<String>, last: impl Fn(&str) -> bool) -> Vec<String> {
    let keys = ids.iter().map(|id| (last(id), order(id))).collect::<Vec<_>>();
    // As most tools number them, the order of the bytes is theirs.
    if keys.is_sorted() {
        return ids;
    }
    let mut sorted = (0..ids.len()).collect::<Vec<_>>();
    sorted.sort_by(|one, other| keys[*one].cmp(&keys[*other]));
    sorted.into_iter().map(|at| ids[at].clone()).collect()
}

/// Whether the first line asks to be run outside a transaction, as sqlx, goose and dbmate write it.
pub fn asks_for_no_transaction(text: &str) -> bool {
    let comments = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    comments.map(|line| line.trim_start_matches('-').trim().to_ascii_lowercase()).any(|line| {
        line == "no-transaction"
            || line == "+goose no transaction"
            || (line.starts_with("migrate:up") && line.contains("transaction:false"))
    })
}

/// Whether a path ends in this, in any case.
pub fn has_ending(id: &str, ending: &str) -> bool {
    let from = id.len().saturating_sub(ending.len());
    id.is_char_boundary(from) && id[from..].eq_ignore_ascii_case(ending)
}
