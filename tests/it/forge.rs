//! The contract of the forge: GitHub (as far as a fake of it can show) and the folder answer alike.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    secret::Secret,
    services::{
        forge::{Account, AnyForge, Approval, Comments, Environment, Forge, ForgeError, GitHub, LocalForge},
        http::Advice,
    },
};
use miette::Diagnostic;

use crate::support::github::{self, Fault, TOKEN, World};

fn on(fake: &github::GitHub) -> GitHub {
    let mut forge = GitHub::at(&fake.url(), "acme/fibre", &Secret::new(TOKEN)).unwrap();
    forge.patience = Duration::from_secs(3);
    forge
}

/// What every forge promises about comments.
async fn keeps_comments(forge: &impl Comments, number: u64) {
    assert_eq!(forge.list(number).await.unwrap(), []);
    let first = forge.create(number, "first").await.unwrap();
    for count in 0..250 {
        forge.create(number, &format!("another {count}")).await.unwrap();
    }
    let edited = forge.edit(first.id, "first, edited <b>`x`</b> é").await.unwrap();
    assert_eq!((edited.id, edited.body.as_str()), (first.id, "first, edited <b>`x`</b> é"));
    let all = forge.list(number).await.unwrap();
    assert_eq!(all.len(), 251);
    assert_eq!(all[0], edited);
    assert_eq!(all[250].body, "another 249");
    assert!(matches!(forge.edit(987_654, "x").await, Err(ForgeError::NotFound { .. })));
}

#[tokio::test]
async fn comments_are_kept_in_order_and_edited_in_place() {
    let mut world = World::new();
    let number = world.pull("alice");
    let fake = github::GitHub::start(world);
    keeps_comments(&on(&fake), number).await;
    assert_eq!(fake.world().comments.len(), 251);
    assert_eq!(on(&fake).list(number).await.unwrap()[0].app.as_deref(), Some("github-actions"));
    fake.assert_proper();

    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    keeps_comments(&LocalForge::at(folder), 12).await;
    assert_eq!(std::fs::read_to_string(folder.join("comments/12/1.md")).unwrap(), "first, edited <b>`x`</b> é");
}

/// A world with one migration of alice's, merged by a pull request that bob reviewed, and a run of dave's.
fn world() -> (World, u64, String) {
    let mut world = World::new();
    world.commit("carol", &[("README.md", "hello")]);
    let sha = world.commit_with(
        "alice",
        &[("db/migrations/0001 a+b_safe.sql", "select 1;\n")],
        "Add it\n\nCo-authored-by: Carol <102+carol@users.noreply.github.com>\nCo-authored-by: X <x@example.com>",
    );
    let pull = world.merged("bob", &[&sha]);
    world.review(pull, "carol", "APPROVED");
    world.review(pull, "dave", "COMMENTED");
    world.environments.insert("production".to_owned(), github::Environment::protected());
    let run = world.run("dave");
    world.answers(run, "bob", "production", "approved", "plan 7F3K-9QXM");
    world.answers(run, "carol", "production", "a state of tomorrow", "");
    (world, run, sha)
}

fn file() -> Vec<Utf8PathBuf> {
    vec!["db/migrations/0001 a+b_safe.sql".into(), "db/migrations/none.sql".into()]
}

/// What the gate reads, whichever forge says it.
async fn tells_the_facts(forge: &impl Forge, run: u64, sha: &str, pull: u64) {
    let found = forge.run(run).await.unwrap();
    assert_eq!((found.id, found.repository.as_str(), found.attempt), (run, "acme/fibre", Some(1)));
    assert_eq!(found.head_sha, sha);
    assert_eq!(found.actor.unwrap().login, "dave");
    assert!(matches!(forge.run(1).await, Err(ForgeError::NotFound { .. })));

    let environment = forge.environment("production").await.unwrap().unwrap();
    assert_eq!(environment.reviewers, ["bob", "carol"]);
    let settings = (environment.prevent_self_review, environment.can_admins_bypass, environment.branches_limited);
    assert_eq!(settings, (Some(true), Some(false), Some(true)));
    assert_eq!(forge.environment("none/such").await.unwrap(), None);

    let approvals = forge.approvals(run).await.unwrap();
    let shown = |it: &Approval| (it.state.clone(), it.user.login.clone(), it.environments.clone(), it.comment.clone());
    let expected = |state: &str, login: &str, comment: &str| {
        (state.to_owned(), login.to_owned(), vec!["production".to_owned()], comment.to_owned())
    };
    let approvals: Vec<_> = approvals.iter().map(shown).collect();
    assert_eq!(
        approvals,
        [expected("approved", "bob", "plan 7F3K-9QXM"), expected("a state of tomorrow", "carol", "")]
    );

    let lineage = forge.lineage(sha, sha, &file()).await.unwrap();
    assert!(lineage.on_default_branch, "{lineage:?}");
    assert_eq!(lineage.texts, [Some("select 1;\n".to_owned()), None]);
    let people: Vec<&str> = lineage.people.iter().map(|it| it.login.as_str()).collect();
    assert_eq!(people, ["alice", "bob", "carol"]);
    assert_eq!((lineage.strangers, lineage.nameless.len(), lineage.without_pull.len()), (1, 0, 0));
    assert_eq!(lineage.pulls.iter().map(|it| it.number).collect::<Vec<_>>(), [pull]);

    let reviews = forge.reviews(pull).await.unwrap();
    let reviews: Vec<_> = reviews.iter().map(|it| (it.user.login.as_str(), it.state.as_str())).collect();
    assert_eq!(reviews, [("carol", "APPROVED"), ("dave", "COMMENTED")]);
}

#[tokio::test]
async fn github_and_the_folder_tell_the_same_facts() {
    let (world, run, sha) = world();
    let pull = *world.pulls.keys().next().unwrap();
    let fake = github::GitHub::start(world);
    let real = on(&fake);
    tells_the_facts(&real, run, &sha, pull).await;
    fake.assert_proper();

    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let local = LocalForge::at(folder);
    local.put(&format!("runs/{run}.json"), &real.run(run).await.unwrap()).unwrap();
    local.put("environments/production.json", &real.environment("production").await.unwrap()).unwrap();
    local.put(&format!("approvals/{run}.json"), &real.approvals(run).await.unwrap()).unwrap();
    local.put(&format!("lineage/{sha}.json"), &real.lineage(&sha, &sha, &file()).await.unwrap()).unwrap();
    local.put(&format!("reviews/{pull}.json"), &real.reviews(pull).await.unwrap()).unwrap();
    std::fs::create_dir_all(folder.join("files/db/migrations")).unwrap();
    std::fs::write(folder.join("files").join(&file()[0]), "select 1;\n").unwrap();
    tells_the_facts(&local, run, &sha, pull).await;
}

#[tokio::test]
async fn a_commit_that_only_a_fork_has_is_not_on_the_default_branch() {
    let (mut world, _, sha) = world();
    let forked = world.commit("mallory", &[("db/migrations/0002_safe.sql", "drop table x;")]);
    world.commits.last_mut().unwrap().fork_only = true;
    let newer = world.commit("carol", &[("README.md", "more")]);
    let fake = github::GitHub::start(world);
    for (commit, expected) in [(&sha, true), (&newer, true), (&forked, false)] {
        let lineage = on(&fake).lineage(commit, &newer, &[]).await.unwrap();
        assert_eq!((lineage.on_default_branch, lineage.default_branch.as_str()), (expected, "main"), "{lineage:?}");
        assert_eq!(lineage.in_run, expected, "{lineage:?}");
    }
    // Newer than what the run was started for.
    assert!(!on(&fake).lineage(&newer, &sha, &[]).await.unwrap().in_run);
    let unknown = on(&fake).lineage(&"0".repeat(40), &newer, &[]).await.unwrap_err();
    assert_eq!(unknown.code().unwrap().to_string(), "forge::not_found");
}

/// The newest commit is no exception for being the one that is promoted.
#[tokio::test]
async fn a_commit_that_was_pushed_past_review_is_known_even_when_it_is_the_newest() {
    let (mut world, _, merged) = world();
    let newest = world.commit("carol", &[("README.md", "more")]);
    let bystander = on(&github::GitHub::start(world.clone())).lineage(&newest, &newest, &file()).await.unwrap();
    assert_eq!(bystander.without_pull.len(), 0, "{bystander:?}");
    let pushed = world.commit("carol", &[("db/migrations/0001 a+b_safe.sql", "select 2;\n")]);
    let fake = github::GitHub::start(world);
    let lineage = on(&fake).lineage(&pushed, &pushed, &file()).await.unwrap();
    assert_eq!(lineage.without_pull, [pushed].into());
    assert_eq!(on(&fake).lineage(&merged, &merged, &file()).await.unwrap().without_pull, [].into());
}

#[tokio::test]
async fn the_commit_whose_workflow_runs_is_looked_for_on_the_default_branch_too() {
    let (mut world, _, sha) = world();
    let later = world.commit("carol", &[("README.md", "more")]);
    let branch = world.commit("mallory", &[("README.md", "a branch")]);
    world.commits.last_mut().unwrap().fork_only = true;
    let fake = github::GitHub::start(world);
    for (head, expected) in [(&sha, true), (&later, true), (&branch, false)] {
        let lineage = on(&fake).lineage(&sha, head, &[]).await.unwrap();
        assert_eq!((lineage.on_default_branch, lineage.run_on_default_branch), (true, expected), "{lineage:?}");
    }
}

#[tokio::test]
async fn who_started_each_attempt_is_told() {
    let (mut world, run, _) = world();
    let it = world.runs.get_mut(&run).unwrap();
    (it.attempt, it.earlier) = (3, vec!["dave".to_owned(), "erin".to_owned()]);
    let fake = github::GitHub::start(world);
    let found = on(&fake).run(run).await.unwrap();
    let earlier: Vec<String> = found.earlier.into_iter().map(|it| it.unwrap().login).collect();
    assert_eq!(earlier, ["dave", "erin"]);
    fake.assert_proper();
}

/// One error of `ask` under this fault: its code, and what it must say.
async fn fails(fault: Fault, code: &str, words: &[&str]) {
    let (mut world, run, _) = world();
    world.faults.push(fault);
    let fake = github::GitHub::start(world);
    let mut forge = on(&fake);
    forge.patience = Duration::from_secs(1);
    let error = forge.run(run).await.unwrap_err();
    let said = format!("{error} {} {error:?}", error.help().map(|it| it.to_string()).unwrap_or_default());
    assert_eq!(error.code().unwrap().to_string(), code, "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    assert!(!said.contains("CANARY"), "{said}");
}

#[tokio::test]
async fn every_refusal_says_what_it_is_and_never_the_token() {
    let run = "actions/runs";
    let json = |status: u16, body: &str| Fault { body: body.to_owned(), ..Fault::status("GET", run, 99, status) };
    let forbidden = json(403, "{\"message\":\"Resource not accessible by integration\"}");
    let needed = forbidden.clone().with("x-accepted-github-permissions", "actions=read");
    fails(needed, "forge::no_permission", &["may not read run", "actions=read", "actions: read"]).await;
    fails(forbidden, "forge::no_permission", &["add `actions: read` to the job's `permissions:`"]).await;
    fails(json(404, "{}"), "forge::not_found", &["may not see it", "actions: read"]).await;
    fails(json(401, "{\"message\":\"Bad credentials\"}"), "forge::token_refused", &["github.token"]).await;
    let echo = json(400, &format!("{{\"message\":\"no {TOKEN} here\"}}"));
    fails(echo, "forge::failed", &["400 Bad Request: no *** here"]).await;
    fails(Fault::status("GET", run, 99, 502), "forge::failed", &["502 Bad Gateway: 502", "githubstatus"]).await;
    fails(Fault::status("GET", run, 99, 302).with("location", "https://example.com"), "forge::failed", &["302"]).await;
    fails(json(200, "{\"id\": \"seven\"}"), "forge::malformed_answer", &["another type"]).await;
    fails(json(200, "<html>"), "forge::malformed_answer", &["not JSON"]).await;
    fails(json(429, "{}").with("retry-after", "70"), "forge::rate_limited", &["wait 70 s"]).await;
    fails(json(403, "{\"message\":\"You have exceeded a secondary rate limit\"}"), "forge::rate_limited", &["60 s"])
        .await;
    let reset = (jiff::Timestamp::now().as_second() + 500).to_string();
    let used_up = json(403, "{}").with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", &reset);
    fails(used_up, "forge::rate_limited", &["asks us to wait 5"]).await;
    let broken = Fault { hang_up: true, ..Fault::status("GET", run, 99, 200) };
    fails(broken, "forge::failed", &["GITHUB_API_URL"]).await;
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let forge = GitHub::at("http://127.0.0.1:1", "acme/fibre", &Secret::new(TOKEN)).unwrap();
    let error = forge.run(7).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(!format!("{forge:?}{error:?}").contains("CANARY"));
}

#[test]
fn what_cannot_be_github_is_refused_by_name() {
    for (url, repository, expected) in [
        ("https://api.github.com", "acme/fibre", None),
        ("https://github.example.com/api/v3/", "acme/fibre", None),
        ("http://api.github.com", "acme/fibre", Some("GITHUB_API_URL")),
        ("api.github.com", "acme/fibre", Some("GITHUB_API_URL")),
        ("https://api.github.com", "fibre", Some("GITHUB_REPOSITORY")),
        ("https://api.github.com", "acme/../x", Some("GITHUB_REPOSITORY")),
        ("https://api.github.com", "../..", Some("GITHUB_REPOSITORY")),
        ("https://api.github.com", "", Some("GITHUB_REPOSITORY")),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let opened = runtime.block_on(async { GitHub::at(url, repository, &Secret::new(TOKEN)) });
        let said = opened.err().map(|it| it.to_string());
        assert_eq!(said.is_some(), expected.is_some(), "{url} {repository}: {said:?}");
        assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{url} {repository}");
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_and_trouble_is_tried_again() {
    let (mut world, run, _) = world();
    world.faults.push(Fault::status("GET", "actions/runs", 2, 502));
    world
        .faults
        .push(Fault { body: "{}".to_owned(), ..Fault::status("GET", "actions/runs", 1, 429) }.with("retry-after", "1"));
    let fake = github::GitHub::start(world);
    let began = Instant::now();
    on(&fake).run(run).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(fake.asked("GET", "/actions/runs"), 4);
}

/// A comment that was written although the answer was lost must not be written again.
#[tokio::test]
async fn a_comment_is_never_sent_twice_and_an_edit_is_repeated() {
    for (fault, comments) in [
        (Fault::status("POST", "comments", 1, 502), 0),
        (Fault { done: true, ..Fault::status("POST", "comments", 1, 502) }, 1),
        (Fault { hang_up: true, ..Fault::status("POST", "comments", 1, 200) }, 0),
    ] {
        let mut world = World::new();
        let number = world.pull("alice");
        world.faults.push(fault);
        let fake = github::GitHub::start(world);
        let error = on(&fake).create(number, "x").await.unwrap_err();
        assert_eq!(error.advice(), Advice::Reconcile, "{error}");
        assert_eq!((fake.asked("POST", "/issues"), fake.world().comments.len()), (1, comments));
    }
    let mut world = World::new();
    let number = world.pull("alice");
    let id = world.comment(number, "github-actions[bot]", "old");
    world.faults.push(Fault { done: true, ..Fault::status("PATCH", "comments", 2, 502) });
    let fake = github::GitHub::start(world);
    on(&fake).edit(id, "new").await.unwrap();
    assert_eq!((fake.asked("PATCH", "/issues"), fake.world().comments[0].body.as_str()), (3, "new"));
    for asked in fake.log() {
        let said = (asked.login.as_deref(), asked.accept.as_str(), asked.body.as_str());
        assert_eq!(
            said,
            (Some("github-actions[bot]"), "application/vnd.github+json", "{\"body\":\"new\"}"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn the_variables_of_a_job_open_github_and_a_folder_only_by_name() {
    let (world, run, _) = world();
    let fake = github::GitHub::start(world);
    let mut variables = fake.variables(run);
    let open = |variables: &[(String, String)]| {
        let found = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.clone());
        AnyForge::open("acme/fibre", &found)
    };
    let forge = open(&variables).unwrap();
    assert!(forge.proves());
    forge.run(run).await.unwrap();
    assert_eq!(fake.log().iter().map(|it| it.status).collect::<Vec<_>>(), [200]);
    variables.push(("LIFTLOCK_FORGE".to_owned(), "/nowhere".to_owned()));
    assert!(!open(&variables).unwrap().proves());
    variables.retain(|it| it.0 != "GITHUB_TOKEN" && it.0 != "LIFTLOCK_FORGE");
    assert_eq!(open(&variables).unwrap_err().code().unwrap().to_string(), "forge::no_token");
}

/// The next page would get the token.
#[tokio::test]
async fn a_next_page_on_another_host_is_not_followed() {
    let (mut world, run, _) = world();
    let elsewhere = "<https://example.com/page?page=2>; rel=\"next\"";
    world
        .faults
        .push(Fault { body: "[]".to_owned(), ..Fault::status("GET", "approvals", 1, 200) }.with("link", elsewhere));
    let fake = github::GitHub::start(world);
    let error = on(&fake).approvals(run).await.unwrap_err();
    assert!(error.to_string().contains("another host"), "{error}");
}

#[tokio::test]
async fn what_a_read_only_token_lacks_is_named() {
    let mut world = World::new();
    let number = world.pull("alice");
    world.without("pull_requests");
    let fake = github::GitHub::start(world);
    let error = on(&fake).create(number, "x").await.unwrap_err();
    assert_eq!(error.missing_permission(), Some("pull-requests: write"));
    assert!(error.help().unwrap().to_string().contains("pull_requests=write"), "{error:?}");
}

#[test]
fn people_are_told_apart_by_number_and_else_by_name_without_case() {
    let account = |login: &str, id: Option<u64>| Account { login: login.to_owned(), id, kind: None };
    for (one, other, same) in [
        (account("Ann", Some(1)), account("ann", Some(1)), true),
        (account("ann", Some(1)), account("renamed", Some(1)), true),
        (account("ann", Some(1)), account("ann", Some(2)), false),
        (account("Ann", None), account("ann", Some(2)), true),
        (account("ann", None), account("bob", None), false),
    ] {
        assert_eq!(one.is(&other), same, "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn an_environment_that_a_workflow_made_has_no_reviewers() {
    let (mut world, _, _) = world();
    world.environments.insert("auto".to_owned(), github::Environment::made_by_a_workflow());
    let fake = github::GitHub::start(world);
    let found = on(&fake).environment("auto").await.unwrap().unwrap();
    let expected = Environment {
        can_admins_bypass: Some(true),
        branches_limited: Some(false),
        ..Environment { reviewers: Vec::new(), prevent_self_review: None, ..found.clone() }
    };
    assert_eq!(found, expected);
}
