//! Row level security without a policy hides every row from everybody but the table's owner.
//!
//! Queries of other roles do not fail, they find nothing; their inserts fail. Create the policies in the same migration.
//! Superusers, roles with `BYPASSRLS` and, unless it is forced, the owner see all rows as before, so that a test as
//! the owner shows nothing. See <https://www.postgresql.org/docs/current/ddl-rowsecurity.html>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, owner text);
//! create table parcels (id bigint primary key, owner text);
//! create policy own_parcels on parcels using (owner = current_user);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders enable row level security;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders enable row level security;
//! create policy own_orders on orders using (owner = current_user);
//! ```
//!
//! ```sql good locks=parcels:AccessExclusiveLock
//! alter table parcels enable row level security;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions, running},
    report::Harm,
    sql::{Change, Statement, change::ActionKind},
};

pub static RULE: Rule = Rule {
    name: "row-security-without-policy",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("row_security_without_policy.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let known = context.catalog.table(&alter.table);
    let was_enabled = known.is_some_and(|it| it.row_security.enabled);
    let has_policy = context.catalog.policies_on(&alter.table).any(|it| it.permissive);
    let table = context.catalog.resolve(&alter.table);
    let comes = context.later().iter().flat_map(running).any(|it| match &it.change {
        Change::CreatePolicy { table: on, terms, .. } => terms.permissive && context.catalog.resolve(on) == table,
        _ => false,
    });
    if was_enabled || has_policy || comes {
        return Vec::new();
    }
    let enabled = actions
        .iter()
        .filter(|it| matches!(&it.kind, ActionKind::Toggle { words, .. } if words == "ENABLE ROW LEVEL SECURITY"));
    let problem = enabled.map(|action| {
        Problem::at(action.span)
            .says(format!(
                "every role but its owner finds no row in `{}` any more, and inserts of theirs fail",
                alter.table
            ))
            .help(format!("`create policy … on {} …` in the same migration, for each role that uses it", alter.table))
    });
    problem.collect()
}
