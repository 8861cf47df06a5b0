//! What was dropped, renamed or moved before is there no more.
//!
//! Table, view, index, sequence, type, function or schema: a statement that names one that an earlier migration has
//! dropped, or by the name that it had before, fails when it runs. Said only where nothing since can have made it again:
//! no text that is put together, no file that is not read, no table of that name in another schema.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total int);
//! create table carts (id bigint primary key);
//! create table sold (id bigint primary key, code text);
//! create index sold_code_idx on sold (code);
//! create view late_orders as select id from orders;
//! create type state as enum ('new', 'paid');
//! create function fee(total int) returns int language sql as 'select 1';
//! create schema archive;
//! alter table carts rename to baskets;
//! ```
//!
//! ```sql bad fails=42P01
//! alter table carts add column note text;
//! ```
//!
//! ```sql bad fails=42P01
//! comment on table carts is 'what is not bought yet';
//! ```
//!
//! ```sql bad fails=42P01
//! create table items (id bigint primary key references carts);
//! ```
//!
//! ```sql bad fails=42P01 also=drop-view
//! drop view late_orders;
//! create view latest as select max(id) from late_orders;
//! ```
//!
//! ```sql bad fails=42704 also=drop-column,drop-index-without-concurrently
//! alter table sold drop column code;
//! drop index sold_code_idx;
//! ```
//!
//! ```sql bad fails=42704 also=drop-type
//! drop type state;
//! create table parcels (id bigint primary key, state state);
//! ```
//!
//! ```sql bad fails=42883 also=drop-routine
//! drop function fee(int);
//! drop function fee(int);
//! ```
//!
//! ```sql bad fails=3F000 also=drop-schema
//! drop schema archive;
//! create table archive.orders (id bigint primary key);
//! ```
//!
//! ```sql good locks=baskets:AccessExclusiveLock,late_orders:AccessExclusiveLock,orders:AccessShareLock also=drop-view
//! drop view late_orders;
//! create view late_orders as select id from orders;
//! drop view late_orders;
//! alter table baskets add column note text;
//! alter table if exists carts add column note text;
//! drop view if exists late_orders;
//! ```

use crate::{
    catalog::{Catalog, Gone, Namespace, namespace},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{
        Change, Place, Span, Statement,
        change::{ActionKind, ObjectKind, ReindexTarget},
        data_type,
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "dropped-name",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("dropped_name.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let catalog = context.catalog;
    if catalog.gone.is_empty() || !context.certainly_runs(statement) {
        return Vec::new();
    }
    // Files without numbers are scripts, in no order.
    let told = |gone: &Gone| {
        let own = gone.migration + 1 == catalog.migrations.len();
        own || catalog.migration(gone.migration).is_some_and(|it| it.contains(|it: char| it.is_ascii_digit()))
    };
    let found = needed(statement).into_iter().find_map(|(space, name)| {
        let gone = catalog.gone(space, &name).filter(|it| told(it))?;
        Some((gone.clone(), name))
    });
    let problem = |(gone, name): (Gone, ObjectName)| {
        let when = catalog.migration(gone.migration).map(|it| format!(", in {it}")).unwrap_or_default();
        let (says, help) = match &gone.renamed {
            Some(new) => (format!("`{name}` is called `{new}` by now{when}"), format!("name it `{new}`")),
            None => (
                format!("`{name}` is there no more, it was dropped before{when}"),
                "leave this out, or make it again above; where it may be missing, say `if exists`".to_owned(),
            ),
        };
        let span = if name.span().start < name.span().end { name.span() } else { statement.span };
        Problem::at(span).says(format!("{says}: this fails when it runs")).help(help)
    };
    found.map(problem).into_iter().collect()
}

/// Whether a statement of the history cannot have run after those before it: the files are no single history then.
pub fn contradicts(catalog: &Catalog, statement: &Statement) -> bool {
    statement.place == Place::Top && !used(catalog, statement).is_empty()
}

/// What the statement needs and is gone.
pub fn used(catalog: &Catalog, statement: &Statement) -> Vec<ObjectName> {
    if catalog.gone.is_empty() {
        return Vec::new();
    }
    let gone = needed(statement).into_iter().filter(|(space, name)| catalog.gone(*space, name).is_some());
    gone.map(|it| it.1).collect()
}

/// What must be there when the statement starts.
fn needed(statement: &Statement) -> Vec<(Namespace, ObjectName)> {
    use Namespace::{Relation, Routine, Schema, Type};
    let mut needed = Vec::new();
    let mut relations = |names: &[ObjectName]| needed.extend(names.iter().map(|it| (Relation, it.clone())));
    let one = std::slice::from_ref::<ObjectName>;
    match &statement.change {
        Change::CreateTable(table) if table.if_not_exists => return Vec::new(),
        Change::CreateTable(table) => {
            relations(&table.reads);
            relations(&table.inherits);
            relations(&table.like);
            table.partition_of.iter().for_each(|it| relations(one(&it.parent)));
        }
        Change::AlterTable(alter) if alter.if_exists => return Vec::new(),
        Change::AlterTable(alter) => {
            relations(one(&alter.table));
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::AttachPartition { partition: other, .. }
                    | ActionKind::DetachPartition { partition: other, .. }
                    | ActionKind::Inherit { parent: other }
                    | ActionKind::NoInherit { parent: other } => relations(one(other)),
                    _ => {}
                }
            }
        }
        Change::CreateIndex(index) => relations(one(&index.table)),
        Change::CreateView(view) if !view.if_not_exists => relations(&view.reads),
        Change::CreateTrigger { table, routine, .. } => {
            relations(one(table));
            needed.extend(routine.iter().map(|it| (Routine, it.clone())));
        }
        Change::CreatePolicy { table, .. } => relations(one(table)),
        Change::Truncate(truncate) => relations(&truncate.tables),
        Change::Update(dml) | Change::Delete(dml) => {
            relations(one(&dml.table));
            relations(&dml.reads);
        }
        Change::Insert(insert) => {
            relations(one(&insert.table));
            relations(&insert.reads);
        }
        Change::Merge { table, .. } => relations(one(table)),
        Change::Query { reads, .. } => relations(reads),
        Change::Copy(copy) => copy.table.iter().for_each(|it| relations(one(it))),
        Change::Refresh { view, .. } => relations(one(view)),
        Change::Lock { tables, .. } | Change::Analyze { tables } | Change::Vacuum { tables, .. } => relations(tables),
        Change::Cluster { table: Some(table) } => relations(one(table)),
        Change::Reindex { target: ReindexTarget::Index | ReindexTarget::Table, name: Some(name), .. } => {
            relations(one(name));
        }
        Change::Grant { kind: Some(ObjectKind::Table | ObjectKind::Sequence), names, .. } => relations(names),
        Change::Comment { kind: ObjectKind::Column, name: Some(name), .. } => {
            if let Some((_, of)) = name.parts.split_last() {
                relations(&[ObjectName { parts: of.into() }]);
            }
        }
        Change::Comment { kind, name: Some(name), part } => {
            let space = if part.is_some() { Some(Relation) } else { namespace(*kind) };
            needed.extend(space.map(|it| (it, name.clone())));
        }
        Change::Drop(drop) if drop.if_exists => return Vec::new(),
        Change::Drop(drop) => {
            relations(drop.on.as_slice());
            let space = namespace(drop.kind).filter(|_| drop.on.is_none());
            needed.extend(space.iter().flat_map(|space| drop.names.iter().map(|it| (*space, it.clone()))));
        }
        Change::AlterObject(alter) if alter.if_exists => return Vec::new(),
        Change::AlterObject(alter) => match &alter.on {
            Some(on) => relations(one(on)),
            None => needed.extend(alter.name.iter().filter_map(|it| Some((namespace(alter.kind)?, it.clone())))),
        },
        _ => {}
    }
    needed.extend(referenced(statement).into_iter().map(|it| (Relation, it)));
    needed.extend(types(statement).into_iter().map(|it| (Type, it)));
    needed.extend(schema(statement).map(|it| (Schema, it)));
    needed
}

/// Tables at the other end of new foreign keys; a table may refer to itself.
fn referenced(statement: &Statement) -> Vec<ObjectName> {
    let of_others = added::foreign_keys(statement).into_iter().filter(|it| it.table != it.references);
    of_others.map(|it| it.references.clone()).collect()
}

/// Types of columns.
fn types(statement: &Statement) -> Vec<ObjectName> {
    let mut written =
        added::columns(statement).into_iter().map(|it| (&it.1.data_type, it.1.type_span)).collect::<Vec<_>>();
    if let Change::AlterTable(alter) = &statement.change {
        written.extend(alter.actions.iter().filter_map(|it| match &it.kind {
            ActionKind::SetType { data_type, type_span, .. } => Some((data_type, *type_span)),
            _ => None,
        }));
    }
    let name = |(written, span): (&String, Span)| {
        let read = ObjectName::dotted(&data_type::read(written).name);
        ObjectName { parts: read.parts.iter().map(|it| Ident { span, ..it.clone() }).collect() }
    };
    written.into_iter().map(name).collect()
}

/// The schema that something is made in.
fn schema(statement: &Statement) -> Option<ObjectName> {
    let made = match &statement.change {
        Change::CreateTable(table) => &table.name,
        Change::CreateView(view) => &view.name,
        Change::CreateType(new) => &new.name,
        Change::CreateRoutine(new) => &new.name,
        Change::CreateSequence { name, .. } => name,
        _ => return None,
    };
    let [schema, _] = &*made.parts else { return None };
    Some(ObjectName::of(schema.clone()))
}
