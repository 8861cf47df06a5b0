//! What there is: everything that is looked at in a database before anything is decided. Reads only, and works
//! without schema `liftlock` and with a role that may only read.

use uuid::Uuid;

use super::plan::{self, Plan};
use crate::{
    migration::{AppliedMigration, AppliedState, Checksum, MigrationId},
    services::postgres::{Identity, NeonIdentity, OtherSession, PostgresError, RUNNER_LOCK, Row, Session},
    sql::names::ObjectName,
};

/// What was seen in the target database.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    pub identity: Identity,
    pub records: Records,
    /// Other runners at work; ours is not among them.
    pub lock_holders: Vec<OtherSession>,
    pub privileges: Privileges,
    /// How a restore point would be made, or why none can be.
    pub restore_point: Result<String, Obstacle>,
    /// Which branch of Neon's it must be, or why that is not known; `None` when the environment has no `neon:`.
    pub neon: Option<Result<NeonIdentity, Obstacle>>,
    /// Transactions that have been open for long: what a lock would wait for.
    pub long_transactions: Vec<LongTransaction>,
}

impl Survey {
    /// The history in the form that [`crate::migration::pending`] compares.
    pub fn applied(&self) -> Vec<AppliedMigration> {
        self.records.applied()
    }
}

/// What liftlock's own tables say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    pub bookkeeping: Bookkeeping,
    /// By id, byte by byte.
    pub history: Vec<HistoryRow>,
    /// The newest first: the last one of each environment name, and any unfinished one.
    pub promotions: Vec<Promotion>,
    pub undelivered: u64,
}

impl Records {
    pub fn applied(&self) -> Vec<AppliedMigration> {
        let applied = |row: &HistoryRow| AppliedMigration {
            id: MigrationId(row.id.clone()),
            checksum: Checksum(row.checksum.clone()),
            state: if row.done { AppliedState::Done } else { AppliedState::Running },
        };
        self.history.iter().map(applied).collect()
    }

    /// The promotion that began and did not end, when there is one.
    pub fn unfinished(&self) -> Option<&Promotion> {
        self.promotions.iter().find(|it| it.state == "running")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bookkeeping {
    /// Nothing was ever promoted onto this database.
    #[default]
    Absent,
    /// The role may not read schema `liftlock`.
    Unreadable,
    Present,
}

/// One row of `liftlock.migrations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    pub id: String,
    pub checksum: String,
    pub done: bool,
    pub total: i32,
    pub applied: i32,
    /// RFC 3339.
    pub applied_at: Option<String>,
    /// Checksums of the statements that are done, in order, when it runs statement by statement.
    pub done_statements: Vec<String>,
}

/// One row of `liftlock.promotions`.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    pub run: Uuid,
    pub environment: String,
    pub kind: String,
    pub state: String,
    pub actor: String,
    /// RFC 3339.
    pub started_at: String,
    pub ended_at: Option<String>,
    /// `None` when a newer liftlock wrote what this one does not read.
    pub plan: Option<Plan>,
    /// Ids of the steps that its journal has as finished; only read of an unfinished one.
    pub finished: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privileges {
    pub role: String,
    /// `default_transaction_read_only` of role or database, or a standby.
    pub read_only: bool,
    /// May create schema `liftlock`, or write into it when it is there.
    pub bookkeeping: bool,
    /// Tables that pending migrations alter and whose owner the role is not.
    pub not_owned: Vec<String>,
}

/// Why something cannot be done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub evidence: String,
    pub fix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongTransaction {
    pub pid: i32,
    pub user: String,
    pub application_name: String,
    pub state: String,
    pub seconds: i64,
}

/// What was seen in the environment of `after:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    pub environment: String,
    /// Its history, or why it could not be read.
    pub history: Result<Vec<HistoryRow>, String>,
    /// What its audit events say was applied.
    pub applied: Vec<AppliedEvent>,
}

/// That a migration was applied, as the event says that was written in the migration's own transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEvent {
    pub id: String,
    pub checksum: String,
    /// As it was called then.
    pub environment: String,
}

/// Another configured environment.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherEnvironment {
    pub name: String,
    /// Which database it is, or why that is not known.
    pub identity: Result<Identity, String>,
    /// Host, port and database of its URL are those of the target.
    pub same_address: bool,
}

/// What liftlock's own tables say.
pub async fn records(session: &Session) -> Result<Records, PostgresError> {
    let row = session.query_opt(BOOKKEEPING, &[]).await.map_err(|it| session.failure(it))?;
    let bookkeeping = match row.map(|row| row.get::<_, bool>(0)) {
        None => Bookkeeping::Absent,
        Some(false) => Bookkeeping::Unreadable,
        Some(true) => Bookkeeping::Present,
    };
    if bookkeeping != Bookkeeping::Present {
        return Ok(Records { bookkeeping, ..Records::default() });
    }
    let history = session.query(HISTORY, &[]).await.map_err(|it| session.failure(it))?;
    let promotions = session.query(PROMOTIONS, &[]).await.map_err(|it| session.failure(it))?;
    let undelivered = session.query_one(UNDELIVERED, &[]).await.map_err(|it| session.failure(it))?;
    Ok(Records {
        bookkeeping,
        history: history.iter().map(history_row).collect(),
        promotions: promotions.iter().map(promotion).collect(),
        undelivered: undelivered.get::<_, i64>(0).unsigned_abs(),
    })
}

/// What was applied here, as the audit events say; none without schema `liftlock`.
pub async fn applied_events(session: &Session, records: &Records) -> Result<Vec<AppliedEvent>, PostgresError> {
    if records.bookkeeping != Bookkeeping::Present {
        return Ok(Vec::new());
    }
    let rows = session.query(APPLIED, &[]).await.map_err(|it| session.failure(it))?;
    let event = |row: &Row| AppliedEvent { id: row.get(0), checksum: row.get(1), environment: row.get(2) };
    Ok(rows.iter().map(event).collect())
}

const APPLIED: &str = "
    select data #>> '{migrations,listed,0,id}', substr(data #>> '{migrations,listed,0,checksum}', 8),
      coalesce(data ->> 'environment', '')
    from liftlock.audit_outbox, lateral (select body::jsonb -> 'data') as of (data)
    where kind = 'dev.liftlock.migration.applied.v1' and data #>> '{migrations,listed,0,id}' is not null
      and data #>> '{migrations,listed,0,checksum}' like 'sha256:%'
    order by sequence";

/// Whether liftlock's tables are there and readable. `to_regclass` would fail on a schema without `USAGE`.
const BOOKKEEPING: &str = "
    select has_schema_privilege(n.oid, 'usage')
      and (select bool_and(has_table_privilege(c.oid, 'select')) from pg_class c
           where c.relnamespace = n.oid and c.relkind = 'r'
             and c.relname in ('migrations', 'statements', 'promotions', 'journal', 'audit_outbox'))
    from pg_namespace n
    where n.nspname = 'liftlock'
      and exists (select from pg_class c where c.relnamespace = n.oid and c.relname = 'migrations')";

const HISTORY: &str = "
    select m.id, m.checksum, m.state = 'done', m.total, m.applied,
      to_char(m.applied_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
      coalesce((select array_agg(s.checksum order by s.ordinal) from liftlock.statements s
                where s.migration = m.id and s.state = 'done'), '{}')
    from liftlock.migrations m order by m.id collate \"C\"";

const PROMOTIONS: &str = "
    select p.run::text, p.environment, p.type, p.state, p.actor,
      to_char(p.started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
      to_char(p.ended_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), p.plan::text,
      coalesce((select array_agg(j.entry #>> '{is,step}') from liftlock.journal j
                where j.run = p.run and p.state = 'running' and j.entry #>> '{is,entry}' = 'finished'), '{}')
    from liftlock.promotions p
    where p.state = 'running'
      or p.run in (select distinct on (environment) run from liftlock.promotions
                   order by environment, started_at desc, run desc)
    order by p.started_at desc, p.run desc";

const UNDELIVERED: &str = "select count(*) from liftlock.audit_outbox where delivered_at is null";

fn history_row(row: &Row) -> HistoryRow {
    HistoryRow {
        id: row.get(0),
        checksum: row.get(1),
        done: row.get(2),
        total: row.get(3),
        applied: row.get(4),
        applied_at: row.get(5),
        done_statements: row.get(6),
    }
}

fn promotion(row: &Row) -> Promotion {
    let plan: String = row.get(7);
    Promotion {
        run: row.get::<_, String>(0).parse().unwrap_or_default(),
        environment: row.get(1),
        kind: row.get(2),
        state: row.get(3),
        actor: row.get(4),
        started_at: row.get(5),
        ended_at: row.get(6),
        plan: serde_json::from_str(&plan).ok().filter(|plan: &Plan| plan.version <= plan::VERSION),
        finished: row.get(8),
    }
}

/// Other runners at work on this database.
pub async fn lock_holders(session: &Session) -> Result<Vec<OtherSession>, PostgresError> {
    let holders = session.lock_holders(RUNNER_LOCK).await?;
    Ok(holders.into_iter().filter(|it| it.pid != session.pid()).collect())
}

/// What the role may do; `altered` are the tables that pending migrations alter.
pub async fn privileges(session: &Session, altered: &[&ObjectName]) -> Result<Privileges, PostgresError> {
    let row = session.query_one(PRIVILEGES, &[]).await.map_err(|it| session.failure(it))?;
    let schemas: Vec<&str> = altered.iter().map(|it| it.schema()).collect();
    let tables: Vec<&str> = altered.iter().map(|it| it.last()).collect();
    let not_owned = session.query(NOT_OWNED, &[&schemas, &tables]).await.map_err(|it| session.failure(it))?;
    Ok(Privileges {
        role: row.get(0),
        read_only: row.get(1),
        bookkeeping: row.get(2),
        not_owned: not_owned.iter().map(|row| row.get(0)).collect(),
    })
}

/// `reset_val` is what role and database say, whatever this session has set for itself.
const PRIVILEGES: &str = "
    select current_user::text,
      pg_is_in_recovery() or (select reset_val = 'on' from pg_settings where name = 'default_transaction_read_only'),
      case when exists (select from pg_namespace where nspname = 'liftlock')
        then (select has_schema_privilege(n.oid, 'usage')
                and coalesce((select bool_and(has_table_privilege(c.oid, 'select, insert, update'))
                              from pg_class c where c.relnamespace = n.oid and c.relkind = 'r'),
                             has_schema_privilege(n.oid, 'create'))
              from pg_namespace n where n.nspname = 'liftlock')
        else has_database_privilege(current_database(), 'create') end";

const NOT_OWNED: &str = "
    select distinct format('%I.%I', n.nspname, c.relname)
    from unnest($1::text[], $2::text[]) as wanted(schema, name)
    join pg_namespace n on n.nspname = wanted.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
    where not pg_has_role(c.relowner, 'usage')
    order by 1";

/// Transactions of others that have been open for more than ten seconds, the oldest first.
pub async fn long_transactions(session: &Session) -> Result<Vec<LongTransaction>, PostgresError> {
    let rows = session.query(LONG_TRANSACTIONS, &[]).await.map_err(|it| session.failure(it))?;
    let transaction = |row: &Row| LongTransaction {
        pid: row.get(0),
        user: row.get(1),
        application_name: row.get(2),
        state: row.get(3),
        seconds: row.get(4),
    };
    Ok(rows.iter().map(transaction).collect())
}

const LONG_TRANSACTIONS: &str = "
    select pid, coalesce(usename::text, '?'), coalesce(application_name, ''), coalesce(state, '?'),
      extract(epoch from clock_timestamp() - xact_start)::int8
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
      and clock_timestamp() - xact_start > interval '10 seconds'
    order by xact_start limit 5";

/// How a restore point would be made. `create database … template …` needs the right to create databases, to
/// copy this one, and that nobody else is connected to it:
/// <https://www.postgresql.org/docs/current/manage-ag-templatedbs.html>.
pub async fn restore_point(session: &Session) -> Result<Result<String, Obstacle>, PostgresError> {
    let row = session.query_one(COPYING, &[]).await.map_err(|it| session.failure(it))?;
    let (role, database): (String, String) = (row.get(0), row.get(1));
    let (may_create, may_copy): (bool, bool) = (row.get(2), row.get(3));
    if !may_create || !may_copy {
        let fix = if may_create {
            format!("as a superuser: `alter database \"{database}\" owner to \"{role}\"`")
        } else {
            format!("as a superuser: `alter role \"{role}\" createdb`")
        };
        return Ok(Err(Obstacle { evidence: format!("`{role}` may not copy {database} into a restore point"), fix }));
    }
    let rows = session.query(CONNECTED, &[]).await.map_err(|it| session.failure(it))?;
    let others: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if others.is_empty() {
        return Ok(Ok("a copy of the database, verified before anything is applied".to_owned()));
    }
    Ok(Err(Obstacle {
        evidence: format!("a local copy needs that nobody else is connected, and there are: {}", others.join(", ")),
        fix: "stop the application for the promotion; a provider of branches, such as Neon, does without".to_owned(),
    }))
}

const COPYING: &str = "
    select r.rolname::text, d.datname::text, r.rolcreatedb or r.rolsuper,
      r.rolsuper or d.datistemplate or pg_has_role(d.datdba, 'usage')
    from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()";

const CONNECTED: &str = "
    select format('pid %s (%s of %s)', pid, coalesce(nullif(application_name, ''), 'unnamed'), usename)
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
      and application_name <> 'liftlock'
    order by backend_start limit 5";
