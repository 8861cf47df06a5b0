//! The values of an `INSERT … VALUES`, as they are written.

use std::ops::Range;

use crate::sql::{
    Token,
    change::{Operand, OperandKind},
    tokens,
};

/// A file with more text in one statement is data, and nobody reads findings on it.
const LONGEST: usize = 200_000;

/// One value of one row: its tokens.
pub type Cell<'t> = Vec<&'t str>;

/// Rows, each with its cells in order; `None` where it is no plain list of rows, or too long a one.
pub fn rows(written: &str) -> Option<Vec<Vec<Cell<'_>>>> {
    if written.len() > LONGEST || !written.get(..6)?.eq_ignore_ascii_case("insert") {
        return None;
    }
    let tokens = tokens(written);
    let text = |it: &Token| &written[it.span.start..it.span.end];
    let mut depth = 0_usize;
    let start = tokens.iter().position(|it| {
        depth = deeper(depth, text(it));
        depth == 0 && text(it).eq_ignore_ascii_case("values")
    })?;
    let mut rows = Vec::new();
    let mut at = start + 1;
    loop {
        let row = row_at(&tokens, at, &text)?;
        at = row.end + 1;
        rows.push(cells(tokens[row].iter().map(text).collect()));
        match tokens.get(at).map(text) {
            Some(",") => at += 1,
            None | Some(";") => break,
            Some(word) if ["on", "returning"].iter().any(|it| it.eq_ignore_ascii_case(word)) => break,
            Some(_) => return None,
        }
    }
    // `(row).*` is as many values as the row has.
    let spreads = rows.iter().flatten().any(|it| it.windows(2).any(|it| it == [".", "*"]));
    (!spreads).then_some(rows)
}

/// A value that is one constant.
pub fn constant(cell: &Cell<'_>) -> Option<Operand> {
    let number = |it: &str| it.starts_with(|it: char| it.is_ascii_digit() || it == '.');
    let kind = match cell.as_slice() {
        [text] if text.starts_with('\'') && text.len() > 1 => {
            OperandKind::Text(text[1..text.len() - 1].replace("''", "'"))
        }
        [it] if number(it) => OperandKind::Number((*it).to_owned()),
        ["-", it] if number(it) => OperandKind::Number(format!("-{it}")),
        [it] if it.eq_ignore_ascii_case("true") => OperandKind::Boolean(true),
        [it] if it.eq_ignore_ascii_case("false") => OperandKind::Boolean(false),
        [it] if it.eq_ignore_ascii_case("null") => OperandKind::Null,
        _ => return None,
    };
    Some(Operand { kind, cast: None })
}

/// What stands between the brackets that open here.
fn row_at<'t>(tokens: &[Token], at: usize, text: &impl Fn(&Token) -> &'t str) -> Option<Range<usize>> {
    if text(tokens.get(at)?) != "(" {
        return None;
    }
    let mut depth = 0;
    let length = tokens[at..].iter().position(|it| {
        depth = deeper(depth, text(it));
        depth == 0
    })?;
    Some(at + 1..at + length)
}

fn cells(tokens: Vec<&str>) -> Vec<Cell<'_>> {
    let mut cells = vec![Vec::new()];
    let mut depth = 0;
    for token in tokens {
        depth = deeper(depth, token);
        match cells.last_mut() {
            Some(_) if depth == 0 && token == "," => cells.push(Vec::new()),
            Some(cell) => cell.push(token),
            None => {}
        }
    }
    cells
}

fn deeper(depth: usize, token: &str) -> usize {
    match token {
        "(" | "[" => depth + 1,
        ")" | "]" => depth.saturating_sub(1),
        _ => depth,
    }
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let cases = [
            ("insert into t values (1, 'a,b')", "1|'a,b'"),
            (
                "INSERT INTO t (a, b) VALUES (f(1, 2), array[1, 2]), (default, (3)) on conflict do nothing",
                "f(1,2)|array[1,2]/default|(3)",
            ),
            ("insert into t (values) values (1) returning id;", "1"),
            ("insert into t select 1", "-"),
            ("insert into t values ((r).*)", "-"),
            ("insert into t values (1) union all values (2)", "-"),
            ("with a as (select 1) insert into t values (1)", "-"),
        ];
        for (written, expected) in cases {
            let read = rows(written).map(|it| {
                it.iter()
                    .map(|it| it.iter().map(|it| it.concat()).collect::<Vec<_>>().join("|"))
                    .collect::<Vec<_>>()
                    .join("/")
            });
            assert_eq!(read.as_deref().unwrap_or("-"), expected, "{written}");
        }
    }
}
