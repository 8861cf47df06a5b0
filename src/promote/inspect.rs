//! What a statement that runs outside a transaction leaves behind, and how to tell how far it got.
//!
//! Such a statement commits by itself, so no row of ours can be written together with it. Its `running` row is
//! written first; whoever finds that row later looks at the database itself:
//! <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>.

use crate::{
    services::postgres::{PostgresError, Row, Session, quote_identifier},
    sql::{
        Change,
        change::{ActionKind, ObjectKind, ReindexTarget},
        names::ObjectName,
    },
};

/// How a statement's work is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// `CREATE INDEX CONCURRENTLY`: there and valid, or there and invalid. Without a name it is the one that
    /// was not there before.
    IndexBuild { table: String, name: Option<String> },
    /// `DROP INDEX CONCURRENTLY`: gone.
    IndexDrop { name: String },
    /// `REINDEX CONCURRENTLY`: running it again is right, once its half-built copies are gone.
    Reindex,
    /// `DETACH PARTITION CONCURRENTLY`: detached, or still to be finalized.
    Detach { table: String, partition: String },
    /// Running it again does no harm: `VACUUM`, `ANALYZE`, `REINDEX`, `CLUSTER`, `REFRESH`, `ALTER SYSTEM`.
    Repeatable,
    /// It makes or removes one thing by name; when it was begun before, "exists already" means done.
    Named,
    /// Nobody can say from outside how far it got.
    Unknowable,
}

impl Trace {
    pub fn of(change: &Change) -> Self {
        match change {
            Change::CreateIndex(index) if index.concurrently => {
                Self::IndexBuild { table: quoted(&index.table), name: index.name.as_ref().map(|it| it.name.clone()) }
            }
            Change::Drop(drop) if drop.kind == ObjectKind::Index && drop.names.len() == 1 => {
                Self::IndexDrop { name: quoted(&drop.names[0]) }
            }
            Change::Reindex { concurrently: true, .. } => Self::Reindex,
            Change::Reindex {
                target: ReindexTarget::Database | ReindexTarget::System | ReindexTarget::Schema, ..
            } => Self::Repeatable,
            Change::AlterTable(alter) => match alter.actions.as_slice() {
                [action] => match &action.kind {
                    ActionKind::DetachPartition { partition, .. } => {
                        Self::Detach { table: quoted(&alter.table), partition: quoted(partition) }
                    }
                    _ => Self::Unknowable,
                },
                _ => Self::Unknowable,
            },
            Change::Reindex { .. }
            | Change::Vacuum { .. }
            | Change::Analyze { .. }
            | Change::Cluster { .. }
            | Change::Refresh { .. }
            | Change::Query { .. }
            | Change::Harmless { .. } => Self::Repeatable,
            Change::Server { verb, .. } if verb.to_ascii_uppercase().starts_with("ALTER") => Self::Repeatable,
            Change::Server { .. } | Change::CreateOther { .. } | Change::Drop(_) => Self::Named,
            _ => Self::Unknowable,
        }
    }

    /// `lock_timeout` must be long for it: what it waits for are snapshots, and its waiting stops nobody.
    pub fn is_concurrent(&self) -> bool {
        match self {
            Self::IndexBuild { .. } | Self::IndexDrop { .. } | Self::Reindex | Self::Detach { .. } => true,
            Self::Repeatable | Self::Named | Self::Unknowable => false,
        }
    }
}

fn quoted(name: &ObjectName) -> String {
    name.parts.iter().map(|part| quote_identifier(&part.name)).collect::<Vec<_>>().join(".")
}

/// What was found of a statement's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All of it.
    Done,
    /// Nothing: it must run.
    Nothing,
    /// Half-built indexes, quoted, to be dropped before it runs again.
    HalfBuilt(Vec<String>),
    /// A detached partition that must be finalized by this statement.
    Unfinalized(String),
    /// Another session is building it at this moment.
    BeingBuilt(String),
    /// Nobody can say.
    Unknown,
}

/// An index as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Index {
    /// Quoted, with its schema.
    full_name: String,
    name: String,
    valid: bool,
    /// A session is at work on it.
    building: bool,
}

const INDEXES: &str = "
    select format('%I.%I', n.nspname, c.relname), c.relname::text, i.indisvalid and i.indisready,
      exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'i' and ";

fn index(row: &Row) -> Index {
    Index { full_name: row.get(0), name: row.get(1), valid: row.get(2), building: row.get(3) }
}

/// The indexes that are not this statement's work: to be recorded before it runs first. One that has its name
/// and is not valid is dropped and built anew, so it does not count.
pub async fn before(session: &Session, trace: &Trace) -> Result<Vec<String>, PostgresError> {
    let others =
        |it: &Index| it.valid || !matches!(trace, Trace::IndexBuild { name: Some(name), .. } if it.name == *name);
    Ok(candidates(session, trace).await?.into_iter().filter(others).map(|it| it.name).collect())
}

/// Names are unique enough here: the indexes of one table share its schema.
async fn candidates(session: &Session, trace: &Trace) -> Result<Vec<Index>, PostgresError> {
    let rows = match trace {
        Trace::IndexBuild { table, .. } => {
            let sql = format!("{INDEXES} i.indrelid = to_regclass($1) order by 1");
            session.query(&sql, &[table]).await
        }
        // The copies that a REINDEX CONCURRENTLY leaves end in `_ccnew` or `_ccold`.
        Trace::Reindex => {
            let sql = format!("{INDEXES} not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$' order by 1");
            session.query(&sql, &[]).await
        }
        Trace::IndexDrop { .. } | Trace::Detach { .. } | Trace::Repeatable | Trace::Named | Trace::Unknowable => {
            return Ok(Vec::new());
        }
    };
    Ok(rows.map_err(|it| session.failure(it))?.iter().map(index).collect())
}

/// How far a statement got. `before` is what was recorded before it ran first.
pub async fn found(session: &Session, trace: &Trace, before: &[String]) -> Result<Found, PostgresError> {
    match trace {
        Trace::IndexBuild { name, .. } => {
            let indexes = candidates(session, trace).await?;
            let is_ours = |it: &&Index| name.as_ref().is_none_or(|name| it.name == *name) && !before.contains(&it.name);
            Ok(built(indexes.iter().filter(is_ours)))
        }
        Trace::Reindex => {
            let leftovers = candidates(session, trace).await?;
            let ours: Vec<&Index> = leftovers.iter().filter(|it| !before.contains(&it.name)).collect();
            Ok(match ours.iter().find(|it| it.building) {
                Some(it) => Found::BeingBuilt(it.full_name.clone()),
                None if ours.is_empty() => Found::Nothing,
                None => Found::HalfBuilt(ours.iter().map(|it| it.full_name.clone()).collect()),
            })
        }
        Trace::IndexDrop { name } => {
            let row = session.query_one("select to_regclass($1) is null", &[name]).await;
            let gone: bool = row.map_err(|it| session.failure(it))?.get(0);
            Ok(if gone { Found::Done } else { Found::Nothing })
        }
        Trace::Detach { table, partition } => detached(session, table, partition).await,
        Trace::Repeatable | Trace::Named => Ok(Found::Nothing),
        Trace::Unknowable => Ok(Found::Unknown),
    }
}

fn built<'a>(ours: impl Iterator<Item = &'a Index>) -> Found {
    let ours: Vec<&Index> = ours.collect();
    if let Some(it) = ours.iter().find(|it| it.building) {
        return Found::BeingBuilt(it.full_name.clone());
    }
    let half: Vec<String> = ours.iter().filter(|it| !it.valid).map(|it| it.full_name.clone()).collect();
    match (half.is_empty(), ours.is_empty()) {
        (false, _) => Found::HalfBuilt(half),
        (true, false) => Found::Done,
        (true, true) => Found::Nothing,
    }
}

async fn detached(session: &Session, table: &str, partition: &str) -> Result<Found, PostgresError> {
    // `inhdetachpending` is there from PostgreSQL 14 on, as is the statement.
    let sql = "select inhdetachpending from pg_inherits
        where inhrelid = to_regclass($1) and inhparent = to_regclass($2)";
    let row = session.query_opt(sql, &[&partition, &table]).await.map_err(|it| session.failure(it))?;
    Ok(match row.map(|row| row.get::<_, bool>(0)) {
        None => Found::Done,
        Some(false) => Found::Nothing,
        Some(true) => Found::Unfinalized(format!("alter table {table} detach partition {partition} finalize")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, valid: bool, building: bool) -> Index {
        Index { full_name: format!("public.{name}"), name: name.to_owned(), valid, building }
    }

    #[test]
    fn an_index_is_done_only_when_nothing_of_it_is_half_built() {
        let check = |indexes: &[Index], expected: Found| assert_eq!(built(indexes.iter()), expected);
        check(&[], Found::Nothing);
        check(&[index("a", true, false)], Found::Done);
        check(&[index("a", false, false)], Found::HalfBuilt(vec!["public.a".to_owned()]));
        check(&[index("a", false, true)], Found::BeingBuilt("public.a".to_owned()));
        check(&[index("a", true, false), index("b", false, false)], Found::HalfBuilt(vec!["public.b".to_owned()]));
    }
}
