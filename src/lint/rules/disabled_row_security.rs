//! Disabling row level security shows every row of the table to everybody who may read it.
//!
//! Its policies stay where they are and look as if they still held. `NO FORCE` does the same for the table's owner,
//! who is often the role that the application uses. A table that the same migration secures again is only open to
//! the migration itself.
//! See <https://www.postgresql.org/docs/current/ddl-rowsecurity.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! create policy own_orders on orders using (owner = current_user);
//! alter table orders enable row level security, force row level security;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders disable row level security;
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders no force row level security;
//! ```
//!
//! ```sql good config=orders locks=orders:AccessExclusiveLock
//! alter table orders no force row level security;
//! update orders set owner = 'none' where id = 1;
//! alter table orders force row level security;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{Change, Statement, change::ActionKind, names::ObjectName},
};

pub static RULE: Rule = Rule {
    name: "disabled-row-security",
    harm: Harm::Exposes,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("disabled_row_security.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::Toggle { words, .. } = &action.kind else { continue };
        let (to_whom, undone_by) = match words.as_str() {
            "DISABLE ROW LEVEL SECURITY" => ("everybody who may read it", "ENABLE ROW LEVEL SECURITY"),
            "NO FORCE ROW LEVEL SECURITY" => ("its owner", "FORCE ROW LEVEL SECURITY"),
            _ => continue,
        };
        if toggles_later(context, &alter.table, undone_by) {
            continue;
        }
        problems.push(
            Problem::at(action.span).says(format!("every row of `{}` is shown to {to_whom}", alter.table)).help(
                "change the policies instead, or say why the rows are no secret: \
                 `-- liftlock: allow disabled-row-security because …`",
            ),
        );
    }
    problems
}

fn toggles_later(context: &Context, table: &ObjectName, expected: &str) -> bool {
    let table = context.catalog.resolve(table);
    context.later().iter().any(|it| match &it.change {
        Change::AlterTable(alter) if context.catalog.resolve(&alter.table) == table => {
            alter.actions.iter().any(|it| matches!(&it.kind, ActionKind::Toggle { words, .. } if words == expected))
        }
        _ => false,
    })
}
