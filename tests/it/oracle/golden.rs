//! The golden table: one line per probe, majors apart only where they differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::config::PostgresMajor;
use similar::TextDiff;

use super::{measure::Measurement, probes::Probe, servers::majors};

pub const GOLDEN: &str = "tests/it/oracle/golden.txt";
pub const EVIDENCE: &str = "src/lint/evidence.txt";

/// Every probe's measurements by major.
pub type Table = Vec<(Probe, BTreeMap<u8, Measurement>)>;

pub fn render(table: &Table) -> String {
    let mut text = String::from(
        "# What each probe does, measured on PostgreSQL 14 to 18 by tests/it/oracle.rs; made by LIFTLOCK_UPDATE_ORACLE=1.\n\
         # Strongest lock by relation: RS ROW SHARE, RX ROW EXCLUSIVE, SUX SHARE UPDATE EXCLUSIVE, S SHARE, SRX SHARE ROW\n\
         # EXCLUSIVE, X EXCLUSIVE, AX ACCESS EXCLUSIVE. Indexes only from SUX on.\n",
    );
    for (probe, measured) in table {
        writeln!(text, "{} => {}", probe.line, by_major(measured)).unwrap();
    }
    text
}

/// `14-16 fails 42601 | 17-18 orders AX`; without numbers when all say the same.
pub fn by_major<T: ToString>(measured: &BTreeMap<u8, T>) -> String {
    let mut runs: Vec<(u8, u8, String)> = Vec::new();
    for (major, measurement) in measured {
        let text = measurement.to_string();
        match runs.last_mut() {
            Some((_, last, same)) if *same == text => *last = *major,
            _ => runs.push((*major, *major, text)),
        }
    }
    if let [(_, _, text)] = runs.as_slice() {
        return text.clone();
    }
    runs.iter().map(|(first, last, text)| format!("{} {text}", range(*first, *last))).collect::<Vec<_>>().join(" | ")
}

fn range(first: u8, last: u8) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// What findings print, by rule and form of the statement: `rule | form => 14-17: measured | 18: measured`. Only where
/// every probe of the form on which the rule speaks was measured alike.
pub fn evidence(said: &BTreeMap<(String, String), BTreeMap<u8, BTreeSet<String>>>) -> String {
    let mut text = String::new();
    for ((rule, form), by_major) in said {
        let mut runs: Vec<(u8, u8, &String)> = Vec::new();
        for (major, measured) in by_major {
            let [only] = measured.iter().collect::<Vec<_>>()[..] else { continue };
            match runs.last_mut() {
                Some((_, last, same)) if *same == only && *last + 1 == *major => *last = *major,
                _ => runs.push((*major, *major, only)),
            }
        }
        if !runs.is_empty() {
            let runs = runs.iter().map(|(first, last, text)| format!("{}: {text}", range(*first, *last)));
            writeln!(text, "{rule} | {form} => {}", runs.collect::<Vec<_>>().join(" | ")).unwrap();
        }
    }
    text
}

/// The committed table. What servers do is known from it without running any.
pub fn read(probes: &[Probe]) -> Table {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().filter(|it| !it.starts_with('#')).filter_map(|it| it.rsplit_once(" => "));
    let by_line = lines.collect::<BTreeMap<_, _>>();
    let measured = |probe: &Probe| {
        let text = by_line.get(probe.line.as_str()).copied();
        let text =
            text.unwrap_or_else(|| panic!("{GOLDEN} lacks `{}`; LIFTLOCK_UPDATE_ORACLE=1 measures it", probe.line));
        let of = |major: PostgresMajor| Some((major.number(), Measurement::read(of_major(text, major)?)));
        majors().into_iter().filter(|it| probe.runs_on(*it)).filter_map(of).collect()
    };
    probes.iter().map(|probe| (probe.clone(), measured(probe))).collect()
}

/// The part of a line's text that is about a major.
fn of_major(text: &str, major: PostgresMajor) -> Option<&str> {
    let part = |part: &'_ str| -> Option<(u8, u8)> {
        let (range, _) = part.split_once(' ')?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let parts = text.split(" | ").collect::<Vec<_>>();
    if parts.iter().any(|it| part(it).is_none()) {
        return Some(text);
    }
    let fits = |it: &&str| part(it).is_some_and(|(first, last)| (first..=last).contains(&major.number()));
    parts.into_iter().find(fits).and_then(|it| Some(it.split_once(' ')?.1))
}

/// Compares with the committed file, or writes it when asked to.
pub fn hold(path: &str, text: &str) -> Result<(), String> {
    let file: Utf8PathBuf = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("LIFTLOCK_UPDATE_ORACLE").is_some() {
        fs::write(&file, text).unwrap();
        return Ok(());
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    if committed == text {
        return Ok(());
    }
    let diff = TextDiff::from_lines(committed.as_str(), text).unified_diff().context_radius(0).to_string();
    Err(format!("{path} has drifted; `LIFTLOCK_UPDATE_ORACLE=1 cargo test --test it oracle` writes it anew:\n{diff}"))
}
