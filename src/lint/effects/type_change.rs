//! `ALTER COLUMN … TYPE`: whether the heap is written again, indexes built again, checks checked again.

use crate::{
    catalog::{Catalog, Column, Constraint, Index, Table},
    lint::{
        Context, casts,
        types::{self, Cost, DataType},
    },
    sql::{
        Change,
        change::{ActionKind, AlterTable, ConstraintKind, Expression, is_serial},
        names::{Ident, ObjectName},
    },
};

use super::{
    Chance, LockMode,
    draft::Draft,
    untold_type::{self, Written},
};

/// What changing one column's type does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Why nothing happens to the rows, as a sentence without a full stop.
    Nothing(String),
    /// Nothing while the session's time zone is UTC, else a rewrite.
    DependsOnTimeZone,
    Rewrite,
    /// The heap stays, this index is built again.
    Rebuild(ObjectName),
    /// The heap stays, this constraint is checked again.
    Recheck(String),
    /// The heap stays, this foreign key of another table is checked again.
    RecheckReference {
        table: ObjectName,
        constraint: String,
    },
    /// No file says what the type was; how likely a rewrite is, given the new type.
    Unknown(Chance),
}

impl Outcome {
    /// Worth a warning or more: rows are read or written.
    pub fn is_slow(&self) -> bool {
        match self {
            Self::Nothing(_) | Self::DependsOnTimeZone => false,
            Self::Rewrite | Self::Rebuild(_) | Self::Recheck(_) | Self::RecheckReference { .. } => true,
            Self::Unknown(chance) => chance.is_likely(),
        }
    }
}

/// The type to which most changes are free while the session's time zone is UTC, and only then.
pub const UNDER_UTC: &str = "timestamp with time zone";

/// The type to which changes are as often free as not, so that it is told, but for a notice.
pub const EITHER_WAY: &str = "integer";

/// One `ALTER COLUMN … TYPE`, as the statement writes it.
pub struct NewType<'s> {
    pub column: &'s Ident,
    pub data_type: &'s str,
    /// `COLLATE`; that of the type when it is not written, and for `"default"`.
    collation: Option<&'s str>,
    using: Option<&'s Expression>,
}

pub fn new_type(action: &ActionKind) -> Option<NewType<'_>> {
    match action {
        // It fails: that is no type.
        ActionKind::SetType { data_type, .. } if is_serial(data_type) => None,
        ActionKind::SetType { column, data_type, collation, using, .. } => {
            let collation = collation.as_ref().map(|it| it.last()).filter(|it| *it != "default");
            Some(NewType { column, data_type, collation, using: using.as_ref() })
        }
        _ => None,
    }
}

/// Why Postgres refuses to change a column's type: it knows no way from the values, or from the default, to the new one.
pub fn is_refused(catalog: &Catalog, alter: &AlterTable, column: &Column, action: &ActionKind) -> Option<String> {
    let change = new_type(action)?;
    let new = catalog.read_type(change.data_type);
    if change.using.is_none() && casts::is_refused(catalog, &column.resolved, &new) {
        return Some(format!("no `{}` becomes `{}` by itself", column.data_type, change.data_type));
    }
    let drops = |it: &ActionKind| matches!(it, ActionKind::DropDefault { column: of } if of.name == column.name);
    let refused = !alter.actions.iter().any(|it| drops(&it.kind)) && casts::is_default_refused(catalog, column, &new);
    refused.then(|| format!("the default of `{}` does not become `{}` by itself", column.name, change.data_type))
}

pub fn effects(draft: &mut Draft, table: &ObjectName, action: &ActionKind) {
    let Some(change) = new_type(action) else { return };
    let outcome = outcome(draft.context, table, &change);
    match &outcome {
        Outcome::Nothing(_) => {}
        Outcome::DependsOnTimeZone => draft.rewrite(table, Chance::Unlikely),
        Outcome::Rewrite => draft.rewrite(table, Chance::Sure),
        Outcome::Rebuild(index) => draft.rebuild(index),
        Outcome::Recheck(_) | Outcome::RecheckReference { .. } => draft.scan(table, Chance::Sure),
        Outcome::Unknown(chance) => draft.rewrite(table, *chance),
    }
    for other in neighbours(draft.context, table, change.column) {
        draft.lock_family(&other, LockMode::AccessExclusive);
        if outcome.is_slow() {
            draft.scan(&other, Chance::Sure);
        }
    }
}

/// Tables at the other end of foreign keys from and to this column: each key is dropped and made again.
fn neighbours(context: &Context, table: &ObjectName, column: &Ident) -> Vec<ObjectName> {
    let Some(own) = context.catalog.table(table) else { return Vec::new() };
    let outgoing = own.constraints.iter().filter_map(|it| match &it.kind {
        ConstraintKind::ForeignKey { columns, references, .. } if columns.contains(column) => Some(references.clone()),
        _ => None,
    });
    let keyed = own.constraints.iter().any(|it| match &it.kind {
        ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => columns.contains(column),
        _ => false,
    });
    let incoming = context.catalog.referencing(table).map(|it| it.name.clone()).filter(|_| keyed);
    outgoing.chain(incoming).collect()
}

pub fn outcome(context: &Context, table: &ObjectName, change: &NewType) -> Outcome {
    let new = types::read(change.data_type);
    if change.using.is_some_and(|it| !is_the_column_itself(it, change.column, &new)) {
        return Outcome::Rewrite;
    }
    let known = context.catalog.table(table);
    let Some((table, column)) = known.and_then(|it| Some((it, it.column(change.column)?))) else {
        let cast = change.using.is_some_and(|it| it.text.contains("::"));
        let zone = time_zone(context);
        let written = match () {
            // Who changes the zone beforehand means values with one.
            () if cast || change.collation.is_some() || new.name == "timestamp" && zone == Some(Zone::Other) => {
                Written::Converted
            }
            // Who sets UTC beforehand does so because no row is written then.
            () if new.name == UNDER_UTC && zone == Some(Zone::Utc) => Written::UnderUtc,
            () => Written::Plain,
        };
        let chance = untold_type::chance(context, table, change.column, &new, written);
        // Only what the heap keeps can be spared beside it.
        let beside = (!chance.is_likely()).then(|| beside_the_heap(context, table, &change.column.name, false));
        return beside.flatten().unwrap_or(Outcome::Unknown(chance));
    };
    let old = types::read(&column.data_type);
    let cost = types::change_cost(context.catalog, &old, &new);
    if cost == Cost::Rewrite || (cost == Cost::NothingUnderUtc && time_zone(context) == Some(Zone::Other)) {
        return Outcome::Rewrite;
    }
    let resorted = column.collation.as_deref() != change.collation || !types::sort_alike(context.catalog, &old, &new);
    if let Some(outcome) = beside_the_heap(context, &table.name, &column.name, resorted) {
        return outcome;
    }
    match cost {
        Cost::NothingUnderUtc if time_zone(context).is_none() => Outcome::DependsOnTimeZone,
        Cost::NothingUnderUtc => Outcome::Nothing("the session's time zone is UTC, so the bits stay".to_owned()),
        Cost::Nothing | Cost::Rewrite => {
            let (old, new) = (&column.data_type, change.data_type);
            Outcome::Nothing(format!("every value of `{old}` is a value of `{new}` as it is stored: no row is written"))
        }
    }
}

/// The heap stays, but something that is made from it does not.
fn beside_the_heap(context: &Context, table: &ObjectName, column: &str, resorted: bool) -> Option<Outcome> {
    let mut indexes = context.catalog.indexes_of(table);
    if let Some(index) = indexes.find(|it| is_rebuilt(it, column, resorted)) {
        return Some(Outcome::Rebuild(index.name.clone()));
    }
    rechecked(context.catalog.table(table)?, column).map(|it| Outcome::Recheck(it.name.clone()))
}

/// `USING column` and `USING column::new_type` are what happens without `USING`.
fn is_the_column_itself(using: &Expression, column: &Ident, new: &DataType) -> bool {
    let text = using.text.trim().to_lowercase();
    let text = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(&text);
    let (subject, target) = match text.split_once("::") {
        Some((subject, target)) => (subject, Some(target)),
        None => (text, None),
    };
    subject.trim().trim_matches('"') == column.name && target.is_none_or(|it| types::read(it) == *new)
}

/// An index over the column survives when it is plain, whole, and sorts as before (`CheckIndexCompatible` in `indexcmds.c`).
fn is_rebuilt(index: &Index, column: &str, resorted: bool) -> bool {
    let plain = |key: &str| key.chars().all(|it| it.is_alphanumeric() || "_$\"".contains(it));
    let sorted = index.keys.iter().any(|key| key == column);
    let included = index.include.iter().any(|it| it == column);
    let computed = index.keys.iter().any(|key| !plain(key));
    let named = index.keys.iter().any(|key| !plain(key) && mentions(key, column))
        || index.predicate.as_ref().is_some_and(|it| mentions(it, column));
    (sorted && resorted) || ((sorted || included || named) && (computed || index.partial))
}

fn rechecked<'t>(table: &'t Table, column: &str) -> Option<&'t Constraint> {
    table.constraints.iter().find(|it| match &it.kind {
        ConstraintKind::Check { expression: Some(check) } => it.validated && mentions(&check.text, column),
        _ => false,
    })
}

/// Is the name one of the words of an expression?
fn mentions(expression: &str, name: &str) -> bool {
    let word = |it: char| it.is_alphanumeric() || it == '_' || it == '$';
    expression.split(|it| !word(it)).any(|it| it.eq_ignore_ascii_case(name))
}

/// The session's time zone, as far as the migration sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Utc,
    Other,
}

fn time_zone(context: &Context) -> Option<Zone> {
    let set = context.earlier().iter().rev().find_map(|it| match &it.change {
        Change::Set(set) if set.name == "timezone" => Some(set.value.clone()),
        _ => None,
    });
    let measured = || context.catalog.measures.as_ref()?.settings.get("TimeZone").cloned();
    let utc = ["utc", "gmt", "etc/utc", "etc/gmt", "etc/zulu", "etc/universal", "zulu", "universal", "uct", "0"];
    let zone = |it: String| if utc.contains(&it.to_lowercase().as_str()) { Zone::Utc } else { Zone::Other };
    // Who has set another zone once does not live in UTC; who has set UTC may have needed to.
    let elsewhere = || context.catalog.time_zone.clone().map(zone).filter(|it| *it == Zone::Other);
    set.flatten().or_else(measured).map(zone).or_else(elsewhere)
}
