//! Whether Postgres reads a table's rows when it becomes a partition, as the cases of the prover say.

use crate::support;

#[tokio::test]
async fn postgres_is_spared_by_the_checks_that_the_cases_say() {
    let database = support::database("proofs").await;
    let session = database.session().await;
    session.batch_execute("set timezone = 'UTC'").await.unwrap();
    let cases = include_str!("../../../fixtures/catalog/bounds.txt");
    let mut wrong = Vec::new();
    for case in cases.lines().filter(|it| !it.starts_with('#')) {
        let parts = case.split(" | ").collect::<Vec<_>>();
        let [what, data_type, key, check, bounds, expected] = parts.try_into().unwrap();
        let (t, step) = match what {
            "attached" => {
                (format!("create table t (a {data_type} not null, b int)"), "alter table p attach partition t")
            }
            _ => ("create table t partition of p default".to_owned(), "create table n partition of p"),
        };
        let setup = format!(
            "begin; create table p (a {data_type}, b int) partition by {key}; {t}; alter table t add check ({check})"
        );
        session.batch_execute(&setup).await.unwrap();
        let before = scans(&session).await;
        session.batch_execute(&format!("{step} for values {bounds}")).await.unwrap();
        let spared = scans(&session).await == before;
        session.batch_execute("rollback").await.unwrap();
        if spared != (expected == "spared") {
            wrong.push(case);
        }
    }
    session.close().await;
    assert!(wrong.is_empty(), "Postgres does otherwise:\n{}", wrong.join("\n"));
}

/// How often this transaction has read `t` from end to end.
async fn scans(session: &liftlock::services::postgres::Session) -> i64 {
    let rows = session.query("select seq_scan from pg_stat_xact_user_tables where relname = 't'", &[]).await.unwrap();
    rows[0].get(0)
}
