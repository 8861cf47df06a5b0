//! Restore points as databases on the same server: `create database … template …`. What is known about each
//! stands in its comment.

mod label;
mod settings;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time;

use self::label::{Kind, Label};
use super::{
    Branch, BranchError, BranchState, Branches, Depth, NewBranch, PREFIX, Recorded, Restored, Verification, carry,
    record,
};
use crate::{
    report::progress::{Event, Observe, Quiet},
    services::postgres::{
        self, Address, FailureKind, Options, PostgresError, Row, Session, quote_identifier, quote_literal,
    },
};

/// Held in the maintenance database while one restore is at work: `restorin` in ASCII.
const RESTORE_LOCK: i64 = i64::from_be_bytes(*b"restorin");

/// Copies beside the source. Nobody else may be connected to the source while it is copied, which is what
/// Postgres demands of a template; new sessions wait meanwhile.
pub struct LocalBranches<'a> {
    /// Of the source.
    address: Address,
    /// The caller's session with the source, the only one that may be connected to it while it is copied.
    session: Option<&'a Session>,
    observe: Arc<dyn Observe>,
    /// How long to wait for others to leave the source.
    pub patience: Duration,
}

impl<'a> LocalBranches<'a> {
    pub fn new(address: Address) -> Self {
        Self { address, session: None, observe: Arc::new(Quiet), patience: Duration::from_secs(30) }
    }

    /// Copies through this session, which is connected to the source and outside a transaction.
    pub fn through(self, session: &'a Session) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Says who is in the way while waiting.
    pub fn observed(self, observe: Arc<dyn Observe>) -> Self {
        Self { observe, ..self }
    }

    fn notice(&self, message: String) {
        self.observe.event(Event::Notice { message });
    }

    /// A session with another database of the server, from which the source can be renamed.
    async fn maintenance(&self) -> Result<Session, BranchError> {
        let options = Options { application_name: "liftlock backup".to_owned(), ..Options::default() };
        let candidates = ["postgres", "template1"].into_iter().filter(|it| *it != self.address.database);
        let mut refused = None;
        for database in candidates {
            match postgres::connect(&self.address.with_database(database), &options).await {
                Ok(session) => return Ok(session),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.expect("at least one of the two names is not the source's").into())
    }

    async fn open(&self, database: &str) -> Result<Session, BranchError> {
        let options = Options { application_name: "liftlock backup".to_owned(), ..Options::default() };
        Ok(postgres::connect(&self.address.with_database(database), &options).await?)
    }

    async fn source_recorded(&self) -> Result<Recorded, BranchError> {
        if let Some(session) = self.session {
            return Ok(record(session).await?);
        }
        let session = self.open(&self.address.database).await?;
        let recorded = record(&session).await;
        // Its end must have reached the server: it would be one that is in the way.
        session.close().await;
        Ok(recorded?)
    }

    /// Runs `create database`, waiting for others to leave. Postgres itself waits five seconds each time.
    async fn copy(&self, session: &Session, from: &str, to: &str) -> Result<(), BranchError> {
        let strategy = copy_strategy(session, from).await?;
        let sql = format!("create database {} template {}{strategy}", quote_identifier(to), quote_identifier(from));
        let began = Instant::now();
        loop {
            let Err(error) = unhurried(session, &sql).await else { return Ok(()) };
            match error.kind() {
                FailureKind::InUse | FailureKind::LockTimeout => {}
                FailureKind::Permission => return Err(may_not_copy(session, from).await),
                _ => return Err(error.into()),
            }
            let sessions = session.others_in(from).await?;
            if began.elapsed() >= self.patience {
                return Err(BranchError::Busy { database: from.to_owned(), sessions });
            }
            let who = super::sessions_shown(&sessions);
            self.notice(format!("waiting for others to leave `{from}` so that it can be copied: {who}"));
            time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The restore point as it is now, or why it cannot be used.
    async fn ready(&self, session: &Session, branch: &Branch) -> Result<Label, BranchError> {
        let name = || branch.name.clone();
        match look_up(session, &branch.name).await? {
            Found::Nothing => Err(BranchError::NotFound { name: name() }),
            Found::Unlabelled => Err(BranchError::Incomplete { name: name() }),
            Found::Labelled(label) if label.nonce == branch.nonce && label.kind == Kind::Backup => Ok(*label),
            Found::Labelled(_) | Found::Foreign => Err(BranchError::Taken { name: name() }),
        }
    }
}

impl Branches for LocalBranches<'_> {
    async fn create(&self, new: &NewBranch) -> Result<Branch, BranchError> {
        check_name(&new.name)?;
        let opened = if self.session.is_none() { Some(self.maintenance().await?) } else { None };
        let session = self.session.or(opened.as_ref()).expect("one of the two is there");
        match look_up(session, &new.name).await? {
            Found::Nothing => {}
            Found::Labelled(label) if label.nonce == new.nonce && label.source == self.address.database => {
                return Ok(label.branch(&new.name, None));
            }
            // Without a comment, its maker died between copying and commenting.
            Found::Unlabelled if new.name.starts_with(PREFIX) => drop_database(session, &new.name).await?,
            Found::Labelled(_) | Found::Unlabelled | Found::Foreign => {
                return Err(BranchError::Taken { name: new.name.clone() });
            }
        }
        let recorded = self.source_recorded().await?;
        let row = session.query_one("select pg_current_wal_lsn()::text, clock_timestamp()", &[]).await;
        let row = row.map_err(PostgresError::from)?;
        self.copy(session, &self.address.database, &new.name).await?;
        let (lsn, created_at) = (row.get(0), row.get(1));
        let label = Label::backup(&self.address.database, new, lsn, created_at, recorded);
        let name = quote_identifier(&new.name);
        // One implicit transaction: it has its comment, and is protected, or it is unfinished.
        let sealed = format!(
            "alter database {name} set default_transaction_read_only = on; revoke all on database {name} from public;
             {}",
            label.comment_on(&new.name)
        );
        session.batch_execute(&sealed).await.map_err(PostgresError::from)?;
        Ok(label.branch(&new.name, None))
    }

    async fn list(&self) -> Result<Vec<Branch>, BranchError> {
        let opened = if self.session.is_none() { Some(self.open(&self.address.database).await?) } else { None };
        let session = self.session.or(opened.as_ref()).expect("one of the two is there");
        let sql = "
            select datname::text, shobj_description(oid, 'pg_database'),
              case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end
            from pg_database where datname ^@ $1 order by datname";
        let rows = session.query(sql, &[&PREFIX]).await.map_err(PostgresError::from)?;
        let source = &self.address.database;
        let mut branches: Vec<Branch> = rows.iter().filter_map(|row| listed(row, source)).collect();
        branches.sort_by_key(|it| std::cmp::Reverse(it.created_at));
        Ok(branches)
    }

    async fn verify(&self, branch: &Branch, _depth: Depth) -> Result<Verification, BranchError> {
        if branch.state == BranchState::Incomplete {
            return Err(BranchError::Incomplete { name: branch.name.clone() });
        }
        // Others may connect to it and change it, so its contents are looked at every time.
        let session = match self.open(&branch.name).await {
            Err(BranchError::Postgres(PostgresError::NoDatabase { .. })) => {
                return Err(BranchError::NotFound { name: branch.name.clone() });
            }
            other => other?,
        };
        let label = self.ready(&session, branch).await?;
        let found = record(&session).await?;
        session.close().await;
        Ok(Verification {
            tables: found.rows.len(),
            rows: found.total_rows(),
            depth: Depth::Contents,
            differences: label.recorded.differences(&found),
        })
    }

    async fn delete(&self, branch: &Branch) -> Result<(), BranchError> {
        let session = self.maintenance().await?;
        match look_up(&session, &branch.name).await? {
            Found::Nothing => Ok(()),
            Found::Labelled(label) if label.nonce == branch.nonce => drop_database(&session, &branch.name).await,
            Found::Unlabelled if branch.state == BranchState::Incomplete && branch.name.starts_with(PREFIX) => {
                drop_database(&session, &branch.name).await
            }
            Found::Labelled(_) | Found::Unlabelled | Found::Foreign => {
                Err(BranchError::Taken { name: branch.name.clone() })
            }
        }
    }

    async fn restore(&self, branch: &Branch, preserve_under_name: &str) -> Result<Restored, BranchError> {
        check_name(preserve_under_name)?;
        let session = self.maintenance().await?;
        session.lock(RESTORE_LOCK, self.patience, |_| {}).await?;
        let restored = self.restore_locked(&session, branch, preserve_under_name).await;
        session.close().await;
        restored
    }
}

impl LocalBranches<'_> {
    /// The source stays in use while its replacement is built beside it; then both are renamed in one
    /// transaction, so at no moment is there no database or half a one under the source's name.
    async fn restore_locked(
        &self,
        session: &Session,
        branch: &Branch,
        preserve: &str,
    ) -> Result<Restored, BranchError> {
        let source = &self.address.database;
        match look_up(session, preserve).await? {
            Found::Nothing => {}
            Found::Labelled(label) if label.kind == Kind::Preserved && label.nonce == branch.nonce => {
                // Done before; at most its last step is missing.
                let events_kept = self.late_events(preserve).await?;
                let preserved = Some(preserve.to_owned());
                return Ok(Restored { preserved, disconnected: 0, events_kept, ..Restored::default() });
            }
            Found::Labelled(_) | Found::Unlabelled | Found::Foreign => {
                return Err(BranchError::Taken { name: preserve.to_owned() });
            }
        }
        let label = self.ready(session, branch).await?;
        let replacement = format!("liftlock_restoring_{}", &label::digest(source)[..16]);
        if !matches!(look_up(session, &replacement).await?, Found::Nothing) {
            drop_database(session, &replacement).await?;
        }
        self.copy(session, &branch.name, &replacement).await?;
        let before = match self.open(source).await {
            Err(BranchError::Postgres(PostgresError::NoDatabase { .. })) => None,
            other => Some(other?),
        };
        let mut now = self.open(&replacement).await?;
        // The restore point is read-only by default; its copy has not inherited that.
        let events_kept = match &before {
            Some(before) => carry::everything(before, &mut now).await?,
            None => 0,
        };
        let abandoned = carry::abandon_promotions(&now).await?;
        now.close().await;
        let Some(before) = before else {
            let sql =
                format!("alter database {} rename to {}", quote_identifier(&replacement), quote_identifier(source));
            session.batch_execute(&sql).await.map_err(PostgresError::from)?;
            return Ok(Restored { events_kept, abandoned, ..Restored::default() });
        };
        before.close().await;
        let dressed = settings::copied(session, source, &replacement).await?;
        session.batch_execute(&dressed).await.map_err(PostgresError::from)?;
        let disconnected = self.swap(session, &replacement, &label.preserving(), preserve).await?;
        let late = self.late_events(preserve).await?;
        Ok(Restored {
            preserved: Some(preserve.to_owned()),
            disconnected,
            events_kept: events_kept + late,
            abandoned,
            ..Restored::default()
        })
    }

    /// Renames source and replacement in one transaction. From its first statement on nobody new gets in; those
    /// who are in are ended from a second session, for Postgres waits five seconds for them and then gives up.
    async fn swap(
        &self,
        session: &Session,
        replacement: &str,
        label: &Label,
        preserve: &str,
    ) -> Result<usize, BranchError> {
        let source = &self.address.database;
        let quoted = quote_identifier;
        let comment = "select shobj_description(oid, 'pg_database') from pg_database where datname = $1";
        let row = session.query_one(comment, &[source]).await.map_err(PostgresError::from)?;
        let comment: Option<String> = row.get(0);
        let comment = comment.map_or_else(|| "null".to_owned(), |it| quote_literal(&it));
        let sql = format!(
            "begin; alter database {0} rename to {1}; {2}; alter database {3} rename to {0};
             comment on database {0} is {comment}; commit",
            quoted(source),
            quoted(preserve),
            label.comment_on(preserve),
            quoted(replacement),
        );
        let second = self.maintenance().await?;
        let renaming = async { session.batch_execute(&sql).await.map_err(PostgresError::from) };
        let mut disconnected = 0;
        let ending = async {
            loop {
                disconnected += end_sessions(&second, source).await?;
                time::sleep(Duration::from_millis(100)).await;
            }
            #[expect(unreachable_code, reason = "it says of which type the error is")]
            Ok::<(), PostgresError>(())
        };
        let renamed = tokio::select! {
            renamed = renaming => renamed,
            Err(error) = ending => Err(error),
        };
        if let Err(error) = renamed {
            // The failed transaction is still open.
            let _ = session.batch_execute("rollback").await;
            return Err(match error.kind() {
                FailureKind::InUse | FailureKind::Permission => BranchError::CannotDisconnect {
                    database: source.clone(),
                    sessions: second.others_in(source).await?,
                },
                _ => error.into(),
            });
        }
        second.close().await;
        Ok(disconnected)
    }

    /// Audit events that somebody appended between copying them and the renaming. Safe to repeat.
    async fn late_events(&self, preserved: &str) -> Result<i64, BranchError> {
        let (before, mut now) = (self.open(preserved).await?, self.open(&self.address.database).await?);
        let added = carry::events(&before, &mut now).await?;
        before.close().await;
        now.close().await;
        Ok(added)
    }
}

/// What a database's name leads to.
enum Found {
    Nothing,
    /// There, without a comment.
    Unlabelled,
    Labelled(Box<Label>),
    /// There, with somebody else's comment.
    Foreign,
}

async fn look_up(session: &Session, name: &str) -> Result<Found, BranchError> {
    let sql = "select shobj_description(oid, 'pg_database') from pg_database where datname = $1";
    let row = session.query_opt(sql, &[&name]).await.map_err(PostgresError::from)?;
    let comment = row.map(|it| it.get::<_, Option<String>>(0));
    Ok(match comment {
        None => Found::Nothing,
        Some(None) => Found::Unlabelled,
        Some(Some(comment)) => Label::read(&comment).map_or(Found::Foreign, |it| Found::Labelled(Box::new(it))),
    })
}

/// A row of `list`: ours by its comment, or unfinished and named as one of this source's.
fn listed(row: &Row, source: &str) -> Option<Branch> {
    let (name, comment): (String, Option<String>) = (row.get(0), row.get(1));
    let size = row.get::<_, Option<i64>>(2).map(i64::unsigned_abs);
    match comment {
        Some(comment) => {
            let label = Label::read(&comment).filter(|it| it.kind == Kind::Backup && it.source == source)?;
            Some(label.branch(&name, size))
        }
        None if super::is_backup_name_of(&name, source) => Some(Branch {
            name,
            nonce: String::new(),
            lsn: None,
            created_at: None,
            expires_at: None,
            state: BranchState::Incomplete,
            run: None,
            commit: None,
            size_bytes: size,
            recorded: Recorded::default(),
            place: None,
        }),
        None => None,
    }
}

fn check_name(name: &str) -> Result<(), BranchError> {
    let reason = match name {
        "" => "it is empty",
        _ if name.len() > 63 => "it is longer than 63 bytes",
        _ if name.contains('\0') => "it has a zero byte in it",
        _ => return Ok(()),
    };
    Err(BranchError::Name { name: name.to_owned(), reason })
}

async fn drop_database(session: &Session, name: &str) -> Result<(), BranchError> {
    let sql = format!("drop database if exists {} with (force)", quote_identifier(name));
    Ok(unhurried(session, &sql).await?)
}

/// From version 15 on every block goes through the write-ahead log by default; for large databases copying the
/// files is faster, as it always was before.
async fn copy_strategy(session: &Session, from: &str) -> Result<&'static str, BranchError> {
    let sql = "select current_setting('server_version_num')::int >= 150000
        and pg_database_size(datname) > 512 * 1024 * 1024 from pg_database
        where datname = $1 and has_database_privilege(oid, 'connect')";
    let row = session.query_opt(sql, &[&from]).await.map_err(PostgresError::from)?;
    Ok(if row.is_some_and(|it| it.get(0)) { " strategy file_copy" } else { "" })
}

/// Runs a statement that takes as long as it takes, whatever the session's timeouts are.
async fn unhurried(session: &Session, sql: &str) -> Result<(), PostgresError> {
    let row = session.query_one("select current_setting('statement_timeout')", &[]).await?;
    let timeout: String = row.get(0);
    session.batch_execute("set statement_timeout = 0").await?;
    let done = session.batch_execute(sql).await;
    session.batch_execute(&format!("set statement_timeout = {}", quote_literal(&timeout))).await?;
    Ok(done?)
}

/// Ends the sessions of others and says how many there were.
async fn end_sessions(session: &Session, database: &str) -> Result<usize, PostgresError> {
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = $1 and pid <> pg_backend_pid() and backend_type = 'client backend'";
    Ok(session.query(sql, &[&database]).await?.len())
}

async fn may_not_copy(session: &Session, from: &str) -> BranchError {
    let sql = "select current_user::text, (select rolcreatedb or rolsuper from pg_roles where rolname = current_user)";
    let row = match session.query_one(sql, &[]).await {
        Ok(row) => row,
        Err(error) => return PostgresError::from(error).into(),
    };
    let (role, creates): (String, bool) = (row.get(0), row.get(1));
    let quoted = quote_identifier(&role);
    match creates {
        false => BranchError::Permission {
            what: "create databases, which is how a restore point is made".to_owned(),
            grant: format!("alter role {quoted} createdb"),
            role,
        },
        true => BranchError::Permission {
            what: format!("copy `{from}`, which it does not own"),
            grant: format!("alter database {} owner to {quoted}", quote_identifier(from)),
            role,
        },
    }
}
