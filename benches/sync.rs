//! `sync` of 60,000 and 600,000 rows into a folder: rows/s of the first load, of a run that finds nothing changed and
//! of one that finds 1 % changed, and the most memory it took. Each sync is a process of its own, so that the peak is
//! its own. Fails when memory grows with the rows.

use std::{env, fs, io::Write, process::Command, time::Instant};

use camino::Utf8Path;
use liftlock::{
    config::{Deletes, Verify},
    report::progress::Quiet,
    secret::Secret,
    services::{
        mirror::LocalMirror,
        postgres::{self, Address, Options},
        sandbox::{Sandbox, SandboxOptions},
    },
    sync::{self, Foreign, Request},
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SIZES: [u32; 2] = [60_000, 600_000];

/// Set for the child: database URL and mirror folder, in lines.
const CHILD: &str = "LIFTLOCK_BENCH_SYNC";

const TABLE: &str = "
    create table items (
      id bigint primary key, token uuid not null, name text not null, price numeric(12,2), weight float8, active boolean,
      tags text[], attributes jsonb, created_at timestamptz, note text
    );
    insert into items
    select i, md5(i::text)::uuid, 'item number ' || i, i / 100.0, i * 0.37, i % 3 = 0, array['t' || i % 7, 'u'],
      jsonb_build_object('rank', i % 1000, 'colour', 'blue', 'sizes', array[1, 2, 3]),
      '2024-01-01'::timestamptz + i * interval '1 minute', case when i % 10 > 0 then repeat('note ', 20) end
    from generate_series(1, {rows}) i;
    analyze items";

/// Ids scattered over the table.
const CHANGE: &str = "update items set name = name || '!' where id % 100 = 50";

struct Figures {
    seconds: f64,
    peak_kib: u64,
}

fn main() {
    let runtime = Runtime::new().expect("threads can be started");
    if let Ok(job) = env::var(CHILD) {
        return runtime.block_on(child(&job));
    }
    let sandbox = Sandbox::start(&SandboxOptions::default()).expect("a throw-away server starts");
    say(&format!("PostgreSQL {}; each line is one process", sandbox.version()));
    let mut peaks = Vec::new();
    for rows in SIZES {
        let url = runtime.block_on(sandbox.create_database(&format!("sync_{rows}"))).expect("a database can be made");
        runtime.block_on(execute(&url, &TABLE.replace("{rows}", &rows.to_string())));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mirror = Utf8Path::from_path(folder.path()).expect("the temporary folder's name is UTF-8").join("mirror");
        let mut peak = 0;
        for (what, change) in [("first load", ""), ("nothing changed", ""), ("1 % changed", CHANGE)] {
            runtime.block_on(execute(&url, change));
            let Figures { seconds, peak_kib } = measure(&url, &mirror);
            peak = peak.max(peak_kib);
            let (rate, mib) = (f64::from(rows) / seconds, peak_kib / 1024);
            say(&format!("{rows:>7} rows, {what:<15}: {seconds:6.2} s, {rate:>7.0} rows/s, peak {mib} MiB"));
        }
        peaks.push(peak);
    }
    let growth = peaks[1].saturating_sub(peaks[0]) / 1024;
    say(&format!("ten times the rows took {growth} MiB more memory"));
    assert!(growth < 24, "memory grows with the rows");
}

/// Runs one sync in a child process, whose output is its peak memory in KiB.
fn measure(url: &Secret, mirror: &Utf8Path) -> Figures {
    let began = Instant::now();
    let own = env::current_exe().expect("this program has a path");
    let output = Command::new(own).env(CHILD, format!("{}\n{mirror}", url.expose())).output();
    let output = output.expect("this program can be run again");
    let seconds = began.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let peak_kib = String::from_utf8_lossy(&output.stdout).trim().parse().expect("the child prints a number");
    Figures { seconds, peak_kib }
}

async fn child(job: &str) {
    let (url, folder) = job.split_once('\n').expect("two lines");
    let request = Request {
        environment: "bench".to_owned(),
        database: Secret::new(url),
        tables: Vec::new(),
        batch_rows: 500,
        deletes: Deletes::Soft,
        foreign: Foreign::Refuse,
        verify: Verify::Digest,
        patience: sync::PATIENCE,
    };
    let mirror = LocalMirror::open(Utf8Path::new(folder)).expect("the mirror opens");
    let report = sync::run(&request, &mirror, &Quiet, &CancellationToken::new()).await.expect("the sync ends");
    assert!(sync::is_whole(&report), "{report:?}");
    say(&peak_kib().to_string());
}

/// The most memory that this process ever had in use.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells the peak in /proc/self/status");
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).expect("VmHWM is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

async fn execute(url: &Secret, sql: &str) {
    let address = Address::parse(url).expect("the sandbox's URL is right");
    let session = postgres::connect(&address, &Options::default()).await.expect("the sandbox answers");
    session.batch_execute(sql).await.expect("the statement is right");
    session.close().await;
}

fn say(line: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").expect("stdout can be written to");
}
