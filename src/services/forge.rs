//! The forge: where a change was reviewed, and where people are told about it. `Forge` says what the gate
//! `approved` must know, `Comments` what a report needs; `GitHub` is the real thing, `LocalForge` a folder of files.
//!
//! A folder proves nothing: whoever can write files can write an approval. It shows the gate and the comment on
//! one's own machine, and the gate says so and never passes on it in profile production.

mod answers;
mod github;
mod job;
mod lineage;
mod local;

pub use self::{github::GitHub, job::Job, local::LocalForge};

use std::{collections::BTreeSet, io};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    exit::Exit,
    services::http::{self, Advice, Failure, Repeat},
};

/// What the gate `approved` must know. Reads only. Whatever is unknown is `None` or an unknown word, never a guess.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn these futures")]
pub trait Forge {
    /// A run of a workflow, at its latest attempt, and who started the earlier ones:
    /// <https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run>.
    async fn run(&self, run: u64) -> Result<Run, ForgeError>;

    /// A deployment environment with its protection; `None` when there is none of this name, or the token may not
    /// see it: <https://docs.github.com/en/rest/deployments/environments#get-an-environment>.
    async fn environment(&self, name: &str) -> Result<Option<Environment>, ForgeError>;

    /// Who answered for which environments in this run, whatever the answer, in all its attempts:
    /// <https://docs.github.com/en/rest/actions/workflow-runs#get-the-review-history-for-a-workflow-run>.
    async fn approvals(&self, run: u64) -> Result<Vec<Approval>, ForgeError>;

    /// How a commit lies to the default branch and to the commit `head` that a run was started for, and what it holds
    /// of these files: their text, and everybody who had a hand in them.
    async fn lineage(&self, commit: &str, head: &str, files: &[Utf8PathBuf]) -> Result<Lineage, ForgeError>;

    /// The reviews of a pull request, and what each reviewer may do in the repository.
    async fn reviews(&self, pull: u64) -> Result<Vec<Review>, ForgeError>;
}

/// Comments on an issue or a pull request.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn these futures")]
pub trait Comments {
    /// Whose token it is: the author of what is written with it. `None` when GitHub does not tell, which is so for
    /// the token of a workflow and of any other app: <https://docs.github.com/en/rest/users/users#get-the-authenticated-user>.
    async fn author(&self) -> Result<Option<Account>, ForgeError>;

    /// All of them, over all pages, the oldest first.
    async fn list(&self, number: u64) -> Result<Vec<Comment>, ForgeError>;

    /// Writes one. Never sent twice: when the outcome is unknown ([`ForgeError::advice`] says `Reconcile`), look
    /// with [`Comments::list`] whether it is there before trying again.
    async fn create(&self, number: u64, body: &str) -> Result<Comment, ForgeError>;

    /// Replaces the body of one, in place.
    async fn edit(&self, id: u64, body: &str) -> Result<Comment, ForgeError>;
}

/// Somebody, or something, with an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    pub login: String,
    /// `None` for a commit's author whose address belongs to no account.
    #[serde(default)]
    pub id: Option<u64>,
    /// `User`, `Bot`, `Organization`, …
    #[serde(default)]
    pub kind: Option<String>,
}

impl Account {
    /// The same account. Logins are told apart without case; the number decides when both are known, for a login
    /// can be given up and taken by somebody else.
    pub fn is(&self, other: &Self) -> bool {
        match (self.id, other.id) {
            (Some(here), Some(there)) => here == there,
            _ => self.login.eq_ignore_ascii_case(&other.login),
        }
    }

    pub fn is_user(&self) -> bool {
        self.kind.as_deref() == Some("User")
    }
}

/// One run of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    pub id: u64,
    /// `owner/name`.
    pub repository: String,
    /// From 1.
    pub attempt: Option<u64>,
    pub head_sha: String,
    pub head_branch: Option<String>,
    /// `owner/name` of where the commit comes from; another one for a fork.
    pub head_repository: Option<String>,
    /// Who started the first attempt.
    pub actor: Option<Account>,
    /// Who started this attempt.
    pub triggering_actor: Option<Account>,
    /// Who started each attempt before this one.
    pub earlier: Vec<Option<Account>>,
    /// The workflow's file.
    pub path: Option<String>,
    /// `workflow_dispatch`, `push`, …
    pub event: Option<String>,
    pub url: Option<String>,
}

/// A deployment environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    pub id: Option<u64>,
    pub name: String,
    /// Names of the users and teams that may approve, of all `required_reviewers` rules.
    pub reviewers: Vec<String>,
    /// Whoever starts the run may not approve it.
    pub prevent_self_review: Option<bool>,
    /// Administrators may start waiting jobs without approval. Not in the published description, so it may be
    /// missing.
    pub can_admins_bypass: Option<bool>,
    /// Only some branches or tags may use it.
    pub branches_limited: Option<bool>,
    pub updated_at: Option<String>,
    pub url: Option<String>,
}

/// One answer of one person. There is no time and no attempt in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approval {
    /// `approved`, `rejected`, `pending`, and whatever comes.
    pub state: String,
    pub environments: Vec<String>,
    pub user: Account,
    pub comment: String,
}

/// A commit, seen from the default branch, and files in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lineage {
    pub default_branch: String,
    /// It is the default branch's head or an ancestor of it. A commit that only a fork has is not.
    pub on_default_branch: bool,
    /// It is the run's commit or an ancestor of it.
    pub in_run: bool,
    /// The run's own commit, whose workflow runs, is the default branch's head or an ancestor of it.
    pub run_on_default_branch: bool,
    /// How the forge puts it: `identical`, `behind`, `ahead`, `diverged`, …
    pub relation: String,
    /// The files' texts at the commit, in the order asked for; `None`: there is no such file.
    pub texts: Vec<Option<String>>,
    /// Authors, committers and co-authors of the commit itself and of each commit that changed one of the files,
    /// and who opened the pull requests by which these came.
    pub people: BTreeSet<Account>,
    /// How many authors and co-authors have no account that is known.
    pub strangers: usize,
    /// Commits behind which no account is known: neither an author's nor that of a pull request.
    pub nameless: BTreeSet<String>,
    /// The merged pull requests by which the files came.
    pub pulls: Vec<Pull>,
    /// Commits that changed one of the files and belong to no merged pull request.
    pub without_pull: BTreeSet<String>,
}

/// A merged pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Pull {
    pub number: u64,
    pub author: Option<Account>,
    pub head_sha: String,
    pub url: Option<String>,
}

/// One review of a pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Review {
    pub id: u64,
    pub user: Account,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED`, …
    pub state: String,
    /// What was looked at.
    pub commit: Option<String>,
    pub submitted_at: Option<String>,
    /// `admin`, `maintain`, `write`, …: what the reviewer may do; `None` when not known.
    pub permission: Option<String>,
}

/// A comment as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comment {
    pub id: u64,
    pub author: Account,
    /// Slug of the GitHub App that wrote it: `github-actions` for a workflow's own token.
    pub app: Option<String>,
    pub body: String,
    pub url: Option<String>,
}

/// Why the forge did not answer.
#[derive(Debug, Error, Diagnostic)]
pub enum ForgeError {
    #[error("there is no token for GitHub")]
    #[diagnostic(
        code(forge::no_token),
        help("in a workflow: `env: {{ GITHUB_TOKEN: ${{{{ github.token }}}} }}` on the step")
    )]
    NoToken,
    #[error("`{name}` is not a usable setting: {reason}")]
    #[diagnostic(
        code(forge::malformed_setting),
        help("inside a GitHub job the runner sets it; do not set it yourself")
    )]
    Setting { name: &'static str, reason: String },
    #[error("GitHub does not take the token")]
    #[diagnostic(
        code(forge::token_refused),
        help("`GITHUB_TOKEN` ends with its job; pass the job's own `${{{{ github.token }}}}`")
    )]
    Token,
    #[error("the token may not {action}")]
    #[diagnostic(code(forge::no_permission), help("{}", permission_help(needed.as_deref(), scope)))]
    Permission {
        /// `read the approvals of run 5`.
        action: String,
        /// What GitHub says is needed: `X-Accepted-GitHub-Permissions`.
        needed: Option<String>,
        /// As the documentation has it, one `key: value` of a workflow's `permissions:`.
        scope: &'static str,
    },
    #[error("GitHub found nothing to {action}")]
    #[diagnostic(
        code(forge::not_found),
        help("it does not exist, or the token may not see it, which looks the same; {}", permission_help(None, scope))
    )]
    NotFound { action: String, scope: &'static str },
    #[error("GitHub asks us to wait {seconds} s before it lets us {action}")]
    #[diagnostic(code(forge::rate_limited), help("run the same command again after that"))]
    RateLimited { action: String, seconds: u64 },
    #[error("GitHub did not {action}: {failure}")]
    #[diagnostic(code(forge::failed), help("{}", failure_help(failure)))]
    Failed {
        action: String,
        failure: Failure,
        /// What sending it again would do.
        repeat: Repeat,
    },
    #[error("GitHub's answer is not what it documents, asked to {action}: {reason}")]
    #[diagnostic(code(forge::malformed_answer), help("is `GITHUB_API_URL` that of GitHub's REST API?"))]
    Malformed { action: String, reason: String },
    #[error("cannot {action} `{path}`")]
    #[diagnostic(code(forge::file), help("check the folder that `LIFTLOCK_FORGE` names"))]
    File { action: &'static str, path: Utf8PathBuf, source: io::Error },
}

impl ForgeError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoToken | Self::Setting { .. } => Exit::Usage,
            Self::Token
            | Self::Permission { .. }
            | Self::NotFound { .. }
            | Self::RateLimited { .. }
            | Self::Failed { .. }
            | Self::Malformed { .. }
            | Self::File { .. } => Exit::Service,
        }
    }

    /// What to do about it. `Reconcile`: nobody knows whether it was done; look before sending again.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Failed { failure, repeat, .. } => http::advice(failure, *repeat),
            Self::RateLimited { .. } => Advice::Retry,
            Self::NoToken
            | Self::Setting { .. }
            | Self::Token
            | Self::Permission { .. }
            | Self::NotFound { .. }
            | Self::Malformed { .. }
            | Self::File { .. } => Advice::Ask,
        }
    }

    /// What to do about it, as its help says.
    pub fn fix(&self) -> String {
        self.help().map(|it| it.to_string()).unwrap_or_default()
    }

    /// The missing permission as a line of a workflow's `permissions:`, when that is the cause.
    pub fn missing_permission(&self) -> Option<&str> {
        match self {
            Self::Permission { scope, .. } => Some(scope),
            _ => None,
        }
    }
}

fn permission_help(needed: Option<&str>, scope: &str) -> String {
    let said = needed.map(|it| format!("GitHub wants `{it}`; ")).unwrap_or_default();
    format!("{said}add `{scope}` to the job's `permissions:`")
}

fn failure_help(failure: &Failure) -> &'static str {
    match failure {
        Failure::Status { status: 500..=599, .. } => "GitHub has trouble (https://www.githubstatus.com); try again",
        Failure::Status { .. } => "the answer says what it did not like",
        Failure::Unreachable { .. } | Failure::Timeout { .. } | Failure::Broken { .. } => {
            "can this machine reach `GITHUB_API_URL`? Then try again"
        }
    }
}

/// What a user chose: GitHub, or with `LIFTLOCK_FORGE=FOLDER` a folder.
#[derive(Debug)]
pub enum AnyForge {
    GitHub(Box<GitHub>),
    Local(LocalForge),
}

impl AnyForge {
    /// The forge that the process's variables name, for `repository` (`owner/name`).
    pub fn open(repository: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ForgeError> {
        match variable("LIFTLOCK_FORGE").filter(|it| !it.is_empty()) {
            Some(folder) => Ok(Self::Local(LocalForge::at(Utf8Path::new(&folder)))),
            None => Ok(Self::GitHub(Box::new(GitHub::open(repository, variable)?))),
        }
    }

    /// Whether what it says can be relied on: a folder can be written by anybody.
    pub fn proves(&self) -> bool {
        match self {
            Self::GitHub(_) => true,
            Self::Local(_) => false,
        }
    }
}

impl Forge for AnyForge {
    async fn run(&self, run: u64) -> Result<Run, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.run(run).await,
            Self::Local(forge) => forge.run(run).await,
        }
    }

    async fn environment(&self, name: &str) -> Result<Option<Environment>, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.environment(name).await,
            Self::Local(forge) => forge.environment(name).await,
        }
    }

    async fn approvals(&self, run: u64) -> Result<Vec<Approval>, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.approvals(run).await,
            Self::Local(forge) => forge.approvals(run).await,
        }
    }

    async fn lineage(&self, commit: &str, head: &str, files: &[Utf8PathBuf]) -> Result<Lineage, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.lineage(commit, head, files).await,
            Self::Local(forge) => forge.lineage(commit, head, files).await,
        }
    }

    async fn reviews(&self, pull: u64) -> Result<Vec<Review>, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.reviews(pull).await,
            Self::Local(forge) => forge.reviews(pull).await,
        }
    }
}

impl Comments for AnyForge {
    async fn author(&self) -> Result<Option<Account>, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.author().await,
            Self::Local(forge) => forge.author().await,
        }
    }

    async fn list(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.list(number).await,
            Self::Local(forge) => forge.list(number).await,
        }
    }

    async fn create(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.create(number, body).await,
            Self::Local(forge) => forge.create(number, body).await,
        }
    }

    async fn edit(&self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.edit(id, body).await,
            Self::Local(forge) => forge.edit(id, body).await,
        }
    }
}
