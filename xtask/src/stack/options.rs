//! How a stack is to be: what `cargo xtask up` has as flags, and what tests ask for.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::Groups;

/// The I/O driver that is asked of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Driver {
    /// io_uring where it is to be had, else epoll.
    #[default]
    Auto,
    /// io_uring, or the replica does not start.
    #[value(name = "io_uring")]
    IoUring,
    /// epoll.
    Epoll,
}

impl Driver {
    /// The value of `IO_DRIVER`.
    pub fn as_str(self) -> &'static str {
        match self {
            Driver::Auto => "auto",
            Driver::IoUring => "io_uring",
            Driver::Epoll => "epoll",
        }
    }
}

/// The kind of sockets between NGINX, replicas and PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sockets {
    /// Unix sockets in a private folder.
    #[default]
    Unix,
    /// TCP on 127.0.0.1; PostgreSQL asks for a password (SCRAM-SHA-256).
    Tcp,
}

/// How NGINX stands before the replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Proxy {
    /// nginx.conf: it reads requests and spreads them.
    #[default]
    Http,
    /// nginx.stream.conf: it spreads connections, and passes their bytes.
    Stream,
}

impl Proxy {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Proxy::Http => "http",
            Proxy::Stream => "stream",
        }
    }

    /// The checkout's configuration of it.
    pub(crate) fn conf(self) -> &'static str {
        match self {
            Proxy::Http => "nginx.conf",
            Proxy::Stream => "nginx.stream.conf",
        }
    }
}

/// How PostgreSQL is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGINT: sessions are ended, open transactions are rolled back, then a checkpoint.
    Fast,
    /// SIGQUIT: no clean-up; the next start recovers from the WAL, as after a crash.
    Immediate,
}

/// Where a replica or PostgreSQL listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// As `LISTEN` and NGINX's `server` have it: `127.0.0.1:8080` or `unix:/path`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What a stack is made of. Start from [`Options::new`] and change fields.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's binary; in a test, `env!("CARGO_BIN_EXE_crebito")`.
    pub crebito: PathBuf,
    /// NGINX's port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// How many replicas (2).
    pub replicas: usize,
    /// `WORKERS` of each replica (1).
    pub workers: usize,
    /// `IO_DRIVER` of each replica.
    pub driver: Driver,
    /// Unix or TCP between the parts.
    pub sockets: Sockets,
    /// What NGINX is.
    pub proxy: Proxy,
    /// NGINX's `worker_connections`, of both sides; none is what its file says.
    pub nginx_connections: Option<u32>,
    /// A configuration of NGINX instead of the one of `proxy`, marked as that is.
    pub nginx_conf: Option<PathBuf>,
    /// More settings of each replica; they win over what the stack itself sets.
    pub env: Vec<(String, String)>,
    /// More settings of PostgreSQL, as in postgresql.conf; they win over the stack's.
    pub postgres_settings: Vec<(String, String)>,
    /// Each replica has an `ADMIN_LISTEN` of its own, on a free port of 127.0.0.1 (it has none).
    pub admin: bool,
    /// PostgreSQL's data, which stays there; none is a fresh cluster that goes with the stack.
    pub data: Option<PathBuf>,
    /// Control groups that the parts are put into.
    pub groups: Option<Arc<Groups>>,
}

impl Options {
    /// The contest's topology: two replicas of one worker each, Unix sockets, any free port.
    pub fn new(crebito: impl Into<PathBuf>) -> Options {
        Options {
            crebito: crebito.into(),
            port: 0,
            replicas: 2,
            workers: 1,
            driver: Driver::Auto,
            sockets: Sockets::Unix,
            proxy: Proxy::Http,
            nginx_connections: None,
            data: None,
            nginx_conf: None,
            env: Vec::new(),
            postgres_settings: Vec::new(),
            admin: false,
            groups: None,
        }
    }
}
