//! What is read of databases of each major version, with what only some of them have.

use liftlock::services::postgres::Address;

use super::compare;
use crate::{
    oracle::servers::{majors, server},
    support,
};

/// For all of them.
const HISTORY: &str = "
    create table p (id int primary key, at date not null, total int default 5 check (total > 0));
    create index p_total_idx on p (total) include (at);
    create table events (at date not null, id int) partition by range (at);
    create table events_1 partition of events for values from ('2026-01-01') to ('2027-01-01');
    create function newest() returns int language sql begin atomic; select max(id) from p; end;
    create function plain() returns int language sql as 'select 1';
    create view recent as select id from p;
";

/// Since a version.
const SINCE: &[(u8, &str)] = &[
    (15, "create table u (a int, b int, unique nulls not distinct (a, b));"),
    (
        18,
        "create table v (a int not null, b int generated always as (a * 2) virtual, c int,
           constraint unheeded check (c > 0) not enforced);
         alter table v add constraint c_is_set not null c not valid;",
    ),
];

#[tokio::test]
async fn a_database_of_each_major_version_is_read_as_its_files_are() {
    let mut wrong = Vec::new();
    for major in majors() {
        let server = server(major);
        let connect = |database: &str| {
            let address = Address::parse(&server.url(database)).unwrap();
            async move { support::connect(&address).await }
        };
        let admin = connect("postgres").await;
        admin.batch_execute("drop database if exists read_of_major; create database read_of_major").await.ok();
        admin.batch_execute("create database read_of_major").await.ok();
        admin.close().await;
        let session = connect("read_of_major").await;
        let more = SINCE.iter().filter(|(since, _)| major.number() >= *since).map(|(_, sql)| *sql);
        let history = [HISTORY].into_iter().chain(more).collect::<String>();
        session.batch_execute(&history).await.unwrap_or_else(|error| panic!("{}: {error:?}", major.number()));
        let difference = compare(&session, &history).await;
        wrong.extend(difference.iter().map(|it| format!("{}: {it}", major.number())));
        session.close().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
