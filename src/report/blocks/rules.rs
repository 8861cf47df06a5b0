//! Rules: all of them by what they are about, or one in full.

use super::{
    super::{RuleView, Severities},
    Block, Table, of_text,
};

pub(super) fn of_rules<'a>(rules: &[RuleView]) -> Vec<Block<'a>> {
    if let [rule] = rules {
        return of_rule(rule);
    }
    let mut blocks = Vec::new();
    let mut about: Vec<&str> = Vec::new();
    for rule in rules.iter().filter(|it| !it.about.is_empty()) {
        if !about.contains(&rule.about.as_str()) {
            about.push(&rule.about);
        }
    }
    for about in about {
        let of_this = rules.iter().filter(|it| it.about == about);
        let row = |it: &RuleView| {
            let Severities { production, staging, dev } = &it.severity;
            [&it.name, production, staging, dev, &it.title].map(Clone::clone).to_vec()
        };
        blocks.push(Block::Heading(about.to_owned()));
        blocks.push(Block::Table(Table {
            headers: vec!["rule", "production", "staging", "dev", "what is wrong"],
            right: vec![false; 5],
            rows: of_this.map(row).collect(),
        }));
    }
    blocks
}

fn of_rule<'a>(rule: &RuleView) -> Vec<Block<'a>> {
    let Severities { production, staging, dev } = &rule.severity;
    let severities = format!("{production} in production, {staging} in staging, {dev} in dev");
    let reasons = if rule.reasons.is_empty() { String::new() } else { format!("\n{}\n", rule.reasons) };
    let body = format!("{}\n{reasons}\n{}: {severities}.\n{}\n{}", rule.title, rule.about, rule.waiver, rule.page);
    let parts = [
        (rule.name.as_str(), body),
        ("Given", rule.setup.clone()),
        ("Found", rule.found.join("\n\n")),
        ("Not found", rule.not_found.join("\n\n")),
    ];
    parts.into_iter().filter(|(_, body)| !body.is_empty()).flat_map(|(title, body)| of_text(title, &body)).collect()
}
