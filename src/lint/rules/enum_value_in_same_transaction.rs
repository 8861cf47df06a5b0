//! A value that `ALTER TYPE … ADD VALUE` adds cannot be used before its transaction is committed.
//!
//! Postgres fails with "unsafe use of new value": in a default, an insert, an update, a check or an index predicate of
//! the same migration. Add the value in one migration and use it in the next.
//! See <https://www.postgresql.org/docs/current/sql-altertype.html#SQL-ALTERTYPE-NOTES>.
//!
//! ```sql setup
//! create type state as enum ('new', 'done');
//! create table orders (id bigint primary key, state state, note text);
//! ```
//!
//! ```sql bad fails=55P04
//! alter type state add value 'shipped';
//! alter table orders alter column state set default 'shipped';
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter type state add value 'shipped';
//! alter table orders alter column state set default 'new';
//! ```

use crate::{
    lint::{
        Check, Context, OpenedBy, Problem, Rule, Severities, Waivable,
        types::{self, DataType},
    },
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{ActionKind, AlterObject, ObjectAction, Transaction},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "enum-value-in-same-transaction",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("enum_value_in_same_transaction.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { name: Some(name), action: ObjectAction::AddValue { value, .. }, .. }) =
        &statement.change
    else {
        return added_before(context, statement).into_iter().collect();
    };
    // From Postgres 17 on the values of a type that this transaction itself made may be used at once.
    let same = |made: &ObjectName| context.catalog.resolve(made) == context.catalog.resolve(name);
    let made_here = context.postgres.number() >= 17
        && context
            .same_transaction()
            .iter()
            .any(|it| matches!(&it.change, Change::CreateType(made) if same(&made.name)));
    if context.transaction.is_none() || made_here {
        return Vec::new();
    }
    let literal = literal_of(value);
    let text = |it: &Statement| context.written(it.span);
    // Mostly nobody does, and there may be many tables.
    if !context.later().iter().any(|it| text(it).contains(&literal)) {
        return Vec::new();
    }
    let mut about = told_by(context, name);
    let mut problems = Vec::new();
    for later in context.later().iter().take_while(|it| !ends_transaction(&it.change)) {
        let text = text(later);
        if let Change::CreateTable(table) = &later.change
            && table.columns.iter().any(|column| is_of(&types::read(&column.data_type), name))
        {
            about.push(table.name.last());
        }
        if !text.contains(&literal) || !is_evaluated(&later.change) {
            continue;
        }
        let sure = is_about(text, &about);
        if sure || fills_unknown(context, &later.change) {
            let severity = if sure { Severity::Error } else { Severity::Warning };
            problems.push(
                Problem::at(later.span)
                    .at_most(severity)
                    .says(format!(
                        "this uses a value of `{name}` that is added above and not committed yet: it fails when it runs"
                    ))
                    .help("put this into the next migration"),
            );
        }
    }
    problems
}

/// Rows or defaults of a table of which no file tells all columns: one with this very value is most likely of the enum.
fn fills_unknown(context: &Context, change: &Change) -> bool {
    let table = match change {
        Change::Insert(insert) => &insert.table,
        Change::Update(dml) => &dml.table,
        Change::AlterTable(alter)
            if alter.actions.iter().any(|it| matches!(it.kind, ActionKind::SetDefault { .. })) =>
        {
            &alter.table
        }
        _ => return false,
    };
    context.catalog.table(table).is_none_or(|it| it.partial)
}

fn ends_transaction(change: &Change) -> bool {
    let ends = [Transaction::Commit, Transaction::Rollback, Transaction::PrepareTransaction];
    matches!(change, Change::Transaction(it) if ends.contains(it))
}

/// Postgres looks at the values in it now, not when something calls it.
fn is_evaluated(change: &Change) -> bool {
    match change {
        Change::AlterObject(_) | Change::Comment { .. } | Change::Do { .. } => false,
        Change::CreateRoutine(new) => new.body.language == "sql",
        _ => true,
    }
}

fn literal_of(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn is_of(data_type: &DataType, name: &ObjectName) -> bool {
    data_type.name.rsplit('.').next() == Some(name.last())
}

/// What a text about the enum names: itself, or a table with a column of it. By last name: what the text says is what
/// there is to compare with.
fn told_by<'c>(context: &Context<'c>, name: &'c ObjectName) -> Vec<&'c str> {
    let tables = context.catalog.tables.values();
    let tables = tables.filter(|it| it.columns.iter().any(|column| is_of(&column.resolved, name)));
    tables.map(|it| it.name.last()).chain([name.last()]).collect()
}

/// The text names the enum, or a table with a column of it.
fn is_about(text: &str, names: &[&str]) -> bool {
    let mut words = text.split(|it: char| !(it.is_alphanumeric() || it == '_' || it == '$'));
    words.any(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name)))
}

/// How many migrations that share a transaction are looked back to.
const RECENT: usize = 100;

/// A value that an earlier migration of the same transaction adds, where all that are pending share one.
fn added_before(context: &Context, statement: &Statement) -> Option<Problem> {
    let open = context.transaction.filter(|it| it.opened_by == OpenedBy::RunnerForAll)?;
    let text = context.written(statement.span);
    if !text.contains('\'') || !is_evaluated(&statement.change) {
        return None;
    }
    let first = open.migration.max(context.before.len().saturating_sub(RECENT));
    let earlier = context.before.get(first..)?.iter().flat_map(|it| &it.statements);
    let added = earlier.filter_map(|it| match &it.change {
        Change::AlterObject(AlterObject { name: Some(name), action: ObjectAction::AddValue { value, .. }, .. }) => {
            Some((name, value))
        }
        _ => None,
    });
    let used = added
        .filter(|(_, value)| text.contains(&literal_of(value)))
        .find(|(name, _)| is_about(text, &told_by(context, name)));
    let (name, _) = used?;
    let problem = Problem::at(statement.span).says(format!(
        "this uses a value of `{name}` that an earlier migration adds, and your tool runs all that are pending in one \
         transaction: it fails when it runs"
    ));
    Some(problem.help("release the migration that adds the value first, and this one with the next release"))
}
