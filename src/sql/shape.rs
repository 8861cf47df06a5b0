//! The shape of a change: what both readers must agree on, as one line of text.
//!
//! It names the statement, its objects, each action, and the flags that rules ask for. Values never stand in
//! it, so it may be shown.

use std::fmt::Write;

use super::{
    Statement,
    change::{
        ActionKind, AlterObject, AlterTable, Change, Column, Constraint, ConstraintKind, CreateIndex, CreateTable,
        Drop, Filter, Generated, Insert, ObjectAction, OnConflict, SetScope, TypeKind,
    },
    names::{Ident, ObjectName},
};

/// A statement's name, and what is known of it beyond the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub verb: String,
    /// `None` where a reader says no more than the name.
    pub detail: Option<String>,
}

impl Shape {
    pub fn new(verb: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { verb: verb.into(), detail: Some(detail.into().trim().to_owned()) }
    }

    /// Only the statement's name is known.
    pub fn named(verb: &str) -> Self {
        Self { verb: verb.to_owned(), detail: None }
    }

    /// Whether two readers mean the same.
    pub fn agrees(&self, other: &Self) -> bool {
        let silent = self.detail.is_none() || other.detail.is_none();
        self.verb == other.verb && (silent || self.detail == other.detail)
    }

    pub fn with_writes(mut self, mut writes: Vec<String>) -> Self {
        writes.sort_unstable();
        if let Some(detail) = &mut self.detail {
            for write in writes {
                *detail = format!("{detail} + {write}").trim().to_owned();
            }
        }
        self
    }

    /// As one line.
    pub fn line(&self) -> String {
        match self.detail.as_deref() {
            None | Some("") => self.verb.clone(),
            Some(detail) => format!("{} {detail}", self.verb),
        }
    }
}

/// Words that are there when their flag is set, with one space between.
pub(super) fn flags(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

pub(super) fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

/// The parts with one space between, empty ones left out.
pub(super) fn line(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// The shape of a change, with the writes that stand inside its statement.
pub(super) fn of(change: &Change, inner: &[Statement]) -> Shape {
    let is_read_inside = matches!(
        change,
        Change::Query { .. }
            | Change::Insert(_)
            | Change::Update(_)
            | Change::Delete(_)
            | Change::Merge { .. }
            | Change::Copy(_)
            | Change::Explain { .. }
            | Change::Prepared { .. }
    ) || matches!(change, Change::CreateTable(table) if table.from_query);
    let shape = Shape::new(change.verb(), detail(change));
    if !is_read_inside {
        return shape;
    }
    let inside = inner.iter().flat_map(Statement::walk).filter(|statement| statement.change.is_dml());
    shape.with_writes(inside.map(|statement| statement.change.verb()).collect())
}

fn detail(change: &Change) -> String {
    match change {
        Change::CreateTable(table) => create_table(table),
        Change::AlterTable(table) => alter_table(table),
        Change::CreateIndex(index) => create_index(index),
        Change::AlterObject(object) => alter_object(object),
        Change::Drop(drop) => drop_objects(drop),
        Change::DropOwned { roles } => list(roles),
        Change::Truncate(truncate) => line(&[&list(&truncate.tables), &flags(&[(truncate.cascade, "cascade")])]),
        Change::Delete(dml) | Change::Update(dml) => {
            line(&[&dml.table.to_string(), &flags(&[(dml.filter != Filter::None, "where")])])
        }
        Change::Insert(insert) => line(&[&insert.table.to_string(), conflict(insert)]),
        Change::Merge { table, deletes } => line(&[&table.to_string(), &flags(&[(*deletes, "deletes")])]),
        Change::CreateView(view) => {
            let before = [(view.or_replace, "or replace"), (view.temporary, "temporary")];
            line(&[&flags(&before), &flags(&[(view.if_not_exists, "if not exists")]), &view.name.to_string()])
        }
        Change::CreateType(created) => line(&[&created.name.to_string(), type_kind(&created.kind)]),
        Change::CreateRoutine(routine) => {
            line(&[&flags(&[(routine.or_replace, "or replace")]), &routine.name.to_string()])
        }
        Change::CreateTrigger { name, table, or_replace, .. } => {
            line(&[&flags(&[(*or_replace, "or replace")]), &name.name, "on", &table.to_string()])
        }
        Change::CreatePolicy { name, table, .. } => line(&[&name.name, "on", &table.to_string()]),
        Change::CreateSequence { name, if_not_exists, .. } => named(*if_not_exists, name),
        Change::CreateSchema { name, if_not_exists } => {
            line(&[&flags(&[(*if_not_exists, "if not exists")]), name.as_ref().map_or("", |name| name.name.as_str())])
        }
        Change::CreateExtension { name, if_not_exists, .. } => named(*if_not_exists, name),
        Change::CreateOther { name, .. } => name.as_ref().map(ToString::to_string).unwrap_or_default(),
        Change::Grant { kind, names, .. } => line(&[kind.map_or("", |kind| kind.words()), &list(names)]),
        Change::Comment { kind, name, .. } => {
            line(&[kind.words(), &name.as_ref().map(ToString::to_string).unwrap_or_default()])
        }
        Change::Set(set) => line(&[&flags(&[(set.scope == SetScope::Local, "local")]), &set.name]),
        Change::Call { routine } => routine.to_string(),
        Change::Explain { analyze } => flags(&[(*analyze, "analyze")]),
        Change::Copy(copy) => line(&[
            &copy.table.as_ref().map(ToString::to_string).unwrap_or_default(),
            if copy.from { "from" } else { "to" },
        ]),
        Change::Refresh { view, concurrently, with_data } => line(&[
            &flags(&[(*concurrently, "concurrently")]),
            &view.to_string(),
            &flags(&[(!with_data, "with no data")]),
        ]),
        Change::Reindex { target, name, concurrently } => line(&[
            &format!("{target:?}").to_lowercase(),
            &flags(&[(*concurrently, "concurrently")]),
            &name.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]),
        Change::Cluster { table } => table.as_ref().map(ToString::to_string).unwrap_or_default(),
        Change::Vacuum { full, tables } => line(&[&flags(&[(*full, "full")]), &list(tables)]),
        Change::Analyze { tables } => list(tables),
        Change::Lock { tables, mode } => line(&[&list(tables), "in", &mode.to_lowercase()]),
        Change::Unread { reason } => format!("{reason:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned(),
        Change::AlterDefaultPrivileges(_)
        | Change::Transaction(_)
        | Change::Do { .. }
        | Change::Query { .. }
        | Change::Prepared { .. }
        | Change::Server { .. }
        | Change::Harmless { .. } => String::new(),
    }
}

fn named(if_not_exists: bool, name: impl ToString) -> String {
    line(&[&flags(&[(if_not_exists, "if not exists")]), &name.to_string()])
}

fn conflict(insert: &Insert) -> &'static str {
    match insert.on_conflict {
        None => "",
        Some(OnConflict::DoNothing) => "do nothing",
        Some(OnConflict::DoUpdate) => "do update",
    }
}

fn type_kind(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Enum { .. } => "enum",
        TypeKind::Composite { .. } => "composite",
        TypeKind::Range { .. } => "range",
        TypeKind::Domain { .. } => "domain",
        TypeKind::Other => "",
    }
}

/// What is said of a column: `name not null default`.
pub(super) fn column(column: &Column) -> String {
    let identity = column.generated == Some(Generated::Identity);
    let words = flags(&[
        (column.not_null, "not null"),
        (column.default.is_some(), "default"),
        (column.generated.is_some() && !identity, "generated"),
        (identity, "identity"),
        (column.primary_key, "primary key"),
        (column.unique, "unique"),
    ]);
    let references = column.references.as_ref().map(|table| format!("references {table}")).unwrap_or_default();
    line(&[&column.name.name, &words, &references])
}

fn constraint(constraint: &Constraint) -> String {
    let name = constraint.name.as_ref().map_or("", |name| name.name.as_str());
    let kind = match &constraint.kind {
        ConstraintKind::Check { .. } => "check".to_owned(),
        ConstraintKind::ForeignKey { references, .. } => format!("foreign key to {references}"),
        ConstraintKind::Unique { using_index: None, .. } => "unique".to_owned(),
        ConstraintKind::Unique { using_index: Some(index), .. } => format!("unique using {index}"),
        ConstraintKind::PrimaryKey { using_index: None, .. } => "primary key".to_owned(),
        ConstraintKind::PrimaryKey { using_index: Some(index), .. } => format!("primary key using {index}"),
        ConstraintKind::Exclude { .. } => "exclude".to_owned(),
        ConstraintKind::NotNull { column } => format!("not null {column}"),
    };
    let flags = flags(&[(constraint.not_valid, "not valid"), (constraint.not_enforced, "not enforced")]);
    line(&["constraint", name, &kind, &flags])
}

fn create_table(table: &CreateTable) -> String {
    let before =
        flags(&[(table.temporary, "temporary"), (table.unlogged, "unlogged"), (table.if_not_exists, "if not exists")]);
    let elements: Vec<String> =
        table.columns.iter().map(column).chain(table.constraints.iter().map(constraint)).collect();
    let mut text = line(&[&before, &table.name.to_string()]);
    if !elements.is_empty() {
        let _ = write!(text, " ({})", elements.join(", "));
    }
    for like in &table.like {
        let _ = write!(text, " like {like}");
    }
    if let Some(partition) = &table.partition_of {
        let _ = write!(text, " of {}{}", partition.parent, if partition.default { " default" } else { "" });
    }
    if !table.inherits.is_empty() {
        let _ = write!(text, " inherits {}", list(&table.inherits));
    }
    let after = flags(&[(table.partitioned, "partitioned"), (table.from_query, "as")]);
    line(&[&text, &after])
}

fn create_index(index: &CreateIndex) -> String {
    let before = flags(&[(index.unique, "unique"), (index.if_not_exists, "if not exists")]);
    let name = index.name.as_ref().map_or("", |name| name.name.as_str());
    let only = flags(&[(index.only, "only")]);
    let keys = format!("{} keys", index.keys.len());
    line(&[&before, name, "on", &only, &index.table.to_string(), &keys, &flags(&[(index.partial, "where")])])
}

fn drop_objects(drop: &Drop) -> String {
    let on = drop.on.as_ref().map(|table| format!("on {table}")).unwrap_or_default();
    line(&[&flags(&[(drop.if_exists, "if exists")]), &list(&drop.names), &on, &flags(&[(drop.cascade, "cascade")])])
}

fn alter_table(table: &AlterTable) -> String {
    let before = flags(&[(table.if_exists, "if exists"), (table.only, "only")]);
    let actions: Vec<String> = table.actions.iter().map(|action| action_line(&action.kind)).collect();
    format!("{}: {}", line(&[&before, &table.table.to_string()]), actions.join(", "))
}

fn action_line(action: &ActionKind) -> String {
    let on_column = |words: &str, column: &Ident| format!("{words} {column}");
    match action {
        ActionKind::AddColumn { column: added, if_not_exists } => {
            line(&["add", &flags(&[(*if_not_exists, "if not exists")]), &column(added)])
        }
        ActionKind::DropColumn { column, if_exists, cascade } => dropped("drop", *if_exists, column, *cascade),
        ActionKind::AddConstraint(added) => format!("add {}", constraint(added)),
        ActionKind::DropConstraint { name, if_exists, cascade } => {
            dropped("drop constraint", *if_exists, name, *cascade)
        }
        ActionKind::ValidateConstraint { name } => on_column("validate", name),
        ActionKind::AlterConstraint { name, .. } => on_column("alter constraint", name),
        ActionKind::SetNotNull { column } => on_column("set not null", column),
        ActionKind::DropNotNull { column } => on_column("drop not null", column),
        ActionKind::SetDefault { column, .. } => on_column("set default", column),
        ActionKind::DropDefault { column } => on_column("drop default", column),
        ActionKind::SetType { column, collate, using, .. } => {
            line(&["type", &column.name, &flags(&[(*collate, "collate"), (using.is_some(), "using")])])
        }
        ActionKind::SetExpression { column, .. } => on_column("set expression", column),
        ActionKind::DropExpression { column } => on_column("drop expression", column),
        ActionKind::AddIdentity { column, .. } => on_column("add identity", column),
        ActionKind::SetIdentity { column, .. } => on_column("set identity", column),
        ActionKind::DropIdentity { column } => on_column("drop identity", column),
        ActionKind::ColumnOption { column, option, .. } => line(&["option", &column.name, &option.to_lowercase()]),
        ActionKind::RenameTable { to } => on_column("rename to", to),
        ActionKind::RenameColumn { from, to } => format!("rename {from} to {to}"),
        ActionKind::RenameConstraint { from, to } => format!("rename constraint {from} to {to}"),
        ActionKind::SetSchema { to } => on_column("set schema", to),
        ActionKind::OwnerTo { .. } => "owner".to_owned(),
        ActionKind::AttachPartition { partition, default, .. } => {
            line(&["attach", &partition.to_string(), &flags(&[(*default, "default")])])
        }
        ActionKind::DetachPartition { partition, concurrently, finalize } => line(&[
            "detach",
            &partition.to_string(),
            &flags(&[(*concurrently, "concurrently"), (*finalize, "finalize")]),
        ]),
        ActionKind::Toggle { words, .. } => words.to_lowercase(),
        ActionKind::ReplicaIdentity { .. } => "replica identity".to_owned(),
        ActionKind::ClusterOn { .. } => "cluster on".to_owned(),
        ActionKind::SetWithoutCluster => "set without cluster".to_owned(),
        ActionKind::SetLogged { logged } => if *logged { "set logged" } else { "set unlogged" }.to_owned(),
        ActionKind::SetTablespace { .. } => "set tablespace".to_owned(),
        ActionKind::SetAccessMethod { .. } => "set access method".to_owned(),
        ActionKind::StorageOptions { reset, .. } => if *reset { "reset (…)" } else { "set (…)" }.to_owned(),
        ActionKind::Inherit { parent } => format!("inherit {parent}"),
        ActionKind::NoInherit { parent } => format!("no inherit {parent}"),
        ActionKind::OfType { name } => format!("of {name}"),
        ActionKind::NotOf => "not of".to_owned(),
        ActionKind::ForeignOptions => "options".to_owned(),
    }
}

pub(super) fn dropped(words: &str, if_exists: bool, name: impl ToString, cascade: bool) -> String {
    line(&[words, &flags(&[(if_exists, "if exists")]), &name.to_string(), &flags(&[(cascade, "cascade")])])
}

fn alter_object(object: &AlterObject) -> String {
    let name = object.name.as_ref().map(ObjectName::to_string).unwrap_or_default();
    let action = match &object.action {
        ObjectAction::Rename { to } => format!("rename to {to}"),
        ObjectAction::RenamePart { from, to } => format!("rename {from} to {to}"),
        ObjectAction::SetSchema { to } => format!("set schema {to}"),
        ObjectAction::OwnerTo { .. } => "owner".to_owned(),
        ObjectAction::AddValue { if_not_exists, .. } => {
            line(&["add value", &flags(&[(*if_not_exists, "if not exists")])])
        }
        ObjectAction::RenameValue { .. } => "rename value".to_owned(),
        ObjectAction::AddAttribute { name, .. } => format!("add attribute {name}"),
        ObjectAction::DropAttribute { name, cascade } => dropped("drop attribute", false, name, *cascade),
        ObjectAction::AlterAttribute { name, .. } => format!("alter attribute {name}"),
        ObjectAction::AddConstraint(added) => format!("add {}", constraint(added)),
        ObjectAction::DropConstraint { name } => format!("drop constraint {name}"),
        ObjectAction::ValidateConstraint { name } => format!("validate {name}"),
        ObjectAction::SetNotNull => "set not null".to_owned(),
        ObjectAction::DropNotNull => "drop not null".to_owned(),
        ObjectAction::SetDefault => "set default".to_owned(),
        ObjectAction::DropDefault => "drop default".to_owned(),
        ObjectAction::AttachPartition { index } => format!("attach {index}"),
        ObjectAction::Other { words, .. } => words.to_lowercase(),
    };
    format!("{}: {action}", line(&[&flags(&[(object.if_exists, "if exists")]), &name]))
}
