//! Annotations: workflow commands that GitHub shows beside the lines of a pull request.
//!
//! The form and its encoding:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. All text comes from
//! migrations: it can neither end its command nor begin another, also not in the older form `##[…]`, which the
//! runner takes anywhere in a line.

use super::{
    Finding, Report, Severity,
    clean::clean,
    notes::{self, Note},
    place::Places,
    summary::Trouble,
};

/// What GitHub shows of each severity per step.
const MOST: usize = 10;
/// GitHub cuts longer messages; this leaves room for what to do.
const LONGEST: usize = 3_000;

/// One command per line, worst first. `troubles` of the reporting itself come first among the warnings.
///
/// `rest` says where those are that are left out: `in the summary`.
pub fn render(report: &Report, places: &Places, troubles: &[Trouble], rest: &str) -> String {
    let own = troubles.iter().map(|it| Note {
        severity: Severity::Warning,
        title: "liftlock report".to_owned(),
        text: it.message.clone(),
        fix: it.paste.as_deref(),
        finding: None,
    });
    let mut notes: Vec<Note<'_>> = own.chain(notes::of_report(report)).collect();
    notes.sort_by_key(|it| std::cmp::Reverse(it.severity));
    let room = |severity| match severity {
        Severity::Error | Severity::Warning => MOST,
        // One is kept for what was left out.
        Severity::Notice => MOST - 1,
    };
    let mut lines = String::new();
    let mut left_out = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
        let of_this = notes.iter().filter(|it| it.severity == severity);
        lines.extend(of_this.take(room(severity)).map(|it| command(it, places)));
        let more = notes::count(&notes, severity).saturating_sub(room(severity));
        if more > 0 {
            left_out.push(super::blocks::counted(more, word(severity)));
        }
    }
    if !left_out.is_empty() {
        lines.push_str(&format!("::notice title=liftlock::{} more {rest}\n", left_out.join(", ")));
    }
    lines
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    }
}

fn command(note: &Note<'_>, places: &Places) -> String {
    let mut properties = note.finding.map(|it| place(it, places)).unwrap_or_default();
    properties.push(("title", note.title.clone()));
    let properties = properties.iter().map(|(name, value)| format!("{name}={}", property(value)));
    let mut message = cut(&note.text);
    if let Some(fix) = note.fix {
        message = format!("{message}\n→ {}", cut(fix));
    }
    format!("::{} {}::{}\n", word(note.severity), properties.collect::<Vec<_>>().join(","), data(&message))
}

/// Columns only on one line: GitHub has none for several.
fn place(finding: &Finding, places: &Places) -> Vec<(&'static str, String)> {
    let Some(file) = places.below_root(&finding.file) else { return Vec::new() };
    let mut place = vec![
        ("file", file),
        ("line", finding.line.to_string()),
        ("endLine", finding.end_line.max(finding.line).to_string()),
    ];
    if finding.end_line == finding.line {
        place.push(("col", finding.column.to_string()));
        place.push(("endColumn", finding.end_column.to_string()));
    }
    place
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A command's text: what would end the line, or be a command in its middle, is none any more.
fn data(text: &str) -> String {
    let text = clean(text).replace('\t', " ").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // A space of no width between the two halves of a command's mark.
    text.replace("##[", "##\u{200B}[").replace("::", ":\u{200B}:").replace("::", ":\u{200B}:")
}

/// A property's value; `:` and `,` would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::{
        super::{
            GateView, PlanView, Report, Section,
            tests::{finding, validation},
        },
        Places, Severity, Trouble, data, property, render,
    };

    fn places() -> Places {
        Places { here: "/repo".into(), root: "/repo".into() }
    }

    #[test]
    fn text_neither_ends_its_command_nor_begins_another() {
        for (text, in_data, in_property) in [
            ("plain", "plain", "plain"),
            ("100%", "100%25", "100%25"),
            ("a\nb", "a%0Ab", "a%0Ab"),
            ("a\r\n::error::b", "a %0A:\u{200B}:error:\u{200B}:b", "a %0A%3A\u{200B}%3Aerror%3A\u{200B}%3Ab"),
            (":::", ":\u{200B}:\u{200B}:", "%3A\u{200B}%3A\u{200B}%3A"),
            ("a,b", "a,b", "a%2Cb"),
            ("a\tb", "a b", "a b"),
            ("x ##[error]y", "x ##\u{200B}[error]y", "x ##\u{200B}[error]y"),
        ] {
            assert_eq!(data(text), in_data);
            assert_eq!(property(text), in_property);
        }
    }

    #[test]
    fn a_finding_stands_at_its_place() {
        let mut several_lines = finding("drop-table");
        several_lines.end_line = 9;
        let mut outside = finding("drop-table");
        outside.file = Utf8Path::new("/elsewhere/x.sql").into();
        let mut waived = finding("drop-table");
        waived.waived = Some("it is empty".to_owned());
        for (finding, expected) in [
            (
                finding("drop-table"),
                "::error file=db/0002_b.sql,line=3,endLine=3,col=1,endColumn=11,title=drop-table::it loses data%0A→ \
                 keep it\n",
            ),
            (
                several_lines,
                "::error file=db/0002_b.sql,line=3,endLine=9,title=drop-table::it loses data%0A→ keep it\n",
            ),
            (outside, "::error title=drop-table::it loses data%0A→ keep it\n"),
            (waived, ""),
        ] {
            assert_eq!(render(&validation(vec![finding]), &places(), &[], "in the summary"), expected);
        }
    }

    #[test]
    fn at_most_ten_of_each_severity_are_shown_worst_first_and_the_rest_is_counted() {
        let of = |severity, count: usize| {
            (0..count).map(move |_| super::super::Finding { severity, ..finding("x") }).collect::<Vec<_>>()
        };
        let mut findings = of(Severity::Notice, 12);
        findings.extend(of(Severity::Warning, 11));
        findings.extend(of(Severity::Error, 13));
        let shown = render(
            &validation(findings),
            &places(),
            &[Trouble { message: "no permission".to_owned(), paste: None }],
            "in the summary",
        );
        let words = shown.lines().map(|it| it.split([' ', ':']).nth(2).unwrap()).collect::<Vec<_>>();
        let expected = [["error"; 10], ["warning"; 10], ["notice"; 10]].concat();
        assert_eq!(words, expected);
        assert!(shown.lines().nth(10).unwrap().contains("no permission"), "{shown}");
        assert!(shown.ends_with("::3 errors, 2 warnings, 3 notices more in the summary\n"), "{shown}");
    }

    #[test]
    fn a_gate_that_refuses_is_an_error_without_a_place() {
        let gate = GateView {
            name: "approved".to_owned(),
            passed: false,
            evidence: "nobody".to_owned(),
            fix: Some("ask".to_owned()),
        };
        let report = Report::fail("plan").with(Section::Plan(PlanView { gates: vec![gate], ..PlanView::default() }));
        assert_eq!(render(&report, &places(), &[], "in the summary"), "::error title=gate approved::nobody%0A→ ask\n");
    }
}
