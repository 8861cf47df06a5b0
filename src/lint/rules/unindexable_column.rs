//! Not every type fits every kind of index: one on `json`, `xml` or `point` fails, and so does `using gin` on a `text`.
//!
//! Postgres has no default operator class for them (`pg_opclass`). `jsonb` has one, an expression on what is inside has
//! one, and the geometric types go into a `gist` index. For text, `pg_trgm` brings `gin_trgm_ops` along; of what an
//! extension brings along by default, nothing is said.
//!
//! ```sql setup
//! create table orders (id bigint primary key, body json, place point, data jsonb, note text, price money);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_body_idx on orders (body);
//! ```
//!
//! ```sql bad fails=42704 also=constraint-building-index
//! alter table orders add constraint orders_place_key unique (place);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_note_idx on orders using gin (note);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_note_idx on orders using gist (note);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_data_idx on orders using brin (data);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_price_idx on orders using hash (price);
//! ```
//!
//! ```sql bad commits fails=42704
//! create index concurrently orders_id_idx on orders using spgist (id);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_data_idx on orders (data);
//! create index concurrently orders_number_idx on orders ((body ->> 'number'));
//! create index concurrently orders_place_idx on orders using gist (place);
//! create index concurrently orders_inside_idx on orders using gin (data);
//! create index concurrently orders_words_idx on orders using gin (to_tsvector('english', note));
//! create index concurrently orders_note_idx on orders using spgist (note);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::ObjectKind,
        data_type::{self, DataType},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unindexable-column",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unindexable_column.rs"),
    check: Check::Statement(check),
};

/// Without a default operator class for `btree`.
const UNSORTED: &[&str] = &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"];

/// The same for `hash`.
const UNHASHED: &[&str] = &[
    "bit",
    "bit varying",
    "box",
    "circle",
    "json",
    "line",
    "lseg",
    "money",
    "path",
    "point",
    "polygon",
    "tsquery",
    "tsvector",
    "xml",
];

/// The same for `brin`.
const UNSUMMED: &[&str] = &[
    "boolean", "circle", "json", "jsonb", "line", "lseg", "money", "path", "point", "polygon", "tsquery", "tsvector",
    "xml",
];

/// What people write columns of and neither `gin` nor `gist` takes.
const SCALARS: &[&str] = &[
    "bigint",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "date",
    "double precision",
    "integer",
    "interval",
    "json",
    "money",
    "numeric",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamp with time zone",
    "uuid",
    "xml",
];

/// The same of `spgist`, which takes text.
const UNSPLIT: &[&str] = &[
    "bigint",
    "boolean",
    "bytea",
    "date",
    "double precision",
    "integer",
    "interval",
    "json",
    "jsonb",
    "money",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
    "timestamp with time zone",
    "uuid",
    "xml",
];

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut keys: Vec<(&ObjectName, &str, Span)> = Vec::new();
    for key in added::keys(statement) {
        keys.extend(key.columns.iter().map(|it| (key.table, it.name.as_str(), key.span)));
    }
    let mut method = "btree";
    if let Change::CreateIndex(index) = &statement.change {
        method = index.method.as_deref().unwrap_or(method);
        let plain = index.parts.iter().filter(|it| it.class.is_none());
        keys.extend(plain.filter_map(|it| Some((&index.table, it.column.as_ref()?.name.as_str(), it.span))));
    }
    let several = keys.len() > 1;
    let problem = |(table, column, span): (&ObjectName, &str, Span)| {
        let data_type = data_type_of(context, statement, table, column)?;
        let unfit = unfit(context, method, several).iter().find(|it| **it == data_type.name)?;
        let fails = "so this fails when it runs";
        Some(Problem::at(span).help(help(method, unfit)).says(match method {
            "btree" => format!("`{column}` is `{unfit}`, which cannot be sorted, {fails}"),
            _ => format!("`{column}` is `{unfit}`, for which `{method}` has no default operator class, {fails}"),
        }))
    };
    keys.into_iter().filter_map(problem).collect()
}

/// Types that an index of this kind certainly does not take.
fn unfit(context: &Context, method: &str, several: bool) -> &'static [&'static str] {
    // `btree_gin` and `btree_gist` bring classes for all of them, and whoever puts several columns into one such index
    // has them, even where no file says so.
    let brings = |kind| matches!(kind, ObjectKind::Extension | ObjectKind::OperatorClass);
    let brought = || several || context.catalog.others.keys().any(|it| brings(it.0));
    match method {
        "btree" => UNSORTED,
        "hash" => UNHASHED,
        "brin" => UNSUMMED,
        "gin" | "gist" if !brought() => SCALARS,
        "spgist" if !brought() => UNSPLIT,
        _ => &[],
    }
}

fn help(method: &str, unfit: &str) -> &'static str {
    match (method, unfit) {
        ("btree", "json") => "use `jsonb`, or index an expression on what is inside: `((column ->> 'name'))`",
        ("btree", "xml") => "index an expression on what is inside",
        ("btree", _) => "use `using gist`",
        ("gin" | "gist", "text" | "character varying") => {
            "for a search within texts: `create extension pg_trgm`, and `gin_trgm_ops` or `gist_trgm_ops` behind the \
             column; for words: index `to_tsvector('english', column)`"
        }
        ("gin", "json") => "use `jsonb`",
        ("brin" | "hash", "jsonb" | "tsvector") => "use `using gin`",
        _ => "use a btree: leave `using` out",
    }
}

fn data_type_of(context: &Context, statement: &Statement, table: &ObjectName, column: &str) -> Option<DataType> {
    let made = added::columns(statement).into_iter().find(|(_, it)| it.name.name == column);
    let data_type = match made {
        Some((_, made)) => data_type::read(&made.data_type),
        None => {
            let known = context.catalog.table(table)?.column_named(column)?;
            known.origin.certain.then(|| (*known.resolved).clone())?
        }
    };
    (!data_type.array).then_some(data_type)
}
