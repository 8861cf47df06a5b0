//! What a restored database takes along from the state that it replaces: the audit chain, which must not lose an
//! event, and what is known about mirrors, which were not put back.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use uuid::Uuid;

use crate::services::{
    bookkeeping,
    branches::BranchError,
    postgres::{GenericClient, PostgresError, Session, Transaction},
};

/// Described the mirrors as they still are; replaced as a whole.
const MIRRORS: [&str; 2] = ["sync_tables", "sync_ledger"];

/// Takes along everything, into a database that nobody uses yet. Says how many audit events are new by it.
pub async fn everything(before: &Session, now: &mut Session) -> Result<i64, BranchError> {
    if bookkeeping::version(before).await?.is_none() {
        return Ok(0);
    }
    // The restore point may be older than liftlock's first use of the database.
    bookkeeping::ensure(now).await?;
    let transaction = now.transaction().await.map_err(PostgresError::from)?;
    mirrors(before, &transaction).await?;
    let added = missing_events(before, &transaction).await?;
    transaction.commit().await.map_err(PostgresError::from)?;
    Ok(added)
}

/// Takes everything along into a database that is in use again, exactly once: `mark` is written in the same
/// transaction, and found the next time.
pub async fn once(before: &Session, now: &mut Session, mark: &str) -> Result<(i64, Vec<Uuid>), BranchError> {
    bookkeeping::ensure(now).await?;
    let known = bookkeeping::version(before).await?.is_some();
    let transaction = now.transaction().await.map_err(PostgresError::from)?;
    let marked = transaction.execute(MARK, &[&mark]).await.map_err(PostgresError::from)?;
    if marked == 0 {
        drop(transaction);
        return Ok((events(before, now).await?, Vec::new()));
    }
    let mut added = 0;
    if known {
        mirrors(before, &transaction).await?;
        // A run that was stopped would go on behind rows that are others now.
        transaction.batch_execute(OUTDATED).await.map_err(PostgresError::from)?;
        notes(before, &transaction).await?;
        added = missing_events(before, &transaction).await?;
    }
    let abandoned = abandon(&transaction).await?;
    transaction.commit().await.map_err(PostgresError::from)?;
    Ok((added, abandoned))
}

const OUTDATED: &str = "update liftlock.sync_tables set database = 'before a restore' where finished_at is null";

const MARK: &str = "
    insert into liftlock.restore_points (nonce, recorded) values ('restored:' || $1::text, '{}') on conflict do nothing";

/// Writes down that nothing is left to do for this restore, in the transaction of its audit event: until then the
/// same command goes on with it, and afterwards it means another restore.
pub async fn ended(transaction: &Transaction<'_>, mark: &str) -> Result<(), PostgresError> {
    transaction.execute(ENDED, &[&mark]).await?;
    Ok(())
}

const ENDED: &str = "
    insert into liftlock.restore_points (nonce, recorded) values ('ended:' || $1::text, '{}') on conflict do nothing";

/// The restores that were carried to their end, by what they preserved; names that begin so.
pub async fn marks(session: &Session, prefix: &str) -> Result<Vec<String>, BranchError> {
    let there = "select to_regclass('liftlock.restore_points') is not null";
    if !session.query_one(there, &[]).await.map_err(PostgresError::from)?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let sql = "select substr(nonce, length('ended:') + 1) from liftlock.restore_points
        where nonce ^@ ('ended:' || $1::text)";
    let rows = session.query(sql, &[&prefix]).await.map_err(PostgresError::from)?;
    Ok(rows.iter().map(|it| it.get(0)).collect())
}

/// What is known of restore points that were made since.
async fn notes(before: &Session, now: &Transaction<'_>) -> Result<(), BranchError> {
    let there = "select to_regclass('liftlock.restore_points') is not null";
    if !before.query_one(there, &[]).await.map_err(PostgresError::from)?.get::<_, bool>(0) {
        return Ok(());
    }
    let rows = "select nonce, recorded::text from liftlock.restore_points";
    for row in before.query(rows, &[]).await.map_err(PostgresError::from)? {
        let (nonce, recorded): (String, String) = (row.get(0), row.get(1));
        let insert = "insert into liftlock.restore_points (nonce, recorded) values ($1, $2::text::jsonb)
            on conflict do nothing";
        now.execute(insert, &[&nonce, &recorded]).await.map_err(PostgresError::from)?;
    }
    Ok(())
}

async fn mirrors(before: &Session, now: &Transaction<'_>) -> Result<(), BranchError> {
    for table in MIRRORS {
        let truncate = format!("truncate liftlock.{table}");
        now.batch_execute(&truncate).await.map_err(PostgresError::from)?;
        let columns = columns(before, table).await?;
        stream(before, now, table, &format!("liftlock.{table}"), &columns).await?;
    }
    now.batch_execute(NUMBER_ON).await.map_err(PostgresError::from)?;
    Ok(())
}

/// Copied rows bring their numbers; the next one must be behind them.
const NUMBER_ON: &str = "
    select setval(pg_get_serial_sequence('liftlock.sync_tables', 'id'), coalesce(max(id), 0) + 1, false)
    from liftlock.sync_tables";

/// Takes along audit events only, and only those that are not there: safe to repeat at any time.
pub async fn events(before: &Session, now: &mut Session) -> Result<i64, BranchError> {
    if bookkeeping::version(before).await?.is_none() {
        return Ok(0);
    }
    let transaction = now.transaction().await.map_err(PostgresError::from)?;
    let added = missing_events(before, &transaction).await?;
    transaction.commit().await.map_err(PostgresError::from)?;
    Ok(added)
}

async fn missing_events(before: &Session, now: &Transaction<'_>) -> Result<i64, BranchError> {
    let there = "create temporary table incoming (like liftlock.audit_outbox) on commit drop";
    now.batch_execute(there).await.map_err(PostgresError::from)?;
    let columns = columns(before, "audit_outbox").await?;
    stream(before, now, "audit_outbox", "incoming", &columns).await?;
    // What a receiver has taken since the restore point must not be sent once more.
    let delivered = "update liftlock.audit_outbox o set delivered_at = i.delivered_at from incoming i
        where i.id = o.id and o.delivered_at is null and i.delivered_at is not null";
    now.batch_execute(delivered).await.map_err(PostgresError::from)?;
    let insert = format!(
        "insert into liftlock.audit_outbox ({columns}) select {columns} from incoming i
         where not exists (select from liftlock.audit_outbox o where o.id = i.id)"
    );
    let added = now.execute(&insert, &[]).await.map_err(PostgresError::from)?;
    Ok(i64::try_from(added).unwrap_or(i64::MAX))
}

/// The columns that the older database has, for it may be of an older version.
async fn columns(before: &Session, table: &str) -> Result<String, BranchError> {
    let sql = "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = ('liftlock.' || $1::text)::regclass and attnum > 0 and not attisdropped";
    Ok(before.query_one(sql, &[&table]).await.map_err(PostgresError::from)?.get(0))
}

/// Row by row through this process, so its memory does not grow with the table.
async fn stream(
    before: &Session,
    now: &Transaction<'_>,
    from: &str,
    to: &str,
    columns: &str,
) -> Result<(), BranchError> {
    let out = format!("copy liftlock.{from} ({columns}) to stdout (format binary)");
    let mut rows = pin!(before.copy_out(&out).await.map_err(PostgresError::from)?);
    let into = format!("copy {to} ({columns}) from stdin (format binary)");
    let mut sink = pin!(now.copy_in::<_, Bytes>(&into).await.map_err(PostgresError::from)?);
    while let Some(chunk) = rows.try_next().await.map_err(PostgresError::from)? {
        sink.feed(chunk).await.map_err(PostgresError::from)?;
    }
    sink.finish().await.map_err(PostgresError::from)?;
    Ok(())
}

/// Promotions that were under way at the restore point: their process belongs to another time, and nobody may
/// resume them.
pub async fn abandon_promotions(now: &Session) -> Result<Vec<Uuid>, BranchError> {
    if bookkeeping::version(now).await?.is_none() {
        return Ok(Vec::new());
    }
    abandon(&**now).await
}

async fn abandon(now: &impl GenericClient) -> Result<Vec<Uuid>, BranchError> {
    let sql = "update liftlock.promotions set state = 'abandoned', ended_at = clock_timestamp()
        where state = 'running' returning run";
    Ok(now.query(sql, &[]).await.map_err(PostgresError::from)?.iter().map(|it| it.get(0)).collect())
}
