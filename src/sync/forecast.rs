//! What a sync would cost in a Convex deployment, before the first byte. Pure; estimates from what the catalog knows.

use super::plan::{Plan, Standing, Table};
use crate::config::Verify;

const MIB: u64 = 1024 * 1024;

/// Documents that one call reads to verify.
const PAGE: u64 = 4000;

/// A document beside what the row takes at the source: field names, `neon`, system fields. An estimate.
const OVERHEAD: u64 = 200;

/// What a row takes at the source where nobody has counted rows yet: rather too little, so that the cost is not too low.
const SMALL_ROW: u64 = 64;

/// Of the free plan, a month: <https://www.convex.dev/pricing>.
const FREE_MIB: u64 = 1024;

/// Calls and bytes, in sentences.
pub fn forecast(plan: &Plan, standing: &[Standing], batch_rows: usize, verify: Verify) -> Vec<String> {
    let is_new = |table: &&Table| !standing.iter().any(|it| it.table == table.name);
    let rows = |table: &Table| table.estimated_rows.unwrap_or(table.bytes / SMALL_ROW);
    let bytes = |table: &Table| table.bytes + rows(table) * OVERHEAD;
    let batches = |table: &Table| {
        let by_rows = rows(table).div_ceil(u64::try_from(batch_rows.max(1)).unwrap_or(u64::MAX));
        by_rows.max(bytes(table).div_ceil(MIB))
    };
    let mut said = Vec::new();
    let new: Vec<&Table> = plan.tables.iter().filter(is_new).collect();
    if !new.is_empty() {
        let calls: u64 = new.iter().map(|it| batches(it)).sum();
        let mib = new.iter().map(|it| bytes(it)).sum::<u64>().div_ceil(MIB);
        said.push(format!("the first load takes about {calls} calls that write about {mib} MiB, indexes not counted"));
    }
    if verify == Verify::Counts {
        let tables = plan.tables.len();
        said.push(format!(
            "every sync verifies by counts that the deployment keeps: {tables} calls, hardly any database I/O"
        ));
        return said;
    }
    let calls: u64 = plan.tables.iter().map(|it| 1 + rows(it).div_ceil(PAGE)).sum();
    let read = plan.tables.iter().map(bytes).sum::<u64>().div_ceil(MIB);
    let share = (read * 100).div_ceil(FREE_MIB);
    said.push(format!(
        "every sync verifies by reading each document once: about {calls} calls, {read} MiB of database I/O, {share} % of \
         what Convex's free plan has a month; `sync.verify: counts` reads none of them"
    ));
    said
}

#[cfg(test)]
mod tests {
    use super::forecast;
    use crate::{
        config::Verify,
        sync::plan::{CandidateKey, CatalogColumn, Plan, Relation, Standing, plan},
    };

    /// A table that was loaded just now used to be forecast as empty.
    #[test]
    fn a_table_that_was_never_analyzed_is_not_empty() {
        let mut plan = two_tables();
        plan.tables.retain(|it| it.name == "a");
        plan.tables[0].estimated_rows = None;
        let said = forecast(&plan, &[], 500, Verify::Digest);
        assert_eq!(said[0], "the first load takes about 157 calls that write about 20 MiB, indexes not counted");
    }

    fn two_tables() -> Plan {
        let relation = |name: &str, rows: u64| Relation {
            schema: "public".to_owned(),
            name: name.to_owned(),
            is_readable: true,
            estimated_rows: Some(rows),
            bytes: rows * 500,
            columns: vec![CatalogColumn {
                number: 1,
                name: "id".to_owned(),
                is_not_null: true,
                type_oid: 23,
                ..CatalogColumn::default()
            }],
            keys: vec![CandidateKey { is_primary: true, name: "k".to_owned(), columns: vec![1] }],
            ..Relation::default()
        };
        plan(&[relation("a", 10_000), relation("b", 50_000)], &[])
    }

    #[test]
    fn a_first_load_and_each_verification_are_forecast() {
        let synced = |table: &str| Standing { table: table.to_owned(), batch: 1, finished_at: None };
        assert_eq!(
            forecast(&two_tables(), &[synced("b")], 500, Verify::Digest),
            [
                "the first load takes about 20 calls that write about 7 MiB, indexes not counted",
                "every sync verifies by reading each document once: about 18 calls, 41 MiB of database I/O, 5 % of what \
                 Convex's free plan has a month; `sync.verify: counts` reads none of them",
            ]
        );
        assert_eq!(forecast(&two_tables(), &[synced("a"), synced("b")], 500, Verify::Digest).len(), 1);
        assert_eq!(
            forecast(&two_tables(), &[synced("a"), synced("b")], 500, Verify::Counts),
            ["every sync verifies by counts that the deployment keeps: 2 calls, hardly any database I/O"]
        );
    }
}
