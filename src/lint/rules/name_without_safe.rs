//! The name of a migration that may go to production ends in `_safe`.
//!
//! It is a claim by its author that somebody has thought about the running application, and it is seen wherever
//! the name is: in reviews, in the history, in the audit log. What the file does is judged all the same. Where a
//! layout fixes the file's name (`up.sql`, `migration.sql`, `0007_x.up.sql`) the folder or the stem carries it;
//! `-- liftlock: safe` says the same where no name can be chosen.
//!
//! ```sql bad name=20260131120000_create_orders
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good name=20260131120000_create_orders_safe
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good name=20260131120000_create_orders
//! -- liftlock: safe
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{DirectiveKind, Span},
};

pub static RULE: Rule = Rule {
    name: "name-without-safe",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("name_without_safe.rs"),
    check: Check::Migration(check),
};

fn check(context: &Context) -> Vec<Problem> {
    let migration = context.migration;
    let directives = migration.statements.iter().flat_map(|it| &it.directives);
    let is_said = directives.into_iter().any(|it| it.kind == DirectiveKind::Safe);
    if migration.name.ends_with("_safe") || is_said {
        return Vec::new();
    }
    let first_line = migration.text.lines().next().unwrap_or_default().trim_end().len();
    vec![
        Problem::at(Span { start: 0, end: first_line })
            .says(format!("the migration's name, `{}`, does not end in `_safe`", migration.name))
            .help(format!(
                "call it `{}_safe`; where the name is fixed, write `-- liftlock: safe` on top",
                migration.name
            )),
    ]
}
