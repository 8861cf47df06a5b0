//! What certainly stands under a name.

use super::{Catalog, Origin, Table};
use crate::sql::{
    change::{ObjectKind, TypeKind},
    names::ObjectName,
};

impl Catalog {
    /// Made for sure, and nothing since may have taken it away.
    pub fn is_there(&self, name: &ObjectName, origin: Origin) -> bool {
        let told = self.opaque.is_none_or(|since| origin.migration > since);
        origin.certain && told && !self.doubted.contains(&*self.resolved(name))
    }

    /// A table of which all is known, as it is now: a file creates it for sure, and tells all of its columns and
    /// constraints.
    pub fn told(&self, name: &ObjectName) -> Option<&Table> {
        self.table(name).filter(|it| !it.partial && !it.foreign && self.is_there(&it.name, it.origin))
    }

    /// What takes this resolved name among tables, views, indexes, sequences and composite types, which share theirs.
    pub fn relation(&self, name: &ObjectName) -> Option<(ObjectKind, Origin)> {
        let table = || {
            let table = self.tables.get(name).filter(|it| !it.outside)?;
            Some((if table.foreign { ObjectKind::ForeignTable } else { ObjectKind::Table }, table.origin))
        };
        let view = || {
            let view = self.views.get(name)?;
            Some((if view.materialized { ObjectKind::MaterializedView } else { ObjectKind::View }, view.origin))
        };
        let index = || Some((ObjectKind::Index, self.indexes.get(name)?.origin));
        let sequence = || Some((ObjectKind::Sequence, self.sequences.get(name)?.origin));
        let composite = || {
            let found = self.types.get(name).filter(|it| matches!(it.kind, TypeKind::Composite { .. }))?;
            Some((ObjectKind::Type, found.origin))
        };
        table().or_else(view).or_else(index).or_else(sequence).or_else(composite)
    }

    /// What takes this resolved name among types: those that a file creates, and those of the rows of relations.
    pub fn type_like(&self, name: &ObjectName) -> Option<(ObjectKind, Origin)> {
        let own = self.types.get(name).map(|it| {
            let domain = matches!(it.kind, TypeKind::Domain { .. });
            (if domain { ObjectKind::Domain } else { ObjectKind::Type }, it.origin)
        });
        let has_rows = |kind| !matches!(kind, ObjectKind::Index | ObjectKind::Sequence);
        own.or_else(|| self.relation(name).filter(|it| has_rows(it.0)))
    }

    /// A statement that perhaps ran may have taken this away.
    pub fn doubt(&mut self, name: &ObjectName) {
        let name = self.resolve(name);
        self.doubted.insert(name);
    }

    /// Something has happened that no file tells.
    pub fn lose_sight(&mut self, migration: usize) {
        self.opaque = self.opaque.max(Some(migration));
        self.gone.clear();
    }
}
