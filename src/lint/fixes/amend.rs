//! A fix written into the files: the statement is replaced, and what must not share its transaction becomes migrations
//! of their own, ordered right behind it.

use std::collections::HashSet;

use camino::Utf8PathBuf;

use crate::{
    migration::{
        self, Beside, MigrationId, SourceFile,
        layout::{Layout, Tool, downs::Down},
        script,
    },
    report::{Fix, FixStep, Run},
    sql::{self, Change, Span, Statement, change::Transaction},
};

use super::{
    changesets,
    written::{self, Companion, Frame, Version},
};

/// Why a fix cannot be written by itself: what a person has to do first, or instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// What becomes of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// The new text of the file that had the statement.
    pub text: String,
    /// New files, in order, all ordered behind it and before its successor.
    pub added: Vec<SourceFile>,
    /// New files that are no migrations and belong to one: down scripts, what a tool wants to be told.
    pub beside: Vec<Companion>,
}

/// Writes a fix into one of the files, which are in order. Nothing moves across another statement, so the end of all
/// migrations is the same.
///
/// `fresh` are files that earlier fixes have made: what stands behind the statement's file stays there. `beside` is what
/// lies beside the file.
pub fn amend(
    files: &[SourceFile],
    at: &MigrationId,
    fresh: &HashSet<MigrationId>,
    (layout, beside): (Layout, Beside),
    fix: &Fix,
) -> Result<Amended, Refused> {
    let refused = |why: &str| Err(Refused(why.to_owned()));
    let Some(index) = files.iter().position(|it| it.id == *at) else { return refused("its file is gone") };
    let file = &files[index];
    let migration = migration::read_in(file.clone(), layout, beside);
    let text = migration.text.as_str();
    let Some(position) = migration.statements.iter().position(|it| it.span.start == fix.replaces.start) else {
        return refused("its statement is gone");
    };
    let Some((first, others)) = fix.steps.split_first() else { return refused("there is nothing to write") };
    if layout.tool == Tool::Liquibase {
        return changesets::amend(text, &migration.statements, position, fix);
    }
    let frame = written::frame(layout.tool, text)?;
    let parts = if first.run == Run::InTransaction {
        Parts { text: in_place(text, fix.replaces, &first.sql), others, rest: None, alone: None }
    } else {
        match apart(&frame, &migration.statements, position, (first, layout.tool)) {
            Some(apart) => apart.into_parts(&fix.steps, &frame, layout.tool),
            None => return refused("its file has transactions or settings of its own: split it first"),
        }
    };
    let written = parts.others.iter().chain(parts.alone).collect::<Vec<_>>();
    let makes_files = parts.rest.is_some() || !parts.others.is_empty();
    if (makes_files || parts.alone.is_some())
        && let Some(why) = written::refusal(layout, &written).filter(|_| makes_files || layout.tool != Tool::Atlas)
    {
        return Err(Refused(why));
    }
    let name = file.id.0.rsplit('/').next().unwrap_or_default();
    let named = if matches!(name, "up.sql" | "migration.sql") { file.id.0.as_str() } else { name };
    let has_down = !matches!(migration.down, Down::Missing | Down::Unexpected);
    let down_of = has_down.then_some(named);
    let new = new_files(&parts, &frame, text, (layout.tool, down_of), &file.id);
    let new = new.into_iter().map(|(name, step, sql)| (name, step, with_ends_of(text, sql))).collect::<Vec<_>>();
    let behind = files[index + 1..].iter().take_while(|it| fresh.contains(&it.id)).count();
    let Some(ids) = ids_behind(files, index + behind, layout.tool, &new) else {
        return refused(
            "no version is free between this migration and the next one: give the ones behind it later versions where \
             they are applied nowhere yet, or add the new ones behind all others by hand",
        );
    };
    let pair_down = down_of.filter(|_| beside.down.is_some());
    let mut beside = Vec::new();
    if let Some(step) = parts.alone {
        // Its down script is there already.
        beside.extend(written::companions(layout.tool, &file.id, step, None));
    }
    for ((_, step, _), id) in new.iter().zip(&ids) {
        beside.extend(written::companions(layout.tool, id, step, pair_down));
    }
    let added =
        new.into_iter().zip(ids).map(|((_, _, text), id)| SourceFile { path: self::beside(file, &id), text, id });
    Ok(Amended { added: added.collect(), text: with_ends_of(text, parts.text), beside })
}

/// Names, steps and texts of new files, in order.
fn new_files(
    parts: &Parts,
    frame: &Frame,
    text: &str,
    (tool, down_of): (Tool, Option<&str>),
    id: &MigrationId,
) -> Vec<(String, FixStep, String)> {
    let header = header_of(text);
    let steps = parts.others.iter().map(|it| {
        let text = written::new_file(tool, &told(it, header), it, down_of);
        (it.name.clone(), it.clone(), text)
    });
    let rest = parts.rest.iter().map(|sql| {
        let step = FixStep { name: part_of(id), sql: sql.clone(), rollback: String::new(), run: Run::InTransaction };
        let head = header.map(|it| it.of_rest(frame.up, text)).unwrap_or_default();
        (step.name.clone(), step.clone(), written::new_file(tool, &head, &step, down_of))
    });
    steps.chain(rest).collect()
}

/// Lines end as they do in the file.
fn with_ends_of(text: &str, written: String) -> String {
    if text.contains("\r\n") { written.replace("\r\n", "\n").replace('\n', "\r\n") } else { written }
}

/// What the statement's file and the new ones hold.
struct Parts<'f> {
    text: String,
    others: &'f [FixStep],
    /// What stood behind the statement, when it cannot stay in its file.
    rest: Option<String>,
    /// The step that now stands alone in the file.
    alone: Option<&'f FixStep>,
}

pub(super) fn in_place(text: &str, span: Span, sql: &str) -> String {
    let (before, after) = (&text[..span.start], &text[span.end..]);
    if sql.is_empty() {
        let after = after.trim_start_matches([' ', '\t']).strip_prefix(';').unwrap_or(after);
        return format!("{before}{}", after.strip_prefix('\n').unwrap_or(after));
    }
    let is_ended = after.trim_start().starts_with(';');
    let sql = if is_ended { sql.strip_suffix(';').unwrap_or(sql) } else { sql };
    format!("{before}{sql}{after}")
}

/// A file around a statement that needs a migration of its own.
struct Apart {
    /// What stays before it; empty when nothing but comments and timeouts does.
    before: String,
    /// Comments above the first statement.
    head: String,
    after: String,
    alone: String,
}

impl Apart {
    fn into_parts<'f>(self, steps: &'f [FixStep], frame: &Frame, tool: Tool) -> Parts<'f> {
        let rest = (!self.after.is_empty()).then_some(self.after);
        if self.before.is_empty() {
            let first = &steps[0];
            let before = written::marked(tool, frame, first);
            let mark = if before.is_empty() { written::first_line(tool, &self.head, first) } else { "" };
            let after = if frame.after.is_empty() { String::new() } else { format!("\n{}", frame.after) };
            let text = format!("{mark}{before}{}{}\n{after}", self.head, self.alone);
            Parts { text, others: &steps[1..], rest, alone: Some(first) }
        } else {
            let gap = if frame.after.is_empty() { "" } else { "\n" };
            let text = format!("{}{}{gap}{}", frame.before, self.before, frame.after);
            Parts { text, others: steps, rest, alone: None }
        }
    }
}

/// `None` when the file sets something before the statement that has a meaning for it.
fn apart(frame: &Frame, statements: &[Statement], position: usize, (step, tool): (&FixStep, Tool)) -> Option<Apart> {
    let (text, moved) = (frame.up, frame.before.len());
    let shifted = |it: &Statement| Span { start: it.span.start - moved, end: it.span.end - moved };
    let statements = statements.iter().map(|it| Statement { span: shifted(it), ..it.clone() }).collect::<Vec<_>>();
    let statements = statements.as_slice();
    let is = |statement: &Statement, transaction| statement.change == Change::Transaction(transaction);
    let wrapped = is(statements.first()?, Transaction::Begin) && is(statements.last()?, Transaction::Commit);
    let inner = if wrapped { &statements[1..statements.len() - 1] } else { statements };
    let own = statements[position].span;
    let mut matters = [false, false];
    for other in inner.iter().filter(|it| it.span != own) {
        match &other.change {
            Change::Set(set) if set.name.ends_with("_timeout") => {}
            Change::Set(_) if other.span.start < own.start => return None,
            Change::Transaction(_) => return None,
            _ => matters[usize::from(other.span.start > own.start)] = true,
        }
    }
    let [any_before, any_after] = matters;
    let head_ends = statements[0].span.start;
    let behind = |span: Span| span.end + text[span.end..].find(';').map_or(0, |it| it + 1);
    let (begin, commit) = (text.get(statements[0].span.start..behind(statements[0].span))?, statements.last()?.span);
    let stays = without_label(text[..own.start].trim_end());
    let before = match (any_before, wrapped) {
        (false, _) => String::new(),
        (true, false) => format!("{stays}\n"),
        (true, true) => format!("{stays}\n\n{};\n", &text[commit.start..commit.end]),
    };
    let after = text[behind(own)..].trim_start();
    let after = match (any_after, wrapped) {
        (false, _) => String::new(),
        (true, false) => after.to_owned(),
        (true, true) => format!("{begin}\n\n{after}"),
    };
    let head = if written::is_block(step) && tool == Tool::Liftlock {
        let as_data = |line: &str| {
            if line.starts_with("-- Type:") { "-- Type: data_migration\n".to_owned() } else { line.to_owned() }
        };
        text[..head_ends].split_inclusive('\n').map(as_data).collect::<String>()
    } else {
        text[..head_ends].to_owned()
    };
    let alone = match (written::is_block(step), tool) {
        (true, Tool::Goose) => format!("-- +goose StatementBegin\n{}\n-- +goose StatementEnd", step.sql),
        (true, Tool::SqlMigrate) => format!("-- +migrate StatementBegin\n{}\n-- +migrate StatementEnd", step.sql),
        _ => step.sql.clone(),
    };
    Some(Apart { before, head, after, alone })
}

/// Without the line that Prisma writes above each statement, when the statement goes.
fn without_label(before: &str) -> &str {
    const LABELS: [&str; 4] = ["-- AddForeignKey", "-- AlterTable", "-- CreateIndex", "-- DropIndex"];
    LABELS.iter().find_map(|it| before.strip_suffix(it)).map_or(before, str::trim_end)
}

fn part_of(id: &MigrationId) -> String {
    let name = script::script(&id.0).name;
    // Flyway's has a letter before its number.
    let numbered = if name.contains("__") { name.trim_start_matches(['V', 'v']) } else { name.as_str() };
    let has_number = numbered.starts_with(|it: char| it.is_ascii_digit());
    let numbered = if has_number { numbered } else { name.as_str() };
    let words = numbered.trim_start_matches(|it: char| it.is_ascii_digit() || "_-.".contains(it));
    format!("{}_rest", words.trim_end_matches("_safe"))
}

/// The comment on top of a migration of this convention.
#[derive(Clone, Copy)]
struct Header<'t> {
    created: &'t str,
}

/// `None` when the file has none: then neither have the new ones.
fn header_of(text: &str) -> Option<Header<'_>> {
    let line = |label: &str| text.lines().find_map(|it| it.trim().strip_prefix("-- ")?.strip_prefix(label));
    line("Description:")?;
    Some(Header { created: line("Created:").unwrap_or_default().trim() })
}

impl Header<'_> {
    /// The comments above the first statement; those of a section's file stand above the section.
    fn of_rest(self, up: &str, text: &str) -> String {
        let head = |text: &str| {
            let first = sql::read(text).first().map_or(text.len(), |it| it.span.start);
            text[..first].to_owned()
        };
        if up.len() == text.len() { head(text) } else { String::new() }
    }
}

fn told(step: &FixStep, header: Option<Header>) -> String {
    let Some(header) = header else { return String::new() };
    let kind = if written::is_block(step) { "data_migration" } else { "schema_safe" };
    let rollback = step.rollback.lines().map(|it| format!("--   {it}\n")).collect::<String>();
    format!(
        "-- Description: {}\n-- Created: {}\n-- Type: {kind}\n-- Rollback:\n{rollback}\n",
        step.name.replace('_', " "),
        header.created,
    )
}

fn beside(file: &SourceFile, id: &MigrationId) -> Utf8PathBuf {
    let root = file.path.as_str().strip_suffix(file.id.0.as_str()).unwrap_or_default();
    Utf8PathBuf::from(format!("{root}{id}"))
}

/// Ids for new migrations right behind one, in the form of its own; `None` where there is no room. A file that holds
/// the very text already was written by a run that was killed, and is taken for it.
fn ids_behind(
    files: &[SourceFile],
    index: usize,
    tool: Tool,
    new: &[(String, FixStep, String)],
) -> Option<Vec<MigrationId>> {
    let version = written::version(tool, &files[index].id.0);
    if new.is_empty() {
        return Some(Vec::new());
    }
    let version = version?;
    let whole = ids_from(files, index, version.next(), new);
    whole.or_else(|| ids_from(files, index, version.below(), new))
}

fn ids_from(
    files: &[SourceFile],
    index: usize,
    first: Option<Version>,
    new: &[(String, FixStep, String)],
) -> Option<Vec<MigrationId>> {
    let id = &files[index].id;
    let mut ids = Vec::new();
    let mut version = first;
    for (name, _, text) in new {
        let this = version?;
        let new_id = MigrationId(renamed(&id.0, &this.text, name)?);
        let is_written = files.iter().any(|it| it.id == new_id && it.text == *text);
        let is_taken = files.iter().any(|it| it.id == new_id) && !is_written;
        let next = files[index + 1..].iter().find(|it| it.id != new_id && !ids.contains(&it.id));
        let same = |it: &SourceFile| {
            let own = script::script(&it.id.0).version;
            it.id != new_id && own.is_some() && own == script::script(&new_id.0).version
        };
        if is_taken || next.is_some_and(|it| new_id >= it.id) || files.iter().any(same) {
            return None;
        }
        ids.push(new_id);
        version = this.next();
    }
    Some(ids)
}

fn renamed(id: &str, version: &str, name: &str) -> Option<String> {
    let old = script::script(id).name;
    let flyway = if old.starts_with(['V', 'v']) && old.contains("__") { &old[..1] } else { "" };
    let length = written::version(Tool::Liftlock, id)?.text.len();
    let behind = &old[flyway.len() + length..];
    let separator = &behind[..behind.len() - behind.trim_start_matches(['_', '-']).len()];
    let separator = if separator.is_empty() { "_" } else { separator };
    let safe = if old.ends_with("_safe") { "_safe" } else { "" };
    let new = format!("{flyway}{version}{separator}{name}{safe}");
    let at = id.rfind(&old)?;
    Some(format!("{}{new}{}", &id[..at], &id[at + old.len()..]))
}
