//! A column whose default is another value for each row: added empty, given its default, filled in batches.

use crate::{
    lint::{Context, Problem},
    sql::{
        Change, Statement,
        change::{ActionKind, Column},
    },
};

use super::{
    Fix, backfill,
    draft::{Draft, quoted, step, words},
    not_null,
};

/// For columns that have a type, a default and perhaps `NOT NULL`, and nothing else.
pub fn in_steps(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let action = alter.actions.iter().find(|it| it.span == problem.span)?;
    let ActionKind::AddColumn { column, if_not_exists: false } = &action.kind else { return None };
    let default = column.default.as_ref().filter(|_| is_plain(column))?;
    let draft = Draft::of(context, statement)?;
    let (on, table) = (draft.name(&alter.table)?, alter.table.last());
    let (name, value) = (quoted(&column.name.name), draft.slice(default.span)?);
    let add = draft.replacing(action.span, &draft.write(&["{add column}", &name, &column.data_type]))?;
    let set = draft.write(&["{alter table}", on, "{alter column}", &name, "{set default}", value]);
    let undo = draft.write(&["{alter table}", on, "{drop column}", &name]) + ";";
    let filter = format!("{name} is null");
    let fill = backfill::walk(context, &alter.table, on, &format!("{name} = {value}"), Some(&filter))?;
    let mut steps = vec![
        step(words(&["add", table, &column.name.name]), format!("{add};\n{set}"), undo),
        fill.called(words(&["fill", table, &column.name.name])),
    ];
    if column.not_null {
        steps.extend(not_null::steps(context, &draft, on, table, &column.name, ""));
    }
    Some(Fix {
        title: "add it empty, set the default, and fill the rows that are there in batches".to_owned(),
        replaces: statement.span,
        steps,
    })
}

fn is_plain(column: &Column) -> bool {
    column.generated.is_none()
        && !column.primary_key
        && !column.unique
        && column.check.is_empty()
        && column.references.is_none()
}
