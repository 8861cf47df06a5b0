//! Who must have approved a promotion, and who has: from what the forge says to an answer with its evidence.
//!
//! Pure. What is not known counts against the promotion: an environment that cannot be read is not protected, an
//! answer of an unknown word is no approval, an account of unknown kind is no person.

pub mod code;
mod count;
pub mod look;
pub mod record;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use self::{
    count::{Outsiders, count_approvals, count_reviews},
    record::{EnvironmentRecord, Record},
};
use super::survey::Obstacle;
use crate::{
    config::{Approvals, Environment, ProfileName, Reviews},
    services::forge::{self, Job, Lineage, Pull, Review, Run},
};

/// The `permissions:` that the job needs, to paste.
pub const PERMISSIONS: &str = "permissions: { actions: read, contents: read, pull-requests: read }";

/// What is being made: `plan` comes before anybody could have approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Show,
    Do,
}

/// What was seen of the job and at the forge.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// `None` outside a job.
    pub job: Option<Job>,
    /// A folder proves nothing.
    pub proves: bool,
    /// What the forge said, or why it was not asked.
    pub said: Result<Said, Obstacle>,
    /// GitHub keeps no time of an approval; this is when it was seen.
    pub observed_at: Timestamp,
}

/// What the forge said, each part with its own failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub run: Result<Run, Obstacle>,
    pub approvals: Result<Vec<forge::Approval>, Obstacle>,
    /// By the names of the configuration.
    pub environments: Vec<(String, Result<Option<forge::Environment>, Obstacle>)>,
    pub lineage: Result<Lineage, Obstacle>,
    /// The migrations to apply, and what the commit holds of them.
    pub files: Vec<(String, Held)>,
    /// Only when reviews count.
    pub reviews: Vec<(Pull, Result<Vec<Review>, Obstacle>)>,
}

/// What the commit holds of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Same,
    OtherBytes,
    Absent,
    /// The file lies outside the repository's folder.
    Outside,
    /// The commit was not looked into.
    Unknown,
}

/// Who has to be asked; `None`: nobody.
pub fn demanded(environment: &Environment, job: Option<&Job>) -> Option<Approvals> {
    let assumed =
        || Approvals { required: 1, environment: environment.name.clone(), also: Vec::new(), reviews: Reviews::Ignore };
    let assumes = job.is_some() && environment.profile == ProfileName::Production;
    environment.approvals.clone().or_else(|| assumes.then(assumed))
}

/// What everything that was seen adds up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// What keeps it from being approved, each with its fix.
    pub complaints: Vec<Obstacle>,
    /// What somebody should know.
    pub warnings: Vec<Obstacle>,
    /// Who was counted, and on which grounds; `None` when the forge was not asked.
    pub record: Option<Record>,
}

/// Judges. `code` is the plan's own.
pub fn judge(demand: &Approvals, profile: ProfileName, code: Option<&str>, seen: &Seen) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(job) = &seen.job else {
        judgement.complain(
            "outside a GitHub job nobody can have approved it",
            "promote with the workflow that `liftlock init --github` writes: `gh workflow run liftlock-promote.yml`",
        );
        return judgement;
    };
    let said = match &seen.said {
        Ok(said) => said,
        Err(obstacle) => {
            judgement.complaints.push(obstacle.clone());
            return judgement;
        }
    };
    if !seen.proves && profile == ProfileName::Production {
        judgement.complain(
            "a folder stands for GitHub (`LIFTLOCK_FORGE`), and whoever writes files could write an approval",
            "unset `LIFTLOCK_FORGE`; it is for trying the gate outside profile production",
        );
    }
    let run = judgement.expect(&said.run);
    let lineage = judgement.expect(&said.lineage);
    let approvals = judgement.expect(&said.approvals);
    if let Some(run) = run {
        judge_run(&mut judgement, job, run);
    }
    if let Some(lineage) = lineage {
        judge_lineage(&mut judgement, job, lineage, &said.files);
    }
    for (name, environment) in &said.environments {
        if let Some(environment) = judgement.expect(environment) {
            judge_environment(&mut judgement, job, name, environment.as_ref());
        }
    }
    let mut record = Record::new(demand, job, run, lineage, seen.observed_at);
    record.code = code.map(str::to_owned);
    record.environments = said.environments.iter().filter_map(environment_record).collect();
    if let (Some(run), Some(lineage), Some(approvals)) = (run, lineage, approvals) {
        let outsiders = Outsiders { job, run, lineage };
        count_approvals(&mut record, demand, code, approvals, &outsiders);
        if demand.reviews == Reviews::Count {
            count_reviews(&mut judgement, &mut record, lineage, &said.reviews, &outsiders);
        }
        enough(&mut judgement, demand, &record, approvals);
    }
    judgement.record = Some(record);
    judgement
}

impl Judgement {
    fn complain(&mut self, evidence: impl Into<String>, fix: impl Into<String>) {
        self.complaints.push(Obstacle { evidence: evidence.into(), fix: fix.into() });
    }

    fn warn(&mut self, evidence: impl Into<String>, fix: impl Into<String>) {
        self.warnings.push(Obstacle { evidence: evidence.into(), fix: fix.into() });
    }

    /// The fact, or its obstacle as a complaint; the same one, from several parts, once.
    fn expect<'a, T>(&mut self, fact: &'a Result<T, Obstacle>) -> Option<&'a T> {
        match fact {
            Ok(fact) => Some(fact),
            Err(obstacle) => {
                if !self.complaints.contains(obstacle) {
                    self.complaints.push(obstacle.clone());
                }
                None
            }
        }
    }
}

/// The job's variables against the run itself.
fn judge_run(judgement: &mut Judgement, job: &Job, run: &Run) {
    const FIX: &str = "run liftlock in the job that GitHub started for this run, and set none of its variables";
    if !run.repository.eq_ignore_ascii_case(&job.repository) {
        judgement.complain(format!("run {} belongs to {}, not to {}", run.id, run.repository, job.repository), FIX);
    }
    if run.attempt.is_none() || run.attempt != job.attempt {
        let shown = |it: Option<u64>| it.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
        let (here, there) = (shown(job.attempt), shown(run.attempt));
        judgement.complain(format!("this is attempt {here} of run {}, and GitHub is at attempt {there}", run.id), FIX);
    }
    let sha = short(&run.head_sha);
    if run.head_sha != job.sha {
        let evidence = format!("run {} was started for commit {sha}, and this job is at {}", run.id, short(&job.sha));
        judgement.complain(evidence, FIX);
    }
    let elsewhere = run.head_repository.as_deref().filter(|it| !it.eq_ignore_ascii_case(&job.repository));
    if let Some(fork) = elsewhere {
        judgement
            .complain(format!("the run's commit comes from {fork}"), "promote what is merged, from this repository");
    }
    if run.actor.is_none() || run.triggering_actor.is_none() || run.earlier.contains(&None) {
        judgement.complain(
            format!("GitHub does not say who started run {}", run.id),
            "start it anew; whoever starts a run cannot approve it, so that must be known",
        );
    }
}

pub(super) fn short(sha: &str) -> &str {
    let end = sha.char_indices().nth(12).map_or(sha.len(), |it| it.0);
    &sha[..end]
}

fn judge_lineage(judgement: &mut Judgement, job: &Job, lineage: &Lineage, files: &[(String, Held)]) {
    let (sha, branch) = (short(job.promoted()), &lineage.default_branch);
    if !lineage.in_run {
        judgement.complain(
            format!("commit {sha} is no part of commit {}, which the run was started for", short(&job.sha)),
            format!("start the workflow on `{branch}` when it has that commit"),
        );
    } else if job.promoted() != job.sha {
        judgement.warn(
            format!("the run was started at commit {}, and promotes {sha}, an ancestor of it", short(&job.sha)),
            "whoever approves should know: name the commit in the workflow's `run-name`",
        );
    }
    if lineage.on_default_branch && !lineage.run_on_default_branch {
        judgement.complain(
            format!("the run was started for commit {}, which is not on `{branch}`", short(&job.sha)),
            format!("start the workflow on `{branch}`: elsewhere anybody may have changed its steps"),
        );
    }
    if !lineage.on_default_branch {
        judgement.complain(
            format!("commit {sha} is not on `{branch}`: GitHub says it is {}", worded(&lineage.relation)),
            format!("merge it to `{branch}` and start the workflow there"),
        );
        return;
    }
    let such = |held: Held| files.iter().filter(move |it| it.1 == held).map(|it| it.0.clone());
    for (held, what) in [
        (Held::OtherBytes, "has other bytes than"),
        (Held::Absent, "is not in"),
        (Held::Outside, "lies outside the repository, so not in"),
        (Held::Unknown, "was not compared with"),
    ] {
        let found: Vec<String> = such(held).collect();
        if let Some(first) = found.first() {
            let more = if found.len() > 1 { format!(" (and {} more)", found.len() - 1) } else { String::new() };
            judgement.complain(
                format!("{first}{more} {what} commit {sha}, which was approved"),
                "check the commit out as it is: no step before this one may change the migrations",
            );
        }
    }
    if let Some(first) = lineage.nameless.first() {
        judgement.complain(
            format!("nobody with a GitHub account is known as author of commit {}", short(first)),
            "the author adds the commit's address to their account (Settings → Emails), so that approver and author can \
             be told apart",
        );
    }
    if lineage.strangers > 0 {
        let count = lineage.strangers;
        judgement.warn(
            format!("{count} authors or co-authors have an address that no GitHub account has"),
            "they could be an approver under another name; commits with an address of GitHub are told apart",
        );
    }
}

fn worded(relation: &str) -> &str {
    if relation.is_empty() { "of unknown relation" } else { relation }
}

fn judge_environment(judgement: &mut Judgement, job: &Job, name: &str, environment: Option<&forge::Environment>) {
    let Some(environment) = environment else {
        judgement
            .complain(format!("there is no environment `{name}`, or the token may not see it"), protect(job, name));
        return;
    };
    if environment.reviewers.is_empty() {
        judgement.complain(
            format!("environment `{name}` has no required reviewers, so that nothing waits for an approval"),
            protect(job, name),
        );
        return;
    }
    match environment.prevent_self_review {
        Some(true) => {}
        Some(false) => judgement.complain(
            format!("in environment `{name}` whoever starts a run may approve it"),
            format!("Settings → Environments → {name} → tick `Prevent self-review`; or {}", protect(job, name)),
        ),
        None => judgement.warn(
            format!("GitHub does not say whether environment `{name}` prevents self-review"),
            format!("look at Settings → Environments → {name}; liftlock does not count whoever started the run"),
        ),
    }
    match environment.can_admins_bypass {
        Some(false) => {}
        Some(true) => judgement.complain(
            format!("administrators may bypass the protection of environment `{name}`"),
            format!(
                "Settings → Environments → {name} → untick `Allow administrators to bypass configured protection rules`"
            ),
        ),
        None => judgement.warn(
            format!("GitHub does not say whether administrators may bypass environment `{name}`"),
            format!("look at Settings → Environments → {name}"),
        ),
    }
    if environment.branches_limited == Some(false) {
        judgement.warn(
            format!(
                "any branch may use environment `{name}`, and so any version of its workflow may ask for its secrets"
            ),
            format!("Settings → Environments → {name} → Deployment branches: protected branches only"),
        );
    }
}

/// <https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment>
fn protect(job: &Job, name: &str) -> String {
    format!(
        "`gh api -X PUT repos/{}/environments/{name} --input - <<< '{{\"prevent_self_review\":true,\"reviewers\":\
         [{{\"type\":\"Team\",\"id\":TEAM_ID}}],\"deployment_branch_policy\":{{\"protected_branches\":true,\
         \"custom_branch_policies\":false}}}}'`, and the job needs `{PERMISSIONS}`",
        job.repository
    )
}

fn environment_record(seen: &(String, Result<Option<forge::Environment>, Obstacle>)) -> Option<EnvironmentRecord> {
    let found = seen.1.as_ref().ok()?.as_ref()?;
    Some(EnvironmentRecord {
        name: seen.0.clone(),
        id: found.id,
        reviewers: found.reviewers.clone(),
        prevent_self_review: found.prevent_self_review,
        can_admins_bypass: found.can_admins_bypass,
        updated_at: found.updated_at.clone(),
    })
}

fn enough(judgement: &mut Judgement, demand: &Approvals, record: &Record, approvals: &[forge::Approval]) {
    let (have, required) = (record.people().len(), demand.required.max(1) as usize);
    if have >= required {
        return;
    }
    let not_counted: Vec<String> = record.not_counted.iter().map(|it| format!("{} {}", it.login, it.why)).collect();
    let others =
        if not_counted.is_empty() { String::new() } else { format!("; not counted: {}", not_counted.join(", ")) };
    let people: Vec<String> = record.people().iter().map(|it| (*it).to_owned()).collect();
    let who = if people.is_empty() { String::new() } else { format!(" ({})", people.join(", ")) };
    let evidence = format!("{have} of {required} approvals{who}{others}");
    let fix = match (approvals.is_empty(), &record.code) {
        (true, _) => format!(
            "the job needs `environment: {}`, so that GitHub asks its reviewers before it starts",
            demand.environment
        ),
        (false, _) => "somebody who neither wrote the change nor started the run approves it: re-run the job so that \
                       GitHub asks again; GitHub asks one person per environment, so for more chain a second one (`also:`) \
                       or count reviews (`reviews: count`)"
            .to_owned(),
    };
    judgement.complain(evidence, fix);
}

/// One sentence on an approved promotion.
pub fn shown(record: &Record) -> String {
    let each = record.approvals.iter().map(|it| match (&it.environment, it.pull) {
        (Some(environment), _) => format!("{} (environment {environment})", it.login),
        (None, Some(pull)) => format!("{} (review of #{pull})", it.login),
        (None, None) => it.login.clone(),
    });
    // GitHub's entries name no attempt. Each attempt runs for the same commit with the same inputs.
    let attempts = if record.attempt > 1 { " (those of its earlier attempts count)" } else { "" };
    format!(
        "{} of {} approvals: {}; run {} attempt {}{attempts} of {}, commit {} on {}",
        record.people().len(),
        record.required,
        each.collect::<Vec<_>>().join(", "),
        record.run,
        record.attempt,
        record.repository,
        short(&record.commit),
        record.default_branch
    )
}
