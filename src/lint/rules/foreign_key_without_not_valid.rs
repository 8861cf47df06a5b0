//! Adding a foreign key without `NOT VALID` blocks writes to both tables while all rows are looked up.
//!
//! Postgres takes `SHARE ROW EXCLUSIVE` on both tables and joins them. With `NOT VALID` the locks are held for an
//! instant, new rows are checked at once, and a later `VALIDATE CONSTRAINT`, in a migration of its own, looks the
//! old ones up while traffic goes on. A new nullable column with `REFERENCES` has nothing to look up, unless it has
//! a default.
//!
//! ```sql setup
//! create table customers (id bigint primary key);
//! create table orders (id bigint primary key, customer_id bigint);
//! create index orders_customer_id_idx on orders (customer_id);
//! alter table orders add constraint orders_old_fk foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock,customers:ShareRowExclusiveLock also=foreign-key-without-index
//! alter table orders add column seller_id bigint default 1 references customers (id);
//! ```
//!
//! ```sql bad since=18 locks=orders:AccessExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_later_fk foreign key (customer_id) references customers (id) not enforced;
//! alter table orders alter constraint orders_later_fk enforced;
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock,customers:ShareRowExclusiveLock
//! alter table orders add constraint orders_customer_id_fkey foreign key (customer_id) references customers (id) not valid;
//! ```
//!
//! ```sql good locks=orders:ShareUpdateExclusiveLock,customers:RowShareLock
//! alter table orders validate constraint orders_old_fk;
//! ```
//!
//! ```sql good locks=customers:ShareRowExclusiveLock,orders:AccessExclusiveLock also=foreign-key-without-index
//! alter table orders add column seller_id bigint references customers (id);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Span, Statement,
        change::{ActionKind, ConstraintKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "foreign-key-without-not-valid",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("foreign_key_without_not_valid.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let partitioned = context.catalog.table(table).is_some_and(|it| it.partitioned);
    let mut problems = Vec::new();
    for action in actions {
        if let ActionKind::AlterConstraint { name, enforced: Some(true), .. } = &action.kind {
            let known = context.catalog.table(table).and_then(|it| it.constraint(name));
            let begins = known.is_none_or(|it| !it.enforced);
            problems.extend(begins.then(|| begun(action.span, table, name)));
        }
        let ActionKind::AddConstraint(constraint) = &action.kind else { continue };
        let ConstraintKind::ForeignKey { references, .. } = &constraint.kind else { continue };
        if constraint.not_valid || constraint.not_enforced {
            continue;
        }
        let name = constraint.name.as_ref().map_or("…", |it| it.name.as_str());
        let problem = Problem::at(constraint.span).weighing(table).says(format!(
            "writes to `{table}` and `{references}` wait while every row of `{table}` is looked up in `{references}`"
        ));
        problems.push(if partitioned {
            problem.help(format!(
                "add it to each partition with `not valid` and validate it there, each in a migration of its own; then \
                 `{table}` takes it over without looking (before Postgres 18 a partitioned table has no `not valid`)"
            ))
        } else {
            problem.help(format!(
                "add `not valid`, and in the next migration `alter table {table} validate constraint {name}`"
            ))
        });
    }
    for (_, action, column) in actions::added_columns(context, statement) {
        if let (Some(references), None) = (&column.references, &column.default) {
            let reason =
                format!("`{}` is null in every row that is there: none is looked up in `{references}`", column.name);
            problems.push(Problem::safe(action.span, reason));
        }
        if let Some(references) = column.references.as_ref().filter(|_| column.is_looked_up()) {
            problems.push(
                Problem::at(action.span).weighing(table)
                    .says(format!("`{table}` is locked and writes to `{references}` wait while every row's default is looked up"))
                    .help("add the column alone, then the foreign key as a constraint with `not valid`, and validate it in the next migration"),
            );
        }
    }
    problems
}

fn begun(span: Span, table: &ObjectName, name: &Ident) -> Problem {
    Problem::at(span)
        .weighing(table)
        .says(format!(
            "reads and writes of `{table}` wait while every row is looked up, because `{name}` begins to hold"
        ))
        .help(format!("drop `{name}`, add it again `not valid`, and validate it in the next migration"))
}
