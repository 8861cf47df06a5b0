//! A pull request under the Action: red with annotations, green, and what a fork may not do changes nothing.

use crate::{
    project::migration_text,
    support::{
        act::{Event, Repository},
        github::World,
    },
};

const CONFIGURATION: &str = r#"
migrations: db/migrations
environments:
  production: { database: "${DATABASE_URL_PROD}", profile: production }
"#;

const GOOD: &str = "create table poles (id bigint primary key, label text);";
const BAD: &str = "drop table drops;";

/// A repository with a pull request of alice's that holds this migration; the request's number.
fn pull_request(sql: &str) -> (Repository, u64) {
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
    assert!(job.artifacts["liftlock-validate/summary.md"].contains("drop-table"), "{:?}", job.artifacts);
}
