//! Does a migration write to liftlock's own tables? Pure.
//!
//! A row in `liftlock.migrations` makes a file count as applied that never ran, and one changed event breaks the
//! audit chain: what proves a promotion must not be in the reach of what is promoted. Reading is nobody's harm.

use crate::{
    migration::Migration,
    sql::{
        Change, Span, Statement,
        scan::{self, TokenKind},
    },
};

const SCHEMA: &str = "liftlock";

const TABLES: [&str; 9] = [
    "promotions",
    "journal",
    "migrations",
    "statements",
    "audit_outbox",
    "sync_tables",
    "sync_ledger",
    "restore_points",
    "versions",
];

/// The first statement that writes there, or changes what is there.
pub fn written_by(migration: &Migration) -> Option<Span> {
    let touches = |it: &&Statement| writes(it) && names(&migration.text[it.span.start..it.span.end]);
    migration.to_run().iter().find(touches).map(|it| it.span)
}

/// Everything but what can only read, show or grant.
fn writes(statement: &Statement) -> bool {
    match &statement.change {
        Change::Query { .. } | Change::Explain { .. } => statement.inner.iter().any(writes),
        Change::Grant { revoke, .. } => *revoke,
        Change::CreateView(_) | Change::Comment { .. } => false,
        Change::Set(set) => set.name == "search_path",
        _ => true,
    }
}

/// Something in schema `liftlock`, or the schema itself.
fn names(text: &str) -> bool {
    let tokens = scan::tokens(text);
    let word = |at: usize| tokens.get(at).map(|it| &text[it.span.start..it.span.end]).unwrap_or_default();
    let is = |at: usize, wanted: &str| word(at).eq_ignore_ascii_case(wanted);
    let about_path = (0..tokens.len()).any(|at| is(at, "search_path"));
    let about_schema = |at: usize| {
        at > 0 && (is(at - 1, "schema") || (is(at - 1, "exists") && (0..at).any(|before| is(before, "schema"))))
    };
    (0..tokens.len()).any(|at| match tokens[at].kind {
        TokenKind::Word if is(at, SCHEMA) => about_path || about_schema(at) || word(at + 1) == ".",
        TokenKind::Quoted if word(at) == "\"liftlock\"" => about_path || about_schema(at) || word(at + 1) == ".",
        TokenKind::String => in_string(word(at), about_path),
        _ => false,
    })
}

/// In a body or in dynamic SQL, which is looked at as text; prose that mentions `liftlock.yml` is none.
fn in_string(text: &str, about_path: bool) -> bool {
    let text = text.to_ascii_lowercase().replace('"', "");
    let named = |table: &str| text.contains(&format!("{SCHEMA}.{table}"));
    TABLES.iter().any(|it| named(it)) || text.contains("schema liftlock") || (about_path && text.contains(SCHEMA))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::{self, SourceFile};

    #[test]
    fn what_writes_to_the_own_tables_is_found_and_what_reads_them_is_not() {
        let check = |sql: &str, expected: bool| {
            let (id, path) = (migration::MigrationId("0001_a_safe.sql".to_owned()), "0001_a_safe.sql".into());
            let file = SourceFile { id, path, text: sql.to_owned() };
            assert_eq!(written_by(&migration::read(file)).is_some(), expected, "{sql}");
        };
        for sql in [
            "insert into liftlock.migrations (id) values ('x') on conflict do nothing;",
            "update LiftLock . audit_outbox set body = '';",
            "delete from \"liftlock\".journal;",
            "with gone as (delete from liftlock.journal returning 1) select from gone;",
            "alter table liftlock.migrations add column note text;",
            "create trigger t before insert on liftlock.journal for each row execute function f();",
            "drop schema if exists liftlock cascade;",
            "alter schema liftlock rename to gone;",
            "set search_path = liftlock, public;",
            "set search_path = 'liftlock';",
            "do $$ begin execute 'truncate liftlock.audit_outbox'; end $$;",
            "create function f() returns void language sql as $$ delete from \"liftlock\".\"migrations\" $$;",
            "revoke insert on liftlock.migrations from app;",
            "alter table orders set schema liftlock;",
        ] {
            check(sql, true);
        }
        for sql in [
            "create table orders (id bigint primary key);",
            "-- liftlock: allow drop-table because it is empty\nselect 1;",
            "create view deployments as select id, applied_at from liftlock.migrations;",
            "select count(*) from liftlock.migrations;",
            "grant select on all tables in schema liftlock to auditor;",
            "grant select on orders to liftlock;",
            "alter table orders owner to liftlock;",
            "drop table if exists liftlock;",
            "comment on table orders is 'as liftlock.yml says';",
            "insert into notes values ('see liftlock.yml') on conflict do nothing;",
        ] {
            check(sql, false);
        }
    }
}
