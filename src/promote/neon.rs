//! What a Neon project says before anything is done: which branch production is, and whether a restore point can be
//! made of it. Asks, changes nothing; what cannot be asked is an obstacle.

use std::{error::Error, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::survey::Obstacle;
use crate::{
    config::{self, Environment, Part},
    services::{
        branches::{self, NeonBranches, Room},
        neon::wire,
        postgres::{Address, NeonIdentity, PostgresError},
    },
};

/// How long Neon keeps a branch that expires, at most: <https://neon.com/docs/guides/branch-expiration>.
const LONGEST_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// What was seen of the environment's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// What a connection must say of itself, or why that is not known.
    pub identity: Result<NeonIdentity, Obstacle>,
    /// How a restore point would be made, or why none can be.
    pub restore_point: Result<String, Obstacle>,
}

/// The environment's `neon:`; `None` when there is none, an obstacle when its variables are not set.
pub fn settings(environment: &Environment) -> Option<Result<&config::Neon, Obstacle>> {
    match environment.neon.as_ref()? {
        Part::Complete(settings) => Some(Ok(settings)),
        Part::Lacking(lacks) => Some(Err(Obstacle {
            evidence: lacks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            fix: "set what is missing where promotions run".to_owned(),
        })),
    }
}

/// Looks; `None` when the environment has no `neon:`.
pub async fn look(environment: &Environment, address: &Address, now: Timestamp) -> Option<Sight> {
    let settings = match settings(environment)? {
        Ok(settings) => settings,
        Err(obstacle) => return Some(Sight { identity: Err(obstacle.clone()), restore_point: Err(obstacle) }),
    };
    let seen = async {
        let branches = NeonBranches::open(settings, address.clone())?;
        let source = branches.source().await?;
        Ok::<_, branches::BranchError>((source, branches.project().await?, branches.room().await?))
    };
    Some(match seen.await {
        Err(error) => {
            let obstacle = obstacle(&error);
            Sight { identity: Err(obstacle.clone()), restore_point: Err(obstacle) }
        }
        Ok((source, project, room)) => Sight {
            identity: Ok(NeonIdentity { project: project.id.to_string(), branch: source.id.to_string() }),
            restore_point: restore_point(&source, &project, &room, environment.backup_keep, now),
        },
    })
}

/// The error in two sentences.
pub fn obstacle(error: &branches::BranchError) -> Obstacle {
    let cause = Error::source(error).map(|it| format!(": {it}")).unwrap_or_default();
    let fix = error.fix().unwrap_or_else(|| "`liftlock doctor` says more".to_owned());
    Obstacle { evidence: format!("{error}{cause}"), fix }
}

/// How a restore point would be made of this branch. Pure.
pub fn restore_point(
    source: &wire::Branch,
    project: &wire::Project,
    room: &Room,
    keep: Duration,
    now: Timestamp,
) -> Result<String, Obstacle> {
    let refused = |evidence: String, fix: &str| Err(Obstacle { evidence, fix: fix.to_owned() });
    if keep > LONGEST_KEPT {
        return refused(
            format!("`backup.keep` is {}, and a Neon branch that expires is kept for 30 d at most", shown(keep)),
            "set `backup: { keep: 30d }`; for longer, make a snapshot of the restore point in the Neon console",
        );
    }
    if let Some(expiry) = source.expires_at() {
        return refused(
            format!("branch {} itself expires {expiry}, and Neon makes no branch of one that does", source.id),
            "take the expiry off it in the Neon console, or correct `neon.branch`",
        );
    }
    if !source.is_ready() {
        return refused(
            format!("branch {} is `{}`", source.id, source.current_state),
            "wait until the Neon console shows it as ready",
        );
    }
    let permission = project.effective_project_permission.as_deref().unwrap_or_default();
    if matches!(permission, "VIEWER" | "CAN_VIEW") {
        return refused(
            format!("the key may only look at project {}", project.id),
            "use a key that may edit it: a project-scoped key, or one of a person who may",
        );
    }
    let mut known = vec![format!(
        "a branch of `{}` ({}) in Neon project {}, without a compute, kept for {}",
        source.name,
        source.id,
        project.id,
        shown(keep)
    )];
    known.push(match project.history_retention_seconds.and_then(|it| u64::try_from(it).ok()) {
        Some(seconds) => format!("its history reaches back {}", shown(reach(source, seconds, now))),
        None => "how far its history reaches back is not known".to_owned(),
    });
    known.push(match room.limit {
        Some(limit) => format!("{} of {limit} branches in use", room.count),
        None => format!("{} branches in use", room.count),
    });
    known.extend(room.enough("make a restore point").map_err(|error| obstacle(&error))?);
    if let Some(restricted) = source.restriction("restore") {
        known.push(format!("Neon would not let it be restored as it is now: {}", restricted.reason));
    } else if source.protected {
        known.push("it is protected, so Neon may refuse to restore it".to_owned());
    }
    Ok(known.join("; "))
}

/// How far back the branch could be restored from itself.
fn reach(source: &wire::Branch, retention_seconds: u64, now: Timestamp) -> Duration {
    let since =
        |it: Timestamp| Duration::try_from(now.duration_since(it).max(SignedDuration::ZERO)).unwrap_or_default();
    let began = [source.created_at(), source.last_reset_at()].into_iter().flatten().map(since).min();
    let kept = Duration::from_secs(retention_seconds);
    began.map_or(kept, |it| it.min(kept))
}

fn shown(duration: Duration) -> String {
    match duration.as_secs() {
        it if it >= 2 * 86_400 || (it >= 86_400 && it.is_multiple_of(86_400)) => format!("{} d", it / 86_400),
        it if it >= 3_600 => format!("{} h", it / 3_600),
        it if it >= 60 => format!("{} min", it / 60),
        it => format!("{it} s"),
    }
}

/// The refusal of a pooler, with the direct host as Neon itself names it where it can be asked.
pub async fn with_direct_host(error: PostgresError, environment: &Environment) -> PostgresError {
    let PostgresError::Pooled { host, direct } = error else { return error };
    let asked = match settings(environment) {
        Some(Ok(settings)) => branches::direct_host(settings).await,
        Some(Err(_)) | None => None,
    };
    PostgresError::Pooled { host, direct: asked.or(direct) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_does_not_allow_is_said_before_anything_is_done() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let day = Duration::from_secs(86_400);
        let branch = r#"{"id":"br-main","name":"main","current_state":"ready","created_at":"2026-01-01T00:00:00Z"}"#;
        let project = r#"{"id":"calm-river-1","history_retention_seconds":86400,"effective_project_permission":"EDITOR",
            "owner":{"branches_limit":10,"subscription_type":"free_v3"}}"#;
        for (what, with, keep, count, expected) in [
            ("", "", day, 4, Ok("kept for 1 d; its history reaches back 1 d; 4 of 10 branches in use")),
            ("", "", 30 * day, 4, Ok("kept for 30 d")),
            ("", "", 31 * day, 4, Err("`backup.keep` is 31 d")),
            ("", "", day, 10, Err("10 of 10 branches are in use")),
            ("free_v3", "launch_v3", day, 10, Ok("Neon bills more on plan launch_v3")),
            ("EDITOR", "VIEWER", day, 4, Err("only look")),
            ("EDITOR", "CAN_VIEW", day, 4, Err("only look")),
            ("\"EDITOR\"", "null", day, 4, Ok("")),
            ("EDITOR", "SUPREME", day, 4, Ok("")),
            ("86400", "3600", day, 4, Ok("reaches back 1 h")),
            ("\"history_retention_seconds\":86400,", "", day, 4, Ok("not known")),
            ("2026-01-01T00:00:00Z", "2026-11-20T11:30:00Z", day, 4, Ok("reaches back 30 min")),
            ("\"ready\"", "\"archiving\"", day, 4, Err("`archiving`")),
            ("\"ready\"", "\"ready\",\"expires_at\":\"2026-11-21T00:00:00Z\"", day, 4, Err("itself expires")),
            ("\"ready\"", "\"ready\",\"protected\":true", day, 4, Ok("it is protected")),
            (
                "\"ready\"",
                "\"ready\",\"restricted_actions\":[{\"name\":\"restore\",\"reason\":\"it is masked\"}]",
                day,
                4,
                Ok("it is masked"),
            ),
        ] {
            let source = serde_json::from_str(&branch.replacen(what, with, 1)).unwrap();
            let project: wire::Project = serde_json::from_str(&project.replacen(what, with, 1)).unwrap();
            let answer = restore_point(&source, &project, &Room::of(&project, count), keep, now);
            let (said, words) = match (&answer, expected) {
                (Ok(said), Ok(words)) => (said, words),
                (Err(obstacle), Err(words)) => (&obstacle.evidence, words),
                (answer, expected) => panic!("{what} → {with}: {answer:?}, expected {expected:?}"),
            };
            assert!(said.contains(words), "{what} → {with}: {said}");
        }
    }
}
