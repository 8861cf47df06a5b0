//! Reports as JSON, version 1: for programs. Fields are added, never renamed or removed, within a version.

use std::{borrow::Cow, collections::BTreeMap, io, sync::Arc};

use camino::Utf8Path;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{Columns, Explanation, Finding, Fix, LayoutView, NextStep, Report, Section, Validation};
use crate::sql::Span;

/// The version of everything in this file.
pub(super) const VERSION: u32 = 1;

/// A finding as programs read it.
///
/// Spelt out rather than derived from [`Finding`], so that a change there cannot change the format. In alphabetical
/// order, as all keys of the report are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FindingV1<'a> {
    #[serde(default)]
    baselined: bool,
    column: usize,
    /// The columns in UTF-16 code units.
    #[serde(default)]
    column_utf16: usize,
    end_column: usize,
    #[serde(default)]
    end_column_utf16: usize,
    end_line: usize,
    /// What servers were measured to do with such a statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Cow<'a, str>>,
    file: Cow<'a, str>,
    #[serde(default)]
    fingerprint: Cow<'a, str>,
    /// The safe way to the same end, where it can be written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fix: Option<Cow<'a, Fix>>,
    help: Option<Cow<'a, str>>,
    kind: super::Harm,
    line: usize,
    message: Cow<'a, str>,
    /// Why it is waived.
    reason: Option<Cow<'a, str>>,
    rule: Cow<'a, str>,
    severity: super::Severity,
    waived: bool,
}

/// A layout as programs read it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LayoutV1 {
    folder: String,
    tool: String,
    title: String,
    found_by: String,
    transactions: String,
    transactions_said: String,
    left_out: Vec<String>,
    notes: Vec<String>,
}

impl LayoutV1 {
    fn of(layout: &LayoutView) -> Self {
        let LayoutView { folder, tool, title, by, transactions, said, left_out, notes } = layout.clone();
        Self { folder, tool, title, found_by: by, transactions, transactions_said: said, left_out, notes }
    }

    pub(super) fn into_layout(self) -> LayoutView {
        let Self { folder, tool, title, found_by, transactions, transactions_said, left_out, notes } = self;
        LayoutView { folder, tool, title, by: found_by, transactions, said: transactions_said, left_out, notes }
    }
}

/// The report as one JSON object and a line feed; raw data (a schema) is passed through.
pub fn render(report: &Report) -> String {
    let mut text = Vec::new();
    write(report, &mut text).expect("a JSON value always has a text, and memory takes it");
    String::from_utf8(text).expect("JSON is written as UTF-8")
}

/// The same, as it is made: findings may be very many.
///
/// # Errors
/// Only those of the writer.
pub fn write(report: &Report, to: &mut impl io::Write) -> io::Result<()> {
    if let [Section::Raw(raw)] = report.sections.as_slice() {
        return to.write_all(raw.as_bytes());
    }
    let mut object = Object::new();
    object.insert("version".to_owned(), json!(VERSION).into());
    object.insert("command".to_owned(), json!(report.command).into());
    object.insert("verdict".to_owned(), json!(report.verdict).into());
    for section in &report.sections {
        add(&mut object, section);
    }
    if !report.next.is_empty() {
        object.insert("next".to_owned(), value(&report.next.iter().collect::<Vec<&NextStep>>()).into());
    }
    serde_json::to_writer_pretty(&mut *to, &object)?;
    to.write_all(b"\n")
}

/// By name, in alphabetical order.
type Object<'a> = BTreeMap<String, Field<'a>>;

/// A field's value. Findings may be very many: they are written as they are, without a tree of values in between.
enum Field<'a> {
    Value(Value),
    Findings(&'a [Finding]),
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Findings(findings) => serializer.collect_seq(findings.iter().map(of_finding)),
        }
    }
}

impl From<Value> for Field<'_> {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

fn add<'a>(object: &mut Object<'a>, section: &'a Section) {
    let (name, value) = match section {
        Section::Validation(validation) => return add_validation(object, validation),
        Section::Plan(plan) => ("plan", value(plan)),
        Section::Promotion(promotion) => ("promotion", value(promotion)),
        Section::Status(status) => ("status", value(status)),
        Section::Backups(backups) => ("backups", value(backups)),
        Section::Audit(audit) => ("audit", value(audit)),
        Section::Sync(sync) => ("sync", value(sync)),
        Section::Checks(checks) => ("checks", value(checks)),
        Section::Rules(rules) => ("rules", value(rules)),
        Section::Error(error) => ("error", value(error)),
        Section::Text { title, body } => {
            let texts = object.entry("texts".to_owned()).or_insert_with(|| json!([]).into());
            if let Field::Value(Value::Array(texts)) = texts {
                texts.push(json!({ "title": title, "body": body }));
            }
            return;
        }
        Section::Raw(raw) => ("raw", json!(raw)),
    };
    object.insert(name.to_owned(), value.into());
}

fn add_validation<'a>(object: &mut Object<'a>, validation: &'a Validation) {
    object.insert("profile".to_owned(), json!(validation.profile).into());
    object.insert("files".to_owned(), json!(validation.files).into());
    object.insert("statements".to_owned(), json!(validation.statements).into());
    object.insert("unread".to_owned(), json!(validation.unread).into());
    object.insert("unread_kinds".to_owned(), json!(validation.unread_kinds).into());
    let waived = validation.findings.iter().filter(|it| it.waived.is_some()).count();
    object.insert("waived".to_owned(), json!(waived).into());
    if !validation.layouts.is_empty() {
        object.insert(
            "layouts".to_owned(),
            value(&validation.layouts.iter().map(LayoutV1::of).collect::<Vec<_>>()).into(),
        );
    }
    object.insert("findings".to_owned(), Field::Findings(&validation.findings));
    if !validation.explanations.is_empty() {
        let explanations = validation.explanations.iter().map(of_explanation);
        object.insert("explanations".to_owned(), explanations.collect::<Value>().into());
    }
}

fn value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("report types hold nothing that JSON cannot")
}

fn of_finding(finding: &Finding) -> FindingV1<'_> {
    FindingV1 {
        rule: Cow::from(&*finding.rule),
        kind: finding.kind,
        severity: finding.severity,
        file: Cow::from(finding.file.as_str()),
        line: finding.line,
        column: finding.column,
        end_line: finding.end_line,
        end_column: finding.end_column,
        message: Cow::from(&finding.message),
        help: finding.help.as_deref().map(Cow::from),
        waived: finding.waived.is_some(),
        reason: finding.waived.as_deref().map(Cow::from),
        baselined: finding.baselined,
        column_utf16: finding.utf16.start,
        end_column_utf16: finding.utf16.end,
        fingerprint: Cow::from(&finding.fingerprint),
        fix: finding.fix.as_deref().map(Cow::Borrowed),
        evidence: finding.evidence.as_deref().map(Cow::from),
    }
}

/// Only with `--explain`.
fn of_explanation(explanation: &Explanation) -> Value {
    json!({
        "rule": explanation.rule,
        "file": explanation.file,
        "line": explanation.line,
        "column": explanation.column,
        "reason": explanation.reason,
    })
}

impl FindingV1<'_> {
    /// Back from the form for programs; what older writers left out is taken from what they wrote.
    pub(super) fn into_finding(self) -> Finding {
        let utf16 = |given: usize, characters: usize| if given == 0 { characters } else { given };
        Finding {
            rule: self.rule.into_owned().into(),
            kind: self.kind,
            severity: self.severity,
            file: Utf8Path::new(&*self.file).into(),
            line: self.line,
            column: self.column,
            end_line: self.end_line,
            end_column: self.end_column,
            message: self.message.into_owned(),
            help: self.help.as_deref().map(Arc::from),
            baselined: self.baselined,
            waived: self.waived.then(|| self.reason.map(Cow::into_owned).unwrap_or_default()),
            utf16: Columns {
                start: utf16(self.column_utf16, self.column),
                end: utf16(self.end_column_utf16, self.end_column),
            },
            fingerprint: self.fingerprint.into_owned(),
            fix: self.fix.map(|it| Box::new(it.into_owned())),
            evidence: self.evidence.as_deref().map(Arc::from),
            form: None,
            span: Span::default(),
        }
    }
}
