//! Findings counted by rule, and what is safe with its reason.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    super::{Explanation, Finding, Severity},
    Block, Item, Mark, Table,
};

/// What looks dangerous and is not.
pub(super) fn of_explanations<'a>(explanations: &[Explanation]) -> Vec<Block<'a>> {
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
pub(super) fn by_rule(findings: &[&Finding]) -> Table {
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
