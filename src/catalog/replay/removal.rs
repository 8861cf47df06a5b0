//! What goes, and what goes with it.

use std::collections::BTreeMap;

use super::{
    super::{Catalog, Origin},
    partition,
};
use crate::sql::{
    change::{Drop, ObjectKind},
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
    let Some(table) = catalog.tables.remove(name) else { return };
    catalog.indexes.retain(|_, it| it.table != *name);
    catalog.triggers.retain(|it| it.table != *name);
    catalog.policies.retain(|it| it.table != *name);
    catalog.grants.retain(|it| it.kind != ObjectKind::Table || it.name != *name);
    if let Some(parent) = table.partition_of {
        partition::detach(catalog, &parent, name);
    }
    for partition in table.partitions {
        drop_table(catalog, &partition);
    }
}

pub fn drop_schema(catalog: &mut Catalog, schema: &str) {
    catalog.schemas.remove(schema);
    catalog.tables.retain(|name, _| name.schema() != schema);
    catalog.indexes.retain(|name, _| name.schema() != schema);
    catalog.views.retain(|name, _| name.schema() != schema);
    catalog.types.retain(|name, _| name.schema() != schema);
    catalog.routines.retain(|name, _| name.schema() != schema);
    catalog.sequences.retain(|name, _| name.schema() != schema);
    catalog.triggers.retain(|it| it.table.schema() != schema);
}
