//! Not every type can be sorted: an index, a primary key or a unique constraint on `json`, `xml` or `point` fails.
//!
//! Postgres has no default operator class for them. `jsonb` has one, an expression on what is inside has one, and the
//! geometric types go into a `gist` index.
//!
//! ```sql setup
//! create table orders (id bigint primary key, body json, place point, data jsonb);
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
//! ```sql good commits
//! create index concurrently orders_data_idx on orders (data);
//! create index concurrently orders_number_idx on orders ((body ->> 'number'));
//! create index concurrently orders_place_idx on orders using gist (place);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Change, Span, Statement, data_type, names::ObjectName},
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

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut keys: Vec<(&ObjectName, &str, Span)> = Vec::new();
    for key in added::keys(statement) {
        keys.extend(key.columns.iter().map(|it| (key.table, it.name.as_str(), key.span)));
    }
    if let Change::CreateIndex(index) = &statement.change
        && index.method.as_deref().is_none_or(|it| it == "btree")
    {
        let plain = index.parts.iter().filter(|it| it.class.is_none());
        keys.extend(plain.filter_map(|it| Some((&index.table, it.column.as_ref()?.name.as_str(), it.span))));
    }
    let problem = |(table, column, span): (&ObjectName, &str, Span)| {
        let unsorted = unsorted(context, statement, table, column)?;
        Some(
            Problem::at(span)
                .says(format!("`{column}` is `{unsorted}`, which cannot be sorted, so this fails when it runs"))
                .help(match unsorted {
                    "json" => "use `jsonb`, or index an expression on what is inside: `((column ->> 'name'))`",
                    "xml" => "index an expression on what is inside",
                    _ => "use `using gist`",
                }),
        )
    };
    keys.into_iter().filter_map(problem).collect()
}

fn unsorted(context: &Context, statement: &Statement, table: &ObjectName, column: &str) -> Option<&'static str> {
    let made = added::columns(statement).into_iter().find(|(_, it)| it.name.name == column);
    let data_type = match made {
        Some((_, made)) => data_type::read(&made.data_type),
        None => {
            let known = context.catalog.table(table)?.column_named(column)?;
            known.origin.certain.then(|| (*known.resolved).clone())?
        }
    };
    if data_type.array {
        return None;
    }
    UNSORTED.iter().find(|it| **it == data_type.name).copied()
}
