//! Indexes.

use super::{
    super::{Catalog, Index, Origin, Validity},
    constraint::mentioned_in,
    heirs, naming, plain_beside,
};
use crate::sql::{
    change::CreateIndex,
    names::{Ident, ObjectName},
};

pub fn create_index(catalog: &mut Catalog, new: &CreateIndex, origin: Origin) {
    let table = catalog.resolve(&new.table);
    let include = new.include.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let known = catalog.tables.get(&table);
    let texts = new.parts.iter().filter(|it| it.column.is_none()).map(|it| &it.expression);
    let plain = new.parts.iter().filter_map(|it| Some(it.column.as_ref()?.name.clone()));
    let within = texts.chain(&new.predicate).filter_map(|it| Some(mentioned_in(known?, &it.text))).flatten();
    let columns = plain.chain(include.iter().cloned()).chain(within).collect();
    let mut index = Index {
        name: table.clone(),
        table: table.clone(),
        unique: new.unique,
        keys: new.keys.clone(),
        include: include.into(),
        partial: new.partial,
        predicate: new.predicate.as_ref().map(|it| it.text.as_str().into()),
        method: new.method.as_deref().map(Box::from),
        plain: new.parts.iter().all(|it| it.class.is_none() && it.collation.is_none() && !it.descending),
        unclassed: new.parts.iter().all(|it| it.class.is_none() && it.collation.is_none()),
        columns,
        nulls_not_distinct: new.nulls_not_distinct,
        validity: match (new.only, new.concurrently) {
            (true, _) if known.is_some_and(|it| it.partitioned && (it.partial || !it.partitions.is_empty())) => {
                Validity::Invalid
            }
            (_, true) => Validity::Unknown,
            _ => Validity::Valid,
        },
        parent: None,
        origin: origin.unless(new.if_not_exists),
        constraint: None,
    };
    let automatic = || Ident {
        name: match known {
            Some(table) => naming::of_relation(catalog, table, &naming::key_words(&index), "idx"),
            None => naming::alone(table.last(), &naming::key_words(&index), "idx"),
        },
        span: new.span,
    };
    let name = plain_beside(&table, &new.name.clone().unwrap_or_else(automatic));
    if new.if_not_exists && catalog.indexes.contains_key(&name) {
        return;
    }
    index.name = name.clone();
    catalog.indexes.insert(name, index.clone());
    if !new.only {
        heirs::index_on_partitions(catalog, &index, origin);
    }
}

/// A constraint that it carries is renamed along with it.
pub fn rename(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let Some(mut index) = catalog.indexes.remove(old) else { return };
    index.name = new.clone();
    if let Some(constraint) = &mut index.constraint {
        if let Some(mut table) = catalog.tables.get_mut(&index.table) {
            let known = table.constraints.iter_mut().filter(|it| it.name == *constraint);
            known.for_each(|it| it.name = new.last().to_owned());
        }
        *constraint = new.last().to_owned();
    }
    catalog.indexes.change_linked_to(old, |it| {
        it.parent.iter_mut().filter(|it| *it == old).for_each(|it| it.clone_from(new));
    });
    catalog.indexes.insert(new.clone(), index);
}

/// An index of a partition becomes part of one of its table, which is valid once each partition has one.
pub fn attach(catalog: &mut Catalog, name: &ObjectName, part: &ObjectName) {
    if let Some(mut part) = catalog.indexes.get_mut(part) {
        part.parent = Some(name.clone());
    }
    let attached = catalog.indexes.linked_to(name).filter(|(_, it)| it.parent.as_ref() == Some(name)).count();
    let of = catalog.indexes.get(name).and_then(|it| catalog.tables.get(&it.table));
    let complete = of.is_some_and(|it| attached >= it.partitions.len());
    if let Some(mut index) = catalog.indexes.get_mut(name).filter(|it| complete && it.validity == Validity::Invalid) {
        index.validity = Validity::Valid;
    }
}
