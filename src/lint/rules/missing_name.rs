//! What a statement names must be there.
//!
//! A column, constraint, trigger, policy, label or attribute that the files certainly do not make, or that is no partition
//! of this table, fails the statement; so does a drop of something that is of another kind, or whose name several
//! functions have. Said only of tables and types
//! that the files tell in full: what other tools make is not known here.
//!
//! ```sql setup
//! create table orders (id bigint primary key, total int, state text, constraint orders_total_check check (total > 0));
//! create table events (id bigint, at date) partition by range (at);
//! create table events_2025 (id bigint, at date);
//! create view open_orders as select id from orders;
//! create type state as enum ('new', 'paid');
//! create type place as (x int, y int);
//! create domain positive as int;
//! create function discount(int) returns int language sql as 'select 1';
//! create function discount(text) returns int language sql as 'select 2';
//! ```
//!
//! ```sql bad fails=42703
//! alter table orders drop column note;
//! ```
//!
//! ```sql bad fails=42703
//! alter table orders alter column note set default 'x';
//! ```
//!
//! ```sql bad fails=42704 also=dropped-constraint
//! alter table orders drop constraint orders_check;
//! ```
//!
//! ```sql bad fails=42704
//! alter table orders validate constraint orders_check;
//! ```
//!
//! ```sql bad fails=42704 also=drop-trigger
//! drop trigger orders_stamp on orders;
//! ```
//!
//! ```sql bad fails=42704 also=drop-policy
//! drop policy own on orders;
//! ```
//!
//! ```sql bad fails=42P01 also=detach-without-concurrently
//! alter table events detach partition events_2025;
//! ```
//!
//! ```sql bad fails=22023 also=renamed-enum-value
//! alter type state rename value 'old' to 'done';
//! ```
//!
//! ```sql bad fails=42703 also=drop-column
//! alter type place drop attribute z;
//! ```
//!
//! ```sql bad fails=42809 also=drop-table
//! drop materialized view open_orders;
//! ```
//!
//! ```sql bad fails=42725 also=drop-routine
//! drop function discount;
//! ```
//!
//! ```sql bad fails=42703
//! comment on column orders.note is 'what the customer wrote';
//! ```
//!
//! ```sql bad fails=42703 also=index-without-concurrently
//! create index orders_note_idx on orders (note);
//! ```
//!
//! ```sql bad fails=42703
//! insert into orders (id, note) values (1, 'x') on conflict do nothing;
//! ```
//!
//! ```sql bad fails=42703
//! create table parcels (id bigint primary key, weight int check (wieght > 0));
//! ```
//!
//! ```sql bad fails=42703 also=check-without-not-valid
//! alter table orders add constraint orders_note_check check (note <> '');
//! ```
//!
//! ```sql bad fails=42703 also=index-without-concurrently
//! create index orders_open_idx on orders (total) where note is null;
//! ```
//!
//! ```sql bad fails=42703
//! create view late_orders as select id, note from orders;
//! ```
//!
//! ```sql bad fails=42703 also=policy-without-row-security
//! create policy own on orders using (note = current_user);
//! ```
//!
//! ```sql bad fails=42703 also=wide-grant
//! grant select (id, note) on orders to public;
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders alter constraint orders_total_check deferrable;
//! ```
//!
//! ```sql bad fails=42704
//! comment on constraint orders_check on orders is 'x';
//! ```
//!
//! ```sql bad fails=42809
//! comment on table open_orders is 'what is not paid';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column state set default 'new', validate constraint orders_total_check;
//! alter type place add attribute z int;
//! ```

use std::collections::BTreeSet;

use crate::{
    catalog::{Catalog, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, columns, named::kind_word, types},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{
            ActionKind, AlterObject, AlterTable, Constraint, ConstraintKind, CreateIndex, CreateTable, Drop,
            Expression, Filter, ObjectAction, ObjectKind, Outputs, ReplicaIdentity, TriggerEvent, TypeKind,
        },
        data_type::{self, DataType},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "missing-name",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("missing_name.rs"),
    check: Check::Statement(check),
};

/// What shares its names with the others of these.
const SHARED: &[ObjectKind] = &[
    ObjectKind::Table,
    ObjectKind::ForeignTable,
    ObjectKind::View,
    ObjectKind::MaterializedView,
    ObjectKind::Index,
    ObjectKind::Sequence,
];

/// Where, and what.
type Missing = (Span, String);

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let help = match &statement.change {
        Change::Drop(Drop { kind: ObjectKind::Function, .. }) => {
            "write its arguments behind the name: `(integer, text)`"
        }
        _ => "look up the name; where it may be missing, say `if exists`",
    };
    let problem = |(span, says): Missing| Problem::at(span).says(format!("{says}: this fails when it runs")).help(help);
    missing(context, statement).into_iter().map(problem).collect()
}

fn missing(context: &Context, statement: &Statement) -> Option<Missing> {
    let catalog = context.catalog;
    match &statement.change {
        Change::AlterTable(alter) => {
            let table = catalog.told(&alter.table)?;
            alter.actions.iter().find_map(|it| altered(context, alter, table, &it.kind))
        }
        Change::CreateTable(table) => {
            created(table).or_else(|| selected(catalog, &table.reads, table.outputs.as_deref()))
        }
        Change::CreateView(view) => selected(catalog, &view.reads, view.outputs.as_ref()),
        Change::CreatePolicy { table, terms, .. } => {
            let table = catalog.told(table)?;
            terms.using.iter().chain(&terms.check).find_map(|it| named(catalog, table, it, |_| false))
        }
        Change::Grant { kind: Some(ObjectKind::Table), names, terms, .. } => {
            let [table] = names.as_slice() else { return None };
            let table = catalog.told(table)?;
            terms.columns.iter().find_map(|it| column_of(table, it))
        }
        Change::Comment { kind, name: Some(on), part: Some(part) } => {
            let table = catalog.told(on)?;
            part_of(context, table, *kind, part)
        }
        Change::Comment { kind, name: Some(name), .. } if SHARED.contains(kind) => other_kind(catalog, *kind, name),
        Change::Drop(drop) => dropped(context, drop),
        Change::AlterObject(alter) => {
            let if_exists = || context.written(statement.span).to_lowercase().contains("if exists");
            part(catalog, alter, statement.span).filter(|_| !if_exists())
        }
        Change::Comment { kind: ObjectKind::Column, name: Some(name), .. } => {
            let (column, of) = name.parts.split_last()?;
            let of = ObjectName { parts: of.into() };
            catalog.told(&of).and_then(|it| column_of(it, column))
        }
        Change::CreateIndex(index) => catalog.told(&index.table).and_then(|it| indexed(catalog, it, index)),
        Change::Insert(it) => {
            let table = catalog.told(&it.table)?;
            it.columns.iter().chain(&it.updates).find_map(|it| column_of(table, it))
        }
        Change::Update(it) | Change::Delete(it) => {
            let table = catalog.told(&it.table)?;
            let condition = it.condition.iter().filter(|_| it.alone && it.filter == Filter::Where);
            let named = condition.filter_map(|it| named(catalog, table, it, |_| false));
            it.columns.iter().find_map(|it| column_of(table, it)).or_else(|| named.into_iter().next())
        }
        Change::CreateTrigger { table, firing, .. } => {
            let table = catalog.told(table)?;
            let row = |it: &ObjectName| match &*it.parts {
                [row, column] if matches!(row.name.as_str(), "new" | "old") => column_of(table, column),
                _ => None,
            };
            let condition = firing.condition.iter().filter(|it| !it.subquery && !it.text.contains(")."));
            if let Some(missing) = condition.flat_map(|it| &it.names).find_map(row) {
                return Some(missing);
            }
            let columns = firing.events.iter().flat_map(|it| match it {
                TriggerEvent::Update { columns } => columns.as_slice(),
                TriggerEvent::Insert | TriggerEvent::Delete | TriggerEvent::Truncate => &[],
            });
            columns.into_iter().find_map(|it| column_of(table, it))
        }
        _ => None,
    }
}

fn column_of(table: &Table, column: &Ident) -> Option<Missing> {
    (!columns::has(table, &column.name)).then(|| (column.span, format!("`{}` has no column `{column}`", table.name)))
}

fn indexed(catalog: &Catalog, table: &Table, index: &CreateIndex) -> Option<Missing> {
    let keys = index.parts.iter().filter_map(|it| it.column.as_ref());
    let expressions = index.parts.iter().filter(|it| it.column.is_none()).map(|it| &it.expression);
    let plain = keys.chain(&index.include).find_map(|it| column_of(table, it));
    plain.or_else(|| expressions.chain(&index.predicate).find_map(|it| named(catalog, table, it, |_| false)))
}

/// A column that an expression names; `made` are those that the statement adds itself.
fn named(catalog: &Catalog, table: &Table, expression: &Expression, made: impl Fn(&str) -> bool) -> Option<Missing> {
    // A function of the row may be called like a column: `orders.label` is `label(orders)`.
    let function = |it: &str| catalog.routines.keys().any(|name| name.last() == it);
    let known = |it: &str| columns::has(table, it) || made(it) || function(it);
    let column = columns::unknown(expression, &table.name, known)?;
    Some((column.span, format!("`{}` has no column `{column}`", table.name)))
}

/// Columns that a query takes from the one table that it reads.
fn selected(catalog: &Catalog, reads: &[ObjectName], outputs: Option<&Outputs>) -> Option<Missing> {
    let [table] = reads else { return None };
    let table = catalog.told(table)?;
    let (column, span) = columns::unknown_output(outputs?, table)?;
    Some((*span, format!("`{}` has no column `{column}`", table.name)))
}

/// A constraint, trigger or policy that is commented.
fn part_of(context: &Context, table: &Table, kind: ObjectKind, part: &Ident) -> Option<Missing> {
    let catalog = context.catalog;
    let (known, word) = match kind {
        ObjectKind::Constraint => {
            let of_null = context.postgres.number() >= 18 && part.name.contains("not_null");
            (table.constraint(part).is_some() || of_null, "constraint")
        }
        ObjectKind::Trigger => (catalog.triggers.on(&table.name).iter().any(|it| it.name == part.name), "trigger"),
        ObjectKind::Policy => (catalog.policies.on(&table.name).iter().any(|it| it.name == part.name), "policy"),
        _ => return None,
    };
    (!known).then(|| (part.span, format!("`{}` has no {word} `{part}`", table.name)))
}

/// Something of that name is there, and of another kind.
fn other_kind(catalog: &Catalog, wanted: ObjectKind, name: &ObjectName) -> Option<Missing> {
    let resolved = catalog.resolve(name);
    let (kind, origin) = catalog.relation(&resolved).filter(|it| it.0 != wanted)?;
    let there = catalog.is_there(&resolved, origin);
    there.then(|| (name.span(), format!("`{name}` is a {}, no {}", kind_word(kind), kind_word(wanted))))
}

/// The columns that an action changes, not those that it makes.
fn changed(action: &ActionKind) -> Option<&Ident> {
    match action {
        ActionKind::DropColumn { column, if_exists: false, .. }
        | ActionKind::SetNotNull { column }
        | ActionKind::DropNotNull { column }
        | ActionKind::SetDefault { column, .. }
        | ActionKind::DropDefault { column }
        | ActionKind::SetType { column, .. }
        | ActionKind::SetExpression { column, .. }
        | ActionKind::DropExpression { column }
        | ActionKind::AddIdentity { column, .. }
        | ActionKind::SetIdentity { column, .. }
        | ActionKind::DropIdentity { column }
        | ActionKind::ColumnOption { column, .. }
        | ActionKind::RenameColumn { from: column, .. } => Some(column),
        _ => None,
    }
}

fn altered(context: &Context, alter: &AlterTable, table: &Table, action: &ActionKind) -> Option<Missing> {
    let catalog = context.catalog;
    let adds = |name: &Ident| {
        let of = |it: &ActionKind| matches!(it, ActionKind::AddColumn { column, .. } if column.name == *name);
        alter.actions.iter().any(|it| of(&it.kind))
    };
    if let Some(column) = changed(action)
        && let Some(missing) = column_of(table, column).filter(|_| !adds(column))
    {
        return Some(missing);
    }
    let made = |name: &str| adds(&Ident { name: name.to_owned(), ..Ident::default() });
    match action {
        ActionKind::AddConstraint(Constraint { kind: ConstraintKind::Check { expression: Some(it) }, .. })
        | ActionKind::SetType { using: Some(it), .. } => named(catalog, table, it, made),
        ActionKind::AddColumn { column, .. } => {
            column.check.iter().chain(&column.generated_as).find_map(|it| named(catalog, table, it, made))
        }
        ActionKind::AlterConstraint { name, inherit: None, .. }
            if table.constraint(name).is_some_and(|it| !matches!(it.kind, ConstraintKind::ForeignKey { .. })) =>
        {
            Some((name.span, format!("`{name}` is no foreign key, and only those can be altered")))
        }
        ActionKind::AddConstraint(new) => {
            let columns = match &new.kind {
                ConstraintKind::PrimaryKey { columns, using_index: None }
                | ConstraintKind::Unique { columns, using_index: None }
                | ConstraintKind::ForeignKey { columns, .. } => columns.as_slice(),
                ConstraintKind::NotNull { column } => std::slice::from_ref(column),
                _ => &[],
            };
            columns.iter().filter(|it| !adds(it)).find_map(|it| column_of(table, it))
        }
        ActionKind::DropConstraint { name, if_exists: false, .. }
        | ActionKind::ValidateConstraint { name }
        | ActionKind::AlterConstraint { name, .. }
        | ActionKind::RenameConstraint { from: name, .. } => {
            // From Postgres 18 each NOT NULL is a constraint by a name.
            let of_null = context.postgres.number() >= 18 && name.name.contains("not_null");
            let adds = |it: &ActionKind| {
                matches!(
                    it,
                    ActionKind::AddConstraint(_) | ActionKind::AddColumn { .. } | ActionKind::RenameConstraint { .. }
                )
            };
            let made_here = alter.actions.iter().any(|it| adds(&it.kind) && !std::ptr::eq(&it.kind, action));
            let known = table.constraint(name).is_some() || of_null || made_here;
            (!known).then(|| (name.span, format!("`{}` has no constraint `{name}`", alter.table)))
        }
        ActionKind::Toggle { words, name: Some(name) } if words.contains("TRIGGER") => {
            let any = matches!(name.name.as_str(), "all" | "user") || name.name.starts_with("RI_");
            let known = any || catalog.triggers_on(&alter.table).any(|it| it.name == name.name);
            (!known).then(|| (name.span, format!("`{}` has no trigger `{name}`", alter.table)))
        }
        ActionKind::ClusterOn { index } | ActionKind::ReplicaIdentity { identity: ReplicaIdentity::Index(index) } => {
            let known = catalog.indexes_of(&alter.table).any(|it| it.name.last() == index.name);
            (!known).then(|| (index.span, format!("`{}` has no index `{index}`", alter.table)))
        }
        ActionKind::DetachPartition { partition, .. } => {
            let known = catalog.told(partition)?;
            let other = known.partition_of.as_ref() != Some(&table.name);
            other.then(|| (partition.span(), format!("`{partition}` is no partition of `{}`", alter.table)))
        }
        ActionKind::NoInherit { parent } => {
            let other = !table.inherits.contains(&catalog.resolve(parent));
            other.then(|| (parent.span(), format!("`{}` does not inherit from `{parent}`", alter.table)))
        }
        _ => None,
    }
}

/// Keys of columns that a new table does not have.
fn created(table: &CreateTable) -> Option<Missing> {
    let elsewhere = table.from_query
        || table.partition_of.is_some()
        || table.of_type.is_some()
        || !table.inherits.is_empty()
        || !table.like.is_empty();
    if elsewhere {
        return None;
    }
    let named = table.constraints.iter().flat_map(|it| match &it.kind {
        ConstraintKind::PrimaryKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        | ConstraintKind::ForeignKey { columns, .. } => columns.as_slice(),
        _ => &[],
    });
    let by = table.partition_by.iter().flat_map(|it| &it.keys).filter_map(|it| it.column.as_ref());
    let has = |name: &Ident| table.columns.iter().any(|it| it.name == *name);
    let says = |it: &Ident| (it.span, format!("`{}` gets no column `{it}`", table.name));
    let plain = named.chain(by).find(|it| !has(it) && !columns::is_of_system(&it.name)).map(says);
    let checks = table.constraints.iter().filter_map(|it| match &it.kind {
        ConstraintKind::Check { expression } => expression.as_ref(),
        _ => None,
    });
    let of_columns = table.columns.iter().flat_map(|it| it.check.iter().chain(&it.generated_as));
    let known = |name: &str| table.columns.iter().any(|it| it.name.name == name);
    let within = || checks.chain(of_columns).find_map(|it| columns::unknown(it, &table.name, known));
    plain.or_else(|| within().map(|it| says(&it)))
}

/// A name without arguments that several functions have: Postgres does not choose, not even with `IF EXISTS`.
fn ambiguous(catalog: &Catalog, name: &ObjectName, arguments: Option<&str>) -> Option<Missing> {
    let built_in = |it: &String| types::is_built_in(&DataType { array: false, ..data_type::read(it) });
    let functions = catalog.routine(name).iter().filter(|it| {
        let told = it.arguments.as_ref().is_some_and(|it| it.iter().all(built_in));
        it.kind == ObjectKind::Function && told && catalog.is_there(name, it.origin)
    });
    let overloads = functions.map(|it| &it.arguments).collect::<BTreeSet<_>>().len();
    let several = arguments.is_none() && overloads > 1;
    several.then(|| (name.span(), format!("`{name}` is the name of {overloads} functions, and nothing says which")))
}

fn dropped(context: &Context, drop: &Drop) -> Option<Missing> {
    let catalog = context.catalog;
    if let (Some(on), false) = (&drop.on, drop.if_exists) {
        let name = drop.names.first()?;
        let told = catalog.told(on).is_some();
        let known = match drop.kind {
            ObjectKind::Trigger => catalog.triggers_on(on).any(|it| it.name == name.last()),
            ObjectKind::Policy => catalog.policies_on(on).any(|it| it.name == name.last()),
            _ => true,
        };
        return (told && !known).then(|| (name.span(), format!("`{on}` has no {} `{name}`", kind_word(drop.kind))));
    }
    if drop.kind == ObjectKind::Function {
        return drop.names.iter().zip(&drop.arguments).find_map(|(name, it)| ambiguous(catalog, name, it.as_deref()));
    }
    if !SHARED.contains(&drop.kind) {
        return None;
    }
    drop.names.iter().find_map(|it| other_kind(catalog, drop.kind, it))
}

/// A label of an enum, an attribute of a composite type, a constraint of a domain.
fn part(catalog: &Catalog, alter: &AlterObject, span: Span) -> Option<Missing> {
    let name = alter.name.as_ref()?;
    if let (Some(on), ObjectAction::Rename { .. }) = (&alter.on, &alter.action) {
        let known = match alter.kind {
            ObjectKind::Trigger => catalog.triggers_on(on).any(|it| it.name == name.last()),
            ObjectKind::Policy => catalog.policies_on(on).any(|it| it.name == name.last()),
            _ => true,
        };
        let missing = !known && catalog.told(on).is_some();
        return missing.then(|| (name.span(), format!("`{on}` has no {} `{name}`", kind_word(alter.kind))));
    }
    let known = catalog.data_type(name).filter(|it| catalog.is_there(name, it.origin))?;
    let label = |label: &String, values: &[String]| {
        (!values.contains(label)).then(|| (span, format!("`{name}` has no such label")))
    };
    match (&alter.action, &known.kind) {
        (ObjectAction::RenameValue { from, .. }, TypeKind::Enum { values }) => label(from, values),
        (ObjectAction::AddValue { beside: Some((_, other)), .. }, TypeKind::Enum { values }) => label(other, values),
        (
            ObjectAction::DropAttribute { name: of, .. }
            | ObjectAction::AlterAttribute { name: of, .. }
            | ObjectAction::RenamePart { from: of, .. },
            TypeKind::Composite { attributes },
        ) if !attributes.iter().any(|it| it.name == *of) => {
            Some((of.span, format!("`{name}` has no attribute `{of}`")))
        }
        (
            ObjectAction::DropConstraint { name: of } | ObjectAction::ValidateConstraint { name: of },
            TypeKind::Domain { .. },
        ) if !known.constraints.iter().any(|it| it.name == of.name) => {
            Some((of.span, format!("`{name}` has no constraint `{of}`")))
        }
        _ => None,
    }
}
