//! Options of sequences.

use super::{
    super::{
        change::{Bound, OwnedBy, Restart, SequenceOptions},
        scan::TokenKind,
    },
    cursor::{Cursor, Result},
    types,
};

/// All options up to the cursor's end. `SET` may stand before each, as `ALTER COLUMN` writes them.
pub fn options(mut cursor: Cursor<'_>) -> Result<SequenceOptions> {
    let mut options = SequenceOptions::default();
    while !cursor.done() {
        cursor.eat("SET");
        option(&mut cursor, &mut options)?;
    }
    Ok(options)
}

fn option(cursor: &mut Cursor<'_>, options: &mut SequenceOptions) -> Result<()> {
    const WORDS: &[&str] = &[
        "AS",
        "CACHE",
        "CYCLE",
        "GENERATED",
        "INCREMENT",
        "LOGGED",
        "MAXVALUE",
        "MINVALUE",
        "NO",
        "OWNED",
        "RESTART",
        "SEQUENCE",
        "START",
        "UNLOGGED",
    ];
    match cursor.eat_one_of(WORDS) {
        Some("AS") => options.data_type = Some(types::data_type(cursor)),
        Some("CACHE") => options.cache = number(cursor)?,
        Some("CYCLE") => options.cycle = Some(true),
        Some("GENERATED") => {
            options.always = Some(cursor.eat("ALWAYS"));
            if options.always == Some(false) {
                cursor.expect("BY DEFAULT")?;
            }
        }
        Some("INCREMENT") => {
            cursor.eat("BY");
            options.increment = number(cursor)?;
        }
        Some("MAXVALUE") => options.maximum = number(cursor)?.map(Bound::Value),
        Some("MINVALUE") => options.minimum = number(cursor)?.map(Bound::Value),
        Some("NO") => match cursor.eat_one_of(&["MINVALUE", "MAXVALUE", "CYCLE"]) {
            Some("MINVALUE") => options.minimum = Some(Bound::No),
            Some("MAXVALUE") => options.maximum = Some(Bound::No),
            Some(_) => options.cycle = Some(false),
            None => return Err(cursor.expected("a sequence's option")),
        },
        Some("OWNED") => {
            cursor.expect("BY")?;
            let owner = cursor.name()?;
            let is_none = owner.parts.len() == 1 && owner.last() == "none";
            options.owned_by = Some(if is_none { OwnedBy::No } else { OwnedBy::Column(owner) });
        }
        Some("RESTART") => {
            let with = cursor.eat("WITH");
            let value = if with || is_number(cursor) { number(cursor)? } else { None };
            options.restart = Some(value.map_or(Restart::Start, Restart::With));
        }
        Some("SEQUENCE") => {
            cursor.expect("NAME")?;
            options.name = Some(cursor.name()?);
        }
        Some("START") => {
            cursor.eat("WITH");
            options.start = number(cursor)?;
        }
        Some(word @ ("LOGGED" | "UNLOGGED")) => options.logged = Some(word == "LOGGED"),
        _ => return Err(cursor.expected("a sequence's option")),
    }
    Ok(())
}

fn is_number(cursor: &Cursor<'_>) -> bool {
    cursor.token(0).is_some_and(|token| matches!(token.kind, TokenKind::Number | TokenKind::Operator))
}

/// A whole number with its sign; `None` for one that 64 bits do not hold.
fn number(cursor: &mut Cursor<'_>) -> Result<Option<i64>> {
    let start = cursor.at;
    let _ = cursor.eat_symbol("-") || cursor.eat_symbol("+");
    if cursor.token(0).is_none_or(|token| token.kind != TokenKind::Number) {
        return Err(cursor.expected("a number"));
    }
    cursor.at += 1;
    let text: String = (start..cursor.at).map(|at| cursor.text_at(at)).collect();
    Ok(text.replace('_', "").parse().ok())
}
