//! Views, and what goes with that which they read.

use std::sync::Arc;

use super::super::{Catalog, Column, Origin, TEMPORARY, Table, View, ViewColumn, in_schema};
use crate::sql::{
    Words,
    change::{CreateView, ObjectKind, Output, Outputs},
    names::{Ident, ObjectName},
};

pub fn create_view(catalog: &mut Catalog, new: &CreateView, origin: Origin) {
    // One that reads a temporary table is temporary itself.
    let of_session = |it: &ObjectName| catalog.resolved(it).schema() == TEMPORARY;
    let temporary = new.temporary || (!new.materialized && new.reads.iter().any(of_session));
    let name = if temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
    let known = catalog.views.get(&name);
    if known.is_some() && (new.if_not_exists || !origin.certain) {
        return;
    }
    let mut reads = new.reads.iter().filter(|it| !is_system(it)).map(|it| catalog.resolve(it)).collect::<Vec<_>>();
    reads.sort();
    reads.dedup();
    let mentions = mentions(catalog, new, &reads);
    let columns = catalog.outputs_of(new).filter(|_| origin.certain);
    let certain = origin.certain;
    // Who replaces a view leaves it where it was.
    let origin = match known {
        Some(view) if new.or_replace => view.origin,
        _ => origin.unless(new.if_not_exists || new.or_replace),
    };
    if certain {
        catalog.doubted.remove(&name);
    }
    catalog.views.insert(name, View { materialized: new.materialized, reads, mentions, columns, origin });
}

fn is_system(name: &ObjectName) -> bool {
    match name.parts.len() {
        1 => name.last().starts_with("pg_"),
        _ => matches!(name.schema(), "pg_catalog" | "information_schema"),
    }
}

/// Words of the query that may be columns; `*` stands for all columns that there are now, where those are known.
fn mentions(catalog: &Catalog, new: &CreateView, reads: &[ObjectName]) -> Option<Words> {
    if new.mentions.is_some() {
        return new.mentions.clone();
    }
    let mut words = new.names.iter().map(ObjectName::last).collect::<Vec<_>>();
    for of in reads {
        let table = catalog.tables.get(of).filter(|it| !it.partial)?;
        words.extend(table.columns.iter().map(|it| it.name.as_str()));
    }
    Some(words.into_iter().collect())
}

impl Catalog {
    /// The columns that a view's query gives now, in order; `None` where that is not known.
    pub fn outputs_of(&self, new: &CreateView) -> Option<Vec<ViewColumn>> {
        let names = new.columns.iter().collect::<Vec<_>>();
        self.outputs(new.outputs.as_ref()?, &new.reads, &names)
    }

    /// The same of any query that reads these relations; `names` are given to its first columns.
    pub fn outputs(&self, outputs: &Outputs, reads: &[ObjectName], names: &[&Ident]) -> Option<Vec<ViewColumn>> {
        let read = reads.iter().map(|it| self.table(it)).collect::<Vec<_>>();
        // The column of that name, where just one of the relations has it.
        let found = |name: &str| -> Option<&Column> {
            let known = read.iter().map(|it| it.filter(|it| !it.partial)).collect::<Option<Vec<_>>>()?;
            let mut named = known.iter().filter_map(|it| it.column_named(name));
            named.next().filter(|_| outputs.flat && named.next().is_none())
        };
        let mut columns = Vec::new();
        for output in &outputs.columns {
            match (output, read.as_slice()) {
                (Output::All, [Some(table)]) if outputs.alone && outputs.flat && !table.partial => {
                    columns.extend(table.columns.iter().map(|it| ViewColumn {
                        name: Some(it.name.clone()),
                        data_type: Some(Arc::clone(&it.resolved)),
                    }));
                }
                (Output::All, _) => return None,
                (Output::Column { name, of, cast }, _) => {
                    let cast = cast.as_ref().map(|it| Arc::new(self.read_type(it)));
                    let of_column = || found(of.as_ref()?).map(|it| Arc::clone(&it.resolved));
                    columns.push(ViewColumn { name: name.clone(), data_type: cast.or_else(of_column) });
                }
            }
        }
        for (column, written) in columns.iter_mut().zip(names) {
            column.name = Some(written.name.clone());
        }
        Some(columns)
    }
}

/// It goes with its indexes and the views that read it.
pub fn drop_view(catalog: &mut Catalog, name: &ObjectName) {
    if catalog.views.remove(name).is_none() {
        return;
    }
    catalog.indexes.take_linked_to(name, |it| it.table == *name);
    catalog.triggers.take_on(name);
    catalog.grants.retain_on(name, |it| it.kind != ObjectKind::Table);
    drop_readers(catalog, name);
}

/// Views that read a relation which goes: it went with `CASCADE`, or there are none.
pub fn drop_readers(catalog: &mut Catalog, name: &ObjectName) {
    let readers = catalog.views_on(name).map(|(view, _)| view.clone()).collect::<Vec<_>>();
    readers.iter().for_each(|it| drop_view(catalog, it));
}

/// Views that read a column which goes. One that may have read the column of another table of that name stays, as
/// one that is perhaps there.
pub fn drop_readers_of(catalog: &mut Catalog, table: &Table, column: &str) {
    let readers = catalog.views_reading(&table.name, column).map(|(name, view)| (name.clone(), view.clone()));
    for (name, view) in readers.collect::<Vec<_>>() {
        let has =
            |of: &ObjectName| catalog.tables.get(of).is_none_or(|it| it.partial || it.column_named(column).is_some());
        let is_its_own = view.mentions.is_some() && !view.reads.iter().any(|it| *it != table.name && has(it));
        if is_its_own {
            drop_view(catalog, &name);
        } else {
            doubt(catalog, &name);
        }
    }
}

/// It may be gone.
pub fn doubt(catalog: &mut Catalog, name: &ObjectName) {
    let name = catalog.resolve(name);
    if let Some(mut view) = catalog.views.get_mut(&name) {
        view.origin.certain = false;
    }
}

/// A view goes on reading a column that is called something else.
pub fn rename_column(catalog: &mut Catalog, table: &ObjectName, from: &str, to: &str) {
    catalog.views.change_linked_to(table, |view| {
        let alone = view.reads.len() == 1;
        let reads = view.reads.contains(table);
        let words = view.mentions.as_mut().filter(|it| reads && it.has(from));
        if let Some(words) = words {
            *words = words.iter().filter(|it| !alone || *it != from).chain([to]).collect();
        }
    });
}

/// `ALTER VIEW … RENAME COLUMN`, also by `ALTER TABLE`.
pub fn rename_output(catalog: &mut Catalog, view: &ObjectName, from: &str, to: &str) {
    let Some(mut view) = catalog.views.get_mut(view) else { return };
    for column in view.columns.iter_mut().flatten().filter(|it| it.name.as_deref() == Some(from)) {
        column.name = Some(to.to_owned());
    }
}
