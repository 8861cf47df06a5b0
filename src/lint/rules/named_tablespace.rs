//! A tablespace is a directory of one server: another server, and Neon, does not have it.
//!
//! The statement fails where the tablespace is missing, on the copy that a rehearsal runs on first of all.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad fails=42704
//! create table visits (id bigint primary key) tablespace fast;
//! ```
//!
//! ```sql bad fails=42704 also=full-table-rewrite
//! alter index orders_pkey set tablespace fast;
//! ```
//!
//! ```sql good
//! create table visits (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterObject, ObjectAction, ObjectKind},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "named-tablespace",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReason,
    source: include_str!("named_tablespace.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if let Some(name) = moved_to(context, statement) {
        return vec![missing(Problem::at(statement.span), name)];
    }
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
    let named = named.into_iter().filter(|it| it.name != "pg_default");
    named.map(|it| missing(Problem::at(it.span), &it.name)).collect()
}

fn missing(problem: Problem, name: &str) -> Problem {
    problem
        .says(format!("this fails on a server without tablespace `{name}`, and Neon has none"))
        .help("leave the tablespace to the database's own default")
}

/// Where `ALTER INDEX` and `ALTER MATERIALIZED VIEW … SET TABLESPACE` move theirs to; not to where nearly everything is already.
pub(super) fn moved_to<'c>(context: &Context<'c>, statement: &Statement) -> Option<&'c str> {
    let Change::AlterObject(AlterObject {
        kind: ObjectKind::Index | ObjectKind::MaterializedView,
        action: ObjectAction::Other { words, .. },
        ..
    }) = &statement.change
    else {
        return None;
    };
    let written = context.written(statement.span).trim_end_matches(|it: char| it == ';' || it.is_whitespace());
    let name = written.rsplit(char::is_whitespace).next()?.trim_matches('"');
    (words.starts_with("SET TABLESPACE") && !name.eq_ignore_ascii_case("pg_default")).then_some(name)
}
