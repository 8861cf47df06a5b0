//! A connection URL, read strictly: what it means is kept, what we cannot honour is refused by name, and no
//! message ever shows a part of it that could hold the password.

use std::{fmt, net::IpAddr, time::Duration};

use super::PostgresError;
use crate::secret::Secret;

/// Where a database is and as whom to log in. Its text form has no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Tried in order; never empty.
    pub hosts: Vec<Host>,
    pub database: String,
    pub user: String,
    pub password: Option<Secret>,
    pub encryption: Encryption,
    /// From Prisma's `schema=…`: set as `search_path` after connecting.
    pub search_path: Option<String>,
    /// From `connect_timeout=…`, per attempt.
    pub connect_timeout: Option<Duration>,
    /// The URL says that a transaction pooler answers there (`pgbouncer=true`).
    pub(super) pooler_declared: bool,
    /// Parameters that the driver understands, decoded.
    pub(super) parameters: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Tcp {
        name: String,
        port: u16,
    },
    /// A folder with the socket `.s.PGSQL.<port>` in it.
    Socket {
        folder: String,
        port: u16,
    },
}

/// How the connection is protected. There is no unverified encryption: `require` means verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Only for loopback and unix sockets.
    None,
    /// Certificate and host name are checked against these roots.
    Verified(Roots),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, compiled in.
    Public,
    /// The PEM file of `sslrootcert=…`.
    File(String),
}

/// Understood by the driver and passed on to it.
const KEPT: [&str; 11] = [
    "options",
    "hostaddr",
    "channel_binding",
    "sslnegotiation",
    "target_session_attrs",
    "load_balance_hosts",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
];

/// About the pool of another program: without meaning for a single connection.
const DROPPED: [&str; 7] = [
    "application_name",
    "pool_timeout",
    "connection_limit",
    "socket_timeout",
    "statement_cache_size",
    "pool_mode",
    "uselibpqcompat",
];

impl Address {
    /// Reads `postgres://user:password@host:port/database?parameters`.
    pub fn parse(url: &Secret) -> Result<Self, PostgresError> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|it| url.expose().trim().strip_prefix(it))
            .ok_or_else(|| malformed("it does not start with `postgres://`"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains(['/', '@', '#']) || query.contains('#') {
            return Err(malformed("one of `/ @ #` stands in it unencoded"));
        }
        let (login, places) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (decoded(user)?, Some(Secret::new(decoded(password)?))),
            None => (decoded(login)?, None),
        };
        let mut draft =
            Draft { user, password, database: decoded(path)?, places: places.to_owned(), ..Draft::default() };
        for pair in query.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            draft.take(&decoded(name)?, decoded(value)?)?;
        }
        let address = draft.finish()?;
        super::driver_config(&address)?;
        Ok(address)
    }

    /// The same server and login, another database.
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The first host's name, or its socket folder.
    pub fn host(&self) -> &str {
        match &self.hosts[0] {
            Host::Tcp { name, .. } => name,
            Host::Socket { folder, .. } => folder,
        }
    }

    /// `user@host:port/database`; never a password or a parameter.
    pub fn shown(&self) -> String {
        self.to_string()
    }

    /// A pooler in front of the database hands every transaction to another session: no session lock and no
    /// `set` survives there. Neon marks such hosts with `-pooler` at the end of the first label.
    pub fn pooled(&self) -> Option<Pooled> {
        let of = |host: &Host| match host {
            Host::Tcp { name, .. } => {
                let (label, domain) = name.split_once('.').unwrap_or((name, ""));
                let direct = label.strip_suffix("-pooler")?;
                Some(Pooled { host: name.clone(), direct: Some(format!("{direct}.{domain}")) })
            }
            Host::Socket { .. } => None,
        };
        let declared = || self.pooler_declared.then(|| Pooled { host: self.host().to_owned(), direct: None });
        self.hosts.iter().find_map(of).or_else(declared)
    }

    /// Every host is this machine.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(Host::is_local)
    }
}

/// A host that is a pooler, and the direct one beside it when its name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    pub host: String,
    pub direct: Option<String>,
}

impl Host {
    fn is_local(&self) -> bool {
        match self {
            Self::Socket { .. } => true,
            Self::Tcp { name, .. } => {
                let bare = name.trim_start_matches('[').trim_end_matches(']');
                bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
            }
        }
    }

    /// Of Neon's own domains; a certificate that everybody can verify is there always.
    fn is_neon(&self) -> bool {
        let Self::Tcp { name, .. } = self else { return false };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        [".neon.tech", ".neon.build"].iter().any(|domain| name.ends_with(domain))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
            Self::Socket { folder, port: 5432 } => write!(f, "[{folder}]"),
            Self::Socket { folder, port } => write!(f, "[{folder}]:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.user)?;
        for (at, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if at == 0 { "" } else { "," })?;
        }
        write!(f, "/{}", self.database)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// What the URL has said so far.
#[derive(Default)]
struct Draft {
    user: String,
    password: Option<Secret>,
    database: String,
    /// `host:port,host:port` of the authority, still encoded.
    places: String,
    host_parameter: Option<String>,
    port_parameter: Option<String>,
    sslmode: Option<String>,
    root_certificate: Option<String>,
    search_path: Option<String>,
    connect_timeout: Option<Duration>,
    pooler_declared: bool,
    parameters: Vec<(String, String)>,
}

impl Draft {
    fn take(&mut self, name: &str, value: String) -> Result<(), PostgresError> {
        match name {
            "host" => self.host_parameter = Some(value),
            "port" => self.port_parameter = Some(value),
            "user" => self.user = value,
            "password" => self.password = Some(Secret::new(value)),
            "dbname" => self.database = value,
            "sslmode" => self.sslmode = Some(value),
            "sslrootcert" => self.root_certificate = Some(value),
            "schema" => self.search_path = Some(value),
            "pgbouncer" => self.pooler_declared = value == "true",
            "connect_timeout" => {
                let seconds = value.parse().map_err(|_| parameter_value(name))?;
                self.connect_timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            // Which branch of Neon's it is, the server says, and not who writes the URL.
            "options" if value.replace('\\', "").to_ascii_lowercase().contains("neon.") => {
                return Err(parameter_value(name));
            }
            _ if KEPT.contains(&name) => self.parameters.push((name.to_owned(), value)),
            _ if DROPPED.contains(&name) => {}
            _ => return Err(PostgresError::UnknownParameter { name: printable(name) }),
        }
        Ok(())
    }

    fn finish(self) -> Result<Address, PostgresError> {
        let hosts = self.hosts()?;
        let local = hosts.iter().all(Host::is_local);
        let encryption = self.encryption(local, &hosts)?;
        let user = if self.user.is_empty() { operating_system_user()? } else { self.user };
        let database = if self.database.is_empty() { user.clone() } else { self.database };
        Ok(Address {
            hosts,
            database,
            user,
            password: self.password,
            encryption,
            search_path: self.search_path,
            connect_timeout: self.connect_timeout,
            pooler_declared: self.pooler_declared,
            parameters: self.parameters,
        })
    }

    fn hosts(&self) -> Result<Vec<Host>, PostgresError> {
        let default_port = self.port_parameter.as_deref().map_or(Ok(5432), port)?;
        let of = |name: &str, port: u16| match name {
            _ if name.starts_with('/') => Host::Socket { folder: name.to_owned(), port },
            _ => Host::Tcp { name: name.to_owned(), port },
        };
        if let Some(names) = &self.host_parameter {
            return Ok(names.split(',').map(|it| of(it, default_port)).collect());
        }
        if self.places.is_empty() {
            return Err(malformed("it names no host"));
        }
        let one = |place: &str| {
            let (name, port_text) = match place.strip_prefix('[').and_then(|it| it.split_once(']')) {
                Some((name, rest)) => (name, rest.strip_prefix(':')),
                None => place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
            };
            let name = decoded(name)?;
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(malformed("the host name is empty or has a space in it"));
            }
            Ok(of(&name, port_text.map_or(Ok(default_port), port)?))
        };
        self.places.split(',').map(one).collect()
    }

    fn encryption(&self, local: bool, hosts: &[Host]) -> Result<Encryption, PostgresError> {
        let roots = || match self.root_certificate.as_deref() {
            None | Some("system") => Roots::Public,
            Some(path) => Roots::File(path.to_owned()),
        };
        let only_sockets = hosts.iter().all(|it| matches!(it, Host::Socket { .. }));
        match self.sslmode.as_deref() {
            Some("disable" | "allow" | "prefer") if hosts.iter().any(Host::is_neon) => {
                Err(PostgresError::Unencrypted { host: hosts[0].to_string() })
            }
            Some("disable") if !local => Err(PostgresError::Unencrypted { host: hosts[0].to_string() }),
            None | Some("disable" | "allow" | "prefer") if local => Ok(Encryption::None),
            // Sockets have no host name to verify, and libpq ignores sslmode there as well.
            Some("require" | "verify-ca" | "verify-full") if only_sockets => Ok(Encryption::None),
            None | Some("disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full") => {
                Ok(Encryption::Verified(roots()))
            }
            Some(_) => Err(parameter_value("sslmode")),
        }
    }
}

fn operating_system_user() -> Result<String, PostgresError> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    user.map(|it| it.name).ok_or_else(|| malformed("it names no user"))
}

fn malformed(reason: &'static str) -> PostgresError {
    PostgresError::Malformed { reason }
}

fn parameter_value(name: &str) -> PostgresError {
    PostgresError::ParameterValue { name: printable(name) }
}

/// A parameter's name is shown only when it looks like one: after a stray `?` or `&` in a password,
/// what looks like a parameter is part of it.
fn printable(name: &str) -> String {
    let plain = name.len() <= 40 && name.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    if plain && !name.is_empty() { name.to_owned() } else { "(not a name)".to_owned() }
}

fn port(text: &str) -> Result<u16, PostgresError> {
    // The text may be a piece of a password with an unencoded `/`, so it is not shown.
    text.parse().map_err(|_| malformed("the port is not a number from 1 to 65535"))
}

fn decoded(text: &str) -> Result<String, PostgresError> {
    let wrong = || malformed("a `%` in it is not followed by two hex digits, or it is not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16)).ok_or_else(wrong);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).expect("two hex digits are a byte"));
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic;

    use super::*;

    /// `Ok`: what is shown, then what else matters; `Err`: the error's code.
    fn check(url: &str, expected: Result<&str, &str>) {
        let secret = Secret::new(url);
        match (Address::parse(&secret), expected) {
            (Ok(address), Ok(expected)) => {
                let tls = match &address.encryption {
                    Encryption::None => "plain".to_owned(),
                    Encryption::Verified(Roots::Public) => "verified".to_owned(),
                    Encryption::Verified(Roots::File(path)) => format!("verified by {path}"),
                };
                assert_eq!(format!("{address} {tls}"), expected, "{url}");
            }
            (Err(error), Err(expected)) => {
                let code = error.code().map(|it| it.to_string()).unwrap_or_default();
                assert_eq!(code, format!("postgres::{expected}"), "{url}: {error}");
                let shown = format!("{error} {error:?} {}", error.help().map(|it| it.to_string()).unwrap_or_default());
                assert!(!shown.contains("hunter2"), "the password shows in: {shown}");
            }
            (got, expected) => panic!("{url}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_a_url_means() {
        for (url, expected) in [
            ("postgres://me:hunter2@db.example.com/app", "me@db.example.com:5432/app verified"),
            ("postgresql://me:hunter2@db.example.com:6432/app?sslmode=require", "me@db.example.com:6432/app verified"),
            ("postgres://me@db.example.com/app?sslmode=prefer", "me@db.example.com:5432/app verified"),
            ("postgres://me@db.example.com/app?sslmode=verify-full", "me@db.example.com:5432/app verified"),
            (
                "postgres://me@db.example.com/app?sslmode=verify-ca&sslrootcert=%2Fca.pem",
                "me@db.example.com:5432/app verified by /ca.pem",
            ),
            ("postgres://me@db.example.com/app?sslrootcert=system", "me@db.example.com:5432/app verified"),
            ("postgres://me@localhost/app", "me@localhost:5432/app plain"),
            ("postgres://me@127.0.0.1/app?sslmode=disable", "me@127.0.0.1:5432/app plain"),
            ("postgres://me@[::1]:5433/app", "me@[::1]:5433/app plain"),
            ("postgres://me@localhost/app?sslmode=require", "me@localhost:5432/app verified"),
            ("postgres://me@/app?host=/run/postgresql", "me@[/run/postgresql]/app plain"),
            ("postgres://me@/app?host=/run/pg&port=5433", "me@[/run/pg]:5433/app plain"),
            ("postgres://me@%2Frun%2Fpg/app", "me@[/run/pg]/app plain"),
            ("postgres://me@h1:5432,h2:5433/app", "me@h1:5432,h2:5433/app verified"),
            ("postgres://me:p%40ss%2Fhunter2@localhost/app", "me@localhost:5432/app plain"),
            ("postgres://me:p@hunter2@localhost/app", "me@localhost:5432/app plain"),
            ("postgres://me:p#hunter2@localhost/app", "me@localhost:5432/app plain"),
            ("postgres://me@localhost", "me@localhost:5432/me plain"),
            ("postgres://localhost/app?user=me&password=hunter2", "me@localhost:5432/app plain"),
            (
                "postgres://me@localhost/app?options=endpoint%3Dep-x&channel_binding=require",
                "me@localhost:5432/app plain",
            ),
            ("postgres://me@localhost/app?pool_timeout=3&connection_limit=1", "me@localhost:5432/app plain"),
            ("postgres://me@localhost/app?connect_timeout=3", "me@localhost:5432/app plain"),
            ("  postgres://me@localhost/app\n", "me@localhost:5432/app plain"),
        ] {
            check(url, Ok(expected));
        }
    }

    #[test]
    fn what_is_refused_and_never_with_the_password() {
        for (url, code) in [
            ("", "malformed_url"),
            ("mysql://me:hunter2@h/app", "malformed_url"),
            ("hunter2", "malformed_url"),
            ("postgres://me:hunter2/x@h/app", "malformed_url"),
            ("postgres://me:hunter2?x@h/app", "unknown_parameter"),
            ("postgres://me:hunter2%zz@h/app", "malformed_url"),
            ("postgres://me:hunter2@h:port/app", "malformed_url"),
            ("postgres://me:hunter2@/app", "malformed_url"),
            ("postgres://me:hunter2@a b/app", "malformed_url"),
            ("postgres://me:hunter2@h/app?sslmode=disable", "unencrypted"),
            ("postgres://me:hunter2@h/app?sslmode=hunter2", "parameter_value"),
            ("postgres://me:hunter2@h/app?channel_binding=hunter2", "parameter_value"),
            ("postgres://me:hunter2@h/app?connect_timeout=hunter2", "parameter_value"),
            ("postgres://me:hunter2@h/app?sslcert=x", "unknown_parameter"),
            ("postgres://me:hunter2@h/app?replication=database", "unknown_parameter"),
            ("postgres://me:x@h/app?Zhunter2=1", "unknown_parameter"),
        ] {
            check(url, Err(code));
        }
    }

    #[test]
    fn the_forms_that_neon_prisma_and_libpq_write() {
        const HOST: &str = "ep-cool-x.c-2.eu-central-1.aws.neon.tech";
        let verified = format!("me@{HOST}:5432/app verified");
        let by_file = format!("me@{HOST}:5432/app verified by /ca.pem");
        for (parameters, expected) in [
            ("", Ok(verified.as_str())),
            ("sslmode=require&channel_binding=require", Ok(&verified)),
            ("sslmode=verify-full", Ok(&verified)),
            ("sslmode=verify-ca", Ok(&verified)),
            ("sslmode=verify-full&sslrootcert=system", Ok(&verified)),
            ("sslmode=verify-full&sslrootcert=%2Fca.pem", Ok(&by_file)),
            ("sslnegotiation=direct&application_name=app&connect_timeout=10", Ok(&verified)),
            ("options=endpoint%3Dep-cool-x", Ok(&verified)),
            ("options=neon_lsn%3A0%2F1A2B3C4", Ok(&verified)),
            ("sslmode=require&pool_timeout=0&connection_limit=1&schema=shop", Ok(&verified)),
            ("options=--NE%5CON.project-id%3Dhunter2", Err("parameter_value")),
            ("sslmode=disable", Err("unencrypted")),
            ("sslmode=allow", Err("unencrypted")),
            ("sslmode=prefer", Err("unencrypted")),
            ("sslmode=hunter2", Err("parameter_value")),
            ("sslcert=hunter2", Err("unknown_parameter")),
            ("hunter2=1", Err("unknown_parameter")),
        ] {
            check(&format!("postgres://me:p%40ss@{HOST}/app?{parameters}"), expected);
        }
        for (host, expected) in [
            ("EP-X.eu-central-1.aws.NEON.tech", Err("unencrypted")),
            ("ep-x.eu-central-1.aws.neon.tech.", Err("unencrypted")),
            ("db.neon.tech.example.com", Ok("me@db.neon.tech.example.com:5432/app verified")),
        ] {
            check(&format!("postgres://me@{host}/app?sslmode=prefer"), expected);
        }
        let prisma = format!("postgres://me@{HOST}/app?pgbouncer=true");
        let pooled = Address::parse(&Secret::new(prisma)).unwrap().pooled().unwrap();
        assert_eq!((pooled.host.as_str(), pooled.direct), (HOST, None), "whoever says so is believed");
    }

    #[test]
    fn a_pooler_is_recognised_and_its_direct_host_named() {
        let pooled = |url: &str| Address::parse(&Secret::new(url)).unwrap().pooled();
        let direct = |url: &str| pooled(url).map(|it| it.direct);
        let neon = "postgres://me@ep-cool-x-pooler.c-2.eu-central-1.aws.neon.tech/app";
        assert_eq!(direct(neon), Some(Some("ep-cool-x.c-2.eu-central-1.aws.neon.tech".to_owned())));
        assert_eq!(direct("postgres://me@h/app?pgbouncer=true"), Some(None));
        assert_eq!(direct("postgres://me@h.a-pooler.com/app?pgbouncer=false"), None);
    }

    #[test]
    fn the_schema_parameter_becomes_the_search_path() {
        let address = Address::parse(&Secret::new("postgres://me@localhost/app?schema=sow")).unwrap();
        assert_eq!(address.search_path.as_deref(), Some("sow"));
        assert_eq!(address.with_database("other").to_string(), "me@localhost:5432/other");
    }
}
