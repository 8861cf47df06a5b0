//! Dropping an extension loses what it keeps: its tables, and with `CASCADE` every column of its types.
//!
//! Extensions hold data of their own (jobs, spatial references, chunks). What depends on an extension is not in
//! the file, only the database knows it.
//!
//! ```sql bad
//! drop extension plpgsql;
//! ```
//!
//! ```sql good
//! create extension if not exists plpgsql;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "drop-extension",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_extension.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Extension {
        return Vec::new();
    }
    let is_new = |name: &ObjectName| {
        let known = context.catalog.others.get(&(ObjectKind::Extension, name.clone(), None));
        known.is_some_and(|it| it.is_surely_new())
    };
    let also = if drop.cascade { ", and every column of its types" } else { "" };
    let lost = drop.names.iter().filter(|name| !is_new(name));
    lost.map(|name| {
        Problem::at(name.span())
            .says(format!("what extension `{name}` keeps in tables of its own is lost{also}"))
            .help("leave it installed, or say why it may go: `-- liftlock: allow drop-extension because …`")
    })
    .collect()
}
