//! `-- liftlock: …` directives in comments, and the statements they belong to.

use super::{Directive, DirectiveKind, Span, Statement, scan, source::Source};

/// Every directive of a text, in order, also those that no statement follows.
pub fn directives(text: &str) -> Vec<Directive> {
    let source = Source::file(text);
    scan::scan(text).comments.iter().filter_map(|comment| read(&source, *comment)).collect()
}

/// Gives each statement its directives: those within it, behind it on its last line, or before it. A directive
/// that no statement follows belongs to none.
pub(super) fn attach(source: &Source<'_>, comments: &[Span], statements: &mut [Statement]) {
    for comment in comments {
        let Some(directive) = read(source, *comment) else { continue };
        let next = statements.partition_point(|statement| statement.span.start <= directive.span.start);
        let before = next.checked_sub(1).filter(|before| {
            let end = statements[*before].span.end;
            let holds = directive.span.start < end;
            holds || {
                let behind = source.text.get(comment_line(source, *comment)..comment.start).unwrap_or_default();
                source.at(comment.start - behind.len()) < end
            }
        });
        if let Some(statement) = before.or(Some(next)).and_then(|at| statements.get_mut(at)) {
            statement.directives.push(directive);
        }
    }
}

/// Where the comment's line starts.
fn comment_line(source: &Source<'_>, comment: Span) -> usize {
    source.text[..comment.start].rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

fn read(source: &Source<'_>, comment: Span) -> Option<Directive> {
    let raw = source.slice(comment);
    let text = match raw.strip_prefix("--") {
        Some(line) => line,
        None => raw.strip_prefix("/*")?.strip_suffix("*/")?,
    };
    let (head, rest) = text.split_once(':')?;
    if !head.trim().eq_ignore_ascii_case("liftlock") {
        return None;
    }
    Some(Directive { span: source.span(comment), kind: kind(rest.trim()) })
}

fn kind(text: &str) -> DirectiveKind {
    let unknown = || DirectiveKind::Unknown { text: text.to_owned() };
    if text == "safe" {
        return DirectiveKind::Safe;
    }
    let Some(rest) = text.strip_prefix("allow").filter(|rest| rest.starts_with(char::is_whitespace)) else {
        return unknown();
    };
    let rest = rest.trim();
    let (rule, because) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let because = because.trim();
    let reason = because.strip_prefix("because").map_or("", str::trim);
    if rule.is_empty() || (reason.is_empty() && !matches!(because, "" | "because")) {
        return unknown();
    }
    DirectiveKind::Allow { rule: rule.to_owned(), reason: reason.to_owned() }
}
