//! A partition that leaves while its parent is read and written.

use crate::{
    catalog::Strategy,
    lint::{Context, Problem},
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind},
    },
};

use super::{
    Fix,
    draft::{Draft, alone, quoted, step, words},
};

/// `CONCURRENTLY`, alone. Postgres leaves a check with the partition's bounds on the table, which the next migration
/// drops; where nobody can be sure of its name, a person does it.
/// <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION>
pub fn concurrently(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let [action] = alter.actions.as_slice() else { return None };
    let ActionKind::DetachPartition { partition, .. } = &action.kind else { return None };
    let (parent, table) = (context.catalog.table(&alter.table)?, context.catalog.table(partition)?);
    let key = parent.partition_key.as_ref()?;
    let [column] = key.keys.as_slice() else { return None };
    let check = format!("{}_{column}_check", table.name.last());
    // With a check of its own the bounds may be proved, and then none is left behind.
    let has_check = table.constraints.iter().any(|it| matches!(it.kind, ConstraintKind::Check { .. }));
    let is_column = table.columns.iter().any(|it| it.name == *column);
    if action.span != problem.span || has_check || check.len() > 63 || key.strategy == Strategy::Hash || !is_column {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let (on, name) = (draft.name(&alter.table)?, draft.name(partition)?);
    let text = draft.text.trim_end();
    let detach = format!("{text} {}", draft.keywords("concurrently"));
    let drop = draft.write(&["{alter table}", name, "{drop constraint}", &quoted(&check)]);
    Some(Fix {
        title: "detach it concurrently, alone, and drop the check of its bounds that this leaves".to_owned(),
        replaces: statement.span,
        steps: vec![
            alone(words(&["detach", partition.last()]), detach, format!("attach {name} to {on} again")),
            step(
                words(&["drop", &check]),
                drop,
                "nothing to undo: the check repeats the bounds that the partition had",
            ),
        ],
    })
}
