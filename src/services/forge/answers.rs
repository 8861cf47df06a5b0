//! GitHub's answers, as far as we read them: unknown fields and words never break anything, and every field that
//! is not the answer itself may be missing.

use serde::Deserialize;

use super::{Account, Approval, Comment, Environment, Review, Run};

#[derive(Debug, Deserialize)]
pub struct UserAnswer {
    pub login: String,
    pub id: Option<u64>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl From<UserAnswer> for Account {
    fn from(user: UserAnswer) -> Self {
        Self { login: user.login, id: user.id, kind: user.kind }
    }
}

/// A deleted account is `null`, here and there.
fn account(user: Option<UserAnswer>) -> Account {
    user.map_or_else(|| Account { login: "ghost".to_owned(), id: None, kind: None }, Account::from)
}

#[derive(Debug, Deserialize)]
pub struct RepositoryAnswer {
    pub full_name: Option<String>,
    pub default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RunAnswer {
    id: u64,
    head_sha: String,
    run_attempt: Option<u64>,
    head_branch: Option<String>,
    path: Option<String>,
    event: Option<String>,
    html_url: Option<String>,
    actor: Option<UserAnswer>,
    triggering_actor: Option<UserAnswer>,
    repository: Option<RepositoryAnswer>,
    head_repository: Option<RepositoryAnswer>,
}

impl From<RunAnswer> for Run {
    fn from(run: RunAnswer) -> Self {
        let name = |it: Option<RepositoryAnswer>| it.and_then(|it| it.full_name);
        Self {
            id: run.id,
            repository: name(run.repository).unwrap_or_default(),
            attempt: run.run_attempt,
            head_sha: run.head_sha,
            head_branch: run.head_branch,
            head_repository: name(run.head_repository),
            actor: run.actor.map(Account::from),
            triggering_actor: run.triggering_actor.map(Account::from),
            earlier: Vec::new(),
            path: run.path,
            event: run.event,
            url: run.html_url,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct EnvironmentAnswer {
    id: Option<u64>,
    name: String,
    html_url: Option<String>,
    updated_at: Option<String>,
    can_admins_bypass: Option<bool>,
    #[serde(default)]
    protection_rules: Option<Vec<RuleAnswer>>,
    /// `null`: any branch may use it; a missing field says nothing.
    #[serde(default, deserialize_with = "present")]
    deployment_branch_policy: Option<Option<serde_json::Value>>,
}

/// Tells `null` from a field that is not there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<serde_json::Value>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
struct RuleAnswer {
    #[serde(rename = "type")]
    kind: Option<String>,
    prevent_self_review: Option<bool>,
    #[serde(default)]
    reviewers: Option<Vec<ReviewerAnswer>>,
}

#[derive(Debug, Deserialize)]
struct ReviewerAnswer {
    reviewer: Option<ReviewerName>,
}

/// A user has a login, a team a slug.
#[derive(Debug, Deserialize)]
struct ReviewerName {
    login: Option<String>,
    slug: Option<String>,
    name: Option<String>,
}

impl From<EnvironmentAnswer> for Environment {
    fn from(answer: EnvironmentAnswer) -> Self {
        let rules = answer.protection_rules.unwrap_or_default();
        let reviews: Vec<RuleAnswer> =
            rules.into_iter().filter(|it| it.kind.as_deref() == Some("required_reviewers")).collect();
        let self_review: Vec<Option<bool>> = reviews.iter().map(|it| it.prevent_self_review).collect();
        let named = reviews.into_iter().flat_map(|it| it.reviewers.unwrap_or_default()).filter_map(|it| it.reviewer);
        Self {
            id: answer.id,
            name: answer.name,
            reviewers: named.filter_map(|it| it.login.or(it.slug).or(it.name)).collect(),
            prevent_self_review: weakest(&self_review),
            can_admins_bypass: answer.can_admins_bypass,
            branches_limited: answer.deployment_branch_policy.map(|it| it.is_some()),
            updated_at: answer.updated_at,
            url: answer.html_url,
        }
    }
}

/// Only when each rule has it, all have it.
fn weakest(rules: &[Option<bool>]) -> Option<bool> {
    if rules.contains(&Some(false)) {
        return Some(false);
    }
    (!rules.is_empty() && !rules.contains(&None)).then_some(true)
}

#[derive(Debug, Deserialize)]
pub struct ApprovalAnswer {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    environments: Option<Vec<EnvironmentName>>,
    user: Option<UserAnswer>,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EnvironmentName {
    name: Option<String>,
}

impl From<ApprovalAnswer> for Approval {
    fn from(answer: ApprovalAnswer) -> Self {
        Self {
            state: answer.state.unwrap_or_default(),
            environments: answer.environments.unwrap_or_default().into_iter().filter_map(|it| it.name).collect(),
            user: account(answer.user),
            comment: answer.comment.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct ComparisonAnswer {
    pub status: Option<String>,
    pub merge_base_commit: Option<CommitName>,
}

#[derive(Debug, Deserialize)]
pub struct CommitName {
    pub sha: String,
}

#[derive(Debug, Deserialize)]
pub struct CommitAnswer {
    pub sha: String,
    pub author: Option<LenientUser>,
    pub committer: Option<LenientUser>,
    pub commit: Option<CommitBody>,
}

/// `{}` stands for nobody, in some answers.
#[derive(Debug, Deserialize)]
pub struct LenientUser {
    login: Option<String>,
    id: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl LenientUser {
    pub fn account(self) -> Option<Account> {
        Some(Account { login: self.login?, id: self.id, kind: self.kind })
    }
}

#[derive(Debug, Deserialize)]
pub struct CommitBody {
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PullAnswer {
    pub number: u64,
    pub user: Option<UserAnswer>,
    pub merged_at: Option<String>,
    pub html_url: Option<String>,
    pub head: Option<CommitReference>,
    pub base: Option<CommitReference>,
}

#[derive(Debug, Deserialize)]
pub struct CommitReference {
    pub sha: Option<String>,
    #[serde(rename = "ref")]
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ReviewAnswer {
    id: u64,
    user: Option<UserAnswer>,
    state: Option<String>,
    commit_id: Option<String>,
    submitted_at: Option<String>,
}

impl From<ReviewAnswer> for Review {
    fn from(answer: ReviewAnswer) -> Self {
        Self {
            id: answer.id,
            user: account(answer.user),
            state: answer.state.unwrap_or_default(),
            commit: answer.commit_id,
            submitted_at: answer.submitted_at,
            permission: None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct PermissionAnswer {
    pub permission: Option<String>,
    /// Finer than `permission`, which knows neither `maintain` nor `triage`.
    pub role_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct CommentAnswer {
    id: u64,
    user: Option<UserAnswer>,
    body: Option<String>,
    html_url: Option<String>,
    performed_via_github_app: Option<AppAnswer>,
}

#[derive(Debug, Deserialize)]
struct AppAnswer {
    slug: Option<String>,
}

impl From<CommentAnswer> for Comment {
    fn from(answer: CommentAnswer) -> Self {
        Self {
            id: answer.id,
            author: account(answer.user),
            app: answer.performed_via_github_app.and_then(|it| it.slug),
            body: answer.body.unwrap_or_default(),
            url: answer.html_url,
        }
    }
}
