//! The baseline: findings of an old project that are known, so that only new ones count.
//!
//! A finding is known by its rule and its statement without values and comments, in its file, so many times. Lines
//! may move; a file that was renamed is found again. One line of the file for each, sorted, so that changes read
//! well and merge well.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use miette::Diagnostic;
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

use super::rules;
use crate::{
    exit::Exit,
    report::{Finding, Severity, Validation},
};

/// The version of the file.
const VERSION: u64 = 1;

/// Why a file is no baseline.
#[derive(Debug, Error, Diagnostic)]
pub enum BaselineError {
    #[error("it is not JSON (line {line}, column {column})")]
    #[diagnostic(
        code(baseline::not_json),
        help("after a merge conflict keep the lines of both sides; or remove it, and `liftlock baseline write` anew")
    )]
    NotJson { line: usize, column: usize },
    #[error("it is of version {found}, and this liftlock reads version {VERSION}")]
    #[diagnostic(code(baseline::version), help("use the liftlock that wrote it, or `liftlock baseline write`"))]
    Version { found: u64 },
}

impl BaselineError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotJson { .. } | Self::Version { .. } => Exit::Usage,
        }
    }
}

/// What is known: how many findings of a file, a rule and a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    pub known: BTreeMap<Known, usize>,
}

/// What a finding is known by. Orders as the file does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Below the baseline's folder, `/` between its parts.
    pub file: String,
    pub rule: String,
    /// The finding's fingerprint.
    pub statement: String,
}

/// Files by their names in the baseline.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// That were looked at, as history or judged.
    pub all: BTreeSet<String>,
    pub judged: BTreeSet<String>,
    /// Of those that the baseline names: no longer there, so that nothing is found in them, whatever was judged.
    pub gone: BTreeSet<String>,
}

/// As the file holds it.
#[derive(Deserialize)]
struct Written {
    version: u64,
    #[serde(default)]
    findings: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    file: String,
    rule: String,
    statement: String,
    count: usize,
}

impl Baseline {
    /// Reads what [`Baseline::written`] wrote.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        let written: Written = serde_json::from_str(text)
            .map_err(|error| BaselineError::NotJson { line: error.line(), column: error.column() })?;
        if written.version != VERSION {
            return Err(BaselineError::Version { found: written.version });
        }
        let mut known = BTreeMap::new();
        for Line { file, rule, statement, count } in written.findings {
            *known.entry(Known { file, rule, statement }).or_insert(0_usize) += count;
        }
        Ok(Self { known })
    }

    /// The files that it names.
    pub fn files(&self) -> BTreeSet<&str> {
        self.known.keys().map(|it| it.file.as_str()).collect()
    }

    /// The file's text: the same for the same findings, whoever writes it.
    pub fn written(&self) -> String {
        let lines = self.known.iter().map(|(known, count)| {
            let Known { file, rule, statement } = known;
            format!("    {}", json!({ "file": file, "rule": rule, "statement": statement, "count": count }))
        });
        let lines = lines.collect::<Vec<_>>().join(",\n");
        let lines = if lines.is_empty() { String::new() } else { format!("\n{lines}\n  ") };
        format!("{{\n  \"version\": {VERSION},\n  \"findings\": [{lines}]\n}}\n")
    }

    /// What stands today. Of files that were not judged, and are still there, it keeps what was known.
    pub fn renewed(&self, findings: &[Finding], seen: &Seen, name: &dyn Fn(&Finding) -> String) -> Self {
        let kept = self.known.iter().filter(|(it, _)| seen.all.contains(&it.file) && !seen.judged.contains(&it.file));
        let mut known: BTreeMap<Known, usize> = kept.map(|(known, count)| (known.clone(), *count)).collect();
        for finding in findings.iter().filter(|it| it.waived.is_none()) {
            *known.entry(of_finding(finding, name(finding))).or_default() += 1;
        }
        Self { known }
    }

    /// Marks the findings that are known. What is known and occurs no more is returned.
    pub fn mark(
        &self,
        validation: &mut Validation,
        seen: &Seen,
        name: &dyn Fn(&Finding) -> String,
    ) -> BTreeMap<Known, usize> {
        let mut left = self.known.clone();
        for finding in validation.findings.iter_mut().filter(|it| it.stands()) {
            finding.baselined = take(&mut left, &of_finding(finding, name(finding)));
        }
        // Files that are gone may have been renamed.
        let moved = |it: &Known, finding: &Finding| {
            !seen.all.contains(&it.file) && it.rule == finding.rule && it.statement == finding.fingerprint
        };
        for finding in validation.findings.iter_mut().filter(|it| it.stands()) {
            let known = left.iter().find(|(it, count)| **count > 0 && moved(it, finding)).map(|(it, _)| it.clone());
            finding.baselined = known.is_some_and(|it| take(&mut left, &it));
        }
        let whole = seen.judged.len() == seen.all.len();
        left.retain(|it, count| {
            let missing = seen.gone.contains(&it.file) || whole && !seen.all.contains(&it.file);
            *count > 0 && (seen.judged.contains(&it.file) || missing)
        });
        left
    }
}

/// One finding for all that the baseline holds and nobody finds any more; `None` as severity: the rule is off.
pub fn stale(path: &Utf8Path, gone: &BTreeMap<Known, usize>, severity: Option<Severity>) -> Option<Finding> {
    let severity = severity?;
    let count: usize = gone.values().sum();
    let (first, _) = gone.first_key_value()?;
    let (entries, occur) = if count == 1 { ("entry", "occurs") } else { ("entries", "occur") };
    Some(Finding {
        rule: rules::STALE_BASELINE.name.into(),
        kind: rules::STALE_BASELINE.harm,
        severity,
        file: path.into(),
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
        message: format!("{count} {entries} no longer {occur}, such as `{}` in `{}`", first.rule, first.file),
        help: Some("`liftlock baseline write` removes what is gone".into()),
        waived: None,
        baselined: false,
        utf16: crate::report::Columns { start: 1, end: 1 },
        fingerprint: String::new(),
        fix: None,
        evidence: None,
        form: None,
        span: crate::sql::Span::default(),
    })
}

fn of_finding(finding: &Finding, file: String) -> Known {
    Known { file, rule: finding.rule.to_string(), statement: finding.fingerprint.clone() }
}

fn take(left: &mut BTreeMap<Known, usize>, known: &Known) -> bool {
    match left.get_mut(known) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Baseline, Seen};
    use crate::{
        config::ProfileName,
        lint::{Request, lint},
        migration::{self, MigrationId, SourceFile},
        report::{Finding, Validation},
    };

    fn judge(files: &[(&str, &str)]) -> (Validation, Seen) {
        let read = |(name, text): &(&str, &str)| {
            let id = MigrationId((*name).to_owned());
            migration::read(SourceFile { path: (*name).into(), id, text: (*text).to_owned() })
        };
        let judged = files.iter().map(read).collect::<Vec<_>>();
        let mut validation = lint(&Request { judged: &judged, ..Request::of(ProfileName::Production) });
        validation.findings.retain(|it| it.rule == "drop-table");
        let names: BTreeSet<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        (validation, Seen { all: names.clone(), judged: names, ..Seen::default() })
    }

    fn name(finding: &Finding) -> String {
        finding.file.to_string()
    }

    #[test]
    fn only_what_is_new_counts_and_what_is_gone_is_told() {
        let old: &[(&str, &str)] = &[("1_a.sql", "drop table a; drop table a;"), ("2_b.sql", "drop table b;")];
        for (now, new, gone) in [
            (old, 0, 0),
            (&[("1_a.sql", "-- moved\n\nDROP TABLE a;\ndrop table a;"), ("2_b.sql", "drop table b;")][..], 0, 0),
            // Renamed.
            (&[("1_z.sql", "drop table a; drop table a;"), ("2_b.sql", "drop table b;")], 0, 0),
            // Once more, elsewhere, and another.
            (&[("1_a.sql", "drop table a; drop table a; drop table a;"), ("2_b.sql", "drop table b;")], 1, 0),
            (&[old[0], old[1], ("3_c.sql", "drop table a;")], 1, 0),
            (&[old[0], old[1], ("3_c.sql", "drop table c;")], 1, 0),
            (&[("1_a.sql", "drop table a;"), ("2_b.sql", "drop table b;")], 0, 1),
            (&[("2_b.sql", "drop table b;")], 0, 2),
            (&[], 0, 3),
        ] {
            let (before, seen) = judge(old);
            let baseline = Baseline::default().renewed(&before.findings, &seen, &name);
            let baseline = Baseline::read(&baseline.written()).unwrap();
            let (mut validation, seen) = judge(now);
            let left = baseline.mark(&mut validation, &seen, &name);
            let stands = validation.findings.iter().filter(|it| it.stands()).count();
            assert_eq!((stands, left.values().sum::<usize>()), (new, gone), "{now:?}: {left:?}");
        }
    }

    #[test]
    fn a_file_that_is_judged_alone_takes_nothing_from_the_others() {
        let (before, seen) = judge(&[("1_a.sql", "drop table a;")]);
        let baseline = Baseline::default().renewed(&before.findings, &seen, &name);
        let (mut validation, mut seen) = judge(&[("2_b.sql", "drop table a;")]);
        seen.all.insert("1_a.sql".to_owned());
        assert!(baseline.mark(&mut validation, &seen, &name).is_empty());
        assert!(validation.findings[0].stands());
        // Not when it is there no more.
        seen.gone.insert("1_a.sql".to_owned());
        assert_eq!(baseline.mark(&mut validation, &seen, &name).len(), 1);
        // Written anew for that file alone, the baseline keeps the others.
        let renewed = baseline.renewed(&validation.findings, &seen, &name);
        assert_eq!(renewed.known.keys().map(|it| it.file.as_str()).collect::<Vec<_>>(), ["1_a.sql", "2_b.sql"]);
    }

    #[test]
    fn the_file_has_one_line_for_each_in_order_and_says_what_it_is() {
        let (before, seen) = judge(&[("2_b.sql", "drop table b;"), ("1_\"a\n.sql", "drop table a; drop table a;")]);
        let written = Baseline::default().renewed(&before.findings, &seen, &name).written();
        let lines = written.lines().collect::<Vec<_>>();
        assert_eq!(lines.len(), 7, "{written}");
        assert!(lines[3].contains(r#""count":2,"file":"1_\"a\n.sql""#) && lines[3].ends_with("},"), "{written}");
        assert!(lines[4].contains("2_b.sql") && lines[4].ends_with('}'), "{written}");
        assert_eq!(Baseline::default().written(), "{\n  \"version\": 1,\n  \"findings\": []\n}\n");
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        for (text, expected) in [
            ("", "not JSON (line 1, column 0)"),
            ("<<<<<<< ours", "not JSON (line 1, column 1)"),
            ("[]", "not JSON"),
            (r#"{"version":2,"findings":[]}"#, "of version 2"),
            (r#"{"version":1,"findings":[{"file":"a"}]}"#, "not JSON"),
        ] {
            assert!(Baseline::read(text).unwrap_err().to_string().contains(expected), "{text}");
        }
        assert!(Baseline::read(r#"{"version":1,"more":7}"#).unwrap().known.is_empty());
    }
}
