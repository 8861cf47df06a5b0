//! The storage below the fake: one data directory per branch that was ever written to, a `postgres` process on its
//! own port for each that has a compute. Copies of a running one are made by `pg_basebackup`, so the LSN of a
//! branch is a real one, and the branch holds exactly what the parent held there.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::Write,
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use crate::support;

/// Neon's own superuser; users never log in as it.
const SUPERUSER: &str = "cloud_admin";

/// What nobody needs to survive a crash of the machine, and what copying a live server needs.
const CONFIGURATION: &str = "
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
jit = off
shared_buffers = 16MB
min_wal_size = 2MB
max_wal_size = 64MB
wal_level = replica
max_wal_senders = 6
max_connections = 60
timezone = 'UTC'
log_checkpoints = off
";

/// Over the socket only we come; over TCP everybody needs the password.
const ACCESS: &str = "
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
";

const PATIENCE: Duration = Duration::from_secs(60);

/// What all fakes of this process share: the folder, whose watchdog ends everything with the process, and the
/// initialised data directory that every project starts as a copy of.
struct Ground {
    folder: Utf8PathBuf,
    /// `None`: as ourselves.
    account: Option<(u32, u32)>,
    /// Held open as long as this process lives.
    _watchdog: (Child, ChildStdin),
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(Ground::prepare)
}

impl Ground {
    fn prepare() -> Self {
        let sandbox = support::sandbox();
        let folder = sandbox.folder().join("neon");
        fs::create_dir(&folder).unwrap();
        // PostgreSQL refuses to be root; the sandbox has found an account that works.
        let owner = fs::metadata(sandbox.folder().join("data")).unwrap();
        let account = geteuid().is_root().then_some((owner.uid(), owner.gid()));
        if let Some((user, group)) = account {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let mut watchdog = Command::new("/bin/sh");
        watchdog.args(["-c", include_str!("watchdog.sh"), "liftlock-watchdog", folder.as_str()]);
        watchdog.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut watchdog = watchdog.spawn().unwrap();
        let pipe = watchdog.stdin.take().unwrap();
        let ground = Self { folder, account, _watchdog: (watchdog, pipe) };
        ground.make_template();
        ground.make_slim();
        ground
    }

    fn template(&self) -> Utf8PathBuf {
        self.folder.join("template")
    }

    fn make_template(&self) {
        let template = self.template();
        // One megabyte per segment: each copy of a live server switches to a new one.
        let options = ["--wal-segsize=1", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"];
        let mut initdb = self.command("initdb");
        run(initdb.args(["-U", SUPERUSER, "-D", template.as_str()]).args(options));
        let mut settings = File::options().append(true).open(template.join("postgresql.conf")).unwrap();
        settings.write_all(CONFIGURATION.as_bytes()).unwrap();
        fs::write(template.join("pg_hba.conf"), ACCESS).unwrap();
    }

    /// Two databases that nobody needs are half of what each copy would copy.
    fn make_slim(&self) {
        let drop = ["drop database postgres", "alter database template0 is_template false", "drop database template0"];
        alone(self, &self.template(), &drop.map(str::to_owned));
    }

    /// One of the server's programs, as an account that may run it, with an environment of its own.
    fn command(&self, program: &str) -> Command {
        let binaries = support::sandbox().binaries();
        let mut command = Command::new(binaries.bin.join(program));
        command.current_dir(&self.folder).process_group(0).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(libraries) = &binaries.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The data directories and servers of one fake.
pub struct Clusters {
    pub folder: Utf8PathBuf,
    servers: Mutex<BTreeMap<String, Server>>,
    made: AtomicU32,
}

struct Server {
    process: Child,
    data: Utf8PathBuf,
    port: u16,
}

/// Where a server is told to listen, and what it says of itself.
#[derive(Debug, Clone)]
pub struct Compute {
    pub endpoint: String,
    /// `0`: any that is free.
    pub port: u16,
    pub settings: Vec<(&'static str, String)>,
}

impl Clusters {
    pub fn new() -> Self {
        let folder = ground().folder.join(format!("{:08x}", rand::random::<u32>()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        if let Some((user, group)) = ground().account {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        Self { folder, servers: Mutex::default(), made: AtomicU32::new(0) }
    }

    /// An empty server's data, with these statements run in it.
    pub fn fresh(&self, statements: &[String]) -> Utf8PathBuf {
        let data = self.copy(&ground().template());
        alone(ground(), &data, statements);
        data
    }

    /// A copy of the data of a server that is not running.
    pub fn copy(&self, data: &Utf8Path) -> Utf8PathBuf {
        let copy = self.place();
        run(Command::new("cp").arg("-a").arg(data).arg(&copy));
        let _ = fs::remove_file(copy.join("postmaster.pid"));
        copy
    }

    /// A copy of a running server's data, and the LSN up to which it goes.
    pub fn copy_live(&self, endpoint: &str) -> (Utf8PathBuf, String) {
        let copy = self.place();
        let port = self.port(endpoint).unwrap_or_else(|| panic!("{endpoint} does not run"));
        let mut backup = ground().command("pg_basebackup");
        backup.args(["-D", copy.as_str(), "-h", self.folder.as_str(), "-p", &port.to_string(), "-U", SUPERUSER]);
        backup.args(["--checkpoint=fast", "--no-sync", "-X", "stream", "--manifest-checksums=NONE"]);
        run(&mut backup);
        let manifest = fs::read_to_string(copy.join("backup_manifest")).unwrap();
        let (_, rest) = manifest.split_once("\"End-LSN\": \"").expect("pg_basebackup says up to where it copied");
        (copy, rest.split('"').next().unwrap().to_owned())
    }

    /// Up to where the data of a server goes that is not running.
    pub fn end_of(data: &Utf8Path) -> String {
        let output = ground().command("pg_controldata").arg("-D").arg(data).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find_map(|it| it.strip_prefix("Latest checkpoint location:"));
        line.expect("pg_controldata says it").trim().to_owned()
    }

    /// Starts a server on the data; answers with its port when it takes connections.
    pub fn start(&self, data: &Utf8Path, compute: &Compute) -> u16 {
        let port = if compute.port == 0 { free_port() } else { compute.port };
        let log = File::options().create(true).append(true).open(self.log(&compute.endpoint)).unwrap();
        let mut command = ground().command("postgres");
        command.args(["-D", data.as_str(), "-k", self.folder.as_str(), "-p", &port.to_string()]);
        for (name, value) in &compute.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut server = Server { process: command.spawn().unwrap(), data: data.to_owned(), port };
        let began = Instant::now();
        loop {
            // The eighth line is the status: https://www.postgresql.org/docs/current/storage-file-layout.html
            let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|it| it.trim() == "ready") {
                break;
            }
            let ended = server.process.try_wait().unwrap();
            let said = || fs::read_to_string(self.log(&compute.endpoint)).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{} did not start: {}", compute.endpoint, said());
            thread::sleep(Duration::from_millis(10));
        }
        self.servers.lock().unwrap().insert(compute.endpoint.clone(), server);
        port
    }

    /// Stops the server, ending its connections; what was committed stays. Stopping what does not run succeeds.
    pub fn stop(&self, endpoint: &str) {
        let server = self.servers.lock().unwrap().remove(endpoint);
        server.into_iter().for_each(|it| it.end(Signal::SIGINT));
    }

    /// The port of a running server.
    pub fn port(&self, endpoint: &str) -> Option<u16> {
        self.servers.lock().unwrap().get(endpoint).map(|it| it.port)
    }

    /// Runs statements in the data of a server that is not running.
    pub fn alter(&self, data: &Utf8Path, statements: &[String]) {
        alone(ground(), data, statements);
    }

    /// What the servers have logged.
    pub fn logs(&self) -> String {
        let entries = self.folder.read_dir_utf8().unwrap().map(Result::unwrap);
        let logs = entries.filter(|it| it.file_name().ends_with(".log"));
        logs.map(|it| fs::read_to_string(it.path()).unwrap()).collect()
    }

    fn log(&self, endpoint: &str) -> Utf8PathBuf {
        self.folder.join(format!("{endpoint}.log"))
    }

    fn place(&self) -> Utf8PathBuf {
        self.folder.join(self.made.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        let servers = std::mem::take(&mut *self.servers.lock().unwrap());
        servers.into_values().for_each(|it| it.end(Signal::SIGQUIT));
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn end(mut self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        self.process.wait().unwrap();
        let _ = fs::remove_file(self.data.join("postmaster.pid"));
    }
}

/// A server for one user, without a port. <https://www.postgresql.org/docs/current/app-postgres.html>
fn alone(ground: &Ground, data: &Utf8Path, statements: &[String]) {
    if statements.is_empty() {
        return;
    }
    let mut command = ground.command("postgres");
    command.args(["--single", "-j", "-D", data.as_str(), "template1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // With `-j` a statement ends with a semicolon and an empty line.
    let text: String = statements.iter().map(|it| format!("{it};\n\n")).collect();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = !output.status.success() || said.contains("ERROR:") || said.contains("FATAL:");
    assert!(!failed, "{statements:?}: {said}");
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
