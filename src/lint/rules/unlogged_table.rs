//! An unlogged table is empty after a crash, and on Neon after every restart of the compute.
//!
//! Nothing of it is in the write-ahead log: no restore point, no replica and no backup has its rows. On Neon scaling to zero
//! is such a restart. Fit for what can be made again at any time.
//!
//! ```sql bad
//! create unlogged table sessions (id bigint primary key, token text);
//! ```
//!
//! ```sql good
//! create table sessions (id bigint primary key, token text);
//! ```
//!
//! ```sql good
//! create temporary table imports (id bigint primary key, line text);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "unlogged-table",
    harm: Harm::Loses,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("unlogged_table.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateTable(table) = &statement.change else { return Vec::new() };
    if !table.unlogged || table.temporary {
        return Vec::new();
    }
    vec![
        Problem::at(table.name.span())
            .says(format!(
                "every row of `{}` is lost when the server crashes, on Neon whenever the compute restarts",
                table.name
            ))
            .help("leave `unlogged` out, unless its rows can be made again at any time"),
    ]
}
