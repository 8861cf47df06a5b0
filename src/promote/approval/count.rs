//! Whose approval counts, and why somebody's does not.

use super::{
    Judgement, code,
    record::{self, Counted, NotCounted, Record},
    short,
};
use crate::{
    config::Approvals,
    promote::survey::Obstacle,
    services::forge::{self, Account, Job, Lineage, Pull, Review, Run},
};

/// Those whose approval does not count, because it is their own change or their own run.
pub(super) struct Outsiders<'a> {
    pub job: &'a Job,
    pub run: &'a Run,
    pub lineage: &'a Lineage,
}

impl Outsiders<'_> {
    /// Why somebody's approval does not count.
    fn refuses(&self, account: &Account) -> Option<&'static str> {
        let is = |other: &Option<Account>| other.as_ref().is_some_and(|it| it.is(account));
        match account.kind.as_deref() {
            Some("User") => {}
            Some(_) => return Some("is no person's account"),
            None => return Some("is an account of unknown kind"),
        }
        if self.lineage.people.iter().any(|it| it.is(account)) {
            return Some("had a hand in the change");
        }
        if is(&self.run.actor) || account.login.eq_ignore_ascii_case(&self.job.actor) {
            return Some("started the run");
        }
        if is(&self.run.triggering_actor) {
            return Some("started this attempt of the run");
        }
        self.run.earlier.iter().any(is).then_some("started an earlier attempt of the run")
    }
}

/// Environment approvals. GitHub's entries have neither time nor attempt: somebody who both approved and rejected
/// may have rejected last.
pub(super) fn count_approvals(
    record: &mut Record,
    demand: &Approvals,
    code: Option<&str>,
    approvals: &[forge::Approval],
    outsiders: &Outsiders<'_>,
) {
    let wanted = |name: &&String| *name == &demand.environment || demand.also.contains(name);
    let rejected = |account: &Account| approvals.iter().any(|it| it.state == "rejected" && it.user.is(account));
    for approval in approvals {
        let place = approval.environments.iter().find(wanted);
        let why = match (approval.state.as_str(), place) {
            ("approved", Some(_)) if rejected(&approval.user) => Some("rejected it, too".to_owned()),
            ("approved", Some(_)) => outsiders.refuses(&approval.user).map(str::to_owned),
            ("approved", None) => Some(format!("approved {}", named(&approval.environments))),
            ("rejected", _) => Some("rejected it".to_owned()),
            (other, _) => Some(format!("answered `{other}`")),
        };
        let other_code = match code {
            Some(code) => code::quoted(&approval.comment).filter(|it| it != code),
            None => None,
        };
        let why = why.or_else(|| other_code.map(|it| format!("approved plan {it}, which is not this one")));
        match (why, place) {
            (None, Some(place)) => record.count(Counted {
                kind: "environment".to_owned(),
                login: approval.user.login.clone(),
                id: approval.user.id,
                environment: Some(place.clone()),
                comment: record::comment(&approval.comment),
                ..Counted::default()
            }),
            (why, _) => record.not_counted.push(NotCounted {
                login: approval.user.login.clone(),
                why: why.unwrap_or_else(|| "approved nothing of this".to_owned()),
            }),
        }
    }
}

fn named(environments: &[String]) -> String {
    match environments {
        [] => "no environment".to_owned(),
        _ => format!("environment `{}`", environments.join("`, `")),
    }
}

/// Reviews of the pull requests by which the migrations came. A reviewer counts who approved the last state of each
/// of them; one request for changes stands against everybody's approval.
pub(super) fn count_reviews(
    judgement: &mut Judgement,
    record: &mut Record,
    lineage: &Lineage,
    reviews: &[(Pull, Result<Vec<Review>, Obstacle>)],
    outsiders: &Outsiders<'_>,
) {
    if let Some(first) = lineage.without_pull.first() {
        let why = format!("commit {} came without a merged pull request", short(first));
        record.not_counted.push(NotCounted { login: "reviews".to_owned(), why });
        return;
    }
    let mut approving: Option<Vec<Counted>> = None;
    for (pull, found) in reviews {
        let Some(found) = judgement.expect(found) else { return };
        let mut here = Vec::new();
        for review in last_of_each(found) {
            let may_write = matches!(review.permission.as_deref(), Some("write" | "maintain" | "admin"));
            if review.state == "CHANGES_REQUESTED" && may_write {
                judgement.complain(
                    format!("{} requests changes of pull request {}", review.user.login, pull.number),
                    "settle it there: the reviewer approves, or the review is dismissed",
                );
            }
            let why = match review.state.as_str() {
                "APPROVED" if review.commit.as_deref() != Some(pull.head_sha.as_str()) => {
                    Some("approved an older state of it")
                }
                "APPROVED" if !may_write => Some("may not write to the repository"),
                "APPROVED" => outsiders.refuses(&review.user),
                _ => continue,
            };
            match why {
                None => here.push(counted_review(pull, review)),
                Some(why) => record.not_counted.push(NotCounted {
                    login: review.user.login.clone(),
                    why: format!("pull request {}: {why}", pull.number),
                }),
            }
        }
        approving = Some(match approving {
            None => here,
            Some(before) => before.into_iter().filter(|it| here.iter().any(|other| other.is(it))).collect(),
        });
    }
    approving.unwrap_or_default().into_iter().for_each(|it| record.count(it));
}

/// The last review of each person that is not just a comment; a dismissed one is none.
fn last_of_each(reviews: &[Review]) -> Vec<&Review> {
    let mut last: Vec<&Review> = Vec::new();
    for review in reviews.iter().filter(|it| it.state != "COMMENTED" && it.state != "PENDING") {
        last.retain(|it| !it.user.is(&review.user));
        last.push(review);
    }
    last
}

fn counted_review(pull: &Pull, review: &Review) -> Counted {
    Counted {
        kind: "pr_review".to_owned(),
        login: review.user.login.clone(),
        id: review.user.id,
        pull: Some(pull.number),
        review: Some(review.id),
        commit: review.commit.clone(),
        permission: review.permission.clone(),
        submitted_at: review.submitted_at.clone(),
        ..Counted::default()
    }
}
