//! `liftlock report`: a saved report to GitHub.
//!
//! Reporting never changes the answer: whatever goes wrong with it is said, in the log, in the summary and as an
//! annotation, and the process leaves as the report itself says.

mod comment;
pub(super) mod surroundings;

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;
use uuid::Uuid;

use self::{comment::Subject, surroundings::Surroundings};
use super::{Shell, formats};
use crate::{
    cli::{self, FailOn},
    error::Error,
    exit::Exit,
    report::{
        Report, Section, Severity, Verdict, annotations, comment as wording,
        outputs::{self, Written},
        progress::Event,
        read::{self, MOST_BYTES, ReadError},
        summary::{self, Trouble},
    },
    services::forge::AnyForge,
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
    let sarif = arguments.sarif.as_deref().filter(|it| carrying.sarif(it));
    let comment = if arguments.comment { carrying.comment().await } else { None };
    let summary = if arguments.summary { carrying.summary() } else { None };
    if arguments.annotations {
        carrying.annotations();
    }
    if arguments.outputs {
        carrying.outputs(&Written {
            report: &arguments.file,
            sarif,
            summary: summary.as_deref(),
            comment: comment.as_deref(),
        });
    }
    let raw = Section::Raw(carrying.stdout);
    Ok(Report { verdict: report.verdict, exit: Some(report.exit()), ..Report::pass("report") }.with(raw))
}

fn load(path: &Utf8Path) -> Result<Report, Error> {
    let failed = |source| Error::File { action: "read", path: path.to_string(), source };
    let unreadable = |source| ReportError::Unreadable { path: path.to_owned(), source };
    // What a pipe or a device holds is known only by reading it.
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(unreadable(ReadError::TooLarge).into());
    }
    Ok(read::read(&String::from_utf8_lossy(&text)).map_err(unreadable)?)
}

/// The answer, when findings count from another severity on. Only findings: a gate or an error is never let pass.
pub fn judged(report: Report, from: FailOn) -> Report {
    let Some(validation) = report.validation() else { return report };
    let worst = validation.findings.iter().filter(|it| it.stands()).map(|it| it.severity).max();
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
    troubles: Vec<Trouble>,
    stdout: String,
}

impl Carrying<'_> {
    /// Says it now, and again in what is written later.
    fn trouble(&mut self, trouble: Trouble) {
        let paste = trouble.paste.as_ref().map(|it| format!("\n{it}")).unwrap_or_default();
        self.shell.observe.event(Event::Notice { message: format!("warning: {}{paste}", trouble.message) });
        self.troubles.push(trouble);
    }

    fn written(&mut self, path: &Utf8Path, done: std::io::Result<()>, what: &str) -> bool {
        let Err(error) = done else { return true };
        let message = format!("{what} could not be written to `{path}`: {error}");
        self.trouble(Trouble { message, paste: None });
        false
    }

    fn sarif(&mut self, path: &Utf8Path) -> bool {
        let text = formats::sarif(self.report, &self.surroundings.around.places);
        self.written(path, std::fs::write(path, text), "the SARIF file")
    }

    /// The comment's address.
    async fn comment(&mut self) -> Option<String> {
        let Some((pull, repository)) = self.surroundings.pull.zip(self.surroundings.repository.clone()) else {
            let message = "this run is about no pull request, so there is no comment to write".to_owned();
            self.shell.observe.event(Event::Notice { message });
            return None;
        };
        let around = &self.surroundings.around;
        let folder = around.places.below_root(&around.places.here).unwrap_or_default();
        let marker = wording::marker(&self.report.command, &folder, &self.surroundings.config);
        let subject = Subject { report: self.report, around, marker: &marker, number: pull.number };
        let kept = match AnyForge::open(&repository, &|name| self.shell.variable(name)) {
            Ok(forge) => comment::keep(&forge, &subject).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(address) => address,
            Err(error) => {
                self.trouble(comment::trouble(error, pull.from_fork));
                None
            }
        }
    }

    /// Where it was written to.
    fn summary(&mut self) -> Option<Utf8PathBuf> {
        let text = summary::render(self.report, &self.surroundings.around, &self.troubles);
        match self.surroundings.summary.clone() {
            Some(path) => {
                let done = append(&path, &text);
                self.written(&path, done, "the job summary").then_some(path)
            }
            None => {
                self.stdout.push_str(&text);
                None
            }
        }
    }

    /// Before all else on stdout.
    fn annotations(&mut self) {
        let places = &self.surroundings.around.places;
        let shown = annotations::render(self.report, places, &self.troubles, "in the summary");
        self.stdout.insert_str(0, &shown);
    }

    fn outputs(&mut self, written: &Written<'_>) {
        let text = outputs::render(self.report, written, &format!("liftlock-{}", Uuid::new_v4()));
        match self.surroundings.outputs.clone() {
            Some(path) => {
                let done = append(&path, &text);
                self.written(&path, done, "the step's outputs");
            }
            None => self.stdout.push_str(&text),
        }
    }
}

pub(super) fn append(path: &Utf8Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
