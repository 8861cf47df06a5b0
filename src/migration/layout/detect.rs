//! Names and first lines → the tool.

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use super::{Applier, Asked, Found, Layout, Tool, marker};
use crate::migration::script;

/// What lies in a folder.
pub struct Seen<'a> {
    /// Ids of `.sql` files that may be migrations, with their texts.
    pub files: &'a [(&'a str, &'a str)],
    /// Ids of other files that say something.
    pub marks: &'a [String],
    /// The folder's own path, as far as it is known.
    pub root: &'a str,
    /// The text of the nearest file of a name in the folder or above it, within the project.
    pub above: &'a dyn Fn(&str) -> Option<String>,
}

/// Which tool's folder this is, and why.
pub fn found(seen: &Seen, asked: Asked) -> Found {
    let (tool, by) = match asked.tool {
        Some(tool) => (tool, "as `layout:` says".to_owned()),
        None => tool(seen, asked.applier),
    };
    let transactions = asked.transactions.unwrap_or(tool.transactions());
    let mut notes = Vec::new();
    if asked.tool.is_none() {
        let others = by_marks(seen.marks).into_iter().filter(|(other, _)| *other != tool);
        notes.extend(others.map(|(other, mark)| {
            format!("{mark} is {}'s: if it applies these files, say so with `layout: {}`", other.title(), other.name())
        }));
    }
    Found { layout: Layout { tool, transactions }, by, notes }
}

/// By what a tool leaves in the folder, by what stands in the files, by how they are called, by what the project says.
fn tool(seen: &Seen, applier: Applier) -> (Tool, String) {
    let marked = by_marks(seen.marks);
    let of_files = marked.iter().find(|(tool, _)| *tool != Tool::Atlas);
    let found = of_files.map(|(tool, mark)| (*tool, format!("found by {mark}")));
    let found = found.or_else(|| by_contents(seen.files)).or_else(|| by_breakpoints(seen.files));
    let found = found.or_else(|| by_shape(seen));
    let atlas =
        || marked.iter().find(|(tool, _)| *tool == Tool::Atlas).map(|(tool, mark)| (*tool, format!("found by {mark}")));
    let found = found.or_else(atlas).or_else(|| by_place(seen));
    let found = found.or_else(|| (applier == Applier::Unknown).then(|| by_project(seen)).flatten());
    found.unwrap_or((Tool::Liftlock, "no other tool's marks".to_owned()))
}

/// Files that only one tool writes.
fn by_marks(marks: &[String]) -> Vec<(Tool, String)> {
    let mut found = Vec::new();
    for mark in marks {
        let name = mark.rsplit('/').next().unwrap_or(mark);
        let tool = match name {
            "migration_lock.toml" => Tool::Prisma,
            "_journal.json" if mark.ends_with("meta/_journal.json") => Tool::Drizzle,
            "snapshot.json" => Tool::Drizzle,
            "atlas.sum" => Tool::Atlas,
            _ if name.ends_with(".fizz") => Tool::Pop,
            _ if name.ends_with(".sql.conf") => Tool::Flyway,
            _ => continue,
        };
        if found.iter().all(|(known, _)| *known != tool) {
            found.push((tool, mark.clone()));
        }
    }
    found
}

/// From how many files on more than one core looks at them.
const MANY: usize = 512;

/// Sections that at least half of the files have.
fn by_contents(files: &[(&str, &str)]) -> Option<(Tool, String)> {
    const TOOLS: [(Tool, &str); 6] = [
        (Tool::Goose, "-- +goose Up"),
        (Tool::Dbmate, "-- migrate:up"),
        (Tool::SqlMigrate, "-- +migrate Up"),
        (Tool::Liquibase, "--liquibase formatted sql"),
        (Tool::NodePgMigrate, "-- Up Migration"),
        (Tool::GraphileMigrate, "--! Previous"),
    ];
    let mut counts = [0_usize; TOOLS.len()];
    let tools = if files.len() < MANY {
        files.iter().filter_map(|(_, text)| of_text(text)).collect::<Vec<_>>()
    } else {
        files.par_iter().filter_map(|(_, text)| of_text(text)).collect()
    };
    for tool in tools {
        let at = TOOLS.iter().position(|(it, _)| *it == tool);
        counts[at.unwrap_or_default()] += 1;
    }
    let most = (0..TOOLS.len()).rev().max_by_key(|at| counts[*at])?;
    let (tool, sign) = TOOLS[most];
    let said = || format!("found by `{sign}` in {} of {}", counts[most], said_files(files.len()));
    (counts[most] > 0 && counts[most] * 2 >= files.len()).then(|| (tool, said()))
}

/// What Drizzle writes between statements, so that files of one statement have none. Its journal may lie elsewhere.
fn by_breakpoints(files: &[(&str, &str)]) -> Option<(Tool, String)> {
    const SIGN: &str = "--> statement-breakpoint";
    let count = files.iter().filter(|(_, text)| text.contains(SIGN)).count();
    let said = || format!("found by `{SIGN}` in {count} of {}", said_files(files.len()));
    (count > 0 && count * 4 >= files.len()).then(|| (Tool::Drizzle, said()))
}

fn said_files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// Whose sections a text has.
pub fn of_text(text: &str) -> Option<Tool> {
    let mut up = false;
    for comment in marker::lines(text) {
        // No other comment can be one, and every line of every file is asked.
        if !comment.starts_with(['+', '!', 'm', 'l', 'L', 'u', 'U', 'd', 'D']) {
            continue;
        }
        if marker::is(comment, "+goose up") {
            return Some(Tool::Goose);
        } else if marker::is(comment, "+migrate up") {
            return Some(Tool::SqlMigrate);
        } else if comment.starts_with("migrate:up") {
            return Some(Tool::Dbmate);
        } else if marker::is(comment, "liquibase formatted") {
            return Some(Tool::Liquibase);
        } else if comment.starts_with("! Previous:") {
            return Some(Tool::GraphileMigrate);
        }
        up |= comment.eq_ignore_ascii_case("up migration");
        if up && comment.eq_ignore_ascii_case("down migration") {
            return Some(Tool::NodePgMigrate);
        }
    }
    None
}

/// Names that at least half of the files have.
fn by_shape(seen: &Seen) -> Option<(Tool, String)> {
    let ids: Vec<&str> = seen.files.iter().map(|(id, _)| *id).collect();
    let half = |fits: &dyn Fn(&str) -> bool| {
        let count = ids.iter().filter(|id| fits(id)).count();
        count > 0 && count * 2 >= ids.len()
    };
    if half(&|id| is_named(id, "migration.sql")) {
        return Some((Tool::Prisma, "found by NAME/migration.sql".to_owned()));
    }
    if half(&|id| is_named(id, "up.sql")) {
        return Some((Tool::Diesel, "found by NAME/up.sql".to_owned()));
    }
    if half(&is_flyway) {
        let refinery = mentions(seen, "Cargo.toml", "refinery");
        return Some(refinery.map_or((Tool::Flyway, "found by V1__NAME.sql".to_owned()), |by| (Tool::Refinery, by)));
    }
    if half(&|id| segments(id).any(|part| part == "do")) {
        return Some((Tool::Postgrator, "found by 1.do.NAME.sql".to_owned()));
    }
    half(&|id| script::has_ending(id, ".up.sql")).then(|| pairs(seen, &ids))
}

/// `x.up.sql` beside `x.down.sql` is written by several tools.
fn pairs(seen: &Seen, ids: &[&str]) -> (Tool, String) {
    let dialects = [".postgres.up.sql", ".cockroach.up.sql", ".sqlite3.up.sql", ".mysql.up.sql"];
    if let Some(id) = ids.iter().find(|id| dialects.iter().any(|it| id.ends_with(it))) {
        return (Tool::Pop, format!("found by {id}"));
    }
    if let Some((id, _)) = seen.files.iter().find(|(_, text)| text.starts_with("-- no-transaction")) {
        return (Tool::Sqlx, format!("found by `-- no-transaction` in {id}"));
    }
    const PROJECTS: [(&str, &str, Tool); 6] = [
        ("Cargo.toml", "sqlx", Tool::Sqlx),
        ("go.mod", "golang-migrate/migrate", Tool::GolangMigrate),
        ("go.mod", "gobuffalo/pop", Tool::Pop),
        ("go.mod", "ory/x", Tool::Pop),
        ("go.mod", "ory/pop", Tool::Pop),
        ("package.json", "node-pg-migrate", Tool::NodePgMigrate),
    ];
    let said = PROJECTS.iter().find_map(|(file, word, tool)| Some((*tool, mentions(seen, file, word)?)));
    said.unwrap_or((Tool::GolangMigrate, "found by NAME.up.sql".to_owned()))
}

/// Where the tool's own layout wants the folder; or the project that it lies in is named.
fn by_place(seen: &Seen) -> Option<(Tool, String)> {
    let root = seen.root.trim_end_matches('/').replace('\\', "/");
    let is_below = |id: &&(&str, &str)| {
        id.0.starts_with("supabase/migrations/") || root.ends_with("/supabase") && id.0.starts_with("migrations/")
    };
    let below = seen.files.iter().filter(is_below).count();
    let found = root == "supabase/migrations" || root.ends_with("/supabase/migrations");
    (found || below > 0 && below * 2 >= seen.files.len())
        .then(|| (Tool::Supabase, "found by supabase/migrations".to_owned()))
}

/// What the project depends on, for plain numbered files.
fn by_project(seen: &Seen) -> Option<(Tool, String)> {
    let sqlx = mentions(seen, "Cargo.toml", "sqlx").map(|by| (Tool::Sqlx, by));
    sqlx.or_else(|| mentions(seen, "package.json", "node-pg-migrate").map(|by| (Tool::NodePgMigrate, by)))
}

/// Whether the nearest manifest of this name has the word in it, not as part of another word.
fn mentions(seen: &Seen, file: &str, word: &str) -> Option<String> {
    let text = (seen.above)(file)?;
    let part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let alone = |at: usize| {
        !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(|it: char| part(it) && it != '-')
    };
    text.match_indices(word).any(|(at, _)| alone(at)).then(|| format!("found by `{word}` in {file}"))
}

fn is_named(id: &str, name: &str) -> bool {
    id.rsplit_once('/').is_some_and(|(_, last)| last == name)
}

/// `V1__x.sql`, `R__x.sql`, `U1__x.sql`.
fn is_flyway(id: &str) -> bool {
    let name = id.rsplit('/').next().unwrap_or(id);
    let Some((head, _)) = name.split_once("__") else { return false };
    match head.split_at_checked(1) {
        Some(("V" | "U" | "B", version)) => version.starts_with(|it: char| it.is_ascii_digit()),
        Some(("R", "")) => true,
        _ => false,
    }
}

fn segments(id: &str) -> impl Iterator<Item = &str> {
    id.rsplit('/').next().unwrap_or(id).split('.')
}

#[cfg(test)]
mod tests {
    use super::{Asked, Seen, Tool, found};

    fn check(files: &[(&str, &str)], expected: Tool) {
        let seen = Seen { files, marks: &[], root: "", above: &|_| None };
        assert_eq!(found(&seen, Asked::default()).layout.tool, expected, "{files:?}");
    }

    #[test]
    fn drizzle_is_known_without_its_journal() {
        let several = "create table a (id int);--> statement-breakpoint\ncreate table b (id int);";
        let one = "create table c (id int);";
        check(&[("0000_a.sql", several), ("0001_b.sql", one)], Tool::Drizzle);
        check(&[("0000_a.sql", one), ("0001_b.sql", one)], Tool::Liftlock);
    }
}
