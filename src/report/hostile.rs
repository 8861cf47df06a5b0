//! Whatever a migration writes into names, messages and reasons: it starts no workflow command, forges no output,
//! closes no comment, tag or cell, makes no link, mentions nobody, and never looks like our marker.

use std::sync::LazyLock;

use camino::Utf8PathBuf;
use proptest::prelude::*;
use regex::Regex;

use super::{
    ErrorView, Finding, GateView, PlanView, PromotionView, Report, Section, Severity, SyncReport, TableSync, Verdict,
    annotations, comment, gitlab, json, markdown,
    outputs::{self, OUTPUTS, Written},
    place::Places,
    read, sarif,
    summary::{self, Around, Trouble},
    tests::{finding, validation},
};

const MARKER: &str = "<!-- liftlock:v1 key=0123456789ab -->";
const OURS: &str = "https://github.com/o/r";

/// Pieces of what does harm, and anything else.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "::error::x",
            "::",
            ":",
            "##[error]",
            "##[",
            "%0A",
            "%",
            "\n",
            "\r\n",
            "\r",
            "`",
            "``",
            "```",
            "|",
            "\\",
            "\\|",
            "<!--",
            "-->",
            "<img src=x>",
            "</code>",
            "</details>",
            "<",
            ">",
            "&lt;",
            "@ann",
            "@",
            "#12",
            "[x](",
            "](https://evil.example)",
            "[",
            "]",
            "(",
            ")",
            "https://evil.example",
            "www.evil.example",
            "**",
            "_",
            "~~",
            "EOF",
            "<<EOF",
            "\nEOF\nconclusion=success\n",
            MARKER,
            "\n### x",
            "- ",
            "1. ",
            "    ",
            "\t",
            "\u{202E}",
            "\u{0}",
            "\u{2028}",
            "!",
            "{",
            "$",
            ",",
            "=",
            "é",
            "𝔘",
            "../",
            "/",
            "a",
            "b c",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn around() -> Around {
    Around {
        places: Places { here: "/repo".into(), root: "/repo".into() },
        repository: Some(OURS.to_owned()),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        run: Some(format!("{OURS}/actions/runs/7")),
    }
}

/// A report with the texts in every place where one from elsewhere may stand.
fn report(texts: &[String]) -> Report {
    let text = |at: usize| texts[at % texts.len()].clone();
    let bad = |at: usize| Finding {
        rule: text(at).into(),
        file: Utf8PathBuf::from(text(at + 1)).into(),
        message: text(at + 2),
        help: Some(text(at + 3).into()),
        ..finding("x")
    };
    let waived = Finding { waived: Some(text(4)), severity: Severity::Warning, ..bad(5) };
    let gate = GateView { name: text(0), passed: false, evidence: text(1), fix: Some(text(2)) };
    let plan = PlanView {
        environment: text(3),
        target: text(4),
        gates: vec![gate],
        steps: vec![text(5)],
        ..PlanView::default()
    };
    let promotion = PromotionView {
        run: text(6),
        environment: text(7),
        digest: text(0),
        applied: vec![(text(1), 1)],
        from_version: Some(text(2)),
        approval: Some(serde_json::json!({ "by": text(3) })),
        warnings: vec![text(4)],
        ..PromotionView::default()
    };
    let table = TableSync { table: text(5), verified: Some(false), ..TableSync::default() };
    let sync = SyncReport { source: text(6), mirror: text(7), tables: vec![table], ..SyncReport::default() };
    let error = ErrorView { code: text(0), message: text(1), help: Some(text(2)), exit: 3 };
    let report = validation(vec![bad(0), bad(3), waived])
        .with(Section::Plan(plan))
        .with(Section::Promotion(promotion))
        .with(Section::Sync(sync))
        .with(Section::Text { title: text(3), body: text(4) })
        .with(Section::Error(error))
        .then(text(5), text(6));
    Report { verdict: Verdict::Fail, ..report }
}

/// The lines outside blocks of code.
fn without_fences(markdown: &str) -> Vec<&str> {
    let mut open: Option<&str> = None;
    let mut lines = Vec::new();
    for line in markdown.split('\n') {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match open {
            None if ticks.len() >= 3 => open = Some(ticks),
            Some(fence) if line == fence => open = None,
            Some(_) => {}
            None => lines.push(line),
        }
    }
    assert_eq!(open, None, "a block of code stays open");
    lines
}

fn check_markdown(markdown: &str) {
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^ ]").unwrap());
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|[^\\])\]\(").unwrap());
    static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("`[^`]+`").unwrap());
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)(https?://|www\.)").unwrap());
    let ours = ["<br>", "<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"];
    let mut columns = 0;
    for line in without_fences(markdown) {
        for tag in TAG.find_iter(line) {
            assert!(ours.iter().any(|it| line[tag.start()..].starts_with(it)), "a tag: {line}");
        }
        assert!(!line.contains("<!--"), "a comment: {line}");
        for link in LINK.find_iter(line) {
            assert!(line[link.end()..].starts_with(OURS), "a link: {line}");
        }
        // Inside code it stays text.
        let line = CODE.replace_all(&line.replace("\\\\", "").replace("\\`", ""), "").into_owned();
        assert!(ADDRESS.find_iter(&line).all(|it| line[it.start()..].starts_with(OURS)), "an address: {line}");
        let mut after = line.split('@').skip(1);
        assert!(after.all(|it| !it.starts_with(|it: char| it.is_alphanumeric())), "a mention: {line}");
        let borders = line.matches('|').count();
        if line.starts_with("| ") {
            assert!(columns == 0 || columns == borders, "a cell: {line}");
            columns = borders;
        } else {
            assert_eq!(borders, 0, "a cell: {line}");
            columns = 0;
        }
    }
}

fn check_annotations(text: &str, most: usize) {
    assert!(text.lines().count() <= most, "{text}");
    for line in text.split_terminator('\n') {
        let rest = ["::error ", "::warning ", "::notice "].iter().find_map(|it| line.strip_prefix(it));
        let (properties, message) = rest.and_then(|it| it.split_once("::")).unwrap_or_else(|| panic!("{line}"));
        let names = properties.split(',').map(|it| it.split_once('=').map_or(it, |it| it.0)).collect::<Vec<_>>();
        let known = ["file", "line", "endLine", "col", "endColumn", "title"];
        assert!(names.iter().all(|it| known.contains(it)) && names.last() == Some(&"title"), "{line}");
        assert!(!properties.contains("::") && !message.contains("::") && !line.contains("##["), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// As the runner reads the file.
fn check_outputs(text: &str, delimiter: &str) {
    let mut lines = text.split('\n');
    for (name, _) in OUTPUTS {
        assert_eq!(lines.next(), Some(format!("{name}<<{delimiter}").as_str()));
        assert!(lines.by_ref().any(|line| line == delimiter), "{name} does not end");
    }
    assert_eq!(lines.collect::<Vec<_>>(), [""]);
    assert!(!text.contains('\r'));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_from_elsewhere_does_nothing(texts in prop::collection::vec(hostile(), 8..12)) {
        let report = report(&texts);
        let around = around();
        let trouble = Trouble { message: texts[0].clone(), paste: None };
        check_annotations(&annotations::render(&report, &around.places, std::slice::from_ref(&trouble), "more"), 30);
        check_markdown(&summary::render(&report, &around, &[trouble]));
        check_markdown(&markdown::render(&report));
        for report in [&report, &Report { verdict: Verdict::Pass, ..report.clone() }] {
            let body = comment::wanted(report, &around, MARKER, true).unwrap();
            prop_assert!(comment::is_marked(&body, MARKER));
            prop_assert_eq!(body.matches("<!--").count(), 1);
            check_markdown(&body.replacen(MARKER, "", 1));
        }
        let delimiter = "liftlock-0b9f6b8e-3d51-4c5e-8d6e-0e7a1d2c3b4a";
        let written = Written { report: texts[1].as_str().into(), sarif: None, summary: None, comment: Some(&texts[2]) };
        check_outputs(&outputs::render(&report, &written, delimiter), delimiter);
        let log = sarif::render(&report, &around.places, &[], "0.1.0");
        let log: serde_json::Value = serde_json::from_str(&log).unwrap();
        for result in log["runs"][0]["results"].as_array().unwrap() {
            prop_assert!(!result["message"]["text"].as_str().unwrap().contains("]("));
        }
        let issues: serde_json::Value = serde_json::from_str(&gitlab::render(&report, &around.places)).unwrap();
        for issue in issues.as_array().unwrap() {
            let line = issue["description"].as_str().unwrap();
            prop_assert!(!line.contains(['\n', '\r', '\u{0}']), "{}", line);
        }
        let again = read::read(&json::render(&report)).unwrap();
        prop_assert_eq!(json::render(&again), json::render(&report));
    }

    #[test]
    fn a_file_that_is_no_report_is_refused_and_not_quoted(text in hostile()) {
        if let Err(error) = read::read(&text) {
            prop_assert!(!error.to_string().contains("evil") && !error.to_string().contains("::error"));
        }
    }
}
