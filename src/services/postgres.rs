//! Connecting to Postgres: addresses, verified encryption, timeouts, the session advisory lock, identity.

mod address;
pub mod catalog;
mod encryption;
mod failure;
mod identity;
mod lock;
mod privileges;

pub use address::{Address, Encryption, Host, Pooled, Roots};
pub use failure::{Cause, FailureKind, PostgresError, ServerError};
pub use identity::{Identity, NeonIdentity, same_database};
pub use lock::{OtherSession, RUNNER_LOCK};
pub use privileges::Privileges;
/// So that other modules need not name the driver.
pub use tokio_postgres::{
    Client, CopyOutStream, GenericClient, Portal, Row, RowStream, SimpleQueryMessage, Statement, Transaction,
    binary_copy::BinaryCopyOutStream,
    types::{FromSql, ToSql, Type},
};

use std::{
    error, fmt, io,
    ops::{Deref, DerefMut},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time};
use tokio_postgres::{Config, NoTls, config, error::ErrorPosition};

use self::encryption::Tls;

/// How long a session that nobody owns any more may take to end before it is cut off.
const FAREWELL: Duration = Duration::from_secs(5);

/// How a session is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// As `pg_stat_activity` shows it; at most 63 bytes.
    pub application_name: String,
    /// `None` leaves what the server, database or role says.
    pub lock_timeout: Option<Duration>,
    pub statement_timeout: Option<Duration>,
    /// Per attempt; the URL's `connect_timeout` wins.
    pub connect_timeout: Duration,
    /// How long failures that go away by themselves are tried again.
    pub retry_for: Duration,
    pub access: Access,
    /// Every session must prove that it is with this branch of Neon's.
    pub neon: Option<NeonIdentity>,
}

/// What the session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    /// `default_transaction_read_only`: for commands that promise to change nothing.
    ReadOnly,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            application_name: "liftlock".to_owned(),
            lock_timeout: None,
            statement_timeout: None,
            connect_timeout: Duration::from_secs(10),
            // A Neon compute that slept starts within seconds.
            retry_for: Duration::from_secs(20),
            access: Access::ReadWrite,
            neon: None,
        }
    }
}

/// An open connection. Dropping it ends the session; [`Session::close`] also waits until it has ended.
pub struct Session {
    client: Client,
    address: Address,
    pid: i32,
    tls: Tls,
    /// What the session was set up with, as SQL.
    settings: String,
    /// Why the connection broke, once it has.
    loss: Arc<OnceLock<String>>,
    driver: tokio::task::JoinHandle<()>,
    /// Dropped with the session, which tells the driver to hurry.
    _alive: oneshot::Sender<()>,
}

/// Opens a session. Failures that go away by themselves are retried inside `options.retry_for`.
pub async fn connect(address: &Address, options: &Options) -> Result<Session, PostgresError> {
    if let Some(Pooled { host, direct }) = address.pooled() {
        return Err(PostgresError::Pooled { host, direct });
    }
    let tls = Tls::of(&address.encryption)?;
    let began = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match attempt(address, options, &tls).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let budget = patience(&error, options.retry_for);
        if began.elapsed() + pause >= budget {
            return Err(error);
        }
        time::sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// How long an error while connecting is worth trying again.
fn patience(error: &PostgresError, retry_for: Duration) -> Duration {
    match error {
        PostgresError::Server(it) if it.kind() == FailureKind::Transient => retry_for,
        PostgresError::Lost { .. } => retry_for,
        // Nothing listens there, or the name is wrong: only worth it for a server that restarts this moment.
        PostgresError::Unreachable { .. } => retry_for.min(Duration::from_secs(2)),
        _ => Duration::ZERO,
    }
}

async fn attempt(address: &Address, options: &Options, tls: &Tls) -> Result<Session, PostgresError> {
    let mut config = driver_config(address)?;
    config.application_name(&options.application_name);
    let limit = address.connect_timeout.unwrap_or(options.connect_timeout);
    config.connect_timeout(limit);
    let opening = open(&config, tls);
    // `connect_timeout` ends with the TCP handshake; a server that accepts and then is silent needs this one.
    let opened = time::timeout(limit + Duration::from_secs(5), opening).await;
    let silent = || PostgresError::Unreachable {
        address: address.shown(),
        source: Cause(format!("no answer within {} s", limit.as_secs())),
    };
    let (client, loss, driver, alive) =
        opened.map_err(|_| silent())?.map_err(|error| while_connecting(address, &error))?;
    let (tls, settings) = (tls.clone(), settings(address, options));
    let mut session = Session { client, address: address.clone(), pid: 0, tls, settings, loss, driver, _alive: alive };
    session.client.batch_execute(&session.settings).await.map_err(|it| session.failure(it))?;
    session.pid =
        session.client.query_one("select pg_backend_pid()", &[]).await.map_err(|it| session.failure(it))?.get(0);
    if let Some(expected) = &options.neon {
        session.prove_neon(expected).await?;
    }
    Ok(session)
}

type Opened = (Client, Arc<OnceLock<String>>, tokio::task::JoinHandle<()>, oneshot::Sender<()>);

async fn open(config: &Config, tls: &Tls) -> Result<Opened, tokio_postgres::Error> {
    let loss = Arc::new(OnceLock::new());
    let (alive, gone) = oneshot::channel();
    let kept = Arc::clone(&loss);
    let (client, driver) = match tls {
        Tls::None => {
            let (client, connection) = config.connect(NoTls).await?;
            (client, tokio::spawn(drive(connection, kept, gone)))
        }
        Tls::Verified(connector) => {
            let (client, connection) = config.connect(connector.clone()).await?;
            (client, tokio::spawn(drive(connection, kept, gone)))
        }
    };
    Ok((client, loss, driver, alive))
}

/// Moves bytes until the connection ends, or until shortly after nobody owns the session any more.
async fn drive(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    loss: Arc<OnceLock<String>>,
    gone: oneshot::Receiver<()>,
) {
    let overdue = async {
        let _ = gone.await;
        time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            let _ = loss.set(cause(&error).0);
        },
        () = overdue => {}
    }
}

/// What a session starts with, as SQL.
fn settings(address: &Address, options: &Options) -> String {
    let mut sql = String::from("set client_min_messages = warning;");
    let mut timeout = |name: &str, value: Option<Duration>| {
        if let Some(value) = value {
            sql.push_str(&format!("set {name} = {};", value.as_millis()));
        }
    };
    timeout("lock_timeout", options.lock_timeout);
    timeout("statement_timeout", options.statement_timeout);
    if options.access == Access::ReadOnly {
        sql.push_str("set default_transaction_read_only = on;");
    }
    if let Some(path) = &address.search_path {
        sql.push_str(&format!("set search_path = {};", quote_identifier(path)));
    }
    sql
}

/// The driver's own form of an address, without credentials checks: refused when a parameter's value is wrong.
fn driver_config(address: &Address) -> Result<Config, PostgresError> {
    let mut config = Config::new();
    // A host that vanishes without a word is noticed within two minutes, not after the two hours that operating
    // systems wait; the URL's own parameters win.
    config
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(15))
        .keepalives_retries(4)
        .tcp_user_timeout(Duration::from_secs(90));
    for (name, value) in &address.parameters {
        let pair = format!("{name}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
        let one: Config = pair.parse().map_err(|_| PostgresError::ParameterValue { name: name.clone() })?;
        merge(&mut config, &one, name);
    }
    for host in &address.hosts {
        match host {
            Host::Tcp { name, port } => config.host(name).port(*port),
            Host::Socket { folder, port } => config.host_path(folder).port(*port),
        };
    }
    config.user(&address.user).dbname(&address.database);
    if let Some(password) = &address.password {
        config.password(password.expose());
    }
    config.ssl_mode(match address.encryption {
        Encryption::None => config::SslMode::Disable,
        Encryption::Verified(_) => config::SslMode::Require,
    });
    Ok(config)
}

/// Copies the one parameter that `from` was parsed from.
fn merge(config: &mut Config, from: &Config, name: &str) {
    match name {
        "options" => config.options(from.get_options().unwrap_or_default()),
        "hostaddr" => from.get_hostaddrs().iter().fold(config, |config, it| config.hostaddr(*it)),
        "channel_binding" => config.channel_binding(from.get_channel_binding()),
        "sslnegotiation" => config.ssl_negotiation(from.get_ssl_negotiation()),
        "target_session_attrs" => config.target_session_attrs(from.get_target_session_attrs()),
        "load_balance_hosts" => config.load_balance_hosts(from.get_load_balance_hosts()),
        "tcp_user_timeout" => config.tcp_user_timeout(from.get_tcp_user_timeout().copied().unwrap_or_default()),
        "keepalives" => config.keepalives(from.get_keepalives()),
        "keepalives_idle" => config.keepalives_idle(from.get_keepalives_idle()),
        "keepalives_interval" => config.keepalives_interval(from.get_keepalives_interval().unwrap_or_default()),
        "keepalives_retries" => config.keepalives_retries(from.get_keepalives_retries().unwrap_or_default()),
        _ => config,
    };
}

impl Session {
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The server process of this session.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends the session and waits until the server was told.
    pub async fn close(self) {
        let Self { client, driver, _alive, .. } = self;
        drop((client, _alive));
        let _ = driver.await;
    }

    /// Takes back whatever a script has set: role, `search_path`, timeouts and all other settings, and drops its
    /// temporary tables, which would hide what has their names.
    pub async fn reset_settings(&self) -> Result<(), PostgresError> {
        let sql = format!("reset session authorization; reset role; reset all; discard temp; {}", self.settings);
        self.client.batch_execute(&sql).await.map_err(|it| self.failure(it))
    }

    /// Stops what runs on another session, from a connection of its own.
    pub fn canceller(&self) -> Canceller {
        Canceller { token: self.client.cancel_token(), tls: self.tls.clone() }
    }

    /// The driver's error as ours, with the reason why the connection broke when it did.
    pub fn failure(&self, error: tokio_postgres::Error) -> PostgresError {
        match PostgresError::from(error) {
            PostgresError::Lost { source, .. } => PostgresError::Lost {
                address: self.address.shown(),
                source: self.loss.get().map_or(source, |it| Cause(it.clone())),
            },
            other => other,
        }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, pid {})", self.address, self.pid)
    }
}

/// Cancels what a session runs.
#[derive(Clone)]
pub struct Canceller {
    token: tokio_postgres::CancelToken,
    tls: Tls,
}

impl Canceller {
    /// Asks the server to cancel; whether there was something to cancel is not known.
    pub async fn cancel(&self) -> Result<(), PostgresError> {
        match &self.tls {
            Tls::None => self.token.cancel_query(NoTls).await?,
            Tls::Verified(connector) => self.token.cancel_query(connector.clone()).await?,
        }
        Ok(())
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(server) = server_error(&error) {
            return match server.kind() {
                // 57P01 and the like: the server says good-bye before it hangs up.
                FailureKind::ConnectionLost => {
                    Self::Lost { address: "the server".to_owned(), source: Cause(server.to_string()) }
                }
                _ => Self::Server(Box::new(server)),
            };
        }
        let source = cause(&error);
        if error.is_closed() || io_error(&error).is_some() {
            return Self::Lost { address: "the server".to_owned(), source };
        }
        Self::Protocol { source }
    }
}

/// An error while connecting, told apart by what a person must do.
fn while_connecting(address: &Address, error: &tokio_postgres::Error) -> PostgresError {
    let (address, source) = (address.shown(), cause(error));
    if let Some(server) = server_error(error) {
        return match server.kind() {
            FailureKind::Authentication => PostgresError::LoginRefused { address, source },
            FailureKind::NoDatabase => PostgresError::NoDatabase { address, source },
            _ => PostgresError::Server(Box::new(server)),
        };
    }
    let handshake = error.to_string().contains("TLS") || chain(error).any(|it| it.is::<rustls::Error>());
    if handshake || tls_inside(error) {
        return PostgresError::Encryption { address, source };
    }
    if error.to_string().contains("authentication") || error.to_string().contains("invalid configuration") {
        return PostgresError::LoginRefused { address, source };
    }
    PostgresError::Unreachable { address, source }
}

fn server_error(error: &tokio_postgres::Error) -> Option<ServerError> {
    let error = error.as_db_error()?;
    let owned = |it: Option<&str>| it.map(str::to_owned);
    let sqlstate = error.code().code().to_owned();
    Some(ServerError {
        message: without_values(&sqlstate, error.message()),
        severity: error.severity().to_owned(),
        hint: owned(error.hint()),
        position: match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            Some(ErrorPosition::Internal { .. }) | None => None,
        },
        schema: owned(error.schema()),
        table: owned(error.table()),
        column: owned(error.column()),
        constraint: owned(error.constraint()),
        sqlstate,
    })
}

/// Data exceptions (class 22) quote the value: `invalid input syntax for type integer: "x"`.
fn without_values(sqlstate: &str, message: &str) -> String {
    if !sqlstate.starts_with("22") {
        return message.to_owned();
    }
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &message[..first], &message[last + 1..]),
        _ => message.to_owned(),
    }
}

fn chain<'a>(error: &'a (dyn error::Error + 'static)) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |it| it.source())
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    chain(error).find_map(|it| it.downcast_ref::<io::Error>())
}

/// rustls hides its error inside an `io::Error`, which does not name it as its source.
fn tls_inside(error: &tokio_postgres::Error) -> bool {
    io_error(error).and_then(io::Error::get_ref).is_some_and(|it| it.is::<rustls::Error>())
}

/// The chain of causes in one line, each said once.
fn cause(error: &tokio_postgres::Error) -> Cause {
    if let Some(server) = server_error(error) {
        return Cause(server.to_string());
    }
    let mut parts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if !parts.iter().any(|it| it.contains(&text)) {
            parts.push(text);
        }
    }
    Cause(parts.join(": "))
}

/// `name` as SQL, quoted: safe for any name.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a SQL string constant, whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
