//! `ALTER` of anything but tables.

use super::{
    super::{
        Place, Statement,
        change::{AlterObject, Change, ObjectAction, ObjectKind},
    },
    Reading,
    alter::{cascade, last_ident},
    cursor::{Cursor, Result},
    kinds, sequence, session, table, types,
};

pub fn alter_object(mut cursor: Cursor<'_>, kind: ObjectKind) -> Result<Reading> {
    if cursor.eat("ALL IN TABLESPACE") {
        return Ok(Change::Server {
            verb: format!("ALTER {} ALL IN TABLESPACE", kind.words()),
            name: None,
            setting: None,
        }
        .into());
    }
    let if_exists = cursor.eat("IF EXISTS");
    let name = match kind {
        ObjectKind::Role if cursor.eat("ALL") => None,
        _ => kinds::object(&mut cursor, kind)?,
    };
    let of_routine = matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine);
    let arguments = if of_routine { kinds::written_arguments(&cursor) } else { None };
    let mut on = None;
    if matches!(kind, ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy) {
        cursor.expect("ON")?;
        on = Some(cursor.name()?);
    }
    if cursor.done() && kind != ObjectKind::Role {
        return Err(cursor.expected("an action"));
    }
    let is_list = matches!(
        kind,
        ObjectKind::Type | ObjectKind::View | ObjectKind::Index | ObjectKind::MaterializedView | ObjectKind::Sequence
    );
    let parts = if is_list { cursor.split() } else { vec![cursor] };
    let mut changes = Vec::new();
    for part in parts {
        let (name, on, arguments, action) = (name.clone(), on.clone(), arguments.clone(), action(part, kind)?);
        let change = Change::AlterObject(AlterObject { kind, name, on, if_exists, arguments, action });
        changes.push((change, part.span()));
    }
    let (change, _) = changes.remove(0);
    // Further actions on attributes are statements of their own inside this one.
    let within =
        |(change, span)| Statement { span, change, place: Place::Within, inner: Vec::new(), directives: Vec::new() };
    Ok(Reading { change, inner: changes.into_iter().map(within).collect() })
}

fn action(mut cursor: Cursor<'_>, kind: ObjectKind) -> Result<ObjectAction> {
    let whole = cursor;
    match cursor.eat_one_of(&["RENAME", "ADD", "DROP", "ALTER", "SET", "OWNER", "VALIDATE", "ATTACH"]) {
        Some("RENAME") => rename(cursor),
        Some("ADD") if kind == ObjectKind::Type => add_to_type(cursor),
        Some("ADD") if kind == ObjectKind::Domain => {
            table::constraint(cursor).map(|added| ObjectAction::AddConstraint(Box::new(added)))
        }
        Some("DROP") if cursor.eat("ATTRIBUTE") => {
            cursor.eat("IF EXISTS");
            Ok(ObjectAction::DropAttribute { name: cursor.ident()?, cascade: cascade(cursor)? })
        }
        Some("ALTER") if cursor.eat("ATTRIBUTE") => {
            let name = cursor.ident()?;
            if !cursor.eat("TYPE") {
                cursor.expect("SET DATA TYPE")?;
            }
            Ok(ObjectAction::AlterAttribute { name, data_type: types::data_type(&mut cursor) })
        }
        Some("ALTER") if matches!(kind, ObjectKind::View | ObjectKind::MaterializedView) => {
            cursor.eat("COLUMN");
            cursor.ident()?;
            Ok(plain(&mut cursor).unwrap_or_else(|| other(whole, kind)))
        }
        Some("SET") if cursor.eat("SCHEMA") => Ok(ObjectAction::SetSchema { to: last_ident(&mut cursor)? }),
        Some("OWNER") if cursor.eat("TO") => last_ident(&mut cursor).map(|role| ObjectAction::OwnerTo { role }),
        Some("DROP") if kind == ObjectKind::Domain && cursor.eat("CONSTRAINT") => {
            cursor.eat("IF EXISTS");
            Ok(ObjectAction::DropConstraint { name: cursor.ident()? })
        }
        Some("VALIDATE") if cursor.eat("CONSTRAINT") => {
            Ok(ObjectAction::ValidateConstraint { name: last_ident(&mut cursor)? })
        }
        Some("ATTACH") if cursor.eat("PARTITION") => Ok(ObjectAction::AttachPartition { index: cursor.name()? }),
        _ if kind == ObjectKind::Domain => {
            cursor.at = whole.at;
            plain(&mut cursor).ok_or_else(|| whole.expected("an action on a domain"))
        }
        _ => Ok(other(whole, kind)),
    }
}

fn other(whole: Cursor<'_>, kind: ObjectKind) -> ObjectAction {
    let sequence = if kind == ObjectKind::Sequence { sequence::options(whole).ok() } else { None };
    let mut set = whole;
    if set.eat("IN DATABASE") {
        set.at += 1;
    }
    ObjectAction::Other {
        words: words(whole, kind),
        sequence: sequence.map(Box::new),
        setting: session::setting(set).map(Box::new),
    }
}

fn plain(cursor: &mut Cursor<'_>) -> Option<ObjectAction> {
    match () {
        () if cursor.eat("SET NOT NULL") => Some(ObjectAction::SetNotNull),
        () if cursor.eat("DROP NOT NULL") => Some(ObjectAction::DropNotNull),
        () if cursor.eat("SET DEFAULT") => Some(ObjectAction::SetDefault),
        () if cursor.eat("DROP DEFAULT") => Some(ObjectAction::DropDefault),
        () => None,
    }
}

fn rename(mut cursor: Cursor<'_>) -> Result<ObjectAction> {
    if cursor.eat("TO") {
        return Ok(ObjectAction::Rename { to: last_ident(&mut cursor)? });
    }
    if cursor.eat("VALUE") && cursor.is_string() {
        let from = cursor.string()?;
        cursor.expect("TO")?;
        return Ok(ObjectAction::RenameValue { from, to: cursor.string()? });
    }
    if !cursor.is_word(1, "TO") {
        // ATTRIBUTE may be an attribute's name.
        let _ = cursor.eat("COLUMN") || cursor.eat("ATTRIBUTE") || cursor.eat("CONSTRAINT");
    }
    let from = cursor.ident()?;
    cursor.expect("TO")?;
    let to = cursor.ident()?;
    cascade(cursor)?;
    Ok(ObjectAction::RenamePart { from, to })
}

fn add_to_type(mut cursor: Cursor<'_>) -> Result<ObjectAction> {
    if cursor.eat("VALUE") {
        let if_not_exists = cursor.eat("IF NOT EXISTS");
        let value = cursor.string()?;
        let beside = match cursor.eat_one_of(&["BEFORE", "AFTER"]) {
            Some(word) => Some((word == "BEFORE", cursor.string()?)),
            None => None,
        };
        cursor.finish()?;
        return Ok(ObjectAction::AddValue { value, if_not_exists, beside });
    }
    cursor.expect("ATTRIBUTE")?;
    let name = cursor.ident()?;
    Ok(ObjectAction::AddAttribute { name, data_type: types::data_type(&mut cursor) })
}

/// The leading words of an action, at most three; and of what is done to a routine, which may be several actions, its
/// volatility.
fn words(cursor: Cursor<'_>, kind: ObjectKind) -> String {
    let first = (0..3).map_while(|ahead| cursor.word(ahead)).collect::<Vec<_>>();
    let is_routine = matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine);
    // What a setting is set to, and what else has a name, may be called like that.
    let names = |ahead: usize| {
        cursor.is_one_of(ahead, &["TO", "SET", "RESET", "SUPPORT", "EXTENSION"])
            || ["=", ",", "."].iter().any(|it| cursor.is_symbol(ahead, it))
    };
    let rest = (first.len().max(1)..cursor.end - cursor.at).filter(|ahead| is_routine && !names(ahead - 1));
    let volatility = rest.filter(|ahead| cursor.is_one_of(*ahead, &VOLATILITIES)).filter_map(|it| cursor.word(it));
    let words = first.iter().copied().chain(volatility).collect::<Vec<_>>();
    if words.is_empty() { "…".to_owned() } else { words.join(" ").to_ascii_uppercase() }
}

const VOLATILITIES: [&str; 3] = ["IMMUTABLE", "STABLE", "VOLATILE"];
