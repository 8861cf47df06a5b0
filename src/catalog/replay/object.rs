//! Views, types, routines, rules; and `ALTER` of anything but a table.

use std::sync::Arc;

use super::{
    super::{Catalog, Index, Origin, Routine, TEMPORARY, Trigger, View, in_schema},
    plain_beside, table,
};
use crate::sql::{
    Place, Statement,
    change::{AlterObject, CreateRoutine, CreateView, ObjectAction, ObjectKind, TypeKind, Volatility},
    names::ObjectName,
};

pub fn create_view(catalog: &mut Catalog, new: &CreateView, origin: Origin) {
    let name = if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
    if catalog.views.contains_key(&name) && (new.if_not_exists || new.or_replace) {
        return;
    }
    let origin = origin.unless(new.if_not_exists || new.or_replace);
    catalog.views.insert(name, View { materialized: new.materialized, reads: Vec::new(), mentions: None, origin });
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

pub fn alter_object(catalog: &mut Catalog, alter: &AlterObject) {
    let Some(name) = alter.name.as_ref().map(|it| catalog.resolve(it)) else { return };
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
            let origin = catalog.schemas.remove(name.last());
            catalog.schemas.extend(origin.map(|it| (new.last().to_owned(), it)));
        }
        ObjectKind::Index => {
            let index = catalog.indexes.remove(&name);
            catalog.indexes.extend(index.map(|it| (new.clone(), Index { name: new, ..it })));
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let kept = catalog.types.remove(&name);
            catalog.types.extend(kept.map(|it| (new, it)));
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
