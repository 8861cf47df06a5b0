//! A `SECURITY DEFINER` routine without a `search_path` of its own can be made to run somebody else's code.
//!
//! It runs with its owner's rights, but looks up names on its caller's search path: whoever may create a function or a
//! table in a schema there, `pg_temp` included, decides what it calls. Set the path with the routine, `pg_temp` last or
//! none at all. A body in `BEGIN ATOMIC` is bound when it is created and needs none.
//! See <https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY>.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad
//! create function count_orders() returns bigint language sql security definer
//!   as 'select count(*) from orders';
//! ```
//!
//! ```sql good
//! create function count_orders() returns bigint language sql security definer set search_path = ''
//!   as 'select count(*) from public.orders';
//! ```
//!
//! ```sql good
//! create function count_orders() returns bigint language sql security definer
//!   begin atomic select count(*) from orders; end;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{CreateRoutine, ObjectAction, ObjectKind},
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
    let Change::CreateRoutine(routine) = &statement.change else { return Vec::new() };
    if !routine.security_definer || routine.sets.iter().any(|it| it == "search_path") {
        return Vec::new();
    }
    let is_bound = context.written(statement.span).to_lowercase().contains("begin atomic");
    if is_bound || context.later().iter().any(|it| sets_path(context, it, routine)) {
        return Vec::new();
    }
    vec![
        Problem::at(routine.name.span)
            .says(format!("`{}` runs with its owner's rights and looks up names where its caller says", routine.name))
            .help(
                "add `set search_path = ''` and write names with their schemas, or `set search_path = public, pg_temp`",
            ),
    ]
}

/// `ALTER FUNCTION … SET search_path`, as dumps and generators write it.
fn sets_path(context: &Context, statement: &Statement, routine: &CreateRoutine) -> bool {
    let Change::AlterObject(alter) = &statement.change else { return false };
    let is_it = matches!(alter.kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine)
        && alter.name.as_ref().is_some_and(|it| context.catalog.resolve(it) == context.catalog.resolve(&routine.name));
    is_it
        && matches!(&alter.action, ObjectAction::Other { words, .. } if words.starts_with("SET SEARCH_PATH") || words.starts_with("SECURITY INVOKER"))
}
