//! A check that gives another answer tomorrow holds only for the moment in which a row was written.
//!
//! Postgres checks a row when it is written and takes for granted that it stays right. With the time, the session or chance in
//! it, an update of an old row fails, validating fails, and a dump does not come back. A trigger can ask at the time
//! of writing.
//!
//! ```sql setup
//! create table orders (id bigint primary key, expires_at timestamptz);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_expires_at_check check (expires_at > now()) not valid;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_expires_at_check check (expires_at > '2020-01-01') not valid;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, added,
        volatility::{self, Calls},
    },
    report::Harm,
    sql::{
        Statement,
        change::{ConstraintKind, Expression},
    },
};

pub static RULE: Rule = Rule {
    name: "volatile-check",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("volatile_check.rs"),
    check: Check::Statement(check),
};

/// Steady within a statement, which is all that a default asks of them, and different in the next.
const OF_THE_MOMENT: &[&str] = &[
    "current_date",
    "current_role",
    "current_setting",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "now",
    "session_user",
    "statement_timestamp",
    "transaction_timestamp",
    "user",
];

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let beside = added::constraints(statement).into_iter().filter_map(|(_, it)| match &it.kind {
        ConstraintKind::Check { expression } => expression.as_ref(),
        _ => None,
    });
    let inline = added::columns(statement).into_iter().flat_map(|(_, it)| &it.check);
    let problem = |check: &Expression| {
        let call = changing(context, check)?;
        Some(
            Problem::at(check.span)
                .says(format!("`{call}` gives another answer later, so rows that passed this check may fail it when they are updated"))
                .help("compare with other columns and constants only; what is to hold at the time of writing is for a trigger"),
        )
    };
    beside.chain(inline).filter_map(problem).collect()
}

/// What it calls that changes. `born <= current_date`, once true, stays true.
fn changing(context: &Context, check: &Expression) -> Option<String> {
    let of_the_moment = check.calls.iter().find(|it| it.parts.len() == 1 && OF_THE_MOMENT.contains(&it.last()));
    match volatility::calls(context.catalog, check) {
        // A function is volatile when nobody says more, and most of those are not.
        Calls::Volatile(call) if !is_created(context, &call) => Some(call),
        _ => of_the_moment.map(ToString::to_string).filter(|it| !only_grows(&check.text, it)),
    }
}

fn is_created(context: &Context, call: &str) -> bool {
    let own = call.rsplit('.').next().unwrap_or(call);
    context.catalog.routines.keys().any(|it| it.last() == own)
}

/// Is the call only ever the later end of a comparison?
fn only_grows(text: &str, call: &str) -> bool {
    let text = text.to_lowercase();
    let mut places = text.match_indices(call).map(|(at, _)| text[..at].trim_end());
    places.all(|before| before.ends_with('<') || before.ends_with("<="))
}
