//! A new column that is the primary key: added empty, with its default, filled, proved to be set, and made the key from
//! an index that is built first.

use crate::{
    catalog::Table,
    lint::{
        Context,
        effects::{Filling, filling},
    },
    sql::change::{AlterTable, Column, ConstraintKind, TableAction},
};

use super::{
    Fix, backfill,
    constraint::{LONGEST, build},
    draft::{Draft, beside, quoted, step, words},
    not_null,
};

/// For columns whose default is another value for each row: an expression, or a sequence by `serial`. Any other would
/// give all rows the same value. `GENERATED … AS IDENTITY` takes its sequence only once no row is empty: a person does it.
pub fn in_steps(
    context: &Context,
    draft: &Draft,
    alter: &AlterTable,
    (action, column): (&TableAction, &Column),
) -> Option<Fix> {
    let known = context.catalog.table(&alter.table)?;
    let only = column.generated.is_none() && !column.unique && column.check.is_empty() && column.references.is_none();
    let key = column.constraints.iter().find(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }))?;
    let plain = !key.deferrable && key.include.is_empty() && key.tablespace.is_none() && column.collation.is_none();
    let differs = matches!(filling(context, column), Filling::Numbered | Filling::Volatile(_));
    if !only || !plain || !differs || known.partial || known.partitioned || known.primary_key().is_some() {
        return None;
    }
    let (on, table) = (draft.name(&alter.table)?, alter.table.last());
    let column_name = quoted(&column.name.name);
    let given = given(draft, on, table, known, column)?;
    let add = draft.replacing(action.span, &draft.write(&["{add column}", &column_name, &given.data_type]))?;
    let set = draft.write(&["{alter table}", on, "{alter column}", &column_name, "{set default}", &given.value]);
    let mut first = vec![add, set];
    first.splice(0..0, given.before);
    first.extend(given.behind);
    let undo = draft.write(&["{alter table}", on, "{drop column}", &column_name]) + ";";
    let filter = format!("{column_name} is null");
    let assigned = format!("{column_name} = {}", given.value);
    let fill = backfill::walk_blocks(context, &alter.table, on, &assigned, &filter)?;
    let mut steps = vec![
        step(words(&["add", table, &column.name.name]), first.join(";\n"), undo),
        fill.called(words(&["fill", table, &column.name.name])),
    ];
    steps.extend(not_null::steps(context, draft, on, table, &column.name, ""));
    let name = key.name.as_ref().map_or_else(|| format!("{table}_pkey"), |it| it.name.to_string());
    if name.len() > LONGEST {
        return None;
    }
    steps.push(build(draft, on, &name, &format!("({column_name})")));
    let own = quoted(&name);
    let take = draft.write(&["{alter table}", on, "{add constraint}", &own, "{primary key using index}", &own]);
    let undo = draft.write(&["{alter table}", on, "{drop constraint}", &own]) + ";";
    steps.push(step(words(&["add", &name]), take, undo));
    Some(Fix {
        title: "add it empty, fill the rows that are there in batches, then make it the key".to_owned(),
        replaces: draft.span,
        steps,
    })
}

/// Where a column's values come from.
struct Given {
    data_type: String,
    value: String,
    before: Option<String>,
    behind: Option<String>,
}

fn given(draft: &Draft, on: &str, table: &str, known: &Table, column: &Column) -> Option<Given> {
    let Some(data_type) = column.serial_type() else {
        let default = column.default.as_ref()?;
        let value = draft.slice(default.span)?.to_owned();
        return Some(Given { data_type: column.data_type.to_string(), value, before: None, behind: None });
    };
    let name = format!("{table}_{}_seq", column.name.name);
    if name.len() > LONGEST || known.temporary {
        return None;
    }
    let sequence = beside(on, &name);
    let of = format!("{on}.{}", quoted(&column.name.name));
    Some(Given {
        data_type: data_type.to_owned(),
        value: format!("nextval('{sequence}')"),
        before: Some(draft.write(&["{create sequence}", &sequence, "{as}", data_type])),
        behind: Some(draft.write(&["{alter sequence}", &sequence, "{owned by}", &of])),
    })
}
