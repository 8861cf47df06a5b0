//! Grants, default privileges, policies, row level security.

use super::{
    super::{Catalog, DefaultPrivilege, Grant, Origin, Policy, Table},
    plain,
};
use crate::sql::{
    change::{DefaultPrivileges, ObjectKind, PolicyTerms, Terms},
    names::{Ident, ObjectName},
};

/// `GRANT` and `REVOKE`; `kind` is `None` for membership, which is no privilege on anything.
pub fn grant(
    catalog: &mut Catalog,
    revoke: bool,
    kind: Option<ObjectKind>,
    names: &[ObjectName],
    terms: &Terms,
    origin: Origin,
) {
    let Some(kind) = kind else { return };
    for name in granted(catalog, kind, names, terms) {
        for role in &terms.roles {
            match revoke {
                true if origin.certain && !terms.option => {
                    let all = terms.privileges.iter().any(|it| it == "ALL");
                    let of = |it: &&mut Grant| it.kind == kind && it.role == *role;
                    for grant in catalog.grants.on_mut(&name).iter_mut().filter(of) {
                        grant.privileges.retain(|it| !all && !terms.privileges.contains(it));
                    }
                    catalog.grants.retain_on(&name, |it| !it.privileges.is_empty());
                }
                true => {}
                false => {
                    let (name, role, privileges) = (name.clone(), role.clone(), terms.privileges.clone());
                    catalog.grants.push(Grant { kind, name, role, privileges, origin });
                }
            }
        }
    }
}

/// What is named, or all that is there of the kind in the schemas that are named. Views are granted as tables are.
fn granted(catalog: &Catalog, kind: ObjectKind, names: &[ObjectName], terms: &Terms) -> Vec<ObjectName> {
    if !terms.in_schemas {
        let by_name = |it: &ObjectName| if kind == ObjectKind::Schema { it.clone() } else { catalog.resolve(it) };
        return names.iter().map(by_name).collect();
    }
    let here = |it: &&ObjectName| names.iter().any(|schema| schema.last() == it.schema());
    match kind {
        ObjectKind::Table => catalog.tables.keys().chain(catalog.views.keys()).filter(here).cloned().collect(),
        ObjectKind::Sequence => catalog.sequences.keys().filter(here).cloned().collect(),
        _ => catalog.routines.keys().filter(here).cloned().collect(),
    }
}

pub fn default_privileges(catalog: &mut Catalog, new: &DefaultPrivileges, origin: Origin) {
    let schemas = match new.schemas.as_slice() {
        [] => vec![None],
        schemas => schemas.iter().cloned().map(Some).collect(),
    };
    let creators = match new.creators.as_slice() {
        [] => vec![None],
        creators => creators.iter().cloned().map(Some).collect::<Vec<_>>(),
    };
    for schema in &schemas {
        for creator in &creators {
            for role in &new.terms.roles {
                let is_it = |it: &DefaultPrivilege| {
                    it.schema == *schema && it.creator == *creator && it.kind == new.kind && it.role == *role
                };
                if new.revoke {
                    catalog.default_privileges.retain(|it| !is_it(it) || !origin.certain);
                    continue;
                }
                catalog.default_privileges.push(DefaultPrivilege {
                    schema: schema.clone(),
                    creator: creator.clone(),
                    kind: new.kind,
                    role: role.clone(),
                    privileges: new.terms.privileges.clone(),
                    origin,
                });
            }
        }
    }
}

pub fn create_policy(catalog: &mut Catalog, name: &Ident, table: &ObjectName, terms: &PolicyTerms, origin: Origin) {
    let table = catalog.resolve(table);
    catalog.others.insert((ObjectKind::Policy, plain(name), Some(table.clone())), origin);
    catalog.policies.retain_on(&table, |it| it.name != name.name);
    let named = |subquery: bool| {
        let conditions = terms.using.iter().chain(&terms.check).filter(move |it| it.subquery == subquery);
        conditions.flat_map(|it| &it.names).map(|it| it.last().to_owned()).collect()
    };
    let (columns, queried) = (named(false), named(true));
    catalog.policies.push(Policy {
        name: name.name.clone(),
        table,
        command: terms.command.clone(),
        roles: terms.roles.clone(),
        permissive: terms.permissive,
        columns,
        queried,
        origin,
    });
}

/// `ENABLE ROW LEVEL SECURITY` and its sisters; other words change nothing here.
pub fn toggle(table: &mut Table, words: &str) {
    match words {
        "ENABLE ROW LEVEL SECURITY" => table.row_security.enabled = true,
        "DISABLE ROW LEVEL SECURITY" => table.row_security.enabled = false,
        "FORCE ROW LEVEL SECURITY" => table.row_security.forced = true,
        "NO FORCE ROW LEVEL SECURITY" => table.row_security.forced = false,
        _ => {}
    }
}
