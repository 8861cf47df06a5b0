//! Partitions.

use super::super::{Catalog, PartitionKey, Strategy};
use crate::sql::{
    change::{IndexKey, PartitionBy},
    names::ObjectName,
};

/// `None` for a strategy that Postgres does not have.
pub fn key(by: &PartitionBy) -> Option<PartitionKey> {
    let strategy = match by.strategy.as_str() {
        "list" => Strategy::List,
        "range" => Strategy::Range,
        "hash" => Strategy::Hash,
        _ => return None,
    };
    let text = |it: &IndexKey| it.column.as_ref().map_or_else(|| it.expression.text.clone(), |it| it.name.clone());
    Some(PartitionKey { strategy, keys: by.keys.iter().map(text).collect() })
}

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
