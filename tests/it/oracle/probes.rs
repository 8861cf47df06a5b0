//! The list of probes, in the files beside this one. One line is one probe:
//!
//! ```text
//! statement                          in a transaction that is rolled back
//! setup >>> statement                after setup, which is committed
//! @17 statement                      only from PostgreSQL 17 on; @-16 up to 16
//! @alone(orders) statement           on its own, in its own copy; its locks on these tables are looked for
//! # text                             a heading
//! ```

use std::fs;

use camino::Utf8Path;
use liftlock::config::PostgresMajor;

/// Forms of statements as often as real migrations have them; the other lists are of what is hard to judge.
pub const ORDINARY: &str = "ordinary";

const FILES: [&str; 7] = [ORDINARY, "columns", "types", "constraints", "relations", "objects", "rows"];

#[derive(Debug, Clone)]
pub struct Probe {
    /// The file that it stands in.
    pub list: &'static str,
    /// As it stands in the list; it is also its name.
    pub line: String,
    pub setup: String,
    pub sql: String,
    oldest: u8,
    newest: u8,
    /// `None`: in a transaction. Else the tables on which its locks are looked for.
    pub alone: Option<Vec<String>>,
}

impl Probe {
    /// Whether the version knows it at all.
    pub fn runs_on(&self, major: PostgresMajor) -> bool {
        (self.oldest..=self.newest).contains(&major.number())
    }
}

/// The database that all probes run on.
pub fn setup() -> String {
    file("setup.sql")
}

pub fn all() -> Vec<Probe> {
    let mut all = Vec::new();
    for list in FILES {
        let text = file(&format!("{list}.txt"));
        let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
        all.extend(lines.map(|line| probe(list, line)));
    }
    all
}

/// A file of this folder.
pub fn file(name: &str) -> String {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn probe(list: &'static str, line: &str) -> Probe {
    let (mut oldest, mut newest) = (PostgresMajor::OLDEST.number(), PostgresMajor::NEWEST.number());
    let (mut alone, mut sql) = (None, line);
    while let Some(rest) = sql.strip_prefix('@') {
        let (word, rest) = rest.split_once(' ').unwrap();
        sql = rest.trim();
        if let Some(tables) = word.strip_prefix("alone(").and_then(|it| it.strip_suffix(')')) {
            alone = Some(tables.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect());
        } else if let Some(number) = word.strip_prefix('-') {
            newest = number.parse().unwrap();
        } else {
            oldest = word.parse().unwrap_or_else(|_| panic!("no probe is marked `@{word}`: {line}"));
        }
    }
    let (setup, sql) = sql.split_once(" >>> ").unwrap_or(("", sql));
    Probe { list, line: line.to_owned(), setup: setup.to_owned(), sql: sql.to_owned(), oldest, newest, alone }
}
