//! Constraints of tables, and the indexes that carry them.

use super::{
    super::{Catalog, Constraint, Index, Origin, Table, Validity, proof::words},
    column::set_not_null,
    plain_beside,
};
use crate::sql::{
    change::{Constraint as NewConstraint, ConstraintKind},
    names::{Ident, ObjectName},
};

pub fn add_constraint(
    catalog: &Catalog,
    table: &mut Table,
    new: &NewConstraint,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    let name = new.name.as_ref().map(|it| it.name.clone());
    let name = name.unwrap_or_else(|| automatic_name(table, &new.kind, None));
    let validated = !new.not_valid && !new.not_enforced;
    let mut kind = new.kind.clone();
    if let ConstraintKind::ForeignKey { references, .. } = &mut kind {
        *references = catalog.resolve(references);
    }
    match &kind {
        ConstraintKind::PrimaryKey { columns, using_index: None } => {
            set_not_null(table, columns);
            indexes.push(constraint_index(table, &name, columns, origin));
        }
        ConstraintKind::Unique { columns, using_index: None } => {
            indexes.push(constraint_index(table, &name, columns, origin));
        }
        ConstraintKind::PrimaryKey { using_index: Some(index), .. } => {
            let keys = catalog.index(&plain_beside(&table.name, index)).map(|it| it.keys.clone()).unwrap_or_default();
            let columns = keys.into_iter().map(|name| Ident { name, span: new.span }).collect::<Vec<_>>();
            set_not_null(table, &columns);
        }
        ConstraintKind::NotNull { column } if validated => set_not_null(table, std::slice::from_ref(column)),
        ConstraintKind::NotNull { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::Check { .. }
        | ConstraintKind::ForeignKey { .. }
        | ConstraintKind::Exclude { .. } => {}
    }
    let columns = stands_on(catalog, table, &kind);
    table.constraints.push(Constraint {
        name,
        kind,
        columns,
        validated,
        enforced: !new.not_enforced,
        origin,
        validated_by: validated.then_some(origin.migration),
    });
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
        ConstraintKind::Check { expression } => expression.iter().flat_map(|it| mentioned(table, &it.text)).collect(),
        ConstraintKind::Exclude { .. } => Vec::new(),
    }
}

/// The table's columns that an expression names, each once, in the table's order.
pub fn mentioned(table: &Table, expression: &str) -> Vec<String> {
    let words = words(expression);
    let named = table.columns.iter().filter(|it| words.contains(&it.name));
    named.map(|it| it.name.clone()).collect()
}

pub fn constraint_index(table: &Table, name: &str, columns: &[Ident], origin: Origin) -> (ObjectName, Index) {
    let index_name = plain_beside(&table.name, &Ident { name: name.to_owned(), span: table.name.span });
    let index = Index {
        name: index_name.clone(),
        table: table.name.clone(),
        unique: true,
        keys: columns.iter().map(|it| it.name.clone()).collect(),
        include: Vec::new(),
        partial: false,
        predicate: None,
        method: None,
        plain: true,
        columns: columns.iter().map(|it| it.name.clone()).collect(),
        nulls_not_distinct: false,
        validity: Validity::Valid,
        parent: None,
        origin,
        constraint: Some(name.to_owned()),
    };
    (index_name, index)
}

/// What Postgres calls a constraint that nobody named (`ChooseConstraintName`), without the cut at 63 bytes.
pub fn automatic_name(table: &Table, kind: &ConstraintKind, column: Option<&Ident>) -> String {
    let joined = |columns: &[Ident]| columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join("_");
    let own = table.name.last();
    let base = match kind {
        ConstraintKind::PrimaryKey { .. } => format!("{own}_pkey"),
        ConstraintKind::Unique { columns, .. } => format!("{own}_{}_key", joined(columns)),
        ConstraintKind::ForeignKey { columns, .. } => format!("{own}_{}_fkey", joined(columns)),
        ConstraintKind::Check { .. } => match column {
            Some(column) => format!("{own}_{column}_check"),
            None => format!("{own}_check"),
        },
        ConstraintKind::NotNull { column } => format!("{own}_{column}_not_null"),
        ConstraintKind::Exclude { .. } => format!("{own}_excl"),
    };
    let taken = |name: &String| table.constraints.iter().any(|it| it.name == *name);
    let numbered = (1..).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).expect("numbers do not run out")
}
