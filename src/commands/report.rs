//! `liftlock report`: a saved report to GitHub.
//!
//! Reporting never changes the answer: whatever goes wrong with it is said, in the log, in the summary and as an
//! annotation, and the process leaves as the report itself says.

mod surroundings;

use std::{fs::OpenOptions, io::Write};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;
use uuid::Uuid;

use self::surroundings::Surroundings;
use super::Shell;
use crate::{
    cli::{self, FailOn},
    error::Error,
    exit::Exit,
    report::{
        Report, Section, Severity, Verdict, annotations, markdown,
        outputs::{self, Written},
        progress::Event,
        read::{self, MOST_BYTES, ReadError},
    },
};

/// Why there is nothing to report.
#[derive(Debug, Error, Diagnostic)]
pub enum ReportError {
    #[error("`{path}` cannot be reported")]
    Unreadable {
        path: Utf8PathBuf,
        #[source]
        #[diagnostic_source]
        source: ReadError,
    },
}

impl ReportError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } => source.exit(),
        }
    }
}

/// Reads the report and carries it where it is wanted; without an option it is shown.
pub async fn report(shell: &Shell, arguments: &cli::Report) -> Result<Report, Error> {
    let report = judged(load(&arguments.file)?, arguments.fail_on);
    if !(arguments.annotations || arguments.summary || arguments.comment || arguments.outputs)
        && arguments.sarif.is_none()
    {
        return Ok(report);
    }
    let surroundings = Surroundings::look(shell);
    let mut carrying = Carrying { shell, surroundings, report: &report, troubles: Vec::new(), stdout: String::new() };
    let summary = carrying.summary(arguments);
    if arguments.annotations {
        let shown = annotations::render(&report, &carrying.surroundings.places, &carrying.troubles);
        carrying.stdout.insert_str(0, &shown);
    }
    let written = Written {
        report: &arguments.file,
        sarif: arguments.sarif.as_deref(),
        summary: summary.as_deref(),
        comment: None,
    };
    carrying.outputs(arguments, &written);
    let raw = Section::Raw(carrying.stdout);
    Ok(Report { verdict: report.verdict, exit: Some(report.exit()), ..Report::pass("report") }.with(raw))
}

fn load(path: &Utf8Path) -> Result<Report, Error> {
    let failed = |source| Error::File { action: "read", path: path.to_string(), source };
    let unreadable = |source| ReportError::Unreadable { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MOST_BYTES {
        return Err(unreadable(ReadError::TooLarge).into());
    }
    let text = std::fs::read(path).map_err(failed)?;
    Ok(read::read(&String::from_utf8_lossy(&text)).map_err(unreadable)?)
}

/// The answer, when findings count from another severity on. Only findings: a gate or an error is never let pass.
pub fn judged(report: Report, from: FailOn) -> Report {
    let Some(validation) = report.validation() else { return report };
    let worst = validation.findings.iter().filter(|it| it.waived.is_none()).map(|it| it.severity).max();
    let only_findings = report.error().is_none() && report.command == "validate";
    let verdict = match from {
        FailOn::Error => report.verdict,
        FailOn::Warning if worst >= Some(Severity::Warning) => Verdict::Fail,
        FailOn::Warning => report.verdict,
        FailOn::Never if only_findings => Verdict::Pass,
        FailOn::Never => report.verdict,
    };
    Report { verdict, ..report }
}

/// The report on its way.
struct Carrying<'a> {
    shell: &'a Shell,
    surroundings: Surroundings,
    report: &'a Report,
    /// What went wrong with the reporting.
    troubles: Vec<String>,
    stdout: String,
}

impl Carrying<'_> {
    /// Says it now, and again in what is written later.
    fn trouble(&mut self, message: String) {
        self.shell.observe.event(Event::Notice { message: format!("warning: {message}") });
        self.troubles.push(message);
    }

    fn append(&mut self, path: &Utf8Path, text: &str, what: &str) -> bool {
        let opened = OpenOptions::new().create(true).append(true).open(path);
        match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => true,
            Err(error) => {
                self.trouble(format!("{what} could not be written to `{path}`: {error}"));
                false
            }
        }
    }

    /// Where it was written to.
    fn summary(&mut self, arguments: &cli::Report) -> Option<Utf8PathBuf> {
        if !arguments.summary {
            return None;
        }
        let text = markdown::render(self.report);
        match self.surroundings.summary.clone() {
            Some(path) => self.append(&path, &text, "the job summary").then_some(path),
            None => {
                self.stdout.push_str(&text);
                None
            }
        }
    }

    fn outputs(&mut self, arguments: &cli::Report, written: &Written<'_>) {
        if !arguments.outputs {
            return;
        }
        let text = outputs::render(self.report, written, &format!("liftlock-{}", Uuid::new_v4()));
        match self.surroundings.outputs.clone() {
            Some(path) => {
                self.append(&path, &text, "the step's outputs");
            }
            None => self.stdout.push_str(&text),
        }
    }
}
