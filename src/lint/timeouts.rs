//! What `lock_timeout` and `statement_timeout` are when a statement starts.
//!
//! `SET LOCAL` and `set_config(…, true)` hold until their transaction ends, and are nothing outside of one; `SET` holds for
//! the session; `RESET` and `DEFAULT` go back to what the role, the database or the server says, which is known only where
//! a database was read. See <https://www.postgresql.org/docs/current/sql-set.html>.

use crate::sql::{
    Change, Statement,
    change::{Set, SetScope, Transaction},
};

use super::Context;

/// How long something may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timeout {
    /// No file sets it, and no database was read.
    Unset,
    /// 0.
    Never,
    Milliseconds(f64),
}

/// How many statements at a migration's start and before the present one are looked at: a file with more is data.
const NEAR: usize = 50;

/// The setting's value when the present statement starts, as far as this migration and the database say.
pub fn in_force(context: &Context, name: &str) -> Timeout {
    let default = || {
        let settings = &context.catalog.measures.as_ref()?.settings;
        settings.get(name).and_then(|it| read(it))
    };
    let present = context.earlier().len() - context.same_transaction().len();
    let earlier = context.earlier();
    let last = earlier.len().saturating_sub(NEAR).max(earlier.len().min(NEAR));
    // Settings stand at the start, or close to what they are for.
    let near = (last..earlier.len()).rev().chain((0..earlier.len().min(NEAR)).rev());
    let set = near.map(|at| (at, &earlier[at])).find_map(|(at, it)| {
        let (value, scope) = setting(context, it, name)?;
        (scope != SetScope::Local || (at >= present && context.transaction.is_some())).then_some((value, scope))
    });
    match set {
        Some((Some(value), SetScope::Session | SetScope::Local)) => read(&value).unwrap_or(Timeout::Unset),
        Some((_, SetScope::Reset) | (None, _)) | None => default().unwrap_or(Timeout::Unset),
    }
}

/// The value and scope that a statement gives to a setting.
pub fn setting(context: &Context, statement: &Statement, name: &str) -> Option<(Option<String>, SetScope)> {
    match &statement.change {
        Change::Set(set) if set.name == name => Some((set.value.clone(), set.scope)),
        Change::Set(Set { name, scope: SetScope::Reset, .. }) if name == "all" => Some((None, SetScope::Reset)),
        Change::Query { routines, .. } if routines.iter().any(|it| it.last() == "set_config") => {
            configured(context.migration.text.get(statement.span.start..statement.span.end)?, name)
        }
        _ => None,
    }
}

/// `set_config('name', 'value', is_local)` with literals.
fn configured(text: &str, name: &str) -> Option<(Option<String>, SetScope)> {
    let lower = text.to_ascii_lowercase();
    let (_, arguments) = lower.split_once("set_config")?;
    let arguments = arguments.trim_start().strip_prefix('(')?.split_once(')')?.0;
    let mut arguments = arguments.split(',').map(str::trim);
    if arguments.next()?.trim_matches('\'') != name {
        return None;
    }
    let value = arguments.next()?.trim_matches('\'').to_owned();
    let scope = if arguments.next()?.starts_with('t') { SetScope::Local } else { SetScope::Session };
    Some((Some(value), scope))
}

/// Whether the transaction of a `SET LOCAL` ends with this statement.
pub fn ends_transaction(statement: &Statement) -> bool {
    let end = [Transaction::Commit, Transaction::Rollback, Transaction::PrepareTransaction];
    matches!(&statement.change, Change::Transaction(it) if end.contains(it))
}

/// A value as it is written; `None` for what Postgres would refuse.
pub fn read(value: &str) -> Option<Timeout> {
    let milliseconds = milliseconds(value)?;
    Some(if milliseconds <= 0.0 { Timeout::Never } else { Timeout::Milliseconds(milliseconds) })
}

/// A duration as Postgres reads it; a bare number is milliseconds.
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
    use super::{SetScope, configured, milliseconds};

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

    #[test]
    fn set_config_is_read_like_set() {
        let value = |it: &str| Some((Some(it.to_owned()), SetScope::Local));
        let cases = [
            ("select set_config('lock_timeout', '2s', true)", value("2s")),
            ("select pg_catalog.set_config( 'lock_timeout','2s',TRUE )", value("2s")),
            ("select set_config('lock_timeout', '2s', false)", Some((Some("2s".to_owned()), SetScope::Session))),
            ("select set_config('search_path', '', false)", None),
            ("select set_config(name, value, true) from settings", None),
        ];
        for (text, expected) in cases {
            assert_eq!(configured(text, "lock_timeout"), expected, "{text}");
        }
    }
}
