//! Operations: what a mutation starts and a client must wait for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use super::{
    faults::{Ending, Fields, Verdict, Words},
    state::{Effect, Operation, State, Work},
    wire::{Answered, Inner, Query, Refusal, not_found},
};

/// What has to be done for an operation, besides waiting.
pub type Job = Box<dyn FnOnce(&Inner) + Send>;

/// An operation that is about to begin.
pub struct Begin {
    pub action: &'static str,
    pub branch: Option<String>,
    pub endpoint: Option<String>,
    pub effect: Effect,
    pub job: Job,
}

impl Operation {
    /// [S: the statuses; D: `failed` may be tried again]
    pub fn status(&self, now: Timestamp) -> &'static str {
        if let Work::Failed(_) = self.work {
            return "error";
        }
        let age = Duration::try_from(now.duration_since(self.created_at)).unwrap_or_default();
        if age < self.takes / 3 {
            return "scheduling";
        }
        if age < self.takes || self.ending == Ending::Never {
            return "running";
        }
        match self.ending {
            Ending::Error => "error",
            Ending::Cancelled => "cancelled",
            Ending::FailedForGood => "failed",
            Ending::FailedThenFinished if age < self.takes * 2 => "failed",
            _ if self.work == Work::Underway => "running",
            Ending::Skipped => "skipped",
            Ending::Finished | Ending::FailedThenFinished | Ending::Never => "finished",
        }
    }

    /// [S: `retry_at` is the time of the last attempt]
    pub fn shown(&self, state: &State) -> Value {
        let now = state.now();
        let status = self.status(now);
        let unknown = state.switches.words == Words::Unknown;
        let failed = status == "failed";
        let error = match &self.work {
            Work::Failed(said) => Some(said.as_str()),
            _ if failed || status == "error" => Some("compute node did not answer"),
            _ => None,
        };
        state.lean(
            json!({
                "id": self.id, "project_id": state.project.id, "branch_id": self.branch, "endpoint_id": self.endpoint,
                "action": if unknown { "defragment_timeline" } else { self.action },
                "status": if unknown && status == "running" { "warming_up" } else { status },
                "failures_count": i32::from(failed), "created_at": self.created_at, "updated_at": now,
                "total_duration_ms": 1, "error": error, "retry_at": failed.then_some(self.created_at),
            }),
            &["branch_id", "endpoint_id", "error", "retry_at"],
        )
    }
}

impl State {
    /// 423 while anything runs. [S] The message is known from reports, `code` is empty. [F]
    pub fn unlocked(&self) -> Result<(), Refusal> {
        let message =
            "project already has running conflicting operations, scheduling of new ones is prohibited".to_owned();
        if self.is_locked() { Err(Refusal::new(423, message)) } else { Ok(()) }
    }

    /// Takes down the operations of one mutation; [`perform`] does their work.
    pub fn begin(&mut self, all: Vec<Begin>) -> (Vec<Uuid>, Vec<(Uuid, Job)>) {
        let (mut ids, mut jobs) = (Vec::new(), Vec::new());
        for begin in all {
            let endings = &mut self.switches.endings;
            let ending = if endings.is_empty() { Ending::Finished } else { endings.remove(0) };
            // What never ends well is never done.
            let done = matches!(ending, Ending::Finished | Ending::Skipped | Ending::FailedThenFinished);
            let operation = Operation {
                id: Uuid::new_v4(),
                action: begin.action,
                branch: begin.branch,
                endpoint: begin.endpoint,
                created_at: self.clock.now(),
                takes: self.switches.operation_time,
                ending,
                work: if done { Work::Underway } else { Work::Done },
                effect: begin.effect,
                settled: false,
            };
            if done {
                jobs.push((operation.id, begin.job));
            }
            ids.push(operation.id);
            self.operations.push(operation);
        }
        (ids, jobs)
    }

    /// As a mutation's answer shows its operations.
    pub fn operations_shown(&self, ids: &[Uuid]) -> Vec<Value> {
        self.operations.iter().filter(|it| ids.contains(&it.id)).map(|it| it.shown(self)).collect()
    }
}

/// Does the work of operations, one after the other, whatever becomes of the client meanwhile.
pub fn perform(inner: &Arc<Inner>, jobs: Vec<(Uuid, Job)>) -> JoinHandle<()> {
    let inner = Arc::clone(inner);
    spawn_blocking(move || {
        for (id, job) in jobs {
            let done = catch_unwind(AssertUnwindSafe(|| job(&inner)));
            let mut state = inner.state();
            let Some(operation) = state.operations.iter_mut().find(|it| it.id == id) else { continue };
            operation.work = match done {
                Ok(()) => Work::Done,
                Err(_) => Work::Failed("the fake itself failed; its message is on stderr".to_owned()),
            };
        }
    })
}

pub fn read(state: &State, id: &str) -> Answered {
    let operation = state.operations.iter().find(|it| it.id.to_string() == id);
    let operation = operation.ok_or_else(|| not_found("operation"))?;
    Ok((200, Some(json!({ "operation": operation.shown(state) }))))
}

/// The newest first. Eventually consistent: an answer to one of its own mutations may be missing. [F]
pub fn list(state: &State, query: &Query) -> Answered {
    let hidden = SignedDuration::try_from(state.switches.operations_unlisted).unwrap();
    let listed = |it: &&Operation| state.now().duration_since(it.created_at) >= hidden;
    let all: Vec<Value> = state.operations.iter().rev().filter(listed).map(|it| it.shown(state)).collect();
    state.page(all, "operations", "cursor", query)
}

impl State {
    /// Leaves out empty fields; and, when told so, all that the specification does not require. Adds what no
    /// specification knows, when told so.
    pub fn lean(&self, mut value: Value, optional: &[&str]) -> Value {
        let fields = value.as_object_mut().expect("an object");
        fields.retain(|_, value| !value.is_null());
        if self.switches.fields == Fields::Required {
            fields.retain(|name, _| !optional.contains(&name.as_str()));
        }
        if self.switches.words == Words::Unknown {
            fields.insert("flux_capacity".to_owned(), json!({ "gigawatts": 1.21 }));
        }
        value
    }

    pub fn code(&self, code: &'static str) -> &'static str {
        if self.switches.codes == Verdict::Allowed { code } else { "" }
    }
}
