//! NGINX, run with the checkout's nginx.conf (or nginx.stream.conf) into which a stack's own
//! addresses are filled.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Groups;
use super::options::{Address, Proxy};
use crate::checkout::checkout;
use crate::error::Error;
use crate::http;
use crate::machine;
use crate::process::{Lifetime, Process, tail};
use crate::programs;

/// Longer than a start takes; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stack fills into nginx.conf.
#[derive(Debug)]
pub(crate) struct Filling<'a> {
    pub listen: SocketAddr,
    pub servers: &'a [Address],
    /// Instead of /tmp, for the pid file and temporary files.
    pub folder: &'a Path,
}

/// `conf` with the lines that are marked `# xtask: listen`, `peer` and `folder` changed: their
/// address, or the beginning of their path. The first line of the peers (NGINX's `server` within
/// an `upstream`) is repeated for each address with its parameters, the others go.
///
/// # Errors
/// A mark is missing, is not known, or is on a line that does not look as it should.
pub(crate) fn fill(conf: &str, filling: &Filling) -> Result<String, Error> {
    let (mut listens, mut servers, mut folders) = (0, 0, 0);
    let mut filled = String::new();
    for line in conf.lines() {
        let Some((directive, mark)) = line.split_once("# xtask: ") else {
            filled.push_str(line);
            filled.push('\n');
            continue;
        };
        let odd = || Error::new(format!("what is to be filled in here? {line}"));
        match mark.trim() {
            "listen" => {
                listens += 1;
                filled +=
                    &with_value(directive, |_| Some(filling.listen.to_string())).ok_or_else(odd)?;
            }
            "peer" => {
                servers += 1;
                let all = if servers == 1 { filling.servers } else { &[] };
                for server in all {
                    let own = with_value(directive, |_| Some(server.to_string()));
                    filled += &own.ok_or_else(odd)?;
                }
            }
            "folder" => {
                folders += 1;
                let own = |value: &str| {
                    let rest = value.strip_prefix("/tmp/")?;
                    Some(filling.folder.join(rest).display().to_string())
                };
                filled += &with_value(directive, own).ok_or_else(odd)?;
            }
            _ => return Err(odd()),
        }
    }
    if listens != 1 || servers == 0 || folders == 0 || filling.servers.is_empty() {
        let sentence = "lines marked `# xtask: listen`, `peer`, `folder` are missing";
        return Err(Error::new(sentence));
    }
    Ok(filled)
}

/// `name value rest;` with another value.
fn with_value(directive: &str, other: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (name, rest) = directive.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let end = rest.find([' ', ';'])?;
    let (value, rest) = rest.split_at_checked(end)?;
    Some(format!("{name} {}{}\n", other(value)?, rest.trim_end()))
}

/// `conf` with so many connections, and as many descriptors.
fn with_connections(conf: &str, connections: u32) -> String {
    let own = |line: &str| match line.trim_start() {
        line if line.starts_with("worker_connections ")
            || line.starts_with("worker_rlimit_nofile ") =>
        {
            with_value(line, |_| Some(connections.to_string()))
        }
        _ => None,
    };
    let lines = conf.lines();
    lines
        .map(|line| own(line).unwrap_or_else(|| format!("{line}\n")))
        .collect()
}

/// NGINX's place and process.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub proxy: Proxy,
    /// Instead of the file's own `worker_connections`.
    pub connections: Option<u32>,
    /// Instead of the checkout's file.
    pub template: Option<PathBuf>,
    pub address: SocketAddr,
    pub folder: PathBuf,
    pub log: PathBuf,
    pub process: Option<Process>,
    pub groups: Option<Arc<Groups>>,
}

impl Nginx {
    /// Writes the configuration for these servers.
    pub fn configure(&self, servers: &[Address]) -> Result<(), Error> {
        let path = match &self.template {
            Some(path) => path.clone(),
            None => checkout()?.join(self.proxy.conf()),
        };
        let conf = fs::read_to_string(&path).map_err(Error::while_doing(path.display()))?;
        let filling = Filling {
            listen: self.address,
            servers,
            folder: &self.folder,
        };
        fs::create_dir_all(&self.folder).map_err(Error::while_doing(self.folder.display()))?;
        let own = self.conf();
        let filled = fill(&conf, &filling).map_err(Error::while_doing(path.display()))?;
        let filled = match self.connections {
            Some(connections) => with_connections(&filled, connections),
            None => filled,
        };
        fs::write(&own, filled).map_err(Error::while_doing(own.display()))
    }

    fn conf(&self) -> PathBuf {
        self.folder.join("nginx.conf")
    }

    /// Starts it and waits until it answers; 502 and 503 are answers too.
    pub fn start(&mut self, lifetime: Lifetime) -> Result<(), Error> {
        let mut command = Command::new(programs::nginx()?);
        let user = machine::nginx_account().map(|account| format!("user {};", account.name));
        let module = match self.proxy {
            Proxy::Http => None,
            Proxy::Stream => programs::nginx_stream()?,
        };
        let module = module.map(|module| format!("load_module {};", module.display()));
        let global = [module, user].map(Option::unwrap_or_default).concat() + "daemon off;";
        command
            .arg("-c")
            .arg(self.conf())
            .arg("-p")
            .arg(&self.folder);
        command.arg("-e").arg(&self.log).arg("-g").arg(global);
        let mut process = Process::start(command, &self.log, None, lifetime)?;
        if let Some(groups) = &self.groups {
            groups.take("nginx", process.pid)?;
        }
        let start = Instant::now();
        let failure = loop {
            if process.ended().is_some() {
                process.kill_group();
                break "did not start";
            }
            if self.answers() {
                if let Some(groups) = &self.groups {
                    groups.take("nginx", process.pid)?;
                }
                self.process = Some(process);
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                process.kill_group();
                break "does not answer";
            }
            thread::sleep(Duration::from_millis(10));
        };
        Err(Error::new(format!(
            "NGINX {failure}:\n{}",
            tail(&self.log, 20)
        )))
    }

    fn answers(&self) -> bool {
        match self.proxy {
            Proxy::Http => http::get(&Address::Tcp(self.address), "localhost", "/healthz").is_ok(),
            // It has no words of its own for replicas that are away.
            Proxy::Stream => TcpStream::connect(self.address).is_ok(),
        }
    }

    /// Lets it answer what it has, then ends it; kills it after `patience`.
    pub fn stop(&mut self, patience: Duration) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::QUIT, patience);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = "\
pid /tmp/nginx.pid; # xtask: folder
upstream crebito {
    least_conn; # a comment
    server unix:/run/a.sock max_conns=1040 max_fails=3 fail_timeout=1s; # xtask: peer
    server unix:/run/b.sock max_conns=1040 max_fails=3 fail_timeout=1s; # xtask: peer
}
listen 9999 backlog=4096; # xtask: listen
";

    fn fill_with(conf: &str) -> Result<String, Error> {
        let servers = [
            Address::Unix("/p/1.sock".into()),
            Address::Tcp(([127, 0, 0, 1], 8080).into()),
            Address::Unix("/p/3.sock".into()),
        ];
        let listen = ([127, 0, 0, 1], 4000).into();
        fill(
            conf,
            &Filling {
                listen,
                servers: &servers,
                folder: Path::new("/p"),
            },
        )
    }

    #[test]
    fn marked_lines_are_filled_and_no_others() {
        let expected = "\
pid /p/nginx.pid;
upstream crebito {
    least_conn; # a comment
server unix:/p/1.sock max_conns=1040 max_fails=3 fail_timeout=1s;
server 127.0.0.1:8080 max_conns=1040 max_fails=3 fail_timeout=1s;
server unix:/p/3.sock max_conns=1040 max_fails=3 fail_timeout=1s;
}
listen 127.0.0.1:4000 backlog=4096;
";
        assert_eq!(fill_with(CONF).unwrap(), expected);
    }

    #[test]
    fn connections_and_descriptors_are_changed_together() {
        let conf = "worker_rlimit_nofile 9; # a\nevents {\n    worker_connections 8; # b\n}\n";
        let changed = "worker_rlimit_nofile 70; # a\nevents {\nworker_connections 70; # b\n}\n";
        assert_eq!(with_connections(conf, 70), changed);
    }

    #[test]
    fn a_missing_or_unknown_mark_is_an_error() {
        for mark in ["# xtask: listen", "# xtask: peer", "# xtask: folder"] {
            assert!(
                fill_with(&CONF.replace(mark, "")).is_err(),
                "{mark} is gone"
            );
            assert!(
                fill_with(&CONF.replace(mark, "# xtask: lisp")).is_err(),
                "{mark} is odd"
            );
        }
        assert!(fill_with(&CONF.replace("/tmp/", "/run/")).is_err());
    }
}
