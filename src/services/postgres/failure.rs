//! What can go wrong with a database, without a password or a row value in any message.

use std::{fmt, io, time::Duration};

use miette::Diagnostic;
use thiserror::Error;

use super::{NeonIdentity, OtherSession};
use crate::exit::Exit;

#[derive(Debug, Error, Diagnostic)]
pub enum PostgresError {
    #[error("the database URL is malformed: {reason}")]
    #[diagnostic(
        code(postgres::malformed_url),
        help(
            "write `postgres://user:password@host:5432/database`; in the password, write `%40` for @, `%2F` for /, \
             `%3A` for :, `%3F` for ?, `%23` for # and `%25` for %"
        )
    )]
    Malformed { reason: &'static str },

    #[error("the database URL has a parameter that liftlock does not know: `{name}`")]
    #[diagnostic(
        code(postgres::unknown_parameter),
        help("take it out of the URL, or, when it is a piece of the password, percent-encode the password")
    )]
    UnknownParameter { name: String },

    #[error("the database URL's parameter `{name}` has a value that it cannot have")]
    #[diagnostic(
        code(postgres::parameter_value),
        help("the parameters are those of libpq: https://www.postgresql.org/docs/current/libpq-connect.html")
    )]
    ParameterValue { name: String },

    #[error("the connection to {host} would not be encrypted")]
    #[diagnostic(
        code(postgres::unencrypted),
        help(
            "write `sslmode=require`, or leave `sslmode` out: the certificate is verified then; only connections to this \
             machine may go without"
        )
    )]
    Unencrypted { host: String },

    #[error("{host} is a connection pooler, which keeps neither locks nor settings")]
    #[diagnostic(code(postgres::pooled), help("use the direct host: {}", direct.as_deref().unwrap_or("the URL without `pgbouncer=true` that your provider shows as \"direct\" or \"unpooled\"")))]
    Pooled { host: String, direct: Option<String> },

    #[error("cannot read the root certificates in `{path}`")]
    #[diagnostic(
        code(postgres::root_certificates),
        help("`sslrootcert` must name a PEM file that holds the certificate of the authority")
    )]
    RootCertificates { path: String, source: io::Error },

    #[error("cannot reach {address}")]
    #[diagnostic(
        code(postgres::unreachable),
        help("is the server running, are host and port right, and does a firewall let this machine through?")
    )]
    Unreachable { address: String, source: Cause },

    #[error("cannot agree on encryption with {address}")]
    #[diagnostic(
        code(postgres::encryption),
        help(
            "the certificate is verified; for a private authority add `sslrootcert=/path/to/ca.pem` to the URL. A server \
             without TLS can only be used on this machine"
        )
    )]
    Encryption { address: String, source: Cause },

    #[error("{address} did not accept the login")]
    #[diagnostic(
        code(postgres::login_refused),
        help("check user and password in the environment variable that holds the URL")
    )]
    LoginRefused { address: String, source: Cause },

    #[error("{address}: there is no such database")]
    #[diagnostic(
        code(postgres::no_database),
        help("check the database's name at the end of the URL, or create it first")
    )]
    NoDatabase { address: String, source: Cause },

    #[error("{address} closed the connection")]
    #[diagnostic(
        code(postgres::connection_lost),
        help("the server was stopped, failed over, or ended the session; run the command again")
    )]
    Lost { address: String, source: Cause },

    #[error("the server answered: {0}")]
    #[diagnostic(code(postgres::refused), help("{}", .0.advice()))]
    Server(Box<ServerError>),

    #[error("the answer of the server is not what was asked for")]
    #[diagnostic(code(postgres::protocol), help("please report this with the version of the server and of liftlock"))]
    Protocol { source: Cause },

    #[error("another liftlock is at work on this database: {}", holders_shown(holders))]
    #[diagnostic(
        code(postgres::locked),
        help("waited {} s; run the command again when it is done", waited.as_secs())
    )]
    Locked { holders: Vec<OtherSession>, waited: Duration },

    #[error("{address} is {}, not {expected}", found_shown(found.as_ref()))]
    #[diagnostic(
        code(postgres::other_branch),
        help(
            "nothing was done there. Correct the URL, or `project` and `branch` of the environment's `neon:`; the Neon \
             console shows both under Branches, Connect"
        )
    )]
    OtherBranch { address: String, expected: NeonIdentity, found: Option<NeonIdentity> },

    #[error("the lock on {address} is gone")]
    #[diagnostic(
        code(postgres::lock_lost),
        help(
            "the session that held it was ended, or a pooler stands between; use the direct host and run the command again"
        )
    )]
    LockLost { address: String },
}

/// The cause of an error, as text that holds no secret.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Cause(pub String);

/// What the server said. `detail` and `where` are left out: they quote rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// Five characters: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub sqlstate: String,
    /// `ERROR`, `FATAL`, `PANIC`.
    pub severity: String,
    pub message: String,
    pub hint: Option<String>,
    /// Characters into the statement, counted from 1.
    pub position: Option<u32>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Goes away by itself: starting up, too many connections, a proxy that is busy.
    Transient,
    /// The connection is gone; what it did last is unknown.
    ConnectionLost,
    LockTimeout,
    Deadlock,
    SerializationFailure,
    StatementTimeout,
    /// Somebody, perhaps we, cancelled the statement.
    Cancelled,
    Permission,
    ReadOnly,
    Authentication,
    NoDatabase,
    /// Disk or memory is full.
    Resources,
    /// The object is in use by others.
    InUse,
    /// The URL or what it leads to is wrong.
    Address,
    /// Anything else: the statement is wrong, a constraint is violated.
    Other,
}

impl ServerError {
    pub fn kind(&self) -> FailureKind {
        match self.sqlstate.as_str() {
            "57P03" | "53300" => FailureKind::Transient,
            "57P01" | "57P02" | "57P05" | "25P03" => FailureKind::ConnectionLost,
            "55P03" => FailureKind::LockTimeout,
            "40P01" => FailureKind::Deadlock,
            "40001" => FailureKind::SerializationFailure,
            // A statement that ran out of time and one that was cancelled share a code.
            "57014" if self.message.contains("statement timeout") => FailureKind::StatementTimeout,
            "57014" => FailureKind::Cancelled,
            "42501" => FailureKind::Permission,
            "25006" => FailureKind::ReadOnly,
            "3D000" => FailureKind::NoDatabase,
            "55006" => FailureKind::InUse,
            state if state.starts_with("28") => FailureKind::Authentication,
            state if state.starts_with("08") => FailureKind::ConnectionLost,
            state if state.starts_with("53") || state.starts_with("58") => FailureKind::Resources,
            _ if proxy_is_busy(&self.message) => FailureKind::Transient,
            _ => FailureKind::Other,
        }
    }

    /// What a person can do about it.
    fn advice(&self) -> String {
        let general = match self.kind() {
            FailureKind::Transient => "the server is starting or busy; try again in a moment",
            FailureKind::ConnectionLost => "the session was ended; run the command again",
            FailureKind::LockTimeout => "somebody holds a lock on the table; try again when it is quieter",
            FailureKind::Deadlock | FailureKind::SerializationFailure => {
                "another transaction was in the way; run it again"
            }
            FailureKind::StatementTimeout => "raise `statement_timeout` of this environment, or split the statement",
            FailureKind::Cancelled => "the statement was cancelled; run the command again",
            FailureKind::Permission => "grant the role what it lacks, or connect as another role",
            FailureKind::ReadOnly => "this is a standby or a read-only session; use the primary's URL",
            FailureKind::Authentication => "check user and password in the URL",
            FailureKind::NoDatabase => "check the database's name at the end of the URL",
            FailureKind::Resources => "the server is out of disk, memory or connections; its operator must look",
            FailureKind::InUse => "others are using it; try again when they are gone",
            FailureKind::Address | FailureKind::Other => "",
        };
        match (&self.hint, general) {
            (Some(hint), _) => format!("the server's hint: {hint}"),
            (None, "") => format!("look up SQLSTATE {} in PostgreSQL's documentation, appendix A", self.sqlstate),
            (None, general) => general.to_owned(),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate)
    }
}

impl PostgresError {
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Server(error) => error.kind(),
            Self::Lost { .. } | Self::LockLost { .. } => FailureKind::ConnectionLost,
            Self::Unreachable { .. } => FailureKind::Transient,
            Self::LoginRefused { .. } => FailureKind::Authentication,
            Self::NoDatabase { .. } => FailureKind::NoDatabase,
            Self::Locked { .. } => FailureKind::InUse,
            Self::OtherBranch { .. } => FailureKind::Other,
            Self::Malformed { .. }
            | Self::UnknownParameter { .. }
            | Self::ParameterValue { .. }
            | Self::Unencrypted { .. }
            | Self::Pooled { .. }
            | Self::RootCertificates { .. }
            | Self::Encryption { .. } => FailureKind::Address,
            Self::Protocol { .. } => FailureKind::Other,
        }
    }

    /// What the server said, when it was the server.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }

    /// SQLSTATE, when the server sent one.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(|it| it.sqlstate.as_str())
    }

    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self.kind() {
            FailureKind::Address => Exit::Usage,
            FailureKind::Transient
            | FailureKind::ConnectionLost
            | FailureKind::LockTimeout
            | FailureKind::Deadlock
            | FailureKind::SerializationFailure
            | FailureKind::StatementTimeout
            | FailureKind::Cancelled
            | FailureKind::Permission
            | FailureKind::ReadOnly
            | FailureKind::Authentication
            | FailureKind::NoDatabase
            | FailureKind::Resources
            | FailureKind::InUse
            | FailureKind::Other => Exit::Service,
        }
    }
}

/// Neon's proxy says these with no code of their own; each goes away by itself.
fn proxy_is_busy(message: &str) -> bool {
    const BUSY: [&str; 6] = [
        "Couldn't connect to compute node",
        "Control plane request failed",
        "endpoint is temporarily unavailable",
        "Too many connections attempts",
        "Failed to acquire permit to connect",
        "the database system is starting up",
    ];
    BUSY.iter().any(|it| message.contains(it))
}

fn found_shown(found: Option<&NeonIdentity>) -> String {
    found.map_or_else(|| "no branch of Neon's, as far as it says".to_owned(), ToString::to_string)
}

fn holders_shown(holders: &[OtherSession]) -> String {
    match holders {
        [] => "it left this moment".to_owned(),
        _ => holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
