//! `--format`: a report for people, for programs, or as a forge shows it beside the code.

use std::{fmt::Write, io};

use super::{
    Shell,
    report::{append, surroundings::Surroundings},
    rules::about,
};
use crate::{
    cli::{Command, Format},
    config::ProfileName,
    error::Error,
    lint::{ExampleKind, Rule, Waivable, rules},
    report::{
        Report, Severity, annotations, gitlab, json, markdown,
        place::Places,
        progress::Event,
        sarif::{self, RuleText},
        summary,
        text::{self, Look},
    },
};

/// Where a rule's page is: its own file, which is its documentation and its tests.
const PAGES: &str = "https://github.com/liftlock/liftlock/blob/main/src/lint/rules";

/// Findings have a place in a file; most commands have none to show.
pub fn refuse(command: &Command, format: Format) -> Result<(), Error> {
    let has_findings = matches!(command, Command::Validate(_) | Command::Report(_));
    match format {
        Format::Text | Format::Json | Format::Markdown => Ok(()),
        Format::Sarif | Format::Github | Format::Gitlab if has_findings => Ok(()),
        Format::Sarif => Err(Error::NoFindings { format: "sarif" }),
        Format::Github => Err(Error::NoFindings { format: "github" }),
        Format::Gitlab => Err(Error::NoFindings { format: "gitlab" }),
    }
}

/// The report as the user wants it, to where it goes: as JSON while it is made, because that may be large.
pub fn write(shell: &Shell, report: &Report, to: &mut impl io::Write) -> io::Result<()> {
    match shell.global.format {
        // Its stdout was the editor's.
        _ if report.command == "lsp" => Ok(()),
        Format::Json => json::write(report, to),
        _ => to.write_all(rendered(shell, report).as_bytes()),
    }
}

/// The same, as a text.
pub fn rendered(shell: &Shell, report: &Report) -> String {
    let places = || Surroundings::look(shell).around.places;
    match shell.global.format {
        Format::Text => text::render(report, &Look::of_terminal(shell.color)),
        Format::Json => json::render(report),
        Format::Markdown => markdown::render(report),
        Format::Sarif => sarif(report, &places()),
        Format::Gitlab => gitlab::render(report, &places()),
        Format::Github => github(shell, report),
    }
}

/// Annotations, and the rest of them in the job's summary where there is a job.
fn github(shell: &Shell, report: &Report) -> String {
    let surroundings = Surroundings::look(shell);
    let around = &surroundings.around;
    let rest = match &surroundings.summary {
        None => "than are shown: `--format text` shows them",
        Some(path) => match append(path, &summary::render(report, around, &[])) {
            Ok(()) => "in the summary",
            Err(error) => {
                let message = format!("warning: the job summary could not be written to `{path}`: {error}");
                shell.observe.event(Event::Notice { message });
                "than are shown: `--format text` shows them"
            }
        },
    };
    annotations::render(report, &around.places, &[], rest)
}

/// The report as SARIF, with every rule.
pub fn sarif(report: &Report, places: &Places) -> String {
    let rules = rules::ALL.iter().map(|it| rule(it)).collect::<Vec<_>>();
    sarif::render(report, places, &rules, env!("CARGO_PKG_VERSION"))
}

/// A rule as code scanning shows it: as severe as production sees it.
fn rule(rule: &Rule) -> RuleText {
    RuleText {
        name: rule.name.to_owned(),
        title: rule.docs().title,
        help: page(rule),
        severity: rule.severity.in_profile(ProfileName::Production).unwrap_or(Severity::Notice),
        harm: about(rule.harm),
        address: address(rule),
    }
}

/// The rule's page.
pub fn address(rule: &Rule) -> String {
    format!("{PAGES}/{}.rs", rule.name.replace('-', "_"))
}

/// What a rule is about, why, with examples and what waives it: Markdown without a heading.
pub fn page(rule: &Rule) -> String {
    let docs = rule.docs();
    let mut page = docs.title.clone();
    if !docs.reasons.is_empty() {
        write!(page, "\n\n{}", docs.reasons).expect("text can be written to");
    }
    for (title, kind) in [("Found", ExampleKind::Bad), ("Not found", ExampleKind::Good)] {
        for (index, example) in docs.examples.iter().filter(|it| it.kind == kind).enumerate() {
            let title = if index == 0 { format!("**{title}**\n\n") } else { String::new() };
            write!(page, "\n\n{title}```sql\n{}\n```", example.sql.trim_end()).expect("text can be written to");
        }
    }
    write!(page, "\n\n{}", waiver(rule)).expect("text can be written to");
    page
}

/// What lifts the rule's findings, in a sentence.
pub fn waiver(rule: &Rule) -> String {
    let comment = format!("Waived by `-- liftlock: allow {} because …` above the statement", rule.name);
    match rule.waivable {
        Waivable::Never => "Nothing waives it.".to_owned(),
        Waivable::WithReason => format!("{comment}."),
        Waivable::WithReasonOrHotfix => format!("{comment}, or by a hotfix promotion."),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PAGES, address};
    use crate::lint::rules;

    #[test]
    fn every_rules_page_is_there() {
        let folder = PAGES.split_once("/blob/main/").expect("a page of the main branch").1;
        for rule in rules::ALL {
            let page = address(rule).replace(PAGES, folder);
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&page).is_file(), "{page}");
        }
    }
}
