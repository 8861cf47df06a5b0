//! `COPY … FROM stdin` waits for rows that only psql would send.
//!
//! The lines after it are data for one client; the server that gets this file takes them for SQL. Few rows are an
//! `INSERT`; many are a data pipeline's work.
//!
//! ```sql setup
//! create table regions (name text primary key);
//! ```
//!
//! ```sql bad unrun=the-protocol-wants-a-stream
//! copy regions (name) from stdin;
//! ```
//!
//! ```sql good locks=regions:RowExclusiveLock
//! insert into regions (name) values ('lawley') on conflict do nothing;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::Unread},
};

pub static RULE: Rule = Rule {
    name: "copy-from-stdin",
    harm: Harm::Unread,
    severity: Severities::UNREAD,
    waivable: Waivable::Never,
    source: include_str!("copy_from_stdin.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Unread { reason: Unread::CopyFromStdin } = &statement.change else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says("waits for rows that nobody sends: only psql streams the lines that follow")
            .help("write the rows as `insert … on conflict do nothing`"),
    ]
}
