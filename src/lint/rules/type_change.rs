//! Changing a column's type writes the whole table again, or reads it, under an exclusive lock, unless the bits stay.
//!
//! Nobody reads or writes the table meanwhile, and a value that does not fit takes the migration with it. A
//! change costs nothing when the cast is binary coercible and no length gets shorter: `varchar(20)` to
//! `varchar(40)` or `text`, `numeric(10,2)` to `numeric(12,2)`, `timestamp(3)` to `timestamp`, `cidr` to `inet`, to
//! and from a domain without constraints. Even then an index is built again when the new type or collation sorts by
//! other operators, and a `CHECK` on the column is checked again. The safe way for the others is a new column,
//! kept up to date by a trigger, filled in batches, to which readers move over.
//!
//! ```sql setup
//! create table orders (id integer, code varchar(20), total numeric(10,2), state text, placed timestamp(3), note varchar(20));
//! create index orders_state_idx on orders (state);
//! alter table orders add constraint orders_note_check check (note <> 'x');
//! create domain amount as numeric(10,2);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column id type bigint;
//! ```
//!
//! ```sql bad also=narrowed-type locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(10);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column code type text using upper(code);
//! ```
//!
//! No row is written here, but the index is built again, and the check checked again:
//!
//! ```sql bad locks=orders:AccessExclusiveLock,orders_state_idx:AccessExclusiveLock
//! alter table orders alter column state type text collate "C";
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column note type text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(40);
//! alter table orders alter column total type numeric(12,2);
//! alter table orders alter column placed type timestamp;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column code type text;
//! alter table orders alter column total type amount;
//! alter table orders alter column state type varchar;
//! ```

use crate::{
    catalog::{Column, Index, Table},
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, actions,
        types::{self, Cost, DataType},
    },
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind, Expression},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "type-change",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("type_change.rs"),
    check: Check::Statement(check),
};

/// What changing one column's type does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// Nothing while the session's time zone is UTC, else a rewrite.
    DependsOnTimeZone,
    Rewrite,
    /// The heap stays, this index is built again.
    Rebuild(ObjectName),
    /// The heap stays, this constraint is checked again.
    Recheck(String),
    /// No file says what the type was.
    Unknown,
}

/// One `ALTER COLUMN … TYPE`, as the statement writes it.
pub(super) struct NewType<'s> {
    pub(super) column: &'s Ident,
    pub(super) data_type: &'s str,
    collate: bool,
    using: Option<&'s Expression>,
}

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let mut problems = Vec::new();
    for action in actions {
        let Some(change) = new_type(&action.kind) else { continue };
        let column = change.column;
        let says = match effect(context, table, &change) {
            Effect::Nothing | Effect::DependsOnTimeZone => continue,
            Effect::Rewrite => {
                format!("reads and writes of `{table}` wait while every row is written again for `{column}`'s new type")
            }
            Effect::Rebuild(index) => {
                format!("reads and writes of `{table}` wait while index `{}` is built again", index.last())
            }
            Effect::Recheck(constraint) => {
                format!("reads and writes of `{table}` wait while `{constraint}` is checked again for every row")
            }
            Effect::Unknown => format!(
                "no file says what type `{column}` of `{table}` has now, so this may write every row again while reads \
                 and writes wait"
            ),
        };
        problems.push(Problem::at(action.span).weighing(table).says(says).help(format!(
            "add a column of type `{}` beside `{column}`, keep it up to date with a trigger, fill it in batches, and move \
             readers over to it",
            change.data_type
        )));
    }
    problems
}

pub(super) fn new_type(action: &ActionKind) -> Option<NewType<'_>> {
    match action {
        ActionKind::SetType { column, data_type, collate, using } => {
            Some(NewType { column, data_type, collate: *collate, using: using.as_ref() })
        }
        _ => None,
    }
}

pub(super) fn effect(context: &Context, table: &ObjectName, change: &NewType) -> Effect {
    let new = types::read(change.data_type);
    if change.using.is_some_and(|it| !is_the_column_itself(it, change.column, &new)) {
        return Effect::Rewrite;
    }
    let Some(table) = context.catalog.table(table) else { return Effect::Unknown };
    let Some(column) = table.column(change.column) else { return Effect::Unknown };
    let old = types::read(&column.data_type);
    let cost = types::change_cost(context.catalog, &old, &new);
    if cost == Cost::Rewrite || (cost == Cost::NothingUnderUtc && time_zone(context) == Some(Zone::Other)) {
        return Effect::Rewrite;
    }
    let resorted = change.collate || !types::sort_alike(context.catalog, &old, &new);
    let mut indexes = context.catalog.indexes_of(&table.name);
    if let Some(index) = indexes.find(|it| is_rebuilt(it, column, resorted)) {
        return Effect::Rebuild(index.name.clone());
    }
    if let Some(constraint) = rechecked(table, column) {
        return Effect::Recheck(constraint);
    }
    match cost {
        Cost::NothingUnderUtc if time_zone(context).is_none() => Effect::DependsOnTimeZone,
        Cost::Nothing | Cost::NothingUnderUtc | Cost::Rewrite => Effect::Nothing,
    }
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

/// An index over the column survives when it is plain and sorts as before (`CheckIndexCompatible`).
fn is_rebuilt(index: &Index, column: &Column, resorted: bool) -> bool {
    let plain = index.keys.contains(&column.name);
    let computed = index.keys.iter().any(|key| *key != column.name && mentions(key, &column.name));
    computed || (plain && (resorted || index.partial))
}

fn rechecked(table: &Table, column: &Column) -> Option<String> {
    let check = table.constraints.iter().find(|it| match &it.kind {
        ConstraintKind::Check { expression: Some(check) } => it.validated && mentions(&check.text, &column.name),
        _ => false,
    });
    check.map(|it| it.name.clone())
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
    let utc = ["utc", "gmt", "etc/utc", "etc/gmt", "zulu", "0"];
    set.flatten().map(|it| if utc.contains(&it.to_lowercase().as_str()) { Zone::Utc } else { Zone::Other })
}
