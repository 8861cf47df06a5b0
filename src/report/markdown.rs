//! Reports as Markdown, for job summaries and tickets. Whatever comes from a migration is escaped: it must
//! not be able to add a link, a heading or a mention.

use camino::Utf8PathBuf;

use super::{
    Finding, Report, Severity, Verdict,
    blocks::{self, Block, Item, Mark, Table},
    clean::clean,
};

/// Findings listed; more are counted, JSON has them all.
const MOST_FINDINGS: usize = 200;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for block in blocks::of_report(report) {
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        match &block {
            Block::Heading(heading) => text.push_str(&format!("### {}\n", escaped(heading))),
            Block::Paragraph(paragraph) => text.push_str(&format!("{}\n", escaped(paragraph))),
            Block::Items(items) => set_items(&mut text, items),
            Block::Numbered(lines) => {
                for (index, line) in lines.iter().enumerate() {
                    text.push_str(&format!("{}. {}\n", index + 1, escaped(line)));
                }
            }
            Block::Table(table) => set_table(&mut text, table),
            Block::Findings { findings, sources } => set_findings(&mut text, findings, sources),
            Block::Verbatim(body) => text.push_str(&format!("{}\n", fenced(body))),
            Block::Verdict(Verdict::Pass, answer) => text.push_str(&format!("**ok** {}\n", escaped(answer))),
            Block::Verdict(Verdict::Fail, answer) => text.push_str(&format!("**FAIL** {}\n", escaped(answer))),
        }
    }
    text
}

fn set_items(text: &mut String, items: &[Item]) {
    for item in items {
        let mark = match item.mark {
            Mark::Yes => "✓ ",
            Mark::Maybe => "! ",
            Mark::No => "✗ ",
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

fn set_findings(text: &mut String, findings: &[Finding], _sources: &[(Utf8PathBuf, String)]) {
    for finding in findings.iter().take(MOST_FINDINGS) {
        let severity = match (&finding.waived, finding.severity) {
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
        for more in [&finding.help, &finding.waived].into_iter().flatten() {
            text.push_str(&format!("  - {}\n", escaped(more)));
        }
    }
    if findings.len() > MOST_FINDINGS {
        text.push_str(&format!("- … and {} more\n", findings.len() - MOST_FINDINGS));
    }
}

/// Text that Markdown and HTML leave alone; `@` is broken so that nobody is mentioned.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let cleaned = clean(text);
    let mut inside_code = false;
    // Our own messages put names between backticks; keep those as code, where only `<`, `|` and `@` matter.
    let balanced = cleaned.matches('`').count().is_multiple_of(2);
    for character in cleaned.chars() {
        match character {
            '`' if balanced => {
                inside_code = !inside_code;
                escaped.push('`');
            }
            '\n' => escaped.push_str("<br>"),
            '|' => escaped.push_str("\\|"),
            '@' if !inside_code => escaped.push_str("@\u{200B}"),
            '&' if !inside_code => escaped.push_str("&amp;"),
            '<' if !inside_code => escaped.push_str("&lt;"),
            '>' if !inside_code => escaped.push_str("&gt;"),
            '*' | '_' | '[' | ']' | '#' | '`' | '~' | '\\' | '!' if !inside_code => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Inline code that its content cannot leave.
fn code(text: &str) -> String {
    let text = clean(text).replace('`', "'").replace('\n', " ").replace('|', "\\|");
    format!("`{text}`")
}

/// A code block whose fence is longer than any run of backticks inside.
fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", clean(text))
}

#[cfg(test)]
mod tests {
    use super::{code, escaped, fenced};

    #[test]
    fn text_from_elsewhere_stays_text() {
        for (input, expected) in [
            ("plain", "plain"),
            ("writes to `a_b` wait", "writes to `a_b` wait"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("@here [x](http://y)", "@\u{200B}here \\[x\\](http://y)"),
            ("a|b", "a\\|b"),
            ("odd ` tick <b>", "odd \\` tick &lt;b&gt;"),
            ("two\nlines", "two<br>lines"),
        ] {
            assert_eq!(escaped(input), expected);
        }
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(fenced("x ``` y"), "````text\nx ``` y\n````");
    }
}
