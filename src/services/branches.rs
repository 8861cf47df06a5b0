//! Restore points: copies of a database that can be verified, listed, put back and deleted.

mod any;
mod carry;
mod local;
mod neon;
mod recorded;

pub use self::{
    any::AnyBranches,
    carry::ended,
    local::LocalBranches,
    neon::{NeonBranches, Room, WayBack, direct_host, neon_backup_name, neon_preserve_name},
    recorded::{Recorded, Scope, record, record_of},
};

use std::error::Error;

use jiff::Timestamp;
use miette::Diagnostic;
use thiserror::Error;
use uuid::Uuid;

use super::{
    bookkeeping::BookkeepingError,
    neon::NeonError,
    postgres::{OtherSession, PostgresError},
};
use crate::exit::Exit;

/// A place that keeps restore points of one database, the source.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn these futures")]
pub trait Branches {
    /// Copies the source as it is now, and reads back that the copy is there and what was asked for: without that
    /// proof it is an error. One with this name and nonce that is there already is the answer; what a killed attempt
    /// left half-made is made again. A name that anybody else has taken is refused.
    async fn create(&self, new: &NewBranch) -> Result<Branch, BranchError>;

    /// All restore points of the source, the newest first, with those that were left half-made.
    async fn list(&self) -> Result<Vec<Branch>, BranchError>;

    /// Reads the restore point itself and compares it with what was recorded when it was made.
    async fn verify(&self, branch: &Branch, depth: Depth) -> Result<Verification, BranchError>;

    /// Deleting one that is already gone succeeds. One whose nonce is not the expected one stays.
    async fn delete(&self, branch: &Branch) -> Result<(), BranchError>;

    /// Puts the source back to the restore point, which stays. What the source held is kept under
    /// `preserve_under_name`. Killed at any moment and called again it goes on; done before, it does nothing.
    /// Audit events and what is known about mirrors are taken along from the preserved state.
    async fn restore(&self, branch: &Branch, preserve_under_name: &str) -> Result<Restored, BranchError>;
}

/// How closely a restore point is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What can be seen without opening it, where it cannot change behind our back; else its contents.
    Outside,
    /// Definitions, and rows per table.
    Contents,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBranch {
    /// Unique for its run, from [`backup_name`] or [`neon_backup_name`].
    pub name: String,
    /// Proves that a branch with this name is the one that this run has made.
    pub nonce: String,
    /// `None`: kept until deleted.
    pub expires_at: Option<Timestamp>,
    /// The promotion that it is made for.
    pub run: Option<Uuid>,
    /// The commit whose migrations follow.
    pub commit: Option<String>,
    /// Whose rows are counted, where the source is in use while it is copied.
    pub scope: Scope,
}

/// A restore point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub name: String,
    pub nonce: String,
    /// Where in the source's write-ahead log: `0/1A2B3C4`.
    pub lsn: Option<String>,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub state: BranchState,
    pub run: Option<Uuid>,
    pub commit: Option<String>,
    pub size_bytes: Option<u64>,
    /// What the source held when this was made.
    pub recorded: Recorded,
    /// Where it is when Neon keeps it.
    pub place: Option<Place>,
}

/// A branch of Neon's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub project: String,
    /// `br-…`
    pub branch: String,
    /// The branch that it was made from.
    pub parent: String,
    /// As Neon says it: `ready`, `archived`, …
    pub state: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchState {
    Ready,
    /// Left by a process that died while it was made; of no use.
    Incomplete,
}

/// What verification has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    pub tables: usize,
    pub rows: i64,
    pub depth: Depth,
    /// What is not as it was recorded; empty when it can be relied on.
    pub differences: Vec<String>,
}

impl Verification {
    pub fn is_sound(&self) -> bool {
        self.differences.is_empty()
    }

    /// One sentence.
    pub fn shown(&self) -> String {
        match self.differences.as_slice() {
            [] if self.depth == Depth::Outside => {
                "parent, place in the log, state, expiry and nonce are what was asked for".to_owned()
            }
            [] => {
                let (rows, tables) = (counted(self.rows, "row"), counted(self.tables, "table"));
                format!("definitions and {rows} in {tables} are as recorded")
            }
            [only] => only.clone(),
            [first, _] => format!("{first}, and 1 more difference"),
            [first, rest @ ..] => format!("{first}, and {} more differences", rest.len()),
        }
    }
}

fn counted<N: PartialEq + From<u8> + std::fmt::Display>(count: N, what: &str) -> String {
    if count == N::from(1) { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Where what the source held is now; `None` when there was no source any more.
    pub preserved: Option<String>,
    /// Sessions of others that were ended.
    pub disconnected: usize,
    /// Audit events newer than the restore point that were taken along.
    pub events_kept: i64,
    /// Promotions that were under way at the restore point and are now closed as abandoned.
    pub abandoned: Vec<Uuid>,
    /// What else somebody should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Error, Diagnostic)]
pub enum BranchError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Bookkeeping(#[from] BookkeepingError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Neon(#[from] NeonError),

    #[error("branch `{name}` is not proven to be the restore point that was asked for: {what}")]
    #[diagnostic(
        code(branches::unproven),
        help("nothing was applied; look at the branch in the Neon console, then run the same command again")
    )]
    Unproven { name: String, what: String },

    #[error("{evidence}")]
    #[diagnostic(code(branches::obstacle), help("{fix}"))]
    Obstacle { evidence: String, fix: String },

    #[error("stopped while `{name}` was being made")]
    #[diagnostic(
        code(branches::maybe_made),
        help("it may be there: `liftlock backup list --env ENV` shows it; it expires by itself")
    )]
    MaybeMade { name: String },

    #[error("stopped on request")]
    #[diagnostic(code(branches::cancelled), help("nothing is left behind; run the same command again"))]
    Cancelled,

    #[error(
        "`{database}` is put back, and what is newer than the restore point is not yet taken along from `{preserved}`"
    )]
    #[diagnostic(
        code(branches::not_taken_along),
        help(
            "run the same command again: it does not put anything back a second time, it takes along audit events and what is known about mirrors"
        )
    )]
    NotTakenAlong { database: String, preserved: String, source: Box<BranchError> },

    #[error("`{database}` is put back, and its audit trail does not say so yet")]
    #[diagnostic(
        code(branches::not_recorded),
        help("run the same command again: it does not put anything back a second time, it writes the audit event")
    )]
    NotRecorded { database: String, source: Box<dyn Error + Send + Sync> },

    #[error("cannot copy `{database}`: others are connected to it: {}", sessions_shown(sessions))]
    #[diagnostic(
        code(branches::busy),
        help(
            "`create database … template …` needs a database that nobody else uses. Stop the application for a moment \
             (or end a session: `select pg_terminate_backend({pid})`), then run the command again; with \
             a provider of branches, such as Neon, nobody has to leave",
             pid = sessions.first().map_or_else(|| "PID".to_owned(), |it| it.pid.to_string())
        )
    )]
    Busy { database: String, sessions: Vec<OtherSession> },

    #[error("cannot end the sessions of others in `{database}`: {}", sessions_shown(sessions))]
    #[diagnostic(
        code(branches::cannot_disconnect),
        help("nothing was changed; ask their owners to leave, or `grant pg_signal_backend` to the role that restores")
    )]
    CannotDisconnect { database: String, sessions: Vec<OtherSession> },

    #[error("`{name}` exists and is not the restore point that was asked for")]
    #[diagnostic(
        code(branches::taken),
        help(
            "nothing was changed; look at it with `liftlock backup list --env ENV`, and choose another name or remove it"
        )
    )]
    Taken { name: String },

    #[error("there is no restore point `{name}`")]
    #[diagnostic(code(branches::not_found), help("list them with `liftlock backup list --env ENV`"))]
    NotFound { name: String },

    #[error("there is no restore point yet")]
    #[diagnostic(code(branches::none), help("make one with `liftlock backup create --env ENV`"))]
    None,

    #[error("restore point `{name}` was never finished")]
    #[diagnostic(
        code(branches::incomplete),
        help("the process that made it died; make another with `liftlock backup create --env ENV`")
    )]
    Incomplete { name: String },

    #[error("`{name}` is not a name for a database: {reason}")]
    #[diagnostic(code(branches::name), help("use 1 to 63 bytes of letters, digits and underscores"))]
    Name { name: String, reason: &'static str },

    #[error("stopped while `{database}` was being put back")]
    #[diagnostic(
        code(branches::interrupted),
        help(
            "`{database}` is whole: either still as it was, or already put back. `liftlock status --to ENV` shows which; if it is \
             as it was, run the same command again"
        )
    )]
    Interrupted { database: String },

    #[error("role `{role}` may not {what}")]
    #[diagnostic(code(branches::permission), help("as a superuser, run: {grant}"))]
    Permission { role: String, what: String, grant: String },
}

impl BranchError {
    /// What to do about it, where somebody knows.
    pub fn fix(&self) -> Option<String> {
        self.help().map(|it| it.to_string())
    }

    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Postgres(error) => error.exit(),
            Self::Bookkeeping(error) => error.exit(),
            Self::Neon(error) => error.exit(),
            Self::Unproven { .. } | Self::Obstacle { .. } | Self::MaybeMade { .. } | Self::Cancelled => Exit::Service,
            Self::NotTakenAlong { .. } | Self::NotRecorded { .. } => Exit::Half,
            Self::Busy { .. } | Self::CannotDisconnect { .. } | Self::Permission { .. } => Exit::Service,
            Self::Interrupted { .. } => Exit::Half,
            Self::Taken { .. } | Self::NotFound { .. } | Self::None | Self::Incomplete { .. } | Self::Name { .. } => {
                Exit::Usage
            }
        }
    }
}

fn sessions_shown(sessions: &[OtherSession]) -> String {
    let shown: Vec<String> = sessions.iter().take(5).map(ToString::to_string).collect();
    match sessions.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// How the names of restore points begin.
const PREFIX: &str = "liftlock_backup_";

/// `liftlock_backup_<database>_<time>_<nonce>`, cut to fit.
pub fn backup_name(database: &str, at: Timestamp, nonce: &str) -> String {
    named(PREFIX, database, at, nonce)
}

/// Under which name the state before a restore is kept.
pub fn preserve_name(database: &str, at: Timestamp, nonce: &str) -> String {
    named("liftlock_before_", database, at, nonce)
}

/// Whether [`backup_name`] could have made this name for this database.
fn is_backup_name_of(name: &str, database: &str) -> bool {
    let any = backup_name(database, Timestamp::UNIX_EPOCH, "");
    let (prefix, shape) = any.split_at(any.len() - "19700101t000000_".len());
    let Some(rest) = name.strip_prefix(prefix) else { return false };
    let alike = |(a, b): (char, char)| a == b || (a.is_ascii_digit() && b.is_ascii_digit());
    rest.len() >= shape.len() && rest.chars().zip(shape.chars()).all(alike)
}

fn named(prefix: &str, database: &str, at: Timestamp, nonce: &str) -> String {
    let plain = |text: &str, length: usize| -> String {
        let plain = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' };
        text.chars().take(length).map(plain).collect()
    };
    // 16 + 20 + 1 + 15 + 1 + 8 = 61 bytes; Postgres cuts names at 63.
    format!("{prefix}{}_{}_{}", plain(database, 20), at.strftime("%Y%m%dt%H%M%S"), plain(nonce, 8))
}

/// Deletes what has expired: nothing that this program did not make, and never the last one that is whole. Answers
/// with what it deleted.
pub async fn prune(branches: &impl Branches, now: Timestamp) -> Result<Vec<Branch>, BranchError> {
    let mut deleted = Vec::new();
    for branch in expired(branches.list().await?, now) {
        branches.delete(&branch).await?;
        deleted.push(branch);
    }
    Ok(deleted)
}

fn expired(found: Vec<Branch>, now: Timestamp) -> Vec<Branch> {
    let whole = |it: &Branch| it.state == BranchState::Ready && !it.nonce.is_empty();
    let newest = found.iter().filter(|it| whole(it)).max_by_key(|it| it.created_at).map(|it| it.name.clone());
    let over = |it: &Branch| {
        whole(it) && it.expires_at.is_some_and(|expiry| expiry <= now) && newest.as_ref() != Some(&it.name)
    };
    found.into_iter().filter(over).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_is_ours_and_never_the_last_that_is_whole() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let branch = |name: &str, made: i64, expires: Option<i64>| Branch {
            name: name.to_owned(),
            nonce: "n".to_owned(),
            lsn: None,
            created_at: Some(at(made)),
            expires_at: expires.map(at),
            state: BranchState::Ready,
            run: None,
            commit: None,
            size_bytes: None,
            recorded: Recorded::default(),
            place: None,
        };
        let foreign = |name: &str| Branch { nonce: String::new(), ..branch(name, 1, Some(2)) };
        let half = |name: &str| Branch { state: BranchState::Incomplete, ..branch(name, 90, None) };
        for (found, expected) in [
            (vec![branch("a", 1, Some(50)), branch("b", 2, Some(200))], vec!["a"]),
            (vec![branch("a", 1, Some(50)), branch("b", 2, Some(50))], vec!["a"]),
            (vec![branch("a", 1, Some(50))], vec![]),
            (vec![branch("a", 1, Some(50)), half("b")], vec![]),
            (vec![branch("a", 1, Some(100)), branch("b", 2, None)], vec!["a"]),
            (vec![branch("a", 1, Some(101)), branch("b", 2, None)], vec![]),
            (vec![foreign("a"), branch("b", 2, None)], vec![]),
        ] {
            let gone: Vec<String> = expired(found, at(100)).into_iter().map(|it| it.name).collect();
            assert_eq!(gone, expected);
        }
    }

    #[test]
    fn names_fit_and_need_no_quotes() {
        let at: Timestamp = "2026-11-20T04:15:09Z".parse().unwrap();
        for (database, nonce, expected) in [
            ("app", "0f3a99aa-77", "liftlock_backup_app_20261120t041509_0f3a99aa"),
            ("App \"x\"", "ab", "liftlock_backup_app__x__20261120t041509_ab"),
            (&"long".repeat(20), "0f3a99aa", "liftlock_backup_longlonglonglonglong_20261120t041509_0f3a99aa"),
        ] {
            let name = backup_name(database, at, nonce);
            assert_eq!(name, expected);
            assert!(is_backup_name_of(&name, database), "{name}");
            assert!(!is_backup_name_of(&name, &database[..database.len().min(20) - 1]), "{name}");
            assert!(name.len() <= 63 && preserve_name(database, at, nonce).len() <= 63);
        }
    }
}
