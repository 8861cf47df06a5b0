//! Findings as SARIF 2.1.0, for code scanning.
//!
//! The standard: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>. What GitHub makes of it:
//! <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support>.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Finding, Report, Severity, clean::clean, escape::address, place::Places};

/// GitHub refuses a run with more.
const MOST: usize = 25_000;

/// A rule as code scanning shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    pub name: String,
    /// One sentence.
    pub title: String,
    /// What it is about, and why; Markdown of ours.
    pub help: String,
    /// How severe it is where it is not said otherwise.
    pub severity: Severity,
    /// `Loses data`.
    pub harm: &'static str,
    /// The page about it.
    pub address: String,
}

/// One run with all findings, waived ones suppressed; worst first, where there are too many.
pub fn render(report: &Report, places: &Places, rules: &[RuleText], version: &str) -> String {
    let found = report.validation().map(|it| it.findings.as_slice()).unwrap_or_default();
    let mut findings: Vec<&Finding> = found.iter().collect();
    findings.sort_by_key(|it| (!it.stands(), std::cmp::Reverse(it.severity)));
    let left_out = findings.len().saturating_sub(MOST);
    findings.truncate(MOST);
    let index: HashMap<&str, usize> = rules.iter().enumerate().map(|(at, it)| (it.name.as_str(), at)).collect();
    let mut seen = HashMap::new();
    let results = findings.iter().map(|it| result(it, places, &index, &mut seen)).collect::<Vec<_>>();
    let mut notifications = Vec::new();
    if left_out > 0 {
        notifications.push(notification("warning", &format!("{left_out} more findings are left out")));
    }
    if let Some(error) = report.error() {
        notifications.push(notification("error", &error.message));
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "liftlock",
                "version": version,
                "semanticVersion": version,
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "the root of the repository" } } },
            "invocations": [{
                "executionSuccessful": report.error().is_none(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn notification(level: &str, text: &str) -> Value {
    json!({ "level": level, "message": { "text": plain(text) } })
}

fn rule(rule: &RuleText) -> Value {
    json!({
        "id": rule.name,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.title },
        "help": { "text": rule.help, "markdown": rule.help },
        "helpUri": rule.address,
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": ["migration", rule.harm] },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    }
}

fn result(
    finding: &Finding,
    places: &Places,
    rules: &HashMap<&str, usize>,
    seen: &mut HashMap<String, usize>,
) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(clean(&finding.rule)));
    if let Some(index) = rules.get(&*finding.rule) {
        result.insert("ruleIndex".to_owned(), json!(index));
    }
    result.insert("level".to_owned(), json!(level(finding.severity)));
    let help = finding.help.as_deref().map(|it| format!("\n{it}")).unwrap_or_default();
    result.insert("message".to_owned(), json!({ "text": plain(&format!("{}{help}", finding.message)) }));
    let location = json!({ "artifactLocation": artifact(finding, places), "region": region(finding) });
    result.insert("locations".to_owned(), json!([{ "physicalLocation": location }]));
    if !finding.fingerprint.is_empty() && finding.fingerprint.bytes().all(|it| it.is_ascii_hexdigit()) {
        let count = seen.entry(format!("{} {}", finding.file, finding.fingerprint)).or_default();
        *count += 1;
        let print = format!("{}:{count}", finding.fingerprint);
        // The first is the one that GitHub follows a finding by.
        let prints = json!({ "primaryLocationLineHash": print, "liftlockStatement/v1": print });
        result.insert("partialFingerprints".to_owned(), prints);
    }
    // An empty list says that it is known not to be suppressed.
    let in_source = finding.waived.iter().map(|it| json!({ "kind": "inSource", "justification": plain(it) }));
    let known = finding.baselined.then(|| json!({ "kind": "external", "justification": "known from the baseline" }));
    result.insert("suppressions".to_owned(), Value::Array(in_source.chain(known).collect()));
    Value::Object(result)
}

fn artifact(finding: &Finding, places: &Places) -> Value {
    match places.below_root(&finding.file) {
        Some(file) => json!({ "uri": address(&file), "uriBaseId": "%SRCROOT%" }),
        None if finding.file.is_absolute() => json!({ "uri": format!("file://{}", address(finding.file.as_str())) }),
        None => json!({ "uri": address(finding.file.as_str()) }),
    }
}

/// The end is exclusive here as there.
fn region(finding: &Finding) -> Value {
    let (line, column) = (finding.line.max(1), finding.utf16.start.max(1));
    let end_line = finding.end_line.max(line);
    let least = if end_line == line { column } else { 1 };
    json!({
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": finding.utf16.end.max(least),
    })
}

/// `[text](target)` in a message would be a link (§3.11.6).
fn plain(text: &str) -> String {
    clean(text).replace("](", "]\u{200B}(")
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use serde_json::Value;

    use super::{
        super::{
            Columns, Finding, Severity,
            place::Places,
            tests::{finding, validation},
        },
        RuleText, render,
    };

    fn log(findings: Vec<Finding>) -> Value {
        let rule = RuleText {
            name: "drop-table".to_owned(),
            title: "Dropping a table loses its rows.".to_owned(),
            help: "Why.".to_owned(),
            severity: Severity::Error,
            harm: "Loses data",
            address: "https://example.com/drop_table".to_owned(),
        };
        let places = Places { here: "/repo".into(), root: "/repo".into() };
        serde_json::from_str(&render(&validation(findings), &places, &[rule], "0.1.0")).unwrap()
    }

    #[test]
    fn each_finding_is_a_result() {
        let odd = Finding {
            file: Utf8Path::new("db/a b#é.sql").into(),
            line: 0,
            end_line: 0,
            utf16: Columns { start: 9, end: 2 },
            message: "see [this](https://x)".to_owned(),
            waived: Some("it is empty".to_owned()),
            fingerprint: "</script>".to_owned(),
            severity: Severity::Notice,
            ..finding("gone-rule")
        };
        let known = Finding { baselined: true, file: Utf8Path::new("db/0001.sql").into(), ..finding("drop-table") };
        let outside = Finding { file: Utf8Path::new("/elsewhere/x.sql").into(), ..finding("drop-table") };
        let log = log(vec![odd, finding("drop-table"), outside, finding("drop-table"), known]);
        for (pointer, expected) in [
            ("/version", "\"2.1.0\""),
            ("/runs/0/columnKind", "\"utf16CodeUnits\""),
            ("/runs/0/tool/driver/rules/0/help/text", "\"Why.\""),
            ("/runs/0/results/0/ruleIndex", "0"),
            ("/runs/0/results/0/level", "\"error\""),
            ("/runs/0/results/0/message/text", "\"it loses data\\nkeep it\""),
            ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", "\"db/0002_b.sql\""),
            ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uriBaseId", "\"%SRCROOT%\""),
            ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", "3"),
            ("/runs/0/results/0/partialFingerprints/primaryLocationLineHash", "\"00:1\""),
            ("/runs/0/results/1/locations/0/physicalLocation/artifactLocation/uri", "\"file:///elsewhere/x.sql\""),
            ("/runs/0/results/2/partialFingerprints/primaryLocationLineHash", "\"00:2\""),
            ("/runs/0/results/2/suppressions", "[]"),
            ("/runs/0/tool/driver/rules/0/helpUri", "\"https://example.com/drop_table\""),
            ("/runs/0/results/3/suppressions/0/kind", "\"external\""),
            ("/runs/0/results/4/level", "\"note\""),
            ("/runs/0/results/4/message/text", "\"see [this]\u{200B}(https://x)\\nkeep it\""),
            ("/runs/0/results/4/locations/0/physicalLocation/artifactLocation/uri", "\"db/a%20b%23%C3%A9.sql\""),
            ("/runs/0/results/4/locations/0/physicalLocation/region/startLine", "1"),
            ("/runs/0/results/4/locations/0/physicalLocation/region/endColumn", "9"),
            ("/runs/0/results/4/suppressions/0/justification", "\"it is empty\""),
        ] {
            let found = log.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
            assert_eq!(found.to_string(), expected, "{pointer}");
        }
        assert_eq!(log.pointer("/runs/0/results/4/ruleIndex"), None);
        assert_eq!(log.pointer("/runs/0/results/4/partialFingerprints"), None);
    }

    #[test]
    fn no_more_than_25_000_results_are_written_and_the_rest_is_told() {
        let mut findings = vec![finding("drop-table"); 25_001];
        findings[0].severity = Severity::Notice;
        let log = log(findings);
        let results = log.pointer("/runs/0/results").unwrap().as_array().unwrap();
        assert_eq!(results.len(), 25_000);
        assert!(results.iter().all(|it| it["level"] == "error"), "the least important is left out");
        let told = log.pointer("/runs/0/invocations/0/toolExecutionNotifications/0/message/text").unwrap();
        assert_eq!(told, "1 more findings are left out");
    }
}
