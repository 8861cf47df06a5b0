//! A fix written into the files: the statement is replaced, and what must not share its transaction becomes migrations
//! of their own, ordered right behind it.

use std::collections::HashSet;

use camino::Utf8PathBuf;

use crate::{
    migration::{
        self, Beside, MigrationId, SourceFile,
        layout::{Layout, Tool},
        script::{self, Script},
    },
    report::{Fix, FixStep, Run},
    sql::{self, Change, Span, Statement, change::Transaction},
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
}

/// Writes a fix into one of the files, which are in order. Nothing moves across another statement, so the end of all
/// migrations is the same.
///
/// `fresh` are files that earlier fixes have made: what stands behind the statement's file stays there.
pub fn amend(
    files: &[SourceFile],
    at: &MigrationId,
    fresh: &HashSet<MigrationId>,
    layout: Layout,
    fix: &Fix,
) -> Result<Amended, Refused> {
    let refused = |why: &str| Err(Refused(why.to_owned()));
    let Some(index) = files.iter().position(|it| it.id == *at) else { return refused("its file is gone") };
    let file = &files[index];
    let migration = migration::read_in(file.clone(), layout, Beside::default());
    let text = migration.text.as_str();
    let Some(position) = migration.statements.iter().position(|it| it.span == fix.replaces) else {
        return refused("its statement is gone");
    };
    let Some((first, others)) = fix.steps.split_first() else { return refused("there is nothing to write") };
    let parts = if first.run == Run::InTransaction {
        Parts { text: in_place(text, fix.replaces, &first.sql), others, rest: None }
    } else {
        match apart(text, &migration.statements, position, (first, layout.tool)) {
            Some(apart) => apart.into_parts(&fix.steps),
            None => return refused("its file has transactions or settings of its own: split it first"),
        }
    };
    let makes_files = parts.rest.is_some() || !parts.others.is_empty();
    if makes_files && !is_plain(layout.tool) {
        return Err(Refused(format!(
            "a new migration of {} is more than a file of SQL: make it with that tool, `--format json` has the SQL",
            layout.tool.title()
        )));
    }
    let header = header_of(text);
    let steps = parts.others.iter().map(|it| (it.name.clone(), told(it, header, layout.tool), it.sql.as_str()));
    let rest = parts
        .rest
        .iter()
        .map(|it| (part_of(&file.id), header.map(|it| it.of_rest(text)).unwrap_or_default(), it.as_str()));
    let new = steps.chain(rest).map(|(name, head, sql)| (name, format!("{head}{}\n", sql.trim_end())));
    let new = new.map(|(name, sql)| (name, with_ends_of(text, sql))).collect::<Vec<_>>();
    let behind = files[index + 1..].iter().take_while(|it| fresh.contains(&it.id)).count();
    let Some(ids) = ids_behind(files, index + behind, &new) else {
        return refused("no version is free between this migration and the next one");
    };
    let added = new.into_iter().zip(ids).map(|((_, text), id)| SourceFile { path: beside(file, &id), text, id });
    Ok(Amended { added: added.collect(), text: with_ends_of(text, parts.text) })
}

/// Whether a migration of this tool is a file of SQL and nothing else: no sections, no journal, no checksums.
fn is_plain(tool: Tool) -> bool {
    match tool {
        Tool::Flyway
        | Tool::GolangMigrate
        | Tool::Liftlock
        | Tool::Postgrator
        | Tool::Prisma
        | Tool::Refinery
        | Tool::Sqlx
        | Tool::Supabase => true,
        Tool::Atlas
        | Tool::Dbmate
        | Tool::Diesel
        | Tool::Drizzle
        | Tool::Goose
        | Tool::GraphileMigrate
        | Tool::Liquibase
        | Tool::NodePgMigrate
        | Tool::Pop
        | Tool::SqlMigrate => false,
    }
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
}

fn in_place(text: &str, span: Span, sql: &str) -> String {
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
    fn into_parts(self, steps: &[FixStep]) -> Parts<'_> {
        let rest = (!self.after.is_empty()).then_some(self.after);
        if self.before.is_empty() {
            Parts { text: format!("{}{}\n", self.head, self.alone), others: &steps[1..], rest }
        } else {
            Parts { text: self.before, others: steps, rest }
        }
    }
}

/// `None` when the file sets something before the statement that has a meaning for it.
fn apart(text: &str, statements: &[Statement], position: usize, (step, tool): (&FixStep, Tool)) -> Option<Apart> {
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
    let before = match (any_before, wrapped) {
        (false, _) => String::new(),
        (true, false) => format!("{}\n", text[..own.start].trim_end()),
        (true, true) => {
            format!("{}\n\n{};\n", text[..own.start].trim_end(), &text[commit.start..commit.end])
        }
    };
    let after = text[behind(own)..].trim_start();
    let after = match (any_after, wrapped) {
        (false, _) => String::new(),
        (true, false) => after.to_owned(),
        (true, true) => format!("{begin}\n\n{after}"),
    };
    let head = if is_block(step) {
        let as_data = |line: &str| {
            if line.starts_with("-- Type:") { "-- Type: data_migration\n".to_owned() } else { line.to_owned() }
        };
        text[..head_ends].split_inclusive('\n').map(as_data).collect::<String>()
    } else {
        text[..head_ends].to_owned()
    };
    let mark = if text.starts_with(NO_TRANSACTION.trim_end()) { "" } else { mark(step, tool) };
    let head = format!("{mark}{head}");
    Some(Apart { before, head, after, alone: step.sql.clone() })
}

/// A `DO` block that commits: it changes rows, and nothing else says that it needs to be outside a transaction.
fn is_block(step: &FixStep) -> bool {
    step.run == Run::Alone && step.sql.get(..3).is_some_and(|it| it.eq_ignore_ascii_case("do "))
}

/// The first line of a migration that needs one to run as its step says: sqlx opens a transaction around every other.
fn mark(step: &FixStep, tool: Tool) -> &'static str {
    if is_block(step) || tool == Tool::Sqlx && step.run == Run::Alone { NO_TRANSACTION } else { "" }
}

/// The first line that keeps a migration out of a transaction block.
const NO_TRANSACTION: &str = "-- no-transaction\n";

fn part_of(id: &MigrationId) -> String {
    let name = script::script(&id.0).name;
    let words = name.trim_start_matches(|it: char| it.is_ascii_digit() || it == '_' || it == '-').to_owned();
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
    fn of_rest(self, text: &str) -> String {
        let first = sql::read(text).first().map_or(text.len(), |it| it.span.start);
        text[..first].to_owned()
    }
}

fn told(step: &FixStep, header: Option<Header>, tool: Tool) -> String {
    let (runs_block, mark) = (is_block(step), mark(step, tool));
    let Some(header) = header else { return mark.to_owned() };
    let kind = if runs_block { "data_migration" } else { "schema_safe" };
    let rollback = step.rollback.lines().map(|it| format!("--   {it}\n")).collect::<String>();
    format!(
        "{mark}-- Description: {}\n-- Created: {}\n-- Type: {kind}\n-- Rollback:\n{rollback}\n",
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
fn ids_behind(files: &[SourceFile], index: usize, new: &[(String, String)]) -> Option<Vec<MigrationId>> {
    let id = &files[index].id;
    let script = script::script(&id.0);
    let mut ids = Vec::new();
    let mut behind = version_text(&script)?;
    for (name, text) in new {
        behind = succeeding(&behind)?;
        let id = MigrationId(renamed(&id.0, &script, &behind, name)?);
        let is_written = files.iter().any(|it| it.id == id && it.text == *text);
        let is_taken = files.iter().any(|it| it.id == id) && !is_written;
        let next = files[index + 1..].iter().find(|it| it.id != id && !ids.contains(&it.id));
        if is_taken || next.is_some_and(|it| id >= it.id) {
            return None;
        }
        ids.push(id);
    }
    Some(ids)
}

/// The digits that a name starts with, after Flyway's `V`.
fn version_text(script: &Script) -> Option<String> {
    let name = script.name.strip_prefix(['V', 'v']).filter(|_| script.name.contains("__")).unwrap_or(&script.name);
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let ends = name[digits..].chars().next().is_none_or(|it| it == '_' || it == '-');
    let more = name[digits..].trim_start_matches(['_', '-']).starts_with(|it: char| it.is_ascii_digit());
    (digits > 0 && ends && !more).then(|| name[..digits].to_owned())
}

/// The next second of a time, the next number of a sequence in the same width.
fn succeeding(version: &str) -> Option<String> {
    if version.len() == 14
        && let Ok(time) = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", version)
    {
        let next = time.checked_add(jiff::Span::new().seconds(1)).ok()?;
        return Some(next.strftime("%Y%m%d%H%M%S").to_string());
    }
    let next = version.parse::<u64>().ok()?.checked_add(1)?.to_string();
    (next.len() <= version.len().max(next.len())).then(|| format!("{next:0>width$}", width = version.len()))
}

fn renamed(id: &str, script: &Script, version: &str, name: &str) -> Option<String> {
    let old = script.name.as_str();
    let flyway = if old.starts_with(['V', 'v']) && old.contains("__") { &old[..1] } else { "" };
    let behind = &old[flyway.len() + version_text(script)?.len()..];
    let separator = &behind[..behind.len() - behind.trim_start_matches(['_', '-']).len()];
    let separator = if separator.is_empty() { "_" } else { separator };
    let safe = if old.ends_with("_safe") { "_safe" } else { "" };
    let new = format!("{flyway}{version}{separator}{name}{safe}");
    let at = id.rfind(old)?;
    Some(format!("{}{new}{}", &id[..at], &id[at + old.len()..]))
}
