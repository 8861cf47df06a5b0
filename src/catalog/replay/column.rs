//! Columns of tables.

use super::{
    super::{Catalog, Column, Origin, Sequence, Table, linked},
    constraint, naming, plain_beside, removal,
};
use crate::sql::{
    change::{ActionKind, Column as NewColumn, ConstraintKind, Expression, Generated, Parts, SequenceOptions},
    data_type,
    names::{Ident, ObjectName},
};

/// Adds a column and what stands behind it: `PRIMARY KEY`, `UNIQUE`, `CHECK`, `REFERENCES`.
pub fn add_column(catalog: &mut Catalog, table: &mut Table, new: &NewColumn, origin: Origin) {
    let sequence = new.is_serial().then(|| serial(catalog, table, new, origin));
    let (data_type, resolved) = catalog.shared_type(&new.data_type);
    let written = new.default.as_ref().filter(|it| is_value(it));
    let default = written.map(|it| catalog.shared_default(it)).or(sequence);
    let column = Column {
        name: new.name.name.clone(),
        data_type,
        resolved,
        not_null: new.not_null || new.primary_key || new.is_serial() || new.generated == Some(Generated::Identity),
        default,
        generated: new.generated,
        always: is_always(new.sequence.as_deref()),
        computed_from: new.generated_as.iter().flat_map(|it| &it.names).map(|it| it.last().to_owned()).collect(),
        collation: new.collation.as_ref().and_then(collation),
        origin,
    };
    linked::push(&mut table.columns, column);
    for own in new.constraints.iter().filter(|it| !matches!(it.kind, ConstraintKind::NotNull { .. })) {
        let mut new_constraint = own.clone();
        let name = constraint::automatic_name(catalog, table, &own.kind);
        new_constraint.name = Some(own.name.clone().unwrap_or(Ident { name, span: new.span }));
        constraint::add_constraint(catalog, table, &new_constraint, origin);
    }
}

fn is_always(sequence: Option<&SequenceOptions>) -> bool {
    sequence.is_some_and(|it| it.always == Some(true))
}

/// `"default"` is what a type has without a word.
fn collation(written: &ObjectName) -> Option<Box<str>> {
    (written.last() != "default").then(|| written.last().into())
}

/// `DEFAULT NULL` is none: Postgres does not write it down.
fn is_value(default: &Expression) -> bool {
    !default.text.eq_ignore_ascii_case("null")
}

/// A column of a new table: one that its parent has already is only made more precise.
pub fn define(catalog: &mut Catalog, table: &mut Table, new: &NewColumn, origin: Origin) {
    let Some(at) = table.columns.iter().position(|it| it.name == new.name.name) else {
        return add_column(catalog, table, new, origin);
    };
    let inherited = table.columns.remove(at);
    add_column(catalog, table, new, origin);
    let Some(mut own) = table.columns.pop() else { return };
    if own.data_type.is_empty() {
        (own.data_type, own.resolved) = (inherited.data_type, inherited.resolved);
    }
    own.not_null |= inherited.not_null;
    own.default = own.default.or(inherited.default);
    own.generated = own.generated.or(inherited.generated);
    table.columns.insert(at, own);
}

/// The sequence behind a `serial` column, and the default that takes its numbers.
fn serial(catalog: &mut Catalog, table: &Table, new: &NewColumn, origin: Origin) -> Expression {
    let column = &new.name;
    let data_type = Some(data_type::read(&new.data_type).name);
    let name = naming::of_relation(catalog, table, std::slice::from_ref(&column.name), "seq");
    let full = plain_beside(&table.name, &Ident { name, span: column.span });
    let text = format!("nextval('{full}'::regclass)");
    let owned_by = Some((table.name.clone(), column.name.clone()));
    catalog.sequences.insert(full, Sequence { owned_by, data_type, origin });
    let nextval = ObjectName::of(Ident { name: "nextval".to_owned(), span: column.span });
    Parts { span: column.span, text, calls: vec![nextval], ..Parts::default() }.into()
}

/// A column that no file creates: all that is known is what it becomes.
pub fn unknown_column(name: &Ident, data_type: &str, origin: Origin) -> Column {
    let resolved = data_type::read(data_type).into();
    let (name, data_type) = (name.name.clone(), data_type.into());
    Column {
        name,
        data_type,
        resolved,
        not_null: false,
        default: None,
        generated: None,
        always: false,
        computed_from: Box::default(),
        collation: None,
        origin,
    }
}

pub fn alter_column(catalog: &Catalog, table: &mut Table, action: &ActionKind, origin: Origin) {
    let resolved = |written: &str| catalog.read_type(written);
    let mut each = |name: &Ident, change: &dyn Fn(&mut Column)| {
        table.columns.iter_mut().filter(|it| it.name == name.name).for_each(change);
    };
    match action {
        // Behind an IF nobody knows; the weaker answer is kept.
        ActionKind::SetNotNull { column } if origin.certain => each(column, &|it| it.not_null = true),
        ActionKind::DropNotNull { column } => {
            each(column, &|it| it.not_null = false);
            let says = |kind: &ConstraintKind| matches!(kind, ConstraintKind::NotNull { column: of } if of.name == column.name);
            table.constraints.retain(|it| !says(&it.kind));
        }
        ActionKind::SetDefault { column, default } => {
            each(column, &|it| it.default = default.clone().filter(is_value));
        }
        ActionKind::DropDefault { column } => each(column, &|it| it.default = None),
        ActionKind::SetType { column, data_type, collation: written, .. } => each(column, &|it| {
            it.collation = written.as_ref().and_then(collation);
            it.data_type = data_type.as_str().into();
            it.resolved = resolved(data_type).into();
        }),
        ActionKind::AddIdentity { column, sequence } => each(column, &|it| {
            it.generated = Some(Generated::Identity);
            it.always = origin.certain && is_always(Some(sequence));
        }),
        ActionKind::SetIdentity { column, sequence } if sequence.always.is_some() => {
            each(column, &|it| it.always = origin.certain && is_always(Some(sequence)));
        }
        ActionKind::DropIdentity { column } | ActionKind::DropExpression { column } => {
            each(column, &|it| {
                it.generated = None;
                it.computed_from = Box::default();
            });
        }
        _ => {}
    }
}

/// A column goes with the constraints and indexes that name it.
pub fn drop_column(catalog: &mut Catalog, table: &mut Table, column: &Ident) {
    let gone = table.constraints.iter().filter(|it| it.columns.contains(&column.name));
    let keys = gone.filter(|it| is_key(&it.kind)).cloned().collect::<Vec<_>>();
    keys.iter().for_each(|it| removal::drop_foreign_keys_to(catalog, table, it));
    table.columns.retain(|it| it.name != column.name && !it.computed_from.contains(&column.name));
    table.constraints.retain(|it| !it.columns.contains(&column.name));
    let own = &table.name;
    catalog.indexes.take_linked_to(own, |it| it.table == *own && it.columns.contains(&column.name));
    catalog.triggers.retain_on(own, |it| !it.columns.contains(&column.name));
    catalog.policies.retain_on(own, |it| !it.columns.contains(&column.name));
    let owner = (own.clone(), column.name.clone());
    catalog.sequences.take_linked_to(own, |it| it.owned_by.as_ref() == Some(&owner));
}

/// What a foreign key may point to.
pub fn is_key(kind: &ConstraintKind) -> bool {
    matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
}

pub fn rename_column(catalog: &mut Catalog, table: &mut Table, from: &Ident, to: &Ident) {
    for column in table.columns.iter_mut().filter(|it| it.name == from.name) {
        column.name.clone_from(&to.name);
    }
    let computed = table.columns.iter_mut().flat_map(|it| &mut it.computed_from);
    computed.filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
    let keys = table.partition_key.iter_mut().flat_map(|it| &mut it.keys);
    keys.filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
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
    let triggers = catalog.triggers.on_mut(&table.name).iter_mut().flat_map(|it| &mut it.columns);
    let policies = catalog.policies.on_mut(&table.name).iter_mut().flat_map(|it| &mut it.columns);
    triggers.chain(policies).filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
    catalog.sequences.change_linked_to(&table.name, |it| {
        let own = it.owned_by.as_mut().filter(|(of, column)| *of == table.name && *column == from.name);
        own.into_iter().for_each(|(_, column)| column.clone_from(&to.name));
    });
    catalog.indexes.change_linked_to(&table.name, |index| {
        let names = index.keys.iter_mut().chain(&mut index.include).chain(&mut index.columns);
        let own = names.filter(|it| index.table == table.name && **it == from.name);
        own.for_each(|it| it.clone_from(&to.name));
    });
}

pub fn set_not_null(table: &mut Table, columns: &[Ident]) {
    for column in table.columns.iter_mut().filter(|it| columns.iter().any(|name| name.name == it.name)) {
        column.not_null = true;
    }
}
