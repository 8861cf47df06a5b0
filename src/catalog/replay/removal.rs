//! What goes, and what goes with it.

use std::collections::BTreeMap;

use super::{
    super::{Catalog, Constraint, Origin},
    partition,
};
use crate::sql::{
    change::{ConstraintKind, Drop, ObjectKind},
    names::ObjectName,
};

pub fn drop_objects(catalog: &mut Catalog, drop: &Drop, origin: Origin) {
    // What is perhaps dropped is kept: forgetting it would hide what later statements do to it.
    if !origin.certain {
        return;
    }
    let on = drop.on.as_ref().map(|it| catalog.resolve(it));
    for name in &drop.names {
        let name = catalog.resolve(name);
        match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => drop_table(catalog, &name),
            ObjectKind::Index => {
                let dropped = catalog.indexes.remove(&name);
                catalog.dropped_indexes.extend(dropped.map(|it| (it, origin)));
            }
            ObjectKind::View | ObjectKind::MaterializedView => drop_entry(&mut catalog.views, &name),
            ObjectKind::Type | ObjectKind::Domain => drop_entry(&mut catalog.types, &name),
            ObjectKind::Sequence => drop_entry(&mut catalog.sequences, &name),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                drop_entry(&mut catalog.routines, &name);
            }
            ObjectKind::Schema => drop_schema(catalog, name.last()),
            ObjectKind::Trigger => {
                catalog.triggers.retain(|it| it.name != name.last() || Some(&it.table) != on.as_ref());
            }
            kind => {
                catalog.policies.retain(|it| {
                    kind != ObjectKind::Policy || it.name != name.last() || Some(&it.table) != on.as_ref()
                });
                catalog.others.remove(&(kind, name, on.clone()));
            }
        }
    }
}

pub fn drop_entry<V>(entries: &mut BTreeMap<ObjectName, V>, name: &ObjectName) {
    entries.remove(name);
}

pub fn drop_table(catalog: &mut Catalog, name: &ObjectName) {
    drop_all_foreign_keys_to(catalog, name);
    let Some(table) = catalog.tables.remove(name) else { return };
    catalog.indexes.retain(|_, it| it.table != *name);
    catalog.triggers.retain(|it| it.table != *name);
    catalog.sequences.retain(|_, it| it.owned_by.as_ref().is_none_or(|(table, _)| table != name));
    catalog.policies.retain(|it| it.table != *name);
    catalog.grants.retain(|it| it.kind != ObjectKind::Table || it.name != *name);
    if let Some(parent) = table.partition_of {
        partition::detach(catalog, &parent, name);
    }
    for partition in table.partitions {
        drop_table(catalog, &partition);
    }
}

/// Foreign keys that need this key go with it.
pub fn drop_foreign_keys_to(catalog: &mut Catalog, name: &ObjectName, of: &Constraint) {
    let (key, primary) = (&of.columns, matches!(of.kind, ConstraintKind::PrimaryKey { .. }));
    for table in catalog.tables.values_mut() {
        table.constraints.retain(|it| match &it.kind {
            ConstraintKind::ForeignKey { references, referenced, .. } if references == name => {
                let same = referenced.len() == key.len() && referenced.iter().all(|it| key.contains(&it.name));
                !(same || (referenced.is_empty() && primary))
            }
            _ => true,
        });
    }
}

fn drop_all_foreign_keys_to(catalog: &mut Catalog, name: &ObjectName) {
    let points =
        |kind: &ConstraintKind| matches!(kind, ConstraintKind::ForeignKey { references, .. } if references == name);
    catalog.tables.values_mut().for_each(|table| table.constraints.retain(|it| !points(&it.kind)));
}

pub fn drop_schema(catalog: &mut Catalog, schema: &str) {
    catalog.schemas.remove(schema);
    let tables = catalog.tables.keys().filter(|it| it.schema() == schema).cloned().collect::<Vec<_>>();
    tables.iter().for_each(|it| drop_table(catalog, it));
    catalog.indexes.retain(|name, _| name.schema() != schema);
    catalog.views.retain(|name, _| name.schema() != schema);
    catalog.types.retain(|name, _| name.schema() != schema);
    catalog.routines.retain(|name, _| name.schema() != schema);
    catalog.sequences.retain(|name, _| name.schema() != schema);
    catalog.triggers.retain(|it| it.table.schema() != schema);
    catalog.policies.retain(|it| it.table.schema() != schema);
    catalog
        .grants
        .retain(|it| it.name.schema() != schema && (it.kind != ObjectKind::Schema || it.name.last() != schema));
    catalog.default_privileges.retain(|it| it.schema.as_deref() != Some(schema));
}
