//! What is asked of the machine: accounts, free ports, folders that others can reach.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// An account of this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The account called `name`, if /etc/passwd has it.
    pub fn named(name: &str) -> Option<Account> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == name;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            found.then(|| Account {
                name: name.to_owned(),
                uid,
                gid,
            })
        })
    }
}

/// Whether this process is root: PostgreSQL refuses to be, and NGINX gives its workers away.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// As root, the account that PostgreSQL runs under; else none, since it runs as we do.
pub(crate) fn postgres_account() -> Result<Option<Account>, Error> {
    if !is_root() {
        return Ok(None);
    }
    let account = Account::named("postgres").or_else(|| Account::named("nobody"));
    let sentence = "PostgreSQL does not run as root, and neither `postgres` nor `nobody` exists";
    account.map(Some).ok_or_else(|| Error::new(sentence))
}

/// As root, the account of NGINX's workers; else none.
pub(crate) fn nginx_account() -> Option<Account> {
    let account = || {
        ["www-data", "nginx", "nobody"]
            .into_iter()
            .find_map(Account::named)
    };
    is_root().then(account).flatten()
}

/// Whether any account can pass through `path` and every folder above it.
pub(crate) fn traversable(path: &Path) -> bool {
    path.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    })
}

/// Lets this process, and what it starts from here on, open at least so many files.
///
/// # Errors
/// The hard limit is below, and only root may raise it.
pub(crate) fn raise_open_files(needed: u64) -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        Error::new(format!(
            "this takes {needed} open files in one process, and the hard limit is {}: raise it \
             (`ulimit -Hn`, or LimitNOFILE= of the service), or run this as root",
            limit.maximum.unwrap_or(0)
        ))
    })
}

/// A TCP port of 127.0.0.1 that nobody listens on right now.
///
/// Below the kernel's own range for outgoing connections (32768 up by default): a port of that
/// range, free a moment ago, may be one end of a load generator's connection by the time it is
/// bound. Another process may still be faster, so whoever binds it tries again with another.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 20_000;
    const SPAN: u32 = 12_000;
    let start = std::process::id().wrapping_mul(2_654_435_761) >> 8;
    for _ in 0..SPAN {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % SPAN;
        let port = u16::try_from(port).map_err(Error::while_doing("a port"))?;
        if port_is_free(port) {
            return Ok(port);
        }
    }
    Err(Error::new("no TCP port between 20000 and 32000 is free"))
}

/// Whether `port` can be bound on every address of this machine.
pub(crate) fn port_is_free(port: u16) -> bool {
    bind(port).is_ok()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
}

/// Why `port` cannot be bound, and what to do; none if it can be.
pub(crate) fn port_refusal(port: u16) -> Option<Error> {
    bind(port).err().map(|reason| refusal(port, &reason))
}

fn refusal(port: u16, reason: &io::Error) -> Error {
    const FIRST: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    Error::new(match reason.kind() {
        io::ErrorKind::PermissionDenied => {
            let first = fs::read_to_string(FIRST).unwrap_or_default();
            let first = first.trim().parse().unwrap_or(1024);
            format!(
                "port {port}: {reason}: ports below {first} (net.ipv4.ip_unprivileged_port_start) \
                 need root; choose another with --port"
            )
        }
        io::ErrorKind::AddrInUse => {
            let holder = port_holder(port).unwrap_or_else(|| "another process".to_owned());
            format!("port {port} is in use by {holder}: stop that, or choose another with --port")
        }
        _ => format!("port {port}: {reason}"),
    })
}

/// Who listens on `port`, as "nginx (pid 12)", where the kernel lets us know.
pub(crate) fn port_holder(port: u16) -> Option<String> {
    const LISTENS: &str = "0A";
    let sockets = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inode = sockets
        .iter()
        .flatten()
        .flat_map(|table| table.lines())
        .find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let local = fields.get(1)?.rsplit_once(':')?.1;
            let same = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTENS;
            same.then(|| format!("socket:[{}]", fields.get(9).copied().unwrap_or_default()))
        })?;
    let holds = |process: &fs::DirEntry| {
        let descriptors = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| target.as_os_str() == inode.as_str())
    };
    let process = fs::read_dir("/proc").ok()?.flatten().find(holds)?;
    let name = fs::read_to_string(process.path().join("comm")).ok()?;
    Some(format!(
        "{} (pid {})",
        name.trim(),
        process.file_name().to_string_lossy()
    ))
}

/// What this machine is, for whoever compares figures: CPUs that may be used, their kind, kernel.
pub(crate) fn description() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|rest| rest.split_once(':'))
        .map(|it| it.1.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = model.unwrap_or(std::env::consts::ARCH);
    format!("{cpus} CPUs ({model}), Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_account_0() {
        let root = Account {
            name: "root".to_owned(),
            uid: 0,
            gid: 0,
        };
        assert_eq!(Account::named("root"), Some(root));
        assert_eq!(Account::named("no such account"), None);
    }

    #[test]
    fn open_files_are_raised_as_far_as_one_may() {
        raise_open_files(64).unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        // Above what the kernel gives anybody (fs.nr_open).
        let sentence = raise_open_files(1 << 40).unwrap_err().to_string();
        assert!(sentence.contains("1099511627776 open files"), "{sentence}");
    }

    #[test]
    fn a_taken_port_is_not_free() {
        let port = free_port().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!port_is_free(port));
        // This process, or one that another test is just starting and that still has our sockets.
        assert!(port_holder(port).unwrap().contains(" (pid "));
        let sentence = port_refusal(port).unwrap().to_string();
        assert!(sentence.contains("is in use by "), "{sentence}");
        assert_ne!(free_port().unwrap(), port);
        drop(listener);
    }

    #[test]
    fn a_port_that_needs_root_is_not_taken_for_one_in_use() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let sentence = refusal(80, &denied).to_string();
        assert!(
            sentence.contains("need root") && !sentence.contains("in use"),
            "{sentence}"
        );
    }
}
