//! A table that the application's role has no privilege on fails at its first query.
//!
//! The other tables of the schema are granted to a role, no default privilege does it for new ones, and this one is not:
//! the new code's queries fail with "permission denied for table". Nobody notices where the tests run as the owner.
//! The same goes for views and sequences. `ALTER DEFAULT PRIVILEGES` settles it for all that come. In two releases:
//!
//! 1. The migration creates the table and grants it.
//! 2. The code that queries it follows.
//!
//! ```sql setup
//! create role liftlock_example_app;
//! create table orders (id bigint primary key);
//! grant select, insert, update on orders to liftlock_example_app;
//! ```
//!
//! ```sql bad
//! create table parcels (id bigint primary key);
//! ```
//!
//! ```sql bad
//! create view open_orders as select id from orders;
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key);
//! grant select, insert, update on parcels to liftlock_example_app;
//! ```
//!
//! ```sql good
//! alter default privileges in schema public grant select, insert on tables to liftlock_example_app;
//! create table parcels (id bigint primary key);
//! ```

use std::collections::BTreeMap;

use crate::{
    catalog::{Grant, Release},
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable, running},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "missing-grant",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("missing_grant.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let (kind, name) = match &statement.change {
        Change::CreateTable(new) if !new.temporary && new.partition_of.is_none() => (ObjectKind::Table, &new.name),
        Change::CreateView(new) if !new.temporary && !new.or_replace => (ObjectKind::Table, &new.name),
        Change::CreateSequence { name, .. } => (ObjectKind::Sequence, name),
        _ => return Vec::new(),
    };
    let name_here = context.catalog.resolve(name);
    let is_there = context.catalog.tables.contains_key(&name_here) || context.catalog.views.contains_key(&name_here);
    // Whoever makes it owns it.
    let as_another = context.earlier().iter().any(|it| matches!(&it.change, Change::Set(set) if set.name == "role"));
    if is_there || as_another {
        return Vec::new();
    }
    let missing = usual(context, kind, name_here.schema()).into_iter().filter(|(role, _)| {
        let later = context.later().iter().flat_map(running);
        !by_default(context, kind, name_here.schema(), role)
            && !later.into_iter().any(|it| gives(context, &it.change, kind, &name_here, role))
    });
    let problem = missing.map(|(role, grant)| {
        let (what, of) = if kind == ObjectKind::Sequence { ("sequence ", "sequences") } else { ("", "tables") };
        let privileges = grant.privileges.join(", ").to_lowercase();
        Problem::at(name.span())
            .says(format!(
                "`{role}` has no privilege on `{name}`, as it has on others in `{}`: its queries fail",
                name_here.schema()
            ))
            .help(format!(
                "release 1: `grant {privileges} on {what}{name} to {role}` in this migration, or for all that come `alter default \
                 privileges in schema {} grant {privileges} on {of} to {role}`; release 2: the code that uses `{name}`",
                name_here.schema()
            ))
            .unless(Remedy::Grant { kind, name: name_here.clone(), role: role.to_owned() })
    });
    problem.collect()
}

/// Roles to which at least half of what was there in the schema is granted, each with one of those grants.
fn usual<'c>(context: &Context<'c>, kind: ObjectKind, schema: &str) -> BTreeMap<&'c str, &'c Grant> {
    let mut by_role = BTreeMap::<&str, (usize, &Grant)>::new();
    let old = |it: &&Grant| it.origin.release == Release::History && it.kind == kind && it.name.schema() == schema;
    let whole = |it: &&Grant| it.privileges.iter().any(|it| !it.contains('('));
    for grant in context.catalog.grants.iter().filter(old).filter(whole) {
        let known = by_role.entry(&grant.role).or_insert((0, grant));
        *known = (known.0 + 1, grant);
    }
    if by_role.is_empty() {
        return BTreeMap::new();
    }
    let is_old = |release: Release, name: &ObjectName| release == Release::History && name.schema() == schema;
    let all = match kind {
        ObjectKind::Sequence => {
            let old = context.catalog.sequences.iter().filter(|(name, it)| is_old(it.origin.release, name));
            old.count()
        }
        _ => {
            let old = context.catalog.tables.values().filter(|it| is_old(it.origin.release, &it.name));
            old.filter(|it| it.partition_of.is_none() && !it.temporary).count()
        }
    };
    by_role.retain(|_, (count, _)| *count > 0 && *count * 2 >= all);
    by_role.into_iter().map(|(role, (_, grant))| (role, grant)).collect()
}

fn by_default(context: &Context, kind: ObjectKind, schema: &str, role: &str) -> bool {
    let mut defaults = context.catalog.default_privileges_in(kind, schema);
    defaults.any(|it| it.role == role || it.role == "public")
}

fn gives(context: &Context, change: &Change, kind: ObjectKind, name: &ObjectName, role: &str) -> bool {
    match change {
        Change::Grant { revoke: false, kind: Some(of), names, terms } => {
            let named = names.iter().any(|it| match terms.in_schemas {
                true => it.last() == name.schema(),
                false => context.catalog.resolve(it) == *name,
            });
            *of == kind && named && terms.roles.iter().any(|it| it == role || it == "public")
        }
        // Owned by it, or gone again.
        Change::AlterTable(alter) => {
            let to_role = |it: &ActionKind| matches!(it, ActionKind::OwnerTo { role: Some(to) } if to.name == role);
            context.catalog.resolve(&alter.table) == *name && alter.actions.iter().any(|it| to_role(&it.kind))
        }
        Change::Drop(drop) => drop.names.iter().any(|it| context.catalog.resolve(it) == *name),
        _ => false,
    }
}
