//! Views, types, routines, rules; and `ALTER` of anything but a table.

use std::sync::Arc;

use super::{
    super::{Catalog, Constraint, Origin, Routine, TEMPORARY, Trigger, Type, View, in_schema},
    index, plain_beside, table,
};
use crate::sql::{
    Place, Statement,
    change::{
        AlterObject, Constraint as NewConstraint, ConstraintKind, CreateRoutine, CreateType, CreateView, ObjectAction,
        ObjectKind, TypeKind, Volatility,
    },
    names::ObjectName,
};

pub fn create_view(catalog: &mut Catalog, new: &CreateView, origin: Origin) {
    let name = if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
    if catalog.views.contains_key(&name) && new.if_not_exists {
        return;
    }
    if new.or_replace && catalog.views.contains_key(&name) {
        let reads = new.reads.iter().map(|it| catalog.resolve(it)).collect::<Vec<_>>();
        if let Some(view) = catalog.views.get_mut(&name).filter(|_| origin.certain) {
            (view.reads, view.mentions) = (reads, new.mentions.clone());
        }
        return;
    }
    let origin = origin.unless(new.if_not_exists || new.or_replace);
    let reads = new.reads.iter().map(|it| catalog.resolve(it)).collect();
    catalog.views.insert(name, View { materialized: new.materialized, reads, mentions: new.mentions.clone(), origin });
}

/// `OR REPLACE` may replace a definition or add an overload; which one its arguments say, and those are not
/// kept. All definitions stay until a `DROP`, so that a call never runs something unseen.
pub fn create_routine(catalog: &mut Catalog, new: &CreateRoutine, inner: &[Statement], origin: Origin) {
    let name = catalog.target(&new.name);
    let body = inner.iter().filter(|it| matches!(it.place, Place::Routine(_))).cloned().collect::<Vec<_>>();
    let routine = Routine {
        kind: new.kind,
        arguments: None,
        volatility: new.volatility,
        language: new.body.language.clone(),
        body: Arc::from(body),
        inlined: new.body.expression && new.body.language == "sql" && !new.security_definer && new.sets.is_empty(),
        origin: origin.unless(new.or_replace),
    };
    catalog.routines.entry(name).or_default().push(routine);
}

/// A rule is a trigger whose routine is its actions; that routine has a name that no other has.
pub fn create_rule(
    catalog: &mut Catalog,
    name: &ObjectName,
    table: &ObjectName,
    actions: &[Statement],
    origin: Origin,
) {
    let table = catalog.resolve(table);
    let actions_of = in_schema(name, &format!("rule on {table}"));
    let routine = Routine {
        kind: ObjectKind::Rule,
        arguments: None,
        volatility: Volatility::Volatile,
        language: "sql".to_owned(),
        body: Arc::from(actions),
        inlined: false,
        origin,
    };
    catalog.routines.insert(actions_of.clone(), vec![routine]);
    catalog.triggers.retain(|it| it.name != name.last() || it.table != table);
    let name = name.last().to_owned();
    catalog.triggers.push(Trigger { name, table, routine: Some(actions_of), enabled: true, origin });
}

pub fn create_type(catalog: &mut Catalog, new: &CreateType, origin: Origin) {
    let name = catalog.target(&new.name);
    catalog
        .types
        .insert(name.clone(), Type { kind: new.kind.clone(), constraints: Vec::new(), not_null: false, origin });
    if let TypeKind::Domain { constraints, .. } = &new.kind {
        constraints.iter().for_each(|it| constrain(catalog, &name, it, origin));
    }
}

/// A constraint of a domain.
fn constrain(catalog: &mut Catalog, name: &ObjectName, new: &NewConstraint, origin: Origin) {
    let Some(known) = catalog.types.get_mut(name) else { return };
    if matches!(new.kind, ConstraintKind::NotNull { .. }) {
        known.not_null = true;
        return;
    }
    let taken = |name: &String| known.constraints.iter().any(|it| it.name == *name);
    let base = format!("{}_check", name.last());
    let numbered = (1..).map(|number| format!("{base}{number}"));
    let free = || std::iter::once(base.clone()).chain(numbered).find(|it| !taken(it)).expect("numbers do not run out");
    known.constraints.push(Constraint {
        name: new.name.as_ref().map_or_else(free, |it| it.name.clone()),
        kind: new.kind.clone(),
        columns: Vec::new(),
        validated: !new.not_valid,
        enforced: true,
        origin,
        validated_by: (!new.not_valid).then_some(origin.migration),
    });
}

pub fn alter_object(catalog: &mut Catalog, alter: &AlterObject, origin: Origin) {
    let Some(name) = alter.name.as_ref().map(|it| catalog.resolve(it)) else { return };
    alter_type(catalog, &name, alter, origin);
    let known = catalog.types.get_mut(&name).map(|it| &mut it.kind);
    if let Some(TypeKind::Domain { constrained, default, .. }) = known {
        match alter.action {
            ObjectAction::AddConstraint(_) | ObjectAction::SetNotNull => *constrained = true,
            ObjectAction::DropDefault => *default = None,
            _ => {}
        }
    }
    let new = match &alter.action {
        ObjectAction::Rename { to } => plain_beside(&name, to),
        ObjectAction::SetSchema { to } => in_schema(&name, &to.name),
        _ => return,
    };
    match alter.kind {
        ObjectKind::Schema => {
            rename_schema(catalog, name.last(), new.last());
        }
        ObjectKind::Index => {
            index::rename(catalog, &name, &new);
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let kept = catalog.types.remove(&name);
            catalog.types.extend(kept.map(|it| (new.clone(), it)));
            columns_of_type(catalog, &name, &new);
        }
        ObjectKind::Sequence => {
            let kept = catalog.sequences.remove(&name);
            catalog.sequences.extend(kept.map(|it| (new, it)));
        }
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
            let kept = catalog.routines.remove(&name);
            catalog.routines.extend(kept.map(|it| (new, it)));
        }
        ObjectKind::View | ObjectKind::MaterializedView => table::rename_relation(catalog, &name, &new),
        _ => {}
    }
}

fn alter_type(catalog: &mut Catalog, name: &ObjectName, alter: &AlterObject, origin: Origin) {
    if let ObjectAction::AddConstraint(new) = &alter.action {
        return constrain(catalog, name, new, origin);
    }
    let Some(known) = catalog.types.get_mut(name) else { return };
    match (&alter.action, &mut known.kind) {
        (ObjectAction::AddValue { value, .. }, TypeKind::Enum { values }) if !values.contains(value) => {
            values.push(value.clone());
        }
        (ObjectAction::RenameValue { from, to }, TypeKind::Enum { values }) => {
            values.iter_mut().filter(|it| *it == from).for_each(|it| it.clone_from(to));
        }
        (ObjectAction::SetNotNull, _) => known.not_null = true,
        (ObjectAction::DropNotNull, _) => known.not_null = false,
        (ObjectAction::DropConstraint { name }, _) => known.constraints.retain(|it| it.name != name.name),
        (ObjectAction::ValidateConstraint { name }, _) => {
            let named = known.constraints.iter_mut().filter(|it| it.name == name.name);
            for it in named.filter(|it| !it.validated) {
                (it.validated, it.validated_by) = (true, Some(origin.migration));
            }
        }
        _ => {}
    }
}

/// Columns whose type has got another name.
fn columns_of_type(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let shown = |name: &ObjectName| match name.schema() {
        "public" => name.last().to_owned(),
        schema => format!("{schema}.{}", name.last()),
    };
    let (old, new) = (shown(old), shown(new));
    for column in catalog.tables.values_mut().flat_map(|it| &mut it.columns).filter(|it| it.resolved.name == old) {
        column.resolved.name.clone_from(&new);
        column.data_type = column.resolved.to_string();
    }
}

/// All that is in a schema is called after it.
fn rename_schema(catalog: &mut Catalog, old: &str, new: &str) {
    let origin = catalog.schemas.remove(old);
    catalog.schemas.extend(origin.map(|it| (new.to_owned(), it)));
    let moved = |name: &ObjectName| in_schema(name, new);
    let relations = catalog.tables.keys().chain(catalog.views.keys()).filter(|it| it.schema() == old);
    for name in relations.cloned().collect::<Vec<_>>() {
        table::rename_relation(catalog, &name, &moved(&name));
    }
    let types = catalog.types.extract_if(.., |name, _| name.schema() == old).collect::<Vec<_>>();
    for (name, it) in types {
        columns_of_type(catalog, &name, &moved(&name));
        catalog.types.insert(moved(&name), it);
    }
    let routines = catalog.routines.extract_if(.., |name, _| name.schema() == old).collect::<Vec<_>>();
    catalog.routines.extend(routines.into_iter().map(|(name, it)| (moved(&name), it)));
    let sequences = catalog.sequences.extract_if(.., |name, _| name.schema() == old).collect::<Vec<_>>();
    catalog.sequences.extend(sequences.into_iter().map(|(name, it)| (moved(&name), it)));
}
