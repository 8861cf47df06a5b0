//! Constraints: added without looking at the rows, validated later; unique ones from an index that is built first.

use crate::{
    catalog::Table,
    lint::{Context, Problem},
    sql::{
        Change, Statement, TokenKind,
        change::{ActionKind, AlterTable, Constraint, ConstraintKind, TableAction},
        names::Ident,
        tokens,
    },
};

use super::{
    Fix, FixStep,
    draft::{Draft, alone, quoted, step, words},
    inline, not_null,
};

/// Postgres's `NAMEDATALEN - 1`.
pub const LONGEST: usize = 63;

/// The action that a problem points at, when it adds a table constraint.
fn added<'s>(statement: &'s Statement, problem: &Problem) -> Option<(&'s AlterTable, &'s TableAction, &'s Constraint)> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    alter.actions.iter().find_map(|action| match &action.kind {
        ActionKind::AddConstraint(constraint) if constraint.span == problem.span => Some((alter, action, constraint)),
        _ => None,
    })
}

/// `NOT VALID` now, `VALIDATE CONSTRAINT` in a migration of its own.
pub fn not_valid(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Some((alter, _, constraint)) = added(statement, problem) else {
        return inline::apart(context, statement, problem);
    };
    let table = context.catalog.table(&alter.table);
    let is_key = matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
    // Before 18 a foreign key of a partitioned table has no `not valid`.
    if is_key && table.is_some_and(|it| it.partitioned) && context.postgres.number() < 18 {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let written = draft.slice(constraint.span)?;
    let name = match &constraint.name {
        Some(name) => name.name.clone(),
        None => automatic_name(alter, table, constraint, written)?,
    };
    let named = match constraint.name {
        Some(_) => written.to_owned(),
        None => draft.write(&["{constraint}", &quoted(&name), written]),
    };
    let first = draft.replacing(constraint.span, &draft.write(&[&named, "{not valid}"]))?;
    let on = draft.name(&alter.table)?;
    let undo = draft.write(&["{alter table}", on, "{drop constraint}", &quoted(&name)]) + ";";
    let validate = draft.write(&["{alter table}", on, "{validate constraint}", &quoted(&name)]);
    Some(Fix {
        title: "add it without looking at the rows, and validate it in the next migration".to_owned(),
        replaces: statement.span,
        steps: vec![
            step(words(&["add", &name]), first, undo),
            step(words(&["validate", &name]), validate, "nothing to undo: the rows were only read"),
        ],
    })
}

/// What Postgres calls a constraint that nobody named (`ChooseConstraintName`); `None` where that is not certain.
fn automatic_name(alter: &AlterTable, table: Option<&Table>, constraint: &Constraint, written: &str) -> Option<String> {
    let own = alter.table.last();
    let name = match &constraint.kind {
        ConstraintKind::ForeignKey { columns, .. } => format!("{own}_{}_fkey", joined(columns)),
        ConstraintKind::Unique { columns, .. } => format!("{own}_{}_key", joined(columns)),
        ConstraintKind::PrimaryKey { .. } => format!("{own}_pkey"),
        ConstraintKind::Check { .. } => {
            let table = table.filter(|it| !it.partial)?;
            let found = tokens(written);
            let is_used = |name: &str| {
                let mut words = found.iter().filter(|it| matches!(it.kind, TokenKind::Word | TokenKind::Quoted));
                words.any(|it| written[it.span.start..it.span.end].trim_matches('"').eq_ignore_ascii_case(name))
            };
            let used = table.columns.iter().filter(|it| is_used(&it.name)).collect::<Vec<_>>();
            match used.as_slice() {
                [column] => format!("{own}_{}_check", column.name),
                _ => format!("{own}_check"),
            }
        }
        ConstraintKind::NotNull { .. } | ConstraintKind::Exclude { .. } => return None,
    };
    let taken = table.is_some_and(|it| it.constraints.iter().any(|it| it.name == name));
    (name.len() <= LONGEST && !taken).then_some(name)
}

fn joined(columns: &[Ident]) -> String {
    columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join("_")
}

/// A unique index, built concurrently, that the constraint then takes over. A primary key's columns are proved to be
/// set first, for else Postgres would read all rows under its strongest lock.
pub fn from_index(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Some((alter, action, constraint)) = added(statement, problem) else {
        return inline::apart(context, statement, problem);
    };
    let (columns, kind) = match &constraint.kind {
        ConstraintKind::Unique { columns, using_index: None, .. } => (columns, "unique"),
        ConstraintKind::PrimaryKey { columns, using_index: None, .. } => (columns, "primary key"),
        _ => return None,
    };
    let table = context.catalog.table(&alter.table);
    if table.is_some_and(|it| it.partitioned) || columns.is_empty() {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let written = draft.slice(constraint.span)?;
    // Only what a list of columns says can be said of the index as well.
    let list = written.get(written.find('(')?..)?;
    if list.find(')')? + 1 != list.len() {
        return None;
    }
    let name = match &constraint.name {
        Some(name) => name.name.clone(),
        None => automatic_name(alter, table, constraint, written)?,
    };
    let on = draft.name(&alter.table)?;
    let mut steps = Vec::new();
    if kind == "primary key" {
        let is_set = |column: &&Ident| table.and_then(|it| it.column(column)).is_some_and(|it| it.not_null);
        for column in columns.iter().filter(|it| !is_set(it)) {
            steps.extend(not_null::steps(context, &draft, on, alter.table.last(), column, ""));
        }
    }
    steps.push(build(&draft, on, &name, list));
    let key = draft.write(&[
        "{alter table}",
        on,
        "{add constraint}",
        &quoted(&name),
        &format!("{{{kind}}}"),
        "{using index}",
        &quoted(&name),
    ]);
    let undo = draft.write(&["{alter table}", on, "{drop constraint}", &quoted(&name)]) + ";";
    steps.push(step(words(&["add", &name]), key, undo));
    let rest = draft.without_action(alter, action.span)?;
    if !rest.is_empty() {
        let undo = "undo the other changes of this statement";
        steps.insert(0, step(words(&["change", alter.table.last()]), rest, undo));
    }
    Some(Fix {
        title: "build a unique index concurrently, then make it the constraint".to_owned(),
        replaces: statement.span,
        steps,
    })
}

pub fn build(draft: &Draft, on: &str, name: &str, columns: &str) -> FixStep {
    let sql = draft.write(&["{create unique index concurrently}", &quoted(name), "{on}", on, columns]);
    let undo = draft.write(&["{drop index concurrently}", &super::draft::beside(on, name)]) + ";";
    alone(words(&["index", name]), sql, undo)
}
