//! Reports as Markdown, for job summaries and tickets. Whatever comes from a migration is escaped: it must
//! not be able to add a link, a heading or a mention.

use super::{
    Finding, Report, Section, Severity, Verdict,
    blocks::{self, Block, Item, Mark, Table},
    escape::{self, code, fenced},
};

/// Findings listed; more are counted, JSON has them all.
const MOST_FINDINGS: usize = 200;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    if let [Section::Raw(raw)] = report.sections.as_slice() {
        return raw.clone();
    }
    set(&blocks::of_report(report))
}

/// Text from elsewhere as Markdown that shows it and does nothing else.
pub fn escaped(text: &str) -> String {
    escape::text(text)
}

pub(super) fn set(blocks: &[Block<'_>]) -> String {
    let mut text = String::new();
    for block in blocks {
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        match block {
            Block::Heading(heading) => text.push_str(&format!("### {}\n", escaped(heading))),
            Block::Paragraph(paragraph) => text.push_str(&format!("{}\n", escaped(paragraph))),
            Block::Items(items) => set_items(&mut text, items),
            Block::Numbered(lines) => {
                for (index, line) in lines.iter().enumerate() {
                    text.push_str(&format!("{}. {}\n", index + 1, escaped(line)));
                }
            }
            Block::Table(table) => set_table(&mut text, table),
            Block::Findings { findings, .. } => set_findings(&mut text, findings),
            Block::Verbatim(body) => text.push_str(&format!("{}\n", fenced(body))),
            Block::Verdict(Verdict::Pass, answer) => text.push_str(&format!("✅ {}\n", escaped(answer))),
            Block::Verdict(Verdict::Fail, answer) => text.push_str(&format!("❌ {}\n", escaped(answer))),
        }
    }
    text
}

fn set_items(text: &mut String, items: &[Item]) {
    for item in items {
        let mark = match item.mark {
            Mark::Yes => "✅ ",
            Mark::Maybe => "⚠️ ",
            Mark::No => "❌ ",
            Mark::None => "",
        };
        let name = if item.name.is_empty() { String::new() } else { format!("{} ", code(&item.name)) };
        text.push_str(&format!("- {mark}{name}{}\n", escaped(&item.text)));
        if let Some(fix) = &item.fix {
            text.push_str(&format!("  - → {}\n", escaped(fix)));
        }
    }
}

fn set_table(text: &mut String, table: &Table) {
    text.push_str(&format!("| {} |\n", table.headers.join(" | ")));
    let rule = table.right.iter().map(|right| if *right { "---:" } else { "---" }).collect::<Vec<_>>();
    text.push_str(&format!("| {} |\n", rule.join(" | ")));
    for row in &table.rows {
        let cells = row.iter().map(|cell| escaped(cell)).collect::<Vec<_>>();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn set_findings(text: &mut String, findings: &[Finding]) {
    for finding in findings.iter().take(MOST_FINDINGS) {
        let severity = match (&finding.waived, finding.severity) {
            _ if finding.baselined => continue,
            (Some(_), _) => "waived",
            (None, Severity::Error) => "error",
            (None, Severity::Warning) => "warning",
            (None, Severity::Notice) => "notice",
        };
        let place = format!("{}:{}:{}", finding.file, finding.line, finding.column);
        text.push_str(&format!(
            "- **{severity}** {} at {}: {}\n",
            code(&finding.rule),
            code(&place),
            escaped(&finding.message)
        ));
        for more in [finding.help.as_deref(), finding.waived.as_deref()].into_iter().flatten() {
            text.push_str(&format!("  - {}\n", escaped(more)));
        }
    }
    if findings.len() > MOST_FINDINGS {
        text.push_str(&format!("- … and {} more\n", findings.len() - MOST_FINDINGS));
    }
}
