//! Known disagreements, in the files beside this one: lines of probes under the reason why they stay. A new one fails,
//! and so does one that is none any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::probes;

/// What is wrong with a list, given the disagreements that there are, by probe.
pub fn compare(list: &str, found: &BTreeMap<String, String>) -> String {
    let mut wrong = String::new();
    let text = probes::file(&format!("{list}.txt"));
    let mut listed = BTreeSet::new();
    let mut reason = None;
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(text) => reason = Some(text),
            None if line.is_empty() => reason = None,
            None => {
                if reason.is_none() {
                    writeln!(wrong, "{list}: no reason stands above `{line}`").unwrap();
                }
                if !listed.insert(line) {
                    writeln!(wrong, "{list}: stands there twice: {line}").unwrap();
                }
            }
        }
    }
    for (line, how) in found.iter().filter(|(line, _)| !listed.contains(line.as_str())) {
        writeln!(wrong, "{list}: {line}\n    {how}").unwrap();
    }
    for line in listed.iter().filter(|line| !found.contains_key(**line)) {
        writeln!(wrong, "{list}: agrees now, take it off: {line}").unwrap();
    }
    wrong
}
