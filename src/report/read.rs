//! Saved reports back into a [`Report`]: strict about the version, lenient about fields that were added.
//!
//! The file may come from anywhere, so nothing of it is shown in an error, and its verdict is believed only as
//! far as its parts bear it out: a file that says `pass` beside an error is a no.

use miette::Diagnostic;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Check, ErrorView, NextStep, Report, RuleView, Section, Validation, Verdict,
    json::{FindingV1, LayoutV1, VERSION},
};
use crate::exit::Exit;

/// The most that is read, in bytes: a hundred thousand findings.
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Why a file is no report that this liftlock can read.
#[derive(Debug, Error, Diagnostic)]
pub enum ReadError {
    #[error("the file is not JSON (line {line}, column {column})")]
    #[diagnostic(code(report::not_json), help("{SAVE}"))]
    NotJson { line: usize, column: usize },
    #[error("the file is not a report: it has no `{field}`")]
    #[diagnostic(code(report::not_a_report), help("{SAVE}"))]
    NotAReport { field: &'static str },
    #[error("the report is of version {found}, and this liftlock reads version {VERSION}")]
    #[diagnostic(code(report::version), help("read it with the liftlock that wrote it, or write it with this one"))]
    Version { found: u64 },
    #[error("`{section}` of the report is not as version {VERSION} has it")]
    #[diagnostic(code(report::malformed), help("{SAVE}"))]
    Malformed { section: &'static str },
    #[error("the file has more than {} MiB", MOST_BYTES / 1024 / 1024)]
    #[diagnostic(code(report::too_large), help("judge fewer files at a time"))]
    TooLarge,
}

const SAVE: &str =
    "save one with `liftlock validate --save report.json`; `plan`, `promote` and `sync` take `--save`, too";

impl ReadError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotJson { .. }
            | Self::NotAReport { .. }
            | Self::Version { .. }
            | Self::Malformed { .. }
            | Self::TooLarge => Exit::Usage,
        }
    }
}

/// Reads what [`super::json::render`] wrote.
pub fn read(text: &str) -> Result<Report, ReadError> {
    if text.len() as u64 > MOST_BYTES {
        return Err(ReadError::TooLarge);
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ReadError::NotJson { line: error.line(), column: error.column() })?;
    let Value::Object(mut object) = value else {
        return Err(ReadError::NotAReport { field: "version" });
    };
    match object.get("version").and_then(Value::as_u64) {
        None => return Err(ReadError::NotAReport { field: "version" }),
        Some(found) if found != u64::from(VERSION) => return Err(ReadError::Version { found }),
        Some(_) => {}
    }
    let command: String = required(&mut object, "command")?;
    let verdict: Verdict = required(&mut object, "verdict")?;
    let mut report = Report { verdict, sections: sections(&mut object)?, ..Report::pass(command) };
    report.next = optional::<Vec<NextStep>>(&mut object, "next")?.unwrap_or_default();
    report.exit = report.error().map(left_with);
    if report.sections.iter().any(says_no) {
        report.verdict = Verdict::Fail;
    }
    Ok(report)
}

fn sections(object: &mut Map<String, Value>) -> Result<Vec<Section>, ReadError> {
    let mut sections = Vec::new();
    sections.extend(validation(object)?.map(Section::Validation));
    sections.extend(optional(object, "plan")?.map(Section::Plan));
    sections.extend(optional(object, "promotion")?.map(Section::Promotion));
    sections.extend(optional(object, "status")?.map(Section::Status));
    sections.extend(optional(object, "backups")?.map(Section::Backups));
    sections.extend(optional(object, "audit")?.map(Section::Audit));
    sections.extend(optional(object, "sync")?.map(Section::Sync));
    sections.extend(optional::<Vec<Check>>(object, "checks")?.map(Section::Checks));
    sections.extend(optional::<Vec<RuleView>>(object, "rules")?.map(Section::Rules));
    let texts = optional::<Vec<Headed>>(object, "texts")?.unwrap_or_default();
    sections.extend(texts.into_iter().map(|it| Section::Text { title: it.title, body: it.body }));
    sections.extend(optional(object, "error")?.map(Section::Error));
    Ok(sections)
}

#[derive(Deserialize)]
struct Headed {
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: String,
}

/// Its fields stand at the top, beside the other sections.
fn validation(object: &mut Map<String, Value>) -> Result<Option<Validation>, ReadError> {
    let Some(findings) = optional::<Vec<FindingV1<'static>>>(object, "findings")? else { return Ok(None) };
    Ok(Some(Validation {
        profile: optional(object, "profile")?.unwrap_or_default(),
        files: optional(object, "files")?.unwrap_or_default(),
        statements: optional(object, "statements")?.unwrap_or_default(),
        unread: optional(object, "unread")?.unwrap_or_default(),
        explanations: optional(object, "explanations")?.unwrap_or_default(),
        unread_kinds: optional(object, "unread_kinds")?.unwrap_or_default(),
        layouts: optional::<Vec<LayoutV1>>(object, "layouts")?
            .unwrap_or_default()
            .into_iter()
            .map(LayoutV1::into_layout)
            .collect(),
        findings: findings.into_iter().map(FindingV1::into_finding).collect(),
        ..Validation::default()
    }))
}

/// What the command left with that failed.
fn left_with(error: &ErrorView) -> Exit {
    match error.exit {
        2 => Exit::Usage,
        4 => Exit::Half,
        _ => Exit::Service,
    }
}

fn says_no(section: &Section) -> bool {
    match section {
        Section::Validation(validation) => validation.verdict() == Verdict::Fail,
        Section::Error(_) => true,
        Section::Plan(_)
        | Section::Promotion(_)
        | Section::Status(_)
        | Section::Backups(_)
        | Section::Audit(_)
        | Section::Sync(_)
        | Section::Checks(_)
        | Section::Rules(_)
        | Section::Text { .. }
        | Section::Raw(_) => false,
    }
}

fn required<T: DeserializeOwned>(object: &mut Map<String, Value>, field: &'static str) -> Result<T, ReadError> {
    optional(object, field)?.ok_or(ReadError::NotAReport { field })
}

/// `null` is taken for absent.
fn optional<T: DeserializeOwned>(object: &mut Map<String, Value>, field: &'static str) -> Result<Option<T>, ReadError> {
    match object.remove(field) {
        None | Some(Value::Null) => Ok(None),
        // What serde says may quote the file.
        Some(value) => {
            serde_json::from_value(value).map(Some).map_err(|_quoting| ReadError::Malformed { section: field })
        }
    }
}
