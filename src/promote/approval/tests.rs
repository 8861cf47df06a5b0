//! Who counts and who does not, from made-up answers; each case changes one thing of a promotion that is approved.

use jiff::Timestamp;

use super::{Approvals, Held, Judgement, Obstacle, ProfileName, Pull, Review, Reviews, Said, Seen, judge, shown};
use crate::services::forge::{Account, Approval, Environment, Job, Lineage, Run};

const SHA: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";

fn account(login: &str) -> Account {
    let id = login.bytes().map(u64::from).sum();
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    Account { login: login.to_owned(), id: Some(id), kind: Some(kind.to_owned()) }
}

fn approval(login: &str, environment: &str, state: &str) -> Approval {
    Approval {
        state: state.to_owned(),
        environments: vec![environment.to_owned()],
        user: account(login),
        comment: String::new(),
    }
}

fn review(login: &str, state: &str) -> Review {
    Review {
        id: 5,
        user: account(login),
        state: state.to_owned(),
        commit: Some("head".to_owned()),
        submitted_at: None,
        permission: Some("write".to_owned()),
    }
}

fn pull(number: u64) -> Pull {
    Pull { number, author: Some(account("alice")), head_sha: "head".to_owned(), url: None }
}

struct World {
    demand: Approvals,
    profile: ProfileName,
    job: Option<Job>,
    proves: bool,
    said: Said,
}

impl World {
    /// alice wrote it, dave started the run, bob approved.
    fn new() -> Self {
        let environment = Environment {
            name: "production".to_owned(),
            reviewers: vec!["bob".to_owned()],
            prevent_self_review: Some(true),
            can_admins_bypass: Some(false),
            branches_limited: Some(true),
            ..Environment::default()
        };
        let job = Job {
            repository: "acme/fibre".to_owned(),
            run: Some(7),
            attempt: Some(1),
            sha: SHA.to_owned(),
            actor: "dave".to_owned(),
            ..Job::default()
        };
        let run = Run {
            id: 7,
            repository: "acme/fibre".to_owned(),
            attempt: Some(1),
            head_sha: SHA.to_owned(),
            actor: Some(account("dave")),
            triggering_actor: Some(account("dave")),
            ..Run::default()
        };
        let lineage = Lineage {
            default_branch: "main".to_owned(),
            on_default_branch: true,
            in_run: true,
            run_on_default_branch: true,
            relation: "identical".to_owned(),
            people: [account("alice")].into(),
            pulls: vec![pull(12)],
            ..Lineage::default()
        };
        Self {
            demand: Approvals {
                required: 1,
                environment: "production".to_owned(),
                also: Vec::new(),
                reviews: Reviews::Ignore,
            },
            profile: ProfileName::Production,
            job: Some(job),
            proves: true,
            said: Said {
                run: Ok(run),
                approvals: Ok(vec![approval("bob", "production", "approved")]),
                environments: vec![("production".to_owned(), Ok(Some(environment)))],
                lineage: Ok(lineage),
                files: vec![("0001_a.sql".to_owned(), Held::Same)],
                reviews: Vec::new(),
            },
        }
    }

    fn judge(&self) -> Judgement {
        let seen = Seen {
            job: self.job.clone(),
            proves: self.proves,
            said: Ok(self.said.clone()),
            observed_at: Timestamp::UNIX_EPOCH,
        };
        judge(&self.demand, self.profile, Some("7F3K-9QXM"), &seen)
    }

    fn run(&mut self) -> &mut Run {
        self.said.run.as_mut().unwrap()
    }

    fn job(&mut self) -> &mut Job {
        self.job.as_mut().unwrap()
    }

    fn lineage(&mut self) -> &mut Lineage {
        self.said.lineage.as_mut().unwrap()
    }

    fn environment(&mut self) -> &mut Environment {
        self.said.environments[0].1.as_mut().unwrap().as_mut().unwrap()
    }

    fn approvals(&mut self, approvals: Vec<Approval>) {
        self.said.approvals = Ok(approvals);
    }

    /// Reviews count, and these are of pull request 12.
    fn reviews(&mut self, reviews: Vec<Review>) {
        self.demand.reviews = Reviews::Count;
        self.said.approvals = Ok(Vec::new());
        self.said.reviews = vec![(pull(12), Ok(reviews))];
    }
}

/// It is refused, by exactly one complaint that says this; and there is something to do about it.
fn refused(says: &str, change: impl Fn(&mut World)) {
    let mut world = World::new();
    change(&mut world);
    let judgement = world.judge();
    let [complaint] = judgement.complaints.as_slice() else { panic!("{says}: {judgement:#?}") };
    assert!(complaint.evidence.contains(says), "`{says}` is not in: {}", complaint.evidence);
    assert!(complaint.fix.len() > 20, "{complaint:?}");
}

fn approved(by: &[&str], warnings: usize, change: impl Fn(&mut World)) {
    let mut world = World::new();
    change(&mut world);
    let judgement = world.judge();
    assert_eq!(judgement.complaints, [], "{by:?}");
    assert_eq!(judgement.warnings.len(), warnings, "{:#?}", judgement.warnings);
    assert_eq!(judgement.record.unwrap().people(), by);
}

#[test]
fn somebody_who_neither_wrote_nor_started_it_has_approved_it() {
    approved(&["bob"], 0, |_| {});
    let record = World::new().judge().record.unwrap();
    assert_eq!(
        shown(&record),
        "1 of 1 approvals: bob (environment production); run 7 attempt 1 of acme/fibre, commit 111111111111 on main"
    );
    let again = serde_json::from_str::<super::record::Record>(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(again, record);
    assert_eq!(record.observed_at, "1970-01-01T00:00:00Z");
}

#[test]
fn nobody_counts_twice_or_for_himself() {
    let one = |login: &'static str| move |it: &mut World| it.approvals(vec![approval(login, "production", "approved")]);
    refused("0 of 1 approvals", |it| it.approvals(Vec::new()));
    refused("alice had a hand in the change", one("alice"));
    refused("dave started the run", one("dave"));
    refused("ci[bot] is no person's account", one("ci[bot]"));
    refused("ghost is an account of unknown kind", |it| {
        let ghost = Account { login: "ghost".to_owned(), id: None, kind: None };
        it.approvals(vec![Approval { user: ghost, ..approval("bob", "production", "approved") }]);
    });
    refused("erin started this attempt of the run", |it| {
        it.run().triggering_actor = Some(account("erin"));
        it.approvals(vec![approval("erin", "production", "approved")]);
    });
    refused("erin started an earlier attempt of the run", |it| {
        it.run().earlier = vec![Some(account("dave")), Some(account("erin"))];
        it.approvals(vec![approval("erin", "production", "approved")]);
    });
    // Started over, by somebody else: the first one is still the run's.
    refused("dave started the run", |it| {
        it.run().triggering_actor = Some(account("erin"));
        it.approvals(vec![approval("dave", "production", "approved")]);
    });
    refused("1 of 2 approvals (bob)", |it| {
        it.demand.required = 2;
        it.approvals(vec![approval("bob", "production", "approved"), approval("bob", "production", "approved")]);
    });
    refused("ALICE had a hand in the change", |it| {
        it.lineage().people = [Account { id: None, kind: None, ..account("alice") }].into();
        it.approvals(vec![Approval { user: account("ALICE"), ..approval("", "production", "approved") }]);
    });
    approved(&["bob", "carol"], 0, |it| {
        it.demand.required = 2;
        it.approvals(vec![approval("bob", "production", "approved"), approval("carol", "production", "approved")]);
    });
    approved(&["bob"], 0, |it| {
        it.approvals(vec![approval("alice", "production", "approved"), approval("bob", "production", "approved")]);
    });
}

#[test]
fn only_the_word_approved_for_the_right_environment_counts() {
    let one = |environment: &'static str, state: &'static str| {
        move |it: &mut World| it.approvals(vec![approval("bob", environment, state)])
    };
    refused("bob approved environment `staging`", one("staging", "approved"));
    refused("bob rejected it", one("production", "rejected"));
    refused("bob answered `pending`", one("production", "pending"));
    refused("bob answered `Approved`", one("production", "Approved"));
    refused("bob answered `approved_by_wish`", one("production", "approved_by_wish"));
    refused("bob rejected it", |it| {
        let word = |state| approval("bob", "production", state);
        it.approvals(vec![word("rejected"), word("approved")]);
    });
    approved(&["bob"], 0, |it| {
        it.demand.also = vec!["second".to_owned()];
        it.approvals(vec![approval("bob", "second", "approved")]);
    });
    let said = |comment: &'static str| {
        move |it: &mut World| {
            let comment = comment.to_owned();
            it.approvals(vec![Approval { comment, ..approval("bob", "production", "approved") }]);
        }
    };
    refused("bob approved plan 7F3K-0000", said("plan 7F3K-0000"));
    approved(&["bob"], 0, said("plan 7f3k-9qxm, go"));
    approved(&["bob"], 0, said("go"));
}

#[test]
fn a_later_attempt_says_that_earlier_ones_count() {
    let mut world = World::new();
    (world.run().attempt, world.job().attempt) = (Some(2), Some(2));
    let shown = shown(&world.judge().record.unwrap());
    assert!(shown.contains("run 7 attempt 2 (those of its earlier attempts count) of"), "{shown}");
}

#[test]
fn an_environment_that_does_not_ask_is_no_gate() {
    refused("no environment `production`", |it| it.said.environments[0].1 = Ok(None));
    refused("no required reviewers", |it| it.environment().reviewers.clear());
    refused("whoever starts a run may approve it", |it| it.environment().prevent_self_review = Some(false));
    refused("administrators may bypass", |it| it.environment().can_admins_bypass = Some(true));
    approved(&["bob"], 1, |it| it.environment().can_admins_bypass = None);
    approved(&["bob"], 1, |it| it.environment().prevent_self_review = None);
    approved(&["bob"], 1, |it| it.environment().branches_limited = Some(false));
    refused("no environment `second`", |it| {
        it.demand.also = vec!["second".to_owned()];
        it.said.environments.push(("second".to_owned(), Ok(None)));
    });
}

#[test]
fn what_runs_is_what_was_approved() {
    refused("belongs to evil/fibre", |it| it.run().repository = "evil/fibre".to_owned());
    refused("this is attempt 1 of run 7, and GitHub is at attempt 2", |it| it.run().attempt = Some(2));
    refused("GitHub is at attempt unknown", |it| it.run().attempt = None);
    refused("was started for commit 222222222222", |it| it.run().head_sha = OTHER.to_owned());
    refused("the run's commit comes from evil/fibre", |it| it.run().head_repository = Some("evil/fibre".to_owned()));
    refused("does not say who started", |it| it.run().actor = None);
    refused("does not say who started", |it| it.run().earlier = vec![None]);
    refused("the run was started for commit 111111111111, which is not on `main`", |it| {
        it.lineage().run_on_default_branch = false;
    });
    refused("is not on `main`: GitHub says it is diverged", |it| {
        let lineage = it.lineage();
        (lineage.on_default_branch, lineage.relation) = (false, "diverged".to_owned());
        it.said.files = vec![("0001_a.sql".to_owned(), Held::Unknown)];
    });
    refused("is no part of commit 111111111111", |it| {
        it.lineage().in_run = false;
        it.job().commit = Some(OTHER.to_owned());
    });
    approved(&["bob"], 1, |it| it.job().commit = Some(OTHER.to_owned()));
    for (held, says) in [
        (Held::OtherBytes, "0001_a.sql has other bytes than commit 111111111111"),
        (Held::Absent, "0001_a.sql is not in commit"),
        (Held::Outside, "0001_a.sql lies outside the repository"),
        (Held::Unknown, "0001_a.sql was not compared"),
    ] {
        refused(says, |it| it.said.files = vec![("0001_a.sql".to_owned(), held), ("0002".to_owned(), Held::Same)]);
    }
    refused("nobody with a GitHub account is known", |it| {
        it.lineage().nameless.insert(OTHER.to_owned());
    });
    approved(&["bob"], 1, |it| it.lineage().strangers = 2);
}

#[test]
fn what_cannot_be_known_is_refused_once_with_its_fix() {
    let down = || Obstacle { evidence: "GitHub did not answer".to_owned(), fix: "try again in a minute".to_owned() };
    refused("GitHub did not answer", |it| it.said.run = Err(down()));
    refused("GitHub did not answer", |it| it.said.approvals = Err(down()));
    refused("GitHub did not answer", |it| it.said.lineage = Err(down()));
    refused("GitHub did not answer", |it| it.said.environments[0].1 = Err(down()));
    refused("GitHub did not answer", |it| {
        it.said.run = Err(down());
        it.said.approvals = Err(down());
    });
    refused("outside a GitHub job", |it| it.job = None);
    refused("a folder stands for GitHub", |it| it.proves = false);
    approved(&["bob"], 0, |it| {
        it.proves = false;
        it.profile = ProfileName::Staging;
    });
}

#[test]
fn reviews_count_when_they_are_of_the_last_state_by_somebody_who_may_write() {
    approved(&["bob"], 0, |it| it.reviews(vec![review("bob", "APPROVED")]));
    approved(&["bob"], 0, |it| it.reviews(vec![review("bob", "CHANGES_REQUESTED"), review("bob", "APPROVED")]));
    approved(&["bob"], 0, |it| it.reviews(vec![review("bob", "APPROVED"), review("bob", "COMMENTED")]));
    approved(&["carol", "bob"], 0, |it| {
        it.reviews(vec![review("bob", "APPROVED")]);
        it.demand.required = 2;
        it.approvals(vec![approval("carol", "production", "approved")]);
    });
    refused("1 of 2 approvals (bob)", |it| {
        it.reviews(vec![review("bob", "APPROVED")]);
        it.demand.required = 2;
        it.approvals(vec![approval("bob", "production", "approved")]);
    });
    refused("0 of 1", |it| it.reviews(vec![review("bob", "DISMISSED")]));
    refused("0 of 1", |it| it.reviews(vec![review("bob", "A_WORD_OF_TOMORROW")]));
    refused("alice pull request 12: had a hand", |it| it.reviews(vec![review("alice", "APPROVED")]));
    refused("bob pull request 12: approved an older state", |it| {
        it.reviews(vec![Review { commit: Some("older".to_owned()), ..review("bob", "APPROVED") }]);
    });
    for permission in [None, Some("read"), Some("triage"), Some("a_role_of_tomorrow")] {
        refused("bob pull request 12: may not write", |it| {
            let permission = permission.map(str::to_owned);
            it.reviews(vec![Review { permission, ..review("bob", "APPROVED") }]);
        });
    }
    refused("carol requests changes of pull request 12", |it| {
        it.reviews(vec![review("bob", "APPROVED"), review("carol", "CHANGES_REQUESTED")]);
    });
    // Of two pull requests, both.
    refused("0 of 1", |it| {
        it.reviews(vec![review("bob", "APPROVED")]);
        it.said.reviews.push((pull(13), Ok(vec![review("carol", "APPROVED")])));
    });
    refused("came without a merged pull request", |it| {
        it.reviews(vec![review("bob", "APPROVED")]);
        it.lineage().without_pull.insert(OTHER.to_owned());
    });
}
