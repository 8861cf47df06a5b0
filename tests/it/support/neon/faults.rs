//! What a test can make the fake do: faults that hit single requests, and switches for whatever is not the same
//! everywhere or was never proven against the live service.
//!
//! Marks say where a behaviour is known from: S the API's specification, C first-party source code, D the
//! documentation, F reports of users, I inferred; `live?` is unproven, so both ways must be survived.

use std::time::Duration;

/// A fault for the requests that match.
#[derive(Debug, Clone)]
pub struct Fault {
    pub on: Call,
    /// So many matching requests pass before it.
    pub after: usize,
    /// So many are hit.
    pub times: usize,
    pub how: How,
}

impl Fault {
    /// Hits the next matching request.
    pub fn once(on: Call, how: How) -> Self {
        Self { on, after: 0, times: 1, how }
    }

    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub fn after(self, after: usize) -> Self {
        Self { after, ..self }
    }
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Any,
    AnyRead,
    /// POST, PATCH, PUT, DELETE.
    AnyMutation,
    CreateBranch,
    ReadBranch,
    ListBranches,
    DeleteBranch,
    Restore,
    ReadOperation,
    CreateEndpoint,
    DeleteEndpoint,
    ConnectionUri,
}

#[derive(Debug, Clone)]
pub enum How {
    /// Nothing is done, and this is said.
    Refuse(Answer),
    /// The request is done, or not, and the client does not learn which. [S: unsafe to repeat] [F: 524 as HTML]
    Lose(Done, Look),
}

/// Whether the request took effect before its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Yes,
    No,
}

/// What the client sees of a lost answer; the same whether it was done or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The connection closes without an answer.
    HangUp,
    /// It closes in the middle of a 2xx answer.
    Truncated,
    /// 524 with a page of the proxy. [F]
    Html524,
    /// 502 with plain text.
    Text502,
    /// 504 without a body.
    Empty504,
    /// 500 with the API's own form of an error.
    Json500,
}

/// An answer in the API's form of an error.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub message: &'static str,
    pub retry_after: RetryAfter,
}

/// live?: which of them Neon sends is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Absent,
    Seconds(u64),
    /// As an HTTP date so many seconds ahead.
    Date(u64),
    Text(&'static str),
}

pub fn answer(status: u16, message: &'static str) -> How {
    How::Refuse(Answer { status, message, retry_after: RetryAfter::Absent })
}

/// 429 or 503. [S: 503 is always safe to repeat] [D: 700 a minute]
pub fn throttled(status: u16, retry_after: RetryAfter) -> How {
    How::Refuse(Answer { status, message: "too many requests", retry_after })
}

/// How an operation ends. [S]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Finished,
    Skipped,
    Error,
    Cancelled,
    /// `failed` for a while, then tried again and finished. [D: `failed` is not an end]
    FailedThenFinished,
    FailedForGood,
    Never,
}

/// A plan's limits. [D]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Free,
    Launch,
    Scale,
}

impl Plan {
    /// Branches, roots among them, protected ones, manual snapshots.
    pub fn limits(self) -> (usize, usize, usize, usize) {
        match self {
            Self::Free => (10, 3, 0, 1),
            Self::Launch => (5000, 5, 2, 100),
            Self::Scale => (5000, 25, 5, 100),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free_v3",
            Self::Launch => "launch_v3",
            Self::Scale => "scale_v3",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Refused,
}

/// Whether open fields hold only values that the specification lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Known,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    All,
    /// Only those that the specification calls required.
    Required,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    Plain,
    /// The last page carries a cursor, and the page behind it is empty. [C: the SDK expects it]
    TrailingEmpty,
    /// Every page carries the same cursor.
    Repeating,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRestore {
    Stays,
    Changes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Full,
    /// 403 on all that changes something.
    ReadOnly,
    /// 403 on everything.
    Forbidden,
    /// 404 on everything, which also means "no access". [D]
    Hidden,
}

/// What computes say of their hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// Where they really are.
    Local,
    /// As Neon names them; nobody can connect there.
    Plain,
    Cell,
}

/// What is not the same everywhere.
#[derive(Debug, Clone)]
pub struct Switches {
    pub plan: Plan,
    pub access: Access,
    pub hosts: Hosts,
    /// How long an operation takes, by the fake's clock.
    pub operation_time: Duration,
    /// How the next operations end, one after the other; then they finish.
    pub endings: Vec<Ending>,
    /// Whether a mutation's answer names its operations.
    pub operations_named: Verdict,
    /// For so long after a mutation the list of operations is empty. [F]
    pub operations_unlisted: Duration,
    /// For so long a new branch cannot be read by its id. [C: Neon's own tests expect it]
    pub branch_unreadable: Duration,
    pub words: Words,
    pub fields: Fields,
    /// `parent_lsn` only when the operations have ended. [S: not final before]
    pub lsn_at_end: Verdict,
    pub pages: Pages,
    /// No page is longer.
    pub page_length: usize,
    /// Restoring a protected branch. live?
    pub restore_of_protected: Verdict,
    /// Restoring from a branch that expires. live?
    pub restore_from_expiring: Verdict,
    /// Setting `expires_at` at all. live? [S: early access; D: no word of it]
    pub expiry: Verdict,
    /// A read-only compute on a branch without another. live?
    pub lone_read_only: Verdict,
    /// `neon.timeline_id` of a branch that was restored. live?
    pub timeline: AfterRestore,
    /// Whether an annotation stays with its branch when that is restored, or goes with the old state. live?
    pub annotation: AfterRestore,
    /// Whether errors carry a `code`. live? [F: often empty]
    pub codes: Verdict,
    /// Whether passwords can be asked for. [S: 412]
    pub stored_passwords: Verdict,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            plan: Plan::Launch,
            access: Access::Full,
            hosts: Hosts::Local,
            operation_time: Duration::from_millis(30),
            endings: Vec::new(),
            operations_named: Verdict::Allowed,
            operations_unlisted: Duration::ZERO,
            branch_unreadable: Duration::ZERO,
            words: Words::Known,
            fields: Fields::All,
            lsn_at_end: Verdict::Refused,
            pages: Pages::Plain,
            page_length: 10_000,
            restore_of_protected: Verdict::Allowed,
            restore_from_expiring: Verdict::Allowed,
            expiry: Verdict::Allowed,
            lone_read_only: Verdict::Allowed,
            timeline: AfterRestore::Changes,
            annotation: AfterRestore::Stays,
            codes: Verdict::Refused,
            stored_passwords: Verdict::Allowed,
        }
    }
}
