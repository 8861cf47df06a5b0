//! Dropping a view breaks every query that reads it.
//!
//! No row is lost, but the running application fails from this moment on, before its new version starts. Drop
//! the view when no running version reads it. A view that the same migration creates again is replaced.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create view open_orders as select id from orders where state = 'open';
//! ```
//!
//! ```sql bad locks=open_orders:AccessExclusiveLock
//! drop view open_orders;
//! ```
//!
//! ```sql good locks=open_orders:AccessExclusiveLock
//! drop view if exists open_orders;
//! create view open_orders as select id, state from orders where state = 'open';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-view",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("drop_view.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::View {
        return Vec::new();
    }
    let is_new = |name: &ObjectName| context.catalog.is_surely_new(name);
    let lost = drop.names.iter().filter(|it| !is_new(it) && !context.creates_again(drop.kind, it, None));
    lost.map(|name| {
        Problem::at(name.span())
            .says(format!("queries that read view `{name}` fail"))
            .help(format!(
                "release 1: read `{name}` nowhere any more; release 2, when no old process is left: this, with `-- liftlock: \
                 allow drop-view because nothing has read it since …`"
            ))
    })
    .collect()
}
