//! Refreshing a materialized view without `concurrently` blocks everybody who reads it.
//!
//! Postgres runs the view's query to its end under an exclusive lock on the view. `WITH NO DATA` is quick, and leaves a
//! view that nobody can read. A concurrent refresh needs a unique index on plain columns of all rows.
//! See <https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! create materialized view totals as select state, count(*) as orders from orders group by state;
//! create unique index totals_state_idx on totals (state);
//! ```
//!
//! ```sql bad locks=totals:AccessExclusiveLock
//! refresh materialized view totals;
//! ```
//!
//! ```sql good locks=totals:ExclusiveLock
//! refresh materialized view concurrently totals;
//! ```
//!
//! ```sql good
//! create materialized view counts as select count(*) as orders from orders with no data;
//! refresh materialized view counts;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "refresh-without-concurrently",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("refresh_without_concurrently.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Refresh { view, concurrently: false, with_data } = &statement.change else { return Vec::new() };
    if context.is_new(view) {
        return Vec::new();
    }
    let says = match with_data {
        true => format!("reads of `{view}` wait until its query has run to the end"),
        false => format!("reads of `{view}` fail until it is refreshed with data"),
    };
    let help = "use `refresh materialized view concurrently`; it needs a unique index on plain columns of all rows";
    vec![Problem::at(statement.span).says(says).help(help).weighing(view)]
}
