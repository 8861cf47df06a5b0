//! A tablespace is a directory of one server: another server, and Neon, does not have it.
//!
//! The statement fails where the tablespace is missing, on the copy that a rehearsal runs on first of all.
//!
//! ```sql bad fails=42704
//! create table visits (id bigint primary key) tablespace fast;
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ActionKind, names::Ident},
};

pub static RULE: Rule = Rule {
    name: "named-tablespace",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("named_tablespace.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let named: Vec<&Ident> = match &statement.change {
        Change::CreateTable(table) => table.tablespace.iter().collect(),
        Change::CreateIndex(index) => index.tablespace.iter().collect(),
        Change::AlterTable(alter) => {
            let moved = alter.actions.iter().filter_map(|it| match &it.kind {
                ActionKind::SetTablespace { tablespace } => Some(tablespace),
                _ => None,
            });
            moved.collect()
        }
        _ => Vec::new(),
    };
    let problem = |name: &Ident| {
        Problem::at(name.span)
            .says(format!("this fails on a server without tablespace `{name}`, and Neon has none"))
            .help("leave the tablespace to the database's own default")
    };
    named.into_iter().filter(|it| it.name != "pg_default").map(problem).collect()
}
