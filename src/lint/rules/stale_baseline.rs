//! A baseline that knows what no longer occurs would pass over the next finding like it.
//!
//! The statement was changed, waived or removed since `liftlock baseline write` has recorded it. What is gone should
//! leave the file, too: an entry that nothing needs hides a new finding of the same statement.
//!
//! ```sql bad baseline=drop-table
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Rule, Severities, Waivable},
    report::Harm,
};

pub static RULE: Rule = Rule {
    name: "stale-baseline",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::Never,
    source: include_str!("stale_baseline.rs"),
    check: Check::Baseline,
};
