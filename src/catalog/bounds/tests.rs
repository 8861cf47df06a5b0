//! Bounds that meet and bounds that do not; every line was asked of PostgreSQL.

use super::{Bound, Bounds};
use crate::sql::{Change, names::ObjectName, read};

fn bound(text: &str) -> Bound {
    let statement = read(&format!("create table p partition of t {text}")).remove(0);
    let Change::CreateTable(table) = statement.change else { panic!("{text}") };
    Bound::of(&table.partition_of.unwrap().bound)
}

/// The first, the second, and whether they meet.
const CASES: &[(&str, &str, bool)] = &[
    ("for values from (1) to (5)", "for values from (5) to (9)", false),
    ("for values from (1) to (5)", "for values from (4) to (9)", true),
    ("for values from (4) to (9)", "for values from (1) to (5)", true),
    ("for values from (1) to (9)", "for values from (3) to (4)", true),
    ("for values from (3) to (4)", "for values from (1) to (9)", true),
    ("for values from (minvalue) to (5)", "for values from (4) to (maxvalue)", true),
    ("for values from (minvalue) to (5)", "for values from (5) to (maxvalue)", false),
    ("for values from ('2025-01-01') to ('2025-02-01')", "for values from ('2025-02-01') to ('2025-03-01')", false),
    ("for values from ('2025-01-01') to ('2025-02-01')", "for values from ('2025-01-31') to ('2025-03-01')", true),
    (
        "for values from ('2025-01-01') to ('2025-02-01')",
        "for values from ('2025-02-01 00:00:00') to ('2025-03-01')",
        false,
    ),
    (
        "for values from ('2025-01-01') to ('2025-02-01')",
        "for values from ('2025-01-31 23:00:00') to ('2025-03-01')",
        true,
    ),
    (
        "for values from ('2025-01-01') to ('2025-02-01')",
        "for values from ('2025-01-31 23:00:00+02') to ('2025-03-01')",
        false,
    ),
    ("for values from (1, 1) to (1, 5)", "for values from (1, 5) to (2, 1)", false),
    ("for values from (1, 1) to (1, 5)", "for values from (1, 4) to (2, 1)", true),
    ("for values from (1, minvalue) to (2, minvalue)", "for values from (1, 7) to (1, 8)", true),
    ("for values from (1, minvalue) to (2, minvalue)", "for values from (2, 1) to (2, 8)", false),
    ("for values from (1, 'a') to (2, 'b')", "for values from (1, 'a') to (2, 'b')", false),
    ("for values in ('a', 'b')", "for values in ('b')", true),
    ("for values in ('a', 'b')", "for values in ('c')", false),
    ("for values in (1, null)", "for values in (null)", true),
    ("for values with (modulus 4, remainder 1)", "for values with (modulus 4, remainder 2)", false),
    ("for values with (modulus 4, remainder 1)", "for values with (modulus 4, remainder 1)", true),
    ("for values with (modulus 4, remainder 1)", "for values with (modulus 8, remainder 5)", true),
    ("for values with (modulus 4, remainder 1)", "for values with (modulus 8, remainder 6)", false),
    ("for values with (modulus 8, remainder 6)", "for values with (modulus 2, remainder 0)", true),
    ("default", "for values in (1)", false),
];

#[test]
fn bounds_that_meet_are_found() {
    for (one, other, expected) in CASES {
        let name = ObjectName::default();
        let mut bounds = Bounds::default();
        bounds.insert(&bound(one), &name);
        assert_eq!(bounds.meeting(&bound(other)).is_some(), *expected, "{one} and {other}");
        bounds.remove(&bound(one), &name);
        assert!(bounds.meeting(&bound(other)).is_none(), "{one} is gone");
    }
}

#[test]
fn a_range_that_ends_before_it_begins_holds_nothing() {
    let cases = [("(1) to (1)", true), ("(1) to (2)", false), ("(2, 1) to (1, 9)", true), ("(minvalue) to (1)", false)];
    for (text, expected) in cases {
        assert_eq!(bound(&format!("for values from {text}")).holds_nothing(), expected, "{text}");
    }
}
