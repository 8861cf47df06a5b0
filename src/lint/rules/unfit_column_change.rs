//! A column is added once, by the table that its partitions belong to, and a key's columns stay.
//!
//! Adding or renaming to a name that the table has fails, and so does adding or dropping a column of one partition, or of a
//! partitioned table `only`. What a table is partitioned by cannot be dropped. A column of a primary key, or an identity,
//! cannot be null; one of a type of fixed length is always stored `plain`; one that is generated has no default. `serial`
//! is no type, but how a new column is written. A string, once stored, becomes a number, a date or an enum's value only
//! by a `USING` that says so, and a column's default never does.
//!
//! ```sql setup
//! create table orders (id bigint primary key, code text, number bigint generated always as identity, paid integer default 0);
//! create type state as enum ('open', 'closed');
//! create table events (id bigint not null, at date not null) partition by range (at);
//! create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
//! create table bases (id bigint);
//! create table heirs () inherits (bases);
//! ```
//!
//! ```sql bad fails=42701
//! alter table orders add column code text;
//! ```
//!
//! ```sql bad fails=42701 also=renamed-column
//! alter table orders rename column code to number;
//! ```
//!
//! ```sql bad fails=42P16 also=dropped-not-null
//! alter table orders alter column id drop not null;
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders alter column number set storage external;
//! ```
//!
//! ```sql bad fails=42601
//! alter table orders alter column number set default 1;
//! ```
//!
//! ```sql bad fails=42704
//! alter table orders alter column id type bigserial;
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders alter column code type state;
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders alter column code type jsonb;
//! ```
//!
//! ```sql bad fails=42804
//! alter table orders alter column paid type boolean using paid <> 0;
//! ```
//!
//! ```sql bad fails=42809
//! alter table events_2025 add column note text;
//! ```
//!
//! ```sql bad fails=42P16
//! alter table only events add column note text;
//! ```
//!
//! ```sql bad fails=42P16 also=drop-column
//! alter table events_2025 drop column id;
//! ```
//!
//! ```sql bad fails=42P16 also=drop-column
//! alter table events drop column at;
//! ```
//!
//! ```sql bad fails=42P16 also=drop-column
//! alter table only events drop column id;
//! ```
//!
//! ```sql bad fails=42P16 also=drop-column
//! alter table heirs drop column id;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add column if not exists code text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock also=narrowed-type,type-change
//! alter table orders alter column code type state using code::state;
//! alter table orders alter column paid drop default, alter column paid type boolean using paid <> 0;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock also=drop-column
//! alter table orders drop column code, add column code text;
//! ```

use crate::{
    catalog::{Catalog, Column, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, effects::type_change::is_refused},
    report::Harm,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, AlterTable, ConstraintKind, Generated, is_serial},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-column-change",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_column_change.rs"),
    check: Check::Statement(check),
};

/// Types whose values are all as long: those are never stored apart.
const FIXED: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "real",
    "double precision",
    "money",
    "oid",
    "uuid",
    "date",
    "time",
    "time with time zone",
    "timestamp",
    "timestamp with time zone",
    "interval",
];

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterTable(alter) = &statement.change else { return Vec::new() };
    // Behind an IF it may not run, and before an EXCEPTION its failure is what is meant.
    if !matches!(statement.place, Place::Top) {
        return Vec::new();
    }
    let table = context.catalog.table(&alter.table).filter(|it| it.origin.certain && !it.partial);
    let problem = |(span, (why, help)): (_, (String, &'static str))| {
        Problem::at(span).says(format!("{why}: this fails when it runs")).help(help)
    };
    let unfit = |it: &ActionKind| no_type(it).or_else(|| unfit(context.catalog, alter, table?, it));
    let unfit = alter.actions.iter().filter_map(|it| Some((it.span, unfit(&it.kind)?)));
    unfit.map(problem).collect()
}

/// `serial` stands for a type, a sequence and a default, and only where a column is made.
fn no_type(action: &ActionKind) -> Option<(String, &'static str)> {
    let ActionKind::SetType { column, data_type, .. } = action else { return None };
    let said = || format!("`{data_type}` is no type, but how a new column is written, and `{column}` is there");
    let help = "change it to the integer type, make a sequence, and set `nextval()` of it as the default; or `add \
                generated by default as identity`";
    is_serial(data_type).then(|| (said(), help))
}

/// Why it fails, and what to do instead.
fn unfit(catalog: &Catalog, alter: &AlterTable, table: &Table, action: &ActionKind) -> Option<(String, &'static str)> {
    let known = |it: &Ident| table.column(it).filter(|it| catalog.is_there(&table.name, it.origin));
    match action {
        ActionKind::DropColumn { column, .. }
        | ActionKind::RenameColumn { from: column, .. }
        | ActionKind::SetType { column, .. }
            if is_inherited(catalog, alter, table, column) =>
        {
            Some((
                format!("`{column}` of `{}` is inherited, and changes where it comes from", alter.table),
                "change it in the table that this one inherits from",
            ))
        }
        ActionKind::AddColumn { if_not_exists: true, .. } => None,
        ActionKind::AddColumn { .. } if table.partition_of.is_some() => Some((
            format!("`{}` is a partition, which has the columns of its table and no others", alter.table),
            "add it to the partitioned table",
        )),
        ActionKind::AddColumn { .. } if alter.only && !table.partitions.is_empty() => {
            Some((format!("the partitions of `{}` need its columns too", alter.table), "leave `only` out"))
        }
        ActionKind::AddColumn { column, .. } if known(&column.name).is_some() && !dropped(alter, &column.name) => {
            Some((format!("`{}` has a column `{}`", alter.table, column.name), "take another name, or leave it out"))
        }
        ActionKind::DropColumn { column, .. } => {
            known(column)?;
            let key = table.partition_key.as_ref().is_some_and(|it| it.keys.contains(&column.name));
            let (why, help) = match () {
                () if key => {
                    ("it is partitioned by it", "move the rows to a table that is partitioned by something else")
                }
                () if table.partition_of.is_some() => {
                    ("a partition has the columns of its table", "drop it from the partitioned table")
                }
                () if alter.only && !table.partitions.is_empty() => ("its partitions have it too", "leave `only` out"),
                () => return None,
            };
            Some((format!("`{column}` cannot be dropped from `{}`, {why}", alter.table), help))
        }
        ActionKind::RenameColumn { from, to } if from.name != to.name && known(to).is_some() => {
            Some((format!("`{}` has a column `{to}`", alter.table), "take another name"))
        }
        ActionKind::ColumnOption { column, values, .. } => {
            let is = |it: &(String, Option<String>)| {
                it.0 == "storage"
                    && it.1.as_ref().is_some_and(|it| {
                        !it.trim_matches('\'').eq_ignore_ascii_case("plain") && !it.eq_ignore_ascii_case("default")
                    })
            };
            let fixed = &known(column)?.resolved;
            let stored_apart = values.iter().any(is) && !fixed.array && FIXED.contains(&fixed.name.as_str());
            stored_apart.then(|| (format!("`{column}` is `{fixed}`, which is always stored `plain`"), "leave it out"))
        }
        ActionKind::SetDefault { column, .. } | ActionKind::DropDefault { column } => {
            let (is, help) = match known(column)?.generated? {
                _ if frees(alter) => return None,
                Generated::Identity => ("an identity", "drop the identity first: `alter column … drop identity`"),
                Generated::Stored => ("generated", "drop the expression first: `alter column … drop expression`"),
                Generated::Virtual => ("generated", "add a column beside it"),
            };
            Some((format!("`{column}` is {is} and has no default"), help))
        }
        ActionKind::SetType { column, .. } => {
            let refused = is_refused(catalog, alter, known(column)?, action)?;
            Some((
                refused,
                "say what each value becomes: `using …`; drop its default in the same statement, before, and set one after",
            ))
        }
        ActionKind::DropNotNull { column } => {
            let why = never_null(alter, table, known(column)?)?;
            Some((format!("`{column}` is {why}, which cannot be null"), "leave it out"))
        }
        _ => None,
    }
}

/// A table that this one certainly inherits from has the column.
fn is_inherited(catalog: &Catalog, alter: &AlterTable, table: &Table, column: &Ident) -> bool {
    let leaves = |it: &ActionKind| matches!(it, ActionKind::NoInherit { .. });
    let has = |parent: &ObjectName| catalog.told(parent).is_some_and(|it| it.column(column).is_some());
    !alter.actions.iter().any(|it| leaves(&it.kind))
        && catalog.told(&table.name).is_some()
        && table.inherits.iter().any(has)
}

/// Postgres drops before it adds, wherever the two stand.
fn dropped(alter: &AlterTable, name: &Ident) -> bool {
    alter.actions.iter().any(|it| matches!(&it.kind, ActionKind::DropColumn { column, .. } if column.name == name.name))
}

/// The same statement takes away what stands in the way.
fn frees(alter: &AlterTable) -> bool {
    alter.actions.iter().any(|it| {
        matches!(
            it.kind,
            ActionKind::DropConstraint { .. } | ActionKind::DropIdentity { .. } | ActionKind::DropExpression { .. }
        )
    })
}

fn never_null(alter: &AlterTable, table: &Table, column: &Column) -> Option<&'static str> {
    if frees(alter) {
        return None;
    }
    let key = |it: &ConstraintKind| matches!(it, ConstraintKind::PrimaryKey { .. });
    match column.generated {
        Some(Generated::Identity) => Some("an identity"),
        _ if table.constraints.iter().any(|it| key(&it.kind) && it.columns.contains(&column.name)) => {
            Some("in the primary key")
        }
        _ => None,
    }
}
