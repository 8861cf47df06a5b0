//! A fix in a file of Liquibase's: each step is a changeset of the same file.

use crate::{
    report::{Fix, FixStep, Run},
    sql::{Span, Statement},
};

use super::amend::{Amended, Refused, in_place};

/// Only where the statement has its changeset for itself, or can stay in it: what a changeset has applied is known by its
/// id, so none is cut in two.
pub fn amend(text: &str, statements: &[Statement], position: usize, fix: &Fix) -> Result<Amended, Refused> {
    let refused = |why: &str| Refused(why.to_owned());
    let statement = &statements[position];
    let (start, end) = around(text, statement.span).ok_or_else(|| refused("it stands in no changeset"))?;
    let (first, others) = fix.steps.split_first().ok_or_else(|| refused("there is nothing to write"))?;
    let shares = statements.iter().any(|it| it.span != statement.span && start <= it.span.start && it.span.start < end);
    if shares && fix.steps.iter().any(|it| it.run == Run::Alone) {
        return Err(refused("it shares its changeset with other statements: give it one of its own first"));
    }
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[start..line_end].trim_end();
    let leaves = first.run == Run::Alone && !line.to_ascii_lowercase().contains("runintransaction");
    let mark = if leaves { " runInTransaction:false" } else { "" };
    let whole = in_place(text, fix.replaces, &first.sql);
    let body = &whole[line_end..(end + whole.len()).saturating_sub(text.len()).max(line_end)];
    let id = line.split_once(':').map(|(_, id)| id.split_whitespace().next().unwrap_or_default());
    let author = line.split_once(':').map(|(head, _)| head.split_whitespace().last().unwrap_or_default());
    let (Some(id), Some(author)) = (id, author) else { return Err(refused("its changeset has no id")) };
    let rolls_back = text[start..end].to_ascii_lowercase().contains("--rollback");
    let new = others.iter().map(|it| changeset(author, id, it, rolls_back)).collect::<String>();
    let kept = body.trim_end();
    let gap = if new.is_empty() { "" } else { "\n" };
    let text = format!(
        "{}{line}{mark}{kept}\n{gap}{new}{}{}",
        &text[..start],
        if end < text.len() { "\n" } else { "" },
        &text[end..]
    );
    Ok(Amended { text, added: Vec::new(), beside: Vec::new() })
}

fn changeset(author: &str, id: &str, step: &FixStep, rolls_back: bool) -> String {
    let mark = if step.run == Run::Alone { " runInTransaction:false" } else { "" };
    // Liquibase would cut a body at its `;`.
    let body = if super::written::is_block(step) { " splitStatements:false" } else { "" };
    let rollback = if rolls_back { "--rollback empty\n" } else { "" };
    format!("--changeset {author}:{id}-{}{mark}{body}\n{}\n{rollback}", step.name, step.sql)
}

/// From the marker of the changeset that a statement stands in to the next marker.
fn around(text: &str, statement: Span) -> Option<(usize, usize)> {
    let is_marker = |line: &str| {
        let comment = line.trim().strip_prefix("--").map(str::trim_start).unwrap_or_default();
        comment.get(..9).is_some_and(|it| it.eq_ignore_ascii_case("changeset"))
    };
    let (mut start, mut at) = (None, 0);
    for line in text.split_inclusive('\n') {
        if is_marker(line) {
            if at > statement.start {
                return Some((start?, at));
            }
            start = Some(at);
        }
        at += line.len();
    }
    Some((start?, text.len()))
}
