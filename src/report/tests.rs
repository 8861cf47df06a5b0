//! What the tests of this module's files share, and that reports come back from JSON as they were.

use camino::Utf8Path;

use super::{
    Columns, ErrorView, Finding, GateView, Harm, NextStep, PlanView, PromotionView, Report, Section, Severity,
    SyncReport, TableSync, Validation, Verdict, json, markdown, place::Places, read, summary::Around,
};
use crate::{exit::Exit, sql::Span};

/// A report in a workflow.
pub(super) fn around() -> Around {
    Around {
        places: Places { here: "/repo".into(), root: "/repo".into() },
        repository: Some("https://github.com/o/r".to_owned()),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        run: Some("https://github.com/o/r/actions/runs/7".to_owned()),
    }
}

pub(super) fn finding(rule: &str) -> Finding {
    Finding {
        rule: rule.to_owned().into(),
        kind: Harm::Loses,
        severity: Severity::Error,
        file: Utf8Path::new("db/0002_b.sql").into(),
        line: 3,
        column: 1,
        end_line: 3,
        end_column: 11,
        message: "it loses data".to_owned(),
        help: Some("keep it".into()),
        waived: None,
        baselined: false,
        utf16: Columns { start: 1, end: 11 },
        fingerprint: "00".to_owned(),
        fix: None,
        evidence: None,
        form: None,
        span: Span::default(),
    }
}

/// A report of `validate` with these findings.
pub(super) fn validation(findings: Vec<Finding>) -> Report {
    let validation =
        Validation { profile: "production".to_owned(), files: 2, statements: 3, findings, ..Validation::default() };
    Report { verdict: validation.verdict(), ..Report::pass("validate") }.with(Section::Validation(validation))
}

/// A report with every section that programs read.
pub(super) fn everything() -> Report {
    let waived = Finding { waived: Some("it is empty".to_owned()), severity: Severity::Warning, ..finding("x") };
    let gate = GateView { name: "staged".to_owned(), passed: true, evidence: "it was".to_owned(), fix: None };
    let plan = PlanView {
        environment: "production".to_owned(),
        target: "db.example.com/app".to_owned(),
        promotion_type: "schema_safe".to_owned(),
        gates: vec![gate],
        steps: vec!["restore point".to_owned(), "apply 0001".to_owned()],
        digest: Some("sha256:12".to_owned()),
        ..PlanView::default()
    };
    let promotion = PromotionView {
        run: "0190".to_owned(),
        environment: "production".to_owned(),
        digest: "sha256:12".to_owned(),
        applied: vec![("0001".to_owned(), 12)],
        restore_point: Some("liftlock_1 at 0/15; verified".to_owned()),
        events_delivered: 3,
        warnings: vec!["it took long".to_owned()],
        ..PromotionView::default()
    };
    let table = TableSync {
        table: "orders".to_owned(),
        source_rows: 12_000,
        mirror_rows: 12_000,
        inserted: 7,
        verified: Some(true),
        source_digest: "1f".to_owned(),
        mirror_digest: "1f".to_owned(),
        ..TableSync::default()
    };
    let sync = SyncReport {
        source: "production".to_owned(),
        mirror: "mirror".to_owned(),
        tables: vec![table],
        ..SyncReport::default()
    };
    let mut report = validation(vec![finding("drop-table"), waived])
        .with(Section::Plan(plan))
        .with(Section::Promotion(promotion))
        .with(Section::Sync(sync))
        .with(Section::Text { title: "Up to date".to_owned(), body: "Nothing is pending.".to_owned() });
    report.next = vec![NextStep { command: "liftlock plan".to_owned(), what: "look".to_owned() }];
    report
}

/// With `verify: counts` the verdict once spoke of digests that nobody had made.
#[test]
fn a_sync_speaks_of_digests_only_where_they_were_compared() {
    let table = TableSync { table: "orders".to_owned(), verified: Some(true), ..TableSync::default() };
    let said = |table: &TableSync| {
        let sync = SyncReport { tables: vec![table.clone()], ..SyncReport::default() };
        markdown::render(&Report::pass("sync").with(Section::Sync(sync)))
    };
    assert!(said(&table).contains("every count agrees on both sides, digests were not compared"), "{}", said(&table));
    let digest = "1f".to_owned();
    let compared = TableSync { source_digest: digest.clone(), mirror_digest: digest, ..table };
    assert!(said(&compared).contains("every count and digest agrees on both sides"), "{}", said(&compared));
}

#[test]
fn a_report_comes_back_from_json_as_it_was() {
    let report = everything();
    let read = read::read(&json::render(&report)).unwrap();
    assert_eq!(read, report);
    assert_eq!(json::render(&read), json::render(&report));
}

#[test]
fn the_exit_code_of_a_failed_command_comes_back() {
    for (exit, expected) in
        [(2, Exit::Usage), (3, Exit::Service), (4, Exit::Half), (0, Exit::Service), (200, Exit::Service)]
    {
        let error = ErrorView { exit, message: "gone".to_owned(), ..ErrorView::default() };
        // Whatever it says at the top: an error is no yes.
        let text = json::render(&Report::pass("promote").with(Section::Error(error)));
        let read = read::read(&text).unwrap();
        assert_eq!((read.exit(), read.verdict), (expected, Verdict::Fail), "{exit}");
    }
}

#[test]
fn fields_that_were_added_or_left_out_break_nothing_and_another_version_is_refused() {
    let head = r#""version":1,"command":"validate","verdict":"pass""#;
    let finding = r#"{"rule":"r","kind":"loses","severity":"error","file":"f","line":1,"column":2,"end_line":1,"end_column":3,"message":"m","help":null,"waived":false,"reason":null"#;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (text, expected) in [
        (format!("{{{head}}}"), Ok(Verdict::Pass)),
        (format!(r#"{{{head},"new":{{"a":[1]}},"next":null,"plan":{{"gates":[],"more":1}}}}"#), Ok(Verdict::Pass)),
        // Its findings say otherwise.
        (format!(r#"{{{head},"findings":[{finding},"more":1}}]}}"#), Ok(Verdict::Fail)),
        (format!(r#"{{{head},"findings":[{finding},"line":-1}}]}}"#), Err("`findings` of the report is not")),
        (format!(r#"{{{head},"findings":7}}"#), Err("`findings` of the report is not")),
        (head.replace("pass", "perhaps"), Err("not JSON")),
        (format!("{{{}}}", head.replace("pass", "perhaps")), Err("`verdict` of the report is not")),
        (format!("{{{}}}", head.replace(":1", ":2")), Err("of version 2")),
        (format!("{{{}}}", head.replace(":1", ":\"1\"")), Err("no `version`")),
        ("{}".to_owned(), Err("no `version`")),
        ("[]".to_owned(), Err("no `version`")),
        (r#"{"version":1}"#.to_owned(), Err("no `command`")),
        (String::new(), Err("not JSON (line 1, column 0)")),
        (deep, Err("not JSON")),
        ("\u{0}\u{FFFD}".to_owned(), Err("not JSON")),
    ] {
        let shown = &text[..text.len().min(200)];
        match (read::read(&text), expected) {
            (Ok(report), Ok(verdict)) => assert_eq!(report.verdict, verdict, "{shown}"),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{shown}: {error}"),
            (result, expected) => panic!("{shown}: {result:?}, not {expected:?}"),
        }
    }
}
