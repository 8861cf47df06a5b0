//! A file that runs without a transaction is half applied when one of its statements fails.
//!
//! What stands above is done and stays, the tool runs the whole file again, and the first statement fails because its work
//! is there already. One statement for each such file can be tried again as it is. liftlock's own runner goes on where it
//! broke off, so this is about other tools.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint, state text);
//! ```
//!
//! ```sql bad layout=goose also=missing-down commits
//! -- +goose NO TRANSACTION
//! -- +goose Up
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! create index concurrently orders_state_idx on orders (state);
//! ```
//!
//! ```sql good layout=goose also=missing-down commits
//! -- +goose NO TRANSACTION
//! -- +goose Up
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use super::forbidden_in_transaction;
use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    migration::{layout::Tool, sending::Sent},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, Transaction},
    },
};

pub static RULE: Rule = Rule {
    name: "half-applied",
    harm: Harm::Fails,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("half_applied.rs"),
    check: Check::Migration(check),
};

fn check(context: &Context) -> Vec<Problem> {
    let statements = &context.migration.statements;
    // Other files run without one because their tool never uses one: that is no news.
    let needs_none = statements.iter().any(|it| it.change.forbids_transaction());
    // Flyway refuses the file, and says so itself.
    let refused = forbidden_in_transaction::is_mixed(context);
    if context.migration.layout.tool == Tool::Liftlock || !needs_none || refused {
        return Vec::new();
    }
    let mut open = false;
    let mut done: Option<&Statement> = None;
    for (index, statement) in statements.iter().enumerate() {
        match &statement.change {
            Change::Transaction(Transaction::Begin) => open = true,
            Change::Transaction(Transaction::Commit | Transaction::Rollback) => open = false,
            change if open || context.migration.sent(index).0 != Sent::OneByOne || !changes(change) => {}
            _ if done.is_some() => {
                let first = done.map_or(statement.span, |it| it.span);
                return vec![
                    Problem::at(first)
                        .says("when a statement below fails, this one is done and fails when the file runs again")
                        .help("give each statement that runs without a transaction a file of its own"),
                ];
            }
            change if !is_repeatable(change) => done = Some(statement),
            _ => {}
        }
    }
    Vec::new()
}

/// It can fail, and leaves something when it does not.
fn changes(change: &Change) -> bool {
    !matches!(
        change,
        Change::Set(_)
            | Change::Transaction(_)
            | Change::Query { .. }
            | Change::Comment { .. }
            | Change::Analyze { .. }
            | Change::Vacuum { .. }
            | Change::Harmless { .. }
            | Change::Unread { .. }
    )
}

/// It does the same, or nothing, when it runs a second time.
fn is_repeatable(change: &Change) -> bool {
    match change {
        Change::CreateTable(new) => new.if_not_exists,
        Change::CreateIndex(new) => new.if_not_exists,
        Change::Drop(drop) => drop.if_exists,
        Change::CreateView(new) => new.or_replace || new.if_not_exists,
        Change::CreateRoutine(new) => new.or_replace,
        Change::AlterTable(alter) => alter.actions.iter().all(|it| match &it.kind {
            ActionKind::AddColumn { if_not_exists, .. } => *if_not_exists,
            ActionKind::DropColumn { if_exists, .. } | ActionKind::DropConstraint { if_exists, .. } => *if_exists,
            ActionKind::AddConstraint(_)
            | ActionKind::RenameTable { .. }
            | ActionKind::RenameColumn { .. }
            | ActionKind::RenameConstraint { .. }
            | ActionKind::AttachPartition { .. }
            | ActionKind::DetachPartition { .. } => false,
            _ => true,
        }),
        Change::CreateType(_) | Change::CreatePolicy { .. } | Change::AlterObject(_) | Change::Insert(_) => false,
        Change::CreateTrigger { or_replace, .. } => *or_replace,
        Change::CreateSequence { if_not_exists, .. }
        | Change::CreateSchema { if_not_exists, .. }
        | Change::CreateExtension { if_not_exists, .. } => *if_not_exists,
        _ => true,
    }
}
