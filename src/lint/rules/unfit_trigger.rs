//! A trigger runs a function that returns `trigger`, and at a time that its table knows.
//!
//! A row of a view is written by `INSTEAD OF` triggers alone, a row of a table never by them; an event trigger's function
//! returns `event_trigger`. Anything else fails.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! create view open_orders as select id from orders;
//! create function stamp() returns trigger language plpgsql as 'begin return new; end';
//! create function fee() returns int language sql as 'select 1';
//! ```
//!
//! ```sql bad fails=42P17
//! create trigger orders_fee before insert on orders for each row execute function fee();
//! ```
//!
//! ```sql bad fails=42809
//! create trigger open_orders_stamp before insert on open_orders for each row execute function stamp();
//! ```
//!
//! ```sql bad fails=42809
//! create trigger orders_stamp instead of insert on orders for each row execute function stamp();
//! ```
//!
//! ```sql bad fails=42P17
//! create trigger orders_gone before delete on orders for each row when (new.id > 1) execute function stamp();
//! ```
//!
//! ```sql good locks=open_orders:ShareRowExclusiveLock
//! create trigger open_orders_stamp instead of insert on open_orders for each row execute function stamp();
//! ```

use crate::{
    catalog::Routine,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Firing, ObjectKind, Timing, TriggerEvent},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-trigger",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_trigger.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateTrigger { name, table, routine, firing, .. } = &statement.change else { return Vec::new() };
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let why = routine.as_ref().and_then(|it| returns(context, it)).or_else(|| time(context, table, firing));
    let problem = |(why, help): (String, &'static str)| {
        Problem::at(name.span).says(format!("{why}: this fails when it runs")).help(help)
    };
    why.map(problem).into_iter().collect()
}

fn returns(context: &Context, routine: &ObjectName) -> Option<(String, &'static str)> {
    let overloads = context.catalog.routine(routine);
    let resolved = context.catalog.resolve(routine);
    let other = |returns: &str| returns != "trigger" && returns != "pg_catalog.trigger";
    let wrong = !overloads.is_empty() && overloads.iter().all(|it| it.returns.as_deref().is_some_and(other));
    let known = overloads.iter().all(|it| context.catalog.is_there(&resolved, it.origin));
    if wrong && known {
        return Some((format!("`{routine}` does not return `trigger`"), "let it be `returns trigger`"));
    }
    let takes = |it: &Routine| it.arguments.as_ref().is_some_and(|it| !it.is_empty());
    let asked = known && !overloads.is_empty() && overloads.iter().all(takes);
    asked.then(|| {
        (format!("`{routine}` takes arguments, and a trigger's function has none"), "read them from `tg_argv`")
    })
}

fn time(context: &Context, table: &ObjectName, firing: &Firing) -> Option<(String, &'static str)> {
    let resolved = context.catalog.resolve(table);
    let (kind, origin) = context.catalog.relation(&resolved)?;
    if !context.catalog.is_there(&resolved, origin) {
        return None;
    }
    let truncates = firing.events.iter().any(|it| matches!(it, TriggerEvent::Truncate));
    match (kind, firing.timing) {
        (ObjectKind::Table, Timing::InsteadOf) => {
            Some((format!("`{table}` is a table, which has no `instead of` triggers"), "use `before`"))
        }
        (ObjectKind::View, Timing::Before | Timing::After) if firing.each_row || truncates => Some((
            format!("`{table}` is a view, whose rows only `instead of` triggers write"),
            "use `instead of`, or put it on the table",
        )),
        (ObjectKind::MaterializedView, _) => {
            Some((format!("`{table}` is a materialized view, which has no triggers"), "put it on the table"))
        }
        _ => rows(firing),
    }
}

/// A condition about a row that the event does not have.
fn rows(firing: &Firing) -> Option<(String, &'static str)> {
    let condition = firing.condition.as_ref().filter(|it| !it.subquery)?;
    let names = |row: &str| condition.names.iter().any(|it| matches!(&*it.parts, [first, _] if first.name == row));
    let on = |event: &TriggerEvent| firing.events.contains(event);
    match () {
        () if on(&TriggerEvent::Delete) && names("new") => Some((
            "there is no `new` row where one is deleted".to_owned(),
            "ask `old`; or make a trigger for each event",
        )),
        () if on(&TriggerEvent::Insert) && names("old") => Some((
            "there is no `old` row where one is inserted".to_owned(),
            "ask `new`; or make a trigger for each event",
        )),
        () => None,
    }
}
