//! `ON CONFLICT` names what a unique index of the table is on, exactly.
//!
//! Postgres looks for an index by the columns, in any order; one with a `WHERE` is found only when the clause has one, too,
//! and one on more columns, on fewer or on an expression is another. Without such an index, or without a constraint of the
//! name behind `ON CONSTRAINT`, the statement fails, whatever the rows are. Said only of tables that the files tell in full.
//! See <https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT>.
//!
//! ```sql setup
//! create table flags (id bigint primary key, name text, region text, unique (region, name));
//! create table places (id bigint primary key deferrable);
//! create unique index flags_default_idx on flags (name) where region is null;
//! create unique index flags_lower_idx on flags (lower(name));
//! create index flags_region_idx on flags (region);
//! ```
//!
//! ```sql bad fails=42P10
//! insert into flags (id, name) values (1, 'maps') on conflict (name) do nothing;
//! ```
//!
//! ```sql bad fails=42P10
//! insert into flags (id, region) values (1, 'eu') on conflict (region) do nothing;
//! ```
//!
//! ```sql bad fails=42704
//! insert into flags (id, name) values (1, 'maps') on conflict on constraint flags_name_key do nothing;
//! ```
//!
//! ```sql bad fails=42704
//! insert into flags (id, name) values (1, 'maps') on conflict on constraint flags_default_idx do nothing;
//! ```
//!
//! ```sql bad fails=55000
//! insert into places (id) values (1) on conflict (id) do nothing;
//! ```
//!
//! ```sql bad fails=42601 also=update-outside-config-tables
//! insert into flags (id, name) values (1, 'maps') on conflict do update set name = 'maps';
//! ```
//!
//! ```sql good locks=flags:RowExclusiveLock
//! insert into flags (id, name) values (1, 'a') on conflict (name, region) do nothing;
//! insert into flags (id, name) values (2, 'b') on conflict (name) where region is null do nothing;
//! insert into flags (id, name) values (3, 'c') on conflict (lower(name)) do nothing;
//! insert into flags (id, name) values (4, 'd') on conflict on constraint flags_region_name_key do nothing;
//! ```

use crate::{
    catalog::{Index, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Arbiter, ConstraintKind, InsertSource, OnConflict},
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-conflict-target",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_conflict_target.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Insert(insert) = &statement.change else { return Vec::new() };
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let Some(arbiter) = &insert.arbiter else {
        let aimless = insert.on_conflict == Some(OnConflict::DoUpdate);
        let problem = Problem::at(statement.span)
            .says("`do update` does not say on which conflict: this fails when it runs")
            .help("name the columns that are unique: `on conflict (…) do update`");
        return aimless.then_some(problem).into_iter().collect();
    };
    let Some(table) = context.catalog.told(&insert.table) else { return Vec::new() };
    let (why, help) = match arbiter {
        Arbiter::Keys { keys, predicate } => {
            let indexes = context.catalog.indexes_on(&table.name).into_iter().filter(|it| it.unique && it.is_usable());
            let fit = indexes.filter(|it| fits(table, it, keys, predicate.is_some())).collect::<Vec<_>>();
            let deferrable = fit.iter().all(|it| {
                let carried =
                    it.constraint.as_ref().and_then(|name| table.constraints.iter().find(|it| it.name == *name));
                carried.is_some_and(|it| it.deferrable)
            });
            let keys = keys.join(", ");
            match (fit.is_empty(), deferrable && insert.source == InsertSource::Values) {
                (false, false) => return Vec::new(),
                (false, true) => (
                    format!("what makes `{keys}` unique is deferrable, and no conflict on it is seen before the end"),
                    "make the constraint `not deferrable`, or leave `on conflict` out".to_owned(),
                ),
                (true, _) => (
                    format!("no unique index of `{}` is on `{keys}`, as `on conflict` needs", insert.table),
                    format!(
                        "add one first, `create unique index concurrently … on {} ({keys})`, or name what is unique",
                        insert.table
                    ),
                ),
            }
        }
        Arbiter::Constraint(name) => match table.constraint(name).map(|it| &it.kind) {
            None => (
                format!("`{}` has no constraint `{name}`", insert.table),
                "name the columns instead: `on conflict (…)`".to_owned(),
            ),
            Some(ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. }) => (
                format!("constraint `{name}` makes nothing unique"),
                "name one that does, or the columns: `on conflict (…)`".to_owned(),
            ),
            Some(ConstraintKind::Exclude { .. }) if insert.on_conflict == Some(OnConflict::DoUpdate) => (
                format!("constraint `{name}` excludes, and `do update` needs what makes unique"),
                "do nothing instead, or name a unique constraint".to_owned(),
            ),
            Some(_)
                if table.constraint(name).is_some_and(|it| it.deferrable) && insert.source == InsertSource::Values =>
            {
                (
                    format!("constraint `{name}` is deferrable, and no conflict on it is seen before the end"),
                    "make it `not deferrable`, or leave `on conflict` out".to_owned(),
                )
            }
            Some(_) => return Vec::new(),
        },
    };
    vec![Problem::at(statement.span).says(format!("{why}: this fails when it runs")).help(help)]
}

/// Whether an index may be the one that is meant (`infer_arbiter_indexes` in plancat.c). Expressions are not compared.
fn fits(table: &Table, index: &Index, keys: &[String], filtered: bool) -> bool {
    let is_column = |it: &String| table.column_named(it).is_some();
    let expressions = |all: &[String]| all.iter().any(|it| !is_column(it));
    if index.partial && !filtered {
        return false;
    }
    match (expressions(keys), expressions(&index.keys)) {
        (true, true) => true,
        (false, false) => {
            keys.iter().all(|it| index.keys.contains(it)) && index.keys.iter().all(|it| keys.contains(it))
        }
        _ => false,
    }
}
