//! A permissive policy that is always true makes the table's other policies moot.
//!
//! Permissive policies are joined by `OR`: one `USING (true)` shows every row, whatever the others say. So does an
//! existing policy that is altered to `true`, or to everybody. The only policy of a table may well say so, when its
//! rows are for everybody. See <https://www.postgresql.org/docs/current/sql-createpolicy.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! create policy own_orders on orders using (owner = current_user);
//! create table news (id bigint primary key);
//! alter table orders enable row level security;
//! alter table news enable row level security;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! create policy all_orders on orders for select using (true);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter policy own_orders on orders using (true);
//! ```
//!
//! ```sql good locks=news:AccessExclusiveLock
//! create policy all_news on news for select using (true);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! create policy signed_in on orders as restrictive using (true);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{Expression, ObjectKind, PolicyTerms},
        names::ObjectName,
        tokens,
    },
};

pub static RULE: Rule = Rule {
    name: "policy-without-condition",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReason,
    source: include_str!("policy_without_condition.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let says = match &statement.change {
        Change::CreatePolicy { name, table, terms } if is_open(terms) => {
            let commands = |it: &str| it == terms.command || it == "ALL" || terms.command == "ALL";
            let mut others = context.catalog.policies_on(table).filter(|it| it.permissive && it.name != name.name);
            let Some(other) = others.find(|it| commands(&it.command)) else { return Vec::new() };
            format!("policy `{}` of `{table}` keeps nobody out any more: `{name}` lets every row through", other.name)
        }
        Change::AlterObject(alter) if alter.kind == ObjectKind::Policy => {
            let Some(name) = &alter.name else { return Vec::new() };
            let Some(how) = widening(context.written(statement.span)) else { return Vec::new() };
            format!("policy `{}` {how}", ObjectName::last(name))
        }
        _ => return Vec::new(),
    };
    vec![
        Problem::at(statement.span)
            .says(says)
            .help("say which rows, or `as restrictive` for a condition that comes on top of the others"),
    ]
}

/// Lets every row through for everybody.
fn is_open(terms: &PolicyTerms) -> bool {
    let is_true = |it: &Expression| it.text.trim_matches(['(', ')', ' ']).eq_ignore_ascii_case("true");
    let any = terms.using.iter().chain(&terms.check).any(is_true);
    terms.permissive && any && terms.roles.is_empty()
}

/// What an `ALTER POLICY` opens.
fn widening(written: &str) -> Option<&'static str> {
    let tokens = tokens(written);
    let words = tokens.iter().map(|it| written[it.span.start..it.span.end].to_lowercase()).collect::<Vec<_>>();
    let words = words.iter().map(String::as_str).collect::<Vec<_>>();
    if words.windows(4).any(|it| matches!(it, ["using" | "check", "(", "true", ")"])) {
        return Some("lets every row through from now on");
    }
    words.windows(2).any(|it| matches!(it, ["to", "public"])).then_some("holds for everybody from now on")
}
