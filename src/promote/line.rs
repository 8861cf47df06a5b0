//! The one session that a promotion works on: it holds the runner's lock, and everything is done on it.
//!
//! One, because `create database … template …` needs that nobody else is connected, and because a lock proves
//! nothing about what another connection does. When the connection breaks, [`Line::reconnect`] opens the next
//! session and takes the lock again before anything else is done.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time;

use crate::{
    config::Environment,
    report::progress::{Event, Observe},
    services::{
        bookkeeping::{self, BookkeepingError},
        postgres::{self, Address, NeonIdentity, Options, PostgresError, RUNNER_LOCK, Row, Session},
    },
};

/// How long to wait for a lock, and for what else. All of it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// What readers may have to wait for behind a statement of ours that waits for its lock.
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
    /// For `CONCURRENTLY`, whose waiting stops nobody: it counts the wait for every older snapshot, also on
    /// other tables, so that a short one only ever leaves invalid indexes behind.
    pub concurrently: Duration,
    /// How long a migration is tried again after lock timeouts and deadlocks.
    pub retry_for: Duration,
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// How long to wait for another runner to finish.
    pub runner: Duration,
}

impl Patience {
    pub fn of(environment: &Environment) -> Self {
        Self {
            lock_timeout: environment.lock_timeout,
            statement_timeout: environment.statement_timeout,
            concurrently: Duration::from_secs(10 * 60),
            retry_for: Duration::from_secs(3 * 60),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(15),
            runner: Duration::from_secs(60),
        }
    }
}

/// The session that is used now.
pub struct Line {
    address: Address,
    options: Options,
    session: Mutex<Arc<Session>>,
    pub patience: Patience,
}

impl Line {
    /// Connects, takes the runner's lock and makes sure that liftlock's tables are there.
    pub async fn open(address: &Address, patience: Patience, observe: &dyn Observe) -> Result<Self, BookkeepingError> {
        Self::open_on(address, patience, None, observe).await
    }

    /// The same, with a branch of Neon's that every session proves to be with, also after a reconnect.
    pub async fn open_on(
        address: &Address,
        patience: Patience,
        neon: Option<NeonIdentity>,
        observe: &dyn Observe,
    ) -> Result<Self, BookkeepingError> {
        let options = Options {
            neon,
            lock_timeout: Some(patience.lock_timeout),
            statement_timeout: Some(patience.statement_timeout),
            ..Options::default()
        };
        let mut session = connect_and_lock(address, &options, patience.runner, observe).await?;
        bookkeeping::ensure(&mut session).await?;
        Ok(Self { address: address.clone(), options, session: Mutex::new(Arc::new(session)), patience })
    }

    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session.lock().expect("nothing panics while it is held"))
    }

    /// Fails unless this very session still holds the lock.
    pub async fn prove_lock(&self) -> Result<(), PostgresError> {
        self.session().prove_lock(RUNNER_LOCK).await
    }

    /// Opens the next session after the connection broke, and takes the lock again: the server may need a
    /// while to notice that the one before is gone.
    pub async fn reconnect(&self, observe: &dyn Observe) -> Result<(), PostgresError> {
        let session = connect_and_lock(&self.address, &self.options, self.patience.runner, observe).await?;
        *self.session.lock().expect("nothing panics while it is held") = Arc::new(session);
        Ok(())
    }

    /// A second connection that looks at what the first one waits for. It never holds a transaction.
    pub async fn observer(&self) -> Result<Session, PostgresError> {
        let options = Options {
            application_name: "liftlock observer".to_owned(),
            connect_timeout: Duration::from_secs(3),
            retry_for: Duration::ZERO,
            statement_timeout: Some(Duration::from_secs(3)),
            ..Options::default()
        };
        postgres::connect(&self.address, &options).await
    }
}

/// Takes the runner's lock, waiting a bounded time for whoever holds it. Who waits is not connected meanwhile:
/// the one who works may have to copy the database, and for that everybody must have left.
async fn connect_and_lock(
    address: &Address,
    options: &Options,
    wait: Duration,
    observe: &dyn Observe,
) -> Result<Session, PostgresError> {
    let began = Instant::now();
    let mut told = Vec::new();
    loop {
        let session = postgres::connect(address, options).await?;
        let holders = match session.lock(RUNNER_LOCK, Duration::ZERO, |_| {}).await {
            Ok(()) => return Ok(session),
            Err(PostgresError::Locked { holders, .. }) if began.elapsed() < wait => holders,
            Err(PostgresError::Locked { holders, .. }) => {
                return Err(PostgresError::Locked { holders, waited: began.elapsed() });
            }
            Err(error) => return Err(error),
        };
        session.close().await;
        let pids: Vec<i32> = holders.iter().map(|it| it.pid).collect();
        if pids != told && !pids.is_empty() {
            let names = holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            observe.event(Event::Notice { message: format!("waiting for another liftlock: {names}") });
            told = pids;
        }
        time::sleep(BETWEEN_LOOKS.mul_f64(0.5 + rand::random::<f64>())).await;
    }
}

/// A holder that died is gone within a moment; one that works takes longer anyway.
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// Somebody whose lock or snapshot a statement waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    pub pid: i32,
    /// User, application, state, age of the transaction.
    pub who: String,
    /// The beginning of its statement: for the terminal only, it may hold values.
    pub query: String,
}

/// Covers waits for locks and for snapshots. `pg_blocking_pids` locks the lock table for a moment, so this is
/// asked seldom: <https://www.postgresql.org/docs/current/functions-info.html>.
const BLOCKERS: &str = "
    select b.pid, coalesce(b.usename::text, '?'), coalesce(nullif(b.application_name, ''), 'unnamed'),
      coalesce(b.state, '?'), coalesce(extract(epoch from clock_timestamp() - b.xact_start)::int8, 0),
      regexp_replace(left(coalesce(b.query, ''), 80), '\\s+', ' ', 'g')
    from (select distinct pid from unnest(pg_blocking_pids($1)) as p(pid)) p join pg_stat_activity b using (pid)
    order by b.pid";

/// Who is in the way of the session with this pid.
pub async fn blockers(observer: &Session, pid: i32) -> Result<Vec<Blocker>, PostgresError> {
    let look = time::timeout(Duration::from_secs(3), observer.query(BLOCKERS, &[&pid])).await;
    let rows = match look {
        Ok(rows) => rows.map_err(|it| observer.failure(it))?,
        Err(_) => return Ok(Vec::new()),
    };
    let blocker = |row: &Row| {
        let (user, application, state): (String, String, String) = (row.get(1), row.get(2), row.get(3));
        let age: i64 = row.get(4);
        Blocker {
            pid: row.get(0),
            who: format!(
                "pid {} ({application} of {user}, {state}, transaction open for {age} s)",
                row.get::<_, i32>(0)
            ),
            query: row.get(5),
        }
    };
    Ok(rows.iter().map(blocker).collect())
}
