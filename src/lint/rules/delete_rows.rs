//! Deleting rows loses them.
//!
//! A restore point brings rows back only together with the whole database as it was then. Whether a row may go
//! is also a question that nobody can answer from the file: it depends on what production holds when it runs.
//! Marking rows (`deleted_at`) keeps them. A promotion of type `data_migration` may delete with a `WHERE`,
//! which is then `bounded-delete`; tables that the same release creates may be emptied.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create table cancelled (id bigint primary key);
//! create function purge() returns void language plpgsql as $$ begin delete from orders; end $$;
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! delete from orders where state = 'cancelled';
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! with gone as (delete from orders where id < 10 returning id) select count(*) from gone;
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock,cancelled:AccessShareLock since=15
//! merge into orders using cancelled on orders.id = cancelled.id when matched then delete;
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! do $$ begin
//!   delete from orders where id = 1;
//! end $$;
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! select purge();
//! ```
//!
//! ```sql bad locks=orders:RowExclusiveLock
//! explain analyze delete from orders where id = 1;
//! ```
//!
//! ```sql bad type=data_migration locks=orders:RowExclusiveLock
//! delete from orders;
//! ```
//!
//! ```sql good
//! create table scratch (id bigint primary key);
//! delete from scratch;
//! ```
//!
//! ```sql good locks=orders:RowExclusiveLock
//! create function forget(bigint) returns void language sql as 'delete from orders where id = $1';
//! ```

use crate::{
    catalog::Origin,
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Filter},
};

pub static RULE: Rule = Rule {
    name: "delete-rows",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("delete_rows.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let (table, filter) = match &statement.change {
        Change::Delete(delete) => (&delete.table, delete.filter),
        Change::Merge { table, deletes: true } => (table, Filter::Where),
        _ => return Vec::new(),
    };
    let meant = context.promotion == Some(PromotionType::DataMigration) && filter != Filter::None;
    if meant || context.is_bookkeeping(table) || context.catalog.holds_only_new_rows(table, Origin::is_surely_new) {
        return Vec::new();
    }
    let (message, help) = match filter {
        Filter::None => (
            format!("all rows of `{table}` are deleted"),
            "add a `where`; if all must go, say why: `-- liftlock: allow delete-rows because …`",
        ),
        Filter::Where | Filter::Cursor => (
            format!("rows of `{table}` are deleted"),
            "mark them instead, or promote with `--type data_migration`; \
             or say why they may go: `-- liftlock: allow delete-rows because …`",
        ),
    };
    vec![Problem::at(statement.span).says(message).help(help)]
}
