//! A migration without a header leaves whoever reads it at night with only its SQL.
//!
//! The comment on top says what it is for (`Description`), when it was written (`Created`), what kind of change
//! it is (`Type`) and how it is undone (`Rollback`; this one may also stand further down). `liftlock new` writes
//! such a header.
//!
//! ```sql bad whole
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad whole
//! -- Description: orders
//! -- Created: 2026-01-31
//! -- Type:
//! -- Rollback: drop table orders;
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good whole
//! -- Description: the orders of customers
//! -- Created: 2026-01-31
//! -- Type: schema_safe
//! -- Rollback: drop table orders;
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good whole
//! /*
//!  * Description: the orders of customers
//!  * Created: 2026-01-31
//!  * Type: schema_safe
//!  */
//! create table orders (id bigint primary key);
//!
//! -- Rollback instructions:
//! --   drop table orders;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        header::{self, Field, Label},
    },
    report::Harm,
    sql::Span,
};

pub static RULE: Rule = Rule {
    name: "missing-header",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("missing_header.rs"),
    check: Check::Migration(check),
};

fn check(context: &Context) -> Vec<Problem> {
    let fields = header::fields(context.migration);
    let says = |label: Label| fields.iter().any(|field| field.label == label && is_said(field));
    let missing = Label::ALL.into_iter().filter(|label| !says(*label)).map(Label::name).collect::<Vec<_>>();
    if missing.is_empty() {
        return Vec::new();
    }
    let first_line = context.migration.text.lines().next().unwrap_or_default().trim_end().len();
    let problem = Problem::at(Span { start: 0, end: first_line });
    let lines = missing.iter().map(|it| format!("`-- {it}: …`")).collect::<Vec<_>>().join(", ");
    vec![
        problem
            .says(format!("the header does not say: {}", missing.join(", ")))
            .help(format!("add {lines} on top, as `liftlock new` writes it")),
    ]
}

/// What is in rollback instructions is the business of `empty-rollback`.
fn is_said(field: &Field) -> bool {
    match field.label {
        Label::Rollback => true,
        Label::Description | Label::Created | Label::Type => field.on_top && !header::is_blank(&field.value),
    }
}
