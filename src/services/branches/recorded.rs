//! What a database holds, small enough to write down: a fingerprint of its definitions, and rows per table.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::services::postgres::{PostgresError, Row, Session, quote_identifier};

/// Taken in one snapshot, so that its parts belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// `sha256:…` over all definitions outside schema `liftlock`; no row values.
    pub fingerprint: String,
    /// By `schema.table`.
    pub rows: BTreeMap<String, i64>,
    /// Counted again after the restore point was made, where that says otherwise: the source was in use meanwhile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub later: BTreeMap<String, i64>,
    /// The fingerprint after it was made, if it was another by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_later: Option<String>,
}

/// Which tables' rows are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Those of which the planner thinks that they have at most so many rows: counting reads the whole table.
    Smaller {
        rows: i64,
    },
    /// By `schema.table`; those that are not there are passed over.
    Tables(Vec<String>),
}

impl Scope {
    /// What is affordable on a database that is in use.
    pub const AFFORDABLE: Self = Self::Smaller { rows: 10_000_000 };
}

/// Every definition as one line. Names are qualified because the search path is `pg_catalog`.
const DEFINITIONS: &str = r#"
with spaces as (
  select oid, nspname from pg_namespace
  where nspname not in ('pg_catalog', 'information_schema', 'liftlock') and nspname !~ '^pg_(toast|temp)'),
classes as (
  select c.oid, format('%I.%I', s.nspname, c.relname) as name, c.relkind, c.relpersistence, c.relrowsecurity,
    c.relforcerowsecurity, c.reloptions
  from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c'))
select line from (
  select format('schema %I', nspname) as line from spaces
  union all select format('extension %I %s', extname, extversion) from pg_extension
  union all select format('class %s %s %s %s %s %s', name, relkind, relpersistence, relrowsecurity,
    relforcerowsecurity, reloptions) from classes
  union all select format('column %s.%I %s %s %s %s %s %s %s', c.name, a.attname,
    row_number() over (partition by c.oid order by a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.attidentity, a.attgenerated, nullif(a.attcollation, t.typcollation)::regcollation, pg_get_expr(d.adbin, d.adrelid))
    from classes c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  union all select format('constraint %I on %s %s %s', k.conname, coalesce(c.name, k.contypid::regtype::text),
    pg_get_constraintdef(k.oid), k.convalidated)
    from pg_constraint k join spaces s on s.oid = k.connamespace left join classes c on c.oid = k.conrelid
  union all select format('index %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
    from pg_index i join classes c on c.oid = i.indrelid
  union all select format('view %s %s', name, pg_get_viewdef(oid)) from classes where relkind in ('v', 'm')
  union all select format('routine %s', case p.prokind when 'a' then p.oid::regprocedure::text
    else pg_get_functiondef(p.oid) end) from pg_proc p join spaces s on s.oid = p.pronamespace
  union all select format('trigger %s %s', pg_get_triggerdef(g.oid), g.tgenabled)
    from pg_trigger g join classes c on c.oid = g.tgrelid where not g.tgisinternal
  union all select format('rule %s', pg_get_ruledef(r.oid))
    from pg_rewrite r join classes c on c.oid = r.ev_class where r.rulename <> '_RETURN'
  union all select format('policy %I on %s %s %s %s %s %s', p.polname, c.name, p.polcmd, p.polpermissive,
    (select array_agg(pg_get_userbyid(r) order by r) from unnest(p.polroles) r),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p join classes c on c.oid = p.polrelid
  union all select format('enum %I.%I %s', s.nspname, t.typname,
    (select array_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
    from pg_type t join spaces s on s.oid = t.typnamespace where t.typtype = 'e'
  union all select format('domain %I.%I %s %s %s', s.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
    t.typnotnull, t.typdefault) from pg_type t join spaces s on s.oid = t.typnamespace where t.typtype = 'd'
  union all select format('sequence %s %s %s %s %s %s', c.name, q.seqtypid::regtype, q.seqincrement, q.seqmin,
    q.seqmax, q.seqcycle) from pg_sequence q join classes c on c.oid = q.seqrelid
) lines order by line collate "C""#;

/// Tables that hold rows themselves or as a whole of partitions, and that the role may read.
const TABLES: &str = "
    select n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
      and n.nspname not in ('pg_catalog', 'information_schema', 'liftlock') and has_table_privilege(c.oid, 'select')
      and ($1::int8 is null or c.reltuples <= $1) and ($2::text[] is null or n.nspname || '.' || c.relname = any ($2))
    order by 1, 2";

/// What the database of this session holds. The session must be outside a transaction.
pub async fn record(session: &Session) -> Result<Recorded, PostgresError> {
    record_of(session, &Scope::All).await
}

/// The same, with the rows of fewer tables.
pub async fn record_of(session: &Session, scope: &Scope) -> Result<Recorded, PostgresError> {
    session
        .batch_execute(
            "begin isolation level repeatable read read only; set local search_path = pg_catalog;
             set local statement_timeout = 0; set local client_min_messages = warning",
        )
        .await?;
    let recorded = read(session, scope).await;
    // After a failure this rolls back; a lost connection has nothing to end.
    let ended = session.batch_execute("commit").await;
    let recorded = recorded?;
    ended?;
    Ok(recorded)
}

async fn read(session: &Session, scope: &Scope) -> Result<Recorded, PostgresError> {
    let mut hash = Sha256::new();
    for row in session.query(DEFINITIONS, &[]).await? {
        hash.update(row.get::<_, &str>(0));
        hash.update([0]);
    }
    let hex = HEXLOWER.encode(&hash.finalize());
    let mut rows = BTreeMap::new();
    let (most, tables) = match scope {
        Scope::All => (None, None),
        Scope::Smaller { rows } => (Some(*rows), None),
        Scope::Tables(tables) => (None, Some(tables)),
    };
    let named = |row: &Row| (row.get::<_, String>(0), row.get::<_, String>(1));
    for (schema, table) in session.query(TABLES, &[&most, &tables]).await?.iter().map(named) {
        let sql = format!("select count(*) from {}.{}", quote_identifier(&schema), quote_identifier(&table));
        rows.insert(format!("{schema}.{table}"), session.query_one(&sql, &[]).await?.get(0));
    }
    Ok(Recorded { fingerprint: format!("sha256:{hex}"), rows, ..Recorded::default() })
}

impl Recorded {
    /// `self` was seen before a restore point was made, `after` once it was there: what it holds lies between.
    pub fn until(self, after: &Self) -> Self {
        let differs = |(table, rows): &(&String, &i64)| self.rows.get(*table).is_some_and(|before| before != *rows);
        let later = after.rows.iter().filter(differs).map(|(table, rows)| (table.clone(), *rows)).collect();
        let fingerprint_later = (after.fingerprint != self.fingerprint).then(|| after.fingerprint.clone());
        Self { later, fingerprint_later, ..self }
    }

    /// The tables that were counted, to count the same ones again.
    pub fn scope(&self) -> Scope {
        Scope::Tables(self.rows.keys().cloned().collect())
    }

    /// What is not as in `self`, in sentences; empty when the two agree.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let later = self.fingerprint_later.as_ref();
        if self.fingerprint != other.fingerprint && later != Some(&other.fingerprint) {
            found.push("the definitions of tables, columns or other objects differ".to_owned());
        }
        for (table, rows) in &self.rows {
            let later = self.later.get(table).copied();
            match (other.rows.get(table), later) {
                (None, _) => found.push(format!("`{table}` is missing")),
                (Some(there), Some(later)) if (*rows.min(&later)..=*rows.max(&later)).contains(there) => {}
                (Some(there), Some(later)) => {
                    found.push(format!("`{table}` has {there} rows, not from {rows} to {later}"));
                }
                (Some(there), None) if there != rows => {
                    found.push(format!("`{table}` has {there} rows, not {rows}"));
                }
                (Some(_), None) => {}
            }
        }
        let additional = other.rows.keys().filter(|it| !self.rows.contains_key(*it));
        found.extend(additional.map(|it| format!("`{it}` is there in addition")));
        found
    }

    pub fn total_rows(&self) -> i64 {
        self.rows.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(fingerprint: &str, rows: &[(&str, i64)]) -> Recorded {
        let rows = rows.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect();
        Recorded { fingerprint: fingerprint.to_owned(), rows, ..Recorded::default() }
    }

    #[test]
    fn what_changed_while_it_was_made_is_a_range_and_the_rest_is_exact() {
        let quiet = recorded("a", &[("p.x", 5), ("p.y", 7)]).until(&recorded("a", &[("p.x", 5), ("p.y", 7)]));
        let busy = recorded("a", &[("p.x", 5), ("p.y", 7)]).until(&recorded("b", &[("p.x", 9), ("p.y", 7)]));
        let shrunk = recorded("a", &[("p.x", 9)]).until(&recorded("a", &[("p.x", 5)]));
        let definitions = "the definitions of tables, columns or other objects differ";
        for (before, there, expected) in [
            (&quiet, recorded("a", &[("p.x", 5), ("p.y", 7)]), vec![]),
            (&quiet, recorded("a", &[("p.x", 6), ("p.y", 7)]), vec!["`p.x` has 6 rows, not 5"]),
            (&quiet, recorded("b", &[("p.x", 5), ("p.y", 7)]), vec![definitions]),
            (&quiet, recorded("a", &[("p.x", 5)]), vec!["`p.y` is missing"]),
            (&quiet, recorded("a", &[("p.x", 5), ("p.y", 7), ("p.z", 0)]), vec!["`p.z` is there in addition"]),
            (&busy, recorded("a", &[("p.x", 5), ("p.y", 7)]), vec![]),
            (&busy, recorded("b", &[("p.x", 9), ("p.y", 7)]), vec![]),
            (&busy, recorded("c", &[("p.x", 7), ("p.y", 7)]), vec![definitions]),
            (&busy, recorded("a", &[("p.x", 4), ("p.y", 7)]), vec!["`p.x` has 4 rows, not from 5 to 9"]),
            (&busy, recorded("a", &[("p.x", 10), ("p.y", 7)]), vec!["`p.x` has 10 rows, not from 5 to 9"]),
            (&busy, recorded("a", &[("p.x", 6), ("p.y", 8)]), vec!["`p.y` has 8 rows, not 7"]),
            (&shrunk, recorded("a", &[("p.x", 7)]), vec![]),
        ] {
            assert_eq!(before.differences(&there), expected, "{there:?}");
        }
        let text = serde_json::to_string(&busy).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), busy);
    }
}
