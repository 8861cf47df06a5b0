//! What Neon does in the background: a call that changes something answers at once and names operations, and the
//! change is there when they have ended.

use std::time::{Duration, Instant};

use tokio::time;

use super::{
    Neon, NeonError,
    wire::{Branch, Id, Operation},
};

/// How operations are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    /// Between the first two looks; it doubles up to `longest`.
    pub first: Duration,
    pub longest: Duration,
    /// For all operations of one step together.
    pub deadline: Duration,
    /// How long one that `failed` may stay so: the service tries it again by itself.
    pub grace: Duration,
    /// How long something that was just made may be unknown to other parts of the service.
    pub appearing: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(5),
            deadline: Duration::from_secs(300),
            grace: Duration::from_secs(60),
            appearing: Duration::from_secs(30),
        }
    }
}

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Done,
    /// Also what a later version of the service calls something that we do not know.
    UnderWay,
    /// Failed, and perhaps about to be tried again.
    Troubled,
    Over,
}

/// The status of an operation: <https://api-docs.neon.tech/reference/getprojectoperation>.
pub fn stage(status: &str) -> Stage {
    match status {
        "finished" | "skipped" => Stage::Done,
        "failed" => Stage::Troubled,
        "error" | "cancelled" => Stage::Over,
        // `scheduling`, `running`, `cancelling`, and whatever comes.
        _ => Stage::UnderWay,
    }
}

/// The time that one step has, however many things it waits for.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    began: Instant,
    limit: Duration,
    pause: Duration,
    longest: Duration,
}

impl Deadline {
    pub fn of(polling: &Polling) -> Self {
        Self::within(polling, polling.deadline)
    }

    pub fn within(polling: &Polling, limit: Duration) -> Self {
        Self { began: Instant::now(), limit, pause: polling.first, longest: polling.longest }
    }

    pub fn is_over(&self) -> bool {
        self.began.elapsed() >= self.limit
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits before the next look, each time longer.
    pub async fn pause(&mut self) {
        time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.longest);
    }
}

impl Neon {
    /// Waits until these operations have ended well. An empty list says nothing: look at what they were to bring about.
    pub async fn settle(&self, operations: &[Operation], deadline: &mut Deadline) -> Result<(), NeonError> {
        for operation in operations {
            self.settle_one(operation.clone(), deadline).await?;
        }
        Ok(())
    }

    async fn settle_one(&self, mut operation: Operation, deadline: &mut Deadline) -> Result<(), NeonError> {
        let mut told = operation.status.clone();
        // Since when it stands as failed, and what the service said of its retries then.
        let mut trouble: Option<(Instant, i64, Option<String>)> = None;
        loop {
            match stage(&operation.status) {
                Stage::Done => return Ok(()),
                Stage::Over => return Err(NeonError::OperationFailed { operation: operation.into() }),
                Stage::UnderWay => trouble = None,
                Stage::Troubled => {
                    let now = (operation.failures_count, operation.retry_at.clone());
                    let since =
                        trouble.take().filter(|it| (it.1, it.2.clone()) == now).map_or_else(Instant::now, |it| it.0);
                    if since.elapsed() >= self.polling.grace {
                        return Err(NeonError::OperationFailed { operation: operation.into() });
                    }
                    trouble = Some((since, now.0, now.1));
                }
            }
            if deadline.is_over() {
                return Err(NeonError::OperationUnfinished { operation: operation.into(), waited: deadline.elapsed() });
            }
            deadline.pause().await;
            operation = match self.operation(&operation.id).await {
                Ok(operation) => operation,
                // Just made, and not known everywhere yet.
                Err(error) if error.is_not_found() && deadline.elapsed() < self.polling.appearing => continue,
                Err(error) => return Err(error),
            };
            if operation.status != told {
                self.notice(format!("Neon: {} is {}", operation.action, operation.status));
                told.clone_from(&operation.status);
            }
        }
    }

    /// Waits for whatever is under way on this branch, as far as the list shows it, which may lag behind.
    pub async fn quiet(&self, branch: &Id, deadline: &mut Deadline) -> Result<(), NeonError> {
        let open = |it: &Operation| {
            it.branch_id.as_deref() == Some(branch) && matches!(stage(&it.status), Stage::UnderWay | Stage::Troubled)
        };
        let operations: Vec<Operation> = self.recent_operations().await?.into_iter().filter(open).collect();
        // One that failed long ago and was never tried again is no reason to wait.
        let waiting: Vec<Operation> =
            operations.into_iter().filter(|it| stage(&it.status) == Stage::UnderWay).collect();
        for operation in waiting {
            match self.settle_one(operation, deadline).await {
                // How somebody else's work ends is not our affair.
                Ok(()) | Err(NeonError::OperationFailed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The branch once it is ready.
    pub async fn ready(&self, id: &Id, deadline: &mut Deadline) -> Result<super::wire::BranchAnswer, NeonError> {
        loop {
            let branch: Branch = match self.branch(id).await {
                Ok(answer) if answer.branch.is_ready() => return Ok(answer),
                Ok(answer) => answer.branch,
                Err(error) if error.is_not_found() && deadline.elapsed() < self.polling.appearing => {
                    deadline.pause().await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if deadline.is_over() {
                let waited = deadline.elapsed();
                return Err(NeonError::BranchUnfinished { branch: branch.name, state: branch.current_state, waited });
            }
            deadline.pause().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_means_one_thing() {
        for (status, expected) in [
            ("scheduling", Stage::UnderWay),
            ("running", Stage::UnderWay),
            ("cancelling", Stage::UnderWay),
            ("finished", Stage::Done),
            ("skipped", Stage::Done),
            ("failed", Stage::Troubled),
            ("error", Stage::Over),
            ("cancelled", Stage::Over),
            ("pondering", Stage::UnderWay),
            ("", Stage::UnderWay),
        ] {
            assert_eq!(stage(status), expected, "{status}");
        }
    }
}
