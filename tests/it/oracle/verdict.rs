//! What the linter says of a probe.

use std::borrow::Cow;

use liftlock::{
    catalog::Release,
    config::{PostgresMajor, ProfileName},
    lint::{Request, lint_in_order},
    migration::{self, Migration, MigrationId, SourceFile},
    report::{Finding, Harm, Severity},
};

use super::{
    measure::Measurement,
    probes::{self, Probe},
};

/// The setup of all probes, read.
pub fn everything() -> Migration {
    migration("20260101000000_everything", &probes::setup())
}

/// What the linter knows besides the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// All files from the first.
    Catalog,
    /// The statement, and what a probe's own setup does.
    Alone,
}

impl Knowledge {
    /// The list of known disagreements.
    pub fn list(self) -> &'static str {
        match self {
            Self::Catalog => "not_mended",
            Self::Alone => "alone",
        }
    }
}

/// Rules about what no probe measures: which rows there are and for how long they stay locked, and what a role may do
/// that is no superuser, as all probes are.
const UNMEASURED: [&str; 4] =
    ["unbounded-write", "insert-without-on-conflict", "bounded-delete", "superuser-statement"];

/// Findings that say that it hurts.
pub fn findings(
    probe: &Probe,
    measured: &Measurement,
    setup: &Migration,
    major: PostgresMajor,
    knowledge: Knowledge,
) -> Vec<Finding> {
    let mut all = about_traffic(probe, measured, setup, major, knowledge);
    all.retain(|it| it.severity >= Severity::Warning);
    all
}

/// All findings that are about locks, failures or what was not read.
pub fn about_traffic(
    probe: &Probe,
    measured: &Measurement,
    setup: &Migration,
    major: PostgresMajor,
    knowledge: Knowledge,
) -> Vec<Finding> {
    let own = (!probe.setup.is_empty()).then(|| migration("20260102000000_setup", &format!("{};\n", probe.setup)));
    let judged = migration("20260103000000_probe", &judged(probe, measured));
    let everything = (knowledge == Knowledge::Catalog).then_some(setup);
    let history = everything.into_iter().chain(&own).map(|it| (Release::History, Cow::Borrowed(it)));
    let request = Request { postgres: major, ..Request::of(ProfileName::Production) };
    let found = lint_in_order(history.chain([(Release::Judged, Cow::Borrowed(&judged))]), &request).findings;
    let hurts = |it: &Finding| {
        it.waived.is_none()
            && matches!(it.kind, Harm::Blocks | Harm::Fails | Harm::Unread)
            && !UNMEASURED.contains(&&*it.rule)
    };
    found.into_iter().filter(hurts).collect()
}

/// The probe as a migration's text: in an explicit transaction when it is measured in one that it cannot be in, and
/// without one when it is measured outside one that it needs.
pub fn judged(probe: &Probe, measured: &Measurement) -> String {
    match measured.failed.as_deref() {
        Some("25001") => format!("begin;\n{};\ncommit;\n", probe.sql),
        Some("25P01") => format!("vacuum bare;\n{};\n", probe.sql),
        _ => format!("{};\n", probe.sql),
    }
}

pub fn migration(name: &str, text: &str) -> Migration {
    let file = format!("{name}.sql");
    migration::read(SourceFile { path: file.clone().into(), id: MigrationId(file), text: text.to_owned() })
}
