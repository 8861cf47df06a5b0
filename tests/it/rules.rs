//! Every example of every rule, run on PostgreSQL 14 to 18: it runs or fails as the rule says, and takes the locks that
//! the rule says, neither more nor fewer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use liftlock::{
    config::PostgresMajor,
    lint::{Docs, Example, ExampleKind, Rule, rules},
    services::{
        postgres::{Address, Session, quote_identifier},
        sandbox::Sandbox,
    },
    sql,
};

use crate::{
    oracle::servers::{majors, server},
    support,
};

/// Weakest first.
const MODES: [&str; 8] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

/// Strongest lock by relation.
type Locks = BTreeMap<String, String>;

/// A database on a server of one major, with a rule's setup in it.
struct Prepared {
    server: &'static Sandbox,
    name: String,
}

impl Prepared {
    async fn new(major: PostgresMajor, name: String, setup: &str) -> Result<Self, String> {
        let server = server(major);
        server.create_database(&name).await.unwrap();
        let prepared = Self { server, name };
        let session = prepared.session().await;
        let failure = execute(&session, setup).await;
        session.close().await;
        match failure {
            Some(failure) => Err(format!("the setup fails: {failure:?}")),
            None => Ok(prepared),
        }
    }

    async fn session(&self) -> Session {
        support::connect(&Address::parse(&self.server.url(&self.name)).unwrap()).await
    }

    async fn gone(self) {
        let admin = support::connect(&Address::parse(&self.server.url("postgres")).unwrap()).await;
        let sql = format!("drop database {} with (force)", quote_identifier(&self.name));
        admin.batch_execute(&sql).await.unwrap();
        admin.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_example_does_on_each_postgres_what_its_rule_says() {
    let docs = rules::ALL.iter().map(|rule| (*rule, rule.docs())).collect::<Vec<_>>();
    let on_each = join_all(majors().into_iter().map(async |major| {
        let checks = stream::iter(docs.iter().map(|(rule, docs)| check(major, rule, docs)));
        (major, checks.buffer_unordered(2).collect::<Vec<_>>().await.concat())
    }));
    // The same on several majors is said once.
    let mut wrong: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (major, complaints) in on_each.await {
        for complaint in complaints {
            wrong.entry(complaint).or_default().insert(major.to_string());
        }
    }
    let said =
        wrong.iter().map(|(it, majors)| format!("on {}: {it}", majors.iter().cloned().collect::<Vec<_>>().join(", ")));
    assert!(wrong.is_empty(), "{}", said.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn every_example_runs_on_some_major() {
    for rule in rules::ALL {
        for example in rule.docs().examples {
            assert!(majors().into_iter().any(|it| example.runs_on(it)), "{}: on none: {}", rule.name, example.sql);
        }
    }
}

/// What is wrong with a rule's examples, each as one text.
async fn check(major: PostgresMajor, rule: &Rule, docs: &Docs) -> Vec<String> {
    let name = |what: &str| format!("rule_{}_{what}", rule.name.replace('-', "_"));
    let runs = docs.examples.iter().filter(|it| it.option("unrun").is_none() && it.runs_on(major));
    let (alone, together): (Vec<_>, Vec<_>) = runs.partition(|it| it.option("commits").is_some());
    let mut wrong = Vec::new();
    if !together.is_empty() {
        match Prepared::new(major, name("together"), &docs.setup).await {
            Err(failure) => return vec![format!("{}: {failure}", rule.name)],
            Ok(database) => {
                for example in together {
                    wrong.extend(complain(rule, example, in_transaction(&database, example).await));
                }
                database.gone().await;
            }
        }
    }
    for example in alone {
        match Prepared::new(major, name("alone"), &docs.setup).await {
            Err(failure) => return vec![format!("{}: {failure}", rule.name)],
            Ok(database) => {
                wrong.extend(complain(rule, example, statement_by_statement(&database, example).await));
                database.gone().await;
            }
        }
    }
    wrong
}

fn complain(rule: &Rule, example: &Example, outcome: Result<(), String>) -> Option<String> {
    let kind = if example.kind == ExampleKind::Bad { "bad" } else { "good" };
    outcome.err().map(|it| format!("{} ({kind}): {it}\n{}", rule.name, example.sql))
}

/// Runs the example in a transaction, compares, and rolls back.
async fn in_transaction(database: &Prepared, example: &Example) -> Result<(), String> {
    let session = database.session().await;
    let known = relations(&session).await;
    session.batch_execute("begin").await.unwrap();
    let outcome = expect(example, execute(&session, &example.sql).await);
    let compared = match (outcome, example.option("fails")) {
        (Err(wrong), _) => Err(wrong),
        (Ok(()), Some(_)) => Ok(()),
        (Ok(()), None) => compare(example, &locks_of(&session, &known).await),
    };
    session.batch_execute("rollback").await.unwrap();
    session.close().await;
    compared
}

/// Runs what no transaction block allows, each statement on its own. The lock that is claimed is seen by standing
/// in its way while the first statement runs: another session holds `SHARE UPDATE EXCLUSIVE` on the relation, so
/// whatever is as strong waits, and is seen waiting.
async fn statement_by_statement(database: &Prepared, example: &Example) -> Result<(), String> {
    let session = database.session().await;
    let statements = statements(&example.sql);
    let claimed = claimed(example);
    let (Some((relation, mode)), Some((first, rest))) = (claimed.first_key_value(), statements.split_first()) else {
        return run(&session, example, &statements).await;
    };
    let other = database.session().await;
    other.batch_execute(&format!("begin; lock table {relation} in share update exclusive mode")).await.unwrap();
    let waiting = async {
        let seen = wanted(&other, session.pid(), relation).await;
        other.batch_execute("commit").await.unwrap();
        seen
    };
    let (failure, seen) = tokio::join!(execute(&session, first), waiting);
    if seen.as_ref() != Some(mode) {
        return Err(format!("claims {mode} on {relation}, Postgres asks for {seen:?}; {failure:?}"));
    }
    if failure.is_some() {
        return expect(example, failure);
    }
    run(&session, example, rest).await
}

async fn run(session: &Session, example: &Example, statements: &[&str]) -> Result<(), String> {
    for statement in statements {
        let failure = execute(session, statement).await;
        if failure.is_some() {
            return expect(example, failure);
        }
    }
    expect(example, None)
}

fn statements(text: &str) -> Vec<&str> {
    sql::read(text).into_iter().map(|it| &text[it.span.start..it.span.end]).collect()
}

/// The SQLSTATE of a failure, and its text.
async fn execute(session: &Session, text: &str) -> Option<(String, String)> {
    let error = session.batch_execute(text).await.err()?;
    let state = error.code().map(|it| it.code().to_owned()).unwrap_or_default();
    Some((state, error.as_db_error().map(ToString::to_string).unwrap_or_else(|| error.to_string())))
}

/// Does the outcome fit the claim: an SQLSTATE, or success?
fn expect(example: &Example, failure: Option<(String, String)>) -> Result<(), String> {
    match (example.option("fails"), &failure) {
        (None, None) => Ok(()),
        (Some(expected), Some((state, _))) if expected == state => Ok(()),
        (expected, _) => Err(format!("claims to fail with {expected:?}, but: {failure:?}")),
    }
}

fn claimed(example: &Example) -> Locks {
    let claims = example.option("locks").unwrap_or_default().split(',').filter_map(|it| it.split_once(':'));
    claims.map(|(relation, mode)| (relation.to_owned(), mode.to_owned())).collect()
}

/// All claims must hold. What is not claimed may only be read, or be an index.
fn compare(example: &Example, taken: &Locks) -> Result<(), String> {
    let claimed = claimed(example);
    for mode in claimed.values() {
        assert!(MODES.contains(&mode.as_str()), "no lock mode is called {mode}");
    }
    let unclaimed = |relation: &String, mode: &String| !claimed.contains_key(relation) && mode != MODES[0];
    let more = taken.iter().any(|(relation, mode)| unclaimed(relation, mode) && !relation.starts_with("index "));
    let fewer = claimed.iter().any(|(relation, mode)| {
        let found = taken.get(relation).or_else(|| taken.get(&format!("index {relation}")));
        found != Some(mode)
    });
    if more || fewer { Err(format!("claims {claimed:?}, Postgres takes {taken:?}")) } else { Ok(()) }
}

/// Tables, views and indexes that are there, by oid.
async fn relations(session: &Session) -> BTreeMap<u32, String> {
    let sql = "select oid, case when relkind in ('i', 'I') then 'index ' else '' end || oid::regclass::text \
               from pg_class where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I') \
               and relnamespace <> 'pg_toast'::regnamespace";
    session.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The strongest lock that a session holds on each of them.
async fn locks_of(session: &Session, known: &BTreeMap<u32, String>) -> Locks {
    let sql = "select relation, mode from pg_locks where locktype = 'relation' and pid = pg_backend_pid()";
    let mut locks = Locks::new();
    for row in session.query(sql, &[]).await.unwrap() {
        let Some(name) = known.get(&row.get::<_, u32>(0)) else { continue };
        let mode = row.get::<_, String>(1);
        let rank = |mode: &str| MODES.iter().position(|it| *it == mode);
        let held = locks.entry(name.clone()).or_insert_with(|| mode.clone());
        if rank(&mode) > rank(held) {
            *held = mode;
        }
    }
    locks
}

/// The lock on a relation that another session waits for, within five seconds.
async fn wanted(session: &Session, pid: i32, relation: &str) -> Option<String> {
    let sql = "select mode from pg_locks where pid = $1 and not granted and relation = $2::text::regclass";
    for _ in 0..100 {
        if let Some(row) = session.query_opt(sql, &[&pid, &relation]).await.unwrap() {
            return Some(row.get(0));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}
