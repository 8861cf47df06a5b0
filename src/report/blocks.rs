//! Sections as blocks: the one place that words and orders what people read. Text and Markdown only set it.

mod findings;
mod layout;
mod rules;

use self::{findings::of_validation, rules::of_rules};
use super::{
    AuditView, BackupView, Check, CheckState, ErrorView, Finding, GateView, MigrationState, PlanView, PromotionView,
    Report, Section, StatusView, SyncReport, TableSync, Verdict,
};
use camino::Utf8PathBuf;

/// One block of a rendered report.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block<'a> {
    Heading(String),
    Paragraph(String),
    /// Marked lines.
    Items(Vec<Item>),
    Numbered(Vec<String>),
    Table(Table),
    Findings {
        findings: &'a [Finding],
        sources: &'a [(Utf8PathBuf, String)],
    },
    /// As it is.
    Verbatim(String),
    /// The answer, set so that it is found at once.
    Verdict(Verdict, String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub mark: Mark,
    pub name: String,
    pub text: String,
    /// Set below, as what to do.
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Yes,
    Maybe,
    No,
    None,
}

/// Cells as text; `right` columns hold numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    pub headers: Vec<&'static str>,
    pub right: Vec<bool>,
    pub rows: Vec<Vec<String>>,
}

/// All of a report.
pub(super) fn of_report(report: &Report) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = report.sections.iter().flat_map(of_section).collect();
    if !report.next.is_empty() {
        blocks.push(Block::Heading("Next".to_owned()));
        let next = report.next.iter();
        blocks.push(Block::Items(
            next.map(|it| Item { mark: Mark::None, name: it.command.clone(), text: it.what.clone(), fix: None })
                .collect(),
        ));
    }
    blocks
}

pub(super) fn of_section(section: &Section) -> Vec<Block<'_>> {
    match section {
        Section::Validation(validation) => of_validation(validation),
        Section::Plan(plan) => of_plan(plan),
        Section::Promotion(promotion) => of_promotion(promotion),
        Section::Status(status) => of_status(status),
        Section::Backups(backups) => of_backups(backups),
        Section::Audit(audit) => of_audit(audit),
        Section::Sync(sync) => of_sync(sync),
        Section::Checks(checks) => of_checks(checks),
        Section::Rules(rules) => of_rules(rules),
        Section::Error(error) => of_error(error),
        Section::Text { title, body } => of_text(title, body),
        Section::Raw(text) => vec![Block::Verbatim(text.clone())],
    }
}

fn of_text<'a>(title: &str, body: &str) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    if !title.is_empty() {
        blocks.push(Block::Heading(title.to_owned()));
    }
    if !body.is_empty() {
        blocks.push(Block::Verbatim(body.trim_end().to_owned()));
    }
    blocks
}

/// The answer last, as everywhere.
fn of_error<'a>(error: &ErrorView) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    if let Some(help) = &error.help {
        blocks.push(Block::Paragraph(format!("To do: {help}")));
    }
    let code = if error.code.is_empty() { String::new() } else { format!(" ({})", error.code) };
    blocks.push(Block::Verdict(Verdict::Fail, format!("{}{code}", error.message)));
    blocks
}

fn of_gate(gate: &GateView) -> Item {
    Item {
        mark: if gate.passed { Mark::Yes } else { Mark::No },
        name: gate.name.clone(),
        text: gate.evidence.clone(),
        fix: gate.fix.clone(),
    }
}

fn of_plan<'a>(plan: &PlanView) -> Vec<Block<'a>> {
    let mut blocks =
        vec![Block::Heading(format!("Plan for {} ({}), {}", plan.environment, plan.target, plan.promotion_type))];
    if let Some(resumes) = &plan.resumes {
        blocks.push(Block::Paragraph(resumes.clone()));
    }
    if let Some(emergency) = &plan.emergency {
        blocks.push(Block::Paragraph(format!("This is an {emergency}")));
    }
    blocks.push(Block::Items(plan.gates.iter().map(of_gate).collect()));
    if !plan.waivers.is_empty() {
        blocks.push(Block::Heading("Waived".to_owned()));
        blocks.push(Block::Items(plan.waivers.iter().map(|it| bare(it)).collect()));
    }
    if !plan.steps.is_empty() {
        blocks.push(Block::Heading("Steps".to_owned()));
        blocks.push(Block::Numbered(plan.steps.clone()));
    }
    let code = plan.code.as_ref().map(|it| format!("; approvers may write `plan {it}`")).unwrap_or_default();
    match &plan.digest {
        Some(digest) => blocks.push(Block::Paragraph(format!("Plan digest {digest}{code}"))),
        None => {
            let failed = plan.gates.iter().filter(|it| !it.passed).map(|it| it.name.as_str()).collect::<Vec<_>>();
            blocks
                .push(Block::Verdict(Verdict::Fail, format!("refused by {}; nothing was changed", failed.join(", "))));
        }
    }
    blocks
}

fn of_promotion<'a>(promotion: &PromotionView) -> Vec<Block<'a>> {
    let mut items = Vec::new();
    if let Some(point) = &promotion.restore_point {
        items.push(Item { mark: Mark::Yes, name: "restore point".to_owned(), text: point.clone(), fix: None });
    }
    if promotion.events_delivered + promotion.events_waiting > 0 {
        let text = format!("{} delivered, {} waiting", promotion.events_delivered, promotion.events_waiting);
        let mark = if promotion.events_waiting > 0 { Mark::Maybe } else { Mark::Yes };
        items.push(Item { mark, name: "audit events".to_owned(), text, fix: None });
    }
    for warning in &promotion.warnings {
        items.push(Item { mark: Mark::Maybe, name: "warning".to_owned(), text: warning.clone(), fix: None });
    }
    let resumed = if promotion.resumed { "resumed and " } else { "" };
    let answer = format!(
        "promotion {} to {} {resumed}finished in {}: {} applied",
        promotion.run,
        promotion.environment,
        milliseconds(promotion.duration_ms),
        counted(promotion.applied.len(), "migration"),
    );
    let mut blocks = vec![Block::Heading(format!("Promoted to {}", promotion.environment)), Block::Items(items)];
    if !promotion.applied.is_empty() {
        blocks.push(Block::Table(Table {
            headers: vec!["applied", "in"],
            right: vec![false, true],
            rows: promotion.applied.iter().map(|(id, ms)| vec![id.clone(), milliseconds(*ms)]).collect(),
        }));
    }
    blocks.push(Block::Paragraph(format!("Plan digest {}", promotion.digest)));
    blocks.push(Block::Verdict(Verdict::Pass, answer));
    blocks
}

fn of_status<'a>(status: &StatusView) -> Vec<Block<'a>> {
    let mut blocks = vec![Block::Heading(format!("{} ({})", status.environment, status.target))];
    let rows = status.migrations.iter().map(|it| {
        vec![
            state_word(it.state).to_owned(),
            it.id.clone(),
            it.applied_at.clone().unwrap_or_default(),
            it.note.clone().unwrap_or_default(),
        ]
    });
    blocks.push(Block::Table(Table {
        headers: vec!["state", "migration", "applied at", ""],
        right: vec![false; 4],
        rows: rows.collect(),
    }));
    for line in [&status.unfinished, &status.last_promotion].into_iter().flatten() {
        blocks.push(Block::Paragraph(line.clone()));
    }
    if status.undelivered_events > 0 {
        blocks.push(Block::Paragraph(format!(
            "{} not delivered to a webhook yet",
            counted(status.undelivered_events, "audit event")
        )));
    }
    let of = |state| status.migrations.iter().filter(|it| it.state == state).count();
    let mut parts = vec![format!("{} applied", of(MigrationState::Applied))];
    for state in [
        MigrationState::Running,
        MigrationState::Pending,
        MigrationState::Changed,
        MigrationState::Missing,
        MigrationState::OutOfOrder,
    ] {
        let count = of(state);
        if count > 0 || state == MigrationState::Pending {
            parts.push(format!("{count} {}", state_word(state)));
        }
    }
    blocks.push(Block::Paragraph(parts.join(", ")));
    blocks
}

fn state_word(state: MigrationState) -> &'static str {
    match state {
        MigrationState::Applied => "applied",
        MigrationState::Running => "half-applied",
        MigrationState::Pending => "pending",
        MigrationState::Changed => "changed",
        MigrationState::Missing => "no file",
        MigrationState::OutOfOrder => "out of order",
    }
}

fn of_backups<'a>(backups: &[BackupView]) -> Vec<Block<'a>> {
    if backups.is_empty() {
        return vec![Block::Paragraph("No restore points yet.".to_owned())];
    }
    let rows = backups.iter().map(|it| {
        vec![
            it.name.clone(),
            it.state.clone(),
            it.created_at.clone(),
            it.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
            it.lsn.clone().unwrap_or_default(),
            it.size_bytes.map(bytes).unwrap_or_default(),
            it.verified.clone().unwrap_or_default(),
        ]
    });
    vec![Block::Table(Table {
        headers: vec!["restore point", "state", "created", "expires", "LSN", "size", "verified"],
        right: vec![false, false, false, false, false, true, false],
        rows: rows.collect(),
    })]
}

fn of_audit<'a>(audit: &AuditView) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    if !audit.events.is_empty() {
        let rows = audit.events.iter().map(|it| {
            vec![
                it.sequence.to_string(),
                it.kind.clone(),
                it.time.clone(),
                if it.delivered { "delivered".to_owned() } else { "waiting".to_owned() },
                it.attempts.to_string(),
                it.last_error.clone().unwrap_or_default(),
                it.id.clone(),
            ]
        });
        blocks.push(Block::Table(Table {
            headers: vec!["#", "event", "time", "state", "attempts", "last error", "id"],
            right: vec![true, false, false, false, true, false, false],
            rows: rows.collect(),
        }));
    }
    if let Some(chain) = &audit.chain {
        blocks.push(Block::Paragraph(chain.clone()));
    }
    blocks.push(Block::Paragraph(format!(
        "{}: {} delivered, {} waiting",
        audit.environment, audit.delivered, audit.waiting
    )));
    blocks
}

fn of_sync<'a>(sync: &SyncReport) -> Vec<Block<'a>> {
    let verb = if sync.planned { "Would sync" } else { "Synced" };
    let mut blocks = vec![Block::Heading(format!("{verb} {} to {}", sync.source, sync.mirror))];
    blocks.push(Block::Table(if sync.planned { planned_tables(sync) } else { synced_tables(sync) }));
    let mut notes = Vec::new();
    for table in &sync.tables {
        for error in &table.errors {
            notes.push(Item {
                mark: Mark::No,
                name: table.table.clone(),
                text: error.message.clone(),
                fix: error.hint.clone(),
            });
        }
    }
    notes.extend(sync.recommendations.iter().map(|it| bare(it)));
    if !notes.is_empty() {
        blocks.push(Block::Items(notes));
    }
    if !sync.planned {
        blocks.push(sync_verdict(sync));
    }
    blocks
}

/// Nothing is known yet but about how many rows there are; nothing is shown where not even that is.
fn planned_tables(sync: &SyncReport) -> Table {
    let about = |rows| if rows == 0 { String::new() } else { format!("about {}", number(rows)) };
    let rows = sync.tables.iter().map(|it| vec![it.table.clone(), about(it.source_rows)]);
    Table { headers: vec!["table", "rows"], right: vec![false, true], rows: rows.collect() }
}

fn synced_tables(sync: &SyncReport) -> Table {
    let rows = sync.tables.iter().map(sync_row);
    Table {
        headers: vec![
            "table",
            "source",
            "mirror",
            "inserted",
            "updated",
            "unchanged",
            "deleted",
            "retries",
            "time",
            "rows/s",
            "verified",
        ],
        right: vec![false, true, true, true, true, true, true, true, true, true, false],
        rows: rows.collect(),
    }
}

fn sync_row(table: &TableSync) -> Vec<String> {
    let rate = match table.duration_ms {
        0 => String::new(),
        ms => number(table.source_rows.saturating_mul(1000) / ms),
    };
    let verified = match table.verified {
        Some(true) if table.mirror_digest.is_empty() => "count".to_owned(),
        Some(true) => "count and digest".to_owned(),
        Some(false) => "DIFFERS".to_owned(),
        None => String::new(),
    };
    vec![
        table.table.clone(),
        number(table.source_rows),
        number(table.mirror_rows),
        number(table.inserted),
        number(table.updated),
        number(table.unchanged),
        number(table.deleted),
        number(table.retries),
        milliseconds(table.duration_ms),
        rate,
        verified,
    ]
}

fn sync_verdict<'a>(sync: &SyncReport) -> Block<'a> {
    let wrong = sync.tables.iter().filter(|it| it.verified == Some(false) || !it.errors.is_empty()).count();
    let rows: u64 = sync.tables.iter().map(|it| it.source_rows).sum();
    let written: u64 = sync.tables.iter().map(|it| it.inserted + it.updated + it.deleted).sum();
    let what = format!(
        "{} in {}, {} written, in {}",
        counted(usize::try_from(rows).unwrap_or(usize::MAX), "row"),
        counted(sync.tables.len(), "table"),
        number(written),
        milliseconds(sync.duration_ms)
    );
    match wrong {
        0 if sync.tables.is_empty() => Block::Verdict(
            Verdict::Pass,
            "nothing was carried: there is no table with a primary key in the source".to_owned(),
        ),
        0 if sync.tables.iter().any(|it| it.mirror_digest.is_empty()) => Block::Verdict(
            Verdict::Pass,
            format!("{what}; every count agrees on both sides, digests were not compared"),
        ),
        0 => Block::Verdict(Verdict::Pass, format!("{what}; every count and digest agrees on both sides")),
        _ => Block::Verdict(Verdict::Fail, format!("{what}; {} not verified", counted(wrong, "table"))),
    }
}

fn of_checks<'a>(checks: &[Check]) -> Vec<Block<'a>> {
    let items = checks.iter().map(|it| Item {
        mark: match it.state {
            CheckState::Ok => Mark::Yes,
            CheckState::Warning => Mark::Maybe,
            CheckState::Failed => Mark::No,
        },
        name: it.name.clone(),
        text: it.message.clone(),
        fix: it.fix.clone(),
    });
    let of = |state| checks.iter().filter(|it| it.state == state).count();
    let (failed, warnings) = (of(CheckState::Failed), of(CheckState::Warning));
    let verdict = if failed > 0 { Verdict::Fail } else { Verdict::Pass };
    let answer = format!("{}: {failed} failed, {}", counted(checks.len(), "check"), counted(warnings, "warning"));
    vec![Block::Items(items.collect()), Block::Verdict(verdict, answer)]
}

fn bare(text: &str) -> Item {
    Item { mark: Mark::None, name: String::new(), text: text.to_owned(), fix: None }
}

/// `1 file`, `2 files`.
pub(super) fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", number(count as u64))
}

/// `23,700`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `12 ms`, `3.4 s`, `2 min 5 s`.
pub(super) fn milliseconds(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} ms"),
        1_000..60_000 => format!("{}.{} s", value / 1000, value % 1000 / 100),
        _ => format!("{} min {} s", value / 60_000, value % 60_000 / 1000),
    }
}

fn bytes(value: u64) -> String {
    match value {
        0..1_024 => format!("{value} B"),
        1_024..1_048_576 => format!("{} kB", value / 1_024),
        1_048_576..1_073_741_824 => format!("{} MB", value / 1_048_576),
        _ => format!("{:.1} GB", value as f64 / 1_073_741_824.0),
    }
}
