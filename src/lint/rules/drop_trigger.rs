//! Dropping a trigger or a rule silently ends what it did at every write.
//!
//! Nothing fails: audit rows, timestamps and checks simply stop appearing, and nobody notices until they are
//! needed. One that the same migration creates again is replaced.
//!
//! ```sql setup
//! create table orders (id bigint primary key, updated_at timestamptz);
//! create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
//! create trigger orders_touch before update on orders for each row execute function touch();
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! drop trigger orders_touch on orders;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! drop trigger if exists orders_touch on orders;
//! create trigger orders_touch before insert or update on orders for each row execute function touch();
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-trigger",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_trigger.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    let what = match drop.kind {
        ObjectKind::Trigger => "trigger",
        ObjectKind::Rule => "rule",
        ObjectKind::EventTrigger => "event trigger",
        _ => return Vec::new(),
    };
    let on = drop.on.as_ref();
    if on.is_some_and(|table| context.is_new(table)) {
        return Vec::new();
    }
    let is_new = |name: &ObjectName| {
        let known = on.and_then(|table| context.catalog.triggers_on(table).find(|it| it.name == name.last()));
        known.is_some_and(|it| it.origin.is_surely_new())
    };
    let lost = drop.names.iter().filter(|it| !is_new(it) && !context.creates_again(drop.kind, it, on));
    lost.map(|name| {
        let place = on.map(|it| format!(" on `{it}`")).unwrap_or_default();
        Problem::at(name.span())
            .says(format!("what {what} `{name}` did{place} ends without any error"))
            .help("say why nobody needs it any more: `-- liftlock: allow drop-trigger because …`")
    })
    .collect()
}
