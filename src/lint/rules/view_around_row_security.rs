//! A view over a table with row level security shows all rows to whoever may read the view.
//!
//! A view reads with the rights of its owner, whom the policies do not bind. From Postgres 15 a view made `WITH
//! (security_invoker = true)` reads with the rights of whoever queries it. A materialized view holds the rows that its
//! owner saw, and shows them all.
//! See <https://www.postgresql.org/docs/current/sql-createview.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text, state text);
//! create policy own_orders on orders using (owner = current_user);
//! alter table orders enable row level security;
//! ```
//!
//! ```sql bad
//! create view open_orders as select id, owner from orders where state = 'open';
//! ```
//!
//! ```sql good since=15
//! create view open_orders with (security_invoker = true) as select id, owner from orders where state = 'open';
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "view-around-row-security",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReason,
    source: include_str!("view_around_row_security.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateView(view) = &statement.change else { return Vec::new() };
    let mut options = view.options.iter().filter(|(name, _)| name == "security_invoker");
    let is_on = |value: &Option<String>| !value.as_deref().is_some_and(|it| matches!(it, "false" | "off" | "no" | "0"));
    if view.temporary || (options.any(|(_, value)| is_on(value)) && !view.materialized) {
        return Vec::new();
    }
    let mut reads = view.reads.iter().filter_map(|it| context.catalog.table(it));
    let Some(table) = reads.find(|it| it.row_security.enabled) else { return Vec::new() };
    let help = match view.materialized {
        true => "leave it to the owner: `revoke all on … from …`; or make it a view with `security_invoker = true`",
        false => "`with (security_invoker = true)` behind its name",
    };
    vec![
        Problem::at(view.name.span())
            .says(format!(
                "whoever may read `{}` sees all rows of `{}`: its policies do not bind the view's owner",
                view.name,
                table.name.last()
            ))
            .help(help),
    ]
}
