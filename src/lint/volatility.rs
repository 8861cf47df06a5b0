//! What an expression calls: does it give another value for each row?
//!
//! A default rewrites the table if and only if it calls a volatile function; stable ones (`now()`) are evaluated
//! once when the column is added. The list is Postgres's own `pg_proc.provolatile`.

use std::{collections::HashMap, sync::LazyLock};

use crate::{
    catalog::{Catalog, Routine},
    sql::{
        Change,
        change::{Expression, Volatility},
        names::ObjectName,
    },
};

/// What is worst among an expression's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calls {
    /// Constants, stable and immutable functions.
    Steady,
    /// Neither built in nor created by any file, by name. Volatile is what a function is when nobody says more.
    Unknown(String),
    /// By name.
    Volatile(String),
}

static BUILT_IN: LazyLock<HashMap<&str, Volatility>> = LazyLock::new(|| {
    let mut volatility = Volatility::Volatile;
    let mut known = HashMap::new();
    for line in include_str!("volatility.txt").lines().filter(|it| !it.starts_with('#')) {
        match line {
            "volatile" => volatility = Volatility::Volatile,
            "steady" => volatility = Volatility::Stable,
            names => known.extend(names.split(' ').map(|name| (name, volatility))),
        }
    }
    known
});

/// Whether one of Postgres's own functions gives each row its own value; `None`: not in the list. Of overloads the worst
/// counts: there is one name, `ts_rewrite`, whose overloads differ.
pub fn is_volatile(name: &str) -> Option<bool> {
    BUILT_IN.get(name).map(|it| *it == Volatility::Volatile)
}

/// Judges every call of an expression.
pub fn calls(catalog: &Catalog, expression: &Expression) -> Calls {
    worst(catalog, &expression.calls, DEEPEST)
}

/// How far calls within calls are followed.
const DEEPEST: u8 = 8;

fn worst<'e>(catalog: &Catalog, calls: impl IntoIterator<Item = &'e ObjectName>, depth: u8) -> Calls {
    let mut worst = Calls::Steady;
    for call in calls {
        match volatility(catalog, call, depth) {
            Some(Volatility::Volatile) => return Calls::Volatile(call.to_string()),
            Some(Volatility::Stable | Volatility::Immutable) => {}
            None if is_named_steady(call.last()) => {}
            None => worst = Calls::Unknown(call.to_string()),
        }
    }
    worst
}

/// `immutable_unaccent`, `f_stable`: wrappers that are named after what they are declared as.
fn is_named_steady(name: &str) -> bool {
    name.split('_').any(|it| ["immutable", "stable", "imm"].contains(&it.to_lowercase().as_str()))
}

/// The volatility of a function by name; of several overloads that of the worst. `None`: not known.
fn volatility(catalog: &Catalog, call: &ObjectName, depth: u8) -> Option<Volatility> {
    let built_in = || BUILT_IN.get(call.last()).copied();
    if call.parts.len() > 1 && call.schema() == "pg_catalog" {
        return built_in();
    }
    let overloads = catalog.routine(call);
    if overloads.is_empty() {
        // Extensions are found in any schema: `extensions.uuid_generate_v4()`.
        return built_in();
    }
    overloads.iter().map(|it| own_volatility(catalog, it, depth)).max_by_key(|it| match it {
        Some(Volatility::Immutable | Volatility::Stable) => 0,
        None => 1,
        Some(Volatility::Volatile) => 2,
    })?
}

/// As declared, or, for a body that takes the place of its call, what that calls.
fn own_volatility(catalog: &Catalog, routine: &Routine, depth: u8) -> Option<Volatility> {
    if routine.volatility != Volatility::Volatile || !routine.inlined || depth == 0 {
        return Some(routine.volatility);
    }
    let called = routine.body.iter().flat_map(|it| match &it.change {
        Change::Query { routines, .. } => routines.as_slice(),
        _ => &[],
    });
    match worst(catalog, called, depth - 1) {
        Calls::Steady => Some(Volatility::Stable),
        Calls::Unknown(_) => None,
        Calls::Volatile(_) => Some(Volatility::Volatile),
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, Volatility};

    #[test]
    fn the_list_knows_the_functions_that_people_write_in_defaults() {
        let cases = [
            (
                Volatility::Stable,
                "now current_timestamp current_date localtimestamp statement_timestamp lower timezone",
            ),
            (
                Volatility::Stable,
                "jsonb_build_object current_setting current_user txid_current date_trunc to_tsvector md5",
            ),
            (Volatility::Stable, "coalesce concat array_fill make_interval to_char"),
            (Volatility::Volatile, "clock_timestamp timeofday random gen_random_uuid uuidv7 nextval uuid_generate_v4"),
        ];
        for (expected, names) in cases {
            for name in names.split(' ') {
                assert_eq!(BUILT_IN.get(name), Some(&expected), "{name}");
            }
        }
        assert_eq!(BUILT_IN.get("no_such_function"), None);
    }
}
