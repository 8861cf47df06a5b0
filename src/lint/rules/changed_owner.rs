//! A new owner takes the old one's rights with them.
//!
//! The owner of a table may do everything with it without being granted anything, row level security does not bind it,
//! and only it may alter the table: the application, or the next migration, that ran as the old owner fails with
//! "permission denied" or "must be owner". Grant first what it still needs.
//!
//! ```sql setup
//! create role liftlock_example_owner;
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders owner to liftlock_example_owner;
//! ```
//!
//! ```sql good
//! create table parcels (id bigint primary key);
//! alter table parcels owner to liftlock_example_owner;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, ObjectAction, ObjectKind},
    },
};

pub static RULE: Rule = Rule {
    name: "changed-owner",
    harm: Harm::Breaks,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("changed_owner.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let catalog = context.catalog;
    let what = match &statement.change {
        Change::AlterTable(alter) if !context.is_new(&alter.table) => {
            let owner = alter.actions.iter().any(|it| matches!(it.kind, ActionKind::OwnerTo { .. }));
            owner.then(|| format!("`{}`", alter.table))
        }
        Change::AlterObject(alter) if matches!(alter.action, ObjectAction::OwnerTo { .. }) => {
            let name = alter.name.as_ref();
            let is_new = name.is_some_and(|name| {
                let resolved = catalog.resolve(name);
                let origin = match alter.kind {
                    ObjectKind::Type | ObjectKind::Domain => catalog.types.get(&resolved).map(|it| it.origin),
                    ObjectKind::Sequence => catalog.sequences.get(&resolved).map(|it| it.origin),
                    ObjectKind::Schema => catalog.schemas.get(name.last()).copied(),
                    ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                        catalog.routine(name).iter().map(|it| it.origin).find(|it| it.is_new())
                    }
                    ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
                        return context.is_new(name);
                    }
                    _ => None,
                };
                origin.is_some_and(|it| it.is_new())
            });
            (!is_new).then(|| name.map_or_else(|| "it".to_owned(), |it| format!("`{it}`")))
        }
        _ => None,
    };
    let Some(what) = what else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says(format!("whoever uses or migrates {what} as its owner today loses the owner's rights"))
            .help("grant the old owner what the running application needs, in the same migration"),
    ]
}
