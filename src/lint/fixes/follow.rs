//! What a statement leaves to do, written behind it: the index of a foreign key, the validation of a constraint, the commit
//! that an enum's new value waits for.

use crate::{
    lint::{Context, Problem, added},
    sql::{
        Change, Statement,
        change::{ActionKind, AlterObject, ObjectAction},
    },
};

use super::{
    Fix,
    constraint::LONGEST,
    draft::{Draft, alone, beside, quoted, step, words},
};

/// An index on the foreign key's own columns: with the table when that is new, else concurrently in a migration of its
/// own.
pub fn index_of_key(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let key = added::foreign_keys(statement).into_iter().find(|it| it.span == problem.span)?;
    let creates = matches!(statement.change, Change::CreateTable(_));
    let is_partitioned = context.catalog.table(key.table).is_some_and(|it| it.partitioned);
    let draft = Draft::of(context, statement)?;
    let on = draft.name(key.table)?;
    let columns = key.columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
    let name = format!("{}_{}_idx", key.table.last(), columns.join("_"));
    let mut indexes = context.catalog.indexes_of(key.table);
    if name.len() > LONGEST || indexes.any(|it| it.name.last() == name) || (is_partitioned && !creates) {
        return None;
    }
    let list = format!("({})", columns.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", "));
    let own = draft.text.trim_end();
    let whole = words(&["add", key.table.last()]);
    let is_new = creates || context.is_new(key.table);
    let steps = if is_new {
        let index = draft.write(&["{create index}", &quoted(&name), "{on}", on, &list]);
        vec![step(whole, format!("{own};\n{index}"), format!("drop {}", key.table.last()))]
    } else {
        let index = draft.write(&["{create index concurrently}", &quoted(&name), "{on}", on, &list]);
        let undo = draft.write(&["{drop index concurrently}", &beside(on, &name)]) + ";";
        let key = step(whole, own.to_owned(), "drop the foreign key again");
        vec![key, alone(words(&["index", &name]), index, undo)]
    };
    Some(Fix {
        title: match is_new {
            true => "create the index with the table".to_owned(),
            false => "create the index concurrently, in a migration of its own".to_owned(),
        },
        replaces: statement.span,
        steps,
    })
}

/// `VALIDATE CONSTRAINT` in the next migration.
pub fn validation(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let constraint = alter.actions.iter().find_map(|it| match &it.kind {
        ActionKind::AddConstraint(constraint) if constraint.span == problem.span => Some(constraint),
        _ => None,
    })?;
    let name = &constraint.name.as_ref()?.name;
    let draft = Draft::of(context, statement)?;
    let on = draft.name(&alter.table)?;
    let validate = draft.write(&["{alter table}", on, "{validate constraint}", &quoted(name)]);
    Some(Fix {
        title: "validate it in the next migration".to_owned(),
        replaces: statement.span,
        steps: vec![
            step(words(&["add", name]), draft.text.trim_end().to_owned(), "drop the constraint again"),
            step(words(&["validate", name]), validate, "nothing to undo: the rows were only read"),
        ],
    })
}

/// `ADD VALUE` in a migration of its own, which ends before anything uses the value.
pub fn committed_value(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::AlterObject(AlterObject { name: Some(name), action: ObjectAction::AddValue { .. }, .. }) =
        &statement.change
    else {
        return None;
    };
    let draft = Draft::of(context, statement)?;
    let step = alone(
        words(&["add_value_to", name.last()]),
        draft.text.trim_end().to_owned(),
        "nothing: Postgres cannot take a value out of an enum, and unused it does no harm",
    );
    Some(Fix {
        title: "add the value in a migration of its own, before what uses it".to_owned(),
        replaces: statement.span,
        steps: vec![step],
    })
}
