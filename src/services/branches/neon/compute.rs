//! A compute for as long as somebody looks into a branch: it carries our mark, and is deleted in every way out. One
//! that a killed process has left is found by its mark and deleted by the next that comes by.

use std::{sync::Mutex, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::NeonBranches;
use crate::services::{
    branches::BranchError,
    neon::{Deadline, Id, NeonError, wire},
    postgres::{self, Access, Address, NeonIdentity, Options, Session},
};

/// How the names of our computes begin.
const MARK: &str = "liftlock-look-";
/// A compute of ours on another branch that is older than this belongs to nobody any more.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(30);
/// A compute that starts from nothing takes seconds; on an archived branch, longer.
const STARTING: Duration = Duration::from_secs(60);

fn is_ours(endpoint: &wire::Endpoint) -> bool {
    endpoint.name.as_deref().is_some_and(|it| it.starts_with(MARK))
}

impl NeonBranches<'_> {
    /// Does `work` in a session with this branch, which cannot write.
    pub(super) async fn inside<T>(
        &self,
        branch: &Id,
        work: impl AsyncFnOnce(&Session) -> Result<T, BranchError>,
    ) -> Result<T, BranchError> {
        let made = Mutex::new(None);
        let looked = async {
            self.compute(branch, &made).await?;
            let session = self.open_branch(branch).await?;
            let done = work(&session).await;
            session.close().await;
            done
        };
        let done = until(&self.cancel, looked).await;
        // Whatever came of it. A failure to delete is told only when there is no other: the mark stays.
        let made = made.into_inner().expect("nothing panics while it is held");
        let swept = self.sweep(branch, made.as_ref()).await;
        let done = done?;
        swept?;
        Ok(done)
    }

    /// A compute that is up: one that is there, or a new one of ours, which is `made` as soon as it is known.
    async fn compute(&self, branch: &Id, made: &Mutex<Option<Id>>) -> Result<(), BranchError> {
        let deadline = &mut Deadline::of(&self.neon.polling);
        let suffix: String = branch.trim_start_matches("br-").chars().take(48).collect();
        let body = wire::CreateEndpoint {
            endpoint: wire::NewEndpoint {
                branch_id: branch.clone(),
                kind: wire::EndpointKind::ReadWrite,
                name: format!("{MARK}{suffix}"),
            },
        };
        loop {
            let there = self.neon.endpoints(branch).await?;
            match there.iter().find(|it| it.kind == "read_write" && !it.disabled) {
                // If it is never said to be up, the connection tells.
                Some(it) if it.is_up() || deadline.is_over() => return Ok(()),
                Some(_) => {
                    deadline.pause().await;
                    continue;
                }
                None => {}
            }
            match self.neon.create_endpoint(&body).await {
                // That its operations have ended, or that none are named, does not prove that it is up.
                Ok(answer) => {
                    *made.lock().expect("nothing panics while it is held") = Some(answer.endpoint.id);
                    self.neon.settle(&answer.operations.unwrap_or_default(), deadline).await?;
                    continue;
                }
                // A branch has one such compute at most, so asking again after a look cannot make a second.
                Err(error) if (error.is_unknown_outcome() || error.is_conflict()) && !deadline.is_over() => {}
                Err(error) => return Err(error.into()),
            }
            deadline.pause().await;
        }
    }

    /// A session with the branch itself: its own URL, its own password, and proof that it is this branch.
    async fn open_branch(&self, branch: &Id) -> Result<Session, BranchError> {
        let (database, role) = (&self.address.database, &self.address.user);
        let address = Address::parse(&self.neon.connection_uri(branch, database, role).await?)?;
        let options = Options {
            application_name: "liftlock backup".to_owned(),
            access: Access::ReadOnly,
            retry_for: STARTING,
            neon: Some(NeonIdentity { project: self.neon.project_id().to_string(), branch: branch.to_string() }),
            ..Options::default()
        };
        Ok(postgres::connect(&address, &options).await?)
    }

    /// Deletes the compute that was made, ours on this branch, and forgotten ones on others.
    async fn sweep(&self, branch: &Id, made: Option<&Id>) -> Result<(), BranchError> {
        let now = Timestamp::now();
        let ended = |it: &wire::Endpoint| {
            let forgotten = it.created_at().is_some_and(|made| now.duration_since(made) > FORGOTTEN);
            let here = it.branch_id.as_deref() == Some(&**branch);
            Some(&it.id) == made || (is_ours(it) && (here || forgotten))
        };
        let deadline = &mut Deadline::of(&self.neon.polling);
        for endpoint in self.neon.all_endpoints().await?.iter().filter(|it| ended(it)) {
            loop {
                match self.neon.delete_endpoint(&endpoint.id).await {
                    Ok(operations) => {
                        self.neon.settle(&operations, deadline).await?;
                        break;
                    }
                    Err(NeonError::NotFound { .. }) => break,
                    // The id is never given to another: a second time does no harm.
                    Err(error) if error.is_unknown_outcome() && !deadline.is_over() => deadline.pause().await,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// What comes first.
pub(super) async fn until<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, BranchError>>,
) -> Result<T, BranchError> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(BranchError::Cancelled),
    }
}
