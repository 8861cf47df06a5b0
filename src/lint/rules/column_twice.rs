//! A statement that names one column twice where each may stand once fails.
//!
//! A table has one column of a name, a key or a list of columns to insert into names each once, and an update assigns
//! each once.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text, note text);
//! ```
//!
//! ```sql bad fails=42701
//! create table customers (id bigint primary key, name text, name text);
//! ```
//!
//! ```sql bad fails=42701
//! create table customers (id bigint, name text, primary key (id, id));
//! ```
//!
//! ```sql bad fails=42701
//! insert into orders (id, state, state) values (1, 'new', 'new') on conflict do nothing;
//! ```
//!
//! ```sql bad type=data_migration fails=42601
//! update orders set state = 'new', state = 'old' where id = 1;
//! ```
//!
//! ```sql bad fails=42701
//! create view order_states (id, id) as select id, state from orders;
//! ```
//!
//! ```sql good locks=orders:RowExclusiveLock
//! insert into orders (id, state, note) values (1, 'new', 'new') on conflict do nothing;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, added},
    report::Harm,
    sql::{Change, Span, Statement, change::ActionKind, names::Ident},
};

pub static RULE: Rule = Rule {
    name: "column-twice",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("column_twice.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let problem = |(span, column, place): (Span, &Ident, &str)| {
        Problem::at(span)
            .says(format!("`{column}` stands twice {place}, so this fails when it runs"))
            .help("leave one of them out")
    };
    lists(context, statement).into_iter().filter_map(repeated).map(problem).collect()
}

/// Each list of columns of which none may stand twice, and what it is.
fn lists<'s>(context: &Context, statement: &'s Statement) -> Vec<(Vec<&'s Ident>, &'static str)> {
    let mut lists = vec![(added::columns(statement).iter().map(|(_, it)| &it.name).collect(), "among the columns")];
    lists.extend(added::keys(statement).into_iter().map(|it| (it.columns, "in the key")));
    if let Change::AlterTable(alter) = &statement.change {
        // What `if not exists` adds a second time is passed over.
        let hedged = |it: &ActionKind| {
            matches!(it, ActionKind::AddColumn { if_not_exists: true, .. } | ActionKind::DropColumn { .. })
        };
        if alter.actions.iter().any(|it| hedged(&it.kind)) {
            lists.remove(0);
        }
    }
    let written = match &statement.change {
        Change::Insert(insert) => &insert.columns[..],
        Change::Update(update) => &update.columns,
        Change::CreateView(view) => &view.columns,
        _ => &[],
    };
    // Of an array and a composite each part may be given: `tags[1], tags[2]`.
    let behind = |it: &Ident| context.migration.text.get(it.span.end..).unwrap_or_default().trim_start();
    let whole = written.iter().filter(|it| !behind(it).starts_with(['[', '.']));
    lists.push((whole.collect(), "among the columns"));
    lists
}

fn repeated<'s>((columns, place): (Vec<&'s Ident>, &'static str)) -> Option<(Span, &'s Ident, &'static str)> {
    let second = (1..columns.len()).find(|at| columns[..*at].contains(&columns[*at]))?;
    Some((columns[second].span, columns[second], place))
}
