//! Tells the compiler the commit that is built, so that `liftlock init --github` can pin the workflows that it writes.
//! Unknown outside git, as in a crate from a registry, where cargo has written it down.

use std::{fs, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    // A developer's build may name an older commit: rebuilding after each one would cost more than it is worth.
    if std::env::var("PROFILE").as_deref() == Ok("release")
        && let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
    {
        println!("cargo:rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]).or_else(packaged).filter(|it| is_commit(it)) {
        println!("cargo:rustc-env=LIFTLOCK_BUILT_COMMIT={commit}");
    }
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|it| it.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// What `cargo package` has noted: `{"git": {"sha1": "…"}}`.
fn packaged() -> Option<String> {
    let noted = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    Some(noted.split("\"sha1\"").nth(1)?.split('"').nth(1)?.to_owned())
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|it| it.is_ascii_hexdigit())
}
