//! What goes, and what goes with it.

use super::{
    super::{Catalog, Column, Constraint, Origin, Routine, Table, Trigger},
    column, object, partition, view,
};
use crate::sql::{
    change::{ConstraintKind, Drop, ObjectKind, TypeKind},
    data_type,
    names::{Ident, ObjectName},
};

pub fn drop_objects(catalog: &mut Catalog, drop: &Drop, origin: Origin) {
    // What is perhaps dropped is kept: forgetting it would hide what later statements do to it. Views only make later
    // statements fail, so they stay as what may be there.
    if !origin.certain {
        drop.names.iter().for_each(|it| view::doubt(catalog, it));
        drop.names.iter().chain(&drop.on).for_each(|it| catalog.doubt(it));
        if drop.cascade || drop.kind == ObjectKind::Schema {
            catalog.lose_sight(origin.migration);
        }
        return;
    }
    let on = drop.on.as_ref().map(|it| catalog.resolve(it));
    // What else is made of a type, or calls what is in a schema, is not known.
    if drop.cascade && matches!(drop.kind, ObjectKind::Type | ObjectKind::Domain | ObjectKind::Schema) {
        catalog.lose_sight(origin.migration);
    }
    for (at, written) in drop.names.iter().enumerate() {
        let name = catalog.resolve(written);
        if drop.cascade && !matches!(drop.kind, ObjectKind::Type | ObjectKind::Domain) {
            drop_users_of_rows(catalog, &name);
        }
        match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => {
                let owned = catalog.sequences.linked_to(&name).map(|(name, _)| name.clone());
                let owned = owned.filter(|_| drop.cascade).collect::<Vec<_>>();
                drop_table(catalog, &name);
                owned.iter().for_each(|it| drop_defaults_from(catalog, it));
            }
            ObjectKind::Index => drop_index(catalog, &name, origin),
            ObjectKind::View | ObjectKind::MaterializedView => view::drop_view(catalog, &name),
            ObjectKind::Type | ObjectKind::Domain => drop_type(catalog, &name, drop.cascade),
            ObjectKind::Sequence => {
                catalog.sequences.remove(&name);
                if drop.cascade {
                    drop_defaults_from(catalog, &name);
                }
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                object::drop_routine(catalog, &name, drop.arguments.get(at).and_then(Option::as_deref));
                if drop.cascade {
                    drop_callers(catalog, &name, origin);
                }
            }
            ObjectKind::Schema => drop_schema(catalog, name.last()),
            ObjectKind::Trigger => {
                on.iter().for_each(|table| catalog.triggers.retain_on(table, |it| it.name != name.last()));
            }
            kind => {
                if let Some(table) = on.as_ref().filter(|_| kind == ObjectKind::Policy) {
                    catalog.policies.retain_on(table, |it| it.name != name.last());
                }
                // Mostly of no schema, so that the search path does not count.
                catalog.others.remove(&(kind, written.clone(), on.clone()));
                // What needs an extension, an operator or a collation is not known.
                if drop.cascade && kind != ObjectKind::Policy {
                    catalog.lose_sight(origin.migration);
                }
            }
        }
    }
}

/// Columns whose default takes its numbers have none afterwards.
fn drop_defaults_from(catalog: &mut Catalog, sequence: &ObjectName) {
    let takes = |it: &Column| it.default.as_ref().is_some_and(|it| catalog.takes_numbers(it, sequence));
    let tables = catalog.tables.values().filter(|it| it.columns.iter().any(takes)).map(|it| it.name.clone());
    for name in tables.collect::<Vec<_>>() {
        let Some(mut table) = catalog.tables.remove(&name) else { continue };
        for column in &mut table.columns {
            column.default.take_if(|it| catalog.takes_numbers(it, sequence));
        }
        catalog.tables.insert(name, table);
    }
}

/// With it go those that it has on partitions.
fn drop_index(catalog: &mut Catalog, name: &ObjectName, origin: Origin) {
    let Some(dropped) = catalog.indexes.remove(name) else { return };
    catalog.dropped_indexes.push((dropped, origin));
    let on_partitions = catalog.indexes.linked_to(name).filter(|(_, it)| it.parent.as_ref() == Some(name));
    let on_partitions = on_partitions.map(|(name, _)| name.clone()).collect::<Vec<_>>();
    on_partitions.iter().for_each(|it| drop_index(catalog, it, origin));
}

/// Routines that take or give rows of a relation go with it, and policies that query it.
fn drop_users_of_rows(catalog: &mut Catalog, name: &ObjectName) {
    if catalog.relation(name).is_none() && catalog.type_like(name).is_none() {
        return;
    }
    let shown = object::shown(name);
    let is_of = |it: &String| it.split(|it: char| it.is_whitespace() || it == '[').any(|it| it == shown);
    catalog.routines.retain(|_, overloads| {
        overloads.retain(|it| !it.arguments.iter().flatten().chain(&it.returns).any(is_of));
        !overloads.is_empty()
    });
    for it in catalog.policies.iter_mut().filter(|it| it.queried.iter().any(|it| it == name.last())) {
        it.origin.certain = false;
    }
}

/// Triggers go with their routine. What else calls one, in a policy, a default or a view, is not known.
fn drop_callers(catalog: &mut Catalog, name: &ObjectName, origin: Origin) {
    let calls = |it: &&Trigger| it.routine.as_ref() == Some(name);
    let on = catalog.triggers.iter().filter(calls).map(|it| it.table.clone()).collect::<Vec<_>>();
    on.iter().for_each(|table| catalog.triggers.retain_on(table, |it| it.routine.as_ref() != Some(name)));
    if on.is_empty() {
        catalog.lose_sight(origin.migration);
    }
}

fn drop_constructors(catalog: &mut Catalog, name: &ObjectName) {
    if let Some(all) = catalog.routines.get_mut(name) {
        all.retain(|it| it.language != "internal");
        if all.is_empty() {
            catalog.routines.remove(name);
        }
    }
}

/// With `CASCADE` every column of the type goes, and every domain made of it, and what else uses it.
fn drop_type(catalog: &mut Catalog, name: &ObjectName, cascade: bool) {
    let shown = object::shown(name);
    if matches!(catalog.types.get(name).map(|it| &it.kind), Some(TypeKind::Range { .. })) {
        let several = format!("{shown}[]");
        let makes = |it: &Routine| {
            let of = |word: &String| *word == shown || *word == several;
            it.language == "internal" && (it.returns.as_ref().is_some_and(of) || it.arguments.iter().flatten().any(of))
        };
        // The multirange without an argument is found by its name.
        let many = catalog.routines.iter().filter(|(_, all)| all.iter().any(makes)).map(|(name, _)| name.clone());
        for name in many.collect::<Vec<_>>() {
            drop_constructors(catalog, &name);
        }
    }
    // Behind the constructors: those of the multirange are known by one that takes the range.
    if cascade {
        drop_users_of_rows(catalog, name);
    }
    catalog.types.remove(name);
    if !cascade {
        return;
    }
    let tables = catalog.tables.values().filter(|it| it.columns.iter().any(|it| it.resolved.name == shown));
    for of in tables.map(|it| it.name.clone()).collect::<Vec<_>>() {
        let Some(mut table) = catalog.tables.remove(&of) else { continue };
        let columns = table.columns.iter().filter(|it| it.resolved.name == shown).map(|it| it.name.clone());
        for column in columns.collect::<Vec<_>>() {
            view::drop_readers_of(catalog, &table, &column);
            column::drop_column(catalog, &mut table, &Ident { name: column, ..Ident::default() });
        }
        catalog.tables.insert(of, table);
    }
    let made_of_it = |kind: &TypeKind| matches!(kind, TypeKind::Domain { data_type, .. } if data_type::read(data_type).name == shown);
    let domains = catalog.types.iter().filter(|(_, it)| made_of_it(&it.kind)).map(|(name, _)| name.clone());
    domains.collect::<Vec<_>>().iter().for_each(|it| drop_type(catalog, it, cascade));
}

pub fn drop_table(catalog: &mut Catalog, name: &ObjectName) {
    drop_all_foreign_keys_to(catalog, name);
    view::drop_readers(catalog, name);
    let Some(table) = catalog.tables.remove(name) else { return };
    catalog.indexes.take_linked_to(name, |it| it.table == *name);
    catalog.triggers.take_on(name);
    catalog.sequences.take_linked_to(name, |it| it.owned_by.as_ref().is_some_and(|(table, _)| table == name));
    catalog.policies.take_on(name);
    catalog.grants.retain_on(name, |it| it.kind != ObjectKind::Table);
    if let Some(parent) = table.partition_of {
        partition::detach_bound(catalog, &parent, name, table.bound.as_deref());
    }
    let heirs = catalog.tables.linked_to(name).filter(|(_, it)| it.inherits.contains(name));
    let heirs = heirs.map(|(name, _)| name.clone()).collect::<Vec<_>>();
    for of in table.partitions.iter().chain(&heirs) {
        drop_table(catalog, of);
    }
}

/// Foreign keys that need this key go with it.
pub fn drop_foreign_keys_to(catalog: &mut Catalog, table: &mut Table, of: &Constraint) {
    let (key, primary) = (&of.columns, matches!(of.kind, ConstraintKind::PrimaryKey { .. }));
    let name = table.name.clone();
    let stays = |it: &Constraint| match &it.kind {
        ConstraintKind::ForeignKey { references, referenced, .. } if *references == name => {
            let same = referenced.len() == key.len() && referenced.iter().all(|it| key.contains(&it.name));
            !(same || (referenced.is_empty() && primary))
        }
        _ => true,
    };
    table.constraints.retain(stays);
    catalog.tables.change_linked_to(&name, |table| table.constraints.retain(stays));
}

fn drop_all_foreign_keys_to(catalog: &mut Catalog, name: &ObjectName) {
    let points =
        |kind: &ConstraintKind| matches!(kind, ConstraintKind::ForeignKey { references, .. } if references == name);
    catalog.tables.change_linked_to(name, |table| table.constraints.retain(|it| !points(&it.kind)));
}

pub fn drop_schema(catalog: &mut Catalog, schema: &str) {
    catalog.schemas.remove(schema);
    let tables = catalog.tables.keys().filter(|it| it.schema() == schema).cloned().collect::<Vec<_>>();
    tables.iter().for_each(|it| drop_table(catalog, it));
    let views = catalog.views.keys().filter(|it| it.schema() == schema).cloned().collect::<Vec<_>>();
    views.iter().for_each(|it| view::drop_view(catalog, it));
    catalog.indexes.remove_in_schema(schema, |_| true);
    catalog.types.retain(|name, _| name.schema() != schema);
    catalog.routines.retain(|name, _| name.schema() != schema);
    catalog.sequences.remove_in_schema(schema, |_| true);
    catalog.triggers.remove_in_schema(schema);
    catalog.policies.remove_in_schema(schema);
    catalog.grants.remove_in_schema(schema);
    let own = ObjectName::of(Ident { name: schema.to_owned(), ..Ident::default() });
    catalog.grants.retain_on(&own, |it| it.kind != ObjectKind::Schema);
    catalog.default_privileges.retain(|it| it.schema.as_deref() != Some(schema));
}
