//! Some types are chosen by their name and regretted for what they do.
//!
//! * `timestamp` and `time with time zone` name no moment: what is meant depends on who reads it. `timestamptz` does.
//! * `char(n)` pads with blanks, which comparisons then ignore; `text` with a `CHECK` says the same and is exact.
//! * `money` is read and written by the server's `lc_monetary`; `numeric` is the same everywhere.
//! * `json` keeps the text, has no equality, so that `DISTINCT` and `UNION` fail, and no index; `jsonb` has both.
//!
//! Only for columns that the migration adds, once for each statement.
//!
//! ```sql bad
//! create table visits (id bigint primary key, visited_at timestamp not null, page char(20));
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key, visited_at timestamptz not null, page text, seen jsonb);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Change, Statement, data_type},
};

pub static RULE: Rule = Rule {
    name: "awkward-type",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("awkward_type.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    if matches!(&statement.change, Change::CreateTable(it) if it.temporary || it.foreign) {
        return Vec::new();
    }
    let mut awkward = added::columns(statement).into_iter().filter_map(|(_, column)| {
        let (what, instead) = regret(&column.data_type)?;
        Some((column, what, instead))
    });
    let Some((column, what, instead)) = awkward.next() else { return Vec::new() };
    let more = match awkward.count() {
        0 => String::new(),
        1 => "; one more column of this statement has such a type".to_owned(),
        count => format!("; {count} more columns of this statement have such types"),
    };
    vec![
        Problem::at(column.span)
            .says(format!("`{}` is `{}`, which {what}{more}", column.name, column.data_type))
            .help(format!("use {instead}")),
    ]
}

/// What is awkward about a type, and what to use instead.
fn regret(written: &str) -> Option<(&'static str, &'static str)> {
    match data_type::read(written).name.as_str() {
        "timestamp" => Some(("names no moment without knowing whose clock it was", "`timestamptz`")),
        "time with time zone" => Some(("has an offset and no day to know it by", "`timestamptz`, or `time`")),
        "character" => Some(("pads every value with blanks", "`text`, with a check of its length")),
        "money" => Some(("changes its meaning with the server's locale", "`numeric`")),
        "json" => Some(("has no equality and no index", "`jsonb`")),
        _ => None,
    }
}
