//! `liftlock rules`: the rules as a list, or one with its reasons and examples.

use camino::Utf8Path;
use miette::Diagnostic;
use thiserror::Error;

use super::{Shell, formats};
use crate::{
    cli::{self, Format},
    config::{ProfileName, RuleLevels},
    error::Error,
    exit::Exit,
    lint::{self, ExampleKind, Rule, rules},
    report::{Harm, Report, RuleView, Section, Severities, Severity},
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

/// All rules, or the one that is named; or pages about them.
pub async fn rules(shell: &Shell, arguments: &cli::Rules) -> Result<Report, Error> {
    let chosen = match &arguments.name {
        None => rules::ALL.to_vec(),
        Some(name) => vec![rules::find(name).ok_or_else(|| unknown(name))?],
    };
    if let Some(folder) = &arguments.pages {
        return pages(&chosen, folder);
    }
    if let ([rule], Format::Markdown) = (chosen.as_slice(), shell.global.format) {
        return Ok(Report::pass("rules").with(Section::Raw(page(rule))));
    }
    // A configuration that is wrong must not keep anybody from reading about rules.
    let config = shell.config().ok();
    let levels = config.as_ref().map(|it| it.rules.as_slice()).unwrap_or_default();
    let mut views = chosen.iter().map(|rule| view(rule, levels)).collect::<Vec<_>>();
    views.sort_by_key(|it| HARMS.iter().position(|harm| about(*harm) == it.about));
    let report = Report::pass("rules").with(Section::Rules(views));
    Ok(match arguments.name {
        None => report.then("liftlock rules NAME", "shows one rule with its reasons and examples"),
        Some(_) => report,
    })
}

/// In the order in which they are listed.
const HARMS: &[Harm] =
    &[Harm::Loses, Harm::Blocks, Harm::Fails, Harm::Breaks, Harm::Exposes, Harm::Unread, Harm::Convention];

fn view(rule: &Rule, levels: &[RuleLevels]) -> RuleView {
    let docs = rule.docs();
    let severity = |profile| word(lint::severity(rule, profile, levels)).to_owned();
    let of_kind = |kind: ExampleKind| {
        let examples = docs.examples.iter().filter(|it| it.kind == kind);
        examples.map(|it| it.sql.trim_end().to_owned()).collect::<Vec<_>>()
    };
    RuleView {
        name: rule.name.to_owned(),
        about: about(rule.harm).to_owned(),
        severity: Severities {
            production: severity(ProfileName::Production),
            staging: severity(ProfileName::Staging),
            dev: severity(ProfileName::Dev),
        },
        waiver: formats::waiver(rule),
        page: formats::address(rule),
        setup: docs.setup.trim_end().to_owned(),
        found: of_kind(ExampleKind::Bad),
        not_found: of_kind(ExampleKind::Good),
        title: docs.title,
        reasons: docs.reasons,
    }
}

/// The rule's page, whole.
fn page(rule: &Rule) -> String {
    let profiles = [ProfileName::Production, ProfileName::Staging, ProfileName::Dev];
    let severities = profiles.map(|it| format!("{} in {}", word(rule.severity.in_profile(it)), it.name()));
    format!("# {}\n\n{}\n\n{}: {}.\n", rule.name, formats::page(rule), about(rule.harm), severities.join(", "))
}

/// One page for each rule; what else lies in the folder stays.
fn pages(chosen: &[&Rule], folder: &Utf8Path) -> Result<Report, Error> {
    let failed = |path: &Utf8Path, source| Error::File { action: "write", path: path.to_string(), source };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    for rule in chosen {
        let path = folder.join(format!("{}.md", rule.name));
        std::fs::write(&path, page(rule)).map_err(|source| failed(&path, source))?;
    }
    let body = format!("{} pages in `{folder}`", chosen.len());
    Ok(Report::pass("rules").with(Section::Text { title: "Pages".to_owned(), body }))
}

/// The first few rules whose names have this in them.
fn containing(part: &str) -> Vec<String> {
    let names = rules::ALL.iter().filter(|it| !part.is_empty() && it.name.contains(part));
    names.take(4).map(|it| format!("`{}`", it.name)).collect()
}

fn unknown(name: &str) -> RulesError {
    let help = match rules::nearest(name) {
        Some(near) => format!("did you mean `{}`? `liftlock rules` lists them all", near.name),
        None => match containing(name).as_slice() {
            [] => "`liftlock rules` lists them all".to_owned(),
            names => format!("there is {}; `liftlock rules` lists them all", names.join(", ")),
        },
    };
    RulesError::Unknown { name: name.to_owned(), help }
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

fn word(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Notice) => "notice",
        None => "off",
    }
}
