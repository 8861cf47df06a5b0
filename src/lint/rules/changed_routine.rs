//! `CREATE OR REPLACE` replaces a routine only with one that is called alike.
//!
//! With the same types of arguments it must return the same type, call its arguments by the same names and keep their
//! defaults, else Postgres refuses. With other types it replaces nothing: the old routine stays beside the new one, calls
//! that fit both fail with "is not unique", and those of the running application go on running the old one.
//! See <https://www.postgresql.org/docs/current/sql-createfunction.html>.
//!
//! ```sql setup
//! create function discount(total int, percent int default 10) returns int language sql as 'select total * percent / 100';
//! ```
//!
//! ```sql bad fails=42P13
//! create or replace function discount(total int, percent int default 10) returns numeric
//!   language sql as 'select total * percent / 100.0';
//! ```
//!
//! ```sql bad fails=42P13
//! create or replace function discount(amount int, percent int default 10) returns int language sql as 'select 1';
//! ```
//!
//! ```sql bad fails=42P13
//! create or replace function discount(total int, percent int) returns int language sql as 'select 1';
//! ```
//!
//! ```sql bad
//! create or replace function discount(total int, percent int default 10, most int default 100) returns int
//!   language sql as 'select least(total * percent / 100, most)';
//! ```
//!
//! ```sql good
//! create or replace function discount(total int, percent int default 20) returns int
//!   language sql as 'select total * percent / 100';
//! ```
//!
//! ```sql good
//! drop function discount(int, int);
//! create function discount(total int, percent int, most int) returns int language sql as 'select 1';
//! ```

use crate::{
    catalog::Routine,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{CreateRoutine, ObjectKind},
    },
};

pub static RULE: Rule = Rule {
    name: "changed-routine",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("changed_routine.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateRoutine(new) = &statement.change else { return Vec::new() };
    let name = &new.name;
    let made = context.catalog.routine_of(new);
    let overloads = context.catalog.routine(name);
    let is_it = |it: &&Routine| it.arguments == made.arguments && it.origin.certain;
    let Some(old) = overloads.iter().find(is_it).filter(|_| new.or_replace) else {
        return beside(context, new, &made, overloads).into_iter().collect();
    };
    let Some(change) = refused(old, &made) else { return Vec::new() };
    let arguments = listed(old);
    let word = if new.kind == ObjectKind::Procedure { "procedure" } else { "function" };
    vec![
        Problem::at(name.span())
            .says(format!("this fails when it runs: `or replace` cannot {change} of `{name}({arguments})`"))
            .help(format!(
                "give the new one another name, let the application call it, and `drop {word} {name}({arguments})` in a \
                 later release; when nobody but this migration calls it, drop it above in the same migration"
            )),
    ]
}

/// What `CREATE OR REPLACE` may not change (`ProcedureCreate` in pg_proc.c).
fn refused(old: &Routine, new: &Routine) -> Option<String> {
    if old.kind != new.kind {
        return Some("change the kind".to_owned());
    }
    if let (Some(was), Some(is)) = (&old.returns, &new.returns)
        && was != is
    {
        return Some(format!("change the return type `{was}`"));
    }
    let renamed = old.names.iter().zip(&new.names).find(|(was, is)| was.is_some() && was != is);
    if let Some((Some(was), _)) = renamed {
        return Some(format!("change the name of argument `{was}`"));
    }
    (new.defaults < old.defaults && !new.names.is_empty()).then(|| "remove the default of an argument".to_owned())
}

/// The new one stands beside an old one that the same calls fit.
fn beside(context: &Context, new: &CreateRoutine, made: &Routine, overloads: &[Routine]) -> Option<Problem> {
    let types = made.arguments.as_ref()?;
    let fits_both = |old: &&Routine| {
        let Some(own) = &old.arguments else { return false };
        let shared = own.len().min(types.len());
        // A call with the arguments that both must have fits both, when those are alike.
        let needed = (own.len() - old.defaults.min(own.len())).max(types.len() - made.defaults.min(types.len()));
        own != types && needed <= shared && own[..needed] == types[..needed] && !old.origin.is_new()
    };
    let old = overloads.iter().find(fits_both)?;
    let goes = context.later().iter().any(|it| match &it.change {
        Change::Drop(drop) => {
            drop.names.iter().any(|it| context.catalog.resolve(it) == context.catalog.resolve(&new.name))
        }
        _ => false,
    });
    if goes {
        return None;
    }
    let (name, arguments) = (&new.name, listed(old));
    let problem = Problem::at(name.span())
        .says(format!("`{name}({arguments})` stays beside this one: calls that fit both fail with \"is not unique\""))
        .help(format!(
            "give the new one another name, or no defaults; or `drop function {name}({arguments})` above, when the new \
             one serves all its calls"
        ));
    Some(problem.at_most(Severity::Warning))
}

fn listed(routine: &Routine) -> String {
    routine.arguments.as_deref().unwrap_or_default().join(", ")
}
