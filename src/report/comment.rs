//! The one comment on a pull request: what it says, which comment it is, and what is to be done with it.
//!
//! It is found again by its marker, at the end of its first line, and by who wrote it: a marker can be pasted by
//! anybody. Nothing is deleted. A pull request that was never red is not commented on.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    Finding, Report, Verdict, blocks,
    escape::{code, text},
    notes::{self, Note},
    summary::{Around, found, headline, icon, judged},
};

/// GitHub refuses more (`body is too long (maximum is 65536 characters)`); counted in bytes, which are never fewer.
pub const MOST: usize = 65_536;
/// Kept for the last lines.
const FOOT: usize = 2_500;
/// A file that has less room than this is only counted.
const LEAST: usize = 400;
/// Of one message, or of what to do about it, in characters.
const LONGEST: usize = 1_000;
/// Waived findings that are listed.
const MOST_WAIVED: usize = 20;

/// The marker of what this run says, apart from what other runs in the same repository say.
pub fn marker(command: &str, folder: &str, config: &str) -> String {
    let mut digest = Sha256::new();
    for part in [command, folder, config] {
        digest.update(part);
        digest.update([0]);
    }
    let key = HEXLOWER.encode(&digest.finalize()[..6]);
    format!("<!-- liftlock:v1 key={key} -->")
}

/// Whether a comment's body is one of ours, by its first line.
pub fn is_marked(body: &str, marker: &str) -> bool {
    body.lines().next().is_some_and(|line| line.trim_end().ends_with(marker))
}

/// Equal as far as GitHub keeps texts: not the ends of lines, not what stands around them.
pub fn same(left: &str, right: &str) -> bool {
    left.trim().lines().eq(right.trim().lines())
}

/// What the comment shall say; `None` with a green report, when there is none that it could replace.
pub fn wanted(report: &Report, around: &Around, marker: &str, exists: bool) -> Option<String> {
    match report.verdict {
        Verdict::Fail => Some(standing(report, around, marker)),
        Verdict::Pass => exists.then(|| resolved(report, around, marker)),
    }
}

fn resolved(report: &Report, around: &Around, marker: &str) -> String {
    let found = found(report);
    let found = if found.is_empty() { String::new() } else { format!(", {found} left") };
    let head = format!("### ✅ liftlock {}: resolved{found}{} {marker}\n", text(&report.command), at(around));
    let judged = judged(report).map(|it| format!("\n{it}\n")).unwrap_or_default();
    format!("{head}{judged}{}", foot(report, around))
}

fn standing(report: &Report, around: &Around, marker: &str) -> String {
    let mut body = format!("### {}{} {marker}\n", headline(report), at(around));
    if let Some(judged) = judged(report) {
        body.push_str(&format!("\n{judged}\n"));
    }
    let notes = notes::of_report(report);
    let room = MOST - FOOT;
    let (placed, general): (Vec<&Note<'_>>, Vec<&Note<'_>>) = notes.iter().partition(|it| it.finding.is_some());
    if !general.is_empty() {
        // What has no place is what the whole run failed by; files get at least half of the room.
        let items = general.iter().map(|it| item(it, &format!("**{}**", text(&it.title)), false));
        body.push('\n');
        list(&mut body, items, room / 2, "more");
    }
    files(&mut body, &placed, around, room);
    waived(&mut body, report, room);
    body.push_str(&foot(report, around));
    body
}

/// ` · commit [`0123456`](…)`
fn at(around: &Around) -> String {
    around.commit().map(|it| format!(" · commit {it}")).unwrap_or_default()
}

/// The worst file first; what one file leaves of its share goes to the next ones.
fn files(body: &mut String, placed: &[&Note<'_>], around: &Around, room: usize) {
    let mut files: Vec<(&Finding, Vec<&Note<'_>>)> = Vec::new();
    for note in placed {
        let Some(finding) = note.finding else { continue };
        match files.iter_mut().find(|it| it.0.file == finding.file) {
            Some((_, notes)) => notes.push(note),
            None => files.push((finding, vec![note])),
        }
    }
    let count = files.len();
    for (index, (first, mut notes)) in files.into_iter().enumerate() {
        let share = room.saturating_sub(body.len()) / (count - index).min(room / LEAST);
        let heading = format!("\n**{}**\n\n", code(&around.places.shown(&first.file)));
        if share < LEAST.max(heading.len() + 100) {
            body.push_str(&format!("\n… and {} with findings\n", blocks::counted(count - index, "more file")));
            return;
        }
        let end = body.len() + share;
        body.push_str(&heading);
        notes.sort_by_key(|it| (std::cmp::Reverse(it.severity), it.finding.map(|it| it.line)));
        let items = notes.iter().map(|note| {
            let line = note.finding.map(|it| around.link(it, format!("line {}", it.line))).unwrap_or_default();
            item(note, &line, true)
        });
        list(body, items, end, "more in this file");
    }
}

/// Items as long as they end before `end`, a length of the body; the others are counted.
fn list(body: &mut String, items: impl Iterator<Item = String>, end: usize, more: &str) {
    let mut left_out = 0;
    for item in items {
        // Room for the line that counts what is left out.
        if left_out == 0 && body.len() + item.len() + 60 <= end {
            body.push_str(&item);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        body.push_str(&format!("- … and {left_out} {more}\n"));
    }
}

fn item(note: &Note<'_>, head: &str, with_rule: bool) -> String {
    let rule = if with_rule { format!(" ({})", code(&note.title)) } else { String::new() };
    let fix = note.fix.map(|it| format!("<br>→ {}", text(&cut(it)))).unwrap_or_default();
    format!("- {} {head}: {}{rule}{fix}\n", icon(note.severity), text(&cut(&note.text)))
}

fn waived(body: &mut String, report: &Report, room: usize) {
    let findings = report.validation().map(|it| it.findings.as_slice()).unwrap_or_default();
    let waived: Vec<(&Finding, &str)> = findings.iter().filter_map(|it| Some((it, it.waived.as_deref()?))).collect();
    if waived.is_empty() {
        return;
    }
    let mut shown = format!("\n<details><summary>{} waived</summary>\n\n", waived.len());
    for (finding, reason) in waived.iter().take(MOST_WAIVED) {
        let place = format!("{}:{}", finding.file, finding.line);
        shown.push_str(&format!("- {} at {}: {}\n", code(&finding.rule), code(&place), text(&cut(reason))));
    }
    if waived.len() > MOST_WAIVED {
        shown.push_str(&format!("- … and {} more\n", waived.len() - MOST_WAIVED));
    }
    shown.push_str("\n</details>\n");
    if body.len() + shown.len() <= room {
        body.push_str(&shown);
    }
}

/// Where to look further, and what to do next.
fn foot(report: &Report, around: &Around) -> String {
    let mut parts = Vec::new();
    if let Some(run) = &around.run {
        parts.push(format!("[whole report]({run})"));
    }
    if let (Verdict::Fail, Some(next)) = (report.verdict, report.next.first()) {
        parts.push(format!("{} {}", code(&cut(&next.command)), text(&cut(&next.what))));
    }
    if parts.is_empty() { String::new() } else { format!("\n{}\n", parts.join(" · ")) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::{
        super::{
            ErrorView, Finding, Report, Section, Severity,
            tests::{around, everything, finding, validation},
        },
        MOST, is_marked, marker, same, wanted,
    };

    const MARKER: &str = "<!-- liftlock:v1 key=0123456789ab -->";

    #[test]
    fn a_comment_is_known_by_the_end_of_its_first_line() {
        for (body, expected) in [
            (format!("### bad {MARKER}\nmore"), true),
            (format!("### bad {MARKER} \r\nmore"), true),
            (format!("> {MARKER}\n### bad"), true),
            (format!("look:\n{MARKER}"), false),
            (format!("{MARKER} is the marker"), false),
            (String::new(), false),
        ] {
            assert_eq!(is_marked(&body, MARKER), expected, "{body}");
        }
        let markers = [("validate", "", "a"), ("plan", "", "a"), ("validate", "a", ""), ("validate", "", "b")];
        let markers = markers.map(|(command, folder, config)| marker(command, folder, config));
        assert!((1..4).all(|it| markers[it] != markers[0]), "{markers:?}");
        assert!(same("a\r\nb\n", "a\nb"));
        assert!(!same("a\nb", "a\nc"));
    }

    #[test]
    fn a_green_report_posts_nothing_and_resolves_what_there_is() {
        let green = validation(Vec::new());
        assert_eq!(wanted(&green, &around(), MARKER, false), None);
        let resolved = wanted(&green, &around(), MARKER, true).unwrap();
        assert!(resolved.starts_with("### ✅ liftlock validate: resolved · commit [`0123456`]"), "{resolved}");
        assert!(is_marked(&resolved, MARKER));
    }

    #[test]
    fn a_comment_says_what_is_wrong_and_what_to_do() {
        insta::assert_snapshot!(wanted(&everything(), &around(), MARKER, false).unwrap());
    }

    #[test]
    fn a_comment_fits_whatever_there_is_to_say() {
        let many = |files: usize, each: usize, message: &str| {
            let findings = (0..files).flat_map(|file| {
                (0..each).map(move |line| Finding {
                    file: Utf8PathBuf::from(format!("db/{file}.sql")).into(),
                    line,
                    message: message.to_owned(),
                    ..finding("drop-table")
                })
            });
            validation(findings.collect())
        };
        let long = "`".repeat(5_000);
        let mut waived = many(1, 500, &long);
        if let Section::Validation(validation) = &mut waived.sections[0] {
            for finding in &mut validation.findings[1..] {
                finding.waived = Some("<".repeat(5_000));
            }
        }
        let error = ErrorView { message: "|".repeat(200_000), help: Some("&".repeat(200_000)), ..ErrorView::default() };
        for (report, says) in [
            (many(1, 1_000, "it loses data"), "more in this file"),
            (many(3, 1_000, &long), "**`db/2.sql`**"),
            (many(2_000, 1, "it loses data"), "more files with findings"),
            (many(2_000, 3, &"é@<".repeat(3_000)), "more files with findings"),
            (waived, "loses data"),
            (Report::fail("promote").with(Section::Error(error)), "&#124;"),
        ] {
            let body = wanted(&report, &around(), MARKER, false).unwrap();
            assert!(body.len() <= MOST, "{}", body.len());
            assert!(body.contains(says) || says == "loses data", "{}", &body[..2_000]);
            assert!(body.ends_with("[whole report](https://github.com/o/r/actions/runs/7)\n"), "the foot is missing");
            assert!(is_marked(&body, MARKER));
            assert_eq!(body.matches("<details>").count(), body.matches("</details>").count());
        }
        let notices = (0..3).map(|_| Finding { severity: Severity::Notice, ..finding("x") }).collect();
        assert_eq!(wanted(&validation(notices), &around(), MARKER, false), None);
    }
}
