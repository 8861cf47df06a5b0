//! A name with capitals or blanks needs its quotes in every query, forever.
//!
//! Without them Postgres reads lower case and finds nothing. Off unless the configuration gives it a severity: some tools
//! name everything so, and quote everything.
//!
//! ```sql bad
//! create table "Visits" (id bigint primary key);
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key, "page" text);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, named},
    report::Harm,
    sql::{Statement, names::Ident},
};

pub static RULE: Rule = Rule {
    name: "mixed-case-name",
    harm: Harm::Convention,
    severity: Severities::OFF,
    waivable: Waivable::WithReason,
    source: include_str!("mixed_case_name.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_' || it == '$' || !it.is_ascii();
    let quoted = named::given(statement).into_iter().filter(|it| !it.name.chars().all(plain));
    let problem = |name: &Ident| {
        Problem::at(name.span)
            .says(format!("every query has to write `\"{name}\"` with its quotes"))
            .help("use lower case and `_`")
    };
    quoted.map(problem).collect()
}
