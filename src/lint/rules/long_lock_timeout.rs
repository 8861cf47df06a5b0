//! A migration that waits long for a lock makes everybody else wait that long.
//!
//! Whoever asks for a table after the waiting statement queues behind it, readers too. The runner gives up after a few
//! seconds and tries again later; a `lock_timeout` of more than half a minute, or of 0, which is for ever, takes that away.
//! Where no later statement of the migration takes such a lock, any timeout will do.
//! See <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! set local lock_timeout = 0;
//! alter table orders add column note text;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! set local lock_timeout = '1h';
//! alter table orders add column note text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! set local lock_timeout = '2s';
//! alter table orders add column note text;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! select set_config('lock_timeout', '10min', true);
//! alter table orders add column note text;
//! ```
//!
//! ```sql good commits
//! set lock_timeout = '5min';
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use std::collections::BTreeSet;

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, effects, running,
        timeouts::{self, Timeout},
    },
    report::Harm,
    sql::{Change, Statement, change::SetScope, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "long-lock-timeout",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("long_lock_timeout.rs"),
    check: Check::Statement(check),
};

/// Milliseconds that an application can be expected to bear.
const BEARABLE: f64 = 30_000.0;

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((value, scope)) = timeouts::setting(context, statement, "lock_timeout") else { return Vec::new() };
    let is_local = scope == SetScope::Local;
    // Outside a transaction it sets nothing: another rule says so.
    if is_local && context.transaction.is_none() {
        return Vec::new();
    }
    let Some(how_long) = too_long(value.as_deref(), scope) else { return Vec::new() };
    let holds = |it: &&Statement| {
        timeouts::setting(context, it, "lock_timeout").is_none() && !(is_local && timeouts::ends_transaction(it))
    };
    let until_the_next = context.later().iter().take_while(holds).flat_map(running);
    let Some((table, waits)) = first_held(context, until_the_next) else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says(format!("{} queue behind this migration {how_long} while it waits for its lock", waits.of(&table)))
            .help("leave it out: the runner sets a timeout and tries again; or set a few seconds at most"),
    ]
}

/// The first relation that was there before and is kept from others. What the statements themselves create on the way
/// nobody uses yet.
fn first_held<'s>(
    context: &Context,
    statements: impl Iterator<Item = &'s Statement>,
) -> Option<(ObjectName, effects::Waits)> {
    let mut created = BTreeSet::new();
    for statement in statements {
        let held = effects::held_by(context, statement);
        if let Some(held) = held.into_iter().find(|(name, _)| !created.contains(name)) {
            return Some(held);
        }
        let new = match &statement.change {
            Change::CreateTable(table) => &table.name,
            Change::CreateView(view) => &view.name,
            Change::CreateSequence { name, .. } => name,
            _ => continue,
        };
        created.insert(context.catalog.resolve(new));
    }
    None
}

fn too_long(value: Option<&str>, scope: SetScope) -> Option<&'static str> {
    let Some(value) = value.filter(|_| scope != SetScope::Reset) else {
        return Some("for as long as the server's default says");
    };
    match timeouts::read(value)? {
        Timeout::Never => Some("for ever"),
        Timeout::Milliseconds(it) if it > BEARABLE => Some("for more than half a minute"),
        Timeout::Milliseconds(_) | Timeout::Unset => None,
    }
}
