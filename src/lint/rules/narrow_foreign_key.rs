//! A foreign key of a smaller type than what it references runs out first.
//!
//! Postgres compares `integer` with `bigint`, so all is well until the other table's key counts past 2,147,483,647:
//! then no row can reference the new ones.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id integer, seller_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! create index orders_seller_id_idx on orders (seller_id);
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_seller_id_fkey foreign key (seller_id) references customers (id) not valid;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added, rules::unfit_foreign_key::type_of},
    report::Harm,
    sql::{Statement, data_type::DataType},
};

pub static RULE: Rule = Rule {
    name: "narrow-foreign-key",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("narrow_foreign_key.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in added::foreign_keys(statement) {
        let Some(there) = context.catalog.table(key.references) else { continue };
        let referenced = match key.referenced {
            [] => there.primary_key().map(<[String]>::to_vec).unwrap_or_default(),
            columns => columns.iter().map(|it| it.name.clone()).collect(),
        };
        for (column, other) in key.columns.iter().zip(&referenced) {
            let own = type_of(context, statement, &key, column);
            let other = there.column_named(other).map(|it| &it.resolved);
            let (Some(own), Some(other)) = (own, other) else { continue };
            if bytes(&own).zip(bytes(other)).is_some_and(|(own, other)| own < other) {
                problems.push(
                    Problem::at(key.span)
                        .says(format!("`{column}` is `{own}` and cannot hold every `{other}` of `{}`", key.references))
                        .help(format!("make `{column}` a `{other}`")),
                );
            }
        }
    }
    problems
}

fn bytes(of: &DataType) -> Option<u8> {
    match of.name.as_str() {
        _ if of.array => None,
        "smallint" => Some(2),
        "integer" => Some(4),
        "bigint" => Some(8),
        _ => None,
    }
}
