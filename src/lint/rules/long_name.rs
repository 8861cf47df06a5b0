//! A name of more than 63 bytes is cut without an error, and two long names may become one.
//!
//! Postgres keeps the first 63 bytes and raises a notice that no tool shows. Whoever looks the name up in the catalogs does
//! not find it, and the next long name with the same beginning is taken already.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_customer_id_is_positive_because_no_customer_has_a_negative_id check (customer_id > 0) not valid;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_customer_id_is_positive check (customer_id > 0) not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, named},
    report::Harm,
    sql::{Statement, names::Ident},
};

pub static RULE: Rule = Rule {
    name: "long-name",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("long_name.rs"),
    check: Check::Statement(check),
};

/// `NAMEDATALEN - 1`.
const LONGEST: usize = 63;

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let text = &context.migration.text;
    let problem = |name: &Ident| {
        Problem::at(name.span)
            .says(format!("Postgres cuts this name to `{name}`"))
            .help(format!("name it in at most {LONGEST} bytes"))
    };
    named::given(statement).into_iter().filter(|it| is_cut(text, it)).map(problem).collect()
}

/// Names are cut when they are read: how long one was, only its place tells.
fn is_cut(text: &str, name: &Ident) -> bool {
    let written = text.get(name.span.start..name.span.end).unwrap_or_default();
    let bare = match written.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    };
    // A routine's body stands in another file than its call: there the place says nothing.
    bare.len() > LONGEST && bare.starts_with(&name.name)
}
