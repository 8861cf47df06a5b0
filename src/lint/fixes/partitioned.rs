//! An index of a partitioned table, partition by partition.

use crate::{
    lint::Context,
    sql::{Span, Statement, change::CreateIndex, names::ObjectName},
};

use super::{
    Fix,
    draft::{Draft, alone, beside, quoted, step, words},
};

/// `ON ONLY` the parent, concurrently on each partition, then attached. Only where the files tell all partitions and
/// none of them is partitioned itself.
pub fn index(context: &Context, statement: &Statement, index: &CreateIndex) -> Option<Fix> {
    let parent = context.catalog.table(&index.table)?;
    let leaves = parent.partitions.iter().map(|it| context.catalog.table(it)).collect::<Option<Vec<_>>>()?;
    if leaves.iter().any(|it| it.partitioned || it.foreign) || index.if_not_exists {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let on = draft.name(&index.table)?;
    let keys = draft.slice(Span { start: index.table.span().end, end: statement.span.end })?.trim();
    let name = match &index.name {
        Some(name) => name.name.clone(),
        None => automatic_name(&index.table, index),
    };
    let only = draft.replacing(index.table.span(), &draft.write(&["{only}", on]))?;
    let kind = if index.unique { "{create unique index concurrently}" } else { "{create index concurrently}" };
    let of_parent = beside(on, &name);
    let undo = draft.write(&["{drop index}", &of_parent]) + ";";
    let mut steps = vec![step(words(&["index", &name, "on_only", index.table.last()]), only, undo)];
    let mut attach = Vec::new();
    for leaf in leaves {
        let (own, table) = (automatic_name(&leaf.name, index), qualified(&leaf.name));
        let build = draft.write(&[kind, &quoted(&own), "{on}", &table, keys]);
        let undo = draft.write(&["{drop index concurrently}", &beside(&table, &own)]) + ";";
        steps.push(alone(words(&["index", &own]), build, undo));
        attach.push(draft.write(&["{alter index}", &of_parent, "{attach partition}", &beside(&table, &own)]) + ";");
    }
    if !attach.is_empty() {
        let undo = format!("drop the index {of_parent}: those of the partitions go with it");
        steps.push(step(words(&["attach", &name]), attach.join("\n"), undo));
    }
    Some(Fix {
        title: format!("build it on the partitions of {on} one by one, concurrently, and attach them"),
        replaces: statement.span,
        steps,
    })
}

/// As `ChooseIndexName` names an index that nobody named.
fn automatic_name(table: &ObjectName, index: &CreateIndex) -> String {
    let plain = |key: &String| key.chars().all(|it| it.is_alphanumeric() || it == '_');
    let keys = index.keys.iter().map(|it| if plain(it) { it.as_str() } else { "expr" });
    let name = format!("{}_{}_idx", table.last(), keys.collect::<Vec<_>>().join("_"));
    name.get(..name.floor_char_boundary(63)).unwrap_or(&name).to_owned()
}

/// A name as the catalog has it, as SQL.
pub fn qualified(name: &ObjectName) -> String {
    name.parts.iter().map(|it| quoted(&it.name)).collect::<Vec<_>>().join(".")
}
