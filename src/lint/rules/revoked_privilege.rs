//! Revoking a privilege breaks the application that uses it, at its next query.
//!
//! No new connection is needed for it to show: the next statement fails with "permission denied". First let the code that needs
//! it go, then revoke, in a later release. What the release has created itself may be closed at once, and a privilege
//! that the same migration grants again is replaced. See <https://www.postgresql.org/docs/current/sql-revoke.html>.
//!
//! ```sql setup
//! create role liftlock_example_worker;
//! create table orders (id bigint primary key);
//! grant select, insert on orders to liftlock_example_worker;
//! ```
//!
//! ```sql bad
//! revoke insert on orders from liftlock_example_worker;
//! ```
//!
//! ```sql good
//! create function purge() returns void language sql as '';
//! revoke execute on function purge() from public;
//! ```
//!
//! ```sql good
//! revoke all on orders from liftlock_example_worker;
//! grant select, insert on orders to liftlock_example_worker;
//! ```

use crate::{
    catalog::Origin,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ObjectKind, Terms},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "revoked-privilege",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("revoked_privilege.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Grant { revoke: true, kind, names, terms } = &statement.change else { return Vec::new() };
    // The right to pass it on is not the right itself.
    if terms.option || hardens(*kind, terms) {
        return Vec::new();
    }
    let again = |of: &ObjectName| context.later().iter().any(|it| grants(context, &it.change, *kind, of, terms));
    let lost = names.iter().filter(|it| !(is_new(context, *kind, it) || again(it))).collect::<Vec<_>>();
    if lost.is_empty() && !names.is_empty() {
        return Vec::new();
    }
    let roles = terms.roles.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    let of = lost.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    let says = match kind {
        None => format!("{roles} may no longer do what membership allowed, from the next statement on"),
        Some(_) if terms.in_schemas => {
            format!("{roles} may no longer use what is in {of} so, from the next statement on")
        }
        Some(_) => format!("{roles} may no longer use {of} so, from the next statement on"),
    };
    vec![
        Problem::at(statement.span)
            .says(says)
            .help("release 1: ship the code that does without; release 2, when no old process is left: revoke it"),
    ]
}

/// Closing what nobody should have had: everybody's right to create objects in a schema.
fn hardens(kind: Option<ObjectKind>, terms: &Terms) -> bool {
    let everybody = terms.roles.iter().all(|it| it == "public");
    let closed = matches!(kind, Some(ObjectKind::Schema | ObjectKind::Database));
    everybody && closed
}

fn is_new(context: &Context, kind: Option<ObjectKind>, name: &ObjectName) -> bool {
    let catalog = context.catalog;
    let resolved = catalog.resolve(name);
    let origin = match kind {
        Some(ObjectKind::Table) => catalog
            .tables
            .get(&resolved)
            .map(|it| it.origin)
            .or_else(|| catalog.views.get(&resolved).map(|it| it.origin)),
        Some(ObjectKind::Sequence) => catalog.sequences.get(&resolved).map(|it| it.origin),
        Some(ObjectKind::Schema) => catalog.schemas.get(name.last()).copied(),
        Some(ObjectKind::Type | ObjectKind::Domain) => catalog.types.get(&resolved).map(|it| it.origin),
        Some(ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine) => {
            let mut all = catalog.routine(name).iter().map(|it| it.origin);
            all.find(|it| it.is_new())
        }
        _ => None,
    };
    origin.is_some_and(Origin::is_new)
}

fn grants(context: &Context, change: &Change, kind: Option<ObjectKind>, name: &ObjectName, from: &Terms) -> bool {
    let Change::Grant { revoke: false, kind: of, names, terms } = change else { return false };
    let named = names.iter().any(|it| context.catalog.resolve(it) == context.catalog.resolve(name));
    *of == kind && named && from.roles.iter().all(|it| terms.roles.contains(it))
}
