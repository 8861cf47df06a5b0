//! Kills the real process with SIGKILL at random moments and demands, each time, the same end: every migration
//! applied once, the chain verified, no event lost, the mirror equal to the source.
//!
//! A red run prints its seed; `LIFTLOCK_SEED=… cargo test --test it crash::` runs the same kills again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use camino::Utf8PathBuf;
use liftlock::{
    promote::outbox,
    secret::Secret,
    services::{
        postgres::{self, Address, Options, Session},
        sandbox::{Sandbox, SandboxOptions},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    task::JoinSet,
    time,
};

use crate::{
    receiver::{Receiver, SECRET},
    support,
};

const KILLS: u64 = 50;
/// Rounds at a time: enough to keep two cores busy while others wait for a lock.
const AT_ONCE: usize = 3;

/// What production holds before the release.
const BEFORE: &str = "
    create table sites (id integer primary key, name text, open boolean);
    insert into sites select n, case when n % 7 = 0 then null else 'site ' || n end, n % 3 = 0 from generate_series(1, 400) n;
    create table visits (id integer primary key, site integer not null, note text);
    insert into visits select n, 1 + n % 400, 'Besuch «' || n || '» 🚧' from generate_series(1, 1500) n;
    create table big (id integer primary key, word text);
    insert into big select n, md5(n::text) from generate_series(1, 30000) n;
    create table applied (note text);
";

/// The release. Each file leaves a line in `applied`, which has no key: applied twice would be two lines.
const RELEASE: [(&str, &str); 6] = [
    (
        "20260101000001_add_owner_safe.sql",
        "alter table sites add column owner text;\n
         insert into applied (note) values ('1') on conflict do nothing;",
    ),
    ("20260101000002_index_big_safe.sql", "create index concurrently big_word_idx on big (word);"),
    (
        "20260101000003_create_crews_safe.sql",
        "create table crews (id integer primary key, name text not null);\n
         insert into applied (note) values ('3') on conflict do nothing;",
    ),
    (
        "20260101000004_visits_of_sites_safe.sql",
        "alter table visits add constraint visits_site_fkey foreign key (site) references sites (id) not valid;\n
         insert into applied (note) values ('4') on conflict do nothing;",
    ),
    (
        "20260101000005_check_visits_of_sites_safe.sql",
        "alter table visits validate constraint visits_site_fkey;\n
         insert into applied (note) values ('5') on conflict do nothing;",
    ),
    (
        "20260101000006_index_visits_safe.sql",
        "create index concurrently visits_site_idx on visits (site);\n
         create index concurrently visits_note_idx on visits (note);",
    ),
];

const CONFIGURATION: &str = r#"
migrations: migrations
environments:
  production: { database: "${URL}" }
audit: { webhook: "${HOOK}", secret: "${SECRET}" }
sync:
  from: production
  to: { folder: mirror }
  batch_rows: 200
  tables: [sites, visits]
"#;

/// The end as the database shows it: columns, indexes, constraints, what was applied, the history.
const END: &str = "
    select string_agg(line, E'\\n' order by line) from (
      select format('column %s.%s %s', table_name, column_name, data_type) from information_schema.columns
        where table_schema = 'public'
      union all select format('index %s valid %s', pg_get_indexdef(indexrelid), indisvalid and indisready)
        from pg_index where indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
      union all select format('constraint %s %s %s', conrelid::regclass, pg_get_constraintdef(oid), convalidated)
        from pg_constraint where connamespace = 'public'::regnamespace
      union all select format('applied %s: %s times', note, count(*)) from applied group by note
      union all select format('migration %s %s %s of %s', id, state, applied, total) from liftlock.migrations
      union all select format('statement %s %s %s', migration, ordinal, state) from liftlock.statements
      union all select format('promotion %s: %s', state, count(*)) from liftlock.promotions group by state
    ) as it(line)";

/// When to kill: after so many lines of progress and a little more. Not after a time: how far a process comes in
/// it depends on what else the machine does.
#[derive(Debug, Clone, Copy)]
struct Moment {
    lines: usize,
    then: Duration,
}

/// One production with its project folder and the receiver of its events.
struct Site {
    url: Secret,
    folder: Utf8PathBuf,
    receiver: Receiver,
    _temporary: tempfile::TempDir,
}

impl Site {
    /// A copy of the database as it is before the release.
    async fn new(sandbox: &Sandbox, name: &str) -> Self {
        let session = connect(&sandbox.url("postgres")).await;
        session.batch_execute(&format!("create database {name} template before")).await.unwrap();
        session.close().await;
        let temporary = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
        fs::create_dir(folder.join("migrations")).unwrap();
        fs::write(folder.join("liftlock.yml"), CONFIGURATION).unwrap();
        for (file, sql) in RELEASE {
            let header = "-- Description: A step of the release\n-- Created: 2026-01-01\n-- Type: schema_safe\n\
                          -- Rollback: drop what it adds, by name\n\n";
            fs::write(folder.join("migrations").join(file), format!("{header}{sql}\n")).unwrap();
        }
        Self { url: sandbox.url(name), folder, receiver: Receiver::start(SECRET, &[]).await, _temporary: temporary }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::liftlock();
        command.current_dir(&self.folder).args(arguments);
        command.env("URL", self.url.expose()).env("HOOK", self.receiver.url()).env("SECRET", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    fn promote(&self) -> Command {
        self.command(&["promote", "--to", "production", "--yes"])
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        time::timeout(Duration::from_secs(60), self.command(arguments).output()).await.expect("it ends").unwrap()
    }

    /// Promotes and kills it at a moment; `false` when it had ended by itself.
    async fn promote_and_kill(&self, moment: Moment) -> bool {
        let mut child = self.promote().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..moment.lines {
            if lines.next_line().await.unwrap().is_none() {
                break;
            }
        }
        time::sleep(moment.then).await;
        let running = child.try_wait().unwrap().is_none();
        // SIGKILL: nothing in the process can clean up.
        child.kill().await.unwrap();
        running
    }
}

async fn connect(url: &Secret) -> Session {
    postgres::connect(&Address::parse(url).unwrap(), &Options::default()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What must be true at the end, however often it was killed on the way.
async fn check_the_end(site: &Site, expected: Option<&str>) -> String {
    let flushed = site.run(&["audit", "flush", "--env", "production"]).await;
    assert_eq!(flushed.status.code(), Some(0), "{}", said(&flushed));
    let verified = site.run(&["audit", "verify", "--env", "production"]).await;
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let session = connect(&site.url).await;
    let end: String = session.query_one(END, &[]).await.unwrap().get(0);
    if let Some(expected) = expected {
        pretty_equal(&end, expected);
    }
    let formula = "select count(*) from liftlock.audit_outbox
        where hash <> encode(sha256(convert_to(previous_hash || body, 'UTF8')), 'hex') or delivered_at is null";
    assert_eq!(session.query_one(formula, &[]).await.unwrap().get::<_, i64>(0), 0);
    check_events(site, &session).await;
    check_mirror(site, &session).await;
    session.close().await;
    end
}

fn pretty_equal(found: &str, expected: &str) {
    let (found, expected): (BTreeSet<&str>, BTreeSet<&str>) = (found.lines().collect(), expected.lines().collect());
    let more: Vec<_> = found.difference(&expected).collect();
    let less: Vec<_> = expected.difference(&found).collect();
    assert!(more.is_empty() && less.is_empty(), "another end: too much {more:#?}, missing {less:#?}");
}

/// The receiver has every event at least once, and each time the same; and the deeds that must be told are told once.
async fn check_events(site: &Site, session: &Session) {
    let stored = outbox::list(&**session).await.unwrap();
    let mut received: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in site.receiver.taken() {
        received.entry(message.id).or_default().insert(message.body);
    }
    for event in &stored {
        let bodies = received.remove(&event.id.to_string()).unwrap_or_default();
        assert_eq!(bodies, BTreeSet::from([event.body.clone()]), "event {} did not arrive as it is", event.sequence);
    }
    assert!(received.is_empty(), "events that the database does not know: {:?}", received.keys());
    let count = |kind: &str| stored.iter().filter(|event| event.kind.contains(kind)).count();
    assert_eq!(
        count("migration.applied"),
        RELEASE.len(),
        "{:#?}",
        stored.iter().map(|it| &it.kind).collect::<Vec<_>>()
    );
    assert_eq!((count("promotion.started"), count("promotion.finished")), (1, 1));
}

/// Reads the mirror's files without our own code and compares row by row.
async fn check_mirror(site: &Site, session: &Session) {
    for (table, columns) in [("sites", &["id", "name", "open", "owner"][..]), ("visits", &["id", "site", "note"][..])] {
        let rows = session.query(&format!("select row_to_json(t)::text from {table} t"), &[]).await.unwrap();
        let source: BTreeSet<String> =
            rows.iter().map(|row| fields(&serde_json::from_str(row.get(0)).unwrap(), columns)).collect();
        let folder = site.folder.join("mirror").join(table);
        let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let mut mirrored = Vec::new();
        for segment in manifest["segments"].as_array().unwrap() {
            let file = folder.join(segment["file"].as_str().unwrap());
            let documents = fs::read_to_string(file).unwrap();
            mirrored.extend(documents.lines().map(|line| fields(&serde_json::from_str(line).unwrap(), columns)));
        }
        assert_eq!(mirrored.len(), source.len(), "{table}: rows in the mirror");
        assert_eq!(mirrored.into_iter().collect::<BTreeSet<_>>(), source, "{table}");
    }
}

fn fields(row: &Value, columns: &[&str]) -> String {
    columns.iter().map(|column| format!("{column}={} ", row[*column])).collect()
}

/// Kills at these moments, then promotes until it is done. Says how many kills hit a running process, and whether
/// where the last run went on, in its own words, when the killed ones had begun something.
async fn round(site: &Site, moments: &[Moment], expected: &str) -> (u64, Option<String>) {
    let mut hit = 0;
    for moment in moments {
        hit += u64::from(site.promote_and_kill(*moment).await);
    }
    let last = site.run(&["promote", "--to", "production", "--yes"]).await;
    assert_eq!(last.status.code(), Some(0), "killed at {moments:?}, then: {}", said(&last));
    check_the_end(site, Some(expected)).await;
    // Nothing is left to do, and saying so changes nothing.
    let again = site.run(&["promote", "--to", "production", "--yes"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let session = connect(&site.url).await;
    let end: String = session.query_one(END, &[]).await.unwrap().get(0);
    pretty_equal(&end, expected);
    let from = said(&last).lines().find_map(|line| {
        let (_, rest) = line.split_once("was stopped; ")?;
        Some(rest.split_once(", going on")?.0.to_owned())
    });
    (hit, from)
}

/// Its restore points are databases with its name in theirs: fifty rounds would leave hundreds.
async fn drop_all_of(sandbox: &Sandbox, name: &str) {
    let session = connect(&sandbox.url("postgres")).await;
    let sql =
        "select format('drop database %I with (force)', datname) from pg_database where datname like '%' || $1 || '%'";
    for row in session.query(sql, &[&name]).await.unwrap() {
        session.batch_execute(row.get(0)).await.unwrap();
    }
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_comes_to_the_same_end() {
    let seed = std::env::var("LIFTLOCK_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("LIFTLOCK_SEED={seed}");
    let sandbox = Arc::new(Sandbox::start(&SandboxOptions::default()).unwrap());
    let before = sandbox.create_database("before").await.unwrap();
    let session = connect(&before).await;
    session.batch_execute(BEFORE).await.unwrap();
    session.close().await;
    // Undisturbed, for the end to compare with and the time it takes.
    let site = Site::new(&sandbox, "undisturbed").await;
    let output = site.run(&["promote", "--to", "production", "--yes"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = String::from_utf8_lossy(&output.stderr).lines().count();
    assert!(lines > 10, "no progress to aim at: {}", said(&output));
    let expected = Arc::new(check_the_end(&site, None).await);

    let mut random = StdRng::seed_from_u64(seed);
    let (mut kills, mut hits, mut resumed) = (0, 0, BTreeMap::<String, u64>::new());
    let mut count = |(hit, from): (u64, Option<String>)| {
        hits += hit;
        from.into_iter().for_each(|from| *resumed.entry(from).or_default() += 1);
    };
    let mut rounds = JoinSet::new();
    let mut number = 0;
    while kills < KILLS {
        // Mostly one kill, sometimes a resumed run is killed as well.
        let moments: Vec<Moment> = (0..=random.random_range(0..3_u32) / 2)
            .map(|_| Moment {
                lines: random.random_range(0..lines),
                then: Duration::from_micros(random.random_range(0..60_000)),
            })
            .collect();
        kills += moments.len() as u64;
        number += 1;
        if rounds.len() >= AT_ONCE {
            count(rounds.join_next().await.unwrap().unwrap());
        }
        let (sandbox, expected) = (Arc::clone(&sandbox), Arc::clone(&expected));
        rounds.spawn(async move {
            let name = format!("round{number:02}");
            let site = Site::new(&sandbox, &name).await;
            let counts = round(&site, &moments, &expected).await;
            drop(site);
            drop_all_of(&sandbox, &name).await;
            counts
        });
    }
    while let Some(ended) = rounds.join_next().await {
        count(ended.unwrap());
    }
    eprintln!("{kills} kills in {number} rounds, {hits} of a running process; went on after {resumed:#?}");
    assert!(hits > KILLS / 2 && resumed.len() > 4, "the kills missed: {hits} hits, went on after {resumed:?}");
}
