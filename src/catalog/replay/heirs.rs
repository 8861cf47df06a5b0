//! What tables take over from others: partitions from their parent, heirs from theirs, and `LIKE`.

use std::collections::HashSet;

use super::{
    super::{Catalog, Column, Constraint, Index, Origin, Table},
    naming, plain_beside,
};
use crate::sql::{
    change::{ConstraintKind, Generated},
    names::{Ident, ObjectName},
};

/// From whom a table takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Columns, checks, foreign keys, and all indexes.
    Parent,
    /// `INHERITS`: columns and checks.
    Ancestor,
}

/// Columns of a parent that a heir lacks; those that it has are not null where the parent's are.
pub fn columns(table: &mut Table, parent: &Table, origin: Origin) {
    for of in &parent.columns {
        match table.columns.iter_mut().find(|it| it.name == of.name) {
            Some(own) => own.not_null |= of.not_null,
            None => table.columns.push(column(of, origin)),
        }
    }
}

/// A column as a heir has it: an identity stays with its table, before Postgres 17 also a partition's.
fn column(of: &Column, origin: Origin) -> Column {
    let generated = of.generated.filter(|it| *it != Generated::Identity);
    Column { generated, origin, ..of.clone() }
}

/// The checks and foreign keys that a heir has because its parent does, unless it has them already.
pub fn constraints(table: &mut Table, parent: &[Constraint], from: From, origin: Origin) {
    for of in parent {
        let taken = match of.kind {
            ConstraintKind::Check { .. } => !of.no_inherit,
            ConstraintKind::ForeignKey { .. } => from == From::Parent,
            _ => false,
        };
        if taken && !table.constraints.iter().any(|it| it.name == of.name) {
            table.constraints.push(Constraint { origin, ..of.clone() });
        }
    }
}

/// The parent's indexes on a partition: one that fits is taken, the rest is built.
pub fn indexes(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName, origin: Origin) {
    let wanted = catalog.indexes_on(parent).into_iter().cloned().collect::<Vec<_>>();
    for of in wanted {
        index(catalog, &of, partition, origin);
    }
}

/// One index of the parent on a partition.
pub fn index(catalog: &mut Catalog, of: &Index, partition: &ObjectName, origin: Origin) {
    let kind = constraint_of(catalog, of).map(|it| it.kind.clone());
    if catalog.indexes_on(partition).into_iter().any(|it| it.parent.as_ref() == Some(&of.name)) {
        return;
    }
    let found = catalog.indexes_on(partition).into_iter().find(|it| it.fits(of)).map(|it| it.name.clone());
    if let Some(found) = found {
        let mut known = catalog.indexes.get_mut(&found).expect("it was just found");
        known.parent = Some(of.name.clone());
        return;
    }
    let Some(table) = catalog.tables.get(partition) else { return };
    let name = match &kind {
        Some(ConstraintKind::PrimaryKey { .. }) => naming::of_relation(catalog, table, &[], "pkey"),
        Some(ConstraintKind::Unique { .. }) => naming::of_relation(catalog, table, &of.keys, "key"),
        _ => naming::of_relation(catalog, table, &naming::key_words(of), "idx"),
    };
    let full = plain_beside(partition, &Ident { name: name.clone(), ..Ident::default() });
    let constraint = kind.is_some().then(|| name.clone());
    let built = Index {
        name: full.clone(),
        table: partition.clone(),
        parent: Some(of.name.clone()),
        origin,
        constraint,
        ..of.clone()
    };
    let own = constraint_of(catalog, of).map(|it| Constraint { name, origin, ..it.clone() });
    catalog.indexes.insert(full, built);
    if let (Some(mut table), Some(own)) = (catalog.tables.get_mut(partition), own) {
        if matches!(own.kind, ConstraintKind::PrimaryKey { .. }) {
            table.columns.iter_mut().filter(|it| own.columns.contains(&it.name)).for_each(|it| it.not_null = true);
        }
        table.constraints.push(own);
    }
}

fn constraint_of<'c>(catalog: &'c Catalog, index: &Index) -> Option<&'c Constraint> {
    let name = index.constraint.as_ref()?;
    catalog.tables.get(&index.table)?.constraints.iter().find(|it| it.name == *name)
}

/// What `LIKE` copies beside columns: checks and indexes, as its options say.
pub fn like(catalog: &mut Catalog, source: &ObjectName, copy: &ObjectName, options: &[String], origin: Origin) {
    let Some(of) = catalog.tables.get(source).cloned() else { return };
    if includes(options, "CONSTRAINTS")
        && let Some(mut table) = catalog.tables.get_mut(copy)
    {
        let checks = of.constraints.iter().filter(|it| matches!(it.kind, ConstraintKind::Check { .. }));
        // Nothing is in the copy that could be against them.
        let copied = |it: &Constraint| Constraint { origin, validated: it.enforced, ..it.clone() };
        table.constraints.extend(checks.map(copied));
    }
    if includes(options, "INDEXES") {
        let indexes = catalog.indexes_on(source).into_iter().cloned().collect::<Vec<_>>();
        for of in indexes {
            index(catalog, &of, copy, origin);
        }
        catalog.indexes.change_linked_to(copy, |it| {
            it.parent.take_if(|_| it.table == *copy);
        });
    }
}

/// A column as `LIKE` copies it.
pub fn liked(of: &Column, options: &[String], origin: Origin) -> Column {
    let keeps = match of.generated {
        Some(Generated::Identity) => includes(options, "IDENTITY"),
        Some(Generated::Stored | Generated::Virtual) => includes(options, "GENERATED"),
        None => false,
    };
    let generated = of.generated.filter(|_| keeps);
    let default = of.default.clone().filter(|_| includes(options, "DEFAULTS"));
    Column { generated, default, origin, ..of.clone() }
}

fn includes(options: &[String], what: &str) -> bool {
    let says = |word: &str, of: &str| options.iter().any(|it| *it == format!("{word} {of}"));
    says("INCLUDING", what) || (says("INCLUDING", "ALL") && !says("EXCLUDING", what))
}

/// A partitioned table's index is on all of its partitions.
pub fn index_on_partitions(catalog: &mut Catalog, of: &Index, origin: Origin) {
    let partitions = catalog.tables.get(&of.table).map(|it| it.partitions.clone()).unwrap_or_default();
    for partition in partitions {
        index(catalog, of, &partition, origin);
        let built = catalog.indexes_on(&partition).into_iter().find(|it| it.parent.as_ref() == Some(&of.name));
        if let Some(built) = built.cloned() {
            index_on_partitions(catalog, &built, origin);
        }
    }
}

/// Tables that have what this one has: partitions and heirs, each behind its own parent.
pub fn below(catalog: &Catalog, name: &ObjectName) -> Vec<ObjectName> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![name.clone()];
    while let Some(next) = open.pop() {
        let is_heir = |it: &Table| it.inherits.contains(&next) || it.partition_of.as_ref() == Some(&next);
        let heirs = catalog.tables.linked_to(&next).filter(|(_, it)| is_heir(it));
        let new = heirs.map(|(name, _)| name.clone()).filter(|it| seen.insert(it.clone())).collect::<Vec<_>>();
        all.extend(new.iter().cloned());
        open.extend(new);
    }
    all
}
