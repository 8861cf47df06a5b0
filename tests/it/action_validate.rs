//! A pull request under the Action: red with annotations, green, and what a fork may not do changes nothing.

use crate::{
    project::migration_text,
    support::{
        act::{Event, Repository},
        github::{Level, TOKEN, World},
    },
};

const CONFIGURATION: &str = r#"
migrations: db/migrations
environments:
  production: { database: "${DATABASE_URL_PROD}", profile: production }
"#;

const GOOD: &str = "create table poles (id bigint primary key, label text);";
pub const BAD: &str = "drop table drops;";

/// A repository with a pull request of alice's that holds this migration; the request's number.
pub fn pull_request(sql: &str) -> (Repository, u64) {
    let mut world = World::new();
    let number = world.pull("alice");
    let repository = Repository::new(world, CONFIGURATION);
    repository.write("db/migrations/20260101000001_change_safe.sql", &migration_text(sql));
    repository.commit("alice");
    (repository, number)
}

#[test]
fn a_good_migration_is_green() {
    let (repository, number) = pull_request(GOOD);
    let job = repository.run("liftlock-validate.yml", &Event::PullRequest(number));
    job.ends(0).says("nothing found");
    assert_eq!(job.annotations(), Vec::<&str>::new());
    assert_eq!(job.report("liftlock-validate")["verdict"], "pass");
}

#[test]
fn a_bad_migration_is_red_with_its_line_and_a_sarif_file() {
    let (repository, number) = pull_request(BAD);
    let job = repository.run("liftlock-validate.yml", &Event::PullRequest(number));
    job.ends(1);
    let annotations = job.annotations();
    assert!(
        annotations[0].starts_with("::error file=db/migrations/20260101000001_change_safe.sql,line=6,"),
        "{annotations:?}"
    );
    assert!(annotations[0].contains("title=drop-table::"), "{annotations:?}");
    assert_eq!(job.report("liftlock-validate")["verdict"], "fail");
    assert!(job.artifacts["liftlock-validate/liftlock.sarif"].contains("drop-table"), "{:?}", job.artifacts);
    assert!(job.artifacts["liftlock-validate/summary.md"].contains("drop-table"), "{:?}", job.artifacts);
}

#[test]
fn three_pushes_leave_one_comment_and_the_last_one_settles_it() {
    let (repository, number) = pull_request(BAD);
    for (push, (sql, expected, said)) in
        [(BAD, 1, "drop-table"), ("drop table drops; drop table poles;", 1, "drop-table"), (GOOD, 0, "")]
            .into_iter()
            .enumerate()
    {
        repository.write("db/migrations/20260101000001_change_safe.sql", &migration_text(sql));
        let commit = if push == 0 { repository.git(&["rev-parse", "HEAD"]) } else { repository.commit("alice") };
        repository.run("liftlock-validate.yml", &Event::PullRequest(number)).ends(expected).says("comment-url=https");
        let world = repository.github.world();
        let comments: Vec<_> = world.comments.iter().filter(|it| it.issue == number).collect();
        assert_eq!(comments.len(), 1, "after push {push}: {comments:?}");
        assert!(comments[0].body.contains(&commit[..7]) && comments[0].body.contains(said), "{}", comments[0].body);
        assert!(expected == 1 || !comments[0].body.contains("drop-table"), "stale: {}", comments[0].body);
    }
    assert_eq!(repository.github.asked("POST", ""), 1);
    assert_eq!(repository.github.asked("PATCH", ""), 2);
    repository.github.assert_proper();
}

#[test]
fn a_token_that_only_reads_changes_nothing_about_the_answer() {
    for (sql, expected) in [(BAD, 1), (GOOD, 0)] {
        let (repository, number) = pull_request(sql);
        // As a pull request from a fork has it, or a workflow without the permission.
        for permissions in [&[][..], &[("contents", Level::Read), ("pull_requests", Level::Read)]] {
            repository.github.world().token(TOKEN, "github-actions[bot]", permissions);
            let job = repository.run("liftlock-validate.yml", &Event::PullRequest(number));
            job.ends(expected);
            // A good change that was never complained about needs no comment.
            if expected == 1 {
                job.says("pull-requests: ");
                assert!(job.annotations().iter().any(|it| it.contains("title=drop-table")), "{}", job.log);
            }
        }
        assert_eq!(repository.github.world().comments.len(), 0);
    }
}

#[test]
fn text_of_a_migration_is_no_command_to_the_runner() {
    let hostile = "-- ::add-mask::liftlock\n-- ##[error]x\n-- ::set-output name=conclusion::success\n\
        drop table \"::stop-commands::x\n::warning::y ##[warning]z\";";
    let (repository, number) = pull_request(hostile);
    let job = repository.run("liftlock-validate.yml", &Event::PullRequest(number));
    job.ends(1).says("set-output:: conclusion=failure");
    for annotation in job.annotations() {
        assert!(annotation.starts_with("::error file=db/migrations/"), "{annotation}");
    }
    assert!(!job.log.contains("***"), "something was masked:\n{}", job.log);
}
