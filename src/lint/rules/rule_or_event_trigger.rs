//! A rule or an event trigger changes what statements do that say nothing of it.
//!
//! A rule rewrites queries before they are planned: it runs its actions once for each mention, not once for each row, and
//! `INSTEAD` makes writes vanish. An event trigger runs at every schema change of the whole database, also at those of
//! other migrations and of the restore. A trigger, or a view with `INSTEAD OF` triggers, does it where everybody looks.
//! See <https://www.postgresql.org/docs/current/rules-triggers.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create function note_change() returns event_trigger language plpgsql as $$ begin end $$;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! create rule keep_orders as on delete to orders do instead nothing;
//! ```
//!
//! ```sql bad
//! create event trigger liftlock_example_note on ddl_command_end execute function note_change();
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock
//! create function refuse() returns trigger language plpgsql as $$ begin return null; end $$;
//! create trigger keep_orders before delete on orders for each row execute function refuse();
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind},
};

pub static RULE: Rule = Rule {
    name: "rule-or-event-trigger",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("rule_or_event_trigger.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let problem = Problem::at(statement.span);
    match &statement.change {
        Change::CreateOther { kind: ObjectKind::Rule, on: Some(table), .. } if !context.is_new(table) => vec![
            problem
                .says(format!("statements on `{table}` do something else from now on, and none of them says so"))
                .help("write a trigger instead"),
        ],
        Change::CreateOther { kind: ObjectKind::EventTrigger, .. } => vec![
            problem
                .says("every schema change of this database runs this from now on, and fails when it does")
                .help("say who looks after it: `-- liftlock: allow rule-or-event-trigger because …`"),
        ],
        _ => Vec::new(),
    }
}
