//! Who approved, on which grounds: what is kept in plan, journal and audit event. Read leniently: a field that an
//! older writer did not know gets its default.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    config::Approvals,
    secret,
    services::forge::{Job, Lineage, Run},
};

/// What is kept of an approver's comment, in characters.
const LONGEST: usize = 200;

/// The evidence of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// How many people were demanded.
    pub required: u32,
    pub repository: String,
    pub run: u64,
    pub attempt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// The workflow's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What is promoted.
    pub commit: String,
    /// What the run was started for: the same, or a later one.
    pub run_commit: String,
    pub default_branch: String,
    /// Who started the run, and each attempt of it.
    pub started_by: BTreeSet<String>,
    /// Who had a hand in the migrations.
    pub authors: BTreeSet<String>,
    /// The pull requests by which they came.
    pub pulls: Vec<u64>,
    pub environments: Vec<EnvironmentRecord>,
    pub approvals: Vec<Counted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<NotCounted>,
    /// The plan code of this run and attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// RFC 3339. When this was seen: GitHub keeps no time of an approval.
    pub observed_at: String,
}

/// An environment's protection, as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentRecord {
    pub name: String,
    pub id: Option<u64>,
    pub reviewers: Vec<String>,
    pub prevent_self_review: Option<bool>,
    /// `None`: GitHub did not say.
    pub can_admins_bypass: Option<bool>,
    pub updated_at: Option<String>,
}

/// One approval that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    /// `environment` or `pr_review`.
    pub kind: String,
    pub login: String,
    pub id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<String>,
}

impl Counted {
    /// Of the same person.
    pub fn is(&self, other: &Self) -> bool {
        match (self.id, other.id) {
            (Some(here), Some(there)) => here == there,
            _ => self.login.eq_ignore_ascii_case(&other.login),
        }
    }
}

/// Somebody who answered and does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotCounted {
    pub login: String,
    pub why: String,
}

impl Record {
    pub fn new(
        demand: &Approvals,
        job: &Job,
        run: Option<&Run>,
        lineage: Option<&Lineage>,
        observed_at: Timestamp,
    ) -> Self {
        let starters =
            run.into_iter().flat_map(|it| [&it.actor, &it.triggering_actor].into_iter().chain(&it.earlier)).flatten();
        Self {
            required: demand.required.max(1),
            repository: job.repository.clone(),
            run: job.run.unwrap_or_default(),
            attempt: job.attempt.unwrap_or_default(),
            run_url: run.and_then(|it| it.url.clone()),
            workflow: run.and_then(|it| it.path.clone()),
            commit: job.promoted().to_owned(),
            run_commit: job.sha.clone(),
            default_branch: lineage.map(|it| it.default_branch.clone()).unwrap_or_default(),
            started_by: starters.map(|it| it.login.clone()).collect(),
            authors: lineage.into_iter().flat_map(|it| &it.people).map(|it| it.login.clone()).collect(),
            pulls: lineage.into_iter().flat_map(|it| &it.pulls).map(|it| it.number).collect(),
            observed_at: observed_at.to_string(),
            ..Self::default()
        }
    }

    pub fn count(&mut self, counted: Counted) {
        // The same approval, listed once per attempt, is one.
        if !self.approvals.contains(&counted) {
            self.approvals.push(counted);
        }
    }

    /// The distinct people who approved.
    pub fn people(&self) -> Vec<&str> {
        let mut found: Vec<&Counted> = Vec::new();
        for counted in &self.approvals {
            if !found.iter().any(|it| it.is(counted)) {
                found.push(counted);
            }
        }
        found.into_iter().map(|it| it.login.as_str()).collect()
    }
}

/// An approver's words: one line, cut, credentials blanked.
pub fn comment(text: &str) -> Option<String> {
    let folded = text.split(|it: char| it.is_whitespace() || it.is_control()).filter(|it| !it.is_empty());
    let folded = secret::scrub(&folded.collect::<Vec<_>>().join(" "));
    let cut: String = folded.chars().take(LONGEST).collect();
    (!cut.is_empty()).then_some(cut)
}
