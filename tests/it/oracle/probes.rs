//! The list of probes, in the files beside this one. One line is one probe:
//!
//! ```text
//! statement                          in a transaction that is rolled back
//! setup >>> statement                after setup, which is committed
//! @17 statement                      only from PostgreSQL 17 on; @-16 up to 16
//! @alone(orders) statement           on its own, in its own copy; its locks on these tables are looked for
//! # text                             a heading
//! ```

use liftlock::config::PostgresMajor;

const FILES: [&str; 6] = [
    include_str!("columns.txt"),
    include_str!("types.txt"),
    include_str!("constraints.txt"),
    include_str!("relations.txt"),
    include_str!("objects.txt"),
    include_str!("rows.txt"),
];

#[derive(Debug, Clone)]
pub struct Probe {
    /// As it stands in the list; it is also its name.
    pub line: &'static str,
    pub setup: &'static str,
    pub sql: &'static str,
    oldest: u8,
    newest: u8,
    /// `None`: in a transaction. Else the tables on which its locks are looked for.
    pub alone: Option<Vec<&'static str>>,
}

impl Probe {
    /// Whether the version knows it at all.
    pub fn runs_on(&self, major: PostgresMajor) -> bool {
        (self.oldest..=self.newest).contains(&major.number())
    }
}

pub fn all() -> Vec<Probe> {
    let lines = FILES.iter().flat_map(|it| it.lines()).map(str::trim);
    lines.filter(|it| !it.is_empty() && !it.starts_with('#')).map(probe).collect()
}

fn probe(line: &'static str) -> Probe {
    let (oldest, newest) = (PostgresMajor::OLDEST.number(), PostgresMajor::NEWEST.number());
    let mut probe = Probe { line, setup: "", sql: line, oldest, newest, alone: None };
    while let Some(rest) = probe.sql.strip_prefix('@') {
        let (word, rest) = rest.split_once(' ').unwrap();
        probe.sql = rest.trim();
        if let Some(tables) = word.strip_prefix("alone(").and_then(|it| it.strip_suffix(')')) {
            probe.alone = Some(tables.split(',').filter(|it| !it.is_empty()).collect());
        } else if let Some(newest) = word.strip_prefix('-') {
            probe.newest = newest.parse().unwrap();
        } else {
            probe.oldest = word.parse().unwrap_or_else(|_| panic!("no probe is marked `@{word}`: {line}"));
        }
    }
    if let Some((setup, sql)) = probe.sql.split_once(" >>> ") {
        (probe.setup, probe.sql) = (setup, sql);
    }
    probe
}
