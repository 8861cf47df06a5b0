//! Promotions onto a Neon project that are killed, locked out and started again: each has one restore point, applies
//! everything once and nothing before its restore point is there; and no secret shows up anywhere.

use std::{
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use camino::Utf8PathBuf;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time,
};

use crate::{
    receiver::{Receiver, SECRET},
    support::{
        self,
        neon::{
            FakeNeon, Setup,
            faults::{Call, Done, Fault, How, Look, RetryAfter, answer, throttled},
        },
    },
};

/// Never to be seen in any output, log, journal or event.
const KEY: &str = "napi_canary_7f3b1c";
const PASSWORD: &str = "canary-4c0ffee-91";

const CONFIGURATION: &str = r#"
migrations: migrations
environments:
  production:
    database: "${URL}"
    neon: { project: "${PROJECT}", branch: "${BRANCH}", api_key: "${KEY}", api_url: "${API}" }
    backup: { keep: 7d }
audit: { webhook: "${HOOK}", secret: "${SECRET}" }
"#;

struct Site {
    neon: FakeNeon,
    receiver: Receiver,
    folder: Utf8PathBuf,
    _temporary: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let setup = Setup { key: KEY.to_owned(), password: PASSWORD.to_owned(), ..Setup::default() };
        let neon = FakeNeon::with(setup);
        neon.execute("create table applied (note text); insert into applied values ('before')").await;
        let temporary = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
        fs::create_dir(folder.join("migrations")).unwrap();
        fs::write(folder.join("liftlock.yml"), CONFIGURATION).unwrap();
        Self { neon, receiver: Receiver::start(SECRET, &[]).await, folder, _temporary: temporary }
    }

    /// A migration that leaves a line in `applied`, which has no key: applied twice would be two lines.
    fn migration(&self, number: usize) {
        let text = format!(
            "-- Description: Step {number}\n-- Created: 2026-01-01\n-- Type: schema_safe\n-- Rollback: drop it by name\n\n\
             create table step_{number} (id bigint primary key);\n\n\
             insert into applied (note) values ('{number}') on conflict do nothing;\n"
        );
        fs::write(self.folder.join(format!("migrations/20260101{number:06}_step_safe.sql")), text).unwrap();
    }

    fn promote(&self) -> Command {
        self.command(&["promote", "--to", "production", "--yes"])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::liftlock();
        command.current_dir(&self.folder).args(arguments);
        command.env("URL", self.neon.database_url().expose()).env("PROJECT", &self.neon.project);
        command.env("BRANCH", &self.neon.branch).env("KEY", KEY).env("API", &self.neon.api_url);
        command.env("HOOK", self.receiver.url()).env("SECRET", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    async fn run(&self) -> Output {
        time::timeout(Duration::from_secs(120), self.promote().output()).await.expect("it ends").unwrap()
    }

    /// What was applied, each with how often.
    async fn applied(&self) -> String {
        let sql = "select coalesce(string_agg(it, ' ' order by it), '') from (
            select note || ':' || count(*) as it from applied where note <> 'before' group by note) as counted";
        self.neon.text(sql).await
    }

    fn restore_points(&self) -> usize {
        self.neon.branches().iter().filter(|it| it.annotation.contains_key("liftlock-nonce")).count()
    }

    /// Everything that was kept or said anywhere, as far as others can read it.
    async fn traces(&self) -> String {
        let tables = "select string_agg(coalesce(query_to_xml(format('select * from liftlock.%I', relname), true, true, '')::text, ''), '')
            from pg_class where relnamespace = 'liftlock'::regnamespace and relkind = 'r'";
        let mut traces = vec![self.neon.text(tables).await, self.neon.server_logs()];
        traces.push(format!("{:?} {:?}", self.neon.requests(), self.receiver.taken()));
        for entry in walkdir::WalkDir::new(&self.folder).into_iter().flatten().filter(|it| it.file_type().is_file()) {
            traces.push(String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned());
        }
        traces.join("\n")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_no_secret(text: &str) {
    for secret in [KEY, PASSWORD] {
        assert!(!text.contains(secret), "a secret stands in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_a_promotion_ends_with_one_restore_point_and_everything_applied_once() {
    let site = Site::new().await;
    site.migration(0);
    let undisturbed = site.run().await;
    assert_eq!(undisturbed.status.code(), Some(0), "{}", said(&undisturbed));
    let lines = String::from_utf8_lossy(&undisturbed.stderr).lines().count();
    assert!(lines > 4, "no progress to aim at: {}", said(&undisturbed));
    let mut heard = said(&undisturbed);
    let mut expected = vec!["0:1".to_owned()];
    for number in 1..=lines {
        site.migration(number);
        site.neon.forget_requests();
        let mut child = site.promote().spawn().unwrap();
        let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..number {
            let Some(line) = progress.next_line().await.unwrap() else { break };
            heard.push_str(&line);
        }
        time::sleep(Duration::from_millis(rand::random::<u64>() % 80)).await;
        // SIGKILL: nothing in the process can clean up.
        child.kill().await.unwrap();
        // A request may be on its way still; what it began goes on.
        let killed_after = site.neon.requests().len();
        if site.applied().await.split(' ').any(|it| it.starts_with(&format!("{number}:"))) {
            assert_eq!(
                site.restore_points(),
                number + 1,
                "applied without a restore point, killed after {number} lines"
            );
        }
        let output = site.run().await;
        assert_eq!(output.status.code(), Some(0), "killed after {number} lines: {}", said(&output));
        heard.push_str(&said(&output));
        expected.push(format!("{number}:1"));
        expected.sort();
        assert_eq!(site.applied().await, expected.join(" "), "killed after {number} lines, {killed_after} requests");
        assert_eq!(site.restore_points(), number + 1, "killed after {number} lines: one for each promotion");
        let made = site.neon.mutations("POST", "/branches").iter().filter(|it| it.status != Some(423)).count();
        assert_eq!(made, 1, "killed after {number} lines: asked for once");
    }
    assert_no_secret(&heard);
    assert_no_secret(&site.traces().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_neon_does_to_a_promotion_on_the_way_is_survived_or_stops_it_before_anything_is_applied() {
    let site = Site::new().await;
    let lost = |done, look| Fault::once(Call::CreateBranch, How::Lose(done, look));
    let (mut heard, mut applied) = (String::new(), Vec::new());
    for (number, (fault, code)) in [
        (
            Fault::once(Call::CreateBranch, answer(423, "project already has running conflicting operations")).times(3),
            0,
        ),
        (Fault::once(Call::CreateBranch, throttled(429, RetryAfter::Seconds(1))), 0),
        (Fault::once(Call::Any, throttled(503, RetryAfter::Absent)).after(2), 0),
        (lost(Done::Yes, Look::Html524), 0),
        (lost(Done::No, Look::Text502), 0),
        (Fault::once(Call::CreateBranch, answer(422, "branches limit exceeded")), 3),
        (Fault::once(Call::CreateBranch, answer(403, "permission denied")), 3),
        (Fault::once(Call::ReadBranch, answer(500, "internal error")).after(2).times(2), 0),
    ]
    .into_iter()
    .enumerate()
    {
        site.migration(number);
        let shown = format!("{fault:?}");
        site.neon.fail(fault);
        let output = site.run().await;
        assert_eq!(output.status.code(), Some(code), "{shown}: {}", said(&output));
        heard.push_str(&said(&output));
        if code != 0 {
            let found = site.applied().await;
            assert_eq!(found, applied.join(" "), "{shown}: nothing is applied without a restore point");
            let again = site.run().await;
            assert_eq!(again.status.code(), Some(0), "{shown}, then: {}", said(&again));
        }
        applied.push(format!("{number}:1"));
        assert_eq!(site.applied().await, applied.join(" "), "{shown}");
        assert_eq!(site.restore_points(), number + 1, "{shown}");
    }
    // Somebody else's work, which nobody can see.
    site.migration(90);
    site.neon.lock(Duration::from_secs(3));
    let output = site.run().await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(site.neon.mutations("POST", "/branches").iter().any(|it| it.status == Some(423)));
    heard.push_str(&said(&output));
    assert_no_secret(&heard);
    assert_no_secret(&site.traces().await);
}

/// Where to kill: behind so many requests to Neon, or behind so many lines of progress.
#[derive(Debug, Clone, Copy)]
enum Point {
    Requests(usize),
    Lines(usize),
}

/// Kills it there; at the latest when it has ended.
async fn kill_at(site: &Site, mut command: Command, point: Point) {
    site.neon.forget_requests();
    let mut child = command.spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    match point {
        Point::Lines(lines) => {
            for _ in 0..lines {
                let Some(_) = progress.next_line().await.unwrap() else { break };
            }
        }
        Point::Requests(requests) => {
            while site.neon.requests().len() < requests && child.try_wait().unwrap().is_none() {
                time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    time::sleep(Duration::from_millis(rand::random::<u64>() % 40)).await;
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_a_restore_ends_the_same_and_happens_once() {
    let site = Site::new().await;
    let made = site.command(&["backup", "create", "--env", "production", "--format", "json"]).output().await.unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let report: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let name = report["backups"][0]["name"].as_str().unwrap().to_owned();
    let restore = || site.command(&["backup", "restore", &name, "--env", "production", "--yes"]);
    let spoil = async || site.neon.execute("insert into applied (note) values ('later')").await;
    let ended = async || {
        let sql = "select count(*)::text from liftlock.audit_outbox where kind like '%restore_point.restored%'";
        site.neon.text(sql).await.parse::<usize>().unwrap()
    };
    spoil().await;
    site.neon.forget_requests();
    let undisturbed = restore().output().await.unwrap();
    assert_eq!(undisturbed.status.code(), Some(0), "{}", said(&undisturbed));
    let requests = site.neon.requests();
    let lines = String::from_utf8_lossy(&undisturbed.stderr).lines().count();
    assert!(lines >= 3, "no progress to aim at: {}", said(&undisturbed));
    // Around each change, and here and there.
    let changes = (1..=requests.len()).filter(|it| requests[it - 1].is_mutation());
    let mut points: Vec<Point> = changes.flat_map(|it| [it, it + 1]).map(Point::Requests).collect();
    points.extend((1..=lines).map(Point::Lines));
    let mut heard = said(&undisturbed);
    for (number, point) in points.into_iter().enumerate() {
        let times = number + 2;
        spoil().await;
        kill_at(&site, restore(), point).await;
        let mut sent = site.neon.mutations("POST", "/restore");
        // Once all is written down, the same command means another restore.
        site.neon.settled().await;
        if ended().await < times {
            let output = time::timeout(Duration::from_secs(120), restore().output()).await.expect("it ends").unwrap();
            assert_eq!(output.status.code(), Some(0), "{point:?}: {}", said(&output));
            heard.push_str(&said(&output));
            sent = site.neon.mutations("POST", "/restore");
        }
        sent.retain(|it| it.status != Some(423));
        assert_eq!(sent.len(), 1, "{point:?}: put back once");
        assert_eq!(site.neon.text("select string_agg(note, ' ') from applied").await, "before", "{point:?}");
        assert_eq!(ended().await, times, "{point:?}: one event for each");
        assert_eq!(site.neon.computes(), 1, "{point:?}: production's own is what is left");
        let kept = site.neon.branches().iter().filter(|it| it.name.starts_with("liftlock/before-restore/")).count();
        assert_eq!(kept, times, "{point:?}: what was there before is kept");
    }
    assert_no_secret(&heard);
    assert_no_secret(&site.traces().await);
}
