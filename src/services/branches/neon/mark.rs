//! What is noted on a branch that is ours, and what its name says. Pure.
//!
//! Notes can only be written when a branch is made. Whether they follow a branch through a restore is not proven
//! against the live service, and nothing here relies on it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit, tz::TimeZone};
use uuid::Uuid;

use crate::services::{
    branches::{Branch, BranchState, NewBranch, Place, Recorded},
    neon::{Id, Lsn, wire},
};

const NONCE: &str = "liftlock-nonce";
const KIND: &str = "liftlock-kind";
const BACKUP: &str = "backup";
const PARENT: &str = "liftlock-parent";
const RUN: &str = "liftlock-run";
/// The key that Neon's own tools use.
const COMMIT: &str = "github-commit-sha";
const FINGERPRINT: &str = "liftlock-fingerprint";
const ROWS: &str = "liftlock-rows";
const LSN_BEFORE: &str = "liftlock-lsn-before";

/// How long a note may be is not documented; row counts that are longer stay in the database's own records alone.
const LONGEST_NOTE: usize = 2000;

/// Neon takes an expiry of at most 30 days ahead. What is asked for stays a little below: clocks differ.
const LONGEST_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// `liftlock/<run>/<commit>`; for one that somebody makes by hand, `liftlock/manual/<time>-<nonce>`.
pub fn neon_backup_name(run: Option<Uuid>, commit: Option<&str>, at: Timestamp, nonce: &str) -> String {
    match (run, commit.and_then(short)) {
        (Some(run), Some(commit)) => format!("liftlock/{run}/{commit}"),
        (Some(run), None) => format!("liftlock/{run}"),
        (None, _) => format!("liftlock/manual/{}-{}", at.strftime("%Y%m%dt%H%M%S"), plain(nonce, 8)),
    }
}

/// Where what a restore replaces is kept. The same for every attempt at one restore, so that Neon itself refuses to
/// do it twice; `number` counts the restores to one restore point.
pub fn neon_preserve_name(nonce: &str, number: usize) -> String {
    format!("{}{number}", neon_preserve_prefix(nonce))
}

/// How the names begin that keep what restores to this restore point have replaced.
pub fn neon_preserve_prefix(nonce: &str) -> String {
    format!("liftlock/before-restore/{}-", plain(nonce, 16))
}

fn short(commit: &str) -> Option<String> {
    let hex = commit.len() >= 7 && commit.chars().all(|it| it.is_ascii_hexdigit());
    hex.then(|| commit[..commit.len().min(12)].to_ascii_lowercase())
}

fn plain(text: &str, length: usize) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(length).collect::<String>().to_ascii_lowercase()
}

/// Whole seconds, and never beyond what Neon takes; what is more than a little beyond was refused before.
pub fn expiry(wanted: Timestamp, now: Timestamp) -> Timestamp {
    let latest = now + LONGEST_KEPT - CLOCKS_DIFFER;
    let seconds = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc);
    let wanted = wanted.min(latest);
    wanted.round(seconds).unwrap_or(wanted)
}

/// How Neon wants times: RFC 3339, with a zone.
pub fn shown(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is noted on a new branch. `lsn` is where the source's log was flushed to just before.
pub fn notes(new: &NewBranch, parent: &Id, before: &Recorded, lsn: Option<Lsn>) -> BTreeMap<String, String> {
    let rows = serde_json::to_string(&before.rows).expect("a map with text keys is always JSON");
    let notes = [
        (KIND, Some(BACKUP.to_owned())),
        (NONCE, Some(new.nonce.clone())),
        (PARENT, Some(parent.to_string())),
        (RUN, new.run.map(|it| it.to_string())),
        (COMMIT, new.commit.clone()),
        (FINGERPRINT, Some(before.fingerprint.clone())),
        (ROWS, Some(rows).filter(|it| it.len() <= LONGEST_NOTE)),
        (LSN_BEFORE, lsn.map(|it| it.to_string())),
    ];
    notes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The branch as a restore point of `source`; `None` when it is not one of ours.
pub fn read(project: &Id, source: &Id, branch: &wire::Branch, notes: &wire::Annotation) -> Option<Branch> {
    let nonce = notes.get(NONCE).filter(|it| !it.is_empty())?;
    if notes.get(KIND) != Some(BACKUP) || notes.get(PARENT) != Some(&**source) {
        return None;
    }
    let rows = notes.get(ROWS).and_then(|it| serde_json::from_str(it).ok());
    Some(Branch {
        name: branch.name.clone(),
        nonce: nonce.to_owned(),
        lsn: branch.parent_lsn().map(|it| it.to_string()),
        created_at: branch.created_at(),
        expires_at: branch.expires_at(),
        state: if branch.is_ready() { BranchState::Ready } else { BranchState::Incomplete },
        run: notes.get(RUN).and_then(|it| it.parse().ok()),
        commit: notes.get(COMMIT).map(str::to_owned),
        size_bytes: branch.logical_size,
        recorded: Recorded {
            // Without its rows it is only half of what was recorded; the database may have the rest.
            fingerprint: notes.get(FINGERPRINT).unwrap_or_default().to_owned(),
            rows: rows.unwrap_or_default(),
            ..Recorded::default()
        },
        place: Some(Place {
            project: project.to_string(),
            branch: branch.id.to_string(),
            parent: branch.parent_id.clone().unwrap_or_default(),
            state: branch.current_state.clone(),
        }),
    })
}

/// What production had written when the branch was asked for must be in it: then its place in production's log is not
/// before the one noted. `None`: it is so.
pub fn stale(branch: &wire::Branch, notes: &wire::Annotation) -> Option<String> {
    let Some(noted) = notes.get(LSN_BEFORE).and_then(Lsn::parse) else {
        return Some("it does not say where its source's log was when it was asked for".to_owned());
    };
    let place = branch.parent_lsn()?;
    (place < noted).then(|| {
        format!("its place in the log is {place}, and its source had written up to {noted} when it was asked for")
    })
}

/// What a branch must be so that something may be applied on the strength of it.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    pub nonce: &'a str,
    pub source: &'a Id,
    /// As the answer to its creation said it.
    pub lsn: Option<&'a str>,
    /// As it was asked for; `None` when an earlier process asked for it.
    pub expires_at: Option<Timestamp>,
    pub must_expire: bool,
    pub now: Timestamp,
}

/// What of it is not so; `None`: it is proven.
pub fn unproven(branch: &wire::Branch, notes: &wire::Annotation, demand: Demand<'_>) -> Option<String> {
    if notes.get(NONCE) != Some(demand.nonce) {
        return Some("the nonce noted on it is another one, or none".to_owned());
    }
    if branch.parent_id.as_deref() != Some(demand.source) {
        return Some(format!("its parent is {}, not {}", branch.parent_id.as_deref().unwrap_or("none"), demand.source));
    }
    let Some(lsn) = branch.parent_lsn() else {
        return Some(format!("its place in the log, `{}`, is none", branch.parent_lsn.as_deref().unwrap_or_default()));
    };
    if let Some(first) = demand.lsn.filter(|it| !it.is_empty())
        && Lsn::parse(first) != Some(lsn)
    {
        return Some(format!("its place in the log was {first} and is now {lsn}"));
    }
    if branch.default {
        return Some("it is the project's default branch".to_owned());
    }
    if !branch.is_ready() {
        return Some(format!("it is `{}`", branch.current_state));
    }
    match (demand.must_expire, branch.expires_at(), demand.expires_at) {
        (true, None, _) => Some("it has no expiry, and one was asked for".to_owned()),
        (true, Some(it), Some(wanted)) if it != wanted => {
            Some(format!("it expires {}, not {}", shown(it), shown(wanted)))
        }
        (_, Some(it), _) if it <= demand.now => Some(format!("it expired {}", shown(it))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::branches::Scope;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn names_say_run_and_commit() {
        let run: Uuid = "019a9f00-0000-7000-8000-00000000abcd".parse().unwrap();
        let now = at("2026-11-20T04:15:09Z");
        for (run, commit, expected) in [
            (Some(run), Some("0F3A99AA11223344"), "liftlock/019a9f00-0000-7000-8000-00000000abcd/0f3a99aa1122"),
            (Some(run), Some("0f3a99a"), "liftlock/019a9f00-0000-7000-8000-00000000abcd/0f3a99a"),
            (Some(run), Some("../../main"), "liftlock/019a9f00-0000-7000-8000-00000000abcd"),
            (Some(run), None, "liftlock/019a9f00-0000-7000-8000-00000000abcd"),
            (None, Some("0f3a99a"), "liftlock/manual/20261120t041509-6e6f6e63"),
        ] {
            let name = neon_backup_name(run, commit, now, "6e6f6e63-0011");
            assert_eq!(name, expected);
            assert!(name.len() <= 128);
        }
        assert_eq!(neon_preserve_name("6e6f6e63-0011", 2), "liftlock/before-restore/6e6f6e630011-2");
    }

    #[test]
    fn a_branch_that_lacks_what_its_source_had_written_is_found_out() {
        for (noted, place, expected) in [
            (Some("0/1A2B3C4"), Some("0/1A2B3C4"), None),
            (Some("0/9"), Some("0/10"), None),
            (Some("0/FFFFFFFF"), Some("1/0"), None),
            (Some("0/10"), Some("0/9"), Some("0/10")),
            (Some("1/0"), Some("0/FFFFFFFF"), Some("1/0")),
            (Some("0/1A2B3C4"), None, None),
            (Some("nowhere"), Some("0/9"), Some("does not say")),
            (None, Some("0/9"), Some("does not say")),
        ] {
            let place = place.map(|it| format!(r#","parent_lsn":"{it}""#)).unwrap_or_default();
            let branch = serde_json::from_str(&format!(r#"{{"id":"br-x","name":"x"{place}}}"#)).unwrap();
            let noted = noted.map(|it| format!(r#""{LSN_BEFORE}":"{it}""#)).unwrap_or_default();
            let notes = serde_json::from_str(&format!(r#"{{"value":{{{noted}}}}}"#)).unwrap();
            let found = stale(&branch, &notes);
            assert_eq!(found.is_some(), expected.is_some(), "{noted} {place}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{noted} {place}");
        }
    }

    #[test]
    fn an_expiry_is_whole_seconds_and_within_thirty_days() {
        let now = at("2026-11-01T00:00:00.123Z");
        for (wanted, expected) in [
            ("2026-11-02T03:04:05.999Z", "2026-11-02T03:04:05Z"),
            ("2026-12-01T00:00:00.123Z", "2026-11-30T23:50:00Z"),
            ("2027-12-01T00:00:00Z", "2026-11-30T23:50:00Z"),
        ] {
            assert_eq!(shown(expiry(at(wanted), now)), expected);
        }
    }

    #[test]
    fn what_is_noted_is_read_back_and_long_counts_are_left_to_the_database() {
        let id = |it: &str| Id::parse(it).unwrap();
        let new = NewBranch {
            name: "liftlock/x".to_owned(),
            nonce: "abc".to_owned(),
            expires_at: None,
            run: Some(Uuid::nil()),
            commit: Some("0f3a99a".to_owned()),
            scope: Scope::All,
        };
        let few = Recorded {
            fingerprint: "sha256:1".to_owned(),
            rows: [("p.x".to_owned(), 5)].into(),
            ..Recorded::default()
        };
        let many = (0..500).map(|it| (format!("public.table_{it}"), it)).collect();
        let many = Recorded { rows: many, ..few.clone() };
        let branch: wire::Branch = serde_json::from_str(
            r#"{"id":"br-1","name":"liftlock/x","parent_id":"br-main","parent_lsn":"0/1A","current_state":"ready"}"#,
        )
        .unwrap();
        let annotation = |notes: BTreeMap<String, String>| {
            serde_json::from_value::<wire::Annotation>(serde_json::json!({ "object": {"type": "b"}, "value": notes }))
                .unwrap()
        };
        for (recorded, rows) in [(&few, 1), (&many, 0)] {
            let noted = annotation(notes(&new, &id("br-main"), recorded, Lsn::parse("0/9")));
            let read_back = read(&id("calm-river-1"), &id("br-main"), &branch, &noted).unwrap();
            assert_eq!(
                (read_back.nonce.as_str(), read_back.run, read_back.commit),
                ("abc", new.run, new.commit.clone())
            );
            assert_eq!(
                (read_back.recorded.rows.len(), read_back.recorded.fingerprint),
                (rows, few.fingerprint.clone())
            );
            assert!(read(&id("calm-river-1"), &id("br-other"), &branch, &noted).is_none(), "another branch's");
        }
        assert!(read(&id("calm-river-1"), &id("br-main"), &branch, &wire::Annotation::default()).is_none());
    }

    #[test]
    fn nothing_is_proven_unless_everything_is_as_asked_for() {
        let source = Id::parse("br-main").unwrap();
        let (expires, now) = (at("2026-12-01T10:00:00Z"), at("2026-11-20T10:00:00Z"));
        let demand = Demand {
            nonce: "abc",
            source: &source,
            lsn: Some("0/1A"),
            expires_at: Some(expires),
            must_expire: true,
            now,
        };
        let sound = r#"{"id":"br-1","name":"n","parent_id":"br-main","parent_lsn":"0/1A","current_state":"ready","default":false,"expires_at":"2026-12-01T10:00:00Z"}"#;
        for (what, with, expected) in [
            ("", "", None),
            ("br-main", "br-other", Some("its parent is br-other")),
            ("\"parent_id\":\"br-main\",", "", Some("its parent is none")),
            ("0/1A", "0/1B", Some("was 0/1A and is now 0/1B")),
            ("0/1A", "00/0000001A", None),
            ("0/1A", "yesterday", Some("is none")),
            ("\"parent_lsn\":\"0/1A\",", "", Some("is none")),
            ("\"ready\"", "\"init\"", Some("`init`")),
            ("\"ready\"", "\"storage_deleted\"", Some("`storage_deleted`")),
            ("\"ready\"", "\"ready\",\"pending_state\":\"resetting\"", Some("it is `ready`")),
            ("\"ready\"", "\"archived\"", None),
            ("false", "true", Some("default")),
            (",\"expires_at\":\"2026-12-01T10:00:00Z\"", "", Some("no expiry")),
            ("2026-12-01T10:00:00Z", "2026-12-02T10:00:00Z", Some("not 2026-12-01")),
        ] {
            let branch: wire::Branch = serde_json::from_str(&sound.replacen(what, with, 1)).unwrap();
            let noted: wire::Annotation = serde_json::from_str(r#"{"value":{"liftlock-nonce":"abc"}}"#).unwrap();
            let found = unproven(&branch, &noted, demand);
            match expected {
                None => assert_eq!(found, None, "{what} → {with}"),
                Some(words) => {
                    assert!(found.as_ref().is_some_and(|it| it.contains(words)), "{what} → {with}: {found:?}")
                }
            }
        }
        let branch: wire::Branch = serde_json::from_str(sound).unwrap();
        assert!(unproven(&branch, &wire::Annotation::default(), demand).is_some_and(|it| it.contains("nonce")));
        let adopted = Demand { expires_at: None, lsn: None, ..demand };
        let noted: wire::Annotation = serde_json::from_str(r#"{"value":{"liftlock-nonce":"abc"}}"#).unwrap();
        assert_eq!(unproven(&branch, &noted, adopted), None);
        let late = Demand { now: expires, ..adopted };
        assert!(unproven(&branch, &noted, late).is_some_and(|it| it.contains("expired")));
    }
}
