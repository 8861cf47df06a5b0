//! What statements do, measured on PostgreSQL 14 to 18, and whether the linter says so.

pub mod golden;
pub mod measure;
pub mod probes;
pub mod servers;
pub mod verdict;

use std::{collections::BTreeMap, fmt::Write};

use futures_util::future::join_all;
use liftlock::report::Finding;

use self::{
    golden::{GOLDEN, Table},
    servers::majors,
    verdict::Knowledge,
};

/// Probes that the linter judges otherwise, on purpose. The line as in the list, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

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

#[test]
fn the_linter_says_what_servers_do() {
    let table = golden::read(&probes::all());
    let mut wrong = String::new();
    for (knowledge, recall, precision) in [(Knowledge::Catalog, 0.78, 0.88), (Knowledge::Alone, 0.69, 0.75)] {
        let (score, disagreements) = judged(&table, knowledge);
        eprintln!(
            "{knowledge:?}: recall {:.3}, precision {:.3} (caught {}, missed {}, false alarms {}, rightly quiet {})",
            score.recall(),
            score.precision(),
            score.caught,
            score.missed,
            score.alarms,
            score.quiet
        );
        if score.recall() < recall || score.precision() < precision {
            writeln!(wrong, "{knowledge:?}: recall and precision must be {recall} and {precision}").unwrap();
        }
        eprintln!("{disagreements}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn judged(table: &Table, knowledge: Knowledge) -> (Score, String) {
    let setup = probes::setup();
    let mut score = Score::default();
    let mut wrong = String::new();
    for (probe, measured) in table {
        let mut off = BTreeMap::new();
        for major in majors().into_iter().filter(|it| measured.contains_key(&it.number())) {
            let measurement = &measured[&major.number()];
            let found = verdict::findings(probe, measurement, &setup, major, knowledge);
            let count = match (measurement.is_heavy(), found.is_empty()) {
                (true, false) => &mut score.caught,
                (true, true) => &mut score.missed,
                (false, false) => &mut score.alarms,
                (false, true) => &mut score.quiet,
            };
            *count += 1;
            if measurement.is_heavy() == found.is_empty() {
                off.insert(major.number(), format!("{} but {}", measurement, said(&found)));
            }
        }
        if !off.is_empty() && !EXCEPTIONS.iter().any(|(line, _)| *line == probe.line) {
            writeln!(wrong, "{knowledge:?}: {}\n    {}", probe.line, golden::by_major(&off)).unwrap();
        }
    }
    (score, wrong)
}

fn said(findings: &[Finding]) -> String {
    match findings {
        [] => "nothing is said".to_owned(),
        _ => format!("{} said", findings.iter().map(|it| it.rule.as_str()).collect::<Vec<_>>().join(", ")),
    }
}
