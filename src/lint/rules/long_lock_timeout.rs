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
//! ```sql good commits
//! set lock_timeout = '5min';
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, effects, running},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Set, SetScope},
    },
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
    let Change::Set(set) = &statement.change else { return Vec::new() };
    if set.name != "lock_timeout" {
        return Vec::new();
    }
    let Some(how_long) = too_long(set) else { return Vec::new() };
    let reset = |it: &&Statement| !matches!(&it.change, Change::Set(next) if next.name == "lock_timeout");
    let until_the_next = context.later().iter().take_while(reset).flat_map(running);
    let Some((table, _)) = until_the_next.flat_map(|it| effects::held_by(context, it)).next() else {
        return Vec::new();
    };
    vec![
        Problem::at(statement.span)
            .says(format!(
                "reads and writes of `{table}` queue behind this migration {how_long} while it waits for its lock"
            ))
            .help("leave it out: the runner sets a timeout and tries again; or set a few seconds at most"),
    ]
}

fn too_long(set: &Set) -> Option<&'static str> {
    if set.scope == SetScope::Reset || set.value.is_none() {
        return Some("for as long as the server's default says");
    }
    let milliseconds = milliseconds(set.value.as_deref()?)?;
    match milliseconds {
        it if it <= 0.0 => Some("for ever"),
        it if it > BEARABLE => Some("for more than half a minute"),
        _ => None,
    }
}

/// A duration as Postgres reads it; a bare number is milliseconds. `None` for what Postgres would refuse.
fn milliseconds(value: &str) -> Option<f64> {
    let value = value.trim().trim_matches('\'').trim();
    let unit = value.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(value.len());
    let number = value[..unit].trim().parse::<f64>().ok()?;
    let factor = match &value[unit..] {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_are_read_as_postgres_reads_them() {
        let cases = [
            ("0", Some(0.0)),
            ("2000", Some(2_000.0)),
            ("2s", Some(2_000.0)),
            ("'1.5 min'", Some(90_000.0)),
            ("1h", Some(3_600_000.0)),
            ("500us", Some(0.5)),
            ("soon", None),
        ];
        for (value, expected) in cases {
            assert_eq!(milliseconds(value), expected, "{value}");
        }
    }
}
