//! What statements do, measured on PostgreSQL 14 to 18, and whether the linter says so.

pub mod golden;
pub mod listed;
pub mod measure;
pub mod predicted;
pub mod probes;
pub mod servers;
pub mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use futures_util::future::join_all;
use liftlock::report::{Finding, Harm};

use self::{
    golden::{EVIDENCE, GOLDEN, Table},
    measure::Measurement,
    probes::Probe,
    servers::majors,
    verdict::Knowledge,
};

/// Failures about which the linter keeps silent, and why.
const UNSAID_FAILURES: &[(&str, &str)] = &[
    ("42703 42704 42P01 42883 3F000 3D000 42P13 42723", "a name that no file creates may be there all the same"),
    ("42P07 42701 42710 42P06 42P17", "a name that a file creates may be gone: files are not the database"),
    ("22023 58P01 22P02 42601 42P10 42P16 42804 42809", "the server's own check of words, columns or kinds"),
    ("23502 23503 23505 23514 428C9", "whether rows fit is known when they are there"),
];

/// Probes that the linter judges otherwise, on purpose: a part of the line as in the list, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("vacant", "no file says that a table is empty"),
    ("delete from events_rest >>>", "no file says that a table is empty"),
    ("animals add constraint above check (id >= 0) no inherit", "no file says that a table is empty"),
    ("refresh materialized view concurrently", "EXCLUSIVE on the view keeps only other refreshes away"),
    ("pg_backend_pid()", "PostgreSQL calls it stable only because it is asked once; nobody has it as a default"),
    ("if false then", "what a block decides is known when it runs"),
];

async fn measured() -> Table {
    let probes = probes::all();
    let on_each = join_all(majors().into_iter().map(async |major| {
        let server = servers::server(major);
        let known = probes.iter().filter(|it| it.runs_on(major)).collect::<Vec<_>>();
        let measured = measure::measure(server, &probes::setup(), &known).await;
        known.into_iter().map(|it| it.line.as_str()).zip(measured).collect::<BTreeMap<_, _>>()
    }));
    let on_each = on_each.await;
    let of = |line: &str| {
        let with_majors = majors().into_iter().zip(&on_each);
        with_majors.filter_map(|(major, all)| Some((major.number(), all.get(line)?.clone()))).collect()
    };
    probes.iter().map(|probe| (probe.clone(), of(&probe.line))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_golden_table_is_what_servers_do() {
    let table = measured().await;
    assert!(table.len() >= 350, "{} probes", table.len());
    golden::hold(GOLDEN, &golden::render(&table)).unwrap_or_else(|drift| panic!("{drift}"));
}

/// How often the linter was right.
#[derive(Default)]
struct Score {
    /// Heavy and said to be; heavy and not said; not heavy and said; not heavy and not said.
    caught: usize,
    missed: usize,
    alarms: usize,
    quiet: usize,
}

impl Score {
    fn recall(&self) -> f64 {
        self.caught as f64 / (self.caught + self.missed).max(1) as f64
    }

    fn precision(&self) -> f64 {
        self.caught as f64 / (self.caught + self.alarms).max(1) as f64
    }
}

/// Which probes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What migrations are made of.
    Ordinary,
    /// With all that is hard to judge: without a catalog most of that cannot be told.
    All,
}

/// What must be reached, recall and precision.
const WANTED: [(Knowledge, Part, f64, f64); 4] = [
    (Knowledge::Catalog, Part::Ordinary, 0.99, 0.99),
    (Knowledge::Catalog, Part::All, 0.99, 0.99),
    (Knowledge::Alone, Part::Ordinary, 0.96, 0.96),
    (Knowledge::Alone, Part::All, 0.88, 0.86),
];

#[test]
fn the_linter_says_what_servers_do() {
    let table = golden::read(&probes::all());
    let mut wrong = String::new();
    for knowledge in [Knowledge::Catalog, Knowledge::Alone] {
        let (scores, off) = judged(&table, knowledge);
        for (_, part, recall, precision) in WANTED.into_iter().filter(|it| it.0 == knowledge) {
            let score = &scores[usize::from(part == Part::All)];
            eprintln!(
                "{knowledge:?}, {part:?}: recall {:.3}, precision {:.3} (caught {}, missed {}, false alarms {}, rightly quiet {})",
                score.recall(),
                score.precision(),
                score.caught,
                score.missed,
                score.alarms,
                score.quiet
            );
            if score.recall() < recall || score.precision() < precision {
                let part = format!("{knowledge:?}, {part:?}");
                writeln!(wrong, "{part}: recall and precision must be {recall} and {precision}").unwrap();
            }
        }
        wrong.push_str(&listed::compare(knowledge.list(), &off));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Probes on which the linter and the servers disagree, by line, and how.
type Disagreements = BTreeMap<String, String>;

/// Scores of ordinary and of all probes.
fn judged(table: &Table, knowledge: Knowledge) -> ([Score; 2], Disagreements) {
    let setup = verdict::everything();
    let mut scores = [Score::default(), Score::default()];
    let mut wrong = Disagreements::new();
    for (probe, measured) in table {
        let mut off = BTreeMap::new();
        for major in majors().into_iter().filter(|it| measured.contains_key(&it.number())) {
            let measurement = &measured[&major.number()];
            if is_exempt(probe, measurement) {
                continue;
            }
            let found = verdict::findings(probe, measurement, &setup, major, knowledge);
            for score in &mut scores[usize::from(probe.list != probes::ORDINARY)..] {
                let count = match (measurement.is_heavy(), found.is_empty()) {
                    (true, false) => &mut score.caught,
                    (true, true) => &mut score.missed,
                    (false, false) => &mut score.alarms,
                    (false, true) => &mut score.quiet,
                };
                *count += 1;
            }
            if measurement.is_heavy() == found.is_empty() {
                off.insert(major.number(), format!("{} but {}", measurement, said(&found)));
            }
        }
        if !off.is_empty() {
            wrong.insert(probe.line.clone(), golden::by_major(&off));
        }
    }
    (scores, wrong)
}

/// What `lint::effects` predicts of each relation, its lock, whether it is read or written again, and of failures.
#[test]
fn effects_are_those_that_servers_have() {
    let mut wrong = Disagreements::new();
    for (probe, measured) in &golden::read(&probes::all()) {
        let mut off = BTreeMap::new();
        for major in majors().into_iter().filter(|it| measured.contains_key(&it.number())) {
            let measurement = &measured[&major.number()];
            if is_exempt(probe, measurement) {
                continue;
            }
            let (measured, predicted) = predicted::compared(probe, measurement, major);
            if measured != predicted {
                off.insert(major.number(), format!("{measured} but predicted is {predicted}"));
            }
        }
        if !off.is_empty() {
            wrong.insert(probe.line.clone(), golden::by_major(&off));
        }
    }
    let wrong = listed::compare("effects", &wrong);
    assert!(wrong.is_empty(), "{wrong}");
}

fn is_exempt(probe: &Probe, measured: &Measurement) -> bool {
    let failed = measured.failed.as_deref();
    EXCEPTIONS.iter().any(|(part, _)| probe.line.contains(part))
        || failed.is_some_and(|state| UNSAID_FAILURES.iter().any(|(states, _)| states.contains(state)))
}

#[test]
fn findings_print_only_what_was_measured() {
    let setup = verdict::everything();
    let mut said = BTreeMap::<_, BTreeMap<u8, BTreeSet<String>>>::new();
    for (probe, measured) in &golden::read(&probes::all()) {
        for major in majors().into_iter().filter(|it| measured.contains_key(&it.number())) {
            let measurement = &measured[&major.number()];
            let found = verdict::about_traffic(probe, measurement, &setup, major, Knowledge::Catalog);
            // With several statements or actions, which of them it was is not measured.
            if probe.sql.contains(';') || found.iter().map(|it| &it.rule).collect::<BTreeSet<_>>().len() > 1 {
                continue;
            }
            for finding in found {
                let Some(form) = finding.form else { continue };
                // How a statement fails says nothing of how it blocks.
                if is_exempt(probe, measurement) || (finding.kind == Harm::Blocks && measurement.failed.is_some()) {
                    continue;
                }
                let by_major = said.entry((finding.rule.into_owned(), form.to_string())).or_default();
                by_major.entry(major.number()).or_default().insert(measurement.said());
            }
        }
    }
    golden::hold(EVIDENCE, &golden::evidence(&said)).unwrap_or_else(|drift| panic!("{drift}"));
}

fn said(findings: &[Finding]) -> String {
    match findings {
        [] => "nothing is said".to_owned(),
        _ => format!("{} said", findings.iter().map(|it| &*it.rule).collect::<Vec<_>>().join(", ")),
    }
}
