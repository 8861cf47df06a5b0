//! A table without row level security among tables that have it shows all its rows.
//!
//! Where most tables of a schema are secured, roles are granted access to all of them and the policies decide; what an
//! API such as PostgREST serves from there is open to whoever calls it. A table that only the owner uses needs a
//! waiver, or a schema of its own.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! alter table orders enable row level security;
//! ```
//!
//! ```sql bad
//! create table parcels (id bigint primary key, owner text);
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key, owner text);
//! alter table parcels enable row level security;
//! ```
//!
//! ```sql good
//! create schema internal;
//! create table internal.parcels (id bigint primary key, owner text);
//! ```

use crate::{
    catalog::{Release, Table},
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable, running},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, AlterTable},
    },
};

pub static RULE: Rule = Rule {
    name: "table-without-row-security",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("table_without_row_security.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateTable(new) = &statement.change else { return Vec::new() };
    let name = context.catalog.resolve(&new.name);
    let there = context.catalog.tables.contains_key(&name);
    if new.temporary || new.foreign || new.partition_of.is_some() || there || !is_usual(context, name.schema()) {
        return Vec::new();
    }
    let enables = |it: &AlterTable| {
        context.catalog.resolve(&it.table) == name
            && it
                .actions
                .iter()
                .any(|it| matches!(&it.kind, ActionKind::Toggle { words, .. } if words == "ENABLE ROW LEVEL SECURITY"))
    };
    let mut later = context.later().iter().flat_map(running);
    let comes = later.any(|it| match &it.change {
        Change::AlterTable(alter) => enables(alter),
        Change::Drop(drop) => drop.names.iter().any(|it| context.catalog.resolve(it) == name),
        // What a block puts together may do it.
        Change::Do { .. } => true,
        _ => false,
    });
    if comes {
        return Vec::new();
    }
    vec![
        Problem::at(new.name.span())
            .says(format!("`{}` shows all its rows, where other tables of `{}` are secured", new.name, name.schema()))
            .help(format!(
                "`alter table {} enable row level security`, and a policy for each role that uses it",
                new.name
            ))
            .unless(Remedy::RowSecurity(name)),
    ]
}

/// Is at least half of what was there in the schema secured?
fn is_usual(context: &Context, schema: &str) -> bool {
    let is_old = |it: &&Table| {
        let own = it.partition_of.is_none() && !it.temporary && !it.foreign;
        it.origin.release == Release::History && it.name.schema() == schema && own
    };
    let old = context.catalog.tables.values().filter(is_old);
    let (all, secured) =
        old.fold((0, 0), |(all, secured), it| (all + 1, secured + usize::from(it.row_security.enabled)));
    secured > 0 && secured * 2 >= all
}
