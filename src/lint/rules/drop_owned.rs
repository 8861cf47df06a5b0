//! `DROP OWNED` loses whatever the role owns, and nobody can say from the file what that is.
//!
//! It drops the role's tables with their rows and revokes its privileges. To hand things over, use
//! `REASSIGN OWNED`; to drop things, name them.
//!
//! ```sql setup
//! create role liftlock_example_intern;
//! ```
//!
//! ```sql bad
//! drop owned by liftlock_example_intern;
//! ```
//!
//! ```sql good
//! reassign owned by liftlock_example_intern to current_user;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement},
};

pub static RULE: Rule = Rule {
    name: "drop-owned",
    harm: Harm::Loses,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("drop_owned.rs"),
    check: Check::Statement(check),
};

fn check(_context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::DropOwned { roles } = &statement.change else { return Vec::new() };
    let roles = roles.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    vec![
        Problem::at(statement.span)
            .says(format!("whatever {roles} owns is lost, tables with their rows among it"))
            .help("hand things over with `reassign owned`, or drop them by name"),
    ]
}
