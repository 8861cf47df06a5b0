//! What Convex answers when it does not do what was asked, and what helps: one table, decided by status and codes;
//! by words only where Convex has no code. No message of Convex is shown: it may quote values and keys.
//!
//! Read in the source of the open backend, <https://github.com/get-convex/convex-backend>; not proven on the hosted
//! service, which has proxies of its own before it.

use miette::Diagnostic;
use serde_json::Value;
use thiserror::Error;

use super::super::Remedy;
use crate::{
    config::ProfileName,
    exit::Exit,
    services::http::{self, Advice, Failure, Repeat},
};

const DEPLOY: &str = "`liftlock convex init` writes them into the app's `convex/` folder; then `npx convex deploy`";

/// Why Convex did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum ConvexError {
    /// Nobody knows whether it was done.
    #[error("Convex did not answer: {reason}")]
    #[diagnostic(
        code(convex::unanswered),
        help("is {place} up? Run the same command again: it continues where it stopped")
    )]
    Unanswered { place: String, reason: String },
    #[error("Convex holds us back: {code}")]
    #[diagnostic(
        code(convex::held_back),
        help("the deployment writes as much as its class allows; run the same command again in a while")
    )]
    HeldBack { code: String },
    #[error("Convex is busy: {code}")]
    #[diagnostic(code(convex::busy), help("run the same command again in a while: it continues where it stopped"))]
    Busy { code: String },
    #[error("there is no deployment at {place}")]
    #[diagnostic(
        code(convex::no_deployment),
        help("compare `sync.to.convex` with the deployment's settings; a new one takes a minute")
    )]
    NoDeployment { place: String },
    #[error("too much for one transaction: {limit}")]
    #[diagnostic(code(convex::too_large), help("set a smaller `sync.batch_rows`"))]
    TooLarge { limit: String },
    #[error("the functions fail in the deployment{}", told(code, request))]
    #[diagnostic(
        code(convex::failed),
        help("its logs say why (`npx convex logs`, or the dashboard); `liftlock convex check` looks for usual causes")
    )]
    Failed { code: Option<String>, request: Option<String> },
    #[error("the deploy key is not one of this deployment")]
    #[diagnostic(
        code(convex::bad_key),
        help("make one in the deployment's settings and set the variable that `sync.to.deploy_key` names")
    )]
    BadKey,
    #[error("the deploy key may not: {operation}")]
    #[diagnostic(
        code(convex::not_permitted),
        help(
            "make a key with `deployment:functions:runInternalMutations`, `…runInternalQueries` and `deployment:data:view`"
        )
    )]
    NotPermitted { operation: String },
    #[error("Convex does not know who is asking")]
    #[diagnostic(code(convex::unauthorized), help("is a proxy before the deployment that takes `Authorization` away?"))]
    Unauthorized,
    #[error("a {kind} deploy key does not belong to an environment of profile `{profile}`")]
    #[diagnostic(code(convex::wrong_key), help("{}", key_help(profile)))]
    WrongKey { kind: &'static str, profile: &'static str },
    #[error("the deployment does not take the shared key")]
    #[diagnostic(
        code(convex::wrong_shared_key),
        help(
            "what `sync.to.sync_auth_key` names and the deployment's LIFTLOCK_SYNC_AUTH_KEY must be the same: `npx convex env set LIFTLOCK_SYNC_AUTH_KEY …`"
        )
    )]
    WrongSharedKey,
    #[error("the deployment's LIFTLOCK_SYNC_AUTH_KEY is {reason}")]
    #[diagnostic(
        code(convex::no_shared_key),
        help(
            "it takes 32 characters or more: `npx convex env set LIFTLOCK_SYNC_AUTH_KEY …`, the same as in `sync.to.sync_auth_key`"
        )
    )]
    NoSharedKey { reason: String },
    #[error("the deployment has no function `{path}`{}", also(request))]
    #[diagnostic(code(convex::no_function), help("{DEPLOY}"))]
    NoFunction { path: String, request: Option<String> },
    #[error("the deployed functions are of another version")]
    #[diagnostic(code(convex::version_mismatch), help("{DEPLOY}"))]
    VersionMismatch,
    #[error("the deployed functions do not know table `{table}`")]
    #[diagnostic(code(convex::no_table), help("{DEPLOY}"))]
    NoTable { table: String },
    #[error("two documents of `{table}` have one key")]
    #[diagnostic(
        code(convex::duplicate_key),
        help("the app has copied a document with its `neon`: delete the copy, or remove `neon` from it")
    )]
    DuplicateKey { table: String },
    #[error("the deployment does not run: {state}")]
    #[diagnostic(
        code(convex::stopped),
        help("see its plan and its settings in the dashboard; what was written stays, the same command continues")
    )]
    Stopped { state: &'static str },
    #[error("Convex does not understand the request: {code}")]
    #[diagnostic(code(convex::bad_request), help("is a proxy in between? Else please report it, with this code"))]
    BadRequest { code: String },
    #[error("an answer of the deployed functions cannot be read: {reason}")]
    #[diagnostic(code(convex::unreadable), help("{DEPLOY}"))]
    Unreadable { reason: String },
    /// Of the batch: what the caller knows as a failure of every mirror.
    #[error("the functions refused the batch: {0:?}")]
    #[diagnostic(code(convex::refused))]
    Refused(Refusal),
}

/// Refusals of a batch that every mirror has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    StaleRun,
    BatchMismatch,
    Unsorted,
    /// `position` in the batch's rows.
    Row {
        position: usize,
        reason: String,
    },
}

fn told(code: &Option<String>, request: &Option<String>) -> String {
    let code = code.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    format!("{code}{}", also(request))
}

fn also(request: &Option<String>) -> String {
    request.as_ref().map(|it| format!(" (request {it})")).unwrap_or_default()
}

fn key_help(profile: &str) -> &'static str {
    match profile {
        "production" => {
            "production takes a `prod:` key, or one of a server of your own: look at `sync.from` and the key's variable"
        }
        _ => {
            "only an environment of profile `production` may be carried into a production deployment: use a `dev:` or `preview:` key"
        }
    }
}

impl ConvexError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::WrongKey { .. } => Exit::Usage,
            Self::Unanswered { .. }
            | Self::HeldBack { .. }
            | Self::Busy { .. }
            | Self::NoDeployment { .. }
            | Self::TooLarge { .. }
            | Self::Failed { .. }
            | Self::BadKey
            | Self::NotPermitted { .. }
            | Self::Unauthorized
            | Self::WrongSharedKey
            | Self::NoSharedKey { .. }
            | Self::NoFunction { .. }
            | Self::VersionMismatch
            | Self::NoTable { .. }
            | Self::DuplicateKey { .. }
            | Self::Stopped { .. }
            | Self::BadRequest { .. }
            | Self::Unreadable { .. }
            | Self::Refused(_) => Exit::Service,
        }
    }

    /// What may help.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unanswered { .. } | Self::HeldBack { .. } | Self::Busy { .. } => Remedy::Again,
            Self::NoDeployment { .. } => Remedy::AgainBriefly,
            Self::TooLarge { .. } => Remedy::Smaller,
            // Without a deploy key a production deployment says no more than that it failed: the second of
            // computing and the memory of one call are such failures.
            Self::Failed { code: None, .. } => Remedy::PerhapsSmaller,
            Self::Failed { code: Some(_), .. }
            | Self::BadKey
            | Self::NotPermitted { .. }
            | Self::Unauthorized
            | Self::WrongKey { .. }
            | Self::WrongSharedKey
            | Self::NoSharedKey { .. }
            | Self::NoFunction { .. }
            | Self::VersionMismatch
            | Self::NoTable { .. }
            | Self::DuplicateKey { .. }
            | Self::Stopped { .. }
            | Self::BadRequest { .. }
            | Self::Unreadable { .. }
            | Self::Refused(_) => Remedy::None,
        }
    }

    /// Whether it says that we ask too much: the rate goes down.
    pub fn is_pressure(&self) -> bool {
        matches!(self, Self::HeldBack { .. } | Self::Busy { .. })
    }

    /// Whether the other tables can go on.
    pub fn is_of_one_table(&self) -> bool {
        matches!(self, Self::NoTable { .. } | Self::DuplicateKey { .. } | Self::Refused(_))
    }
}

/// The profile's name, as configured.
pub fn profile_name(profile: ProfileName) -> &'static str {
    match profile {
        ProfileName::Dev => "dev",
        ProfileName::Staging => "staging",
        ProfileName::Production => "production",
    }
}

/// What was asked: failures name it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub place: &'a str,
    /// `liftlock/sync:table`.
    pub path: &'a str,
    /// The table at the source, or nothing.
    pub table: &'a str,
    /// Bytes of the request's body.
    pub bytes: usize,
}

/// Convex takes 16 MiB and answers 400 to more; near that, the size is the likely cause.
const BODY_NEAR_LIMIT: usize = 15 * 1024 * 1024;

/// A full answer → the value, or how it failed. The table.
pub fn judge(asked: Asked<'_>, status: u16, body: &[u8]) -> Result<Value, ConvexError> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let text = |field: &str| answer.as_ref().and_then(|it| it[field].as_str());
    match (status, text("status")) {
        (200..=299 | 560, Some("success")) => {
            let mut answer = answer.expect("its status was read");
            return Ok(answer["value"].take());
        }
        (200..=299 | 560, Some("error")) => {
            let data = answer.as_ref().map_or(&Value::Null, |it| &it["errorData"]);
            return Err(thrown(asked, data, text("errorMessage").unwrap_or_default()));
        }
        _ => {}
    }
    Err(refused(asked, status, text("code"), text("message").unwrap_or_default()))
}

/// An answer that is not of a function: of the server, or of a proxy before it.
fn refused(asked: Asked<'_>, status: u16, code: Option<&str>, message: &str) -> ConvexError {
    let named = || code.map_or_else(|| status.to_string(), |it| plain(it).to_owned());
    let unanswered = |reason: String| ConvexError::Unanswered { place: asked.place.to_owned(), reason };
    match (status, code) {
        // Half of an answer, or somebody else's: what was asked may have been done.
        (200..=299, _) => unanswered("its answer is cut off, or not of Convex".to_owned()),
        (400, Some(limit)) if LIMIT_CODES.contains(&limit) => ConvexError::TooLarge { limit: limit.to_owned() },
        (400, Some("SystemTimeoutError")) => ConvexError::TooLarge { limit: "SystemTimeoutError".to_owned() },
        (400, Some("BadJsonBody")) if asked.bytes > BODY_NEAR_LIMIT => {
            ConvexError::TooLarge { limit: "body".to_owned() }
        }
        (401, _) => ConvexError::Unauthorized,
        (403, Some("BadDeployKey")) => ConvexError::BadKey,
        (403, Some("OperationNotPermitted")) => ConvexError::NotPermitted { operation: operation(message) },
        (404, _) => ConvexError::NoDeployment { place: asked.place.to_owned() },
        (408, _) => unanswered("it gave up after a timeout of its own".to_owned()),
        (421 | 425, _) => ConvexError::Busy { code: named() },
        (429, _) => ConvexError::HeldBack { code: named() },
        (503, _) => ConvexError::Busy { code: named() },
        (500..=599, _) => unanswered(format!("{status} {}", code.map_or("", plain)).trim_end().to_owned()),
        _ => {
            let failure = Failure::Status { status, retry_after: None, body: String::new() };
            match http::advice(&failure, Repeat::Harmless) {
                Advice::Retry | Advice::Reconcile => ConvexError::Busy { code: named() },
                Advice::Ask | Advice::Never => ConvexError::BadRequest { code: named() },
            }
        }
    }
}

const LIMIT_CODES: [&str; 5] =
    ["TooManyReads", "TooManyDocumentsRead", "TooManyBytesRead", "TooManyWrites", "TooManyBytesWritten"];

/// An error that a function ended with. `data` is ours when it has a code; `message` is only looked at.
fn thrown(asked: Asked<'_>, data: &Value, message: &str) -> ConvexError {
    let path = || asked.path.to_owned();
    let request = request(message);
    let text = |field: &str| data[field].as_str().map_or("unknown", plain).to_owned();
    match data["code"].as_str() {
        Some("LimitExceeded") => ConvexError::TooLarge { limit: text("limit") },
        Some("SyncUnauthorized") => ConvexError::WrongSharedKey,
        Some("SyncAuthNotConfigured") => ConvexError::NoSharedKey { reason: text("reason") },
        Some("VersionMismatch" | "ArgumentRefused") => ConvexError::VersionMismatch,
        Some("StaleRun") => ConvexError::Refused(Refusal::StaleRun),
        Some("BatchMismatch") => ConvexError::Refused(Refusal::BatchMismatch),
        Some("RowsNotSorted") => ConvexError::Refused(Refusal::Unsorted),
        Some("DuplicateKey") => ConvexError::DuplicateKey { table: asked.table.to_owned() },
        Some("RowRefused") => {
            let position = data["position"].as_f64().unwrap_or(f64::MAX) as usize;
            ConvexError::Refused(Refusal::Row { position, reason: text("reason") })
        }
        Some(code) => ConvexError::Failed { code: Some(plain(code).to_owned()), request },
        None => match WORDS.iter().find(|(words, _)| words.iter().any(|it| message.contains(it))).map(|it| it.1) {
            Some(Meaning::NoFunction) => ConvexError::NoFunction { path: path(), request },
            Some(Meaning::OtherArguments) => ConvexError::VersionMismatch,
            Some(Meaning::TooLarge(limit)) => ConvexError::TooLarge { limit: limit.to_owned() },
            Some(Meaning::Stopped(state)) => ConvexError::Stopped { state },
            None => ConvexError::Failed { code: None, request },
        },
    }
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    NoFunction,
    OtherArguments,
    TooLarge(&'static str),
    Stopped(&'static str),
}

/// Errors of functions without a code, by words that they have. The first that fits counts.
const WORDS: &[(&[&str], Meaning)] = &[
    (&["Could not find public function", "Could not find function", "Trying to execute"], Meaning::NoFunction),
    (&["ArgumentValidationError", "does not match validator"], Meaning::OtherArguments),
    (&["are too large", "is too large", "Arguments size"], Meaning::TooLarge("arguments")),
    (&["execution timed out", "timed out"], Meaning::TooLarge("time")),
    (&["out of memory"], Meaning::TooLarge("memory")),
    (
        &[
            "in a single function execution",
            "Too many reads",
            "Too many documents",
            "Too many bytes",
            "Too many writes",
        ],
        Meaning::TooLarge("reads or writes"),
    ),
    (&["paused", "is not running"], Meaning::Stopped("it is paused")),
    (&["free plan", "spending limit", "usage limit"], Meaning::Stopped("a limit of its plan is reached")),
    (&["suspended", "disabled"], Meaning::Stopped("it is suspended")),
];

/// A word that Convex chose, not anybody's value.
fn plain(code: &str) -> &str {
    let is_word = code.len() <= 64 && code.bytes().all(|it| it.is_ascii_alphanumeric() || b"_:.-".contains(&it));
    if is_word { code } else { "unknown" }
}

/// `deployment:…`, as the server names what a key lacks.
fn operation(message: &str) -> String {
    let word = message.split(|it: char| !(it.is_ascii_alphanumeric() || it == ':')).find(|it| it.contains(':'));
    word.map_or("what was asked", |it| plain(it.trim_end_matches(':'))).to_owned()
}

/// `[Request ID: …]`, by which the deployment's log is searched.
fn request(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("[Request ID: ")?;
    let (id, _) = rest.split_once(']')?;
    let is_id = id.len() <= 64 && id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
