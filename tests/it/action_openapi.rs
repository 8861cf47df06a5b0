//! What we ask GitHub is what its published API description has. The requests are those of real runs against the
//! fake; the description judges them one by one.

use std::collections::BTreeSet;

use liftlock::{
    secret::Secret,
    services::forge::{Comments, Forge, GitHub},
};

use crate::{
    action_validate::{BAD, pull_request},
    support::{
        act::Event,
        github::{self, Logged, TOKEN, World},
        prism::Prism,
    },
};

fn request(method: &str, target: &str, body: &str) -> Logged {
    let accept = "application/vnd.github+json".to_owned();
    let (target, body) = (format!("/repos/acme/fibre{target}"), body.to_owned());
    Logged { method: method.to_owned(), target, login: None, accept, body, status: 0 }
}

/// Everything that is ever asked of GitHub, as it went over the wire.
async fn asked() -> Vec<Logged> {
    let mut world = World::new();
    let sha = world.commit("alice", &[("db/migrations/0001 a+b_safe.sql", "select 1;\n")]);
    let pull = world.merged("alice", &[&sha]);
    world.review(pull, "carol", "APPROVED");
    world.environments.insert("production".to_owned(), github::Environment::protected());
    let run = world.run("dave");
    world.answers(run, "bob", "production", "approved", "");
    let fake = github::GitHub::start(world);
    let forge = GitHub::at(&fake.url(), "acme/fibre", &Secret::new(TOKEN)).unwrap();
    forge.run(run).await.unwrap();
    forge.environment("production").await.unwrap();
    forge.approvals(run).await.unwrap();
    forge.lineage(&sha, &sha, &["db/migrations/0001 a+b_safe.sql".into()]).await.unwrap();
    forge.reviews(pull).await.unwrap();
    let comment = forge.create(pull, "first").await.unwrap();
    forge.edit(comment.id, "second").await.unwrap();
    forge.list(pull).await.unwrap();
    forge.author().await.unwrap();
    fake.assert_proper();
    fake.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_one_that_githubs_published_description_has() {
    let prism = tokio::task::spawn_blocking(Prism::start).await.unwrap();
    // The judge itself: it finds what is wrong.
    for (wrong, said) in [
        (request("POST", "/issues/1/comments", r#"{"boody":"x"}"#), "body"),
        (request("POST", "/issues/comments/1", r#"{"body":"x"}"#), "NO_METHOD"),
        (request("GET", "/issues/1/comments?per_page=many", ""), "per_page"),
        (request("GET", "/actions/runs/seven/approvals", ""), "run_id"),
        (request("GET", "/actions/runs/7/approval", ""), "NO_PATH"),
    ] {
        let complaint = prism.complaint(&wrong).await;
        assert!(complaint.as_ref().is_some_and(|it| it.contains(said)), "{wrong:?}: {complaint:?}");
    }
    let mut asked = asked().await;
    // And of the binary in a job.
    let (repository, number) = pull_request(BAD);
    repository.run("liftlock-validate.yml", &Event::PullRequest(number)).ends(1);
    asked.extend(repository.github.log());
    let kinds: BTreeSet<&str> = asked.iter().map(|it| it.method.as_str()).collect();
    assert!(asked.len() >= 12 && kinds.contains("POST") && kinds.contains("PATCH"), "{asked:?}");
    for request in asked {
        assert_eq!(prism.complaint(&request).await, None, "{request:?}");
    }
}
