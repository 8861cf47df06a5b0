//! `ALTER TABLE`, action by action.

use super::{
    super::{
        change::{ActionKind, AlterTable, BoundKind, Change, ReplicaIdentity, SequenceOptions, TableAction},
        names::Ident,
        scan::TokenKind,
    },
    Reading, alter_object,
    cursor::{Cursor, Result},
    kinds, privilege, sequence, session, table, types,
};

pub fn alter(mut cursor: Cursor<'_>) -> Result<Reading> {
    if cursor.eat("DEFAULT PRIVILEGES") {
        return privilege::default_privileges(cursor);
    }
    if cursor.is_one_of(0, &["SYSTEM", "DATABASE", "TABLESPACE"]) {
        let verb = format!("ALTER {}", cursor.word(0).unwrap_or_default().to_ascii_uppercase());
        let is_system = cursor.is_word(0, "SYSTEM");
        cursor.at += 1;
        let name = if is_system { None } else { Some(cursor.name()?) };
        if is_system && cursor.done() {
            return Err(cursor.expected("`SET`"));
        }
        return Ok(Change::Server { verb, name, setting: session::setting(cursor) }.into());
    }
    let foreign = cursor.is("FOREIGN TABLE");
    if cursor.eat("TABLE") || cursor.eat("FOREIGN TABLE") {
        return alter_table(cursor, foreign);
    }
    let kind = kinds::kind(&mut cursor)?;
    alter_object::alter_object(cursor, kind)
}

fn alter_table(mut cursor: Cursor<'_>, foreign: bool) -> Result<Reading> {
    if cursor.eat("ALL IN TABLESPACE") {
        return Ok(
            Change::Server { verb: "ALTER TABLE ALL IN TABLESPACE".to_owned(), name: None, setting: None }.into()
        );
    }
    let if_exists = cursor.eat("IF EXISTS");
    let (table, only) = cursor.relation()?;
    let mut actions = Vec::new();
    for part in cursor.split() {
        let kind = action(part)?;
        actions.push(TableAction { span: part.span(), kind });
    }
    Ok(Change::AlterTable(AlterTable { table, if_exists, only, foreign, actions }).into())
}

/// `[CASCADE | RESTRICT]` and nothing else.
pub fn cascade(mut cursor: Cursor<'_>) -> Result<bool> {
    let cascade = cursor.eat_one_of(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
    cursor.finish()?;
    Ok(cascade)
}

/// The last thing of an action is one name.
pub fn last_ident(cursor: &mut Cursor<'_>) -> Result<Ident> {
    let ident = cursor.ident()?;
    cursor.finish()?;
    Ok(ident)
}

fn action(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    match cursor.eat_one_of(&["ADD", "DROP", "ALTER", "RENAME", "SET", "VALIDATE", "ATTACH", "DETACH", "OWNER"]) {
        Some("ADD") => add(cursor),
        Some("DROP") => drop(cursor),
        Some("ALTER") => alter_part(cursor),
        Some("RENAME") => rename(cursor),
        Some("SET") => set(cursor),
        Some("VALIDATE") => {
            cursor.expect("CONSTRAINT")?;
            Ok(ActionKind::ValidateConstraint { name: last_ident(&mut cursor)? })
        }
        Some("ATTACH") => {
            cursor.expect("PARTITION")?;
            let partition = cursor.name()?;
            let bound = table::partition_bound(&mut cursor)?;
            cursor.finish()?;
            Ok(ActionKind::AttachPartition { partition, default: bound.kind == BoundKind::Default, bound })
        }
        Some("DETACH") => {
            cursor.expect("PARTITION")?;
            let partition = cursor.name()?;
            let (concurrently, finalize) = (cursor.eat("CONCURRENTLY"), cursor.eat("FINALIZE"));
            cursor.finish()?;
            Ok(ActionKind::DetachPartition { partition, concurrently, finalize })
        }
        Some("OWNER") => {
            cursor.expect("TO")?;
            Ok(ActionKind::OwnerTo { role: Some(last_ident(&mut cursor)?) })
        }
        _ => other(cursor),
    }
}

fn add(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    if table::is_constraint(&cursor) {
        return table::constraint(cursor).map(ActionKind::AddConstraint);
    }
    cursor.eat("COLUMN");
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    let column = Box::new(table::column(cursor, false)?);
    Ok(ActionKind::AddColumn { column, if_not_exists })
}

fn drop(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    if cursor.eat("CONSTRAINT") {
        let if_exists = cursor.eat("IF EXISTS");
        let name = cursor.ident()?;
        return Ok(ActionKind::DropConstraint { name, if_exists, cascade: cascade(cursor)? });
    }
    // COLUMN and CONSTRAINT are reserved: here they are never names.
    cursor.eat("COLUMN");
    let if_exists = cursor.eat("IF EXISTS");
    let column = cursor.ident()?;
    Ok(ActionKind::DropColumn { column, if_exists, cascade: cascade(cursor)? })
}

fn rename(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    if cursor.eat("TO") {
        return Ok(ActionKind::RenameTable { to: last_ident(&mut cursor)? });
    }
    let constraint = cursor.eat("CONSTRAINT");
    cursor.eat("COLUMN");
    let from = cursor.ident()?;
    cursor.expect("TO")?;
    let to = last_ident(&mut cursor)?;
    Ok(if constraint { ActionKind::RenameConstraint { from, to } } else { ActionKind::RenameColumn { from, to } })
}

fn set(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    if cursor.is_symbol(0, "(") {
        return options(cursor, false);
    }
    match cursor.eat_one_of(&["SCHEMA", "LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS", "WITHOUT"]) {
        Some("SCHEMA") => Ok(ActionKind::SetSchema { to: last_ident(&mut cursor)? }),
        Some(word @ ("LOGGED" | "UNLOGGED")) => {
            cursor.finish()?;
            Ok(ActionKind::SetLogged { logged: word == "LOGGED" })
        }
        Some("TABLESPACE") => last_ident(&mut cursor).map(|tablespace| ActionKind::SetTablespace { tablespace }),
        Some("ACCESS") => {
            cursor.expect("METHOD")?;
            last_ident(&mut cursor).map(|method| ActionKind::SetAccessMethod { method })
        }
        Some(_) if cursor.eat("CLUSTER") => Ok(ActionKind::SetWithoutCluster),
        Some(_) if cursor.eat("OIDS") => Ok(ActionKind::Toggle { words: "SET WITHOUT OIDS".to_owned(), name: None }),
        _ => Err(cursor.expected("an action")),
    }
}

fn options(mut cursor: Cursor<'_>, reset: bool) -> Result<ActionKind> {
    let inside = cursor.expect_parentheses()?;
    cursor.finish()?;
    let options = table::options(inside)?;
    Ok(ActionKind::StorageOptions { options, reset })
}

/// `ALTER CONSTRAINT name …`, `ALTER [COLUMN] name …`.
fn alter_part(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    if cursor.eat("CONSTRAINT") {
        return alter_constraint(cursor);
    }
    cursor.eat("COLUMN");
    // An index's column is named by its number.
    if let Some(number) = cursor.token(0).filter(|token| token.kind == TokenKind::Number) {
        cursor.at += 1;
        let column = Ident { name: cursor.source.of(number).to_owned(), span: cursor.source.span(number.span) };
        return alter_column(cursor, column);
    }
    let column = cursor.ident()?;
    alter_column(cursor, column)
}

fn alter_constraint(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    let name = cursor.ident()?;
    let (mut deferrable, mut initially_deferred, mut enforced, mut inherit) = (None, None, None, None);
    while !cursor.done() {
        match () {
            () if cursor.eat("NOT DEFERRABLE") => deferrable = Some(false),
            () if cursor.eat("DEFERRABLE") => deferrable = Some(true),
            () if cursor.eat("INITIALLY DEFERRED") => initially_deferred = Some(true),
            () if cursor.eat("INITIALLY IMMEDIATE") => initially_deferred = Some(false),
            () if cursor.eat("NOT ENFORCED") => enforced = Some(false),
            () if cursor.eat("ENFORCED") => enforced = Some(true),
            () if cursor.eat("NO INHERIT") => inherit = Some(false),
            () if cursor.eat("INHERIT") => inherit = Some(true),
            () => return Err(cursor.expected("the action's end")),
        }
    }
    Ok(ActionKind::AlterConstraint { name, deferrable, initially_deferred, enforced, inherit })
}

fn alter_column(mut cursor: Cursor<'_>, column: Ident) -> Result<ActionKind> {
    if cursor.eat("TYPE") || cursor.eat("SET DATA TYPE") {
        return set_type(cursor, column);
    }
    if cursor.eat("SET DEFAULT") {
        if cursor.done() {
            return Err(cursor.expected("an expression"));
        }
        return Ok(ActionKind::SetDefault { column, default: Some(cursor.expression()) });
    }
    let plain = match () {
        () if cursor.eat("DROP DEFAULT") => Some(ActionKind::DropDefault { column: column.clone() }),
        () if cursor.eat("SET NOT NULL") => Some(ActionKind::SetNotNull { column: column.clone() }),
        () if cursor.eat("DROP NOT NULL") => Some(ActionKind::DropNotNull { column: column.clone() }),
        () if cursor.eat("DROP IDENTITY") => {
            cursor.eat("IF EXISTS");
            Some(ActionKind::DropIdentity { column: column.clone() })
        }
        () => None,
    };
    if let Some(action) = plain {
        cursor.finish()?;
        return Ok(action);
    }
    if cursor.eat("SET EXPRESSION") {
        cursor.expect("AS")?;
        let expression = cursor.expect_parentheses()?.expression();
        cursor.finish()?;
        return Ok(ActionKind::SetExpression { column, expression });
    }
    if cursor.eat("DROP EXPRESSION") {
        return Ok(ActionKind::DropExpression { column });
    }
    if cursor.eat("ADD GENERATED") {
        let always = cursor.eat("ALWAYS");
        if !always {
            cursor.expect("BY DEFAULT")?;
        }
        cursor.expect("AS IDENTITY")?;
        let mut options = match cursor.parentheses() {
            Some(inside) => sequence::options(inside)?,
            None => SequenceOptions::default(),
        };
        options.always = Some(always);
        cursor.finish()?;
        return Ok(ActionKind::AddIdentity { column, sequence: Box::new(options) });
    }
    if cursor.is_word(0, "RESTART") || (cursor.is_word(0, "SET") && cursor.is_one_of(1, IDENTITY)) {
        return Ok(ActionKind::SetIdentity { column, sequence: Box::new(sequence::options(cursor)?) });
    }
    column_option(cursor, column)
}

fn set_type(mut cursor: Cursor<'_>, column: Ident) -> Result<ActionKind> {
    let start = cursor.at;
    let data_type = types::data_type(&mut cursor);
    if data_type.is_empty() {
        return Err(cursor.expected("a type"));
    }
    let type_span = cursor.range(start, cursor.at).span();
    let collation = if cursor.eat("COLLATE") { Some(cursor.name()?) } else { None };
    let using = match cursor.eat("USING") {
        true if cursor.done() => return Err(cursor.expected("an expression")),
        true => Some(cursor.expression()),
        false => None,
    };
    if using.is_none() {
        cursor.finish()?;
    }
    let collate = collation.is_some();
    Ok(ActionKind::SetType { column, data_type, type_span, collate, collation, using })
}

/// What may be set of an identity column.
const IDENTITY: &[&str] =
    &["CACHE", "CYCLE", "GENERATED", "INCREMENT", "MAXVALUE", "MINVALUE", "NO", "RESTART", "SEQUENCE", "START"];

fn column_option(mut cursor: Cursor<'_>, column: Ident) -> Result<ActionKind> {
    let word = cursor.eat_one_of(&["SET", "RESET", "OPTIONS"]);
    if word == Some("OPTIONS") && cursor.is_symbol(0, "(") {
        return Ok(ActionKind::ForeignOptions);
    }
    if let (Some(word), Some(inside)) = (word, cursor.parentheses()) {
        cursor.finish()?;
        let values = table::options(inside)?;
        return Ok(ActionKind::ColumnOption { column, option: format!("{word} (…)"), values });
    }
    let option = cursor.eat_one_of(&["STATISTICS", "STORAGE", "COMPRESSION"]).filter(|_| word == Some("SET"));
    let Some(option) = option else { return Err(cursor.expected("an action on a column")) };
    if cursor.done() {
        return Err(cursor.expected("a value"));
    }
    let values = vec![(option.to_ascii_lowercase(), Some(cursor.text()))];
    Ok(ActionKind::ColumnOption { column, option: format!("SET {option}"), values })
}

fn other(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    let start = cursor.at;
    if cursor.eat("ENABLE") || cursor.eat("DISABLE") {
        cursor.eat_one_of(&["ALWAYS", "REPLICA"]);
        let toggled = cursor.eat("TRIGGER") || cursor.eat("RULE");
        if !toggled {
            cursor.expect("ROW LEVEL SECURITY")?;
        }
        let words = cursor.range(start, cursor.at).text().to_ascii_uppercase();
        let name = if toggled { Some(cursor.ident()?) } else { None };
        cursor.finish()?;
        return Ok(ActionKind::Toggle { words, name });
    }
    if cursor.eat("FORCE ROW LEVEL SECURITY") || cursor.eat("NO FORCE ROW LEVEL SECURITY") {
        let words = cursor.range(start, cursor.at).text().to_ascii_uppercase();
        return Ok(ActionKind::Toggle { words, name: None });
    }
    if cursor.eat("NO INHERIT") {
        return Ok(ActionKind::NoInherit { parent: cursor.name()? });
    }
    if cursor.eat("NOT OF") {
        return Ok(ActionKind::NotOf);
    }
    match cursor.eat_one_of(&["CLUSTER", "RESET", "INHERIT", "OF", "REPLICA", "OPTIONS"]) {
        Some("CLUSTER") if cursor.eat("ON") => last_ident(&mut cursor).map(|index| ActionKind::ClusterOn { index }),
        Some("RESET") => options(cursor, true),
        Some("INHERIT") => Ok(ActionKind::Inherit { parent: cursor.name()? }),
        Some("OF") => Ok(ActionKind::OfType { name: cursor.name()? }),
        Some("REPLICA") => replica_identity(cursor),
        Some("OPTIONS") if cursor.is_symbol(0, "(") => Ok(ActionKind::ForeignOptions),
        _ => Err(cursor.expected("an action")),
    }
}

fn replica_identity(mut cursor: Cursor<'_>) -> Result<ActionKind> {
    cursor.expect("IDENTITY")?;
    let identity = match cursor.eat_one_of(&["DEFAULT", "FULL", "NOTHING", "USING"]) {
        Some("DEFAULT") => ReplicaIdentity::Default,
        Some("FULL") => ReplicaIdentity::Full,
        Some("NOTHING") => ReplicaIdentity::Nothing,
        Some(_) => {
            cursor.expect("INDEX")?;
            ReplicaIdentity::Index(cursor.ident()?)
        }
        None => return Err(cursor.expected("an identity")),
    };
    cursor.finish()?;
    Ok(ActionKind::ReplicaIdentity { identity })
}
