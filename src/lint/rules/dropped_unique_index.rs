//! Dropping the only unique index on some columns breaks `ON CONFLICT` on them, and lets duplicates in.
//!
//! The running application's `INSERT … ON CONFLICT (email)` fails with "there is no unique or exclusion constraint
//! matching the ON CONFLICT specification" as soon as the index is gone. Build the successor first: another unique
//! index on the same columns takes over without a gap. Where there is to be none, do it in two releases:
//!
//! 1. The new code says `ON CONFLICT` on these columns no more, and does not rely on them being unique.
//! 2. When no old process is left: the index goes.
//!
//! See <https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT>.
//!
//! ```sql setup
//! create table users (id bigint primary key, email text, name text);
//! create unique index users_email_idx on users (email);
//! create index users_name_idx on users (name);
//! ```
//!
//! ```sql bad commits
//! drop index concurrently users_email_idx;
//! ```
//!
//! ```sql good commits
//! create unique index concurrently users_email_key on users (email);
//! drop index concurrently users_email_idx;
//! ```
//!
//! ```sql good commits
//! drop index concurrently users_name_idx;
//! ```

use crate::{
    catalog::Index,
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::ObjectKind},
};

pub static RULE: Rule = Rule {
    name: "dropped-unique-index",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("dropped_unique_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Drop(drop) = &statement.change else { return Vec::new() };
    if drop.kind != ObjectKind::Index {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for name in &drop.names {
        let Some(index) = context.catalog.index(name) else { continue };
        // That of a constraint cannot be dropped: `index-of-constraint`.
        let is_old = !index.origin.is_new() && !context.is_new(&index.table);
        if !index.unique || index.constraint.is_some() || !is_old {
            continue;
        }
        let stands_in = |it: &&Index| !drop.names.iter().any(|name| context.catalog.resolve(name) == it.name);
        if let Some(other) = context.catalog.indexes_of(&index.table).filter(stands_in).find(|it| arbitrates(it, index))
        {
            let reason = format!("unique index `{}` on the same columns takes over", other.name.last());
            problems.push(Problem::safe(name.span(), reason));
            continue;
        }
        if context.transaction.is_some() && context.later().iter().any(|it| builds(&it.change, index)) {
            continue;
        }
        let (table, keys) = (&index.table, index.keys.join(", "));
        problems.push(
            Problem::at(name.span())
                .says(format!(
                    "`on conflict ({keys})` on `{}` fails in the running application, and duplicates come in",
                    table.last()
                ))
                .help(format!(
                    "to replace it: `create unique index concurrently … on {table} ({keys})` first; to do without, release 1: \
                     say `on conflict ({keys})` nowhere any more; release 2, when no old process is left: `drop index \
                     concurrently {}`",
                    name.last()
                )),
        );
    }
    problems
}

/// Does an index serve the same `ON CONFLICT` as another?
fn arbitrates(one: &Index, other: &Index) -> bool {
    one.unique && one.name != other.name && one.partial == other.partial && same_keys(&one.keys, &other.keys)
}

fn builds(change: &Change, index: &Index) -> bool {
    matches!(change, Change::CreateIndex(new)
        if new.unique && new.partial == index.partial && new.table == index.table && same_keys(&new.keys, &index.keys))
}

/// The order of columns does not matter to `ON CONFLICT`.
fn same_keys(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|it| other.contains(it))
}
