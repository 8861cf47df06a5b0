//! The outputs of a workflow's step: what later steps and jobs may want to know, as text.

use camino::Utf8Path;

use super::{Report, Severity, clean::clean, notes};
use crate::exit::Exit;

/// Every output's name and meaning, in the order in which they are written. All are always written; what there
/// is not is empty.
pub const OUTPUTS: &[(&str, &str)] = &[
    ("conclusion", "success, failure (the answer is no), or error (the command could not do its job)"),
    ("error-count", "findings, gates and other things that say no"),
    ("warning-count", "warnings"),
    ("report-json", "path of the report as JSON"),
    ("sarif-file", "path of the SARIF file, when one was written"),
    ("summary-file", "path of the file that the job summary was written to"),
    ("plan-digest", "sha256:… of what is, or would be, applied"),
    ("comment-url", "address of the comment on the pull request"),
    ("applied-count", "migrations that this run applied"),
    ("from-version", "last migration that was applied before this run"),
    ("to-version", "last migration that is applied after it"),
    ("backup-branch-id", "id of the restore point that was taken before"),
    ("audit-event-id", "id of the audit event that says how it ended"),
    ("audit-delivered", "true when every audit event is delivered, false while some wait"),
    ("approval-json", "who approved, who did not count, and on which grounds, as JSON"),
];

/// What the report does not know itself.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    pub report: &'a Utf8Path,
    pub sarif: Option<&'a Utf8Path>,
    pub summary: Option<&'a Utf8Path>,
    pub comment: Option<&'a str>,
}

/// All of [`OUTPUTS`] in the form of `GITHUB_OUTPUT`, each between two `delimiter`s, which nobody could foresee.
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>
pub fn render(report: &Report, written: &Written<'_>, delimiter: &str) -> String {
    let values = values(report, written);
    let mut text = String::new();
    for ((name, _), value) in OUTPUTS.iter().zip(&values) {
        assert!(!value.contains(delimiter), "a delimiter of 122 random bits is not foreseen");
        text.push_str(&format!("{name}<<{delimiter}\n{}\n{delimiter}\n", clean(value)));
    }
    text
}

/// In the order of [`OUTPUTS`].
fn values(report: &Report, written: &Written<'_>) -> Vec<String> {
    let notes = notes::of_report(report);
    let promotion = report.promotion();
    let path = |path: Option<&Utf8Path>| path.map(ToString::to_string).unwrap_or_default();
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let digest = promotion.map(|it| &it.digest).or_else(|| report.plan()?.digest.as_ref());
    // A refused promotion and a plan have none of their own; what the gate saw stands in the plan.
    let approval = promotion.map(|it| &it.approval).or_else(|| report.plan().map(|it| &it.approval));
    let approval = approval.and_then(Option::as_ref).map(ToString::to_string);
    vec![
        conclusion(report).to_owned(),
        notes::count(&notes, Severity::Error).to_string(),
        notes::count(&notes, Severity::Warning).to_string(),
        written.report.to_string(),
        path(written.sarif),
        path(written.summary),
        text(digest),
        written.comment.unwrap_or_default().to_owned(),
        promotion.map(|it| it.applied.len().to_string()).unwrap_or_default(),
        text(promotion.and_then(|it| it.from_version.as_ref())),
        text(promotion.and_then(|it| it.to_version.as_ref())),
        text(promotion.and_then(|it| it.backup_branch.as_ref())),
        text(promotion.and_then(|it| it.audit_event.as_ref())),
        promotion.map(|it| (it.events_waiting == 0).to_string()).unwrap_or_default(),
        approval.unwrap_or_default(),
    ]
}

/// In GitHub's words, and `error`, so that nobody takes a broken run for a bad migration.
pub fn conclusion(report: &Report) -> &'static str {
    match report.exit() {
        Exit::Done => "success",
        Exit::No => "failure",
        Exit::Usage | Exit::Service | Exit::Half => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ErrorView, PlanView, PromotionView, Report, Section, read,
            tests::{finding, validation},
        },
        OUTPUTS, Written, render,
    };

    fn output(report: &Report, name: &str) -> String {
        let written = Written { report: "r.json".into(), sarif: None, summary: None, comment: Some("https://c") };
        let text = render(report, &written, "EOF-1");
        let (_, rest) = text.split_once(&format!("{name}<<EOF-1\n")).unwrap();
        rest.split_once("\nEOF-1\n").unwrap().0.to_owned()
    }

    #[test]
    fn each_output_says_what_the_report_says() {
        let bad = || validation(vec![finding("drop-table"), finding("drop-column")]);
        let error = |exit| {
            let error = ErrorView { exit, message: "gone".to_owned(), ..ErrorView::default() };
            read::read(&super::super::json::render(&Report::fail("plan").with(Section::Error(error)))).unwrap()
        };
        let promoted = Report::pass("promote").with(Section::Promotion(PromotionView {
            digest: "sha256:1".to_owned(),
            applied: vec![("0001".to_owned(), 3)],
            events_waiting: 1,
            from_version: Some("0000".to_owned()),
            approval: Some(serde_json::json!({ "by": ["ann\n::error::x"] })),
            ..PromotionView::default()
        }));
        let planned = Report::fail("promote")
            .with(Section::Plan(PlanView { approval: Some(serde_json::json!({ "by": [] })), ..PlanView::default() }));
        for (report, name, expected) in [
            (planned, "approval-json", r#"{"by":[]}"#),
            (Report::pass("validate"), "conclusion", "success"),
            (bad(), "conclusion", "failure"),
            (bad(), "error-count", "2"),
            (bad(), "warning-count", "0"),
            (bad(), "report-json", "r.json"),
            (bad(), "comment-url", "https://c"),
            (bad(), "applied-count", ""),
            (bad(), "audit-delivered", ""),
            (error(2), "conclusion", "error"),
            (error(3), "error-count", "1"),
            (promoted.clone(), "plan-digest", "sha256:1"),
            (promoted.clone(), "applied-count", "1"),
            (promoted.clone(), "from-version", "0000"),
            (promoted.clone(), "to-version", ""),
            (promoted.clone(), "audit-delivered", "false"),
            (promoted, "approval-json", r#"{"by":["ann\n::error::x"]}"#),
        ] {
            assert_eq!(output(&report, name), expected, "{name}");
        }
        assert_eq!(render(&bad(), &written(), "E").matches("<<E\n").count(), OUTPUTS.len());
    }

    fn written() -> Written<'static> {
        Written { report: "r.json".into(), sarif: None, summary: None, comment: None }
    }
}
