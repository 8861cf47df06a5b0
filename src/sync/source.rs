//! The reading side: the catalog, and one table's rows in key order from one snapshot, streamed.

use std::{collections::HashMap, error, pin::Pin};

use futures_util::TryStreamExt;
use tokio_postgres::{
    RowStream,
    types::{FromSql, Type},
};

use super::{
    SyncError, key,
    plan::{CandidateKey, CatalogColumn, Relation, RelationKind, Shape, Table},
    value,
};
use crate::services::{
    mirror::document_hash,
    postgres::{PostgresError, Row, Session},
};

/// Text forms must not depend on who reads: every setting that changes one is set. A policy that hides rows makes
/// the query fail in place of hiding them. No timeout: the mirror sets the pace.
const SNAPSHOT: &str = "
    begin isolation level repeatable read read only;
    set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
    set local extra_float_digits = 3; set local bytea_output = 'hex'; set local lc_monetary = 'C';
    set local xmloption = 'content'; set local search_path = pg_catalog; set local row_security = off;
    set local jit = off; set local statement_timeout = 0; set local lock_timeout = '30s';
    set local idle_in_transaction_session_timeout = 0";

/// Tables, views and the like, without those of the system, of extensions and of liftlock itself.
const RELATIONS: &str = "
    select c.oid, n.nspname::text, c.relname::text,
      case when c.relispartition then 'partition' else c.relkind::text end,
      has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage'),
      case when c.relkind = 'p' then (select case when min(l.reltuples) >= 0 then sum(l.reltuples)::int8 end
          from pg_partition_tree(c.oid) p join pg_class l on l.oid = p.relid where p.isleaf)
        when c.reltuples >= 0 then c.reltuples::int8 end,
      case c.relkind when 'p' then (select sum(pg_table_size(p.relid)) from pg_partition_tree(c.oid) p)::int8
        when 'r' then pg_table_size(c.oid) else 0 end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'liftlock')
      and not exists (select from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by 2, 3";

/// Columns with their types, domains resolved to what they are made of.
const COLUMNS: &str = "
    with recursive types as (
      select oid, oid as base from pg_type where typtype <> 'd'
      union all
      select d.oid, t.base from pg_type d join types t on d.typbasetype = t.oid where d.typtype = 'd'
    )
    select a.attrelid, a.attnum, a.attname::text, a.attnotnull, b.oid,
      case when b.typcategory = 'A' and b.typlen = -1 and b.oid not in (22, 30) then b.typelem end,
      format_type(a.atttypid, a.atttypmod)
    from pg_attribute a join types t on t.oid = a.atttypid join pg_type b on b.oid = t.base
    where a.attrelid = any($1) and a.attnum > 0 and not a.attisdropped
    order by a.attrelid, a.attnum";

const KEYS: &str = "
    select i.indrelid, i.indisprimary, c.relname::text,
      array(select k from unnest(i.indkey::int2[]) with ordinality u (k, place) where place <= i.indnkeyatts order by place)
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = any($1) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null";

/// What the catalog says.
pub async fn relations(session: &Session) -> Result<Vec<Relation>, PostgresError> {
    let failed = |it| session.failure(it);
    let found = session.query(RELATIONS, &[]).await.map_err(failed)?;
    let oids: Vec<u32> = found.iter().map(|row| row.get(0)).collect();
    let columns = session.query(COLUMNS, &[&oids]).await.map_err(failed)?;
    let keys = session.query(KEYS, &[&oids]).await.map_err(failed)?;
    let mut columns = grouped(&columns, catalog_column);
    let mut keys = grouped(&keys, candidate_key);
    let relation = |row: &Row| {
        let oid: u32 = row.get(0);
        Relation {
            schema: row.get(1),
            name: row.get(2),
            kind: relation_kind(row.get(3)),
            is_readable: row.get(4),
            estimated_rows: row.get::<_, Option<i64>>(5).map(i64::unsigned_abs),
            bytes: row.get::<_, Option<i64>>(6).unwrap_or(0).unsigned_abs(),
            columns: columns.remove(&oid).unwrap_or_default(),
            keys: keys.remove(&oid).unwrap_or_default(),
        }
    };
    Ok(found.iter().map(relation).collect())
}

/// What rows say, by the relation that they begin with.
fn grouped<T>(rows: &[Row], what: impl Fn(&Row) -> T) -> HashMap<u32, Vec<T>> {
    let mut groups: HashMap<u32, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(row.get(0)).or_default().push(what(row));
    }
    groups
}

fn relation_kind(kind: &str) -> RelationKind {
    match kind {
        "partition" => RelationKind::Partition,
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => RelationKind::Table,
    }
}

fn catalog_column(row: &Row) -> CatalogColumn {
    CatalogColumn {
        number: row.get(1),
        name: row.get(2),
        is_not_null: row.get(3),
        type_oid: row.get(4),
        element_oid: row.get(5),
        type_name: row.get(6),
    }
}

fn candidate_key(row: &Row) -> CandidateKey {
    CandidateKey { is_primary: row.get(1), name: row.get(2), columns: row.get(3) }
}

/// One row, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub key: String,
    pub hash: u64,
    /// A JSON object of all fields, compact.
    pub document: String,
    /// Of the values with their field names, in bytes as Convex counts them.
    pub size: usize,
    /// JSON columns that had to be written as text.
    pub json_as_text: u32,
}

/// One table's rows, from one snapshot. Dropped before its end it leaves the session unusable: the rest of the
/// answer is still on its way.
pub struct Rows<'a> {
    session: &'a Session,
    table: &'a Table,
    parts: Vec<key::Part>,
    arrays: Vec<usize>,
    stream: Pin<Box<RowStream>>,
    last_key: Option<String>,
}

impl<'a> Rows<'a> {
    /// Takes a snapshot and starts reading after `cursor`.
    pub async fn read(session: &'a Session, table: &'a Table, cursor: Option<&str>) -> Result<Self, PostgresError> {
        session.batch_execute(SNAPSHOT).await.map_err(|it| session.failure(it))?;
        let query = table.select(cursor);
        let stream = session.query_raw(&query.sql, &query.parameters).await.map_err(|it| session.failure(it))?;
        Ok(Self {
            session,
            table,
            parts: table.key_parts(),
            arrays: table.arrays().collect(),
            stream: Box::pin(stream),
            last_key: None,
        })
    }

    /// The next row; `None` at the end, when the snapshot has been given back. Given up half-way, the rest of the
    /// table cannot be read any more.
    pub async fn next(&mut self) -> Result<Option<SourceRow>, SyncError> {
        let Some(row) = self.stream.try_next().await.map_err(|it| self.session.failure(it))? else {
            self.session.batch_execute("commit").await.map_err(|it| self.session.failure(it))?;
            return Ok(None);
        };
        let row = encode(self.table, &self.parts, &self.arrays, &row)?;
        if self.last_key.as_ref().is_some_and(|last| *last >= row.key) {
            return Err(SyncError::KeyOrder { table: self.table.name.clone() });
        }
        match &mut self.last_key {
            Some(last) => last.clone_from(&row.key),
            none => *none = Some(row.key.clone()),
        }
        Ok(Some(row))
    }
}

fn encode(table: &Table, parts: &[key::Part], arrays: &[usize], row: &Row) -> Result<SourceRow, SyncError> {
    let width = table.columns.len();
    let malformed = |column: usize, source| {
        let column = table.columns.get(column).map_or("key", |it| it.name.as_str()).to_owned();
        SyncError::Value { table: table.name.clone(), column, source }
    };
    let mut size = 0;
    let mut json_as_text = 0;
    let mut document = String::with_capacity(256);
    document.push('{');
    for (index, column) in table.columns.iter().enumerate() {
        if index > 0 {
            document.push(',');
        }
        value::push_string(&mut document, &column.field);
        document.push(':');
        let raw = raw(row, index);
        let wrote = match (column.shape, raw) {
            (Shape::Scalar, _) | (Shape::Array, None) => value::push_value(&mut document, column.kind, raw),
            (Shape::Array, Some(array)) => {
                let place = arrays.iter().position(|it| *it == index).expect("every array column is listed");
                match self::raw(row, width + parts.len() + place) {
                    Some(text) => value::push_value(&mut document, value::Kind::Text, Some(text)),
                    None => value::push_array(&mut document, column.kind, array),
                }
            }
        };
        let wrote = wrote.map_err(|source| malformed(index, source))?;
        size += column.field.len() + 1 + wrote.size;
        json_as_text += u32::from(wrote.is_json_as_text);
    }
    document.push('}');
    let mut key = String::new();
    let values = (width..width + parts.len()).map(|it| raw(row, it));
    key::push_key(&mut key, parts, values).map_err(|source| malformed(width, source))?;
    Ok(SourceRow { hash: document_hash(&table.mapping.version, &key, &document), key, document, size, json_as_text })
}

/// The bytes as the server sent them.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn raw(row: &Row, column: usize) -> Option<&[u8]> {
    row.get::<_, Option<Raw<'_>>>(column).map(|it| it.0)
}
