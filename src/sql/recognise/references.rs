//! What stands behind `REFERENCES`.

use super::{
    super::{
        change::{ConstraintKind, ReferentialAction},
        names::Ident,
    },
    cursor::{Cursor, Result},
    table::columns,
};

/// The table behind `REFERENCES`, and what follows it.
pub fn references(cursor: &mut Cursor<'_>, own: Vec<Ident>) -> Result<ConstraintKind> {
    let table = cursor.name()?;
    let referenced = match cursor.parentheses() {
        Some(inside) => columns(inside)?,
        None => Vec::new(),
    };
    let (mut on_delete, mut on_update) = (ReferentialAction::NoAction, ReferentialAction::NoAction);
    let (mut set_columns, mut match_full) = (Vec::new(), false);
    loop {
        if cursor.eat("MATCH") {
            match_full = cursor.is_word(0, "FULL");
            cursor.at += 1;
        } else if cursor.eat("ON DELETE") {
            on_delete = referential_action(cursor)?;
            if let Some(inside) = cursor.parentheses() {
                set_columns = columns(inside)?;
            }
        } else if cursor.eat("ON UPDATE") {
            on_update = referential_action(cursor)?;
            cursor.parentheses();
        } else {
            break;
        }
    }
    let references = table;
    Ok(ConstraintKind::ForeignKey {
        columns: own,
        references,
        referenced,
        on_delete,
        on_update,
        set_columns,
        match_full,
    })
}

fn referential_action(cursor: &mut Cursor<'_>) -> Result<ReferentialAction> {
    match () {
        () if cursor.eat("SET NULL") => Ok(ReferentialAction::SetNull),
        () if cursor.eat("SET DEFAULT") => Ok(ReferentialAction::SetDefault),
        () if cursor.eat("NO ACTION") => Ok(ReferentialAction::NoAction),
        () if cursor.eat("RESTRICT") => Ok(ReferentialAction::Restrict),
        () if cursor.eat("CASCADE") => Ok(ReferentialAction::Cascade),
        () => Err(cursor.expected("an action")),
    }
}
