//! A migration that begins and ends transactions itself cannot be taken back, or finished, as a whole.
//!
//! The runner puts each migration into one transaction, together with the row that records it. A `COMMIT` in the middle
//! ends that transaction: when a later statement fails, what came before stays, and nothing says so. One `BEGIN` at the
//! start with its `COMMIT` at the end is fine. In a `DO` block or a procedure, `COMMIT` and `ROLLBACK` fail when a transaction
//! is open around it.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad unrun=it-ends-the-transaction-that-the-test-runs-it-in
//! alter table orders add column note text;
//! commit;
//! alter table orders add column state text;
//! ```
//!
//! ```sql bad fails=2D000
//! do $$ begin commit; end $$;
//! ```
//!
//! ```sql good commits
//! begin;
//! alter table orders add column note text;
//! commit;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    migration::{layout::Tool, sending::Sent},
    report::Harm,
    sql::{Change, Place, Statement, change::Transaction},
};

pub static RULE: Rule = Rule {
    name: "own-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("own_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::Transaction(
        transaction @ (Transaction::Begin
        | Transaction::Commit
        | Transaction::Rollback
        | Transaction::PrepareTransaction
        | Transaction::CommitPrepared
        | Transaction::RollbackPrepared),
    ) = statement.change
    else {
        return Vec::new();
    };
    let problem = Problem::at(statement.span);
    match statement.place {
        Place::Top if is_wrapping(context, transaction) => Vec::new(),
        Place::Top if transaction == Transaction::Begin && !ends(context) => vec![
            problem
                .says("nothing ends this transaction: all of it is taken back when the migration is over")
                .help("leave it out: the runner puts the migration into one transaction"),
        ],
        Place::Top if !is_cut(context) => Vec::new(),
        Place::Top => vec![
            problem
                .says("this cuts the migration in two: when the rest fails, what came before it stays")
                .help("leave it out, and write one migration for each part that may stand alone"),
        ],
        Place::Do | Place::Within | Place::Routine(_) if context.transaction.is_some() => vec![
            problem
                .says("a block cannot end the transaction around it: this fails when it runs")
                .help("leave it out, and write one migration for each part that may stand alone"),
        ],
        Place::Do | Place::Within | Place::Routine(_) => Vec::new(),
    }
}

/// Whether there is a transaction of the runner's that this ends. Other tools than liftlock may leave them to the file.
fn is_cut(context: &Context) -> bool {
    let sent = context.migration.sent(context.index).0;
    context.migration.layout.tool == Tool::Liftlock || matches!(sent, Sent::InTransaction | Sent::InSharedTransaction)
}

/// Does a later statement commit what this one begins, or take it back?
fn ends(context: &Context) -> bool {
    context.later().iter().any(|it| {
        matches!(
            it.change,
            Change::Transaction(Transaction::Commit | Transaction::Rollback | Transaction::PrepareTransaction)
        )
    })
}

/// The `BEGIN` of the first line or the `COMMIT` of the last, when the other is there as well.
fn is_wrapping(context: &Context, transaction: Transaction) -> bool {
    let is = |statement: Option<&Statement>, expected| {
        statement.is_some_and(|it| it.change == Change::Transaction(expected))
    };
    let all = &context.migration.statements;
    let wrapped = is(all.first(), Transaction::Begin) && is(all.last(), Transaction::Commit);
    let outermost = match transaction {
        Transaction::Begin => context.index == 0,
        Transaction::Commit => context.index + 1 == all.len(),
        _ => false,
    };
    wrapped && outermost
}
