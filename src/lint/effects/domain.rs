//! `ALTER DOMAIN`: constraints are checked in every table that uses it, under `SHARE`.

use crate::{
    lint::{Context, types},
    sql::{
        change::{AlterObject, ObjectAction, ObjectKind, TypeKind},
        names::ObjectName,
    },
};

use super::{Chance, LockMode, draft::Draft};

pub fn altered(draft: &mut Draft, alter: &AlterObject) {
    let (ObjectKind::Domain, Some(domain)) = (alter.kind, &alter.name) else { return };
    if !checks_values(&alter.action) {
        return;
    }
    for table in users(draft.context, domain) {
        draft.lock(&table, LockMode::Share);
        draft.scan(&table, Chance::Sure);
    }
}

fn checks_values(action: &ObjectAction) -> bool {
    match action {
        ObjectAction::AddConstraint(constraint) => !constraint.not_valid,
        ObjectAction::ValidateConstraint { .. } | ObjectAction::SetNotNull => true,
        _ => false,
    }
}

/// Tables that were there before the release and have a column of the domain, or of a domain made of it.
pub fn users(context: &Context, domain: &ObjectName) -> Vec<ObjectName> {
    let tables = context.catalog.tables.values().filter(|it| !it.origin.is_new() && !it.partitioned);
    let using = tables.filter(|it| it.columns.iter().any(|column| is_made_of(context, &column.data_type, domain)));
    using.map(|it| it.name.clone()).collect()
}

fn is_made_of(context: &Context, written: &str, domain: &ObjectName) -> bool {
    let data_type = types::read(written);
    if data_type.name.rsplit('.').next() == Some(domain.last()) {
        return true;
    }
    match types::created(context.catalog, &data_type) {
        Some(TypeKind::Domain { data_type, .. }) => is_made_of(context, data_type, domain),
        _ => false,
    }
}
