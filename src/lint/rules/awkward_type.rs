//! Some types are chosen by their name and regretted for what they do.
//!
//! * `timestamp` and `time with time zone` name no moment: what is meant depends on who reads it. `timestamptz` does.
//! * `char(n)` pads with blanks, which comparisons then ignore; `text` with a `CHECK` says the same and is exact.
//! * `money` is read and written by the server's `lc_monetary`; `numeric` is the same everywhere.
//! * `json` keeps the text, has no equality, so that `DISTINCT` and `UNION` fail, and no index; `jsonb` has both.
//!
//! Only for columns that the migration adds, and once for all of them.
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
    sql::{Change, Statement, change::Column, data_type},
};

pub static RULE: Rule = Rule {
    name: "awkward-type",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("awkward_type.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let awkward = awkward(statement);
    let Some((column, what, instead)) = awkward.first() else { return Vec::new() };
    if context.earlier().iter().any(|it| !self::awkward(it).is_empty()) {
        return Vec::new();
    }
    let later = context.later().iter().map(|it| self::awkward(it).len()).sum::<usize>();
    let more = match awkward.len() - 1 + later {
        0 => String::new(),
        1 => "; one more column of this migration has such a type".to_owned(),
        count => format!("; {count} more columns of this migration have such types"),
    };
    vec![
        Problem::at(column.span)
            .says(format!("`{}` is `{}`, which {what}{more}", column.name, column.data_type))
            .help(format!("use {instead}")),
    ]
}

/// The columns that a statement adds with such a type, what is awkward about it, and what to use instead.
fn awkward(statement: &Statement) -> Vec<(&Column, &'static str, &'static str)> {
    if matches!(&statement.change, Change::CreateTable(it) if it.temporary || it.foreign) {
        return Vec::new();
    }
    let columns = added::columns(statement).into_iter();
    columns.filter_map(|(_, it)| regret(&it.data_type).map(|(what, instead)| (it, what, instead))).collect()
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
