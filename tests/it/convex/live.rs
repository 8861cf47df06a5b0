//! The same on a real deployment, when somebody asks for it. It must be one for trying things out, with the functions
//! of `liftlock convex init` for a table `live_numbers` deployed in it.

use std::env;

use liftlock::{
    config::{Convex, ConvexAuth, Deletes, ProfileName, Verify},
    report::progress::Quiet,
    secret::Secret,
    services::mirror::{ConvexMirror, convex::preflight},
    sync::{self, Request},
};
use tokio_util::sync::CancellationToken;

use super::outcome;
use crate::support;

const TABLE: &str = "live_numbers";

#[tokio::test]
#[ignore = "needs a real deployment: LIFTLOCK_LIVE_CONVEX_URL and LIFTLOCK_LIVE_CONVEX_KEY, a `dev:` key"]
async fn a_real_deployment_takes_changes_deletions_and_returns() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    let (url, key) = (variable("LIFTLOCK_LIVE_CONVEX_URL"), variable("LIFTLOCK_LIVE_CONVEX_KEY"));
    let auth = ConvexAuth::DeployKey(Secret::new(key));
    let settings = Convex { url, auth, functions: "liftlock/sync".to_owned() };
    // A production key is refused by the profile.
    let mirror = ConvexMirror::open(&settings, ProfileName::Dev).unwrap();
    for check in preflight(&mirror, &[TABLE.to_owned()]).await {
        assert!(check.state != liftlock::report::CheckState::Failed, "{check:?}");
    }
    let database = support::database("a_real_deployment").await;
    let rows = format!(
        "create table {TABLE} (id bigint primary key, name text, size numeric, seen timestamptz, bytes bytea);
        insert into {TABLE} select it, 'row ' || it, it / 7.0, now(), decode(md5(it::text), 'hex')
        from generate_series(1, 2000) it;"
    );
    database.execute(&rows).await;
    let request = Request {
        environment: "dev".to_owned(),
        database: database.url.clone(),
        tables: vec![TABLE.to_owned()],
        batch_rows: 500,
        deletes: Deletes::Soft,
        verify: Verify::Digest,
        // The deployment has seen the databases of earlier runs of this test.
        foreign: sync::Foreign::Adopt,
        patience: sync::PATIENCE,
    };
    let carry = async || {
        let mut report = sync::run(&request, &mirror, &Quiet, &CancellationToken::new()).await.unwrap();
        outcome(&report.tables.remove(0))
    };
    assert_eq!(carry().await[..2], [2000, 2000]);
    assert_eq!(carry().await, [2000, 2000, 0, 0, 2000, 0]);
    database.execute(&format!("update {TABLE} set name = 'new' where id % 10 = 0")).await;
    assert_eq!(carry().await, [2000, 2000, 0, 200, 1800, 0]);
    database.execute(&format!("delete from {TABLE} where id % 100 = 0")).await;
    assert_eq!(carry().await, [1980, 1980, 0, 0, 1980, 20]);
    database.execute(&format!("delete from {TABLE}")).await;
    assert_eq!(carry().await, [0, 0, 0, 0, 0, 1980]);
}
