//! Some statements cannot run inside a transaction block, and a `DO` block or a function is inside one.
//!
//! Everything with `concurrently` but `REFRESH`, and `VACUUM`, `REINDEX SCHEMA` and their like, commit on their own account, so Postgres refuses them where a transaction is open. The runner gives a file
//! that holds one no transaction, but it cannot take away a `BEGIN` or a `DO`.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint);
//! ```
//!
//! ```sql bad fails=25001
//! do $$ begin create index concurrently orders_customer_id_idx on orders (customer_id); end $$;
//! ```
//!
//! ```sql bad fails=25001
//! begin;
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! commit;
//! ```
//!
//! ```sql bad layout=drizzle fails=25001
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```

use crate::{
    lint::{Check, Context, OpenTransaction, OpenedBy, Problem, Rule, Severities, Waivable, effects::commits_itself},
    migration::layout::{Layout, Tool, Transactions},
    report::Harm,
    sql::{Change, Place, Statement, change::Transaction},
};

pub static RULE: Rule = Rule {
    name: "forbidden-in-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("forbidden_in_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(what) = commits_itself(context, statement) else { return Vec::new() };
    let problem = Problem::at(statement.span);
    vec![match &statement.place {
        Place::Do | Place::Within => problem
            .says(format!("`{what}` cannot run inside a block: this fails when it runs"))
            .help("take it out of the block, to the top level of a migration of its own"),
        Place::Routine(routine) => problem
            .says(format!("`{what}` cannot run inside `{routine}`: this fails when it is called"))
            .help("write it out, at the top level of a migration of its own"),
        Place::Top => match context.transaction {
            Some(open) => at_top(context, problem, what, open),
            None if is_mixed(context) => problem
                .says("Flyway refuses a migration that holds this and statements that run in a transaction")
                .help("put it into a migration of its own; Flyway runs that one without a transaction"),
            None => return Vec::new(),
        },
    }]
}

/// Whose transaction it is decides what to do.
fn at_top(context: &Context, problem: Problem, what: &str, open: OpenTransaction) -> Problem {
    let begins = |it: &Statement| it.change == Change::Transaction(Transaction::Begin);
    let tool = context.migration.layout.tool;
    if tool == Tool::Liftlock || open.opened_by == OpenedBy::Begin || context.same_transaction().iter().any(begins) {
        return problem
            .says(format!("`{what}` cannot run inside a transaction: this fails when it runs"))
            .help("take it out of the `begin` … `commit`, into a migration of its own");
    }
    let (title, way_out) = (tool.title(), tool.way_out());
    let help = match way_out {
        Some(way_out) => format!("{title} runs it with {way_out}"),
        None => format!("{title} has no way to run it: run it by hand before, or promote with liftlock"),
    };
    let because = match open.opened_by {
        OpenedBy::Query => format!("{title} sends the file as one query, which is a transaction"),
        OpenedBy::RunnerForAll => format!("{title} runs all that is pending in one transaction"),
        OpenedBy::Runner | OpenedBy::Begin => format!("{title} opens one around the file"),
    };
    problem.says(format!("`{what}` cannot run inside a transaction, and {because}: this fails when it runs")).help(help)
}

/// Whether Flyway finds both kinds of statement in the file, <https://documentation.red-gate.com/flyway/flyway-cli-and-api/configuration/parameters/flyway/mixed>.
pub(super) fn is_mixed(context: &Context) -> bool {
    let Layout { tool: Tool::Flyway, transactions: Transactions::Automatic } = context.migration.layout else {
        return false;
    };
    let alone = |it: &Statement| it.change.forbids_transaction() || matches!(it.change, Change::Set(_));
    !context.migration.statements.iter().all(alone)
}
