//! What the linter says of a probe.

use liftlock::{
    config::{PostgresMajor, ProfileName},
    lint::{Request, lint},
    migration::{self, Migration, MigrationId, SourceFile},
    report::{Finding, Harm, Severity},
};

use super::{measure::Measurement, probes::Probe};

/// What the linter knows besides the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// All files from the first.
    Catalog,
    /// The statement, and what a probe's own setup does.
    Alone,
}

/// Findings that say that it hurts.
pub fn findings(
    probe: &Probe,
    measured: &Measurement,
    setup: &str,
    major: PostgresMajor,
    knowledge: Knowledge,
) -> Vec<Finding> {
    let mut history = Vec::new();
    if knowledge == Knowledge::Catalog {
        history.push(migration("20260101000000_everything", setup));
    }
    if !probe.setup.is_empty() {
        history.push(migration("20260102000000_setup", &format!("{};\n", probe.setup)));
    }
    let judged = migration("20260103000000_probe", &judged(probe, measured));
    let request =
        Request { history: &history, judged: &[judged], postgres: major, ..Request::of(ProfileName::Production) };
    let hurts = |it: &Finding| {
        it.waived.is_none()
            && matches!(it.kind, Harm::Blocks | Harm::Fails | Harm::Unread)
            && it.severity >= Severity::Warning
    };
    lint(&request).findings.into_iter().filter(hurts).collect()
}

/// The probe as a migration's text: in an explicit transaction when it is measured in one that it cannot be in.
pub fn judged(probe: &Probe, measured: &Measurement) -> String {
    match measured.failed.as_deref() {
        Some("25001") => format!("begin;\n{};\ncommit;\n", probe.sql),
        _ => format!("{};\n", probe.sql),
    }
}

fn migration(name: &str, text: &str) -> Migration {
    let file = format!("{name}.sql");
    migration::read(SourceFile { path: file.clone().into(), id: MigrationId(file), text: text.to_owned() })
}
