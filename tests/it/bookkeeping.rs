//! Schema `liftlock`: made once, by whoever comes first, and clear about what keeps it from being made.

use liftlock::{
    secret::Secret,
    services::{
        bookkeeping::{self, BookkeepingError},
        postgres::{self, Address, Options, Session},
    },
};
use miette::Diagnostic;

use crate::support::{self, TestDatabase};

#[tokio::test]
async fn it_is_made_once_even_by_ten_at_a_time() {
    let database = support::database("bookkeeping_once").await;
    assert!(!bookkeeping::exists(&*database.session().await).await.unwrap());
    let one = async || {
        let mut session = database.session().await;
        bookkeeping::ensure(&mut session).await
    };
    let all = futures_util::future::join_all((0..10).map(|_| one())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let once: Vec<String> = (1..=bookkeeping::latest()).map(|it| it.to_string()).collect();
    let versions = "select string_agg(number::text, ',' order by number) from liftlock.versions";
    assert_eq!(database.text(versions).await, once.join(","));
    assert_eq!(bookkeeping::version(&*database.session().await).await.unwrap(), Some(bookkeeping::latest()));
}

/// What `ensure` answers to a role for which `setup` was run; `{role}` and `{database}` stand for the names.
async fn check(name: &str, setup: &str, expected: &str, in_help: &str) {
    let database = support::database(name).await;
    let role = database.name.replace("bookkeeping", "role");
    let setup = setup.replace("{role}", &role).replace("{database}", &database.name);
    database.execute(&format!("create role {role} login; {setup}")).await;
    let mut session = as_role(&database, &role).await;
    let answer = bookkeeping::ensure(&mut session).await;
    match answer {
        Ok(()) => assert_eq!(expected, "ok", "{name}"),
        Err(error) => {
            assert_eq!(error.code().unwrap().to_string(), format!("bookkeeping::{expected}"), "{name}: {error:?}");
            let help = error.help().unwrap().to_string();
            assert!(help.contains(&in_help.replace("{role}", &role)), "{name}: {help}");
        }
    }
    session.close().await;
    database.execute(&format!("drop owned by {role}; drop role {role}")).await;
}

async fn as_role(database: &TestDatabase, role: &str) -> Session {
    let url = database.url.expose().replace("postgres://postgres@", &format!("postgres://{role}@"));
    postgres::connect(&Address::parse(&Secret::new(url)).unwrap(), &Options::default()).await.unwrap()
}

const MAY_CREATE: &str = "grant create on database \"{database}\" to {role};";
const MADE_FOR_IT: &str = "create schema liftlock; grant usage, create on schema liftlock to {role};";
const FOREIGN: &str =
    "create schema liftlock; create table liftlock.boats (id int); grant usage on schema liftlock to {role};";
const READ_ONLY: &str =
    "grant create on database \"{database}\" to {role}; alter role {role} set default_transaction_read_only = on;";

#[tokio::test]
async fn what_keeps_it_from_being_made_is_said_with_what_to_run() {
    check("bookkeeping_may_create", MAY_CREATE, "ok", "").await;
    check("bookkeeping_made_for_it", MADE_FOR_IT, "ok", "").await;
    check("bookkeeping_denied", "", "permission", "grant usage, create on schema liftlock to \"{role}\"").await;
    check("bookkeeping_read_only", READ_ONLY, "read_only", "primary").await;
    check("bookkeeping_foreign", FOREIGN, "foreign_schema", "rename").await;
}

#[tokio::test]
async fn a_schema_of_another_role_and_a_newer_one_are_refused() {
    let database = support::database("bookkeeping_other").await;
    bookkeeping::ensure(&mut *database.session().await).await.unwrap();
    let role = database.name.replace("bookkeeping", "role");
    database.execute(&format!("create role {role} login; grant usage on schema liftlock to {role}; grant select on liftlock.versions to {role}")).await;
    let mut other = as_role(&database, &role).await;
    let answer = bookkeeping::ensure(&mut other).await;
    assert!(matches!(answer, Err(BookkeepingError::Permission { .. })), "{answer:?}");
    other.close().await;
    database.execute(&format!("drop owned by {role}; drop role {role}")).await;
    database.execute("insert into liftlock.versions values (999, 'x')").await;
    let answer = bookkeeping::ensure(&mut *database.session().await).await;
    assert!(matches!(answer, Err(BookkeepingError::TooNew { found: 999, .. })), "{answer:?}");
}
