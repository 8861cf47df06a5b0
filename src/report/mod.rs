//! `Report`: everything a command may have to say.
//!
//! Commands return one `Report`; the files beside this one turn it into text, JSON or Markdown, and nothing
//! else prints. The types here are plain data. Row values, SQL literals and secrets are never put into them;
//! `excerpts` carry the source text of findings for the terminal only.

pub mod annotations;
mod blocks;
pub(crate) mod clean;
pub mod comment;
pub mod difference;
mod escape;
pub mod fingerprint;
mod fix;
pub mod gitlab;
pub mod json;
mod layout;
mod literals;
pub mod markdown;
pub mod notes;
pub mod outputs;
pub mod place;
pub mod progress;
pub mod read;
mod rule;
pub mod sarif;
pub mod summary;
pub mod text;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

pub use self::{
    fix::{Fix, FixStep, Run},
    layout::LayoutView,
    rule::{RuleView, Severities},
};
use crate::exit::Exit;

/// Whether the answer is yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Fail,
}

/// What one command has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// As typed: `validate`, `backup create`.
    pub command: Cow<'static, str>,
    pub verdict: Verdict,
    /// With which number the process leaves, where that is not the verdict's own: this is about another command.
    pub exit: Option<Exit>,
    /// In the order in which a reader wants them.
    pub sections: Vec<Section>,
    /// Commands to try next, each with what it does; shown last.
    pub next: Vec<NextStep>,
}

impl Report {
    /// A report that says yes.
    pub fn pass(command: impl Into<Cow<'static, str>>) -> Self {
        let command = command.into();
        Self { command, verdict: Verdict::Pass, exit: None, sections: Vec::new(), next: Vec::new() }
    }

    /// A report that says no.
    pub fn fail(command: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::pass(command) }
    }

    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match (self.exit, self.verdict) {
            (Some(exit), _) => exit,
            (None, Verdict::Pass) => Exit::Done,
            (None, Verdict::Fail) => Exit::No,
        }
    }

    /// What `validate` found, when this is a report of it.
    pub fn validation(&self) -> Option<&Validation> {
        self.sections.iter().find_map(|it| if let Section::Validation(found) = it { Some(found) } else { None })
    }

    /// What would be done, or why it is refused.
    pub fn plan(&self) -> Option<&PlanView> {
        self.sections.iter().find_map(|it| if let Section::Plan(plan) = it { Some(plan) } else { None })
    }

    /// How a promotion ended.
    pub fn promotion(&self) -> Option<&PromotionView> {
        self.sections.iter().find_map(|it| if let Section::Promotion(done) = it { Some(done) } else { None })
    }

    /// What kept the command from doing its job.
    pub fn error(&self) -> Option<&ErrorView> {
        self.sections.iter().find_map(|it| if let Section::Error(error) = it { Some(error) } else { None })
    }

    /// Adds a section.
    pub fn with(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds a command to try next.
    pub fn then(mut self, command: impl Into<String>, what: impl Into<String>) -> Self {
        self.next.push(NextStep { command: command.into(), what: what.into() });
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextStep {
    pub command: String,
    pub what: String,
}

/// One part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    Validation(Validation),
    Plan(PlanView),
    Promotion(PromotionView),
    Status(StatusView),
    Backups(Vec<BackupView>),
    Audit(AuditView),
    Sync(SyncReport),
    Checks(Vec<Check>),
    /// All rules by what they are about, or one in full.
    Rules(Vec<RuleView>),
    /// The command could not do its job. Only in saved reports: on the terminal an error is no report.
    Error(ErrorView),
    /// Headed free text: what `init`, `new`, `rules` and `demo` have to say. Markdown-like, shown as it is.
    Text {
        title: String,
        body: String,
    },
    /// Data for stdout as it is: a schema, completions.
    Raw(String),
}

/// An error as a saved report holds it. Texts are scrubbed of credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorView {
    /// `postgres::unreachable`; empty when there is none.
    pub code: String,
    /// What went wrong, with its causes.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The number that the process left with: 2, 3 or 4.
    pub exit: u8,
}

/// What kind of harm a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Harm {
    /// Data is lost.
    Loses,
    /// A lock, scan or rewrite that stops traffic.
    Blocks,
    /// Errors when run.
    Fails,
    /// The running application stops working.
    Breaks,
    /// Somebody sees or may do what they should not.
    Exposes,
    /// Not understood.
    Unread,
    /// House rules: names, headers, waivers.
    Convention,
}

/// Worst last, so that `max` is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Notice,
    Warning,
    Error,
}

/// One thing that is wrong, at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: Cow<'static, str>,
    pub kind: Harm,
    pub severity: Severity,
    /// Shared by all of a file.
    pub file: Arc<Utf8Path>,
    /// All four counted from 1, columns in characters; the end is exclusive.
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub message: String,
    /// Shared, as many say the same.
    pub help: Option<Arc<str>>,
    /// The reason of the waiver, when one covers this finding; it then does not fail the verdict.
    pub waived: Option<String>,
    /// The baseline knows it: it was there before, and does not fail the verdict.
    pub baselined: bool,
    /// The same columns in UTF-16 code units, as SARIF and editors count them.
    pub utf16: Columns,
    /// Knows the finding again after lines have moved: of the rule and its statement without values and comments.
    /// Empty when nobody computed it.
    pub fingerprint: String,
    /// The safe way to the same end, where there is one that can be written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Box<Fix>>,
    /// What servers were measured to do with such a statement: `measured on 17: ACCESS EXCLUSIVE, full scan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Arc<str>>,
    /// The form of the statement, by which measurements are looked up.
    #[serde(skip)]
    pub form: Option<Arc<str>>,
    /// Bytes of the place in the file, for excerpts.
    #[serde(skip)]
    pub span: crate::sql::Span,
}

impl Finding {
    /// Neither waived nor known of old.
    pub fn stands(&self) -> bool {
        self.waived.is_none() && !self.baselined
    }
}

/// Where something begins and ends within its lines, counted from 1; the end is exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Columns {
    pub start: usize,
    pub end: usize,
}

/// Why a rule has nothing to say at a place where it might.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub rule: String,
    pub file: Utf8PathBuf,
    /// Both counted from 1, columns in characters.
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

/// The answer of `validate`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Validation {
    pub profile: String,
    /// Files judged; history before them is not counted.
    pub files: usize,
    pub statements: usize,
    /// Statements that were not understood.
    pub unread: usize,
    /// The same by kind: `placeholder`, `dynamic EXECUTE`.
    pub unread_kinds: BTreeMap<String, usize>,
    /// Whose layout each folder has.
    pub layouts: Vec<LayoutView>,
    pub findings: Vec<Finding>,
    /// What looks dangerous and is not, for `--explain`.
    pub explanations: Vec<Explanation>,
    /// Texts of the files that have findings, for excerpts.
    pub sources: Vec<(Utf8PathBuf, String)>,
}

impl Validation {
    /// `Fail` when an unwaived finding is an error.
    pub fn verdict(&self) -> Verdict {
        let failed = self.findings.iter().any(|it| it.stands() && it.severity == Severity::Error);
        if failed { Verdict::Fail } else { Verdict::Pass }
    }
}

/// One gate's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateView {
    /// Kebab-case name: `validated`, `staged-first`.
    pub name: String,
    pub passed: bool,
    /// What was seen, in one sentence.
    pub evidence: String,
    /// What to do, when it did not pass.
    pub fix: Option<String>,
}

/// What `promote` would do, or refuses to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanView {
    pub environment: String,
    /// Host and database, never a password.
    pub target: String,
    pub promotion_type: String,
    pub gates: Vec<GateView>,
    /// One line per step, in order.
    pub steps: Vec<String>,
    /// `sha256:…`; `None` when refused.
    pub digest: Option<String>,
    /// Waivers in the migrations: rule, file:line, reason.
    pub waivers: Vec<String>,
    /// Set when an unfinished promotion is being resumed.
    pub resumes: Option<String>,
    /// Incident and reason, when checks are waived in haste.
    pub emergency: Option<String>,
    /// What an approver may type into the review's comment: it binds the approval to these bytes, run and attempt.
    pub code: Option<String>,
    /// Who has approved so far and whose approval does not count; `None` where no approval is asked for.
    pub approval: Option<serde_json::Value>,
}

/// How a promotion ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromotionView {
    pub run: String,
    pub environment: String,
    pub digest: String,
    pub resumed: bool,
    /// Migrations applied by this run: id and duration in milliseconds.
    pub applied: Vec<(String, u64)>,
    /// Restore point: name, place (LSN) and how it was verified.
    pub restore_point: Option<String>,
    /// The restore point's id at its provider, for programs.
    pub backup_branch: Option<String>,
    /// The last migration that was applied before this run, and the last one now.
    pub from_version: Option<String>,
    pub to_version: Option<String>,
    /// Id of the event that says how it ended.
    pub audit_event: Option<String>,
    /// What proved that it was approved; `None` where no approval is asked for.
    pub approval: Option<serde_json::Value>,
    /// Events delivered and still waiting.
    pub events_delivered: usize,
    pub events_waiting: usize,
    pub warnings: Vec<String>,
    pub duration_ms: u64,
}

/// Where an environment stands against the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusView {
    pub environment: String,
    pub target: String,
    pub migrations: Vec<MigrationView>,
    /// One sentence on the last promotion, `None` when there was none.
    pub last_promotion: Option<String>,
    /// One sentence on an unfinished promotion.
    pub unfinished: Option<String>,
    pub undelivered_events: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationView {
    pub id: String,
    pub state: MigrationState,
    /// RFC 3339, when applied.
    pub applied_at: Option<String>,
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationState {
    Applied,
    /// Started and not finished: the next `promote` resumes it.
    Running,
    Pending,
    /// Applied, and the file's bytes have changed since.
    Changed,
    /// Applied, and no file has this id.
    Missing,
    /// Pending, and ordered before one that is applied.
    OutOfOrder,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupView {
    pub name: String,
    pub created_at: String,
    pub expires_at: Option<String>,
    pub lsn: Option<String>,
    pub size_bytes: Option<u64>,
    /// `ready`, `incomplete`, …
    pub state: String,
    /// Its id on Neon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What verification found, when it was asked for.
    pub verified: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditView {
    pub environment: String,
    pub events: Vec<EventView>,
    /// Result of walking the hash chain: one sentence; `None` when not asked.
    pub chain: Option<String>,
    pub delivered: usize,
    pub waiting: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventView {
    pub sequence: u64,
    pub id: String,
    pub kind: String,
    pub time: String,
    pub delivered: bool,
    pub attempts: u32,
    pub last_error: Option<String>,
}

/// The answer of `sync`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncReport {
    /// Environment and database, never a password.
    pub source: String,
    pub mirror: String,
    /// `true` when this only says what would be done.
    pub planned: bool,
    pub tables: Vec<TableSync>,
    pub duration_ms: u64,
    pub recommendations: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableSync {
    pub table: String,
    pub source_rows: u64,
    pub mirror_rows: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub retries: u64,
    pub batches: u64,
    pub resumed: bool,
    /// Counts agree on both sides, and digests where there are any; `None` when not compared.
    pub verified: Option<bool>,
    /// Empty when only counts were compared.
    pub source_digest: String,
    pub mirror_digest: String,
    pub duration_ms: u64,
    /// What went wrong, with what to do about it.
    pub errors: Vec<Hinted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hinted {
    pub message: String,
    pub hint: Option<String>,
}

/// One line of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub state: CheckState,
    pub message: String,
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    Ok,
    Warning,
    Failed,
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
