//! An `UPDATE` of many rows, in batches along the primary key, each in a transaction of its own.

use crate::{
    lint::{Context, Problem},
    sql::{
        Change, Span, Statement, TokenKind,
        change::{ConstraintKind, Filter},
        names::ObjectName,
        tokens,
    },
};

use super::{
    Fix, FixStep,
    draft::{Draft, alone, quoted, words},
};

/// How many rows are written, and locked, at a time.
const BATCH: usize = 5_000;

/// A loop over a table, ready to become a step.
pub struct Walk(String);

impl Walk {
    pub fn called(self, name: String) -> FixStep {
        alone(name, self.0, "the values that were there are in the restore point")
    }
}

/// `UPDATE t SET …` without alias, `FROM`, `WHERE` and `RETURNING`.
pub fn in_batches(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let Change::Update(update) = &statement.change else { return None };
    if update.filter != Filter::None {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let on = draft.name(&update.table)?;
    let rest = draft.slice(Span { start: update.table.span().end, end: statement.span.end })?;
    let found = tokens(rest);
    let word = |at: usize| found.get(at).map(|it| rest[it.span.start..it.span.end].to_ascii_uppercase());
    let stops = ["FROM", "WHERE", "RETURNING"];
    let has_more = found.iter().any(|it| {
        it.kind == TokenKind::Word && stops.contains(&rest[it.span.start..it.span.end].to_ascii_uppercase().as_str())
    });
    if word(0).as_deref() != Some("SET")
        || has_more
        || statement.span.start + "update ".len() > update.table.span().start
    {
        return None;
    }
    let assigned = rest[found.first()?.span.end..].trim();
    let walk = walk(context, &update.table, on, assigned, None)?;
    Some(Fix {
        title: format!("write {BATCH} rows at a time, each batch in a transaction of its own"),
        replaces: statement.span,
        steps: vec![walk.called(words(&["fill", update.table.last()]))],
    })
}

/// Walks a table along its blocks, until no row is left that `filter` finds: for one without a primary key. Rows that are
/// written anew meanwhile may move behind the place where the walk is, so it is taken again.
/// <https://www.postgresql.org/docs/14/release-14.html>: ranges of `ctid` are read without reading the rest.
pub fn walk_blocks(context: &Context, table: &ObjectName, on: &str, assigned: &str, filter: &str) -> Option<Walk> {
    const BLOCKS: usize = 64;
    let known = context.catalog.table(table)?;
    let others = known.partitioned || known.partial || known.foreign || !known.partitions.is_empty();
    // The body is quoted by `$$`, the table's name by `'`.
    if others || [on, assigned, filter].iter().any(|it| it.contains('$')) || on.contains('\'') {
        return None;
    }
    Some(Walk(format!(
        "do $$
declare
  batch_block bigint;
  batch_end bigint;
begin
  loop
    batch_block := 0;
    batch_end := pg_relation_size('{on}') / current_setting('block_size')::bigint;
    while batch_block <= batch_end loop
      update {on} set {assigned}
      where ctid >= format('(%s,0)', batch_block)::tid and ctid < format('(%s,0)', batch_block + {BLOCKS})::tid
        and {filter};
      commit;
      batch_block := batch_block + {BLOCKS};
    end loop;
    exit when not exists (select from {on} where {filter});
  end loop;
end
$$;"
    )))
}

/// Walks a table along its primary key of one column. A batch that is done stays done: when the loop is killed, it can
/// be run again.
pub fn walk(context: &Context, table: &ObjectName, on: &str, assigned: &str, filter: Option<&str>) -> Option<Walk> {
    let known = context.catalog.table(table)?;
    let key = known.constraints.iter().find_map(|it| match &it.kind {
        ConstraintKind::PrimaryKey { columns, .. } => match columns.as_slice() {
            [column] => Some(quoted(&column.name)),
            _ => None,
        },
        _ => None,
    })?;
    // The body is quoted by `$$`; names in it must not end it, and must not be the loop's own.
    if [on, assigned, filter.unwrap_or_default()].iter().any(|it| it.contains('$')) || key.starts_with("batch_") {
        return None;
    }
    let also = filter.map(|it| format!("\n      and {it}")).unwrap_or_default();
    Some(Walk(format!(
        "do $$
declare
  batch_after {on}.{key}%type;
  batch_until {on}.{key}%type;
begin
  loop
    select {key} into batch_until
    from (select {key} from {on} where batch_after is null or {key} > batch_after order by {key} limit {BATCH}) batch
    order by {key} desc
    limit 1;
    exit when batch_until is null;
    update {on} set {assigned}
    where (batch_after is null or {key} > batch_after) and {key} <= batch_until{also};
    commit;
    batch_after := batch_until;
  end loop;
end
$$;"
    )))
}
