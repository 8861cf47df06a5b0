//! Asks the forge what the gate `approved` must know. Whatever fails becomes part of the answer.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::future::join_all;
use jiff::Timestamp;

use super::{Held, PERMISSIONS, Purpose, Said, Seen};
use crate::{
    config::{Approvals, Reviews},
    migration::{Checksum, Migration},
    promote::survey::Obstacle,
    services::forge::{AnyForge, Forge, ForgeError, Job},
};

/// Where and for what is asked: the job that this process runs in, and the forge that it belongs to.
#[derive(Debug)]
pub struct Approving {
    pub job: Option<Job>,
    /// `None` outside a job.
    pub forge: Option<Result<AnyForge, Obstacle>>,
    pub purpose: Purpose,
}

impl Approving {
    /// As the process's variables say. Must be called on the runtime.
    pub fn here(purpose: Purpose, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let job = Job::here(variable);
        let open = |job: &Job| AnyForge::open(&job.repository, variable).map_err(|error| obstacle(&error));
        Self { forge: job.as_ref().map(open), job, purpose }
    }

    /// Where nothing is applied, nobody is asked.
    pub fn nowhere() -> Self {
        Self { job: None, forge: None, purpose: Purpose::Show }
    }
}

/// Looks. `files` are the migrations to apply, below `root`.
pub async fn look(approving: &Approving, demand: &Approvals, files: &[&Migration], root: &Utf8Path) -> Seen {
    let observed_at = Timestamp::now();
    let job = approving.job.clone();
    let (said, proves) = match (&job, &approving.forge) {
        (Some(job), Some(Ok(forge))) => (said(forge, job, demand, files, root).await, forge.proves()),
        (_, Some(Err(obstacle))) => (Err(obstacle.clone()), true),
        (None, _) | (_, None) => (Err(Obstacle { evidence: "no GitHub job".to_owned(), fix: String::new() }), true),
    };
    Seen { job, proves, said, observed_at }
}

async fn said(
    forge: &AnyForge,
    job: &Job,
    demand: &Approvals,
    files: &[&Migration],
    root: &Utf8Path,
) -> Result<Said, Obstacle> {
    let missing = |name: &str| {
        Obstacle {
        evidence: format!("the job's `{name}` is missing or malformed"),
        fix: "run liftlock in a step of a job, and name a commit by its full id; a container needs the variables passed on"
            .to_owned(),
    }
    };
    let run = job.run.ok_or_else(|| missing("GITHUB_RUN_ID"))?;
    for (name, commit) in [("GITHUB_SHA", job.sha.as_str()), ("LIFTLOCK_COMMIT", job.promoted())] {
        if commit.len() != 40 || !commit.chars().all(|it| it.is_ascii_digit() || ('a'..='f').contains(&it)) {
            return Err(missing(name));
        }
    }
    let top = repository_folder(root);
    let paths: Vec<Option<Utf8PathBuf>> = files.iter().map(|it| below(&top, &it.path)).collect();
    let inside: Vec<Utf8PathBuf> = paths.iter().flatten().cloned().collect();
    let names: Vec<&String> = std::iter::once(&demand.environment).chain(&demand.also).collect();
    let environments = join_all(names.into_iter().map(async |name| {
        let found = forge.environment(name).await.map_err(|error| obstacle(&error));
        (name.clone(), found)
    }));
    let (found, approvals, environments, lineage) = tokio::join!(
        forge.run(run),
        forge.approvals(run),
        environments,
        forge.lineage(job.promoted(), &job.sha, &inside)
    );
    let lineage = lineage.map_err(|error| obstacle(&error));
    let pulls = match (&lineage, demand.reviews) {
        (Ok(lineage), Reviews::Count) => lineage.pulls.clone(),
        (Ok(_) | Err(_), Reviews::Ignore) | (Err(_), Reviews::Count) => Vec::new(),
    };
    let reviews = join_all(pulls.into_iter().map(async |pull| {
        let found = forge.reviews(pull.number).await.map_err(|error| obstacle(&error));
        (pull, found)
    }));
    let mut texts = lineage.as_ref().map(|it| it.texts.clone()).unwrap_or_default().into_iter();
    let looked = lineage.as_ref().is_ok_and(|it| it.on_default_branch);
    let files = files.iter().zip(&paths).map(|(file, path)| {
        let held = match path {
            None => Held::Outside,
            Some(_) if !looked => Held::Unknown,
            Some(_) => match texts.next().flatten() {
                None => Held::Absent,
                Some(text) if Checksum::of(&text) == file.checksum => Held::Same,
                Some(_) => Held::OtherBytes,
            },
        };
        (file.id.to_string(), held)
    });
    Ok(Said {
        run: found.map_err(|error| obstacle(&error)),
        approvals: approvals.map_err(|error| obstacle(&error)),
        environments,
        files: files.collect(),
        lineage,
        reviews: reviews.await,
    })
}

/// The error as evidence, with the permissions to paste where one is missing.
fn obstacle(error: &ForgeError) -> Obstacle {
    let permissions = match error {
        ForgeError::Permission { .. } | ForgeError::NotFound { .. } => format!("; all it needs: `{PERMISSIONS}`"),
        ForgeError::NoToken
        | ForgeError::Setting { .. }
        | ForgeError::Token
        | ForgeError::RateLimited { .. }
        | ForgeError::Failed { .. }
        | ForgeError::Malformed { .. }
        | ForgeError::File { .. } => String::new(),
    };
    Obstacle { evidence: error.to_string(), fix: format!("{}{permissions}", error.fix()) }
}

/// The folder of the checkout: the nearest one upwards with a `.git`.
fn repository_folder(root: &Utf8Path) -> Utf8PathBuf {
    let root = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
    let found = root.ancestors().find(|it| fs::symlink_metadata(it.join(".git")).is_ok());
    found.unwrap_or(&root).to_owned()
}

/// A file's path in the repository. A symbolic link is followed: the commit holds its target.
fn below(top: &Utf8Path, file: &Utf8Path) -> Option<Utf8PathBuf> {
    let file = file.canonicalize_utf8().ok()?;
    file.strip_prefix(top).ok().map(Utf8Path::to_owned)
}
