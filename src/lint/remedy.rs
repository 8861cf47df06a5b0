//! What a later statement may still do, so that there is no problem in the end.
//!
//! A foreign key wants an index, a table a primary key, a constraint its validation: each may come later in the
//! file or in a file of its own, so that only the end of the history tells.

use crate::{
    catalog::Catalog,
    sql::{
        change::{ConstraintKind, ObjectKind},
        names::ObjectName,
    },
};

/// What to look for in the catalog at the end. Names are resolved; a relation that is gone by then needs no remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The table gets a primary key.
    PrimaryKey(ObjectName),
    /// An index whose first keys are these columns, in any order.
    Index { table: ObjectName, columns: Vec<String> },
    /// The other index goes.
    Dropped(ObjectName),
    /// The constraint is validated. Nobody asks before a migration follows the one that added it.
    Validation { table: ObjectName, constraint: String },
    /// Row level security of the table is enabled.
    RowSecurity(ObjectName),
    /// The role, or everybody, gets a privilege on it.
    Grant { kind: ObjectKind, name: ObjectName, role: String },
    /// The routine is replaced by one that does not name this, or goes.
    NotNamed { routine: ObjectName, word: String },
}

impl Remedy {
    /// `latest` is the number of the last migration.
    pub(super) fn is_there(&self, catalog: &Catalog, latest: usize) -> bool {
        match self {
            Self::PrimaryKey(table) => catalog.tables.get(table).is_none_or(|it| {
                it.outside || it.constraints.iter().any(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }))
            }),
            Self::Index { table, columns } => !catalog.tables.contains_key(table) || has_index(catalog, table, columns),
            Self::Dropped(index) => !catalog.indexes.contains_key(index),
            Self::Validation { table, constraint } => {
                let constraints = catalog.tables.get(table).map_or(&[][..], |it| &it.constraints);
                let open = constraints.iter().find(|it| it.name == *constraint && !it.validated && it.enforced);
                open.is_none_or(|it| it.origin.migration == latest)
            }
            Self::RowSecurity(table) => catalog.tables.get(table).is_none_or(|it| it.row_security.enabled),
            Self::Grant { kind, name, role } => {
                let is_there = match kind {
                    ObjectKind::Sequence => catalog.sequences.contains_key(name),
                    _ => catalog.tables.contains_key(name) || catalog.views.contains_key(name),
                };
                !is_there || catalog.grants_on(*kind, name).any(|it| it.role == *role || it.role == "public")
            }
            Self::NotNamed { routine, word } => !catalog.routine(routine).iter().any(|it| it.words.has(word)),
        }
    }
}

/// A partial index does not have all rows, and one on an expression not the column.
fn has_index(catalog: &Catalog, table: &ObjectName, columns: &[String]) -> bool {
    let leads = |keys: &[String]| columns.iter().all(|column| keys.contains(column));
    catalog.indexes_of(table).any(|it| !it.partial && it.keys.get(..columns.len()).is_some_and(leads))
}
