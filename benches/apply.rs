//! 200 small migrations: `liftlock promote` against `psql -f` of the same files in one run, whole processes,
//! interleaved, on one throw-away server. Prints the medians and their ratio.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::services::sandbox::{Sandbox, SandboxOptions};

const FILES: usize = 200;
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let sandbox = Sandbox::start(&SandboxOptions::default()).expect("a throw-away server starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let root = Utf8Path::from_path(folder.path()).expect("the temporary folder's name is UTF-8");
    let files = write_project(root);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let database = |tool: &str| {
            let name = format!("{tool}_{round}");
            runtime.block_on(sandbox.create_database(&name)).expect("a database can be made").expose().to_owned()
        };
        ours.push(timed(promote(root, &database("liftlock"))));
        theirs.push(timed(psql(&sandbox, &files, &database("psql"))));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let line = format!(
        "apply {FILES} migrations: liftlock {ours:?}, psql {theirs:?}, ratio {:.2} (median of {ROUNDS}, PostgreSQL {})\n",
        ours.as_secs_f64() / theirs.as_secs_f64(),
        sandbox.version()
    );
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("stdout can be written to");
}

fn write_project(root: &Utf8Path) -> Vec<Utf8PathBuf> {
    let config = "migrations: migrations\nenvironments:\n  dev: { database: \"${BENCH_DATABASE}\", profile: dev }\n";
    fs::create_dir(root.join("migrations")).expect("the folder can be made");
    fs::write(root.join("liftlock.yml"), config).expect("the file can be written");
    (0..FILES)
        .map(|index| {
            let path = root.join(format!("migrations/{}_step_{index}_safe.sql", 20_260_101_000_000_u64 + index as u64));
            let text = format!(
                "-- Description: step {index}\n-- Created: 2026-01-01\n-- Type: schema_safe\n-- Rollback: drop table \
                 t{index};\n\ncreate table t{index} (id bigint primary key, name text not null);\n"
            );
            fs::write(&path, text).expect("the file can be written");
            path
        })
        .collect()
}

fn promote(root: &Utf8Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liftlock"));
    command.args(["promote", "--to", "dev", "--yes"]).current_dir(root).env("BENCH_DATABASE", database);
    command
}

/// One transaction per file, as liftlock has it, in one psql.
fn psql(sandbox: &Sandbox, files: &[Utf8PathBuf], database: &str) -> Command {
    let beside = sandbox.binaries().bin.join("psql");
    let program = if beside.exists() { beside.into_string() } else { "psql".to_owned() };
    let mut command = Command::new(program);
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database]);
    for file in files {
        command.args(["-c", "begin", "-f", file.as_str(), "-c", "commit"]);
    }
    command
}

fn timed(mut command: Command) -> Duration {
    let began = Instant::now();
    let output = command.output().expect("the program starts");
    let took = began.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
