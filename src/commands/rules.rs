//! `liftlock rules`: the rules as a list, or one with its reasons and examples.

use std::fmt::Write;

use miette::Diagnostic;
use thiserror::Error;

use super::Shell;
use crate::{
    cli,
    config::ProfileName,
    error::Error,
    exit::Exit,
    lint::{ExampleKind, Rule, Waivable, rules},
    report::{Harm, Report, Section, Severity},
};

/// Why no rule could be shown.
#[derive(Debug, Error, Diagnostic)]
pub enum RulesError {
    #[error("there is no rule `{name}`")]
    #[diagnostic(code(rules::unknown))]
    Unknown {
        name: String,
        #[help]
        help: String,
    },
}

impl RulesError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } => Exit::Usage,
        }
    }
}

/// All rules, or the one that is named.
pub async fn rules(_shell: &Shell, arguments: &cli::Rules) -> Result<Report, Error> {
    match &arguments.name {
        None => Ok(list()),
        Some(name) => Ok(one(rules::find(name).ok_or_else(|| unknown(name))?)),
    }
}

fn unknown(name: &str) -> RulesError {
    let help = match rules::nearest(name) {
        Some(near) => format!("did you mean `{}`? `liftlock rules` lists them all", near.name),
        None => "`liftlock rules` lists them all".to_owned(),
    };
    RulesError::Unknown { name: name.to_owned(), help }
}

fn list() -> Report {
    let width = rules::ALL.iter().map(|it| it.name.len()).max().unwrap_or_default();
    let harms = [Harm::Loses, Harm::Blocks, Harm::Fails, Harm::Breaks, Harm::Exposes, Harm::Unread, Harm::Convention];
    let sections = harms.into_iter().map(|harm| {
        let of_kind = rules::ALL.iter().filter(|it| it.harm == harm);
        let lines = of_kind.map(|rule| {
            let severity = severity(rule, ProfileName::Production);
            format!("{:width$}  {severity:7}  {}", rule.name, rule.docs().title)
        });
        Section::Text { title: about(harm).to_owned(), body: lines.collect::<Vec<_>>().join("\n") }
    });
    sections
        .fold(Report::pass("rules"), Report::with)
        .then("liftlock rules NAME", "shows one rule with its reasons and examples")
}

fn one(rule: &Rule) -> Report {
    let docs = rule.docs();
    let mut body = format!("{}\n", docs.title);
    if !docs.reasons.is_empty() {
        write!(body, "\n{}\n", docs.reasons).expect("text can be written to");
    }
    let severities = [ProfileName::Production, ProfileName::Staging, ProfileName::Dev];
    let severities = severities.map(|it| format!("{} in {}", severity(rule, it), it.name())).join(", ");
    let waiver = match rule.waivable {
        Waivable::Never => "Nothing waives it.".to_owned(),
        Waivable::WithReason => format!("Waived by `-- liftlock: allow {} because …`.", rule.name),
        Waivable::WithReasonOrHotfix => {
            format!("Waived by `-- liftlock: allow {} because …`, or by a hotfix promotion.", rule.name)
        }
    };
    write!(body, "\n{}: {severities}.\n{waiver}", about(rule.harm)).expect("text can be written to");
    let of_kind = |kind: ExampleKind| {
        let examples = docs.examples.iter().filter(|it| it.kind == kind).map(|it| it.sql.trim_end());
        examples.collect::<Vec<_>>().join("\n\n")
    };
    let mut report = Report::pass("rules").with(Section::Text { title: rule.name.to_owned(), body });
    let parts = [
        ("Given", docs.setup.trim_end().to_owned()),
        ("Found", of_kind(ExampleKind::Bad)),
        ("Not found", of_kind(ExampleKind::Good)),
    ];
    for (title, body) in parts.into_iter().filter(|(_, body)| !body.is_empty()) {
        report = report.with(Section::Text { title: title.to_owned(), body });
    }
    report
}

pub(super) fn about(harm: Harm) -> &'static str {
    match harm {
        Harm::Loses => "Loses data",
        Harm::Blocks => "Stops traffic",
        Harm::Fails => "Fails when run",
        Harm::Breaks => "Breaks the running application",
        Harm::Exposes => "Shows or allows too much",
        Harm::Unread => "Is not understood",
        Harm::Convention => "Convention",
    }
}

fn severity(rule: &Rule, profile: ProfileName) -> &'static str {
    match rule.severity.in_profile(profile) {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Notice) => "notice",
        None => "off",
    }
}
