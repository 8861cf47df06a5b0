//! A foreign key points to columns that are unique as they stand there, and compares like with like.
//!
//! Without a primary key or a unique constraint on exactly these columns, without one of the columns, or between types
//! that have no `=`, such as `uuid` and `text`, the statement fails. An index with a `WHERE` or an expression does not do.
//!
//! ```sql setup
//! create table customers (id uuid primary key, email text, region text, unique (region, email));
//! create unique index customers_email_idx on customers (email) where region is null;
//! create table orders (id bigint primary key, customer_id text, email text, region text);
//! create index orders_idx on orders (customer_id);
//! create index orders_email_idx on orders (email, region);
//! create index orders_region_idx on orders (region);
//! create view open_orders as select 1::bigint as id;
//! create table places (id bigint primary key deferrable);
//! ```
//!
//! ```sql bad fails=42830
//! alter table orders add constraint orders_email_fkey foreign key (email) references customers (email) not valid;
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql bad fails=42703
//! alter table orders add constraint orders_region_fkey foreign key (region) references customers (country) not valid;
//! ```
//!
//! ```sql bad fails=42P16
//! create temp table cart (customer_id uuid references customers);
//! ```
//!
//! ```sql bad fails=42809
//! create table baskets (id bigint primary key references open_orders (id));
//! ```
//!
//! ```sql bad fails=55000
//! create table baskets (id bigint primary key references places);
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_email_fkey foreign key (email, region) references customers (email, region) not valid;
//! ```

use crate::{
    catalog::{Index, Table},
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        added::{self, ForeignKey},
        named::kind_word,
    },
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ObjectKind},
        data_type::{self, DataType},
        names::Ident,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-foreign-key",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_foreign_key.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let problem = |key: ForeignKey| {
        let (why, help) = unfit(context, statement, &key)?;
        Some(Problem::at(key.span).says(format!("{why}, so this fails when it runs")).help(help))
    };
    added::foreign_keys(statement).into_iter().filter_map(problem).collect()
}

/// Why not, and what to do. Silent about tables that the files do not tell in full.
fn unfit(context: &Context, statement: &Statement, key: &ForeignKey) -> Option<(String, String)> {
    if let Some(why) = no_table(context, key) {
        return Some((why, "reference the table that has the rows".to_owned()));
    }
    let there = context.catalog.table(key.references).filter(|it| !it.partial && it.origin.certain && !it.foreign)?;
    if there.name == context.catalog.resolve(key.table) || is_there_already(context, statement, key) {
        return None;
    }
    if let Some(why) = lives_elsewhere(context, statement, key, there) {
        return Some((why, "check it in a trigger, or let both tables live as long".to_owned()));
    }
    let referenced: Vec<String> = match key.referenced {
        [] => match there.primary_key() {
            Some(columns) => columns.to_vec(),
            None => {
                let why = format!("`{}` has no primary key to reference", key.references);
                return Some((why, "name the columns of a unique constraint: `references … (…)`".to_owned()));
            }
        },
        columns => columns.iter().map(|it| it.name.clone()).collect(),
    };
    if let Some(missing) = referenced.iter().find(|it| there.column_named(it).is_none()) {
        let why = format!("`{}` has no column `{missing}`", key.references);
        return Some((why, "reference a column that it has".to_owned()));
    }
    if referenced.len() != key.columns.len() {
        let why =
            format!("{} columns reference {} columns of `{}`", key.columns.len(), referenced.len(), key.references);
        return Some((why, "name as many columns on both sides".to_owned()));
    }
    if context.catalog.unique_on(&there.name, &referenced).next().is_none() {
        let columns = referenced.join(", ");
        let why = format!("nothing makes `{columns}` of `{}` unique", key.references);
        return Some((why, format!("add a unique constraint on `{} ({columns})` first", key.references)));
    }
    let deferrable = |it: &Index| {
        let carried = it.constraint.as_ref().and_then(|name| there.constraints.iter().find(|it| it.name == *name));
        carried.is_some_and(|it| it.deferrable)
    };
    if context.catalog.unique_on(&there.name, &referenced).all(deferrable) {
        let columns = referenced.join(", ");
        let why = format!("what makes `{columns}` of `{}` unique is deferrable", key.references);
        return Some((why, "reference what is unique at any time: make the constraint `not deferrable`".to_owned()));
    }
    unlike(context, statement, key, there, &referenced)
}

/// Something of that name is there, and is no table.
fn no_table(context: &Context, key: &ForeignKey) -> Option<String> {
    let resolved = context.catalog.resolve(key.references);
    let (kind, origin) = context.catalog.relation(&resolved)?;
    let other = !matches!(kind, ObjectKind::Table | ObjectKind::ForeignTable);
    let there = other && context.catalog.is_there(&resolved, origin) && *key.table != *key.references;
    there.then(|| format!("`{}` is a {}, no table", key.references, kind_word(kind)))
}

/// `ADD COLUMN IF NOT EXISTS … REFERENCES` of a column that is there does nothing.
fn is_there_already(context: &Context, statement: &Statement, key: &ForeignKey) -> bool {
    let Change::AlterTable(alter) = &statement.change else { return false };
    let known = context.catalog.table(key.table);
    alter.actions.iter().any(|it| {
        matches!(&it.kind, ActionKind::AddColumn { column, if_not_exists: true }
            if key.columns.contains(&column.name) && known.is_some_and(|it| it.column(&column.name).is_some()))
    })
}

/// How long rows live (`ATAddForeignKeyConstraint` in tablecmds.c).
#[derive(PartialEq, Eq)]
enum Life {
    Session,
    Crash,
    Ever,
}

fn lives_elsewhere(context: &Context, statement: &Statement, key: &ForeignKey, there: &Table) -> Option<String> {
    let life = |temporary: bool, unlogged: bool| match (temporary, unlogged) {
        (true, _) => Life::Session,
        (_, true) => Life::Crash,
        _ => Life::Ever,
    };
    let own = match &statement.change {
        Change::CreateTable(new) => life(new.temporary, new.unlogged),
        _ => context.catalog.told(key.table).map(|it| life(it.temporary, it.unlogged))?,
    };
    let other = life(there.temporary, there.unlogged);
    let (table, references) = (key.table, key.references);
    match (own, other) {
        (Life::Session, Life::Crash | Life::Ever) => Some(format!("`{table}` is temporary and `{references}` is not")),
        (Life::Crash | Life::Ever, Life::Session) => Some(format!("`{references}` is temporary and `{table}` is not")),
        (Life::Ever, Life::Crash) => Some(format!("`{references}` is unlogged and `{table}` is not")),
        _ => None,
    }
}

fn unlike(
    context: &Context,
    statement: &Statement,
    key: &ForeignKey,
    there: &Table,
    referenced: &[String],
) -> Option<(String, String)> {
    let mut pairs = key.columns.iter().zip(referenced);
    pairs.find_map(|(column, other)| {
        let here = type_of(context, statement, key, column)?;
        let other = &there.column_named(other)?.resolved;
        let (own, theirs) = (family(&here)?, family(other)?);
        (own != theirs).then(|| {
            let why = format!("`{}` is `{here}` and what it references is `{other}`", column.name);
            (why, format!("make it `{other}`"))
        })
    })
}

/// As this statement makes the column, else as the catalog has it.
pub(super) fn type_of(context: &Context, statement: &Statement, key: &ForeignKey, column: &Ident) -> Option<DataType> {
    let made = added::columns(statement).into_iter().find(|(_, it)| it.name == *column);
    if let Some((_, made)) = made {
        return Some(data_type::read(&made.data_type));
    }
    let known = context.catalog.table(key.table).and_then(|it| it.column(column));
    known.filter(|it| it.origin.certain).map(|it| (*it.resolved).clone())
}

/// Types within one compare with each other, those of two never do. `None` where it is not as simple.
fn family(of: &DataType) -> Option<&'static str> {
    if of.array {
        return None;
    }
    match of.name.as_str() {
        "smallint" | "integer" | "bigint" => Some("numbers"),
        "text" | "character varying" => Some("texts"),
        "uuid" => Some("uuid"),
        "boolean" => Some("boolean"),
        "bytea" => Some("bytea"),
        "date" | "timestamp" | "timestamp with time zone" => Some("moments"),
        _ => None,
    }
}
