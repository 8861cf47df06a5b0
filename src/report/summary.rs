//! The job summary: what an engineer reads first after a red run. The answer stands first, then what is wrong with
//! what to do about it, then everything else that the report holds.

use super::{
    Finding, Report, Section, Severity, Validation, Verdict,
    blocks::{self, counted},
    escape::{address, code, text},
    markdown,
    notes::{self, Note},
    place::Places,
};

/// GitHub takes 1 MiB for each step and drops all of it above that:
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>.
const MOST_BYTES: usize = 900 * 1024;

/// What went wrong with the reporting itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub message: String,
    /// Lines to paste into the workflow.
    pub paste: Option<String>,
}

/// Where a reader can look further; little is known outside GitHub. Addresses are well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    pub places: Places,
    /// `https://github.com/owner/name`.
    pub repository: Option<String>,
    /// The commit that was judged, in full.
    pub commit: Option<String>,
    /// The page of the run, with its summary.
    pub run: Option<String>,
}

impl Around {
    /// The file at its lines, as a link where there is a page for it; `shown` is Markdown.
    pub(super) fn link(&self, finding: &Finding, shown: String) -> String {
        match (&self.repository, &self.commit, self.places.below_root(&finding.file)) {
            (Some(repository), Some(commit), Some(file)) => {
                let last =
                    if finding.end_line > finding.line { format!("-L{}", finding.end_line) } else { String::new() };
                format!("[{shown}]({repository}/blob/{commit}/{}#L{}{last})", address(&file), finding.line)
            }
            _ => shown,
        }
    }

    /// `file:line`, linked.
    fn place(&self, finding: &Finding) -> String {
        self.link(finding, code(&format!("{}:{}", self.places.shown(&finding.file), finding.line)))
    }

    /// The commit, short, as a link.
    pub(super) fn commit(&self) -> Option<String> {
        let commit = self.commit.as_ref()?;
        let short = code(commit.get(..7).unwrap_or(commit));
        Some(match &self.repository {
            Some(repository) => format!("[{short}]({repository}/commit/{commit})"),
            None => short,
        })
    }
}

/// The summary, cut where GitHub would drop it.
pub fn render(report: &Report, around: &Around, troubles: &[Trouble]) -> String {
    let mut text = format!("## {}\n", headline(report));
    let about = [around.commit().map(|it| format!("commit {it}")), judged(report)];
    let about = about.into_iter().flatten().collect::<Vec<_>>();
    if !about.is_empty() {
        text.push_str(&format!("\n{}\n", about.join(" · ")));
    }
    if let Some(error) = report.error() {
        text.push_str(&set_error(&error.message, error.help.as_deref()));
    }
    text.push_str(&findings(report, around));
    // After what is wrong with the migrations, for that is what a reader came for.
    for trouble in troubles {
        text.push_str(&set_trouble(trouble));
    }
    text.push_str(&report.validation().map(|it| waived(it, around)).unwrap_or_default());
    for section in &report.sections {
        if !matches!(section, Section::Validation(_) | Section::Error(_)) {
            text.push('\n');
            text.push_str(&markdown::set(&blocks::of_section(section)));
        }
    }
    if let Some(next) = report.next.first() {
        text.push_str(&format!("\nNext: {} {}\n", code(&next.command), self::text(&next.what)));
    }
    text.push('\n');
    cut(text, MOST_BYTES)
}

/// `❌ liftlock validate: 2 errors, 1 warning`
pub(super) fn headline(report: &Report) -> String {
    let warned = notes::of_report(report).iter().any(|it| it.severity == Severity::Warning);
    let mark = match report.verdict {
        Verdict::Fail => "❌",
        Verdict::Pass if warned => "⚠️",
        Verdict::Pass => "✅",
    };
    format!("{mark} liftlock {}: {}", text(&report.command), answer(report))
}

/// The answer in a few words.
fn answer(report: &Report) -> String {
    let found = found(report);
    if report.error().is_some() {
        return match report.exit() {
            crate::exit::Exit::Half => "stopped half-way".to_owned(),
            _ => "could not do its job".to_owned(),
        };
    }
    if let Some(promotion) = report.promotion() {
        let applied = counted(promotion.applied.len(), "migration");
        let warnings = if found.is_empty() { String::new() } else { format!("; {found}") };
        return format!("{applied} applied to {}{warnings}", code(&promotion.environment));
    }
    if let Some(plan) = report.plan() {
        let refused = plan.gates.iter().filter(|it| !it.passed).map(|it| code(&it.name)).collect::<Vec<_>>();
        return match (report.verdict, refused.is_empty()) {
            (Verdict::Fail, false) => format!("{} refused by {}", code(&plan.environment), refused.join(", ")),
            (_, false) => format!("{} would be refused by {}", code(&plan.environment), refused.join(", ")),
            (Verdict::Pass, true) => format!("every gate of {} is open", code(&plan.environment)),
            (Verdict::Fail, true) => format!("nothing was done to {}", code(&plan.environment)),
        };
    }
    match (found.is_empty(), report.verdict) {
        (false, _) => found,
        (true, Verdict::Pass) if report.validation().is_some() => "nothing found".to_owned(),
        (true, Verdict::Pass) => "done".to_owned(),
        (true, Verdict::Fail) => "the answer is no".to_owned(),
    }
}

/// `2 errors, 1 warning`; empty when there is nothing.
pub(super) fn found(report: &Report) -> String {
    let notes = notes::of_report(report);
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Notice, "notice")];
    let counts = counts.into_iter().filter_map(|(severity, word)| {
        let count = notes::count(&notes, severity);
        (count > 0).then(|| counted(count, word))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// `profile production · 3 statements in 2 files`
pub(super) fn judged(report: &Report) -> Option<String> {
    let validation = report.validation()?;
    let waived = validation.findings.iter().filter(|it| it.waived.is_some()).count();
    let mut judged = format!(
        "{} in {}, profile {}",
        counted(validation.statements, "statement"),
        counted(validation.files, "file"),
        code(&validation.profile)
    );
    for (count, words) in [(validation.unread, "not analysable"), (waived, "waived")] {
        if count > 0 {
            judged.push_str(&format!(", {} {words}", blocks::number(count as u64)));
        }
    }
    Some(judged)
}

pub(super) fn icon(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "❌",
        Severity::Warning => "⚠️",
        Severity::Notice => "ℹ️",
    }
}

fn set_trouble(trouble: &Trouble) -> String {
    let paste = trouble.paste.as_ref().map(|it| format!("\n```yaml\n{it}\n```\n")).unwrap_or_default();
    format!("\n⚠️ {}\n{paste}", text(&trouble.message))
}

fn set_error(message: &str, help: Option<&str>) -> String {
    let help = help.map(|it| format!("\n→ {}\n", text(it))).unwrap_or_default();
    format!("\n**{}**\n{help}", text(message))
}

fn findings(report: &Report, around: &Around) -> String {
    let notes = notes::of_report(report);
    let rows: Vec<String> = notes.iter().filter_map(|note| row(note, around)).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n| | what is wrong, and what to do | where | rule |\n| --- | --- | --- | --- |\n{}", rows.concat())
}

fn row(note: &Note<'_>, around: &Around) -> Option<String> {
    let finding = note.finding?;
    let fix = note.fix.map(|it| format!("<br>→ {}", text(it))).unwrap_or_default();
    Some(format!(
        "| {} | **{}**{fix} | {} | {} |\n",
        icon(note.severity),
        text(&note.text),
        around.place(finding),
        code(&note.title)
    ))
}

fn waived(validation: &Validation, around: &Around) -> String {
    let rows = validation.findings.iter().filter_map(|finding| {
        let reason = finding.waived.as_deref()?;
        Some(format!("| {} | {} | {} |\n", code(&finding.rule), text(reason), around.place(finding)))
    });
    let rows = rows.collect::<String>();
    if rows.is_empty() {
        return rows;
    }
    format!("\n### Waived\n\n| rule | because | where |\n| --- | --- | --- |\n{rows}")
}

/// Ends after a whole line, outside a block of code, and says so.
fn cut(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let said = "\n\n**Cut here: the report is longer than GitHub shows. The report's JSON file has all of it.**\n";
    let (mut end, mut fence): (usize, Option<&str>) = (0, None);
    for line in text.split_inclusive('\n') {
        let room = most - said.len() - fence.map_or(0, |it| it.len() + 1);
        if end + line.len() > room {
            break;
        }
        end += line.len();
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        fence = match fence {
            None if ticks.len() >= 3 => Some(ticks),
            Some(open) if line.trim_end() == open => None,
            other => other,
        };
    }
    let close = fence.map(|it| format!("{it}\n")).unwrap_or_default();
    format!("{}{close}{said}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ErrorView, GateView, PlanView, PromotionView, Report, Section, Severity, Verdict, read,
            tests::{around, everything, finding, validation},
        },
        Trouble, cut, headline, render,
    };
    use crate::report::{Finding, json};

    #[test]
    fn the_headline_gives_the_answer() {
        let plan = |passed| {
            let gate = GateView { name: "approved".to_owned(), passed, ..GateView::default() };
            let plan = PlanView { environment: "production".to_owned(), gates: vec![gate], ..PlanView::default() };
            let verdict = if passed { Verdict::Pass } else { Verdict::Fail };
            Report { verdict, ..Report::pass("plan") }.with(Section::Plan(plan))
        };
        let error = |exit| {
            let error = ErrorView { exit, ..ErrorView::default() };
            read::read(&json::render(&Report::fail("promote").with(Section::Error(error)))).unwrap()
        };
        let promoted = PromotionView {
            environment: "production".to_owned(),
            applied: vec![("1".to_owned(), 1)],
            ..PromotionView::default()
        };
        let warning = Finding { severity: Severity::Warning, ..finding("x") };
        for (report, expected) in [
            (validation(vec![finding("x"), warning.clone()]), "❌ liftlock validate: 1 error, 1 warning"),
            (validation(vec![warning]), "⚠️ liftlock validate: 1 warning"),
            (validation(Vec::new()), "✅ liftlock validate: nothing found"),
            (plan(false), "❌ liftlock plan: `production` refused by `approved`"),
            (plan(true), "✅ liftlock plan: every gate of `production` is open"),
            (error(4), "❌ liftlock promote: stopped half-way"),
            (error(3), "❌ liftlock promote: could not do its job"),
            (
                Report::pass("promote").with(Section::Promotion(promoted)),
                "✅ liftlock promote: 1 migration applied to `production`",
            ),
            (Report::fail("promote"), "❌ liftlock promote: the answer is no"),
        ] {
            assert_eq!(headline(&report), expected);
        }
    }

    #[test]
    fn a_summary_has_every_section() {
        let trouble = Trouble {
            message: "the comment is not written".to_owned(),
            paste: Some("permissions:\n  pull-requests: write".to_owned()),
        };
        insta::assert_snapshot!(render(&everything(), &around(), &[trouble]));
    }

    #[test]
    fn a_long_summary_ends_after_a_whole_line_and_says_so() {
        let findings = (0..20_000).map(|_| finding("drop-table")).collect();
        let shown = render(&validation(findings), &around(), &[]);
        assert!(shown.len() < 921_600 && shown.len() > 900_000, "{}", shown.len());
        let (rows, said) = shown.rsplit_once("\n\n\n").unwrap();
        assert!(said.starts_with("**Cut here"), "{said}");
        assert!(rows.ends_with("| `drop-table` |"), "{}", &rows[rows.len() - 80..]);
        let inside = cut(format!("a\n````text\n{}````\nb\n", "```\n".repeat(100)), 200);
        assert!(inside.contains("```\n````\n\n\n**Cut here") && inside.len() <= 200, "{inside}");
    }
}
