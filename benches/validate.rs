//! `validate` of 1,000 files: in process, and as a user runs it.

use std::{fs, hint::black_box, process::Command};

use camino::Utf8Path;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liftlock::{
    config::ProfileName,
    lint::{Request, lint},
    migration::{self, MigrationId, SourceFile},
};

const FILES: usize = 1_000;

/// A migration as people write them: mostly additive, some with findings.
fn text(index: usize) -> String {
    let header = format!(
        "-- Description: step {index}\n-- Created: 2026-01-01\n-- Type: schema_safe\n-- Rollback: drop what it made\n\n"
    );
    let body = match index % 5 {
        0 => format!(
            "create table t{index} (\n  id bigint generated always as identity primary key,\n  name text not null,\n  \
             at timestamptz default now()\n);\ncreate index t{index}_name_idx on t{index} (name);\n"
        ),
        1 => format!("alter table t{} add column note text, add column n integer not null default 0;\n", index - 1),
        2 => format!("create index concurrently t{}_at_idx on t{} (at);\n", index - 2, index - 2),
        3 => format!("alter table t{} add constraint c{index} check (n >= 0) not valid;\n", index - 3),
        _ => format!("alter table t{0} validate constraint c{1};\ncreate index on t{0} (n);\n", index - 4, index - 1),
    };
    header + &body
}

fn files() -> Vec<(String, String)> {
    (0..FILES)
        .map(|index| (format!("{}_step_{index}_safe.sql", 20_260_101_000_000_u64 + index as u64), text(index)))
        .collect()
}

fn validate(criterion: &mut Criterion) {
    let files = files();
    let mut group = criterion.benchmark_group("validate 1,000 files");
    group.throughput(Throughput::Elements(FILES as u64)).sample_size(10);
    group.bench_function("in process", |bencher| {
        bencher.iter(|| {
            let judged: Vec<_> = files
                .iter()
                .map(|(name, text)| {
                    let id = MigrationId(name.clone());
                    migration::read(SourceFile { path: name.into(), id, text: text.clone() })
                })
                .collect();
            let request = Request { judged: &judged, ..Request::of(ProfileName::Production) };
            black_box(lint(&request))
        });
    });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = Utf8Path::from_path(folder.path()).expect("the temporary folder's name is UTF-8");
    for (name, text) in &files {
        fs::write(path.join(name), text).expect("the temporary folder can be written to");
    }
    group.bench_function("whole process", |bencher| {
        bencher.iter(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_liftlock"));
            command.args(["validate", "--no-config", "--profile", "production", "--format", "json", path.as_str()]);
            black_box(command.output().expect("liftlock runs"))
        });
    });
    group.finish();
}

criterion_group!(benches, validate);
criterion_main!(benches);
