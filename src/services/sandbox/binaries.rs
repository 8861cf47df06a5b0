//! Finding server binaries: where a person says, where systems put them, what we fetched before.

use std::{env, process::Command};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Cause, Origin, SandboxError, SandboxOptions, fetch};

/// An installation that can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Holds `postgres` and `initdb`.
    pub bin: Utf8PathBuf,
    /// `15.18`, `18beta1`.
    pub version: String,
    /// For `LD_LIBRARY_PATH`, when the binaries do not find their libraries by themselves.
    pub libraries: Option<Utf8PathBuf>,
}

/// The oldest major version that we run on.
const OLDEST: u32 = 14;

/// Folders with one folder per version in them, and where `bin` is below that.
const USUAL: [(&str, &str); 8] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/libexec", "bin"),
    ("/usr", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ("/Library/PostgreSQL", "bin"),
];

/// The first usable installation, in the order: told, `LIFTLOCK_POSTGRES`, newest of PATH and the usual places,
/// fetched before, fetched now.
pub fn find(options: &SandboxOptions) -> Result<Binaries, SandboxError> {
    let variable = env::var("LIFTLOCK_POSTGRES").ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
    if let Some(path) = options.binaries.clone().or(variable) {
        return examine(&path).map_err(|said| SandboxError::Configured { path, source: Cause(said) });
    }
    match options.origin {
        Origin::Any => newest_installed().map_or_else(|| fetch::cached_or_fetched(options), Ok),
        Origin::Fetched => fetch::cached_or_fetched(options),
        Origin::Installed => newest_installed()
            .ok_or_else(|| SandboxError::NoServer { source: Cause("only installed ones were asked for".to_owned()) }),
    }
}

fn newest_installed() -> Option<Binaries> {
    let mut found: Vec<Binaries> = Vec::new();
    for bin in on_path().into_iter().chain(usual_places()) {
        let Ok(bin) = bin.canonicalize_utf8() else { continue };
        if !found.iter().any(|it| it.bin == bin) {
            found.extend(examine(&bin));
        }
    }
    // Stable, so that among equals what PATH names stays first.
    found.sort_by_key(|it| std::cmp::Reverse(numbers(&it.version)));
    found.into_iter().next()
}

/// What stands on PATH is often a link into the real folder, beside which the server looks for its files.
fn on_path() -> Vec<Utf8PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter_map(|it| Utf8PathBuf::from_path_buf(it).ok());
    let servers = folders.filter_map(|it| it.join("postgres").canonicalize_utf8().ok());
    servers.filter_map(|it| it.parent().map(Utf8Path::to_owned)).collect()
}

fn usual_places() -> Vec<Utf8PathBuf> {
    let below = |(parent, bin): &(&str, &str)| {
        let entries = Utf8Path::new(parent).read_dir_utf8().into_iter().flatten().flatten();
        let named = entries.filter(|it| {
            let name = it.file_name();
            name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("postgres") || name.starts_with("pgsql")
        });
        named.map(|it| it.path().join(bin)).collect::<Vec<_>>()
    };
    USUAL.iter().flat_map(below).filter(|it| it.join("postgres").exists()).collect()
}

/// Asks a `bin` folder for its version, or says what is wrong with it.
pub fn examine(bin: &Utf8Path) -> Result<Binaries, String> {
    examine_with(bin, None)
}

pub fn examine_with(bin: &Utf8Path, libraries: Option<&Utf8Path>) -> Result<Binaries, String> {
    if !bin.join("initdb").exists() {
        return Err("`initdb` is not in it".to_owned());
    }
    let mut command = Command::new(bin.join("postgres"));
    command.arg("--version").env("LC_ALL", "C");
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let output = command.output().map_err(|it| format!("`postgres` does not run: {it}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = version_in(&said).ok_or("`postgres --version` does not say a version")?;
    match numbers(&version).first() {
        Some(major) if *major >= OLDEST => {
            Ok(Binaries { bin: bin.to_owned(), version, libraries: libraries.map(Utf8Path::to_owned) })
        }
        _ => Err(format!("it is PostgreSQL {version}; {OLDEST} or newer is needed")),
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → `15.18`.
fn version_in(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("(PostgreSQL) ")?;
    let version = rest.split_whitespace().next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// `15.18` → `[15, 18]`, `18beta1` → `[18]`.
fn numbers(version: &str) -> Vec<u32> {
    let leading = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    version.split('.').map_while(leading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_server_says() {
        for (said, version, parts) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some("15.18"), vec![15, 18]),
            ("postgres (PostgreSQL) 18beta1", Some("18beta1"), vec![18]),
            ("postgres (PostgreSQL) 9.6.24", Some("9.6.24"), vec![9, 6, 24]),
            ("postgres (EnterpriseDB) x", None, vec![]),
            ("", None, vec![]),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
            assert_eq!(version.map(numbers).unwrap_or_default(), parts, "{said}");
        }
    }
}
