//! Why a migration was not applied, where, and what then.

use std::time::Duration;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use super::{apply::Retries, journal::Cause, watch::Watch};
use crate::{
    exit::Exit,
    migration::Migration,
    services::postgres::{FailureKind, PostgresError, ServerError},
    sql::{LineIndex, Span},
};

/// Why a migration was not applied.
#[derive(Debug, Error, Diagnostic)]
pub enum ApplyError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Refused(Box<Refused>),
    #[error("no lock for {place} within {} s, in {attempts} attempts{}", waited.as_secs(), in_the_way(blockers))]
    #[diagnostic(
        code(apply::lock_timeout),
        help(
            "nothing of this transaction was kept; end what is in the way, or run the same command when it is quieter"
        )
    )]
    LockTimeout { place: String, attempts: u32, waited: Duration, blockers: Vec<String>, sqlstate: String },
    #[error("the connection broke in {place}")]
    #[diagnostic(
        code(apply::connection_lost),
        help("what was not committed is rolled back; run the same command again, it finds out how far this got")
    )]
    Lost { place: String, source: PostgresError },
    #[error("the connection broke in the commit of {place}, and the server does not answer")]
    #[diagnostic(
        code(apply::commit_unknown),
        help("whether it was kept cannot be seen from here; run the same command again, it looks")
    )]
    CommitUnknown { place: String, source: PostgresError },
    #[error("stopped on request in {place}")]
    #[diagnostic(code(apply::cancelled), help("what was under way is rolled back; run the same command to go on"))]
    Cancelled { place: String },
    #[error("{id} is recorded as applied with other bytes")]
    #[diagnostic(
        code(apply::changed),
        help("put the applied bytes back and write what should be different as a new migration")
    )]
    Changed { id: String },
    #[error("{id} ends its transaction itself")]
    #[diagnostic(
        code(apply::transaction_ended),
        help(
            "what it did before is committed and its history row is not written: look at what is there, take it back, \
             and remove the COMMIT or ROLLBACK from the file"
        )
    )]
    TransactionEnded { id: String },
    #[error("{place} was begun by a run that was killed, and nobody can say from outside how far it got")]
    #[diagnostic(code(apply::unknown_outcome), help("{}", unknown_outcome_help(migration, *ordinal)))]
    UnknownOutcome { place: String, migration: String, ordinal: i32 },
    #[error("{place} said it was done, and {index} is still not valid")]
    #[diagnostic(code(apply::invalid_index), help("run the same command again: it drops the index and builds it anew"))]
    InvalidIndex { place: String, index: String },
    #[error("cannot keep the history of {id}")]
    #[diagnostic(
        code(apply::bookkeeping),
        help("may the role still write into schema liftlock? Run the same command again")
    )]
    Bookkeeping { id: String, source: PostgresError },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),
}

/// The server said no to a statement.
#[derive(Debug, Error, Diagnostic)]
#[error("{place}: {server}")]
#[diagnostic(code(apply::refused))]
pub struct Refused {
    /// `file:line:column`.
    pub place: String,
    pub server: ServerError,
    #[help]
    pub help: Option<String>,
    #[source_code]
    pub source_code: NamedSource<String>,
    #[label("here")]
    pub at: SourceSpan,
}

/// Who is in the way, as the end of a sentence.
pub fn in_the_way(blockers: &[String]) -> String {
    if blockers.is_empty() { String::new() } else { format!("; in the way: {}", blockers.join(", ")) }
}

fn unknown_outcome_help(migration: &str, ordinal: i32) -> String {
    let key = format!("migration = '{}' and ordinal = {ordinal}", migration.replace('\'', "''"));
    format!(
        "look at what it should have done. If it did: `update liftlock.statements set state = 'done' where {key}`; to \
         run it again: `delete from liftlock.statements where {key}`; then run the same command"
    )
}

impl ApplyError {
    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Cancelled { .. }
            | Self::UnknownOutcome { .. }
            | Self::CommitUnknown { .. }
            | Self::TransactionEnded { .. } => Exit::Half,
            Self::Postgres(error) => error.exit(),
            Self::Refused(_)
            | Self::LockTimeout { .. }
            | Self::Lost { .. }
            | Self::Changed { .. }
            | Self::InvalidIndex { .. }
            | Self::Bookkeeping { .. } => Exit::Service,
        }
    }

    /// The file must change before it can go on, so the plan is over: what is left needs a new one.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Changed { .. } | Self::TransactionEnded { .. } => true,
            Self::LockTimeout { .. }
            | Self::Lost { .. }
            | Self::CommitUnknown { .. }
            | Self::Cancelled { .. }
            | Self::UnknownOutcome { .. }
            | Self::InvalidIndex { .. }
            | Self::Bookkeeping { .. }
            | Self::Postgres(_) => false,
        }
    }

    /// For journal and audit: codes and places, never what the server said.
    pub fn cause(&self) -> Cause {
        let code = self.code().map(|it| it.to_string()).unwrap_or_default();
        let (sqlstate, place) = match self {
            Self::Refused(it) => (Some(it.server.sqlstate.clone()), Some(it.place.clone())),
            Self::LockTimeout { place, sqlstate, .. } => (Some(sqlstate.clone()), Some(place.clone())),
            Self::Lost { place, source } | Self::CommitUnknown { place, source } => {
                (source.sqlstate().map(str::to_owned), Some(place.clone()))
            }
            Self::Cancelled { place } | Self::UnknownOutcome { place, .. } | Self::InvalidIndex { place, .. } => {
                (None, Some(place.clone()))
            }
            Self::Changed { id } | Self::TransactionEnded { id } => (None, Some(id.clone())),
            Self::Bookkeeping { id, source } => (source.sqlstate().map(str::to_owned), Some(id.clone())),
            Self::Postgres(error) => (error.sqlstate().map(str::to_owned), None),
        };
        Cause { code, sqlstate, place }
    }
}

/// In which part of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The migration's own statement.
    Statement,
    /// Our rows.
    Settle,
    Commit,
    /// The file has ended the transaction that our rows should have been written in.
    Ended,
}

/// What failed, and where.
#[derive(Debug)]
pub struct Failure {
    pub phase: Phase,
    /// Of the statement, or of all when it was none.
    pub span: Span,
    pub error: PostgresError,
}

impl Failure {
    /// The span of the character that the server points at, else of the statement.
    fn pointed_at(&self, migration: &Migration) -> Span {
        let position = self.error.server().and_then(|it| it.position).filter(|_| self.phase == Phase::Statement);
        let Some(position) = position else { return self.span };
        let statement = &migration.text[self.span.start..self.span.end];
        let Some((offset, first)) = statement.char_indices().nth((position as usize).saturating_sub(1)) else {
            return self.span;
        };
        let word =
            statement[offset..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(statement.len() - offset);
        let start = self.span.start + offset;
        Span { start, end: start + word.max(first.len_utf8()) }
    }

    /// `file:line:column`.
    pub fn place(&self, migration: &Migration) -> String {
        place(migration, self.pointed_at(migration))
    }

    /// As an error for people.
    pub fn told(self, migration: &Migration, retries: &Retries, watch: &Watch<'_>) -> ApplyError {
        let place = self.place(migration);
        if let Some(sqlstate) = self.error.sqlstate().filter(|_| is_contention(self.error.kind())) {
            return ApplyError::LockTimeout {
                place,
                attempts: retries.attempts,
                waited: retries.began.elapsed(),
                blockers: watch.seen(),
                sqlstate: sqlstate.to_owned(),
            };
        }
        let at = self.pointed_at(migration);
        match (self.phase, self.error) {
            (Phase::Statement | Phase::Commit, PostgresError::Server(server)) => {
                ApplyError::Refused(Box::new(refused(migration, place, at, *server)))
            }
            (_, source) => ApplyError::Bookkeeping { id: migration.id.0.clone(), source },
        }
    }
}

fn refused(migration: &Migration, place: String, at: Span, server: ServerError) -> Refused {
    let help = match (server.hint.clone(), server.sqlstate.as_str()) {
        (Some(hint), _) => Some(format!("the server's hint: {hint}")),
        (None, "25001") => {
            Some("this cannot run inside a transaction: put `-- no-transaction` in the file's first line".to_owned())
        }
        (None, "57014") => Some("raise `statement_timeout` of this environment, or split the statement".to_owned()),
        (None, _) => None,
    };
    Refused {
        place,
        server,
        help,
        source_code: NamedSource::new(migration.path.as_str(), migration.text.clone()),
        at: (at.start, at.end - at.start).into(),
    }
}

/// `file:line:column` of a span.
pub fn place(migration: &Migration, span: Span) -> String {
    let (line, column) = LineIndex::new(&migration.text).position(&migration.text, span.start);
    format!("{}:{line}:{column}", migration.path)
}

/// Stands for the cancellation that the server has not been asked for.
pub fn cancelled() -> PostgresError {
    PostgresError::Server(Box::new(ServerError {
        sqlstate: "57014".to_owned(),
        severity: "ERROR".to_owned(),
        message: "cancelled".to_owned(),
        hint: None,
        position: None,
        schema: None,
        table: None,
        column: None,
        constraint: None,
    }))
}

/// Goes away when others are done.
pub fn is_contention(kind: FailureKind) -> bool {
    match kind {
        FailureKind::LockTimeout | FailureKind::Deadlock | FailureKind::SerializationFailure => true,
        FailureKind::Transient
        | FailureKind::ConnectionLost
        | FailureKind::StatementTimeout
        | FailureKind::Cancelled
        | FailureKind::Permission
        | FailureKind::ReadOnly
        | FailureKind::Authentication
        | FailureKind::NoDatabase
        | FailureKind::Resources
        | FailureKind::InUse
        | FailureKind::Address
        | FailureKind::Other => false,
    }
}
