//! Without a replica identity a published table takes no updates and no deletes.
//!
//! A table without a primary key has none unless it is told to send whole rows (`REPLICA IDENTITY FULL`).
//! `REPLICA IDENTITY NOTHING` leaves subscribers no way to know which row has changed, so Postgres refuses the change
//! on this side as soon as a publication has the table. The primary key is the default; `USING INDEX` takes another
//! unique one.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders replica identity nothing;
//! ```
//!
//! ```sql setup
//! create table visits (page text);
//! ```
//!
//! ```sql bad locks=orders:ShareUpdateExclusiveLock,visits:ShareUpdateExclusiveLock
//! create publication everything for table orders, visits;
//! ```
//!
//! ```sql bad
//! create publication everything for all tables;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock
//! create publication changes for table orders;
//! ```
//!
//! ```sql good locks=visits:ShareUpdateExclusiveLock
//! create publication inserts for table visits with (publish = 'insert');
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders replica identity full;
//! ```

use crate::{
    catalog,
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        self, Change, Statement, TokenKind,
        change::{ActionKind, AlterObject, ObjectKind, ReplicaIdentity, TableAction},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "lost-replica-identity",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("lost_replica_identity.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if let Change::CreateOther { kind: ObjectKind::Publication, .. }
    | Change::AlterObject(AlterObject { kind: ObjectKind::Publication, .. }) = &statement.change
    {
        return published(context, statement);
    }
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let lost = actions
        .iter()
        .filter(|it| matches!(it.kind, ActionKind::ReplicaIdentity { identity: ReplicaIdentity::Nothing }));
    let problem = |action: &TableAction| {
        Problem::at(action.span)
            .says(format!("updates and deletes of `{}` fail as soon as a publication has it", alter.table))
            .help("keep the primary key (`replica identity default`), or use `full`")
    };
    lost.map(problem).collect()
}

/// Tables without a key that a publication gets with their updates and deletes.
fn published(context: &Context, statement: &Statement) -> Vec<Problem> {
    let text = context.written(statement.span);
    let lower = text.to_ascii_lowercase();
    let publishes = lower.rsplit_once("publish").map_or("", |it| it.1);
    if publishes.contains('=') && !publishes.contains("update") && !publishes.contains("delete") {
        return Vec::new();
    }
    if let Some(schemas) = wholly(&lower) {
        return all(context, statement, &schemas);
    }
    let keyless = named(text).into_iter().filter(|name| context.catalog.table(name).is_some_and(is_keyless));
    let problem = |table: ObjectName| {
        Problem::at(statement.span)
            .says(format!("updates and deletes of `{table}` fail from now on: it has no primary key to know a row by"))
            .help(format!(
                "give `{table}` a primary key first, or `alter table {table} replica identity full`, or publish it `with \
                 (publish = 'insert')`"
            ))
    };
    keyless.map(problem).collect()
}

fn is_keyless(table: &catalog::Table) -> bool {
    let known = !table.partial && !table.foreign && !table.partitioned && !table.temporary;
    known && table.replica_identity == catalog::ReplicaIdentity::Default && table.primary_key().is_none()
}

/// `FOR ALL TABLES`: no schemas; `FOR TABLES IN SCHEMA a, b`: those.
fn wholly(lower: &str) -> Option<Vec<String>> {
    let words = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.contains("all tables") {
        return Some(Vec::new());
    }
    let (_, schemas) = words.split_once("tables in schema ")?;
    let list = schemas.split(" with ").next().unwrap_or_default().trim_end_matches(';');
    Some(list.split(',').map(|it| it.trim().trim_matches('"').to_owned()).collect())
}

/// One problem for all tables without a key of a database, or of some schemas.
fn all(context: &Context, statement: &Statement, schemas: &[String]) -> Vec<Problem> {
    let within = |it: &&catalog::Table| schemas.is_empty() || schemas.iter().any(|schema| schema == it.name.schema());
    let mut keyless = context.catalog.tables.values().filter(within).filter(|it| it.origin.certain && is_keyless(it));
    let Some(first) = keyless.next() else { return Vec::new() };
    let others = match keyless.count() {
        0 => String::new(),
        more => format!(" and of {more} more"),
    };
    vec![
        Problem::at(statement.span)
            .says(format!(
                "updates and deletes of `{}`{others} fail from now on: no primary key to know a row by",
                first.name
            ))
            .help("give them primary keys first, or `replica identity full`, or publish `with (publish = 'insert')`"),
    ]
}

/// The names behind `TABLE`, as far as tokens tell.
fn named(text: &str) -> Vec<ObjectName> {
    let tokens = sql::tokens(text);
    let of = |at: usize| tokens.get(at).map_or("", |it| &text[it.span.start..it.span.end]);
    let is_name = |at: usize| tokens.get(at).is_some_and(|it| matches!(it.kind, TokenKind::Word | TokenKind::Quoted));
    let Some(start) = (0..tokens.len()).find(|at| of(*at).eq_ignore_ascii_case("table")) else { return Vec::new() };
    let (mut names, mut at) = (Vec::new(), start + 1);
    while is_name(at) {
        at += usize::from(of(at).eq_ignore_ascii_case("only") && is_name(at + 1));
        let mut parts = Vec::new();
        while is_name(at) {
            let name = match of(at).strip_prefix('"') {
                Some(quoted) => quoted.trim_end_matches('"').to_owned(),
                None => of(at).to_ascii_lowercase(),
            };
            parts.push(Ident { name, ..Ident::default() });
            at += 1;
            if of(at) != "." {
                break;
            }
            at += 1;
        }
        names.push(ObjectName { parts: parts.into() });
        while at < tokens.len() && of(at) != "," {
            at = tokens[at].partner.max(at) + 1;
        }
        at += 1;
    }
    names
}
