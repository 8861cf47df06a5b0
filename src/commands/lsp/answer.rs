//! What was found, as the protocol has it.

use std::collections::HashSet;

use serde_json::{Value, json};
use url::Url;

use super::{
    judge::Judged,
    position::{offset, range},
};
use crate::{
    commands::formats,
    lint::{Waivable, fixes::amend, rules},
    report::{Finding, Severity, markdown::escaped},
    sql::scan,
};

/// What the editor can do.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// It makes files when an edit says so.
    pub creates: bool,
    /// It tells of files that change outside of it.
    pub watches: bool,
}

impl Client {
    pub fn of(asked: &Value) -> Self {
        let flag = |pointer: &str| asked.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let edits = "/capabilities/workspace/workspaceEdit";
        let kinds = asked.pointer(&format!("{edits}/resourceOperations")).and_then(Value::as_array);
        let creates = kinds.is_some_and(|it| it.iter().any(|kind| kind == "create"));
        Self {
            creates: creates && flag(&format!("{edits}/documentChanges")),
            watches: flag("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
        }
    }
}

/// One for each finding; trouble stands on the first line.
pub fn diagnostics(judged: &Judged) -> Vec<Value> {
    let trouble = judged
        .trouble
        .iter()
        .map(|message| json!({ "range": range("", 0, 0), "severity": 2, "source": "liftlock", "message": message }));
    trouble.chain(judged.findings.iter().map(|it| diagnostic(judged, it))).collect()
}

fn diagnostic(judged: &Judged, finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Notice => 3,
    };
    let help = finding.help.as_deref().map(|it| format!("\n{it}")).unwrap_or_default();
    let mut diagnostic = json!({
        "range": place(judged, finding),
        "severity": severity,
        "code": finding.rule,
        "source": "liftlock",
        "message": format!("{}{help}", finding.message),
    });
    if let Some(rule) = rules::find(&finding.rule) {
        diagnostic["codeDescription"] = json!({ "href": formats::address(rule) });
    }
    diagnostic
}

fn place(judged: &Judged, finding: &Finding) -> Value {
    range(&judged.text, finding.span.start, finding.span.end)
}

/// Why: the findings under the cursor with their rules' reasons, and what is safe on its line.
pub fn hover(judged: &Judged, params: &Value) -> Option<Value> {
    let at = offset(&judged.text, &params["position"]);
    let line = judged.text[..at].matches('\n').count() + 1;
    let under = judged.findings.iter().filter(|it| it.span.start <= at && at <= it.span.end);
    let found = under.map(|it| {
        let help = it.help.as_deref().map(|it| format!("\n\n{}", escaped(it))).unwrap_or_default();
        let page = rules::find(&it.rule).map(formats::page).unwrap_or_default();
        format!("**{}**{help}\n\n---\n\n`{}`: {page}", escaped(&it.message), it.rule)
    });
    let safe = judged.explanations.iter().filter(|it| it.line == line);
    let safe = safe.map(|it| format!("safe: {} (`{}`)", escaped(&it.reason), it.rule));
    let parts = found.chain(safe).collect::<Vec<_>>();
    (!parts.is_empty()).then(|| json!({ "contents": { "kind": "markdown", "value": parts.join("\n\n") } }))
}

/// The safe form, where it can be written; and the comment that waives, for its reason to be typed.
pub fn actions(judged: &Judged, uri: &str, version: Option<i64>, params: &Value, client: Client) -> Vec<Value> {
    let (start, end) = (offset(&judged.text, &params["range"]["start"]), offset(&judged.text, &params["range"]["end"]));
    let here = judged.findings.iter().filter(|it| it.span.start <= end && start <= it.span.end);
    here.flat_map(|finding| {
        let action = |title: String, edit: Value| {
            let diagnostics = [diagnostic(judged, finding)];
            json!({ "title": title, "kind": "quickfix", "diagnostics": diagnostics, "edit": edit })
        };
        let mended = mended(judged, finding, uri, version, client);
        let mended = mended.map(|(title, edit)| {
            let mut action = action(title, edit);
            action["isPreferred"] = json!(true);
            action
        });
        let allowed = allowed(judged, finding, uri, version, client);
        let allowed = allowed.map(|edit| action(format!("Allow {} with a reason", finding.rule), edit));
        mended.into_iter().chain(allowed).collect::<Vec<_>>()
    })
    .collect()
}

/// The instruction, and the edit of this document and the files behind it.
fn mended(
    judged: &Judged,
    finding: &Finding,
    uri: &str,
    version: Option<i64>,
    client: Client,
) -> Option<(String, Value)> {
    let fix = finding.fix.as_ref()?;
    let layout = (judged.layout, judged.beside);
    let mut files = judged.files.to_vec();
    let own = files.iter_mut().find(|it| Some(&it.id) == judged.id.as_ref())?;
    own.text.clone_from(&judged.text);
    let amended = amend::amend(&files, judged.id.as_ref()?, &HashSet::new(), layout, fix).ok()?;
    let companions = amended.beside.iter().map(|it| (judged.root.join(&it.id), it.text.as_str()));
    let files = amended.added.iter().map(|it| (it.path.clone(), it.text.as_str())).chain(companions);
    let added = files.map(|(path, text)| {
        let uri = Url::from_file_path(path).ok()?;
        Some((uri.to_string(), text))
    });
    let added = added.collect::<Option<Vec<_>>>()?;
    if !added.is_empty() && !client.creates {
        return None;
    }
    let mut title = fix.title.clone();
    if let Some(first) = title.get(..1) {
        title = format!("{}{}", first.to_uppercase(), &title[1..]);
    }
    Some((title, edit(&judged.text, &amended.text, uri, version, &added, client)))
}

/// Above the statement; its reason is for the author to type, and until then a finding says that it is missing.
fn allowed(judged: &Judged, finding: &Finding, uri: &str, version: Option<i64>, client: Client) -> Option<Value> {
    let rule = rules::find(&finding.rule).filter(|it| it.waivable != Waivable::Never)?;
    let text = &judged.text;
    let pieces = scan::scan(text).pieces;
    let piece = pieces.iter().find(|it| it.span.start <= finding.span.start && finding.span.start < it.span.end);
    let start = piece.and_then(|it| it.tokens.first()).map_or(finding.span.start, |it| it.span.start);
    let line = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[line..start].chars().take_while(|it| it.is_whitespace()).collect();
    // A statement that begins behind another one on its line gets a line of its own.
    let (at, before) = if text[line..start].trim().is_empty() { (line, "") } else { (start, "\n") };
    let comment = format!("{before}{indent}-- liftlock: allow {} because \n", rule.name);
    let amended = format!("{}{comment}{}", &text[..at], &text[at..]);
    Some(edit(text, &amended, uri, version, &[], client))
}

/// From one text to another by its smallest change, and new files.
fn edit(before: &str, after: &str, uri: &str, version: Option<i64>, added: &[(String, &str)], client: Client) -> Value {
    let same = |(left, right): &(char, char)| left == right;
    let start: usize = before.chars().zip(after.chars()).take_while(same).map(|(it, _)| it.len_utf8()).sum();
    let ends = before[start..].chars().rev().zip(after[start..].chars().rev());
    let end: usize = ends.take_while(same).map(|(it, _)| it.len_utf8()).sum();
    let new = &after[start..after.len() - end];
    let change = json!({ "range": range(before, start, before.len() - end), "newText": new });
    if !client.creates {
        return json!({ "changes": { uri: [change] } });
    }
    let mut changes = Vec::new();
    for (uri, _) in added {
        changes.push(json!({ "kind": "create", "uri": uri, "options": { "ignoreIfExists": false } }));
    }
    for (uri, text) in added {
        let change = json!({ "range": range("", 0, 0), "newText": text });
        changes.push(json!({ "textDocument": { "uri": uri, "version": null }, "edits": [change] }));
    }
    changes.push(json!({ "textDocument": { "uri": uri, "version": version }, "edits": [change] }));
    json!({ "documentChanges": changes })
}
