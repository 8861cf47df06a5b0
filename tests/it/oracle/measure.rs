//! What a probe does on a real server.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use liftlock::services::{
    postgres::{Address, Session, quote_identifier},
    sandbox::Sandbox,
};

use super::probes::Probe;
use crate::support;

/// Lock modes, weakest first.
pub const MODES: [(&str, &str, &str); 8] = [
    ("AccessShareLock", "AS", "ACCESS SHARE"),
    ("RowShareLock", "RS", "ROW SHARE"),
    ("RowExclusiveLock", "RX", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SUX", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "S", "SHARE"),
    ("ShareRowExclusiveLock", "SRX", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "X", "EXCLUSIVE"),
    ("AccessExclusiveLock", "AX", "ACCESS EXCLUSIVE"),
];

/// The first mode that others notice.
pub const SHARE_UPDATE_EXCLUSIVE: usize = 3;
/// The first mode that keeps writers away.
pub const SHARE: usize = 4;

/// What was there before is named; what a probe creates is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measurement {
    /// Strongest mode by relation, an index into [`MODES`]; of indexes only those that others notice.
    pub locks: BTreeMap<String, usize>,
    /// Tables and materialized views that were written again.
    pub rewritten: BTreeSet<String>,
    /// Indexes that were built again.
    pub rebuilt: BTreeSet<String>,
    /// Tables of which rows were read from end to end.
    pub scanned: BTreeSet<String>,
    /// The SQLSTATE it failed with; then nothing else is known.
    pub failed: Option<String>,
}

impl Measurement {
    /// Whether it hurts: it fails, writes again, or reads all rows while writers wait.
    pub fn is_heavy(&self) -> bool {
        let waits = |table: &String| self.locks.get(table).is_some_and(|mode| *mode >= SHARE);
        // REINDEX CONCURRENTLY builds again and keeps nobody away.
        let rebuilt = !self.rebuilt.is_empty() && self.locks.keys().any(waits);
        self.failed.is_some() || !self.rewritten.is_empty() || rebuilt || self.scanned.iter().any(waits)
    }

    /// What a finding prints: `ACCESS EXCLUSIVE, full scan`. Of the relation that suffers most.
    pub fn said(&self) -> String {
        if let Some(state) = &self.failed {
            return format!("fails with {state}");
        }
        let suffers = |table: &&String| self.rewritten.contains(*table) || self.scanned.contains(*table);
        let worst = |names: Vec<&String>| names.into_iter().filter_map(|it| self.locks.get(it)).max().copied();
        let mode = worst(self.locks.keys().filter(suffers).collect()).or(self.locks.values().max().copied());
        let mut said = mode.map(|it| MODES[it].2.to_owned()).into_iter().collect::<Vec<_>>();
        let how = match (self.rewritten.is_empty(), self.rebuilt.is_empty(), self.scanned.is_empty()) {
            (false, _, _) => Some("rewrite"),
            (_, false, _) => Some("indexes built again"),
            (_, _, false) => Some("full scan"),
            _ => None,
        };
        said.extend(how.map(str::to_owned));
        if said.is_empty() { "no lock that others notice".to_owned() } else { said.join(", ") }
    }

    /// From what [`fmt::Display`] writes.
    pub fn read(text: &str) -> Self {
        let mut measured = Self::default();
        for part in text.split("; ") {
            let (first, rest) = part.split_once(' ').unwrap_or((part, ""));
            let names = rest.split(' ').map(str::to_owned).collect();
            match first {
                "nothing" => {}
                "fails" => measured.failed = Some(rest.to_owned()),
                "rewrites" => measured.rewritten = names,
                "rebuilds" => measured.rebuilt = names,
                "scans" => measured.scanned = names,
                _ => {
                    let locks = part.split(", ").map(|it| it.rsplit_once(' ').unwrap());
                    let mode = |short: &str| MODES.iter().position(|it| it.1 == short).unwrap();
                    measured.locks = locks.map(|(name, short)| (name.to_owned(), mode(short))).collect();
                }
            }
        }
        measured
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(state) = &self.failed {
            return write!(f, "fails {state}");
        }
        let locks = self.locks.iter().map(|(name, mode)| format!("{name} {}", MODES[*mode].1));
        let mut parts = vec![locks.collect::<Vec<_>>().join(", ")];
        for (verb, names) in [("rewrites", &self.rewritten), ("rebuilds", &self.rebuilt), ("scans", &self.scanned)] {
            if !names.is_empty() {
                parts.push(format!("{verb} {}", names.iter().cloned().collect::<Vec<_>>().join(" ")));
            }
        }
        parts.retain(|it| !it.is_empty());
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

/// All probes on one server, those of one setup in one database.
pub async fn measure(server: &Sandbox, setup: &str, probes: &[&Probe]) -> Vec<Measurement> {
    let admin = session(server, "postgres").await;
    let mut measured = vec![Measurement::default(); probes.len()];
    for name in ["group", "single", "probed"] {
        drop_database(&admin, name).await;
    }
    copy(&admin, "template1", "probed").await;
    execute(server, "probed", setup).await;
    let mut by_setup: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, probe) in probes.iter().enumerate().filter(|(_, it)| it.alone.is_none()) {
        by_setup.entry(&probe.setup).or_default().push(at);
    }
    for (own_setup, group) in by_setup {
        copy(&admin, "probed", "group").await;
        execute(server, "group", own_setup).await;
        let session = session(server, "group").await;
        let known = relations(&session).await;
        for at in group {
            measured[at] = in_transaction(&session, &known, probes[at]).await;
        }
        session.close().await;
        drop_database(&admin, "group").await;
    }
    for (at, probe) in probes.iter().enumerate() {
        if let Some(tables) = &probe.alone {
            measured[at] = alone(server, &admin, probe, tables).await;
        }
    }
    drop_database(&admin, "probed").await;
    admin.close().await;
    measured
}

async fn session(server: &Sandbox, database: &str) -> Session {
    support::connect(&Address::parse(&server.url(database)).unwrap()).await
}

async fn execute(server: &Sandbox, database: &str, sql: &str) {
    let session = session(server, database).await;
    session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{}: {error:?} in:\n{sql}", server.version()));
    session.close().await;
}

async fn copy(admin: &Session, from: &str, to: &str) {
    let sql = format!("create database {} template {}", quote_identifier(to), quote_identifier(from));
    admin.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
}

async fn drop_database(admin: &Session, name: &str) {
    admin.batch_execute(&format!("drop database if exists {} with (force)", quote_identifier(name))).await.unwrap();
}

async fn in_transaction(session: &Session, known: &BTreeMap<u32, Relation>, probe: &Probe) -> Measurement {
    session.batch_execute("begin").await.unwrap();
    // The session's counters outlive a transaction for a while.
    let before = rows_read(session).await;
    let measured = match failure(session, &probe.sql).await {
        Some(state) => Measurement { failed: Some(state), ..Measurement::default() },
        None => {
            let mut measured = compared(known, &relations(session).await, probe);
            measured.locks = locks(session, known, &measured.rebuilt).await;
            measured.scanned = scanned(known, &before, &rows_read(session).await);
            measured
        }
    };
    // What a session remembers of sequences would let `currval` work in the next probe.
    session.batch_execute("rollback; discard sequences").await.unwrap();
    measured
}

async fn failure(session: &Session, sql: &str) -> Option<String> {
    let error = session.batch_execute(sql).await.err()?;
    Some(error.code().unwrap_or_else(|| panic!("{error:?} in: {sql}")).code().to_owned())
}

/// A relation that is there.
struct Relation {
    name: String,
    kind: i8,
    file: Option<u32>,
}

async fn relations(session: &Session) -> BTreeMap<u32, Relation> {
    let sql = "select oid, oid::regclass::text, relkind, pg_relation_filenode(oid) from pg_class \
               where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I', 'S') \
               and relnamespace <> 'pg_toast'::regnamespace";
    let rows = session.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), Relation { name: row.get(1), kind: row.get(2), file: row.get(3) })).collect()
}

/// What has another file than before. `TRUNCATE` gives a table a new, empty one, which is no rewrite.
fn compared(before: &BTreeMap<u32, Relation>, after: &BTreeMap<u32, Relation>, probe: &Probe) -> Measurement {
    let mut measured = Measurement::default();
    if probe.sql.starts_with("truncate") {
        return measured;
    }
    for (oid, old) in before {
        // An index that a type change drops and makes again has another oid and, when it was not built, the same file.
        let again = || after.values().find(|it| is_index(it) && it.name == old.name);
        let Some(new) = after.get(oid).or_else(|| again().filter(|_| is_index(old))) else { continue };
        if old.file == new.file {
            continue;
        }
        if is_index(old) {
            measured.rebuilt.insert(old.name.clone());
        } else if old.kind != b'S' as i8 {
            measured.rewritten.insert(old.name.clone());
        }
    }
    measured
}

fn is_index(relation: &Relation) -> bool {
    [b'i', b'I'].contains(&(relation.kind as u8))
}

async fn locks(
    session: &Session,
    known: &BTreeMap<u32, Relation>,
    rebuilt: &BTreeSet<String>,
) -> BTreeMap<String, usize> {
    let sql = "select relation, mode from pg_locks where locktype = 'relation' and pid = pg_backend_pid()";
    let mut locks = BTreeMap::new();
    for row in session.query(sql, &[]).await.unwrap() {
        let Some(relation) = known.get(&row.get::<_, u32>(0)) else { continue };
        let mode = rank(row.get(1));
        let floor = if is_index(relation) { SHARE_UPDATE_EXCLUSIVE } else { 1 };
        if mode >= floor && !rebuilt.contains(&relation.name) {
            let held = locks.entry(relation.name.clone()).or_insert(mode);
            *held = mode.max(*held);
        }
    }
    locks
}

fn rank(mode: &str) -> usize {
    MODES.iter().position(|it| it.0 == mode).unwrap_or_else(|| panic!("no lock mode is called {mode}"))
}

/// Rows that this session read in scans of whole tables.
async fn rows_read(session: &Session) -> BTreeMap<u32, i64> {
    let sql = "select relid, seq_tup_read from pg_stat_xact_user_tables where seq_tup_read > 0";
    session.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn scanned(
    known: &BTreeMap<u32, Relation>,
    before: &BTreeMap<u32, i64>,
    after: &BTreeMap<u32, i64>,
) -> BTreeSet<String> {
    let more = after.iter().filter(|(oid, rows)| before.get(oid).is_none_or(|it| it < rows));
    more.filter_map(|(oid, _)| known.get(oid)).map(|it| it.name.clone()).collect()
}

/// On its own. A lock that is given back before anybody could look at it is seen by standing in its way.
async fn alone(server: &Sandbox, admin: &Session, probe: &Probe, tables: &[String]) -> Measurement {
    let prepared = async || {
        drop_database(admin, "single").await;
        copy(admin, "probed", "single").await;
        execute(server, "single", &probe.setup).await;
        session(server, "single").await
    };
    let runner = prepared().await;
    let before = relations(&runner).await;
    let failed = failure(&runner, &probe.sql).await;
    let after = relations(&runner).await;
    runner.close().await;
    let mut measured = match failed {
        Some(failed) => Measurement { failed: Some(failed), ..Measurement::default() },
        None => compared(&before, &after, probe),
    };
    if measured.failed.is_none() {
        for table in tables {
            // In the way of what others notice, and of what keeps even readers away.
            for mode in ["share update exclusive", "access share"] {
                let runner = prepared().await;
                let other = session(server, "single").await;
                if let Some(wanted) = wanted(&runner, &other, probe, table, mode).await {
                    let strongest = measured.locks.entry(table.clone()).or_insert(wanted);
                    *strongest = wanted.max(*strongest);
                }
                other.close().await;
                runner.close().await;
            }
        }
    }
    drop_database(admin, "single").await;
    measured
}

/// The lock that the probe waits for while the other session holds one on the table.
async fn wanted(runner: &Session, other: &Session, probe: &Probe, table: &str, mode: &str) -> Option<usize> {
    // `LOCK TABLE` takes no materialized view; `ANALYZE` takes the same lock on it.
    let view = other.query_opt("select from pg_matviews where matviewname = $1", &[&table]).await.unwrap().is_some();
    let sql = match (view, mode) {
        (false, _) => format!("begin; lock table {table} in {mode} mode"),
        (true, "access share") => format!("begin; select from {table} limit 0"),
        (true, _) => format!("begin; analyze {table}"),
    };
    other.batch_execute(&sql).await.unwrap();
    let ended = AtomicBool::new(false);
    let run = async {
        failure(runner, &probe.sql).await;
        ended.store(true, Ordering::Relaxed);
    };
    let watch = async {
        let sql = "select locktype, mode, relation = $2::text::regclass from pg_locks where pid = $1 and not granted";
        let seen = loop {
            if let Some(row) = other.query_opt(sql, &[&runner.pid(), &table]).await.unwrap() {
                // Whoever waits for a transaction to end, as CONCURRENTLY does, stands in nobody's way.
                let here = row.get::<_, &str>(0) == "relation" && row.get::<_, Option<bool>>(2) == Some(true);
                break here.then(|| rank(row.get(1)));
            }
            if ended.load(Ordering::Relaxed) {
                break None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        other.batch_execute("commit").await.unwrap();
        seen
    };
    tokio::join!(run, watch).1
}
