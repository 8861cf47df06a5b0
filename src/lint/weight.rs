//! Severity follows size: what scans or rewrites a table is as bad as the table is large.
//!
//! Only where the size was measured (`--live`, `--snapshot`). A table of fewer than [`FEW_ROWS`] rows and less than
//! [`FEW_BYTES`] in all is scanned or written again within a few hundred milliseconds: its findings are notices. What
//! was never analyzed, or not measured, stays as its rule says. The message says the size in any case.

use crate::{
    catalog::{Catalog, Size},
    report::Severity,
    sql::names::ObjectName,
};

/// From here on a table's findings keep their severity.
const FEW_ROWS: u64 = 10_000;
/// Heap, TOAST and indexes together; from here on a table's findings keep their severity.
const FEW_BYTES: u64 = 8 * 1024 * 1024;

/// The severity of a finding about a table, and what the message says of its size.
pub fn weigh(catalog: &Catalog, table: &ObjectName, severity: Severity) -> (Severity, Option<String>) {
    let Some(size) = catalog.size(table) else { return (severity, None) };
    let severity = if is_small(size) { Severity::Notice } else { severity };
    (severity, Some(described(table, size)))
}

fn is_small(size: Size) -> bool {
    size.rows.is_some_and(|it| it < FEW_ROWS) && size.total_bytes < FEW_BYTES
}

/// `orders: 48 M rows, 31 GB, 210 writes a second`.
fn described(table: &ObjectName, size: Size) -> String {
    let rows = match size.rows {
        None => "never analyzed".to_owned(),
        Some(1) => "1 row".to_owned(),
        Some(rows) => format!("{} rows", count(rows)),
    };
    let writes = size.writes.filter(|it| it.per_second >= 1.0);
    let writes = writes.map(|it| format!(", {:.0} writes a second", it.per_second)).unwrap_or_default();
    format!("{table}: {rows}, {}{writes}", bytes(size.total_bytes))
}

/// `9,950`, `48 k`, `1.2 M`, `48 M`.
fn count(value: u64) -> String {
    const K: u64 = 1_000;
    let tenths = |unit: u64, name: &str| match value / (unit / 10) {
        tenths if tenths < 100 && tenths % 10 != 0 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        tenths => format!("{} {name}", tenths / 10),
    };
    match value {
        0..K => value.to_string(),
        K..FEW_ROWS => format!("{},{:03}", value / K, value % K),
        FEW_ROWS..1_000_000 => tenths(K, "k"),
        1_000_000..1_000_000_000 => tenths(1_000_000, "M"),
        _ => tenths(1_000_000_000, "billion"),
    }
}

/// `312 kB`, `1.5 GB`, `31 GB`.
fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut unit = 1024_u64;
    let mut name = 0;
    while value / unit >= 1024 && name + 1 < UNITS.len() {
        unit *= 1024;
        name += 1;
    }
    match u128::from(value) * 10 / u128::from(unit) {
        tenths if tenths < 100 && tenths % 10 != 0 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[name]),
        tenths => format!("{} {}", tenths / 10, UNITS[name]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, described, is_small};
    use crate::{
        catalog::Writes,
        sql::names::{Ident, ObjectName},
    };

    const MB: u64 = 1024 * 1024;

    fn size(rows: Option<u64>, total_bytes: u64) -> Size {
        Size { rows, total_bytes, ..Size::default() }
    }

    #[test]
    fn few_rows_in_few_bytes_are_small_and_what_is_unknown_is_not() {
        let cases = [
            (Some(0), 0, true),
            (Some(9_999), 8 * MB - 1, true),
            (Some(10_000), MB, false),
            (Some(10), 8 * MB, false),
            (None, 8_192, false),
        ];
        for (rows, bytes, expected) in cases {
            assert_eq!(is_small(size(rows, bytes)), expected, "{rows:?} rows in {bytes} bytes");
        }
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let orders = ObjectName::of(Ident { name: "orders".to_owned(), ..Ident::default() });
        let cases = [
            (size(Some(48_123_456), 31 * 1024 * MB), "orders: 48 M rows, 31 GB"),
            (size(Some(1_250_000), 1536 * MB), "orders: 1.2 M rows, 1.5 GB"),
            (size(Some(9_950), 312 * 1024), "orders: 9,950 rows, 312 kB"),
            (size(Some(48_000), 8 * MB), "orders: 48 k rows, 8 MB"),
            (size(Some(1), 8_192), "orders: 1 row, 8 kB"),
            (size(Some(0), 0), "orders: 0 rows, 0 B"),
            (size(None, 2 * 1024 * MB), "orders: never analyzed, 2 GB"),
            (size(Some(2_500_000_000), u64::MAX / 2), "orders: 2.5 billion rows, 8388607 TB"),
        ];
        for (size, expected) in cases {
            assert_eq!(described(&orders, size), expected);
        }
        let writes = Some(Writes { per_second: 210.4 });
        let busy = Size { writes, ..size(Some(48_000), 8 * MB) };
        assert_eq!(described(&orders, busy), "orders: 48 k rows, 8 MB, 210 writes a second");
    }
}
