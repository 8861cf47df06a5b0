//! Putting the source back: from itself at the recorded place while its history reaches there, else from the backup.
//!
//! What it held is always kept, under a name that every attempt at one restore shares: Neon gives a name once, so the
//! same restore cannot happen twice, whatever becomes of an answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{NeonBranches, compute::until, mark};
use crate::services::{
    branches::{Branch, BranchError, Restored, carry},
    neon::{Deadline, Id, NeonError, wire},
    postgres::{self, Options, Session},
};

/// How a restore point would be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayBack {
    /// The source from its own history: what it held stays deletable.
    Itself { lsn: String },
    /// From the backup branch. What the source held can never be deleted then, if the source is a root branch
    /// (<https://neon.com/docs/manage/branches>).
    Backup { because: String },
}

impl WayBack {
    /// One sentence.
    pub fn shown(&self) -> String {
        match self {
            Self::Itself { lsn } => format!("it is restored from its own history, at {lsn}"),
            Self::Backup { because } => format!("it is restored from the backup branch, because {because}"),
        }
    }
}

/// The far end of a history moves on while we decide.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// A place must lie behind the moment when a branch was made or restored.
const BEHIND: SignedDuration = SignedDuration::from_secs(1);

/// Where the history of a branch begins is the latest of three: when it was made, when it was restored last, and as far
/// back as the project keeps it (<https://neon.com/docs/introduction/branch-restore>). Pure. `made` of the restore point
/// is by Neon's clock.
pub fn way_back(branch: &Branch, source: &wire::Branch, retention_seconds: Option<i64>, now: Timestamp) -> WayBack {
    let backup = |because: &str| WayBack::Backup { because: because.to_owned() };
    let (Some(lsn), Some(made)) = (&branch.lsn, branch.created_at) else {
        return backup("it is not known where in the history it is");
    };
    // A branch that was made from another has no history of its own before that.
    if source.parent_id.is_some() {
        return backup("the source is no root branch, and only those have a history of their own");
    }
    let Some(kept) = retention_seconds.map(SignedDuration::from_secs) else {
        return backup("the project does not say how long its history is");
    };
    if source.last_reset_at().is_some_and(|it| made < it + BEHIND) {
        return backup("the source was restored since");
    }
    if now.duration_since(made) + MARGIN > kept || source.created_at().is_some_and(|it| made < it + BEHIND) {
        return backup("the source's history does not reach back so far");
    }
    WayBack::Itself { lsn: lsn.clone() }
}

/// Why the source may not be restored now.
pub fn forbidden(source: &wire::Branch) -> Option<BranchError> {
    if let Some(restricted) = source.restriction("restore") {
        let why = if restricted.reason.is_empty() { "no reason is given" } else { restricted.reason.as_str() };
        return Some(BranchError::Obstacle {
            evidence: format!("Neon does not let branch {} be restored: {why}", source.id),
            fix: "a protected branch can be unprotected in the Neon console, by a person who means it; then run this \
                  again. Nothing was changed"
                .to_owned(),
        });
    }
    match source.restore_status.as_deref() {
        // A branch that was restored once stays `restored`; when it was a snapshot that is not over, Neon says so itself.
        None | Some("" | "finalized" | "restored") => None,
        Some(status) => Some(BranchError::Obstacle {
            evidence: format!("an earlier restore of branch {} is not over: `{status}`", source.id),
            fix: "finish it in the Neon console, or wait until it is over (up to 24 h after a snapshot); nothing was \
                  changed"
                .to_owned(),
        }),
    }
}

impl NeonBranches<'_> {
    /// Which way it would go at this moment.
    pub async fn way_back(&self, branch: &Branch) -> Result<WayBack, BranchError> {
        let (source, project) = (self.source().await?, self.neon.project().await?);
        Ok(way_back(branch, &source, project.history_retention_seconds, Timestamp::now()))
    }

    /// Fails when Neon would refuse, or has no place for what the source holds now.
    pub async fn may_restore(&self, branch: &Branch) -> Result<Vec<String>, BranchError> {
        let source = self.source().await?;
        if let Some(obstacle) = forbidden(&source) {
            return Err(obstacle);
        }
        let mut notes = self.room().await?.enough("keep what production holds now")?;
        if source.protected {
            notes.push(format!("branch {} is protected: Neon may refuse; liftlock never unprotects", source.id));
        }
        if let WayBack::Backup { because } = self.way_back(branch).await? {
            notes.push(format!(
                "from the backup branch ({because}): what `{}` held stays in a branch that Neon never lets anybody delete",
                source.name
            ));
        }
        Ok(notes)
    }

    /// Under which name what the source holds is kept, and whether a restore with this name has begun and was not
    /// carried to its end: then the same name goes on with it.
    pub async fn preserve_name(
        &self,
        branch: &Branch,
        session: Option<&Session>,
    ) -> Result<(String, bool), BranchError> {
        let prefix = mark::neon_preserve_prefix(&branch.nonce);
        let number = |name: &str| name.strip_prefix(&prefix)?.parse::<usize>().ok();
        let there = self.neon.branches(Some(&prefix)).await?;
        let begun = there.iter().filter_map(|it| number(&it.0.name)).max();
        let ended = match session {
            Some(session) => carry::marks(session, &prefix).await?,
            None => Vec::new(),
        };
        let ended = ended.iter().filter_map(|it| number(it)).max();
        let last = begun.max(ended).unwrap_or(0);
        match begun {
            Some(begun) if Some(begun) > ended => Ok((mark::neon_preserve_name(&branch.nonce, begun), true)),
            Some(_) | None => Ok((mark::neon_preserve_name(&branch.nonce, last + 1), false)),
        }
    }

    pub(super) async fn put_back(&self, branch: &Branch, preserve: &str) -> Result<Restored, BranchError> {
        // Whatever it was doing, the same call goes on with it.
        let interrupted = |error| match error {
            BranchError::Cancelled => BranchError::Interrupted { database: self.address.database.clone() },
            other => other,
        };
        let sent = until(&self.cancel, self.exchanged(branch, preserve)).await;
        let (preserved, notes) = sent.map_err(interrupted)?;
        let taken = self.take_along(&preserved, preserve).await;
        let (events_kept, abandoned) = taken.map_err(|source| BranchError::NotTakenAlong {
            database: self.address.database.clone(),
            preserved: preserve.to_owned(),
            source: Box::new(source),
        })?;
        // How many sessions Neon has cut, it does not say.
        Ok(Restored { preserved: Some(preserve.to_owned()), disconnected: 0, events_kept, abandoned, notes })
    }

    /// Neon's part: the source is put back, and what it held is a branch, whose id this answers with.
    async fn exchanged(&self, branch: &Branch, preserve: &str) -> Result<(Id, Vec<String>), BranchError> {
        let source = self.source().await?;
        let (backup, _) = self.current(branch).await?;
        let mut notes = Vec::new();
        let deadline = &mut Deadline::of(&self.neon.polling);
        if self.neon.branch_named(preserve).await?.is_none() {
            notes = self.may_restore(branch).await?;
            // Somebody's restore may be under way, ours of a killed process perhaps: then its name is there afterwards.
            self.neon.quiet(&source.id, deadline).await?;
            if self.neon.branch_named(preserve).await?.is_none() {
                self.send(branch, &source, &backup.id, preserve, deadline).await?;
            }
        }
        let preserved = self.appeared(preserve, deadline).await?;
        self.neon.quiet(&source.id, deadline).await?;
        let state = self.neon.ready(&source.id, deadline).await?.branch;
        self.neon.ready(&preserved, deadline).await?;
        self.notice(format!(
            "Neon: {} ({}) is {}; what it held is `{preserve}` ({preserved})",
            state.name, state.id, state.current_state
        ));
        Ok((preserved, notes))
    }

    /// Asks for it once. Whether a lost answer meant yes shows by the name under which the old state is kept.
    async fn send(
        &self,
        branch: &Branch,
        source: &wire::Branch,
        backup: &Id,
        preserve: &str,
        deadline: &mut Deadline,
    ) -> Result<(), BranchError> {
        let (source_branch_id, source_lsn) = match self.way_back(branch).await? {
            WayBack::Itself { lsn } => (source.id.clone(), Some(lsn)),
            WayBack::Backup { .. } => (backup.clone(), None),
        };
        let body = wire::RestoreBranch { source_branch_id, source_lsn, preserve_under_name: preserve.to_owned() };
        match self.neon.restore_branch(&source.id, &body).await {
            Ok(answer) => {
                let operations = answer.operations.unwrap_or_default();
                let names: Vec<String> = operations.iter().map(|it| format!("{} {}", it.action, it.status)).collect();
                self.notice(format!("Neon took the order to restore {}: {}", source.id, names.join(", ")));
                Ok(self.neon.settle(&operations, deadline).await?)
            }
            Err(error) if error.is_conflict() => {
                let there = self.neon.branch_named(preserve).await?;
                if there.is_some() { Ok(()) } else { Err(error.into()) }
            }
            Err(error) if error.is_unknown_outcome() => {
                self.notice(format!("{error}; looking for `{preserve}`"));
                let looking = &mut Deadline::within(&self.neon.polling, self.neon.polling.appearing);
                self.neon.quiet(&source.id, deadline).await?;
                match self.appeared(preserve, looking).await {
                    Ok(_) => Ok(()),
                    Err(BranchError::Neon(NeonError::BranchUnfinished { .. })) => Err(error.into()),
                    Err(other) => Err(other),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The branch of this name once it is there.
    async fn appeared(&self, name: &str, deadline: &mut Deadline) -> Result<Id, BranchError> {
        loop {
            if let Some((branch, _)) = self.neon.branch_named(name).await? {
                return Ok(branch.id);
            }
            if deadline.is_over() {
                let (branch, state) = (name.to_owned(), "not there".to_owned());
                return Err(NeonError::BranchUnfinished { branch, state, waited: deadline.elapsed() }.into());
            }
            deadline.pause().await;
        }
    }

    /// The audit chain must not lose an event, and mirrors were not put back.
    async fn take_along(&self, preserved: &Id, mark: &str) -> Result<(i64, Vec<uuid::Uuid>), BranchError> {
        self.inside(preserved, async |before| {
            let mut now = self.open_source().await?;
            let taken = carry::once(before, &mut now, mark).await;
            now.close().await;
            taken
        })
        .await
    }

    /// A session with the source, which was cut off from its clients a moment ago.
    async fn open_source(&self) -> Result<Session, BranchError> {
        let options = Options {
            application_name: "liftlock backup".to_owned(),
            retry_for: Duration::from_secs(60),
            neon: Some(self.identity().await?),
            ..Options::default()
        };
        Ok(postgres::connect(&self.address, &options).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::branches::{BranchState, Recorded};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn source(more: &str) -> wire::Branch {
        serde_json::from_str(&format!(
            r#"{{"id":"br-main","name":"main","created_at":"2026-01-01T00:00:00Z","current_state":"ready"{more}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_source_is_restored_from_itself_while_its_history_reaches_there() {
        let now = at("2026-11-20T12:00:00Z");
        let branch = |lsn: Option<&str>, made: &str| Branch {
            name: "liftlock/x".to_owned(),
            nonce: "n".to_owned(),
            lsn: lsn.map(str::to_owned),
            created_at: made.parse().ok(),
            expires_at: None,
            state: BranchState::Ready,
            run: None,
            commit: None,
            size_bytes: None,
            recorded: Recorded::default(),
            place: None,
        };
        let day = Some(86_400);
        for (lsn, made, more, retention, expected) in [
            (Some("0/1A"), "2026-11-20T11:00:00Z", "", day, None),
            (Some("0/1A"), "2026-11-19T12:06:00Z", "", day, None),
            (Some("0/1A"), "2026-11-19T12:04:00Z", "", day, Some("does not reach")),
            (Some("0/1A"), "2026-11-18T12:00:00Z", "", day, Some("does not reach")),
            (Some("0/1A"), "2026-11-20T11:00:00Z", "", Some(0), Some("does not reach")),
            (Some("0/1A"), "2026-11-20T11:00:00Z", "", None, Some("does not say")),
            (None, "2026-11-20T11:00:00Z", "", day, Some("not known")),
            (Some("0/1A"), "?", "", day, Some("not known")),
            (
                Some("0/1A"),
                "2026-11-20T11:00:00Z",
                r#","last_reset_at":"2026-11-20T11:30:00Z""#,
                day,
                Some("restored since"),
            ),
            (Some("0/1A"), "2026-11-20T11:00:00Z", r#","last_reset_at":"2026-11-20T10:00:00Z""#, day, None),
            (Some("0/1A"), "2026-11-20T11:00:00Z", r#","parent_id":"br-x""#, day, Some("no root")),
        ] {
            match (way_back(&branch(lsn, made), &source(more), retention, now), expected) {
                (WayBack::Itself { lsn }, None) => assert_eq!(lsn, "0/1A"),
                (WayBack::Backup { because }, Some(words)) => assert!(because.contains(words), "{made}: {because}"),
                (found, expected) => panic!("{made} {more}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn what_neon_would_refuse_is_refused_before_anything_is_asked() {
        for (more, expected) in [
            ("", None),
            (r#","restore_status":"finalized""#, None),
            (r#","restore_status":"restored""#, None),
            (r#","restore_status":"detaching""#, Some("detaching")),
            (r#","restore_status":"pondering""#, Some("pondering")),
            (r#","restricted_actions":[]"#, None),
            (r#","restricted_actions":[{"name":"delete-rw-endpoint","reason":"x"}]"#, None),
            (r#","restricted_actions":[{"name":"restore","reason":"it is protected"}]"#, Some("it is protected")),
            (r#","restricted_actions":[{"name":"restore"}]"#, Some("no reason")),
        ] {
            let found = forbidden(&source(more)).map(|it| it.to_string());
            assert_eq!(found.is_some(), expected.is_some(), "{more}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
