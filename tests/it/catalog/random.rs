//! Random histories: statements made of a few names, run on Postgres, and replayed as far as Postgres took them. The
//! catalogs must end equal, and no rule may say of a statement that Postgres took that it fails.
//!
//! `LIFTLOCK_SEED` and `LIFTLOCK_HISTORIES` say which and how many.

use liftlock::{
    config::ProfileName,
    lint::{self, Request},
    migration::{self, Beside, Migration, MigrationId, SourceFile, layout::Layout},
    services::postgres::Session,
};

use super::compare;
use crate::support;

/// Each letter in `<>` stands for one of its words.
const STATEMENTS: &[&str] = &[
    "create table <t> (<c> <y> <o>, <c> <y> <o>, <c> <y>)",
    "create table <t> (<c> <y> <o>, <c> <y> <o>, unique (<c>), check (<c> is not null))",
    "create table <t> (<c> <y> primary key, <c> int references <t>)",
    "create table if not exists <t> (<c> <y>)",
    "create table <t> (like <t> <i>)",
    "create table <t> () inherits (<t>)",
    "create table <t> (<c> int, <c> text) partition by list (<c>)",
    "create table <t> partition of <t> for values in (<n>)",
    "create table <t> partition of <t> default",
    "alter table <t> attach partition <t> for values in (<n>)",
    "alter table <t> detach partition <t>",
    "create table <t> as select * from <t>",
    "alter table <t> add column <c> <y> <o>",
    "alter table <t> add column if not exists <c> <y> <o>",
    "alter table <t> drop column <c>",
    "alter table <t> drop column <c> cascade",
    "alter table <t> alter column <c> type <y> using null",
    "alter table <t> alter column <c> set not null",
    "alter table <t> alter column <c> drop not null",
    "alter table <t> alter column <c> set default null",
    "alter table <t> alter column <c> drop default",
    "alter table <t> rename column <c> to <c>",
    "alter table <t> rename to <t>",
    "alter table <t> set schema <s>",
    "alter table <s>.<t> set schema public",
    "alter table <t> add constraint <k> check (<c> is not null)",
    "alter table <t> add constraint <k> check (<c> is not null) not valid",
    "alter table <t> add constraint <k> unique (<c>)",
    "alter table <t> add constraint <k> primary key (<c>)",
    "alter table <t> add unique (<c>, <c>)",
    "alter table <t> add constraint <k> foreign key (<c>) references <t> (<c>) not valid",
    "alter table <t> add foreign key (<c>) references <t>",
    "alter table <t> validate constraint <k>",
    "alter table <t> drop constraint <k>",
    "alter table <t> drop constraint <k> cascade",
    "alter table <t> rename constraint <k> to <k>",
    "alter table <t> inherit <t>",
    "alter table <t> no inherit <t>",
    "alter table <t> enable row level security",
    "alter table <t> replica identity full",
    "create index on <t> (<c>)",
    "create index on <t> (<c>, <c>)",
    "create unique index <k> on <t> (<c>)",
    "create index on <t> (<c>) where <c> is not null",
    "create index on <t> (coalesce(<c>, <c>)) ",
    "create index if not exists <k> on <t> (<c>) include (<c>)",
    "alter table <t> add constraint <k> unique using index <k>",
    "alter table <t> add primary key using index <k>",
    "alter index <k> rename to <k>",
    "drop index <k>",
    "drop table <t>",
    "drop table <t> cascade",
    "create view <v> as select <c> from <t>",
    "create view <v> as select * from <t>",
    "create materialized view <v> as select <c> from <t>",
    "create index on <v> (<c>)",
    "drop view <v>",
    "drop view <v> cascade",
    "drop materialized view <v>",
    "create type <d> as enum ('a', 'b')",
    "alter type <d> add value 'c'",
    "create domain <d> as int check (value > 0)",
    "create domain <d> as varchar(10) not null",
    "alter domain <d> add constraint <k> check (value is not null)",
    "alter domain <d> drop constraint <k>",
    "drop type <d> cascade",
    "drop domain <d>",
    "drop domain <d> cascade",
    "create function <f>(<c> <y>) returns int language sql immutable as 'select 1'",
    "create or replace function <f>(<c> <y>) returns int language sql stable as 'select 1'",
    "drop function <f>",
    "drop function <f>(int)",
    "create sequence <q>",
    "alter sequence <q> owned by <t>.<c>",
    "drop sequence <q>",
    "create policy <k> on <t> using (true)",
    "drop policy <k> on <t>",
    "grant select on <t> to public",
    "grant insert, update on <t> to public",
    "revoke select on <t> from public",
    "create schema <s>",
    "create table <s>.<t> (<c> <y> <o>)",
    "alter table <s>.<t> add column <c> <y>",
    "reset search_path; alter schema <s> rename to <s>",
    "reset search_path; drop schema <s> cascade",
    "create table <t> as select <c>, <c> as z, 1::bigint as y from <t>",
    "create table <t> as select <c>::text from <t> with no data",
    "select * into <t> from <t>",
    "create materialized view <v> as select * from <t>",
    "create view <v> as select * from <v>",
    "create or replace view <v> as select <c> from <t>",
    "create table <t> (<c> <y>, <c> <y>, constraint <k> unique (<c>), unique (<c>, <c>))",
    "create table <t> (<c> int generated always as identity, <c> int generated always as (<c> * 2) stored)",
    "create table <t> (<c> int, <c> int) partition by hash (<c>, (<c> + 1))",
    "create table <t> (<c> int not null, <c> int) partition by range (<c>)",
    "create table <t> partition of <t> for values from (<n>) to (<n>)",
    "create table <t> partition of <t> for values with (modulus 2, remainder <m>)",
    "alter table <t> attach partition <t> default",
    "alter table <t> attach partition <t> for values from (<n>) to (<n>)",
    "alter table <t> add constraint <k> check (<c> is not null) no inherit",
    "alter table only <t> add constraint <k> check (<c> is not null)",
    "alter table only <t> drop column <c>",
    "alter table only <t> drop constraint <k>",
    "alter table <t> alter constraint <k> deferrable",
    "alter table <t> alter column <c> add generated always as identity",
    "alter table <t> alter column <c> drop identity",
    "alter table <t> alter column <c> drop expression",
    "alter table <t> add column <c> int generated always as (1) stored",
    "alter table <t> alter column <c> set default nextval('<q>')",
    "alter table <t> add column <c> <y>, drop column <c>, add unique (<c>)",
    "alter table <t> alter column <c> set not null, alter column <c> type <y>",
    "alter table <t> rename constraint <k> to <k>",
    "alter table <v> rename to <v>",
    "alter view <v> rename to <v>",
    "alter view <v> rename column <c> to <c>",
    "alter view <v> set schema <s>",
    "alter materialized view <v> rename to <v>",
    "alter index <k> set schema <s>",
    "create index on only <t> (<c>)",
    "create unique index on <t> (<c>, <c>) include (<c>)",
    "alter index <k> attach partition <k>",
    "alter sequence <q> rename to <q>",
    "alter sequence <q> set schema <s>",
    "alter sequence <q> owned by none",
    "drop sequence <q> cascade",
    "create sequence <s>.<q> as int",
    "create type <d> as (<c> int, <c> text)",
    "create type <d> as range (subtype = int4)",
    "alter type <d> add attribute <c> int cascade",
    "alter type <d> drop attribute <c> cascade",
    "alter type <d> rename to <d>",
    "alter type <d> set schema <s>",
    "create table <t> of <d>",
    "alter table <t> of <d>",
    "alter table <t> not of",
    "drop type <d>",
    "alter domain <d> rename constraint <k> to <k>",
    "alter domain <d> set not null",
    "alter domain <d> drop not null",
    "alter function <f>(int) rename to <f>",
    "alter function <f> rename to <f>",
    "alter function <f>(text) set schema <s>",
    "create function <f>() returns trigger language plpgsql as 'begin return new; end'",
    "create function <f>(<t>) returns int language sql as 'select 1'",
    "drop function <f>() cascade",
    "drop function <f>(<y>)",
    "create trigger <k> before update of <c> on <t> for each row execute function <f>()",
    "create trigger <k> after insert on <t> execute function <f>()",
    "drop trigger <k> on <t>",
    "alter trigger <k> on <t> rename to <k>",
    "alter table <t> disable trigger <k>",
    "alter table <t> disable trigger all",
    "create policy <k> on <t> using (<c> is not null)",
    "alter policy <k> on <t> rename to <k>",
    "create schema <s> create table <t> (<c> int primary key) create view <v> as select <c> from <t>",
    "create schema if not exists s1; set search_path = s1, public",
    "reset search_path",
    "create table <t> (<c> int, foreign key (<c>) references <t> (<c>))",
    "create temp table <t> (<c> int)",
    "comment on column <t>.<c> is 'x'",
    "comment on constraint <k> on <t> is 'x'",
    "comment on index <k> is 'x'",
    "comment on view <v> is 'x'",
    "insert into <t> (<c>) values (null) on conflict (<c>) do nothing",
    "insert into <t> (<c>) values (null) on conflict on constraint <k> do nothing",
    "grant select (<c>) on <t> to public",
    "grant select on <v> to public",
    "grant usage on sequence <q> to public",
    "alter table <t> replica identity using index <k>",
    "alter table <t> cluster on <k>",
    "alter table <t> set (fillfactor = 70)",
    "truncate <t>",
    "create extension pgcrypto",
];

/// Tables come often, so that the rest finds some.
const EAGER: usize = 6;

const WORDS: &[(&str, &[&str])] = &[
    ("t", &["t1", "t2", "t3", "t4"]),
    ("c", &["a", "b", "c"]),
    ("y", &["int", "text", "bigint", "varchar(20)", "numeric(8, 2)", "serial", "d1", "timestamptz", "int[]"]),
    (
        "o",
        &[
            "",
            "",
            "not null",
            "default null",
            "unique",
            "check (true)",
            "references t1",
            "primary key",
            "not null default null",
        ],
    ),
    ("i", &["", "including all", "including constraints including indexes", "including defaults"]),
    ("n", &["1", "2", "3", "4"]),
    ("m", &["0", "1"]),
    ("s", &["s1", "s2"]),
    ("k", &["k1", "k2", "k3", "t1_a_key", "t1_pkey", "t2_a_check"]),
    ("v", &["v1", "v2"]),
    ("d", &["d1", "d2"]),
    ("f", &["f1", "f2"]),
    ("q", &["q1", "q2"]),
];

/// Numbers that follow from the seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(count).unwrap()).unwrap()
    }

    fn statement(&mut self) -> String {
        let last = if self.below(3) == 0 { EAGER } else { STATEMENTS.len() };
        let mut text = STATEMENTS[self.below(last)].to_owned();
        while let Some(start) = text.find('<').filter(|it| text[*it..].chars().nth(2) == Some('>')) {
            let words = WORDS.iter().find(|it| it.0 == &text[start + 1..start + 2]).unwrap().1;
            text.replace_range(start..start + 3, words[self.below(words.len())]);
        }
        text
    }
}

/// Histories, and statements that are tried in each.
const SIZE: (u64, usize) = (60, 40);

/// As many disagreements are enough to be looked at.
const SHOWN: usize = 8;

fn migration(statements: &[String]) -> Migration {
    let text = statements.iter().map(|it| format!("{it};\n")).collect();
    let file = SourceFile { path: "random.sql".into(), id: MigrationId("random.sql".to_owned()), text };
    migration::read_in(file, Layout::default(), Beside::default())
}

/// What rules say will fail, of the last statement after the others.
fn foretold(history: &[String], last: &str) -> Vec<String> {
    let all = history.iter().cloned().chain([last.to_owned()]).collect::<Vec<_>>();
    let judged = [migration(&all)];
    let request = Request { judged: &judged, ..Request::of(ProfileName::Production) };
    let findings = lint::lint(&request).findings;
    let own = findings.iter().filter(|it| it.line == all.len());
    let fails = own.filter(|it| it.message.contains("fails when it runs"));
    fails.map(|it| format!("! {} of `{last}`: {}", it.rule, it.message)).collect()
}

/// Runs what Postgres takes of these on empty schemas; where the two then differ, the first is what they differ in.
async fn disagreement(session: &Session, statements: &[String]) -> Vec<String> {
    let clean = "discard all; drop schema if exists s1, s2 cascade; drop extension if exists pgcrypto cascade; \
                 drop schema public cascade; create schema public";
    for statement in clean.split("; ") {
        session.batch_execute(statement).await.unwrap();
    }
    let mut ran = Vec::new();
    let mut false_alarms = Vec::new();
    for statement in statements {
        if session.batch_execute(statement).await.is_ok() {
            false_alarms.extend(foretold(&ran, statement));
            ran.push(statement.clone());
        }
    }
    session.batch_execute("reset search_path").await.unwrap();
    let history = ran.iter().map(|it| format!("{it};\n")).collect::<String>() + "reset search_path;";
    false_alarms.extend(compare(session, &history).await);
    false_alarms
}

/// The same with as few statements as it takes.
async fn shortest(session: &Session, mut statements: Vec<String>) -> Vec<String> {
    let mut at = statements.len();
    while at > 0 {
        at -= 1;
        let mut fewer = statements.clone();
        fewer.remove(at);
        if !disagreement(session, &fewer).await.is_empty() {
            statements = fewer;
        }
    }
    statements
}

#[tokio::test]
async fn replay_builds_what_postgres_builds_of_random_histories() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default);
    let first: u64 = number("LIFTLOCK_SEED", 1);
    let count: u64 = number("LIFTLOCK_HISTORIES", SIZE.0);
    let database = support::database("random_histories").await;
    let session = database.session().await;
    let mut wrong = Vec::new();
    for seed in first..first + count {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let statements = (0..SIZE.1).map(|_| dice.statement()).collect::<Vec<_>>();
        if disagreement(&session, &statements).await.is_empty() {
            continue;
        }
        let statements = shortest(&session, statements).await;
        let differs = disagreement(&session, &statements).await.join("\n");
        wrong.push(format!("LIFTLOCK_SEED={seed}:\n{};\n  differs:\n{differs}", statements.join(";\n")));
        if wrong.len() >= SHOWN {
            break;
        }
    }
    session.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
