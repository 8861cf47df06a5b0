//! Columns of tables.

use super::{
    super::{Catalog, Column, Index, Origin, Table},
    constraint,
};
use crate::sql::{
    change::{ActionKind, Column as NewColumn, ConstraintKind, Generated},
    data_type,
    names::{Ident, ObjectName},
};

/// Adds a column and what stands behind it: `PRIMARY KEY`, `UNIQUE`, `CHECK`, `REFERENCES`.
pub fn add_column(
    catalog: &Catalog,
    table: &mut Table,
    new: &NewColumn,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    table.columns.push(Column {
        name: new.name.name.clone(),
        data_type: new.data_type.clone(),
        resolved: data_type::read(&new.data_type),
        not_null: new.not_null || new.primary_key || new.is_serial() || new.generated == Some(Generated::Identity),
        default: new.default.clone(),
        generated: new.generated,
        origin,
    });
    for own in new.constraints.iter().filter(|it| !matches!(it.kind, ConstraintKind::NotNull { .. })) {
        let mut new_constraint = own.clone();
        let name = || Ident { name: constraint::automatic_name(table, &own.kind, Some(&new.name)), span: new.span };
        new_constraint.name = Some(own.name.clone().unwrap_or_else(name));
        constraint::add_constraint(catalog, table, &new_constraint, origin, indexes);
    }
}

/// A column that no file creates: all that is known is what it becomes.
pub fn unknown_column(name: &Ident, data_type: &str, origin: Origin) -> Column {
    let resolved = data_type::read(data_type);
    let (name, data_type) = (name.name.clone(), data_type.to_owned());
    Column { name, data_type, resolved, not_null: false, default: None, generated: None, origin }
}

pub fn alter_column(table: &mut Table, action: &ActionKind, origin: Origin) {
    let mut each = |name: &Ident, change: &dyn Fn(&mut Column)| {
        table.columns.iter_mut().filter(|it| it.name == name.name).for_each(change);
    };
    match action {
        // Behind an IF nobody knows; the weaker answer is kept.
        ActionKind::SetNotNull { column } if origin.certain => each(column, &|it| it.not_null = true),
        ActionKind::DropNotNull { column } => each(column, &|it| it.not_null = false),
        ActionKind::SetDefault { column, default } => each(column, &|it| it.default.clone_from(default)),
        ActionKind::DropDefault { column } => each(column, &|it| it.default = None),
        ActionKind::SetType { column, data_type, .. } => each(column, &|it| {
            it.data_type.clone_from(data_type);
            it.resolved = data_type::read(data_type);
        }),
        ActionKind::AddIdentity { column, .. } => each(column, &|it| it.generated = Some(Generated::Identity)),
        ActionKind::DropIdentity { column } | ActionKind::DropExpression { column } => {
            each(column, &|it| it.generated = None);
        }
        _ => {}
    }
}

/// A column goes with the constraints and indexes that name it.
pub fn drop_column(catalog: &mut Catalog, table: &mut Table, column: &Ident) {
    table.columns.retain(|it| it.name != column.name);
    table.constraints.retain(|it| !constrains(&it.kind, column));
    let own = &table.name;
    catalog.indexes.retain(|_, it| it.table != *own || !it.keys.contains(&column.name));
}

pub fn constrains(kind: &ConstraintKind, column: &Ident) -> bool {
    match kind {
        ConstraintKind::ForeignKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        | ConstraintKind::PrimaryKey { columns, .. } => columns.contains(column),
        ConstraintKind::NotNull { column: own } => own == column,
        ConstraintKind::Check { .. } | ConstraintKind::Exclude { .. } => false,
    }
}

pub fn rename_column(catalog: &mut Catalog, table: &mut Table, from: &Ident, to: &Ident) {
    for column in table.columns.iter_mut().filter(|it| it.name == from.name) {
        column.name.clone_from(&to.name);
    }
    for constraint in &mut table.constraints {
        constraint.columns.iter_mut().filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
        match &mut constraint.kind {
            ConstraintKind::ForeignKey { columns, .. }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::PrimaryKey { columns, .. } => {
                columns.iter_mut().filter(|it| it.name == from.name).for_each(|it| it.name.clone_from(&to.name));
            }
            ConstraintKind::NotNull { column } if column.name == from.name => column.name.clone_from(&to.name),
            // Its text names the old column now, so it proves nothing about the new one: on the safe side.
            ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } | ConstraintKind::Exclude { .. } => {}
        }
    }
    for index in catalog.indexes.values_mut().filter(|it| it.table == table.name) {
        let names = index.keys.iter_mut().chain(&mut index.include).chain(&mut index.columns);
        names.filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
    }
}

pub fn set_not_null(table: &mut Table, columns: &[Ident]) {
    for column in table.columns.iter_mut().filter(|it| columns.iter().any(|name| name.name == it.name)) {
        column.not_null = true;
    }
}
