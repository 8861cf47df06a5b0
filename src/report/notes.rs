//! What a reader must know of a report, worst first: the one list behind annotations, comment, summary and counts.

use super::{CheckState, Finding, GateView, Harm, Report, Section, Severity, SyncReport};

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    pub severity: Severity,
    /// A rule's name, a gate's, an error's code.
    pub title: String,
    pub text: String,
    /// What to do.
    pub fix: Option<&'a str>,
    /// The finding, when it is one: it has a place.
    pub finding: Option<&'a Finding>,
}

impl<'a> Note<'a> {
    fn new(severity: Severity, title: impl Into<String>, text: impl Into<String>, fix: Option<&'a str>) -> Self {
        Self { severity, title: title.into(), text: text.into(), fix: fix.filter(|it| !it.is_empty()), finding: None }
    }

    /// Without a place first, then what loses data.
    fn place(&self) -> Option<(Harm, &str, usize, usize)> {
        self.finding.map(|it| (it.kind, it.file.as_str(), it.line, it.column))
    }
}

/// All of them; waived findings are none.
pub fn of_report(report: &Report) -> Vec<Note<'_>> {
    let mut notes: Vec<Note<'_>> = report.sections.iter().flat_map(of_section).collect();
    notes.sort_by(|left, right| right.severity.cmp(&left.severity).then_with(|| left.place().cmp(&right.place())));
    notes
}

/// How many there are of a severity.
pub fn count(notes: &[Note<'_>], severity: Severity) -> usize {
    notes.iter().filter(|it| it.severity == severity).count()
}

fn of_section(section: &Section) -> Vec<Note<'_>> {
    match section {
        Section::Validation(validation) => {
            validation.findings.iter().filter(|it| it.stands()).map(of_finding).collect()
        }
        Section::Plan(plan) => plan.gates.iter().filter_map(of_gate).collect(),
        Section::Promotion(promotion) => {
            let note = |it| Note::new(Severity::Warning, "promotion", it, None);
            promotion.warnings.iter().map(note).collect()
        }
        Section::Sync(sync) => of_sync(sync),
        Section::Checks(checks) => {
            let severity = |state| match state {
                CheckState::Ok => None,
                CheckState::Warning => Some(Severity::Warning),
                CheckState::Failed => Some(Severity::Error),
            };
            let note = checks.iter().filter_map(|it| {
                Some(Note::new(severity(it.state)?, it.name.as_str(), it.message.as_str(), it.fix.as_deref()))
            });
            note.collect()
        }
        Section::Error(error) => {
            let title = if error.code.is_empty() { "error" } else { &error.code };
            vec![Note::new(Severity::Error, title, error.message.as_str(), error.help.as_deref())]
        }
        Section::Status(_)
        | Section::Backups(_)
        | Section::Audit(_)
        | Section::Rules(_)
        | Section::Text { .. }
        | Section::Raw(_) => Vec::new(),
    }
}

fn of_finding(finding: &Finding) -> Note<'_> {
    let note = Note::new(finding.severity, &*finding.rule, finding.message.as_str(), finding.help.as_deref());
    Note { finding: Some(finding), ..note }
}

fn of_gate(gate: &GateView) -> Option<Note<'_>> {
    let title = format!("gate {}", gate.name);
    (!gate.passed).then(|| Note::new(Severity::Error, title, gate.evidence.as_str(), gate.fix.as_deref()))
}

fn of_sync(sync: &SyncReport) -> Vec<Note<'_>> {
    let mut notes = Vec::new();
    for table in &sync.tables {
        let title = format!("sync of {}", table.table);
        if table.verified == Some(false) {
            notes.push(Note::new(Severity::Error, title.as_str(), "source and mirror differ after the sync", None));
        }
        let errors = table.errors.iter();
        notes.extend(
            errors.map(|it| Note::new(Severity::Error, title.as_str(), it.message.as_str(), it.hint.as_deref())),
        );
    }
    notes
}
