//! An index of many columns serves few queries and is paid for by every write.
//!
//! After the first columns that a query compares for equality, the rest only narrows a scan; as payload they stand
//! better in `INCLUDE`. Off unless the configuration gives it a severity. More than 32 columns fail.
//!
//! ```sql setup
//! create table orders (id bigint primary key, a int, b int, c int, d int);
//! ```
//!
//! ```sql bad commits
//! create index concurrently orders_idx on orders (a, b, c, d);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_idx on orders (a, b, c) include (d);
//! ```
//!
//! ```sql good commits
//! create unique index concurrently orders_key on orders (a, b, c, d);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "wide-index",
    harm: Harm::Convention,
    severity: Severities::OFF,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("wide_index.rs"),
    check: Check::Statement(check),
};

const WIDE: usize = 4;

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(index) = &statement.change else { return Vec::new() };
    if index.unique || index.keys.len() < WIDE {
        return Vec::new();
    }
    vec![
        Problem::at(index.span)
            .says(format!(
                "every write to `{}` keeps {} columns in order for this index",
                index.table,
                index.keys.len()
            ))
            .help("index the columns that queries compare, and put what they only read into `include (…)`"),
    ]
}
