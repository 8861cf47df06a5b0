//! Types as Postgres resolves their spellings, and what changing one into another costs.
//!
//! The exact rule, measured on Postgres 15, 17 and 18: a change leaves the heap alone if and only if the cast
//! is binary coercible and the type modifier is not narrowed, judged by the few types that have a support
//! function for their length. See `ATColumnChangeRequiresRewrite` in `tablecmds.c` and
//! <https://www.postgresql.org/docs/current/catalog-pg-cast.html>.

use crate::{
    catalog::{Catalog, Type},
    sql::{
        change::{Expression, TypeKind},
        names::ObjectName,
    },
};

pub use crate::sql::data_type::{DataType, read};

/// What `ALTER COLUMN … TYPE` costs, indexes and constraints aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// The catalogs change, the rows stay as they are.
    Nothing,
    /// Nothing under `TimeZone = UTC`, a rewrite under any other.
    NothingUnderUtc,
    /// Every row is written again.
    Rewrite,
}

/// Pairs that Postgres casts without looking at the bits (`pg_cast.castmethod = 'b'`), and citext's.
const BINARY_COERCIBLE: &[(&str, &str)] = &[
    ("bit", "bit varying"),
    ("bit varying", "bit"),
    ("character varying", "character"),
    ("character varying", "citext"),
    ("character varying", "text"),
    ("cidr", "inet"),
    ("citext", "character varying"),
    ("citext", "text"),
    ("integer", "oid"),
    ("oid", "integer"),
    ("pg_dependencies", "bytea"),
    ("pg_mcv_list", "bytea"),
    ("pg_ndistinct", "bytea"),
    ("pg_node_tree", "text"),
    ("regoper", "regoperator"),
    ("regoperator", "regoper"),
    ("regproc", "regprocedure"),
    ("regprocedure", "regproc"),
    ("text", "character"),
    ("text", "character varying"),
    ("text", "citext"),
    ("xml", "character"),
    ("xml", "character varying"),
    ("xml", "text"),
];

/// Postgres's own types as people write columns of them, without those in [`OBJECT_NAMES`].
const BUILT_IN: &[&str] = &[
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "box",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "double precision",
    "inet",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "real",
    "smallint",
    "text",
    "tid",
    "time",
    "time with time zone",
    "timestamp",
    "timestamp with time zone",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "uuid",
    "xid",
    "xid8",
    "xml",
];

/// Names of objects by number: each casts to and from `oid` and `integer`.
const OBJECT_NAMES: &[&str] = &[
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// What the files have created under this name: an enum, a domain, a composite type.
pub fn created<'c>(catalog: &'c Catalog, data_type: &DataType) -> Option<&'c TypeKind> {
    of(catalog, data_type).map(|it| &it.kind)
}

/// The same with what it is bound by.
pub fn of<'c>(catalog: &'c Catalog, data_type: &DataType) -> Option<&'c Type> {
    catalog.data_type(&ObjectName::dotted(&data_type.name))
}

/// A type that no file creates and that Postgres does not bring along: an extension's, or a domain or enum of which
/// nothing is known.
pub fn is_foreign(catalog: &Catalog, data_type: &DataType) -> bool {
    let name = data_type.name.as_str();
    !BUILT_IN.contains(&name) && !OBJECT_NAMES.contains(&name) && created(catalog, data_type).is_none()
}

/// One of Postgres's own types.
pub fn is_built_in(data_type: &DataType) -> bool {
    BUILT_IN.contains(&data_type.name.as_str())
}

/// The default that a domain brings along.
pub fn own_default<'c>(catalog: &'c Catalog, data_type: &DataType) -> Option<&'c Expression> {
    match created(catalog, data_type)? {
        TypeKind::Domain { default: Some(default), .. } => Some(default),
        TypeKind::Domain { data_type, .. } => own_default(catalog, &read(data_type)),
        TypeKind::Enum { .. } | TypeKind::Composite { .. } | TypeKind::Range { .. } | TypeKind::Other => None,
    }
}

/// Whether this is a domain that checks its values, or one made of such a domain.
pub fn is_constrained_domain(catalog: &Catalog, data_type: &DataType) -> bool {
    match created(catalog, data_type) {
        Some(TypeKind::Domain { data_type: base, constrained, .. }) if !data_type.array => {
            *constrained || is_constrained_domain(catalog, &read(base))
        }
        _ => false,
    }
}

/// What changing a column from one type to another costs, its indexes and constraints aside.
pub fn change_cost(catalog: &Catalog, old: &DataType, new: &DataType) -> Cost {
    if old == new {
        return Cost::Nothing;
    }
    if !new.array && is_constrained_domain(catalog, new) {
        return Cost::Rewrite;
    }
    // A column of a domain has no length of its own that Postgres would remember.
    let old = match base(catalog, old) {
        Some(base) => DataType { modifiers: None, ..base },
        None => old.clone(),
    };
    cost(&old, &base(catalog, new).unwrap_or_else(|| new.clone()))
}

/// What a domain is made of in the end; `None` for anything but a domain.
fn base(catalog: &Catalog, data_type: &DataType) -> Option<DataType> {
    match created(catalog, data_type) {
        Some(TypeKind::Domain { data_type: base_type, .. }) if !data_type.array => {
            let inner = read(base_type);
            Some(base(catalog, &inner).unwrap_or(inner))
        }
        _ => None,
    }
}

/// The same for two types that are no domains.
fn cost(old: &DataType, new: &DataType) -> Cost {
    if old == new {
        return Cost::Nothing;
    }
    if old.array || new.array {
        let loosened = old.array && new.array && old.name == new.name && new.modifiers.is_none();
        return if loosened && old.name != "interval" { Cost::Nothing } else { Cost::Rewrite };
    }
    if old.name == new.name {
        return if widens(old, new) { Cost::Nothing } else { Cost::Rewrite };
    }
    // A cast to another type forgets the old length.
    let forgotten = DataType { modifiers: None, ..new.clone() };
    if !widens(&forgotten, new) {
        return Cost::Rewrite;
    }
    match (old.name.as_str(), new.name.as_str()) {
        ("timestamp", "timestamp with time zone") | ("timestamp with time zone", "timestamp") => Cost::NothingUnderUtc,
        pair if binary_coercible(pair) => Cost::Nothing,
        _ => Cost::Rewrite,
    }
}

fn binary_coercible(pair: (&str, &str)) -> bool {
    let number = |name: &str| matches!(name, "integer" | "oid");
    BINARY_COERCIBLE.contains(&pair)
        || (number(pair.0) && OBJECT_NAMES.contains(&pair.1))
        || (number(pair.1) && OBJECT_NAMES.contains(&pair.0))
}

/// Whether every value of one type is already a value of the same type with other modifiers, and Postgres
/// knows it. Of the types with a length, `character` and `bit` have no support function.
fn widens(old: &DataType, new: &DataType) -> bool {
    let number = |of: &DataType, at: usize| of.modifiers.as_ref().and_then(|it| it.get(at)?.parse::<i64>().ok());
    let precise = |of: &DataType| number(of, 0).map_or(6, |it| it.min(6));
    match new.name.as_str() {
        "interval" => new.finest >= old.finest && (new.finest < 4 || precise(new) >= precise(old)),
        "time" | "time with time zone" | "timestamp" | "timestamp with time zone" => precise(new) >= precise(old),
        _ if new.modifiers.is_none() => true,
        _ if old.modifiers == new.modifiers => true,
        "character varying" | "bit varying" => number(old, 0).is_some_and(|it| number(new, 0) >= Some(it)),
        "numeric" => {
            let scale = |of: &DataType| number(of, 1).unwrap_or(0);
            number(old, 0).is_some_and(|it| number(new, 0) >= Some(it)) && scale(old) == scale(new)
        }
        _ => false,
    }
}

/// Whether both types sort by the same default operators: an index survives a change between such two, and is
/// built again otherwise.
pub fn sort_alike(catalog: &Catalog, one: &DataType, other: &DataType) -> bool {
    let base = |of: &DataType| base(catalog, of).unwrap_or_else(|| of.clone());
    operators(&base(one)) == operators(&base(other))
}

fn operators(of: &DataType) -> &str {
    match of.name.as_str() {
        "character varying" => "text",
        "cidr" => "inet",
        name if OBJECT_NAMES.contains(&name) => "oid",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, cost, read};

    /// Each line was measured on Postgres: `=` no rewrite, `u` none under UTC, `!` rewrite.
    const MEASURED: &str = "
        varchar(10)[] = varchar[]
        varchar(10)[] ! text[]
        varchar(10)[] ! varchar(20)[]
        varchar(20)[] = character varying(20) array
        char(5) = bpchar
        char(5) = character( 5 )
        char(5) ! char(10)
        char = char(1)
        char(5) ! text
        text = bpchar
        varchar(5) ! char(5)
        int = regclass
        regclass = oid
        xml = text
        xml = varchar
        xml ! varchar(10)
        numeric(10,2) = numeric
        numeric ! numeric(10,2)
        numeric(10,2) = decimal(12, 2)
        numeric(10,2) ! numeric(8,2)
        numeric(10,2) ! numeric(12,3)
        numeric(10) = numeric(12)
        bit(3) ! bit(4)
        bit(3) = varbit
        bit(3) ! varbit(5)
        varbit(3) = bit varying(5)
        varbit(5) ! varbit(3)
        varbit ! varbit(5)
        varbit(5) = varbit
        timestamp(3) = timestamp(6)
        timestamp(3) = timestamp without time zone
        timestamp = timestamp(6)
        timestamp ! timestamp(3)
        timestamp u timestamptz
        timestamp u timestamptz(6)
        timestamp ! timestamptz(3)
        timestamptz(3) u timestamp
        time ! timetz
        time(3) = time
        interval(0) = interval
        interval = interval(6)
        interval ! interval(3)
        interval day = interval
        interval ! interval day
        interval day = interval day to second
        interval day to second(3) = interval
        interval hour = interval day to hour
        interval = interval second
        interval ! interval year to month
        interval year = interval month
        interval minute to second(3) = interval second(6)
        text = varchar
        text ! varchar(10)
        json ! jsonb
        name ! text
        \"char\" ! text
        varchar(10) = varchar(20)
        varchar(20) ! varchar(10)
        varchar(10) = text
        varchar ! varchar(10)
        int = oid
        smallint ! int
        oid ! bigint
        cidr = inet
        inet ! cidr
        real ! double precision
        float(24) = real
        float = float8
        int[] ! oid[]
        int = int4
        serial = integer
        int ! bigint
        mood ! text
        mood = public.mood
        text = pg_catalog.text
        \"Mood\" = public.\"Mood\"
    ";

    #[test]
    fn a_type_change_costs_what_postgres_was_seen_to_do() {
        for line in MEASURED.lines().map(str::trim).filter(|it| !it.is_empty()) {
            let (sign, expected) = [(" = ", Cost::Nothing), (" u ", Cost::NothingUnderUtc), (" ! ", Cost::Rewrite)]
                .into_iter()
                .find(|(sign, _)| line.contains(sign))
                .expect("every line has a sign");
            let (old, new) = line.split_once(sign).expect("it was found");
            assert_eq!(cost(&read(old), &read(new)), expected, "{line}");
        }
    }
}
