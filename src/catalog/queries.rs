//! Questions that rules ask of a catalog.

use super::{Catalog, Constraint, DefaultPrivilege, ForeignKey, Grant, Index, Policy, Table, Trigger, View};
use crate::sql::{
    change::{ConstraintKind, Expression, ObjectKind},
    names::ObjectName,
};

/// The function that takes the next number of a sequence.
const NEXTVAL: &str = "nextval";

impl Catalog {
    /// The name of a migration, by [`super::Origin::migration`] or [`Constraint::validated_by`].
    pub fn migration(&self, number: usize) -> Option<&str> {
        self.migrations.get(number)
    }

    /// The name of the migration that validated a constraint: "validated in 0042".
    pub fn validated_in(&self, constraint: &Constraint) -> Option<&str> {
        self.migration(constraint.validated_by?)
    }

    /// The indexes of a table.
    pub fn indexes_of(&self, table: &ObjectName) -> impl Iterator<Item = &Index> {
        self.indexes_on(&self.resolved(table)).into_iter()
    }

    /// The same of a table by its resolved name, which the search path must not lead elsewhere.
    pub fn indexes_on(&self, table: &ObjectName) -> Vec<&Index> {
        self.indexes.linked_to(table).map(|(_, it)| it).filter(|it| it.table == *table).collect()
    }

    /// Indexes of a table whose first keys are these columns, in any order: what finds the rows of a foreign key.
    /// Partial ones and those that were seen to be invalid are none.
    pub fn indexes_leading_with<'c>(
        &'c self,
        table: &ObjectName,
        columns: &'c [String],
    ) -> impl Iterator<Item = &'c Index> {
        self.indexes_of(table).filter(move |it| {
            it.keys.len() >= columns.len()
                && it.keys[..columns.len()].iter().all(|key| columns.contains(key))
                && !it.partial
                && it.is_usable()
        })
    }

    /// Indexes that make these columns unique, exactly these and in any order: what `ON CONFLICT (…)` finds.
    pub fn unique_on<'c>(&'c self, table: &ObjectName, columns: &'c [String]) -> impl Iterator<Item = &'c Index> {
        self.indexes_leading_with(table, columns).filter(move |it| it.unique && it.keys.len() == columns.len())
    }

    /// Whether a default takes a sequence's numbers: `nextval('name')`, whatever stands around it.
    pub fn takes_numbers(&self, default: &Expression, sequence: &ObjectName) -> bool {
        let text = default.text.to_ascii_lowercase();
        default.calls.iter().any(|it| it.last() == NEXTVAL)
            && text.match_indices(NEXTVAL).any(|(at, _)| {
                let behind =
                    default.text[at + NEXTVAL.len()..].trim_start_matches(|it: char| it == '(' || it.is_whitespace());
                let written = behind.strip_prefix('\'').and_then(|it| it.split('\'').next());
                written.is_some_and(|it| *self.resolved(&ObjectName::dotted(it)) == *sequence)
            })
    }

    /// Foreign keys of a table to others.
    pub fn foreign_keys_of(&self, table: &ObjectName) -> impl Iterator<Item = ForeignKey<'_>> {
        self.tables.get(&self.resolved(table)).into_iter().flat_map(foreign_keys)
    }

    /// Foreign keys that point to a table.
    pub fn foreign_keys_to(&self, table: &ObjectName) -> impl Iterator<Item = ForeignKey<'_>> {
        let name = self.resolve(table);
        let linked = self.tables.linked_to(&name).map(|(_, it)| it).collect::<Vec<_>>();
        linked.into_iter().flat_map(foreign_keys).filter(move |it| *it.references == name)
    }

    /// Tables with a foreign key to this one.
    pub fn referencing(&self, table: &ObjectName) -> impl Iterator<Item = &Table> {
        let name = self.resolve(table);
        let linked = self.tables.linked_to(&name).map(|(_, it)| it).collect::<Vec<_>>();
        linked.into_iter().filter(move |it| foreign_keys(it).any(|key| *key.references == name))
    }

    /// Views that read a table or view themselves.
    pub fn views_on(&self, relation: &ObjectName) -> impl Iterator<Item = (&ObjectName, &View)> {
        let name = self.resolve(relation);
        let linked = self.views.linked_to(&name).collect::<Vec<_>>();
        linked.into_iter().filter(move |(_, view)| view.reads.contains(&name))
    }

    /// Views that read a column of a table, or may: `*` takes all that there are when the view is made.
    pub fn views_reading<'c>(
        &'c self,
        table: &ObjectName,
        column: &'c str,
    ) -> impl Iterator<Item = (&'c ObjectName, &'c View)> {
        self.views_on(table).filter(move |(_, it)| it.mentions.as_ref().is_none_or(|it| it.has(column)))
    }

    pub fn triggers_on(&self, table: &ObjectName) -> impl Iterator<Item = &Trigger> {
        self.triggers.on(&self.resolved(table)).iter()
    }

    pub fn policies_on(&self, table: &ObjectName) -> impl Iterator<Item = &Policy> {
        self.policies.on(&self.resolved(table)).iter()
    }

    /// Privileges on a table, view or sequence; those on a routine, type or schema by its kind.
    pub fn grants_on(&self, kind: ObjectKind, name: &ObjectName) -> impl Iterator<Item = &Grant> {
        self.grants.on(&self.resolved(name)).iter().filter(move |it| it.kind == kind)
    }

    /// Default privileges that an object of this kind in this schema is made with, when the migration's own role
    /// makes it or nobody said whose.
    pub fn default_privileges_in(&self, kind: ObjectKind, schema: &str) -> impl Iterator<Item = &DefaultPrivilege> {
        let here = move |it: &&DefaultPrivilege| it.schema.as_deref().is_none_or(|it| it == schema);
        self.default_privileges.iter().filter(move |it| it.kind == kind).filter(here)
    }
}

impl Index {
    /// Not seen to be invalid.
    pub fn is_usable(&self) -> bool {
        self.validity != super::Validity::Invalid
    }
}

/// Those of one table.
fn foreign_keys(table: &Table) -> impl Iterator<Item = ForeignKey<'_>> {
    table.constraints.iter().filter_map(move |constraint| match &constraint.kind {
        ConstraintKind::ForeignKey { columns, references, .. } => {
            Some(ForeignKey { table, constraint, columns, references })
        }
        _ => None,
    })
}
