//! What is created, or gets another name, must not have a name that something has already.
//!
//! Tables, views, indexes, sequences and composite types of a schema share their names, and so do types and tables;
//! constraints, triggers and policies are named once for each table, labels once for each enum. The statement fails.
//! Only said of names that the files certainly give: not behind a `DO` block or a called routine that may have taken
//! them away.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total int, constraint orders_total_check check (total > 0));
//! create table carts (id bigint primary key);
//! create view open_orders as select id from orders;
//! create index orders_total_idx on orders (total);
//! create type state as enum ('new', 'paid');
//! create sequence numbers;
//! create schema archive;
//! create table archive.carts (id bigint primary key);
//! create function fee(total int) returns int language sql as 'select 1';
//! create function stamp() returns trigger language plpgsql as 'begin return new; end';
//! create trigger orders_stamp before update on orders for each row execute function stamp();
//! alter table carts enable row level security;
//! create policy own on carts using (true);
//! create extension citext;
//! ```
//!
//! ```sql bad fails=42P07
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad fails=42P07
//! create view carts as select id from orders;
//! ```
//!
//! ```sql bad fails=42P07 also=index-without-concurrently
//! create index orders_total_idx on orders (total, id);
//! ```
//!
//! ```sql bad fails=42P07
//! create sequence open_orders;
//! ```
//!
//! ```sql bad fails=42710
//! create type state as enum ('old');
//! ```
//!
//! ```sql bad fails=23505
//! create type color as enum ('red', 'red');
//! ```
//!
//! ```sql bad fails=42P06
//! create schema archive;
//! ```
//!
//! ```sql bad fails=42710
//! create extension citext;
//! ```
//!
//! ```sql bad fails=42723
//! create function fee(amount integer) returns int language sql as 'select 2';
//! ```
//!
//! ```sql bad fails=42710
//! create trigger orders_stamp after insert on orders for each row execute function stamp();
//! ```
//!
//! ```sql bad fails=42710
//! create policy own on carts using (id > 0);
//! ```
//!
//! ```sql bad fails=42P07 also=renamed-object
//! alter table orders rename to carts;
//! ```
//!
//! ```sql bad fails=42P07 also=renamed-object
//! alter table carts set schema archive;
//! ```
//!
//! ```sql bad fails=42710
//! alter table orders add constraint orders_total_check check (total > 1) not valid;
//! ```
//!
//! ```sql bad fails=42710
//! alter type state add value 'paid';
//! ```
//!
//! ```sql bad fails=42809
//! create or replace view orders as select 1 as id;
//! ```
//!
//! ```sql good locks=open_orders:AccessExclusiveLock,orders:AccessShareLock
//! create table archive.orders (id bigint primary key);
//! create or replace view open_orders as select id from orders where total > 0;
//! create or replace function fee(total int) returns int language sql as 'select 2';
//! ```

use crate::{
    catalog::{Catalog, Origin, Type},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, named::kind_word},
    report::Harm,
    sql::{
        Change, Place, Span, Statement,
        change::{
            ActionKind, AlterObject, AlterTable, Constraint, ConstraintKind, CreateTable, CreateView, ObjectAction,
            ObjectKind, TypeKind,
        },
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "existing-name",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("existing_name.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let problem = |(span, says): (Span, String)| {
        Problem::at(span)
            .says(format!("{says}: this fails when it runs"))
            .help("take another name, or drop what has this one above; leave it out where that is what you want")
    };
    taken(context.catalog, statement).into_iter().map(problem).collect()
}

/// Whether a statement of the history cannot have run after those before it: the files are no single history then.
pub fn contradicts(catalog: &Catalog, statement: &Statement) -> bool {
    statement.place == Place::Top && taken(catalog, statement).is_some()
}

/// Where a name is that something has, and what has it.
fn taken(catalog: &Catalog, statement: &Statement) -> Option<(Span, String)> {
    match &statement.change {
        Change::CreateTable(table) if !table.if_not_exists => table_is_taken(catalog, table),
        Change::CreateView(view) if !view.if_not_exists => view_is_taken(catalog, view),
        Change::CreateIndex(index) if !index.if_not_exists => {
            let name = index.name.as_ref()?;
            relation(catalog, &beside(catalog, &index.table, name)).map(|says| (name.span, says))
        }
        Change::CreateSequence { name, if_not_exists: false, temporary: false, .. } => {
            relation(catalog, &catalog.target(name)).map(|says| (name.span(), says))
        }
        Change::CreateType(new) => {
            if let TypeKind::Enum { values } = &new.kind
                && (1..values.len()).any(|at| values[..at].contains(&values[at]))
            {
                return Some((new.name.span(), format!("two labels of `{}` are the same", new.name)));
            }
            let target = catalog.target(&new.name);
            // `create type x;` makes a shell, which the next one fills.
            let shell = |it: &Type| matches!(it.kind, TypeKind::Other);
            if catalog.types.get(&target).is_some_and(shell) {
                return None;
            }
            let composite = matches!(new.kind, TypeKind::Composite { .. });
            let says = type_like(catalog, &target).or_else(|| relation(catalog, &target).filter(|_| composite))?;
            Some((new.name.span(), says))
        }
        Change::CreateSchema { name: Some(name), if_not_exists: false } => {
            let origin = catalog.schemas.get(&name.name)?;
            let is_there = catalog.is_there(&ObjectName::of(name.clone()), *origin);
            is_there.then(|| (name.span, format!("there is a schema `{name}`")))
        }
        Change::CreateExtension { name, if_not_exists: false, .. } if name.name == "plpgsql" => {
            Some((name.span, "every database is made with `plpgsql`".to_owned()))
        }
        Change::CreateExtension { name, if_not_exists: false, .. } => {
            let known = ObjectName::of(name.clone());
            let origin = catalog.others.get(&(ObjectKind::Extension, known.clone(), None))?;
            catalog.is_there(&known, *origin).then(|| (name.span, format!("there is an extension `{name}`")))
        }
        Change::CreateRoutine(new) if !new.or_replace => {
            let (target, made) = (catalog.target(&new.name), catalog.routine_of(new));
            let mut overloads = catalog.routines.get(&target)?.iter();
            let old = overloads.find(|it| it.arguments == made.arguments && catalog.is_there(&target, it.origin))?;
            let arguments = old.arguments.as_deref().unwrap_or_default().join(", ");
            Some((new.name.span(), format!("there is a {} `{}({arguments})`", kind_word(old.kind), new.name)))
        }
        Change::CreateTrigger { name, table, or_replace: false, .. } => trigger(catalog, table, name),
        Change::CreatePolicy { name, table, .. } => policy(catalog, table, name),
        Change::AlterTable(alter) => alter.actions.iter().find_map(|it| altered(catalog, alter, &it.kind)),
        Change::AlterObject(alter) => object(catalog, alter, statement.span),
        _ => None,
    }
}

fn table_is_taken(catalog: &Catalog, table: &CreateTable) -> Option<(Span, String)> {
    if table.temporary {
        return None;
    }
    let target = catalog.target(&table.name);
    let own = relation(catalog, &target).or_else(|| type_like(catalog, &target));
    let of_index = || table.constraints.iter().find_map(|it| index_of(catalog, &target, it));
    own.map(|says| (table.name.span(), says)).or_else(of_index)
}

fn view_is_taken(catalog: &Catalog, view: &CreateView) -> Option<(Span, String)> {
    if view.temporary {
        return None;
    }
    let target = catalog.target(&view.name);
    let (kind, origin) = catalog.relation(&target).or_else(|| catalog.type_like(&target))?;
    let replaced = view.or_replace && kind == ObjectKind::View;
    (!replaced && catalog.is_there(&target, origin)).then(|| (view.name.span(), there_is(kind, &target)))
}

/// The index of a key that gets its constraint's name.
fn index_of(catalog: &Catalog, table: &ObjectName, new: &Constraint) -> Option<(Span, String)> {
    let carried = matches!(
        new.kind,
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } | ConstraintKind::Exclude { .. }
    );
    let name = new.name.as_ref().filter(|_| carried)?;
    let own = match &new.kind {
        ConstraintKind::PrimaryKey { using_index, .. } | ConstraintKind::Unique { using_index, .. } => {
            using_index.as_ref()
        }
        _ => None,
    };
    // An index that is taken over keeps its name.
    if own == Some(name) {
        return None;
    }
    relation(catalog, &beside(catalog, table, name)).map(|says| (name.span, says))
}

fn altered(catalog: &Catalog, alter: &AlterTable, action: &ActionKind) -> Option<(Span, String)> {
    let table = catalog.resolve(&alter.table);
    match action {
        ActionKind::RenameTable { to } => {
            let new = beside(catalog, &alter.table, to);
            let says = relation(catalog, &new).or_else(|| type_like(catalog, &new))?;
            Some((to.span, says))
        }
        ActionKind::SetSchema { to } => moved(catalog, &table, to),
        ActionKind::AddConstraint(new) => {
            let name = new.name.as_ref().filter(|_| !alter.actions.iter().any(|it| it.kind.drops_before_adding()))?;
            constraint(catalog, &table, name).or_else(|| index_of(catalog, &table, new))
        }
        ActionKind::RenameConstraint { from, to } if from != to => constraint(catalog, &table, to),
        _ => None,
    }
}

fn object(catalog: &Catalog, alter: &AlterObject, span: Span) -> Option<(Span, String)> {
    let name = alter.name.as_ref()?;
    match (&alter.action, alter.kind, &alter.on) {
        (ObjectAction::Rename { to }, ObjectKind::Trigger, Some(on)) if to.name != name.last() => {
            trigger(catalog, on, to)
        }
        (ObjectAction::Rename { to }, ObjectKind::Policy, Some(on)) if to.name != name.last() => {
            policy(catalog, on, to)
        }
        (ObjectAction::Rename { to }, kind, None) if to.name != name.last() => {
            let new = beside(catalog, name, to);
            let says = match kind {
                ObjectKind::View | ObjectKind::MaterializedView => {
                    relation(catalog, &new).or_else(|| type_like(catalog, &new))
                }
                ObjectKind::Index | ObjectKind::Sequence => relation(catalog, &new),
                ObjectKind::Type | ObjectKind::Domain => type_like(catalog, &new),
                ObjectKind::Schema => {
                    let origin = catalog.schemas.get(&to.name)?;
                    let there = catalog.is_there(&ObjectName::of(to.clone()), *origin);
                    there.then(|| format!("there is a schema `{to}`"))
                }
                _ => None,
            };
            says.map(|says| (to.span, says))
        }
        (ObjectAction::SetSchema { to }, ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Sequence, _) => {
            moved(catalog, &catalog.resolve(name), to)
        }
        _ => part(catalog, name, &alter.action, span),
    }
}

/// A label of an enum, an attribute of a composite type, a constraint of a domain.
fn part(catalog: &Catalog, name: &ObjectName, action: &ObjectAction, span: Span) -> Option<(Span, String)> {
    let known = catalog.data_type(name).filter(|it| catalog.is_there(name, it.origin))?;
    match (action, &known.kind) {
        (ObjectAction::AddValue { value, if_not_exists: false, .. }, TypeKind::Enum { values })
        | (ObjectAction::RenameValue { to: value, .. }, TypeKind::Enum { values })
            if values.contains(value) =>
        {
            Some((span, format!("`{name}` has this label")))
        }
        (ObjectAction::AddAttribute { name: new, .. }, TypeKind::Composite { attributes })
        | (ObjectAction::RenamePart { to: new, .. }, TypeKind::Composite { attributes })
            if attributes.iter().any(|it| it.name == *new) =>
        {
            Some((new.span, format!("`{name}` has an attribute `{new}`")))
        }
        (ObjectAction::AddConstraint(new), TypeKind::Domain { .. }) => {
            let new = new.name.as_ref().filter(|new| known.constraints.iter().any(|it| it.name == new.name))?;
            Some((new.span, format!("`{name}` has a constraint `{new}`")))
        }
        _ => None,
    }
}

fn trigger(catalog: &Catalog, table: &ObjectName, name: &Ident) -> Option<(Span, String)> {
    let on = catalog.resolve(table);
    let is_rule = |it: &ObjectName| it.schema().starts_with("rule on ");
    let mut known = catalog.triggers_on(table).filter(|it| !it.routine.as_ref().is_some_and(is_rule));
    known.find(|it| it.name == name.name && catalog.is_there(&on, it.origin))?;
    Some((name.span, format!("`{table}` has a trigger `{name}`")))
}

fn policy(catalog: &Catalog, table: &ObjectName, name: &Ident) -> Option<(Span, String)> {
    let on = catalog.resolve(table);
    catalog.policies_on(table).find(|it| it.name == name.name && catalog.is_there(&on, it.origin))?;
    Some((name.span, format!("`{table}` has a policy `{name}`")))
}

fn constraint(catalog: &Catalog, table: &ObjectName, name: &Ident) -> Option<(Span, String)> {
    let table_of = catalog.tables.get(table)?;
    let known = table_of.constraint(name)?;
    // A check that is inherited becomes the table's own, too, and `no inherit` keeps one from its heirs.
    let inherits = table_of.partition_of.is_some() || !table_of.inherits.is_empty();
    if inherits && matches!(known.kind, ConstraintKind::Check { .. }) {
        return None;
    }
    catalog.is_there(table, known.origin).then(|| (name.span, format!("`{table}` has a constraint `{name}`")))
}

fn moved(catalog: &Catalog, name: &ObjectName, to: &Ident) -> Option<(Span, String)> {
    let last = name.parts.last()?;
    let new = ObjectName { parts: [to.clone(), last.clone()].into() };
    if new == *name {
        return None;
    }
    relation(catalog, &new).map(|says| (to.span, says))
}

/// A name in the schema of something that is there already.
fn beside(catalog: &Catalog, old: &ObjectName, name: &Ident) -> ObjectName {
    let old = catalog.resolved(old);
    let schema = old.parts.split_last().map_or(&[][..], |(_, schema)| schema);
    ObjectName { parts: schema.iter().chain([name]).cloned().collect() }
}

fn relation(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    said(catalog, name, catalog.relation(name)?)
}

fn type_like(catalog: &Catalog, name: &ObjectName) -> Option<String> {
    said(catalog, name, catalog.type_like(name)?)
}

fn said(catalog: &Catalog, name: &ObjectName, (kind, origin): (ObjectKind, Origin)) -> Option<String> {
    catalog.is_there(name, origin).then(|| there_is(kind, name))
}

fn there_is(kind: ObjectKind, name: &ObjectName) -> String {
    let article = if kind == ObjectKind::Index { "an" } else { "a" };
    format!("there is {article} {} `{name}`", kind_word(kind))
}
