//! `SET NOT NULL` that reads no rows: something validated proves it first.

use crate::{
    lint::{Context, Problem},
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
        names::Ident,
    },
};

use super::{
    Fix, FixStep,
    draft::{Draft, quoted, step, words},
};

/// For `ALTER COLUMN … SET NOT NULL`, and for `ADD CONSTRAINT … NOT NULL` where Postgres knows it.
pub fn proved_first(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let action = alter.actions.iter().find(|it| it.span == problem.span)?;
    let (column, name) = match &action.kind {
        ActionKind::SetNotNull { column } => (column, None),
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::NotNull { column } => (column, constraint.name.as_ref()),
            _ => return None,
        },
        _ => return None,
    };
    let draft = Draft::of(context, statement)?;
    let on = draft.name(&alter.table)?;
    let mut steps = Vec::new();
    let rest = draft.without_action(alter, action.span)?;
    if !rest.is_empty() {
        steps.push(step(words(&["change", alter.table.last()]), rest, "undo the other changes of this statement"));
    }
    let name = name.map_or("", |it| it.name.as_str());
    steps.extend(self::steps(context, &draft, on, alter.table.last(), column, name));
    Some(Fix {
        title: "prove it first, in a migration that only reads, and then set it".to_owned(),
        replaces: statement.span,
        steps,
    })
}

/// From 18 on the constraint itself can be `NOT VALID`; before, a check stands in for it until it is set.
/// <https://www.postgresql.org/docs/current/sql-altertable.html>. `name` is the constraint's; empty for Postgres's own.
pub fn steps(context: &Context, draft: &Draft, on: &str, table: &str, column: &Ident, name: &str) -> Vec<FixStep> {
    const READ: &str = "nothing to undo: the rows were only read";
    let at = quoted(&column.name);
    let own = if name.is_empty() { format!("{table}_{}_not_null", column.name) } else { name.to_owned() };
    let loosen = draft.write(&["{alter table}", on, "{alter column}", &at, "{drop not null}"]) + ";";
    if context.postgres.number() >= 18 {
        let own = quoted(&own);
        let add = draft.write(&["{alter table}", on, "{add constraint}", &own, "{not null}", &at, "{not valid}"]);
        let validate = draft.write(&["{alter table}", on, "{validate constraint}", &own]);
        return vec![
            step(words(&["require", table, &column.name]), add, loosen),
            step(words(&["validate", &own]), validate, READ),
        ];
    }
    let check = format!("{table}_{}_is_set", column.name);
    let check = quoted(check.get(..check.floor_char_boundary(63)).unwrap_or(&check));
    let condition = draft.write(&[&at, "{is not null}"]);
    let add = draft.write(&[
        "{alter table}",
        on,
        "{add constraint}",
        &check,
        "{check}",
        &format!("({condition})"),
        "{not valid}",
    ]);
    let undo = draft.write(&["{alter table}", on, "{drop constraint}", &check]) + ";";
    let validate = draft.write(&["{alter table}", on, "{validate constraint}", &check]);
    let set = draft.write(&["{alter table}", on, "{alter column}", &at, "{set not null}"]);
    let drop = draft.write(&["{alter table}", on, "{drop constraint}", &check]);
    vec![
        step(words(&["check", table, &column.name]), add, undo),
        step(words(&["validate", table, &column.name]), validate, READ),
        step(words(&["require", table, &column.name]), format!("{set};\n{drop}"), loosen),
    ]
}
