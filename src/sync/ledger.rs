//! The sync's memory, in schema `liftlock` of the source: where each table stands, and key and hash of every row
//! that the mirror has acknowledged. One statement per batch moves both, so they never disagree.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SyncError, key, plan::Standing};
use crate::services::{
    mirror::{Held, KeyRange, Receipt, TableState, Tally},
    postgres::{PostgresError, Row, Session, Statement, ToSql},
};

/// Rows of the ledger read at a time.
const PAGE: usize = 4096;

/// Where one table's sync into one mirror stands: a row of `liftlock.sync_tables`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: i32,
    /// The table's identity in the mirror; `None` until its first batch is acknowledged.
    pub mirror_table: Option<String>,
    /// The database that the ledger tells about.
    pub database: String,
    /// Version of the mapping of the last run.
    pub mapping: String,
    /// Fields to be removed from the documents that this run sends.
    pub unset: Vec<String>,
    pub run: Uuid,
    pub fence: u64,
    /// Done up to here in this pass.
    pub cursor: Option<String>,
    /// The last batch acknowledged in this run.
    pub batch: u64,
    /// The last batch acknowledged at all.
    pub acknowledged: Option<(Uuid, u64)>,
    pub counters: Counters,
    pub is_finished: bool,
}

/// What a run has done so far; survives a kill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub batches: u64,
    pub retries: u64,
}

impl Counters {
    pub fn add(&mut self, tally: &Tally) {
        self.inserted += tally.inserted + tally.revived;
        self.updated += tally.updated;
        self.deleted += tally.deleted;
        self.batches += 1;
    }
}

/// What a new run needs to know.
#[derive(Debug, Clone)]
pub struct Beginning<'a> {
    pub mirror: &'a str,
    pub place: &'a str,
    pub table: &'a str,
    pub database: &'a str,
    pub mapping: &'a str,
    pub unset: &'a [String],
    pub fence: u64,
    /// What the mirror holds, which the ledger now agrees with.
    pub state: Option<&'a TableState>,
}

/// The ledger's session, with the statements that run once per batch.
pub struct Ledger {
    pub session: Session,
    acknowledge: Statement,
    first_page: Statement,
    next_page: Statement,
}

/// A ledger that was never analyzed looks small to the planner, which then sorts all that is left for each page:
/// the primary key's index has the order already. The session is the ledger's own.
const IN_KEY_ORDER: &str = "set enable_sort = off; set enable_bitmapscan = off";

const ENTRY: &str = "
    select id, mirror_table, database, mapping, unset, run::text, fence, cursor_key, batch,
      acknowledged_run::text, acknowledged_batch, counters::text, finished_at is not null
    from liftlock.sync_tables";

const ACKNOWLEDGE: &str = "
    with gone as (delete from liftlock.sync_ledger where sync = $1 and key = any ($2)),
    held as (
      insert into liftlock.sync_ledger (sync, key, hash) select $1, * from unnest($3::bytea[], $4::int8[])
      on conflict (sync, key) do update set hash = excluded.hash
    )
    update liftlock.sync_tables
    set mirror_table = $5, cursor_key = $6, batch = $7, acknowledged_run = run, acknowledged_batch = $7,
      counters = $8::text::jsonb
    where id = $1 and fence = $9";

impl Ledger {
    pub async fn open(session: Session) -> Result<Self, PostgresError> {
        session.batch_execute(IN_KEY_ORDER).await.map_err(|it| session.failure(it))?;
        let prepare = async |sql: &str| session.prepare(sql).await.map_err(|it| session.failure(it));
        let acknowledge = prepare(ACKNOWLEDGE).await?;
        let page = |after| {
            format!("select key, hash from liftlock.sync_ledger where sync = $1{after} order by key limit {PAGE}")
        };
        let first_page = prepare(&page("")).await?;
        let next_page = prepare(&page(" and key > $2")).await?;
        Ok(Self { session, acknowledge, first_page, next_page })
    }

    /// Where the table stands, when it was ever synced into this mirror.
    pub async fn entry(&self, mirror: &str, table: &str) -> Result<Option<Entry>, PostgresError> {
        let sql = format!("{ENTRY} where mirror = $1 and table_name = $2");
        let rows = self.session.query(&sql, &[&mirror, &table]).await.map_err(|it| self.session.failure(it))?;
        Ok(rows.first().map(entry))
    }

    /// Makes the row of a table that was never synced into this mirror. Nothing is acknowledged yet.
    pub async fn create(&self, new: &Beginning<'_>) -> Result<Entry, PostgresError> {
        let sql = "insert into liftlock.sync_tables
              (mirror, place, table_name, database, mapping, unset, run, fence, counters)
            values ($1, $2, $3, $4, $5, $6, $7::text::uuid, $8, '{}')";
        let run = Uuid::now_v7().to_string();
        let fence = signed(new.fence);
        let values: [&(dyn ToSql + Sync); 8] =
            [&new.mirror, &new.place, &new.table, &new.database, &new.mapping, &new.unset, &run, &fence];
        self.execute(sql, &values).await?;
        let entry = self.entry(new.mirror, new.table).await?;
        Ok(entry.expect("the row was inserted just now"))
    }

    /// Starts a new run of a table that was synced before.
    pub async fn restart(&self, id: i32, new: &Beginning<'_>) -> Result<Entry, PostgresError> {
        let sql = "update liftlock.sync_tables
            set place = $2, database = $3, mapping = $4, unset = $5, run = $6::text::uuid, fence = $7,
              cursor_key = null, batch = 0, counters = '{}', started_at = clock_timestamp(), finished_at = null,
              mirror_table = $8, acknowledged_run = $9::text::uuid, acknowledged_batch = $10
            where id = $1";
        let run = Uuid::now_v7().to_string();
        let fence = signed(new.fence);
        let mirror_table = new.state.map(|it| &it.id);
        let last_run = new.state.map(|it| it.last.run.to_string());
        let last_batch = new.state.map(|it| signed(it.last.number));
        let values: [&(dyn ToSql + Sync); 10] = [
            &id,
            &new.place,
            &new.database,
            &new.mapping,
            &new.unset,
            &run,
            &fence,
            &mirror_table,
            &last_run,
            &last_batch,
        ];
        self.execute(sql, &values).await?;
        let entry = self.entry(new.mirror, new.table).await?;
        Ok(entry.expect("the row was updated just now"))
    }

    /// Takes a run that was stopped over, so that whoever ran it before cannot go on.
    pub async fn resume(&self, entry: &mut Entry, fence: u64) -> Result<(), PostgresError> {
        let sql = "update liftlock.sync_tables set fence = $2 where id = $1";
        self.execute(sql, &[&entry.id, &signed(fence)]).await?;
        entry.fence = fence;
        Ok(())
    }

    /// Writes down what the mirror has acknowledged and moves the cursor, in one statement.
    pub async fn acknowledge(
        &self,
        entry: &mut Entry,
        receipt: &Receipt,
        held: &[Held],
        gone: &[String],
    ) -> Result<(), SyncError> {
        let gone: Vec<Vec<u8>> = gone.iter().map(|it| key::packed(it)).collect();
        let keys: Vec<Vec<u8>> = held.iter().map(|it| key::packed(&it.key)).collect();
        let hashes: Vec<i64> = held.iter().map(|it| it.hash.cast_signed()).collect();
        let counters = serde_json::to_string(&entry.counters).expect("numbers are JSON");
        let (through, number, fence) = (key::packed(&receipt.through), signed(receipt.number), signed(entry.fence));
        let values: [&(dyn ToSql + Sync); 9] =
            [&entry.id, &gone, &keys, &hashes, &receipt.table, &through, &number, &counters, &fence];
        let moved = self.session.execute(&self.acknowledge, &values).await.map_err(|it| self.session.failure(it))?;
        if moved != 1 {
            return Err(SyncError::TakenOver);
        }
        entry.mirror_table = Some(receipt.table.clone());
        entry.cursor = Some(receipt.through.clone());
        entry.batch = receipt.number;
        entry.acknowledged = Some((receipt.run, receipt.number));
        Ok(())
    }

    /// Goes back to the table's start, for another pass of the same run.
    pub async fn rewind(&self, entry: &mut Entry) -> Result<(), PostgresError> {
        self.execute("update liftlock.sync_tables set cursor_key = null where id = $1", &[&entry.id]).await?;
        entry.cursor = None;
        Ok(())
    }

    /// Ends a run.
    pub async fn finish(&self, entry: &mut Entry) -> Result<(), PostgresError> {
        let sql = "update liftlock.sync_tables
            set cursor_key = null, unset = '{}', counters = $2::text::jsonb, finished_at = clock_timestamp()
            where id = $1";
        let counters = serde_json::to_string(&entry.counters).expect("numbers are JSON");
        self.execute(sql, &[&entry.id, &counters]).await?;
        entry.is_finished = true;
        Ok(())
    }

    /// Forgets every other mirror that was at this place: it was deleted or replaced. Says whether there was one.
    pub async fn forget_others(&self, mirror: &str, place: &str, table: &str) -> Result<bool, PostgresError> {
        let sql = "with others as (
              delete from liftlock.sync_tables where place = $2 and table_name = $3 and mirror <> $1 returning id
            ), rows as (delete from liftlock.sync_ledger where sync in (select id from others))
            select count(*) > 0 from others";
        let row = self.session.query_one(sql, &[&mirror, &place, &table]).await;
        Ok(row.map_err(|it| self.session.failure(it))?.get(0))
    }

    /// Makes the ledger of a range say what is given. `held` lies in the range.
    pub async fn replace(&self, id: i32, range: &KeyRange, held: &[Held]) -> Result<(), PostgresError> {
        let sql = "with gone as (
              delete from liftlock.sync_ledger
              where sync = $1 and ($2::bytea is null or key > $2) and ($3::bytea is null or key <= $3)
                and key <> all ($4::bytea[])
            )
            insert into liftlock.sync_ledger (sync, key, hash) select $1, * from unnest($4::bytea[], $5::int8[])
            on conflict (sync, key) do update set hash = excluded.hash";
        let (after, through) = (range.after.as_deref().map(key::packed), range.through.as_deref().map(key::packed));
        let keys: Vec<Vec<u8>> = held.iter().map(|it| key::packed(&it.key)).collect();
        let hashes: Vec<i64> = held.iter().map(|it| it.hash.cast_signed()).collect();
        self.execute(sql, &[&id, &after, &through, &keys, &hashes]).await
    }

    async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), PostgresError> {
        self.session.execute(sql, values).await.map_err(|it| self.session.failure(it))?;
        Ok(())
    }

    async fn page(&self, id: i32, after: Option<&str>) -> Result<Vec<Held>, PostgresError> {
        let rows = match after {
            None => self.session.query(&self.first_page, &[&id]).await,
            Some(after) => self.session.query(&self.next_page, &[&id, &key::packed(after)]).await,
        };
        Ok(rows.map_err(|it| self.session.failure(it))?.iter().map(held).collect())
    }
}

/// The databases from which this ledger, if there is one, knows the mirror. A copy of a database remembers the original.
pub async fn databases(session: &Session, mirror: &str) -> Result<Vec<String>, PostgresError> {
    let there =
        "select count(*) from pg_tables where schemaname = 'liftlock' and tablename in ('sync_tables', 'sync_ledger')";
    let there: i64 = session.query_one(there, &[]).await.map_err(|it| session.failure(it))?.get(0);
    if there != 2 {
        return Ok(Vec::new());
    }
    let sql = "select distinct database from liftlock.sync_tables where mirror = $1";
    let rows = session.query(sql, &[&mirror]).await.map_err(|it| session.failure(it))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// How far each table of the mirror at a place has come, without opening the mirror.
pub async fn standing(session: &Session, place: &str) -> Result<Vec<Standing>, PostgresError> {
    let sql = "select table_name, batch, (finished_at at time zone 'UTC')::timestamp(0)::text
        from liftlock.sync_tables where place = $1 order by table_name, started_at";
    let rows = session.query(sql, &[&place]).await.map_err(|it| session.failure(it))?;
    let standing =
        |row: &Row| Standing { table: row.get(0), batch: row.get::<_, i64>(1).unsigned_abs(), finished_at: row.get(2) };
    Ok(rows.iter().map(standing).collect())
}

fn held(row: &Row) -> Held {
    Held { key: key::unpacked(row.get(0)), hash: row.get::<_, i64>(1).cast_unsigned() }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn entry(row: &Row) -> Entry {
    let run = |it: &str| it.parse::<Uuid>().expect("the column is a uuid");
    let unsigned = i64::unsigned_abs;
    let acknowledged_batch: Option<i64> = row.get(10);
    Entry {
        id: row.get(0),
        mirror_table: row.get(1),
        database: row.get(2),
        mapping: row.get(3),
        unset: row.get(4),
        run: run(row.get(5)),
        fence: unsigned(row.get(6)),
        cursor: row.get::<_, Option<&[u8]>>(7).map(key::unpacked),
        batch: unsigned(row.get(8)),
        acknowledged: row.get::<_, Option<&str>>(9).map(run).zip(acknowledged_batch.map(unsigned)),
        // Counters of another version count from zero: they are for people.
        counters: serde_json::from_str(row.get(11)).unwrap_or_default(),
        is_finished: row.get(12),
    }
}

/// The ledger of one table in key order, a page at a time.
pub struct Pages<'a> {
    ledger: &'a Ledger,
    id: i32,
    page: VecDeque<Held>,
    after: Option<String>,
    is_last: bool,
}

impl<'a> Pages<'a> {
    pub fn after(ledger: &'a Ledger, id: i32, cursor: Option<&str>) -> Self {
        Self { ledger, id, page: VecDeque::new(), after: cursor.map(str::to_owned), is_last: false }
    }

    /// The next row, left where it is.
    pub async fn peek(&mut self) -> Result<Option<&Held>, PostgresError> {
        if self.page.is_empty() && !self.is_last {
            self.page = self.ledger.page(self.id, self.after.as_deref()).await?.into();
            self.is_last = self.page.len() < PAGE;
            self.after = self.page.back().map(|it| it.key.clone()).or(self.after.take());
        }
        Ok(self.page.front())
    }

    /// Takes the row that [`Pages::peek`] showed.
    pub fn take(&mut self) -> Option<Held> {
        self.page.pop_front()
    }

    /// A whole page and the range that it covers, up to the end of the table with the last one; `None` after it.
    pub async fn next_range(&mut self) -> Result<Option<(KeyRange, Vec<Held>)>, PostgresError> {
        if self.is_last {
            return Ok(None);
        }
        let after = self.after.clone();
        self.peek().await?;
        let through = if self.is_last { None } else { self.after.clone() };
        Ok(Some((KeyRange { after, through }, self.page.drain(..).collect())))
    }
}
