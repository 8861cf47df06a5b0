//! The contract of restore points on a real Neon project. Never run by itself:
//!
//! ```sh
//! export LIFTLOCK_LIVE_NEON_PROJECT=… LIFTLOCK_LIVE_NEON_API_KEY=… LIFTLOCK_LIVE_NEON_DATABASE_URL=postgres://…
//! cargo test --test it neon_live -- --ignored
//! ```
//!
//! The project must be one that nobody needs: its default branch is restored. Every branch that is made carries a name
//! of its own, expires within an hour, and is deleted again whatever happens.

use std::{env, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use liftlock::{
    config::{self, NeonBranch},
    secret::Secret,
    services::{
        branches::{
            BranchError, Branches, Depth, NeonBranches, NewBranch, Scope, neon_backup_name, neon_preserve_name,
        },
        postgres::Address,
    },
};
use uuid::Uuid;

use crate::support;

fn demanded(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("set {name}: see the top of tests/it/neon_live.rs"))
}

fn opened() -> (NeonBranches<'static>, Address) {
    let settings = config::Neon {
        project: demanded("LIFTLOCK_LIVE_NEON_PROJECT"),
        branch: NeonBranch::Default,
        api_key: Secret::new(demanded("LIFTLOCK_LIVE_NEON_API_KEY")),
        api_url: "https://console.neon.tech/api/v2".to_owned(),
    };
    let address = Address::parse(&Secret::new(demanded("LIFTLOCK_LIVE_NEON_DATABASE_URL"))).unwrap();
    (NeonBranches::open(&settings, address.clone()).unwrap(), address)
}

#[tokio::test]
#[ignore = "needs a Neon project that nobody needs, and costs a little: see the top of the file"]
async fn a_real_project_keeps_the_contract() {
    let (provider, address) = opened();
    let nonce = Uuid::new_v4().simple().to_string();
    let name = neon_backup_name(Some(Uuid::now_v7()), None, Timestamp::now(), &nonce);
    let expires_at = Timestamp::now() + SignedDuration::from_mins(50);
    let new = NewBranch {
        name,
        nonce: nonce.clone(),
        expires_at: Some(expires_at),
        run: None,
        commit: None,
        scope: Scope::AFFORDABLE,
    };
    let done = AssertUnwindSafe(contract(&provider, &address, &new)).catch_unwind().await;
    // Also after a failure: ours by its nonce, or not there any more.
    let left = provider.list().await.unwrap();
    for branch in left.iter().filter(|it| it.nonce == nonce) {
        provider.delete(branch).await.unwrap();
    }
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

async fn contract(provider: &NeonBranches<'_>, address: &Address, new: &NewBranch) {
    let table = format!("liftlock_live_{}", &new.nonce[..12]);
    let execute = async |sql: String| {
        let session = support::connect(address).await;
        session.batch_execute(&sql).await.unwrap();
        session.close().await;
    };
    let count = async || {
        let session = support::connect(address).await;
        let rows: i64 = session.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
        session.close().await;
        rows
    };
    execute(format!("create table {table} (id int primary key); insert into {table} select generate_series(1, 9)"))
        .await;
    let made = provider.create(new).await.unwrap();
    let again = provider.create(new).await.unwrap();
    assert_eq!((&again.lsn, &again.place), (&made.lsn, &made.place), "made once");
    let stolen = provider.create(&NewBranch { nonce: "another".to_owned(), ..new.clone() }).await;
    assert!(matches!(stolen, Err(BranchError::Taken { .. })), "{stolen:?}");
    for depth in [Depth::Outside, Depth::Contents] {
        let verification = provider.verify(&made, depth).await.unwrap();
        assert!(verification.is_sound(), "{verification:?}");
    }
    execute(format!("delete from {table} where id > 2")).await;
    let preserve = neon_preserve_name(&new.nonce, 1);
    let restored = provider.restore(&made, &preserve).await.unwrap();
    assert_eq!((restored.preserved.as_ref(), count().await), (Some(&preserve), 9));
    execute(format!("delete from {table} where id > 5")).await;
    provider.restore(&made, &preserve).await.unwrap();
    assert_eq!(count().await, 5, "a second time does nothing");
    execute(format!("drop table {table}")).await;
    provider.delete(&made).await.unwrap();
    provider.delete(&made).await.unwrap();
    let gone = provider.verify(&made, Depth::Outside).await;
    assert!(matches!(gone, Err(BranchError::NotFound { .. })), "{gone:?}");
}
