//! What the fake remembers: one project, its branches, computes, operations; and a clock that a test can move.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::faults::{Ending, Fault, Switches};

pub struct State {
    pub project: Project,
    /// The oldest first.
    pub branches: Vec<Branch>,
    pub endpoints: Vec<Endpoint>,
    pub operations: Vec<Operation>,
    pub snapshots: Vec<Snapshot>,
    pub points: Vec<Point>,
    pub switches: Switches,
    pub faults: Vec<Fault>,
    pub requests: Vec<Request>,
    /// Locked by something that no list of operations shows. [F: the availability checker]
    pub locked_until: Option<Timestamp>,
    pub clock: Clock,
}

/// The machine's clock, and how far a test has moved it.
#[derive(Default)]
pub struct Clock {
    ahead: SignedDuration,
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    pub fn advance(&mut self, by: Duration) {
        self.ahead += SignedDuration::try_from(by).unwrap();
    }
}

pub struct Project {
    pub id: String,
    pub name: String,
    pub created_at: Timestamp,
    pub history_retention: Duration,
}

/// A request as it came. The key is not in it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Without the prefix of all paths: `/projects/p/branches`.
    pub path: String,
    pub query: String,
    pub body: Option<Value>,
    pub user_agent: String,
    /// `None`: the connection was closed without an answer.
    pub status: Option<u16>,
}

impl Request {
    pub fn is_mutation(&self) -> bool {
        self.method != "GET"
    }
}

#[derive(Debug, Clone)]
pub struct Branch {
    pub id: String,
    pub name: String,
    /// `None`: a root.
    pub parent: Option<String>,
    pub parent_lsn: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub default: bool,
    pub protected: bool,
    pub state: &'static str,
    pub annotation: BTreeMap<String, String>,
    pub data: Data,
    pub timeline: String,
    pub last_reset_at: Option<Timestamp>,
    pub restored_from: Option<String>,
    pub restore_status: Option<&'static str>,
    pub restricted: Vec<(&'static str, &'static str)>,
    /// Whether it may be deleted although it is a root. [D: what was kept of one that was restored from itself]
    pub deletable_root: bool,
    pub roles: Vec<Role>,
    pub databases: Vec<String>,
}

impl Branch {
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}

/// Where a branch's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// It is being copied.
    Underway,
    /// Never written to since it was made: the point's data, by its place in the list.
    Point(usize),
    Own(Utf8PathBuf),
}

#[derive(Debug, Clone)]
pub struct Role {
    pub name: String,
    pub password: String,
}

/// A state of a branch that is kept: what the storage's history is to Neon.
#[derive(Debug, Clone)]
pub struct Point {
    /// To whose history it belongs.
    pub branch: String,
    pub lsn: String,
    pub at: Timestamp,
    pub data: Utf8PathBuf,
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: String,
    pub branch: String,
    pub kind: String,
    pub state: &'static str,
    pub name: Option<String>,
    pub created_at: Timestamp,
    /// `0` until it has started once; then it keeps it.
    pub port: u16,
}

#[derive(Debug, Clone)]
pub struct Snapshot {
    pub id: String,
    pub name: String,
    pub source: String,
    pub point: usize,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub id: Uuid,
    pub action: &'static str,
    pub branch: Option<String>,
    pub endpoint: Option<String>,
    pub created_at: Timestamp,
    pub takes: Duration,
    pub ending: Ending,
    pub work: Work,
    pub effect: Effect,
    /// Its effect was applied, or never will be.
    pub settled: bool,
}

/// What really has to be done for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Underway,
    Done,
    /// The fake itself failed.
    Failed(String),
}

/// What becomes visible when an operation ends well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    BranchReady(String),
    BranchGone(String),
    EndpointActive(String),
    EndpointIdle(String),
    EndpointGone(String),
}

impl State {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn branch(&self, id: &str) -> Option<&Branch> {
        self.branches.iter().find(|it| it.id == id)
    }

    pub fn branch_mut(&mut self, id: &str) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|it| it.id == id)
    }

    pub fn children(&self, id: &str) -> usize {
        self.branches.iter().filter(|it| it.parent.as_deref() == Some(id)).count()
    }

    /// The compute that may write.
    pub fn writer(&self, branch: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|it| it.branch == branch && it.kind == "read_write")
    }

    pub fn endpoint_mut(&mut self, id: &str) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|it| it.id == id)
    }

    /// Applies the effects of operations that have ended by now.
    pub fn settle(&mut self) {
        let now = self.now();
        let mut effects = Vec::new();
        for operation in self.operations.iter_mut().filter(|it| !it.settled) {
            let status = operation.status(now);
            if matches!(status, "finished" | "skipped") {
                effects.push(operation.effect.clone());
            }
            operation.settled = !matches!(status, "scheduling" | "running" | "failed");
        }
        effects.into_iter().for_each(|it| self.apply(it, now));
    }

    fn apply(&mut self, effect: Effect, now: Timestamp) {
        let mut endpoint = |id: &str, state| {
            if let Some(endpoint) = self.endpoint_mut(id) {
                endpoint.state = state;
            }
        };
        match effect {
            Effect::Nothing => {}
            Effect::EndpointActive(id) => endpoint(&id, "active"),
            Effect::EndpointIdle(id) => endpoint(&id, "idle"),
            Effect::EndpointGone(id) => self.endpoints.retain(|it| it.id != id),
            Effect::BranchGone(id) => {
                self.branches.retain(|it| it.id != id);
                self.endpoints.retain(|it| it.branch != id);
            }
            Effect::BranchReady(id) => {
                if let Some(branch) = self.branch_mut(&id) {
                    branch.state = "ready";
                    branch.updated_at = now;
                }
            }
        }
    }

    /// Whether anything is under way that other mutations must wait for. [S: 423]
    pub fn is_locked(&self) -> bool {
        let now = self.now();
        let locked = self.locked_until.is_some_and(|until| now < until);
        locked || self.operations.iter().any(|it| matches!(it.status(now), "scheduling" | "running"))
    }
}

/// `br-ab12cd34`, as the API's ids look.
pub fn new_id(prefix: &str) -> String {
    format!("{prefix}-silent-pond-{:08x}", rand::random::<u32>())
}

pub fn new_secret() -> String {
    format!("npg_{:016x}", rand::random::<u64>())
}

/// A timeline of Neon's storage: 32 hexadecimal digits.
pub fn new_timeline() -> String {
    format!("{:032x}", rand::random::<u128>())
}
