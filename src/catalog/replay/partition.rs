//! Partitions.

use super::super::Catalog;
use crate::sql::names::ObjectName;

pub fn attach(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName, default: bool) {
    let parent = catalog.resolve(parent);
    if let Some(table) = catalog.tables.get_mut(&parent) {
        table.partitions.push(partition.clone());
        if default {
            table.default_partition = Some(partition.clone());
        }
    }
    if let Some(table) = catalog.tables.get_mut(partition) {
        table.partition_of = Some(parent);
    }
}

pub fn detach(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName) {
    if let Some(table) = catalog.tables.get_mut(parent) {
        table.partitions.retain(|it| it != partition);
        table.default_partition.take_if(|it| it == partition);
    }
    if let Some(table) = catalog.tables.get_mut(partition) {
        table.partition_of = None;
    }
}
