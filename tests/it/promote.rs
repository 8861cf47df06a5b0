//! The whole promotion: plan, gates, journal, status, and what a user sees of them.

use crate::project::Project;

#[tokio::test]
async fn pending_migrations_are_promoted_and_a_second_promotion_finds_nothing() {
    let project = Project::new("promote_all").await;
    project.migration("0001_create_pole_safe.sql", "create table pole (id bigint primary key, height integer);");
    project.migration("0002_index_pole_safe.sql", "create index concurrently pole_height_idx on pole (height);");
    let report = project.command().await.unwrap();
    assert_eq!(report.verdict, liftlock::report::Verdict::Pass, "{report:#?}");

    project.assert_promoted(&["0001_create_pole_safe.sql", "0002_index_pole_safe.sql"]).await;
    let again = project.command().await.unwrap();
    assert!(format!("{again:?}").contains("Nothing is pending"), "{again:#?}");
}
