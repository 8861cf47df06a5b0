//! Findings as GitLab's Code Quality report, which a merge request shows beside its lines.
//!
//! The form: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>. It knows no
//! suppressions, so what is waived or known from the baseline is left out.

use std::{cmp::Reverse, collections::HashMap};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Finding, Harm, Report, Severity, clean::clean, place::Places};

/// One array, worst first.
pub fn render(report: &Report, places: &Places) -> String {
    let found = report.validation().map(|it| it.findings.as_slice()).unwrap_or_default();
    let mut findings: Vec<&Finding> = found.iter().filter(|it| it.stands()).collect();
    findings.sort_by_key(|it| Reverse(it.severity));
    let mut seen = HashMap::new();
    let issues = findings.into_iter().map(|it| issue(it, places, &mut seen)).collect::<Vec<_>>();
    format!("{:#}\n", Value::Array(issues))
}

fn issue(finding: &Finding, places: &Places, seen: &mut HashMap<String, usize>) -> Value {
    let path = places.shown(&finding.file);
    let help = finding.help.as_deref().map(|it| format!("; {it}")).unwrap_or_default();
    // One line: GitLab shows it in a list.
    let description = clean(&format!("{}{help}", finding.message)).replace(['\n', '\t'], " ");
    json!({
        "type": "issue",
        "check_name": clean(&finding.rule),
        "description": description,
        "categories": [category(finding.kind)],
        "severity": severity(finding),
        "fingerprint": fingerprint(finding, &path, seen),
        "location": {
            "path": clean(&path).replace('\n', " "),
            "lines": { "begin": finding.line.max(1), "end": finding.end_line.max(finding.line).max(1) },
        },
    })
}

/// `info`, `minor`, `major`, `critical` or `blocker`.
fn severity(finding: &Finding) -> &'static str {
    match (finding.severity, finding.kind) {
        (Severity::Error, Harm::Loses) => "blocker",
        (Severity::Error, _) => "critical",
        (Severity::Warning, _) => "major",
        (Severity::Notice, _) => "info",
    }
}

/// The categories of the Code Climate specification, which the form comes from.
fn category(kind: Harm) -> &'static str {
    match kind {
        Harm::Loses | Harm::Fails => "Bug Risk",
        Harm::Blocks => "Performance",
        Harm::Breaks => "Compatibility",
        Harm::Exposes => "Security",
        Harm::Unread => "Clarity",
        Harm::Convention => "Style",
    }
}

/// Of the statement, the file, and how many like it came before: it stays when lines move, and no two are the same.
fn fingerprint(finding: &Finding, path: &str, seen: &mut HashMap<String, usize>) -> String {
    let mut hasher = Sha256::new();
    for part in [&*finding.rule, &finding.fingerprint, path] {
        hasher.update(part);
        hasher.update([0]);
    }
    let print = HEXLOWER.encode(&hasher.finalize()[..16]);
    let count = seen.entry(print.clone()).or_default();
    *count += 1;
    match *count {
        1 => print,
        again => format!("{print}-{again}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use camino::Utf8Path;
    use serde_json::Value;

    use super::{
        super::{
            Finding, Harm, Severity,
            place::Places,
            tests::{finding, validation},
        },
        render,
    };

    fn issues(findings: Vec<Finding>) -> Vec<Value> {
        let places = Places { here: "/repo/app".into(), root: "/repo".into() };
        serde_json::from_str(&render(&validation(findings), &places)).unwrap()
    }

    #[test]
    fn each_finding_that_stands_is_an_issue_worst_first() {
        let waived = Finding { waived: Some("it is empty".to_owned()), ..finding("drop-table") };
        let known = Finding { baselined: true, ..finding("drop-table") };
        let notice = Finding { severity: Severity::Notice, line: 0, end_line: 0, ..finding("a") };
        let warning = Finding { severity: Severity::Warning, kind: Harm::Blocks, ..finding("b") };
        let error = Finding {
            kind: Harm::Fails,
            file: Utf8Path::new("a|b\n::error::x.sql").into(),
            message: "two\nlines".to_owned(),
            ..finding("c")
        };
        let found = issues(vec![waived, known, notice, warning, error, finding("drop-table")]);
        let shown = |pointer: &str| {
            found.iter().map(|it| it.pointer(pointer).map(ToString::to_string).unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(shown("/check_name"), ["\"c\"", "\"drop-table\"", "\"b\"", "\"a\""]);
        assert_eq!(shown("/severity"), ["\"critical\"", "\"blocker\"", "\"major\"", "\"info\""]);
        assert_eq!(shown("/location/lines/begin"), ["3", "3", "3", "1"]);
        assert_eq!(shown("/location/path")[..2], ["\"app/a|b ::error::x.sql\"", "\"app/db/0002_b.sql\""]);
        assert_eq!(shown("/description")[0], "\"two lines; keep it\"");
    }

    #[test]
    fn no_two_issues_have_the_same_fingerprint() {
        let elsewhere = Finding { file: Utf8Path::new("x.sql").into(), ..finding("a") };
        let found = issues(vec![finding("a"), finding("a"), finding("b"), elsewhere, finding("a")]);
        let prints = found.iter().map(|it| it["fingerprint"].as_str().unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(prints.len(), found.len(), "{prints:?}");
    }
}
