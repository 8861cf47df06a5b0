//! A narrower type refuses what the running application still writes.
//!
//! Old processes go on writing texts that are too long now, numbers that are too large, or words that are no value of
//! the new type, and fail. What the change costs meanwhile is `type-change`. In two releases:
//!
//! 1. The new code writes nothing but what fits. A migration adds a check that says so, `not valid`, and the next one
//!    validates it, once the rows that do not fit are mended.
//! 2. When no old process is left: the type changes, and the check goes.
//!
//! ```sql setup
//! create table orders (id bigint primary key, code varchar(20), quantity integer, state text, total numeric(12,2));
//! create type order_state as enum ('new', 'done');
//! ```
//!
//! ```sql bad also=type-change locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(10);
//! ```
//!
//! ```sql bad also=type-change locks=orders:AccessExclusiveLock
//! alter table orders alter column quantity type smallint;
//! ```
//!
//! ```sql bad also=type-change locks=orders:AccessExclusiveLock
//! alter table orders alter column state type order_state using state::order_state;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(40);
//! alter table orders alter column total type numeric(14,2);
//! ```

use crate::{
    catalog::Column,
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, actions,
        effects::type_change::is_refused,
        types::{self, DataType},
    },
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, TypeKind},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "narrowed-type",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("narrowed_type.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let Some(table) = context.catalog.table(&alter.table) else { return Vec::new() };
    let narrowed = actions.iter().filter_map(|action| {
        let ActionKind::SetType { column, data_type, .. } = &action.kind else { return None };
        let runs = |it: &Column| is_refused(context.catalog, alter, it, &action.kind).is_none();
        let old = table.column(column).filter(|it| !it.origin.is_new() && runs(it))?;
        narrows(context, &types::read(&old.data_type), &types::read(data_type)).then_some((action, column, data_type))
    });
    let problem = narrowed.map(|(action, column, data_type)| {
        Problem::at(action.span)
            .says(format!(
                "the running application fails where it writes to `{column}` of `{}` what is no `{data_type}`",
                alter.table
            ))
            .help(plan(context, &alter.table, &column.name, &types::read(data_type)))
    });
    problem.collect()
}

/// How it is done while the running application goes on.
fn plan(context: &Context, table: &ObjectName, column: &str, to: &DataType) -> String {
    let fits = fits(context, column, to);
    let check = format!("{}_{column}_fits", table.last());
    format!(
        "release 1: write only what fits from the new code, `alter table {table} add constraint {check} check ({fits}) not \
         valid`, mend the rows that do not fit, and in the next migration `alter table {table} validate constraint {check}`; \
         release 2, when no old process is left: this, and `alter table {table} drop constraint {check}`"
    )
}

/// What holds of a value that the new type takes, as far as one expression says it.
fn fits(context: &Context, column: &str, to: &DataType) -> String {
    let is_enum = matches!(types::created(context.catalog, to), Some(TypeKind::Enum { .. }));
    match (to.name.as_str(), length(to)) {
        (name, _) if is_enum => format!("{column}::text = any (enum_range(null::{name})::text[])"),
        ("character varying" | "character", Some(most)) => format!("char_length({column}) <= {most}"),
        ("smallint", _) => format!("{column} between -32768 and 32767"),
        ("integer", _) => format!("{column} between -2147483648 and 2147483647"),
        ("numeric", Some(_)) => match digits(to) {
            Some(most) if most > 0 => format!("abs({column}) < 1e{most}"),
            _ => format!("{column} …"),
        },
        (name, _) if context.postgres.number() >= 16 => format!("pg_input_is_valid({column}::text, '{name}')"),
        _ => format!("{column} …"),
    }
}

/// Are there values of the old type that the new one refuses?
fn narrows(context: &Context, old: &DataType, new: &DataType) -> bool {
    if old == new || old.array != new.array {
        return false;
    }
    let enum_values = |of: &DataType| match types::created(context.catalog, of) {
        Some(TypeKind::Enum { values }) => Some(values.clone()),
        _ => None,
    };
    if let (Some(from), Some(to)) = (enum_values(old), enum_values(new)) {
        return from.iter().any(|it| !to.contains(it));
    }
    match (is_text(old), is_text(new)) {
        (true, true) => length(new).is_some_and(|to| length(old).is_none_or(|from| to < from)),
        (true, false) => is_built_in(new) || enum_values(new).is_some(),
        (false, _) => digits(new).is_some_and(|to| digits(old).is_some_and(|from| to < from)),
    }
}

fn is_text(it: &DataType) -> bool {
    matches!(it.name.as_str(), "text" | "character varying" | "character" | "citext")
}

/// Types whose input refuses most texts; `bytea`, `json` and types that no file creates may take them all.
fn is_built_in(it: &DataType) -> bool {
    const STRICT: &[&str] = &[
        "bigint",
        "boolean",
        "cidr",
        "date",
        "double precision",
        "inet",
        "integer",
        "interval",
        "json",
        "jsonb",
        "macaddr",
        "numeric",
        "real",
        "smallint",
        "time",
        "time with time zone",
        "timestamp",
        "timestamp with time zone",
        "uuid",
        "xml",
    ];
    STRICT.contains(&it.name.as_str())
}

/// The most characters that it takes; `None`: no end.
fn length(it: &DataType) -> Option<u32> {
    it.modifiers.as_ref()?.first()?.parse().ok()
}

/// How large a number fits, as comparable digits before the point.
fn digits(it: &DataType) -> Option<i32> {
    match it.name.as_str() {
        "smallint" => Some(4),
        "integer" => Some(9),
        "bigint" => Some(18),
        "numeric" => match it.modifiers.as_deref() {
            None => Some(i32::MAX),
            Some([precision]) => precision.parse().ok(),
            Some([precision, scale]) => Some(precision.parse::<i32>().ok()? - scale.parse::<i32>().ok()?),
            Some(_) => None,
        },
        "real" => Some(38),
        "double precision" => Some(308),
        _ => None,
    }
}
