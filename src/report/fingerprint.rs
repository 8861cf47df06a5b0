//! What knows a finding again after lines have moved: its rule, and its statement without values and comments.
//!
//! Values are left out, so that nobody can guess one from the hash.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{Columns, Finding};
use crate::sql::{
    Change, Statement,
    change::Unread,
    scan::{self, TokenKind},
};

/// Gives the findings of one file, of these statements, their fingerprints and their columns in UTF-16 code units.
pub fn mark(text: &str, statements: &[Statement], findings: &mut [Finding]) {
    // A statement may have thousands of findings: one for each table that it drops.
    let mut last = (None, String::new());
    for finding in findings {
        let at = finding.span.start;
        let nearest = statements.partition_point(|it| it.span.end <= at);
        if last.0 != Some(nearest) {
            last = (Some(nearest), statements.get(nearest).map(|it| normalised(text, it)).unwrap_or_default());
        }
        let inside = statements.get(nearest).is_some_and(|it| it.span.start <= at);
        finding.fingerprint = fingerprint(&finding.rule, if inside { &last.1 } else { "" });
        finding.utf16 = Columns { start: utf16_column(text, at), end: utf16_column(text, finding.span.end) };
    }
}

/// Words in lower case, one space between tokens, `?` for every value; nothing of what is no SQL.
fn normalised(text: &str, statement: &Statement) -> String {
    if let Change::Unread { reason: Unread::PsqlCommand { .. } | Unread::CopyData } = statement.change {
        return String::new();
    }
    let written = &text[statement.span.start..statement.span.end];
    let mut normalised = String::with_capacity(written.len());
    for token in scan::tokens(written) {
        if !normalised.is_empty() {
            normalised.push(' ');
        }
        let written = &written[token.span.start..token.span.end];
        match token.kind {
            TokenKind::Word => normalised.extend(written.chars().map(|it| it.to_ascii_lowercase())),
            TokenKind::String | TokenKind::Number => normalised.push('?'),
            TokenKind::Quoted | TokenKind::Parameter | TokenKind::Operator | TokenKind::Symbol => {
                normalised.push_str(written);
            }
        }
    }
    normalised
}

fn fingerprint(rule: &str, statement: &str) -> String {
    let digest = Sha256::new().chain_update(rule).chain_update([0]).chain_update(statement).finalize();
    HEXLOWER.encode(&digest[..16])
}

/// Counted from 1; an offset past the end is the end.
fn utf16_column(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let line = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    text[line..offset].encode_utf16().count() + 1
}

#[cfg(test)]
mod tests {
    use super::{super::tests::finding, Finding};
    use crate::sql::{self, Span};

    fn mark(text: &str, findings: &mut [Finding]) {
        super::mark(text, &sql::read(text), findings);
    }

    /// The fingerprint of a finding at the first `drop` of the text.
    fn print(rule: &str, text: &str) -> String {
        let start = text.find("drop").or_else(|| text.find("DROP")).unwrap_or(0);
        let mut findings = [finding(rule)];
        findings[0].span = Span { start, end: text.len() };
        mark(text, &mut findings);
        findings[0].fingerprint.clone()
    }

    #[test]
    fn a_fingerprint_stays_when_lines_comments_values_and_letter_case_change() {
        let first = print("drop-table", "drop table orders;");
        for (text, same) in [
            ("-- new\n\n  DROP   table\torders ;", true),
            ("select 1; drop /* why */ table orders", true),
            ("drop table \"orders\";", false),
            ("drop table orders_2;", false),
        ] {
            assert_eq!(print("drop-table", text) == first, same, "{text}");
        }
        assert_ne!(print("drop-column", "drop table orders;"), first);
        let values = |value: &str| print("x", &format!("drop x where y = {value}"));
        assert_eq!(values("'hunter2'"), values("42"));
    }

    #[test]
    fn columns_count_utf16_code_units() {
        let text = "é𝔘 drop";
        let mut findings = [finding("x")];
        findings[0].span = Span { start: text.find("drop").unwrap(), end: text.len() };
        mark(text, &mut findings);
        assert_eq!((findings[0].utf16.start, findings[0].utf16.end), (5, 9));
        findings[0].span = Span { start: 3, end: 900 };
        mark(text, &mut findings);
        assert_eq!((findings[0].utf16.start, findings[0].utf16.end), (2, 9));
    }
}
