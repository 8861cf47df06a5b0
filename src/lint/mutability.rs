//! What an index or a generated column cannot be computed by: what may give another value for the same row.
//!
//! From `pg_proc.provolatile`; measured on PostgreSQL 14 to 18. Silent about whatever Postgres may simplify before it looks.

use crate::{
    catalog::{Catalog, Routine},
    sql::{
        change::{Call, Expression, Operand, OperandKind, TypeKind, Volatility},
        data_type::DataType,
        names::ObjectName,
    },
};

use super::types;

/// Functions without any immutable overload, and SQL's own words.
const MUTABLE: &[&str] = &[
    "array_to_json",
    "array_to_string",
    "clock_timestamp",
    "concat",
    "concat_ws",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_setting",
    "current_time",
    "current_timestamp",
    "current_user",
    "currval",
    "format",
    "gen_random_uuid",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "lastval",
    "localtime",
    "localtimestamp",
    "make_timestamptz",
    "nextval",
    "now",
    "random",
    "row_to_json",
    "session_user",
    "statement_timestamp",
    "timeofday",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "transaction_timestamp",
];

/// The same of those that are so with one argument.
const MUTABLE_OF_ONE: &[&str] =
    &["age", "to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"];

/// The same of those that are so with a `timestamp with time zone` as their last argument of so many.
const MUTABLE_OF_MOMENT: &[(&str, usize)] = &[("date", 1), ("date_part", 2), ("date_trunc", 2)];

const MOMENT: &str = "timestamp with time zone";

/// What depends on more than the row, by what people call it; `type_of` knows the columns.
pub fn mutable(
    catalog: &Catalog,
    expression: &Expression,
    type_of: impl Fn(&ObjectName) -> Option<DataType>,
) -> Option<String> {
    let text = expression.text.to_ascii_lowercase();
    // A branch that is never taken is left out before.
    if expression.subquery || text.contains("case") || text.contains("coalesce") || text.contains("nullif") {
        return None;
    }
    let call = expression.invocations.iter().find_map(|it| called(catalog, it, &type_of));
    let operands = || expression.invocations.iter().flat_map(|it| &it.arguments).map(|it| &it.operand);
    let cast = || operands().chain([&expression.whole]).find_map(|it| cast(catalog, it, &type_of));
    call.or_else(cast)
}

fn called(catalog: &Catalog, call: &Call, type_of: &impl Fn(&ObjectName) -> Option<DataType>) -> Option<String> {
    let name = call.name.last();
    let said = || Some(format!("`{name}()`"));
    let built_in = call.name.parts.len() == 1 || call.name.schema() == "pg_catalog";
    let own = catalog.routine(&call.name);
    if !own.is_empty() {
        let mutable = |it: &Routine| {
            it.volatility != Volatility::Immutable && it.language != "sql" && catalog.is_there(&call.name, it.origin)
        };
        return own.iter().all(mutable).then(said)?;
    }
    if !built_in {
        return None;
    }
    let of_moment = || match call.arguments.last().map(|it| &it.operand) {
        Some(Operand { kind: OperandKind::Column(column), cast: None }) => {
            type_of(column).is_some_and(|it| it.name == MOMENT && !it.array)
        }
        _ => false,
    };
    let count = call.arguments.len();
    let mutable = MUTABLE.contains(&name)
        || (count == 1 && MUTABLE_OF_ONE.contains(&name))
        || (MUTABLE_OF_MOMENT.contains(&(name, count)) && of_moment());
    mutable.then(said)?
}

/// A column's values by another type, which the session's settings or the labels of an enum decide.
fn cast(catalog: &Catalog, operand: &Operand, type_of: &impl Fn(&ObjectName) -> Option<DataType>) -> Option<String> {
    let (OperandKind::Column(column), Some(to)) = (&operand.kind, &operand.cast) else { return None };
    let (from, to) = (type_of(column)?, catalog.read_type(to));
    if from.array || to.array {
        return None;
    }
    let is_enum = |it: &DataType| matches!(types::created(catalog, it), Some(TypeKind::Enum { .. }));
    let text = |it: &DataType| matches!(it.name.as_str(), "text" | "character varying");
    let mutable = match (from.name.as_str(), to.name.as_str()) {
        (MOMENT, "date" | "time" | "time with time zone" | "timestamp")
        | ("timestamp" | "date", MOMENT)
        | ("text" | "character varying", "date" | "time" | "time with time zone" | "timestamp" | MOMENT | "interval") => {
            true
        }
        (MOMENT | "timestamp" | "date" | "interval", _) => text(&to),
        _ => (is_enum(&from) && text(&to)) || (text(&from) && is_enum(&to)),
    };
    mutable.then(|| format!("`{}` as `{to}`", column.last()))
}
