//! Not everything has a concurrent form: Postgres refuses `concurrently` on these.
//!
//! A partitioned table's index is built and dropped only as a whole, `DROP INDEX CONCURRENTLY` takes one index and
//! no `CASCADE`, a partition is not detached concurrently from a parent with a default partition, and a
//! materialized view is refreshed concurrently only over a unique index on plain columns of all its rows.
//!
//! ```sql setup
//! create table events (id bigint, at timestamptz not null) partition by range (at);
//! create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
//! create table events_rest partition of events default;
//! create index events_at_idx on events (at);
//! create table orders (id bigint primary key, customer_id bigint, state text);
//! create index orders_customer_id_idx on orders (customer_id);
//! create index orders_state_idx on orders (state);
//! create materialized view totals as select state, count(*) as orders from orders group by state;
//! create materialized view counts as select state, count(*) as orders from orders group by state;
//! create unique index counts_state_idx on counts (state);
//! ```
//!
//! ```sql bad commits fails=0A000
//! create index concurrently events_id_idx on events (id);
//! ```
//!
//! ```sql bad commits fails=0A000
//! drop index concurrently events_at_idx;
//! ```
//!
//! ```sql bad commits fails=0A000
//! drop index concurrently orders_customer_id_idx, orders_state_idx;
//! ```
//!
//! ```sql bad commits fails=55000
//! alter table events detach partition events_2026 concurrently;
//! ```
//!
//! ```sql bad commits fails=55000
//! refresh materialized view concurrently totals;
//! ```
//!
//! ```sql good locks=events:ShareLock
//! create index events_id_idx on only events (id);
//! ```
//!
//! ```sql good commits
//! drop index concurrently orders_customer_id_idx;
//! drop index concurrently orders_state_idx;
//! ```
//!
//! ```sql good locks=counts:ExclusiveLock
//! refresh materialized view concurrently counts;
//! ```

use crate::{
    catalog::Index,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterTable, Drop, ReindexTarget},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unsupported-concurrently",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unsupported_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let refused = match &statement.change {
        Change::CreateIndex(index) if index.concurrently && is_partitioned(context, &index.table) => {
            let table = &index.table;
            Some((
                format!("`{table}` is partitioned: Postgres builds no index on it concurrently"),
                format!(
                    "`create index … on only {table}`, then `create index concurrently` on each partition, then \
                     `alter index … attach partition` for each"
                ),
            ))
        }
        Change::Drop(drop) if drop.concurrently => dropped(context, drop),
        Change::Reindex { target: ReindexTarget::System, concurrently: true, .. } => Some((
            "system catalogs cannot be reindexed concurrently".to_owned(),
            "reindex the tables or the schema that need it, by name".to_owned(),
        )),
        Change::AlterTable(alter) => detached(context, alter),
        Change::Refresh { view, concurrently: true, with_data } => refreshed(context, view, *with_data),
        _ => None,
    };
    refused.map(|(message, help)| Problem::at(statement.span).says(message).help(help)).into_iter().collect()
}

fn is_partitioned(context: &Context, table: &ObjectName) -> bool {
    context.catalog.table(table).is_some_and(|it| it.partitioned)
}

fn dropped(context: &Context, drop: &Drop) -> Option<(String, String)> {
    let of_partitioned = |name: &&ObjectName| {
        let index = context.catalog.index(name);
        index.is_some_and(|it| is_partitioned(context, &it.table))
    };
    if drop.names.len() > 1 {
        let message = "`drop index concurrently` takes one index, so this fails when it runs";
        return Some((message.to_owned(), "write one statement for each index".to_owned()));
    }
    if drop.cascade {
        let message = "`drop index concurrently` knows no `cascade`, so this fails when it runs";
        return Some((message.to_owned(), "leave `cascade` out, and drop what depends on it first".to_owned()));
    }
    let name = drop.names.iter().find(of_partitioned)?;
    Some((
        format!("`{name}` is the index of a partitioned table, which cannot be dropped concurrently"),
        "leave `concurrently` out, and expect a short lock on the table and its partitions".to_owned(),
    ))
}

fn detached(context: &Context, alter: &AlterTable) -> Option<(String, String)> {
    let concurrent = |kind: &ActionKind| matches!(kind, ActionKind::DetachPartition { concurrently: true, .. });
    alter.actions.iter().find(|it| concurrent(&it.kind))?;
    let rest = context.catalog.table(&alter.table)?.default_partition.as_ref()?;
    Some((
        format!(
            "`{}` has the default partition `{rest}`, so none of its partitions is detached concurrently",
            alter.table
        ),
        "leave `concurrently` out, and expect a short lock on the parent and both partitions".to_owned(),
    ))
}

fn refreshed(context: &Context, view: &ObjectName, with_data: bool) -> Option<(String, String)> {
    if !with_data {
        let message = "`concurrently` and `with no data` exclude each other".to_owned();
        return Some((message, "leave one of them out".to_owned()));
    }
    // A view that the files do not know may have indexes that they do not know either.
    context.catalog.views.get(&context.catalog.resolve(view))?;
    if context.catalog.indexes_of(view).any(covers_all_rows) {
        return None;
    }
    Some((
        format!("`{view}` has no unique index on plain columns of all its rows, which a concurrent refresh needs"),
        format!("`create unique index` on `{view}` first, without `where` and without expressions"),
    ))
}

fn covers_all_rows(index: &Index) -> bool {
    let plain = |key: &String| key.chars().all(|it| it.is_alphanumeric() || "_$\"".contains(it));
    index.unique && !index.partial && index.keys.iter().all(plain)
}
