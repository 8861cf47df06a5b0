//! Restore points as branches of a Neon project: made in seconds while everybody works on, without a compute, kept
//! until they expire.

mod compute;
mod mark;
mod restore;
mod room;

pub use self::{
    mark::{neon_backup_name, neon_preserve_name},
    restore::WayBack,
    room::Room,
};

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::{compute::until, mark::Demand};
use super::{
    Branch, BranchError, BranchState, Branches, Depth, NewBranch, Recorded, Restored, Verification, record_of,
};
use crate::{
    config::{self, NeonBranch},
    report::progress::{Event, Observe, Quiet},
    services::{
        neon::{Deadline, Id, Lsn, Neon, NeonError, wire},
        postgres::{self, Access, Address, NeonIdentity, Options, PostgresError, Session},
    },
};

/// How often a creation is sent whose answer was lost and whose branch is not there.
const MOST_ATTEMPTS: usize = 3;
/// How often it is looked for in between.
const LOOKS: usize = 5;

/// Branches of the one branch that an environment names, the source.
pub struct NeonBranches<'a> {
    neon: Neon,
    configured: NeonBranch,
    /// Of the source's database.
    address: Address,
    session: Option<&'a Session>,
    cancel: CancellationToken,
    observe: Arc<dyn Observe>,
}

impl<'a> NeonBranches<'a> {
    /// `address` is the source's own, direct one. Asks nobody yet.
    pub fn open(settings: &config::Neon, address: Address) -> Result<Self, BranchError> {
        Ok(Self {
            neon: Neon::open(settings)?,
            configured: settings.branch.clone(),
            address,
            session: None,
            cancel: CancellationToken::new(),
            observe: Arc::new(Quiet),
        })
    }

    /// Counts through this session with the source, which is outside a transaction.
    pub fn through(self, session: &'a Session) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Says what it waits for.
    pub fn observed(self, observe: Arc<dyn Observe>) -> Self {
        Self { neon: self.neon.observed(Arc::clone(&observe)), observe, ..self }
    }

    /// What is looked at is left tidy, also when this is cancelled.
    pub fn until(self, cancel: CancellationToken) -> Self {
        Self { cancel, ..self }
    }

    /// The API itself: its budgets can be set.
    pub fn neon(&mut self) -> &mut Neon {
        &mut self.neon
    }

    fn notice(&self, message: String) {
        self.observe.event(Event::Notice { message });
    }

    /// The branch that is configured, as it is now.
    pub async fn source(&self) -> Result<wire::Branch, BranchError> {
        Ok(self.neon.configured(&self.configured).await?)
    }

    pub async fn project(&self) -> Result<wire::Project, BranchError> {
        Ok(self.neon.project().await?)
    }

    /// What a connection to the source must say of itself.
    pub async fn identity(&self) -> Result<NeonIdentity, BranchError> {
        let branch = self.source().await?.id.to_string();
        Ok(NeonIdentity { project: self.neon.project_id().to_string(), branch })
    }

    /// What the source holds, and where its log is flushed to.
    async fn seen(&self, scope: &super::Scope) -> Result<(Recorded, Option<Lsn>), BranchError> {
        let opened = match self.session {
            Some(_) => None,
            None => {
                let options = Options {
                    application_name: "liftlock backup".to_owned(),
                    access: Access::ReadOnly,
                    neon: Some(self.identity().await?),
                    ..Options::default()
                };
                Some(postgres::connect(&self.address, &options).await?)
            }
        };
        let session = self.session.or(opened.as_ref()).expect("one of the two is there");
        let recorded = record_of(session, scope).await?;
        let row =
            session.query_one("select pg_current_wal_flush_lsn()::text", &[]).await.map_err(PostgresError::from)?;
        let lsn: String = row.get(0);
        if let Some(opened) = opened {
            opened.close().await;
        }
        Ok((recorded, Lsn::parse(&lsn)))
    }

    /// The restore point as it is now, with what is noted on it.
    async fn current(&self, branch: &Branch) -> Result<(wire::Branch, wire::Annotation), BranchError> {
        let found = self.neon.branch_named(&branch.name).await?;
        let Some((found, notes)) = found else { return Err(BranchError::NotFound { name: branch.name.clone() }) };
        let source = self.source().await?;
        let read = mark::read(self.neon.project_id(), &source.id, &found, &notes);
        match read.is_some_and(|it| it.nonce == branch.nonce) {
            true => Ok((found, notes)),
            false => Err(BranchError::Taken { name: branch.name.clone() }),
        }
    }

    /// Sends the creation until it is there exactly once.
    async fn made(&self, source: &Id, body: &wire::CreateBranch) -> Result<Made, BranchError> {
        let name = &body.branch.name;
        for attempt in 1.. {
            let error = match self.neon.create_branch(body).await {
                Ok(answer) => return Ok(Made::Now(Box::new(answer))),
                Err(error) if error.is_conflict() || error.is_unknown_outcome() => error,
                Err(error) => return Err(error.into()),
            };
            self.notice(format!("{error}; looking for `{name}`"));
            let pauses = &mut Deadline::of(&self.neon.polling);
            for _ in 0..LOOKS {
                if let Some((found, _)) = self.neon.branch_named(name).await? {
                    return Ok(Made::Before(found.id));
                }
                pauses.pause().await;
            }
            self.neon.quiet(source, pauses).await?;
            // Not there after all this: a name is given once, so asking again cannot make a second branch.
            if attempt >= MOST_ATTEMPTS || error.is_conflict() {
                return Err(error.into());
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Reads it back until it is what was asked for, or says what is not.
    async fn proven(
        &self,
        id: &Id,
        demand: Demand<'_>,
        deadline: &mut Deadline,
    ) -> Result<(wire::Branch, wire::Annotation), BranchError> {
        let appearing = self.neon.polling.appearing;
        loop {
            let answer = self.neon.ready(id, deadline).await?;
            let (branch, notes) = (answer.branch, answer.annotation.unwrap_or_default());
            let Some(what) = mark::unproven(&branch, &notes, demand) else { return Ok((branch, notes)) };
            // Some facts come a little later than the state.
            let may_come = branch.parent_lsn.is_none() || notes.value.is_empty();
            if !may_come || deadline.elapsed() >= appearing {
                return Err(BranchError::Unproven { name: branch.name, what });
            }
            deadline.pause().await;
        }
    }

    /// What it held, as far as that is written down: on the branch, and more exactly in the source's own records.
    async fn recorded(&self, branch: &Branch) -> Result<Recorded, BranchError> {
        let options =
            Options { application_name: "liftlock backup".to_owned(), access: Access::ReadOnly, ..Options::default() };
        let opened = match self.session {
            Some(_) => None,
            // The source may be what was lost.
            None => postgres::connect(&self.address, &options).await.ok(),
        };
        let Some(session) = self.session.or(opened.as_ref()) else { return Ok(branch.recorded.clone()) };
        let noted = noted(session, &branch.nonce).await;
        if let Some(opened) = opened {
            opened.close().await;
        }
        Ok(noted?.unwrap_or_else(|| branch.recorded.clone()))
    }
}

/// How a branch came about.
enum Made {
    Now(Box<wire::BranchAnswer>),
    /// By an attempt whose answer was lost.
    Before(Id),
}

impl Branches for NeonBranches<'_> {
    async fn create(&self, new: &NewBranch) -> Result<Branch, BranchError> {
        match until(&self.cancel, self.created(new)).await {
            // Neon may be at it: whoever asks for the same again gets it.
            Err(BranchError::Cancelled) => Err(BranchError::MaybeMade { name: new.name.clone() }),
            other => other,
        }
    }

    async fn list(&self) -> Result<Vec<Branch>, BranchError> {
        let source = self.source().await?;
        let all = self.neon.branches(None).await?;
        let ours =
            all.iter().filter_map(|(branch, notes)| mark::read(self.neon.project_id(), &source.id, branch, notes));
        let mut ours: Vec<Branch> = ours.collect();
        ours.sort_by_key(|it| std::cmp::Reverse(it.created_at));
        Ok(ours)
    }

    async fn verify(&self, branch: &Branch, depth: Depth) -> Result<Verification, BranchError> {
        let (found, notes) = self.current(branch).await?;
        if !found.is_ready() {
            return Err(BranchError::Incomplete { name: branch.name.clone() });
        }
        let mut differences = Vec::new();
        match (found.parent_lsn(), branch.lsn.as_deref().and_then(Lsn::parse)) {
            (Some(now), Some(then)) if now == then => {}
            (now, then) => {
                let shown = |it: Option<Lsn>| it.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
                differences.push(format!("its place in the log is {}, not {}", shown(now), shown(then)));
            }
        }
        differences.extend(mark::stale(&found, &notes));
        if found.expires_at().is_some_and(|it| it <= Timestamp::now()) {
            differences.push("it has expired, and may vanish at any moment".to_owned());
        }
        if depth == Depth::Outside {
            return Ok(Verification { tables: 0, rows: 0, depth, differences });
        }
        let recorded = self.recorded(branch).await?;
        if recorded.fingerprint.is_empty() {
            differences.push("nothing was recorded of what it holds".to_owned());
        }
        let there = self.inside(&found.id, async |session| Ok(record_of(session, &recorded.scope()).await?)).await?;
        differences.extend(recorded.differences(&there));
        Ok(Verification { tables: there.rows.len(), rows: there.total_rows(), depth, differences })
    }

    async fn delete(&self, branch: &Branch) -> Result<(), BranchError> {
        let (found, _) = match self.current(branch).await {
            Err(BranchError::NotFound { .. }) => return Ok(()),
            other => other?,
        };
        let children = self.neon.branches(None).await?;
        let children = children.iter().filter(|it| it.0.parent_id.as_deref() == Some(&*found.id)).count();
        let refused = match (found.default, found.protected, children) {
            (true, _, _) => Some("it is the project's default branch".to_owned()),
            (_, true, _) => Some("it is protected".to_owned()),
            (_, _, 1..) => Some(format!("{children} other branches come from it")),
            (false, false, 0) => None,
        };
        if let Some(why) = refused {
            return Err(BranchError::Obstacle {
                evidence: format!("`{}` is not deleted: {why}", branch.name),
                fix: "change that in the Neon console first, if you mean it; liftlock never does so".to_owned(),
            });
        }
        let deadline = &mut Deadline::of(&self.neon.polling);
        loop {
            match self.neon.delete_branch(&found.id).await {
                Ok(operations) => self.neon.settle(&operations, deadline).await?,
                Err(NeonError::NotFound { .. }) => {}
                Err(error) if error.is_unknown_outcome() && !deadline.is_over() => deadline.pause().await,
                Err(error) => return Err(error.into()),
            }
            // Gone means that the project can be read and the branch cannot.
            match self.neon.branch(&found.id).await {
                Err(NeonError::NotFound { .. }) => {
                    self.neon.project().await?;
                    return Ok(());
                }
                Ok(_) if deadline.is_over() => {
                    let waited = deadline.elapsed();
                    return Err(
                        NeonError::BranchUnfinished { branch: found.name, state: "there".to_owned(), waited }.into()
                    );
                }
                Ok(_) => deadline.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn restore(&self, branch: &Branch, preserve_under_name: &str) -> Result<Restored, BranchError> {
        if branch.state == BranchState::Incomplete {
            return Err(BranchError::Incomplete { name: branch.name.clone() });
        }
        self.put_back(branch, preserve_under_name).await
    }
}

impl NeonBranches<'_> {
    async fn created(&self, new: &NewBranch) -> Result<Branch, BranchError> {
        let source = self.source().await?;
        let found = self.neon.branch_named(&new.name).await?;
        let (before, lsn) = self.seen(&new.scope).await?;
        let expires_at = new.expires_at.map(|it| mark::expiry(it, Timestamp::now()));
        let body = wire::CreateBranch {
            branch: wire::NewBranch {
                parent_id: source.id.clone(),
                name: new.name.clone(),
                init_source: wire::InitSource::ParentData,
                expires_at: expires_at.map(mark::shown),
            },
            annotation_value: mark::notes(new, &source.id, &before, lsn),
        };
        let made = match found {
            Some((found, notes)) => {
                let ours = mark::read(self.neon.project_id(), &source.id, &found, &notes);
                if ours.is_none_or(|it| it.nonce != new.nonce) {
                    return Err(BranchError::Taken { name: new.name.clone() });
                }
                Made::Before(found.id)
            }
            None => self.made(&source.id, &body).await?,
        };
        let deadline = &mut Deadline::of(&self.neon.polling);
        let (id, lsn, expires_at) = match &made {
            Made::Now(answer) => {
                self.neon.settle(answer.operations.as_deref().unwrap_or_default(), deadline).await?;
                (&answer.branch.id, answer.branch.parent_lsn.as_deref(), expires_at)
            }
            Made::Before(id) => (id, None, None),
        };
        let demand = Demand {
            nonce: &new.nonce,
            source: &source.id,
            lsn,
            expires_at,
            must_expire: new.expires_at.is_some(),
            now: Timestamp::now(),
        };
        let (branch, notes) = match self.proven(id, demand, deadline).await {
            Err(BranchError::Unproven { name, .. })
                if matches!(made, Made::Before(_)) && !self.is_ours(id, new).await? =>
            {
                return Err(BranchError::Taken { name });
            }
            other => other?,
        };
        let read = mark::read(self.neon.project_id(), &source.id, &branch, &notes);
        let read = read.ok_or_else(|| BranchError::Unproven {
            name: branch.name.clone(),
            what: "what was noted on it is not there".to_owned(),
        })?;
        let recorded = self.counted(read.recorded.clone(), &before, new).await?;
        Ok(Branch { recorded, ..read })
    }

    async fn is_ours(&self, id: &Id, new: &NewBranch) -> Result<bool, BranchError> {
        let answer = self.neon.branch(id).await?;
        let source = self.source().await?;
        let read =
            mark::read(self.neon.project_id(), &source.id, &answer.branch, &answer.annotation.unwrap_or_default());
        Ok(read.is_some_and(|it| it.nonce == new.nonce))
    }

    /// Counts again: what the branch holds lies between what was seen before it was made and what is seen now.
    async fn counted(&self, noted: Recorded, before: &Recorded, new: &NewBranch) -> Result<Recorded, BranchError> {
        // One that an earlier attempt made was counted before that.
        let first = if noted.rows.is_empty() { before.clone() } else { noted };
        let (after, _) = self.seen(&new.scope).await?;
        let recorded = first.until(&after);
        if let Some(session) = self.session {
            note(session, &new.nonce, &recorded).await?;
        }
        Ok(recorded)
    }
}

const THERE: &str = "select to_regclass('liftlock.restore_points') is not null";

async fn note(session: &Session, nonce: &str, recorded: &Recorded) -> Result<(), PostgresError> {
    if !session.query_one(THERE, &[]).await?.get::<_, bool>(0) {
        return Ok(());
    }
    let text = serde_json::to_string(recorded).expect("a map with text keys is always JSON");
    // The first is the nearest to its making.
    let sql =
        "insert into liftlock.restore_points (nonce, recorded) values ($1, $2::text::jsonb) on conflict do nothing";
    session.execute(sql, &[&nonce, &text]).await?;
    Ok(())
}

async fn noted(session: &Session, nonce: &str) -> Result<Option<Recorded>, PostgresError> {
    if !session.query_one(THERE, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "select recorded::text from liftlock.restore_points where nonce = $1";
    let row = session.query_opt(sql, &[&nonce]).await?;
    Ok(row.and_then(|it| serde_json::from_str(it.get(0)).ok()))
}

/// The direct host beside a pooler, as Neon itself names it; `None` when it cannot be asked.
pub async fn direct_host(settings: &config::Neon) -> Option<String> {
    let neon = Neon::open(settings).ok()?;
    let branch = neon.configured(&settings.branch).await.ok()?;
    neon.direct_host(&branch.id).await.ok()?
}
