//! What was found, by rule, what is safe with its reason, and the closing line.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    super::{Explanation, Finding, Severity, Validation},
    Block, Item, Mark, Table, counted,
    layout::of_layout,
    number,
};

/// More findings than these are counted by rule, too.
const FEW: usize = 5;

pub(super) fn of_validation(validation: &Validation) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    if !validation.findings.is_empty() {
        blocks.push(Block::Findings { findings: &validation.findings, sources: &validation.sources });
    }
    blocks.extend(of_explanations(&validation.explanations));
    let standing = validation.findings.iter().filter(|it| it.stands()).collect::<Vec<_>>();
    if standing.len() > FEW {
        blocks.push(Block::Table(by_rule(&standing)));
    }
    let known = validation.findings.iter().filter(|it| it.baselined).count();
    if known > 0 {
        blocks.push(Block::Paragraph(format!("{} of the baseline, not shown", counted(known, "finding"))));
    }
    let of = |severity| validation.findings.iter().filter(|it| it.stands() && it.severity == severity).count();
    let waived = validation.findings.iter().filter(|it| it.waived.is_some()).count();
    let (errors, warnings, notices) = (of(Severity::Error), of(Severity::Warning), of(Severity::Notice));
    let mut found = Vec::new();
    for (count, word) in [(errors, "error"), (warnings, "warning"), (notices, "notice")] {
        if count > 0 {
            found.push(counted(count, word));
        }
    }
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    blocks.extend(validation.layouts.iter().flat_map(of_layout));
    let verdict = validation.verdict();
    let kinds = validation.unread_kinds.iter().map(|(kind, count)| of_kind(*count, kind)).collect::<Vec<_>>();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let answer = format!(
        "{found} in {}, {} read, {} not analysable{kinds}, {waived} waived, profile {}",
        counted(validation.files, "file"),
        counted(validation.statements, "statement"),
        validation.unread,
        validation.profile
    );
    blocks.push(Block::Verdict(verdict, answer));
    blocks
}

/// `1 placeholder`, `2 placeholders`; as [`crate::sql::change::Unread::kind`] words them.
fn of_kind(count: usize, kind: &str) -> String {
    match kind {
        "never ends" if count > 1 => format!("{} never end", number(count as u64)),
        "never ends"
        | "two readings"
        | "dynamic EXECUTE"
        | "COPY FROM stdin"
        | "non-standard strings"
        | "too complex" => {
            format!("{} {kind}", number(count as u64))
        }
        _ => counted(count, kind),
    }
}

/// What looks dangerous and is not.
fn of_explanations<'a>(explanations: &[Explanation]) -> Vec<Block<'a>> {
    if explanations.is_empty() {
        return Vec::new();
    }
    let item = |it: &Explanation| Item {
        mark: Mark::Yes,
        name: format!("{}:{}:{}", it.file, it.line, it.column),
        text: format!("safe: {} ({})", it.reason, it.rule),
        fix: None,
    };
    vec![Block::Heading("Safe, and why".to_owned()), Block::Items(explanations.iter().map(item).collect())]
}

/// How often each rule speaks, errors first, then what is found most.
fn by_rule(findings: &[&Finding]) -> Table {
    let mut rules: BTreeMap<(Reverse<Severity>, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        rules.entry((Reverse(finding.severity), &finding.rule)).or_default().push(finding);
    }
    let mut rules = rules.into_iter().collect::<Vec<_>>();
    rules.sort_by_key(|((severity, _), of_rule)| (*severity, Reverse(of_rule.len())));
    let row = |((severity, rule), of_rule): ((Reverse<Severity>, &str), Vec<&Finding>)| {
        let word = match severity.0 {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        let files = of_rule.iter().map(|it| &it.file).collect::<BTreeSet<_>>().len();
        let first = of_rule.first().map(|it| format!("{}:{}", it.file, it.line)).unwrap_or_default();
        vec![word.to_owned(), rule.to_owned(), of_rule.len().to_string(), files.to_string(), first]
    };
    Table {
        headers: vec!["", "rule", "findings", "files", "first"],
        right: vec![false, false, true, true, false],
        rows: rules.into_iter().map(row).collect(),
    }
}
