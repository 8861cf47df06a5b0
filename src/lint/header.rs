//! The comments of a migration that say what it is: `-- Description: …`, `-- Rollback: …`.

use crate::{config::PromotionType, migration::Migration, sql::Span};

/// A labelled comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub label: Label,
    /// What stands behind it, over all its lines, without comment marks.
    pub value: String,
    /// The line of the label.
    pub span: Span,
    /// It stands before the first statement.
    pub on_top: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Description,
    Created,
    Type,
    Rollback,
}

impl Label {
    pub const ALL: [Self; 4] = [Self::Description, Self::Created, Self::Type, Self::Rollback];

    /// As the template writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Description => "Description",
            Self::Created => "Created",
            Self::Type => "Type",
            Self::Rollback => "Rollback",
        }
    }
}

/// All labelled comments between the statements.
pub fn fields(migration: &Migration) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut open = false;
    for (span, on_top) in gaps(migration) {
        let mut at = span.start;
        let mut block = false;
        for line in migration.text[span.start..span.end].split_inclusive('\n') {
            let place = Span { start: at, end: at + line.trim_end().len() };
            at += line.len();
            let trimmed = line.trim();
            let is_comment = block || trimmed.starts_with("--") || trimmed.starts_with("/*");
            block = is_comment && (block || trimmed.starts_with("/*")) && !trimmed.ends_with("*/");
            if !is_comment {
                open &= trimmed.is_empty();
                continue;
            }
            let text = bare(trimmed);
            if let Some((label, value)) = labelled(text) {
                fields.push(Field { label, value: value.to_owned(), span: place, on_top });
                open = true;
            } else if let (true, Some(field)) = (open, fields.last_mut()) {
                field.value.push('\n');
                field.value.push_str(text);
            }
        }
        open = false;
    }
    fields
}

/// What kind of promotion the header says the migration is for. It only counts where nobody asked for another
/// one; `schema_safe` is what is asked of everybody, and a hotfix is nothing that a file can claim.
pub fn declared_type(migration: &Migration) -> Option<PromotionType> {
    const DECLARED: [PromotionType; 2] = [PromotionType::ConfigOnly, PromotionType::DataMigration];
    let top = &migration.text[..migration.statements.first().map_or(migration.text.len(), |it| it.span.start)];
    // Nearly no header does, and this is asked of every file.
    if !DECLARED.iter().any(|kind| top.contains(kind.name())) {
        return None;
    }
    let declared = fields(migration).into_iter().find(|field| field.label == Label::Type && field.on_top)?;
    let word = declared.value.split_whitespace().next()?;
    DECLARED.into_iter().find(|kind| kind.name() == word)
}

/// Is there nothing, or only what a template leaves to be filled in?
pub fn is_blank(value: &str) -> bool {
    let value = value.trim();
    let filled_in_later = value.starts_with('<') && value.ends_with('>') || value.starts_with("TODO");
    value.chars().all(|it| !it.is_alphanumeric()) || filled_in_later
}

/// The text between the statements, and whether it is that before the first.
fn gaps(migration: &Migration) -> Vec<(Span, bool)> {
    let mut gaps = Vec::new();
    let mut start = 0;
    for statement in &migration.statements {
        if statement.span.start > start {
            gaps.push((Span { start, end: statement.span.start }, start == 0));
        }
        start = start.max(statement.span.end);
    }
    gaps.push((Span { start, end: migration.text.len() }, start == 0));
    gaps
}

/// A comment's line without its marks: `-- * x` → `x`.
fn bare(line: &str) -> &str {
    let line = line.trim_end_matches("*/");
    line.trim_start_matches(['-', '/', '*', '#', '=', '|', ' ', '\t']).trim_end()
}

/// `Description: x`, `Migration type: x`, `Rollback instructions: x`; also `Rollback` alone as a heading.
fn labelled(text: &str) -> Option<(Label, &str)> {
    let (before, value) = text.split_once(':').unwrap_or((text.trim_end_matches(['=', '-', ' ']), ""));
    let before = before.to_ascii_lowercase();
    let words = before.split_whitespace().skip_while(|it| *it == "migration").collect::<Vec<_>>();
    let label = match words.as_slice() {
        ["description" | "purpose" | "summary"] => Label::Description,
        ["created" | "date"] | ["created", "at" | "on" | "date"] => Label::Created,
        ["type"] => Label::Type,
        ["rollback"] | ["rollback", "instructions" | "plan" | "steps" | "procedure" | "sql" | "strategy"] => {
            Label::Rollback
        }
        ["roll", "back"] | ["how", "to", "roll", "back"] => Label::Rollback,
        _ => return None,
    };
    // A heading is a line of its own; only rollback instructions are long enough to have one.
    (text.contains(':') || label == Label::Rollback).then_some((label, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::{Label, is_blank, labelled};

    #[test]
    fn labels_are_read_as_people_write_them() {
        let cases = [
            ("Description: adds a pole", Some((Label::Description, "adds a pole"))),
            ("DESCRIPTION:adds", Some((Label::Description, "adds"))),
            ("Migration Type: schema_safe", Some((Label::Type, "schema_safe"))),
            ("Created at: 2026-01-01 10:00", Some((Label::Created, "2026-01-01 10:00"))),
            ("Created by: nobody", None),
            ("Rollback instructions: drop table x", Some((Label::Rollback, "drop table x"))),
            ("ROLLBACK", Some((Label::Rollback, ""))),
            ("Rollback ====", Some((Label::Rollback, ""))),
            ("rollback of the last release", None),
            ("type", None),
            ("the type: is text", None),
        ];
        for (text, expected) in cases {
            assert_eq!(labelled(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_template_leaves_open_is_blank() {
        for (value, expected) in [("", true), ("-", true), ("<what it does>", true), ("TODO", true), ("adds x", false)]
        {
            assert_eq!(is_blank(value), expected, "{value}");
        }
    }
}
