//! Deleting some rows is what a `data_migration` may do, and they are lost all the same.
//!
//! A promotion of that type is approved as such; this says what is approved. A restore point brings the rows back
//! only together with the whole database as it was then. Look at what the `WHERE` finds in production first, and
//! promote with `--type data_migration`: the header alone does not make it one.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! ```
//!
//! ```sql bad type=data_migration locks=orders:RowExclusiveLock
//! delete from orders where state = 'cancelled';
//! ```
//!
//! ```sql good type=data_migration locks=orders:RowExclusiveLock
//! update orders set state = 'gone' where state = 'cancelled';
//! ```

use crate::{
    catalog::Origin,
    config::PromotionType,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Filter},
};

pub static RULE: Rule = Rule {
    name: "bounded-delete",
    harm: Harm::Loses,
    severity: Severities::WARNING,
    waivable: Waivable::WithReason,
    source: include_str!("bounded_delete.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let table = match &statement.change {
        Change::Delete(delete) if delete.filter != Filter::None => &delete.table,
        Change::Merge { table, deletes: true } => table,
        _ => return Vec::new(),
    };
    let meant = context.promotion == Some(PromotionType::DataMigration);
    if !meant || context.catalog.holds_only_new_rows(table, Origin::is_surely_new) {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says(format!("the rows of `{table}` that this finds are lost"))
            .help("count them in production first; promote with `--type data_migration`"),
    ]
}
