//! The catalog against real Postgres: what replay makes of a history is what the server makes of it, and what
//! `liftlock snapshot` and `validate --live` read of a database is true, of no row, and readable by anybody.

mod dump;
mod histories;
mod live;
mod majors;
mod proofs;
mod random;

use liftlock::{
    catalog::{self, Catalog, Origin, Release, snapshot::Snapshot},
    services::postgres::{Session, catalog as reading},
    sql::{self, Place, Statement},
};

/// What replay makes of a text.
fn replayed(text: &str) -> Catalog {
    fn step(catalog: &mut Catalog, statement: &Statement, origin: Origin) {
        catalog::replay(catalog, statement, origin);
        let outer = catalog.enter(statement);
        for inner in &statement.inner {
            match inner.place {
                Place::Top | Place::Within => step(catalog, inner, origin),
                Place::Do => step(catalog, inner, Origin { certain: false, ..origin }),
                Place::Routine(_) => {}
            }
        }
        catalog.leave(outer);
    }
    let origin = Origin { release: Release::History, migration: 0, certain: true };
    let mut catalog = Catalog::default();
    for statement in sql::read(text) {
        step(&mut catalog, &statement, origin);
    }
    // What is the session's own is in no snapshot.
    catalog.end_session();
    catalog
}

async fn snapshot(session: &Session) -> Snapshot {
    reading::read(session, "test").await.unwrap()
}

/// Lines that only one of them has: `-` replay is missing it, `+` replay has made it up.
fn difference(found: &[String], replayed: &[String]) -> Vec<String> {
    let missing = found.iter().filter(|it| !replayed.contains(it)).map(|it| format!("- {it}"));
    let invented = replayed.iter().filter(|it| !found.contains(it)).map(|it| format!("+ {it}"));
    missing.chain(invented).collect()
}

/// Replays a history and compares with the database on which it ran.
async fn compare(session: &Session, history: &str) -> Vec<String> {
    let found = snapshot(session).await;
    let base = found.catalog("test");
    assert_eq!(dump::counts(&found), dump::counted(&base), "reading a snapshot loses something, after:\n{history}");
    difference(&dump::lines(&base), &dump::lines(&replayed(history)))
}
