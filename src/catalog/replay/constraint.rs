//! Constraints of tables, and the indexes that carry them.

use super::{
    super::{Catalog, Constraint, Index, Origin, Table, Validity, linked, proof::words},
    column::{is_key, set_not_null},
    naming, plain_beside, removal,
};
use crate::sql::{
    change::{Constraint as NewConstraint, ConstraintKind, IndexKey},
    names::{Ident, ObjectName},
};

pub fn add_constraint(catalog: &mut Catalog, table: &mut Table, new: &NewConstraint, origin: Origin) {
    let written = new.name.as_ref().map(|it| it.name.clone());
    let taken_over = match &new.kind {
        ConstraintKind::Unique { using_index: Some(index), .. }
        | ConstraintKind::PrimaryKey { using_index: Some(index), .. } => Some(index.name.clone()),
        _ => None,
    };
    let name = written.or(taken_over).unwrap_or_else(|| automatic_name(catalog, table, &new.kind));
    if table.constraints.iter().any(|it| it.name == name) {
        return;
    }
    let validated = !new.not_valid && !new.not_enforced;
    let mut kind = new.kind.clone();
    if let ConstraintKind::ForeignKey { references, .. } = &mut kind {
        *references = catalog.resolve_beside(references, &table.name);
    }
    match &kind {
        ConstraintKind::PrimaryKey { columns, using_index: None } => {
            set_not_null(table, columns);
            catalog.indexes.extend([constraint_index(table, &name, columns, new, origin)]);
        }
        ConstraintKind::Unique { columns, using_index: None } => {
            catalog.indexes.extend([constraint_index(table, &name, columns, new, origin)]);
        }
        ConstraintKind::PrimaryKey { using_index: Some(index), .. } => {
            let keys = catalog.index(&plain_beside(&table.name, index)).map(|it| it.keys.clone()).unwrap_or_default();
            let columns = keys.into_iter().map(|name| Ident { name, span: new.span }).collect::<Vec<_>>();
            set_not_null(table, &columns);
        }
        ConstraintKind::Exclude { method, elements, predicate } => {
            let (full, mut index) = constraint_index(table, &name, &[], new, origin);
            index.unique = false;
            index.method = method.as_deref().map(Box::from);
            index.keys = elements.iter().map(|it| key(&it.0)).collect();
            index.columns = elements.iter().flat_map(|it| mentioned_in(table, &it.0.expression.text)).collect();
            index.partial = predicate.is_some();
            catalog.indexes.insert(full, index);
        }
        ConstraintKind::NotNull { column } if validated => set_not_null(table, std::slice::from_ref(column)),
        ConstraintKind::NotNull { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::Check { .. }
        | ConstraintKind::ForeignKey { .. } => {}
    }
    let columns = stands_on(catalog, table, &kind);
    if let ConstraintKind::Unique { using_index: Some(index), .. }
    | ConstraintKind::PrimaryKey { using_index: Some(index), .. } = &kind
    {
        // The index takes the constraint's name.
        let old = plain_beside(&table.name, index);
        let new = plain_beside(&table.name, &Ident { name: name.clone(), span: index.span });
        let taken = catalog.indexes.remove(&old);
        let constraint = Some(name.clone());
        catalog.indexes.extend(taken.map(|it| (new.clone(), Index { name: new, constraint, ..it })));
    }
    let constraint = Constraint {
        name,
        kind,
        columns,
        validated,
        enforced: !new.not_enforced,
        deferrable: new.deferrable,
        no_inherit: new.no_inherit,
        origin,
        validated_by: validated.then_some(origin.migration),
    };
    linked::push(&mut table.constraints, constraint);
}

/// The columns that a constraint stands on.
fn stands_on(catalog: &Catalog, table: &Table, kind: &ConstraintKind) -> Vec<String> {
    let names = |columns: &[Ident]| columns.iter().map(|it| it.name.clone()).collect();
    match kind {
        ConstraintKind::Unique { using_index: Some(index), .. }
        | ConstraintKind::PrimaryKey { using_index: Some(index), .. } => {
            catalog.index(&plain_beside(&table.name, index)).map(|it| it.keys.clone()).unwrap_or_default()
        }
        ConstraintKind::ForeignKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        | ConstraintKind::PrimaryKey { columns, .. } => names(columns),
        ConstraintKind::NotNull { column } => vec![column.name.clone()],
        ConstraintKind::Check { expression } => {
            expression.iter().flat_map(|it| mentioned_in(table, &it.text)).collect()
        }
        ConstraintKind::Exclude { elements, .. } => {
            elements.iter().flat_map(|it| mentioned_in(table, &it.0.expression.text)).collect()
        }
    }
}

/// The table's columns that an expression names, each once, in the table's order.
pub fn mentioned_in(table: &Table, expression: &str) -> Vec<String> {
    let words = words(expression);
    let named = table.columns.iter().filter(|it| words.contains(&it.name));
    named.map(|it| it.name.clone()).collect()
}

/// A key's column by its name, an expression as text.
pub fn key(of: &IndexKey) -> String {
    of.column.as_ref().map_or_else(|| of.expression.text.clone(), |it| it.name.clone())
}

fn constraint_index(
    table: &Table,
    name: &str,
    columns: &[Ident],
    new: &NewConstraint,
    origin: Origin,
) -> (ObjectName, Index) {
    let index_name = plain_beside(&table.name, &Ident { name: name.to_owned(), span: table.name.span() });
    let index = Index {
        name: index_name.clone(),
        table: table.name.clone(),
        unique: true,
        keys: columns.iter().map(|it| it.name.clone()).collect(),
        include: new.include.iter().map(|it| it.name.clone()).collect(),
        partial: false,
        predicate: None,
        method: None,
        plain: true,
        unclassed: true,
        columns: columns.iter().chain(&new.include).map(|it| it.name.clone()).collect(),
        nulls_not_distinct: new.nulls_not_distinct,
        validity: Validity::Valid,
        parent: None,
        origin,
        constraint: Some(name.to_owned()),
    };
    (index_name, index)
}

/// What Postgres calls a constraint that nobody named.
pub fn automatic_name(catalog: &Catalog, table: &Table, kind: &ConstraintKind) -> String {
    let names = |columns: &[Ident]| columns.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    match kind {
        ConstraintKind::PrimaryKey { .. } => naming::of_relation(catalog, table, &[], "pkey"),
        ConstraintKind::Unique { columns, .. } => naming::of_relation(catalog, table, &names(columns), "key"),
        ConstraintKind::Exclude { elements, .. } => {
            let keys = elements.iter().map(|it| key(&it.0)).collect::<Vec<_>>();
            naming::of_relation(catalog, table, &keys, "excl")
        }
        ConstraintKind::ForeignKey { columns, .. } => naming::of_constraint(catalog, table, &names(columns), "fkey"),
        // Named after a column when it names just one.
        ConstraintKind::Check { expression } => {
            let columns = expression.iter().flat_map(|it| mentioned_in(table, &it.text)).collect::<Vec<_>>();
            let one = if columns.len() == 1 { columns.as_slice() } else { &[] };
            naming::of_constraint(catalog, table, one, "check")
        }
        ConstraintKind::NotNull { column } => {
            naming::of_constraint(catalog, table, std::slice::from_ref(&column.name), "not_null")
        }
    }
}

/// It goes with the index that carries it and the foreign keys that need it.
pub fn drop_constraint(catalog: &mut Catalog, table: &mut Table, name: &str) {
    if let Some(key) = table.constraints.iter().find(|it| it.name == name && is_key(&it.kind)).cloned() {
        removal::drop_foreign_keys_to(catalog, table, &key);
    }
    table.constraints.retain(|it| it.name != name);
    let own = &table.name;
    catalog.indexes.take_linked_to(own, |it| it.table == *own && it.constraint.as_deref() == Some(name));
}

/// The index that carries it has its name.
pub fn rename_constraint(catalog: &mut Catalog, table: &mut Table, from: &Ident, to: &Ident) {
    for it in table.constraints.iter_mut().filter(|it| it.name == from.name) {
        it.name.clone_from(&to.name);
    }
    let carries = |it: &&Index| it.constraint.as_ref() == Some(&from.name);
    let carried = catalog.indexes_on(&table.name).into_iter().find(carries).map(|it| it.name.clone());
    if let Some(old) = carried {
        let new = plain_beside(&table.name, to);
        super::index::rename(catalog, &old, &new);
    }
}
