//! `EXECUTE` of a text that is put together when it runs may do anything.
//!
//! What it will say cannot be read from the file. Write the statements out; if the names really are not known
//! before, say what they are and why nothing else can come of it.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! do $$ begin
//!   execute format('alter table %I add column note text', 'orders');
//! end $$;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! do $$ begin
//!   execute 'alter table orders add column note text';
//! end $$;
//! ```
//!
//! A function that executes the text it is given is no better:
//!
//! ```sql bad
//! select query_to_xml('select 1', true, true, '');
//! ```
//!
//! ```sql good
//! create function partition_of(day date) returns void language plpgsql as $$ begin
//!   execute format('create table %I (id bigint)', 'orders_' || day);
//! end $$;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Unread, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "dynamic-sql",
    harm: Harm::Unread,
    severity: Severities::UNREAD,
    waivable: Waivable::WithReason,
    source: include_str!("dynamic_sql.rs"),
    check: Check::Statement(check),
};

/// Functions of Postgres and of its own extensions that execute the text they are given, here or elsewhere.
const RUNS_A_TEXT: &[&str] = &[
    "dblink",
    "dblink_exec",
    "dblink_open",
    "dblink_send_query",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "ts_stat",
];

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let runs_a_text = |name: &ObjectName| RUNS_A_TEXT.contains(&name.last());
    let dynamic = match &statement.change {
        Change::Unread { reason: Unread::DynamicSql } => true,
        Change::Query { routines, .. } => routines.iter().any(runs_a_text),
        _ => false,
    };
    if !dynamic {
        return Vec::new();
    }
    vec![
        Problem::at(statement.span)
            .says("what this executes is put together when it runs, and cannot be read before")
            .help("write the statements out, or say what they are: `-- liftlock: allow dynamic-sql because …`"),
    ]
}
