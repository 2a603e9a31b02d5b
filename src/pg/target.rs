//! Where the database is: libpq's connection URL (PostgreSQL 34.1.1.2).
//!
//! The URL is taken apart here and not by the `url` crate, since libpq's is none in its sense:
//! `postgres://user@/db` has a user and no host.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A database and how to log in to it. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The server.
    pub host: Host,
    /// The role to log in as.
    pub user: String,
    /// Its password, if one was given.
    pub password: Option<String>,
    /// The database; the user's name unless given.
    pub database: String,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
    /// For the connection and the handshake together.
    pub connect_timeout: Duration,
    /// TLS was asked for if it is to be had (`sslmode=prefer` or `allow`). It is not built: the
    /// caller says in the log that the link is plain.
    pub ssl_prefer: bool,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an address (IPv6 without brackets) and a port.
    Tcp {
        /// The name or address.
        host: String,
        /// The port, not 0.
        port: u16,
    },
    /// The folder of a Unix socket.
    Unix {
        /// The folder, as `unix_socket_directories` has it.
        folder: PathBuf,
        /// The port, part of the socket's name.
        port: u16,
    },
}

/// Why a URL is not a [`Target`]. Says what to do, and never shows what may be the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum TargetError {
    #[error("it must begin with postgres:// or postgresql://")]
    Scheme,
    #[error("it has a control character")]
    Control,
    #[error("the {0} has a % that is not followed by two hexadecimal digits; a % itself is %25")]
    Percent(&'static str),
    #[error("the {0} is not UTF-8 once its %-codes are decoded, or has %00")]
    Text(&'static str),
    #[error("it names no user: write postgres://user@..., or add ?user=...")]
    NoUser,
    #[error("the address in [ ] is not an IPv6 address, or something unexpected follows it")]
    Brackets,
    #[error("the {0} has an @, a # or a /: in user and password write them as %40, %23 and %2F")]
    Unencoded(&'static str),
    #[error("several hosts are not supported: name one")]
    SeveralHosts,
    #[error("an abstract socket is not supported: name the folder of the socket")]
    Abstract,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("the path of the socket, {0}, is longer than {SOCKET_PATH_BYTES_MAX} bytes")]
    SocketPath(PathBuf),
    #[error("connect_timeout is not a whole number of seconds up to {CONNECT_SECONDS_MAX}")]
    ConnectTimeout,
    #[error(
        "sslmode={0} asks for TLS, which crebito does not build yet: use a Unix socket, a private \
         network or a TLS sidecar with sslmode=disable"
    )]
    TlsRequired(String),
    #[error("sslmode={0} is unknown: disable, allow and prefer are taken")]
    SslMode(String),
    #[error(
        "the parameter {0} is not known: host, port, user, password, dbname, application_name, \
         connect_timeout and sslmode are"
    )]
    Parameter(String),
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?parameter=value&...`. All parts but the
    /// user may be missing, each may be a parameter instead, and a parameter wins. A host that
    /// begins with `/` is the folder of a Unix socket; no host at all is [`DEFAULT_FOLDER`].
    /// `pgpassword` is taken if the URL has no password.
    ///
    /// # Errors
    ///
    /// A sentence for the user, without the password.
    pub fn parse(url: &str, pgpassword: Option<&str>) -> Result<Target, TargetError> {
        let url = url.trim();
        if url.contains(char::is_control) {
            return Err(TargetError::Control);
        }
        let schemes = ["postgres://", "postgresql://"];
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
        let mut parts = Parts::split(rest.ok_or(TargetError::Scheme)?)?;
        parts.ssl_prefer = parts.ssl_mode()?;
        let port = parts.port()?;
        let host = parts.host(port)?;
        let user = parts
            .user
            .filter(|user| !user.is_empty())
            .ok_or(TargetError::NoUser)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Target {
            host,
            database: given(parts.database).unwrap_or_else(|| user.clone()),
            user,
            password: given(parts.password).or(given(pgpassword.map(str::to_owned))),
            application_name: given(parts.application_name).unwrap_or("crebito".to_owned()),
            connect_timeout: connect_timeout(parts.connect_timeout)?,
            ssl_prefer: parts.ssl_prefer,
        })
    }

    /// The path of the socket, if the server is asked through one.
    pub fn socket_path(&self) -> Option<PathBuf> {
        self.host.socket_path()
    }
}

impl Host {
    fn socket_path(&self) -> Option<PathBuf> {
        match self {
            Host::Tcp { .. } => None,
            Host::Unix { folder, port } => Some(folder.join(format!(".s.PGSQL.{port}"))),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Host::Tcp { host, port } => write!(f, "{host}:{port}"),
            Host::Unix { folder, port } => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
        }
    }
}

/// For the log: `database "banco" as "ana" at localhost:5432`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "database {:?} as {:?} at {}",
            self.database, self.user, self.host
        )
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("database", &self.database)
            .field("application_name", &self.application_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("ssl_prefer", &self.ssl_prefer)
            .finish()
    }
}

/// A URL's parts, decoded where it is not said otherwise.
#[derive(Default)]
struct Parts {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    application_name: Option<String>,
    connect_timeout: Option<String>,
    sslmode: Option<String>,
    ssl_prefer: bool,
}

impl Parts {
    /// Takes apart what follows the scheme, where libpq would (`conninfo_uri_parse_options`).
    fn split(rest: &str) -> Result<Parts, TargetError> {
        let mut parts = Parts::default();
        let mut rest = rest;
        // The user's part ends at the first @, if no / comes before it.
        if let Some((before, after)) = rest.split_once('@').filter(|(b, _)| !b.contains('/')) {
            let (user, password) = match before.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (before, None),
            };
            parts.user = Some(decode("user", user)?);
            parts.password = password.map(|text| decode("password", text)).transpose()?;
            rest = after;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_address(address)?;
        // What is not of the form of an address or a name may be a piece of a password.
        for (what, text) in [("host", host), ("database", path), ("query", query)] {
            if text.contains(['@', '#']) {
                return Err(TargetError::Unencoded(what));
            }
        }
        parts.host = Some(decode("host", host)?);
        parts.port = Some(port.to_owned());
        parts.database = Some(decode("database", path)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            parts.set(pair)?;
        }
        Ok(parts)
    }

    fn set(&mut self, pair: &str) -> Result<(), TargetError> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (place, what) = match name {
            "host" => (&mut self.host, "host"),
            "port" => (&mut self.port, "port"),
            "user" => (&mut self.user, "user"),
            "password" => (&mut self.password, "password"),
            "dbname" => (&mut self.database, "dbname"),
            "application_name" => (&mut self.application_name, "application_name"),
            "connect_timeout" => (&mut self.connect_timeout, "connect_timeout"),
            "sslmode" => (&mut self.sslmode, "sslmode"),
            _ => return Err(TargetError::Parameter(shown(name))),
        };
        *place = Some(decode(what, value)?);
        Ok(())
    }

    /// Whether TLS is preferred; an error if it is required.
    fn ssl_mode(&self) -> Result<bool, TargetError> {
        match self.sslmode.as_deref() {
            None | Some("" | "disable") => Ok(false),
            Some("allow" | "prefer") => Ok(true),
            Some(mode @ ("require" | "verify-ca" | "verify-full")) => {
                Err(TargetError::TlsRequired(mode.to_owned()))
            }
            Some(other) => Err(TargetError::SslMode(shown(other))),
        }
    }

    fn port(&self) -> Result<u16, TargetError> {
        match self.port.as_deref() {
            None | Some("") => Ok(DEFAULT_PORT),
            Some(text) if text.contains(',') => Err(TargetError::SeveralHosts),
            Some(text) => whole_number(text)
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port > 0)
                .ok_or(TargetError::Port),
        }
    }

    fn host(&self, port: u16) -> Result<Host, TargetError> {
        let host = match self.host.as_deref() {
            None | Some("") => DEFAULT_FOLDER,
            Some(host) => host,
        };
        if host.contains(',') {
            return Err(TargetError::SeveralHosts);
        }
        if host.starts_with('@') {
            return Err(TargetError::Abstract);
        }
        if !host.starts_with('/') {
            let misplaced = host.contains(['@', '#', '/']);
            let host = host.to_owned();
            return if misplaced {
                Err(TargetError::Unencoded("host"))
            } else {
                Ok(Host::Tcp { host, port })
            };
        }
        let host = Host::Unix {
            folder: PathBuf::from(host),
            port,
        };
        match host.socket_path() {
            Some(path) if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX => {
                Err(TargetError::SocketPath(path))
            }
            _ => Ok(host),
        }
    }
}

/// Splits `host:port` or `[IPv6]:port`; an empty port is none.
fn split_address(address: &str) -> Result<(&str, &str), TargetError> {
    let Some(inner) = address.strip_prefix('[') else {
        return Ok(address.split_once(':').unwrap_or((address, "")));
    };
    let (host, after) = inner.split_once(']').ok_or(TargetError::Brackets)?;
    // A scope such as fe80::1%25eth0 is the resolver's to judge.
    let (literal, _) = host.split_once('%').unwrap_or((host, ""));
    let port = match after {
        "" => Some(""),
        _ => after.strip_prefix(':'),
    };
    match (literal.parse::<std::net::Ipv6Addr>(), port) {
        (Ok(_), Some(port)) => Ok((host, port)),
        _ => Err(TargetError::Brackets),
    }
}

fn connect_timeout(text: Option<String>) -> Result<Duration, TargetError> {
    match text.as_deref() {
        None | Some("") => Ok(DEFAULT_CONNECT_TIMEOUT),
        Some(text) => match whole_number(text) {
            Some(0) => Ok(DEFAULT_CONNECT_TIMEOUT),
            Some(seconds) if seconds <= CONNECT_SECONDS_MAX => {
                Ok(Duration::from_secs(u64::from(seconds)))
            }
            _ => Err(TargetError::ConnectTimeout),
        },
    }
}

/// Decimal digits only: no sign.
fn whole_number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Decodes %-codes, as strictly as libpq; + stays +.
fn decode(what: &'static str, text: &str) -> Result<String, TargetError> {
    let is_code = |after: &str| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_code) {
        return Err(TargetError::Percent(what));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded.into_owned()),
        _ => Err(TargetError::Text(what)),
    }
}

/// A name as it may stand in an error: what does not look like one may be a piece of a password.
fn shown(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.len() <= 40 && name.bytes().all(plain) {
        return name.to_owned();
    }
    "(not shown)".to_owned()
}

/// Where Debian's PostgreSQL has its socket.
pub const DEFAULT_FOLDER: &str = "/var/run/postgresql";
const DEFAULT_PORT: u16 = 5432;
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_SECONDS_MAX: u32 = 600;
/// `sockaddr_un` has 108 bytes, the last of them NUL (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;
