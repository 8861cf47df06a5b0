//! Why a sync did not reach its end.

use miette::Diagnostic;
use thiserror::Error;

use super::value::Malformed;
use crate::{
    exit::Exit,
    services::{
        bookkeeping::BookkeepingError,
        mirror::MirrorError,
        postgres::{FailureKind, PostgresError},
    },
};

#[derive(Debug, Error, Diagnostic)]
pub enum SyncError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Connect(#[from] PostgresError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bookkeeping(#[from] BookkeepingError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mirror(#[from] MirrorError),
    #[error("liftlock.yml does not say what to sync")]
    #[diagnostic(
        code(sync::not_configured),
        help("add, for example:\nsync:\n  from: production\n  to: {{ folder: ./mirror }}")
    )]
    NotConfigured,
    #[error("the mirror is not a Convex deployment")]
    #[diagnostic(
        code(sync::not_convex),
        help("`liftlock doctor` looks at a folder; for a deployment write `to: {{ convex: …, deploy_key: … }}`")
    )]
    NotConvex,
    /// Nothing was written, neither here nor there.
    #[error("the mirror `{place}` holds another database than `{environment}`: {reason}")]
    #[diagnostic(
        code(sync::foreign_mirror),
        help(
            "nothing was written. Is the URL of `{environment}` right? If the mirror is to follow this database from \
             now on, run `liftlock sync --adopt` once: rows that are not here are then removed from the mirror as \
             `sync.deletes` says"
        )
    )]
    Foreign { place: String, environment: String, reason: String },
    #[error("cannot read `{table}`")]
    #[diagnostic(code(sync::unreadable), help("{}", advice(source)))]
    Read { table: String, source: PostgresError },
    #[error("a value in column `{column}` of `{table}` cannot be read")]
    #[diagnostic(
        code(sync::value),
        help("cast the column to another type, or leave the table out of `sync.tables`; please report the type")
    )]
    Value { table: String, column: String, source: Malformed },
    #[error("the rows of `{table}` do not come in the order of their key")]
    #[diagnostic(
        code(sync::key_order),
        help("two keys have one text, or an index is damaged: `reindex table` may cure it; else leave the table out")
    )]
    KeyOrder { table: String },
    #[error("a key of `{table}` is too long for the ledger")]
    #[diagnostic(
        code(sync::key_too_long),
        help("about 2,600 bytes fit; give the table a shorter primary key, or leave it out of `sync.tables`")
    )]
    KeyTooLong { table: String, source: PostgresError },
    #[error("`{table}` has {columns} columns, more than the {most} that fit into a document of the mirror")]
    #[diagnostic(code(sync::too_wide), help("leave the table out of `sync.tables`"))]
    TooWide { table: String, columns: usize, most: usize },
    #[error("the mirror refuses row after row of `{table}`: {rows} so far")]
    #[diagnostic(
        code(sync::rows_refused),
        help("leave the table out of `sync.tables`, or make its rows smaller; Convex takes documents of 1 MiB")
    )]
    Refused { table: String, rows: u64 },
    #[error("another sync has taken this table over")]
    #[diagnostic(code(sync::taken_over), help("nothing was lost: let the other one finish"))]
    TakenOver,
    #[error("stopped, as asked")]
    #[diagnostic(code(sync::cancelled), help("run the same command again: it continues where it stopped"))]
    Cancelled,
    /// Whatever the cause, what was acknowledged stays.
    #[error("the sync stopped half-way: {done}")]
    #[diagnostic(code(sync::half_way), help("{}", how_to_go_on(source)))]
    Stopped { done: String, source: Box<SyncError> },
}

impl SyncError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Connect(error) => error.exit(),
            Self::Bookkeeping(error) => error.exit(),
            Self::Mirror(error) => error.exit(),
            Self::Read { .. }
            | Self::Value { .. }
            | Self::KeyOrder { .. }
            | Self::KeyTooLong { .. }
            | Self::TooWide { .. }
            | Self::Refused { .. }
            | Self::TakenOver => Exit::Service,
            Self::NotConfigured | Self::NotConvex | Self::Foreign { .. } => Exit::Usage,
            Self::Cancelled | Self::Stopped { .. } => Exit::Half,
        }
    }

    /// The same, when it is a key that the ledger's index cannot hold: the trouble of this table alone.
    pub(super) fn of_key(self, table: &str) -> Self {
        match self {
            // program_limit_exceeded; nothing else that is written to the ledger is large.
            Self::Connect(source) if source.sqlstate() == Some("54000") => {
                Self::KeyTooLong { table: table.to_owned(), source }
            }
            other => other,
        }
    }

    /// Whether the other tables can go on.
    pub(super) fn is_of_one_table(&self) -> bool {
        match self {
            Self::Value { .. }
            | Self::KeyOrder { .. }
            | Self::KeyTooLong { .. }
            | Self::TooWide { .. }
            | Self::Refused { .. }
            | Self::TakenOver => true,
            Self::Read { source, .. } => {
                !matches!(source.kind(), FailureKind::ConnectionLost | FailureKind::Transient | FailureKind::Resources)
            }
            Self::Mirror(MirrorError::Convex(error)) => error.is_of_one_table(),
            Self::Mirror(error) => matches!(
                error,
                MirrorError::Corrupt { .. }
                    | MirrorError::Missing { .. }
                    | MirrorError::BadManifest { .. }
                    | MirrorError::StaleRun { .. }
                    | MirrorError::BatchMismatch { .. }
                    | MirrorError::TooLarge { .. }
                    | MirrorError::RowRefused { .. }
            ),
            Self::NotConfigured
            | Self::NotConvex
            | Self::Foreign { .. }
            | Self::Connect(_)
            | Self::Bookkeeping(_)
            | Self::Cancelled
            | Self::Stopped { .. } => false,
        }
    }

    /// The message with its causes, and what to do about it.
    pub(super) fn told(&self) -> (String, Option<String>) {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            message.push_str(&format!(": {inner}"));
            cause = inner.source();
        }
        (message, self.help().map(|it| it.to_string()))
    }
}

fn how_to_go_on(source: &SyncError) -> String {
    let advice = advice(source);
    match advice.contains(" again") {
        true => advice,
        false => format!("{advice}; run the same command again: it continues where it stopped"),
    }
}

fn advice(source: &dyn Diagnostic) -> String {
    source.help().map_or_else(String::new, |it| it.to_string())
}
