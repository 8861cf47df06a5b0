//! A `SECURITY DEFINER` routine without a `search_path` of its own can be made to run somebody else's code.
//!
//! It runs with its owner's rights, but looks up names on its caller's search path: whoever may create a function or a
//! table in a schema there, `pg_temp` included, decides what it calls. Set the path with the routine, `pg_temp` last or
//! none at all. A body in `BEGIN ATOMIC` is bound when it is created and needs none.
//! See <https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY>.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create function orders_left() returns bigint language sql as 'select count(*) from orders';
//! ```
//!
//! ```sql bad
//! create function count_orders() returns bigint language sql security definer
//!   as 'select count(*) from orders';
//! ```
//!
//! ```sql bad
//! alter function orders_left() security definer;
//! ```
//!
//! ```sql good
//! create function count_orders() returns bigint language sql security definer set search_path = ''
//!   as 'select count(*) from public.orders';
//! ```
//!
//! ```sql good
//! alter function orders_left() security definer set search_path = '';
//! ```
//!
//! ```sql good
//! create function count_orders() returns bigint language sql security definer
//!   begin atomic select count(*) from orders; end;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{AlterObject, ObjectAction, ObjectKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "security-definer-without-search-path",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("security_definer_without_search_path.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateRoutine(routine) = &statement.change else { return altered(context, statement) };
    if !routine.security_definer || routine.sets.iter().any(|it| it == "search_path") {
        return Vec::new();
    }
    let is_bound = context.written(statement.span).to_lowercase().contains("begin atomic");
    if is_bound || context.later().iter().any(|it| sets_path(context, it, &routine.name)) {
        return Vec::new();
    }
    vec![unsafe_path(&routine.name)]
}

fn unsafe_path(name: &ObjectName) -> Problem {
    Problem::at(name.span())
        .says(format!("`{name}` runs with its owner's rights and looks up names where its caller says"))
        .help("add `set search_path = ''` and write names with their schemas, or `set search_path = public, pg_temp`")
}

/// A routine that gets its owner's rights later; only this migration says whether it has a path.
fn altered(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { kind, name: Some(name), action: ObjectAction::Other { words, .. }, .. }) =
        &statement.change
    else {
        return Vec::new();
    };
    let routine = matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine);
    if !routine || !words.starts_with("SECURITY DEFINER") {
        return Vec::new();
    }
    let has_path = |it: &Statement| {
        sets_path(context, it, name)
            || matches!(&it.change, Change::CreateRoutine(new) if context.catalog.resolve(&new.name) == context.catalog.resolve(name)
                && new.sets.iter().any(|it| it == "search_path"))
    };
    let own = context.written(statement.span).to_lowercase().contains("search_path");
    if own || context.earlier().iter().chain(context.later()).any(has_path) {
        return Vec::new();
    }
    vec![unsafe_path(name).at_most(Severity::Notice)]
}

/// `ALTER FUNCTION … SET search_path`, as dumps and generators write it.
fn sets_path(context: &Context, statement: &Statement, routine: &ObjectName) -> bool {
    let Change::AlterObject(alter) = &statement.change else { return false };
    let is_it = matches!(alter.kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine)
        && alter.name.as_ref().is_some_and(|it| context.catalog.resolve(it) == context.catalog.resolve(routine));
    is_it
        && matches!(&alter.action, ObjectAction::Other { words, .. } if words.starts_with("SET SEARCH_PATH") || words.starts_with("SECURITY INVOKER"))
}
