//! The session advisory lock, and who else is connected.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tokio::time;

use super::{PostgresError, Row, Session};

/// The advisory lock that one liftlock at a time holds on a database: `liftlock` in ASCII.
pub const RUNNER_LOCK: i64 = i64::from_be_bytes(*b"liftlock");

/// Somebody else who is connected: holds the lock, or uses a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSession {
    pub pid: i32,
    pub user: String,
    pub application_name: String,
    /// Seconds since its session began.
    pub age_seconds: i64,
}

impl OtherSession {
    fn of(row: &Row) -> Self {
        Self { pid: row.get(0), user: row.get(1), application_name: row.get(2), age_seconds: row.get(3) }
    }
}

impl fmt::Display for OtherSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let application = if self.application_name.is_empty() { "unnamed" } else { &self.application_name };
        write!(f, "`{application}` of {} (pid {}, for {} s)", self.user, self.pid, self.age_seconds)
    }
}

const OTHERS: &str = "
    select pid, coalesce(usename::text, '?'), coalesce(application_name, ''),
      coalesce(extract(epoch from clock_timestamp() - backend_start), 0)::int8
    from pg_stat_activity where datname = $1 and pid <> pg_backend_pid() and backend_type = 'client backend'
    order by backend_start";

/// `$1` is a `bigint` key, which Postgres stores in two halves.
const HOLDERS: &str = "
    select l.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''),
      coalesce(extract(epoch from clock_timestamp() - a.backend_start), 0)::int8
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = (($1::int8 >> 32) & 4294967295)::oid and l.objid = ($1::int8 & 4294967295)::oid";

impl Session {
    /// Takes the session advisory lock, polling: a session that *waits* in `pg_advisory_lock` holds a snapshot
    /// and so deadlocks with `create index concurrently`. `waiting` is told who holds it, about every second.
    pub async fn lock(
        &self,
        key: i64,
        wait: Duration,
        mut waiting: impl FnMut(&[OtherSession]),
    ) -> Result<(), PostgresError> {
        let began = Instant::now();
        loop {
            let taken = self.query_one("select pg_try_advisory_lock($1)", &[&key]).await;
            if taken.map_err(|it| self.failure(it))?.get(0) {
                return self.prove_lock(key).await;
            }
            let holders = self.lock_holders(key).await?;
            if began.elapsed() >= wait {
                return Err(PostgresError::Locked { holders, waited: began.elapsed() });
            }
            waiting(&holders);
            time::sleep(Duration::from_secs(1).min(wait.saturating_sub(began.elapsed()))).await;
        }
    }

    /// Fails unless this very session holds the lock: a pooler may have handed us another one.
    pub async fn prove_lock(&self, key: i64) -> Result<(), PostgresError> {
        let sql = format!("select coalesce(bool_or(pid = pg_backend_pid()), false) from ({HOLDERS}) h");
        let row = self.query_one(&sql, &[&key]).await.map_err(|it| self.failure(it))?;
        match row.get(0) {
            true => Ok(()),
            false => Err(PostgresError::LockLost { address: self.address.shown() }),
        }
    }

    /// Who holds the lock; empty when it is free.
    pub async fn lock_holders(&self, key: i64) -> Result<Vec<OtherSession>, PostgresError> {
        let rows = self.query(HOLDERS, &[&key]).await.map_err(|it| self.failure(it))?;
        Ok(rows.iter().map(OtherSession::of).collect())
    }

    /// Who else is connected to a database of this server, the longest first.
    pub async fn others_in(&self, database: &str) -> Result<Vec<OtherSession>, PostgresError> {
        let rows = self.query(OTHERS, &[&database]).await.map_err(|it| self.failure(it))?;
        Ok(rows.iter().map(OtherSession::of).collect())
    }

    /// Gives the lock back. One that is gone already is fine.
    pub async fn unlock(&self, key: i64) -> Result<(), PostgresError> {
        self.query_one("select pg_advisory_unlock($1)", &[&key]).await.map_err(|it| self.failure(it))?;
        Ok(())
    }
}
