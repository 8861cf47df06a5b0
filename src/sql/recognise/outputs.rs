//! Which columns a query gives, as far as its tokens tell.

use super::{
    super::{
        Span,
        change::{Operand, OperandKind, Output, Outputs},
        scan::TokenKind,
    },
    cursor::Cursor,
    operand, query,
};

/// Words that stand in front of a column without making it another's name.
const NO_COLUMNS: &[&str] = &["ALL", "CASE", "DISTINCT", "NOT", "NULL"];

/// Words that are a name behind a value only with `AS` (`AS_LABEL` in kwlist.h): they end a type, or an operator.
const NO_BARE_LABELS: &[&str] =
    &["DAY", "HOUR", "ISNULL", "MINUTE", "MONTH", "NOTNULL", "PRECISION", "SECOND", "VARYING", "YEAR"];

/// Words that end the list of a `FROM`.
const BEHIND_FROM: &[&str] = &[
    "EXCEPT",
    "FETCH",
    "FOR",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "LIMIT",
    "OFFSET",
    "ORDER",
    "UNION",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// The columns of a plain `SELECT`; `None` for `VALUES`, `WITH` and whatever stands in brackets.
pub fn read(mut cursor: Cursor<'_>) -> Option<Outputs> {
    let whole = cursor;
    if !cursor.eat("SELECT") {
        return None;
    }
    if cursor.eat("DISTINCT") && cursor.eat("ON") {
        cursor.parentheses()?;
    }
    cursor.eat("ALL");
    let mut end = cursor;
    end.skip_to(query::CLAUSES);
    let parts = cursor.range(cursor.at, end.at).split();
    let plain = parts.iter().filter_map(|it| plain(*it)).collect();
    let columns = parts.into_iter().map(output).collect();
    let selects = (whole.at..whole.end).filter(|at| whole.range(*at, whole.end).is_one_of(0, &["SELECT", "VALUES"]));
    let (named, alone, called) = sources(end);
    Some(Outputs { columns, flat: named && selects.count() == 1, alone, called, plain })
}

/// A column by its name alone, whatever it is called then.
fn plain(part: Cursor<'_>) -> Option<(String, Span)> {
    let (value, _) = labelled(part);
    let mut behind = value;
    let name = behind.ident().ok()?;
    let expression = value.expression();
    let of = &expression.whole;
    let is_it = matches!(&of.kind, OperandKind::Column(it) if it.parts.len() == 1) && of.cast.is_none();
    (is_it && behind.done() && !value.is_one_of(0, NO_COLUMNS)).then_some((name.name, name.span))
}

/// Whether the `FROM` lists nothing but names, no function and no query; whether it is one of them alone; and what that
/// is called.
fn sources(mut cursor: Cursor<'_>) -> (bool, bool, Option<String>) {
    if !cursor.is_word(0, "FROM") && !cursor.skip_to(&["FROM"]) {
        return (true, false, None);
    }
    cursor.eat("FROM");
    let mut end = cursor;
    if !end.skip_to(BEHIND_FROM) {
        end.at = end.end;
    }
    let list = cursor.range(cursor.at, end.at);
    let mut condition = false;
    let (mut named, mut alone) = (true, true);
    let mut at = list.at;
    while at < list.end {
        let here = list.range(at, list.end);
        let joins = here.is_symbol(0, ",") || here.is_one_of(0, &["JOIN"]);
        alone &= !joins;
        condition = (condition || here.is_one_of(0, &["ON", "USING"])) && !joins;
        let mut behind = here;
        named &= condition || !here.is_symbol(0, "(");
        at = if behind.parentheses().is_some() { behind.at } else { at + 1 };
    }
    let last = list.end.checked_sub(1).filter(|last| *last >= list.at);
    let called = last.and_then(|last| list.range(last, list.end).ident().ok()).map(|it| it.name);
    (named, alone && named, called)
}

fn output(part: Cursor<'_>) -> Output {
    let last = part.end.saturating_sub(1);
    if part.end > part.at && part.text_at(last) == "*" {
        let alone = last == part.at || part.text_at(last - 1) == ".";
        return if alone { Output::All } else { Output::Column { name: None, of: None, cast: None } };
    }
    let (value, label) = labelled(part);
    let Operand { kind, cast } = operand::expression(value).whole;
    let of = match &kind {
        OperandKind::Column(name) => Some(name.last().to_owned()),
        _ => None,
    };
    let own = match &kind {
        OperandKind::Column(name) | OperandKind::Call(name) => Some(name.last().to_owned()),
        _ => None,
    };
    // What is nothing but a word of SQL's own has a name that Postgres makes up.
    let own = own.filter(|_| value.end > value.at && !value.is_one_of(0, NO_COLUMNS));
    Output::Column { name: label.or(own), of: of.filter(|_| !value.is_one_of(0, NO_COLUMNS)), cast }
}

/// The value, and what it is called: `a AS b`, and `a b` where nothing else can be meant.
fn labelled(part: Cursor<'_>) -> (Cursor<'_>, Option<String>) {
    let is_name = |at: usize| matches!(part.tokens[at].kind, TokenKind::Word | TokenKind::Quoted);
    let Some(last) = part.end.checked_sub(1).filter(|last| *last > part.at && is_name(*last)) else {
        return (part, None);
    };
    let name = part.range(last, part.end).ident().ok().map(|it| it.name);
    if last > part.at + 1 && part.range(last - 1, part.end).is_word(0, "AS") {
        return (part.range(part.at, last - 1), name);
    }
    let zone = last > part.at + 1 && part.range(last - 1, part.end).is("TIME ZONE");
    if zone || part.range(last, part.end).is_one_of(0, NO_BARE_LABELS) {
        return (part, None);
    }
    let before = part.range(part.at, last);
    let whole = operand::expression(before).whole.kind;
    let is_value = matches!(whole, OperandKind::Column(_) | OperandKind::Call(_));
    if is_value && part.text_at(last - 1) != "." && !before.is_one_of(0, NO_COLUMNS) {
        return (before, name);
    }
    (part, None)
}
