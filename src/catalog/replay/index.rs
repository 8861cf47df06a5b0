//! Indexes.

use super::{
    super::{Catalog, Index, Origin, Validity},
    constraint::mentioned,
    plain_beside,
};
use crate::sql::{change::CreateIndex, names::Ident};

pub fn create_index(catalog: &mut Catalog, new: &CreateIndex, origin: Origin) {
    let table = catalog.resolve(&new.table);
    let keys = new.keys.join("_");
    let automatic = || Ident { name: format!("{}_{keys}_idx", table.last()), span: new.span };
    let name = plain_beside(&table, &new.name.clone().unwrap_or_else(automatic));
    if new.if_not_exists && catalog.indexes.contains_key(&name) {
        return;
    }
    let known = catalog.tables.get(&table);
    let columns = match known {
        Some(it) => new.keys.iter().flat_map(|key| mentioned(it, key)).collect(),
        None => new.keys.clone(),
    };
    let index = Index {
        name: name.clone(),
        table,
        unique: new.unique,
        keys: new.keys.clone(),
        include: new.include.iter().map(|it| it.name.clone()).collect(),
        partial: new.partial,
        predicate: None,
        method: new.method.clone(),
        plain: new.parts.iter().all(|it| it.class.is_none() && it.collation.is_none() && !it.descending),
        columns,
        nulls_not_distinct: false,
        validity: if new.only {
            Validity::Invalid
        } else if new.concurrently {
            Validity::Unknown
        } else {
            Validity::Valid
        },
        parent: None,
        origin: origin.unless(new.if_not_exists),
        constraint: None,
    };
    catalog.indexes.insert(name, index);
}
