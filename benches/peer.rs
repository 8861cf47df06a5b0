//! `liftlock validate` beside `squawk`, as a user runs both: 10,000 files in one process, and one file.
//!
//! squawk is looked for in `SQUAWK`, then on PATH; `pip install squawk-cli` brings it. Runs are interleaved, and what is
//! printed are medians and their ratio: the numbers of one machine on one day, no test.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it measures is read on the terminal")]

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use nix::sys::resource::{UsageWho, getrusage};

const FILES: usize = 10_000;
const RUNS: usize = 7;
/// Between the measured program's arguments and ours.
const MEASURE: &str = "--measure-one";

fn main() -> ExitCode {
    let arguments = env::args().collect::<Vec<_>>();
    if let Some(at) = arguments.iter().position(|it| it == MEASURE) {
        return measure_one(&arguments[at + 1..]);
    }
    let squawk = env::var("SQUAWK").unwrap_or_else(|_| "squawk".to_owned());
    if Command::new(&squawk).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("there is no `{squawk}` to compare with: `pip install squawk-cli`, or name it in SQUAWK");
        return ExitCode::FAILURE;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let names = (0..FILES).map(|index| write(folder.path(), index)).collect::<Vec<_>>();
    let liftlock = env!("CARGO_BIN_EXE_liftlock");
    for (what, files) in [("10,000 files", names.as_slice()), ("one file", &names[3..4])] {
        for format in ["text", "json"] {
            let ours = if files.len() == 1 { files[0].clone() } else { ".".to_owned() };
            let ours = [liftlock, "validate", "--no-config", "--format", format, &ours].map(str::to_owned).to_vec();
            let reporter = if format == "json" { "json" } else { "tty" };
            let theirs = [&squawk, "--reporter", reporter].map(str::to_owned).into_iter().chain(files.iter().cloned());
            compare(&format!("{what}, {format}"), folder.path(), &ours, &theirs.collect::<Vec<_>>());
        }
    }
    ExitCode::SUCCESS
}

fn compare(what: &str, folder: &Path, ours: &[String], theirs: &[String]) {
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        measured[0].push(measure(folder, ours));
        measured[1].push(measure(folder, theirs));
    }
    let [(time, memory), (their_time, their_memory)] = measured.map(median);
    println!(
        "{what:<22} liftlock {:>7.1} ms {:>6.1} MiB   squawk {:>7.1} ms {:>6.1} MiB   time {:.2}, memory {:.2} of theirs",
        time * 1e3,
        memory / 1024.0,
        their_time * 1e3,
        their_memory / 1024.0,
        time / their_time,
        memory / their_memory,
    );
}

/// Seconds and KiB of a run: a process in between, whose only child it is, knows the child's largest memory.
fn measure(folder: &Path, command: &[String]) -> (f64, f64) {
    let own = env::current_exe().expect("a running program has a path");
    let output = Command::new(own).arg(MEASURE).args(command).current_dir(folder).output().expect("it runs again");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (seconds, memory) = text.trim().split_once(' ').expect("it prints two numbers");
    (seconds.parse().expect("seconds"), memory.parse().expect("KiB"))
}

fn measure_one(command: &[String]) -> ExitCode {
    let start = Instant::now();
    let status = Command::new(&command[0]).args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let seconds = start.elapsed().as_secs_f64();
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN).expect("a process may ask for its children").max_rss();
    println!("{seconds} {memory}");
    if status.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut runs: Vec<(f64, f64)>) -> (f64, f64) {
    let middle = runs.len() / 2;
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let seconds = runs[middle].0;
    runs.sort_by(|a, b| a.1.total_cmp(&b.1));
    (seconds, runs[middle].1)
}

/// One of a dozen kinds of migration that people write.
fn write(folder: &Path, index: usize) -> String {
    const NAMES: [&str; 10] =
        ["orders", "customers", "invoices", "payments", "events", "users", "teams", "projects", "files", "audits"];
    let (t, u) =
        (format!("{}{}", NAMES[index % 10], index / 97), format!("{}{}", NAMES[(index * 7 + 3) % 10], index / 97));
    let sql = match index % 12 {
        0 => format!(
            "create table {t} (id bigint generated always as identity primary key, name text not null, created_at timestamptz not null default now(), total numeric(10,2) check (total >= 0));\n"
        ),
        1 => format!(
            "alter table {t} add column note{index} text;\nalter table {t} add column flag{index} boolean not null default false;\n"
        ),
        2 => format!("create index concurrently {t}_name_{index}_idx on {t} (name);\n"),
        3 => format!("create index {t}_x_{index} on {t} (name, created_at);\n"),
        4 => format!(
            "alter table {t} add constraint {t}_fk{index} foreign key (owner_id) references {u} (id) not valid;\n"
        ),
        5 => format!("alter table {t} validate constraint {t}_fk{};\n", index - 1),
        6 => format!(
            "insert into {t} (name) values ('a'), ('b'), ('c') on conflict do nothing;\nupdate {t} set name = 'x' where id = {index};\n"
        ),
        7 => format!(
            "create or replace function f{index}() returns trigger language plpgsql as $$ begin new.updated_at := now(); update {u} set n = n + 1 where id = new.id; return new; end $$;\ncreate trigger tr{index} before update on {t} for each row execute function f{index}();\n"
        ),
        8 => format!(
            "begin;\nset local lock_timeout = '2s';\nalter table {t} alter column total type numeric(12,2);\nalter table {t} drop column old{index};\ncommit;\n"
        ),
        9 => format!(
            "create view v{index} as select id, name, count(*) over (partition by name) from {t} join {u} using (id) where total > 10 order by 1;\ngrant select on v{index} to app;\n"
        ),
        10 => format!(
            "do $$ begin if not exists (select 1 from pg_type where typname = 'e{index}') then create type e{index} as enum ('a','b'); end if; end $$;\ncomment on table {t} is 'x';\n"
        ),
        _ => format!(
            "create table if not exists {t}_h (like {t} including all);\nalter table {t}_h enable row level security;\ncreate policy p{index} on {t}_h for select using (true);\n"
        ),
    };
    let name = format!("{}_m{index}_safe.sql", 20_200_101_000_000_u64 + index as u64);
    fs::write(folder.join(&name), format!("-- Description: step {index}\n-- Created: 2026-01-01\n-- Type: schema_safe\n-- Rollback: restore {t}\n\n{sql}"))
        .expect("the temporary folder can be written to");
    name
}
