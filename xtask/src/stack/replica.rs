//! One replica: its addresses, its settings, its process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::options::{Address, Options, Sockets};
use crate::error::Error;
use crate::http::{self, in_words};
use crate::machine;
use crate::process::{Lifetime, Process, tail};

/// Longer than a start takes on a crowded machine; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running replica, as others see it.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its first (most often its only) address.
    pub address: Address,
    /// Every address: on Unix sockets each worker has its own.
    pub addresses: Vec<Address>,
    /// Where it serves /metrics, with [`Options::admin`].
    pub admin: Option<SocketAddr>,
    /// Its process.
    pub pid: u32,
    /// The I/O driver in force, in its own words: `io_uring` or `epoll`.
    pub driver: String,
    /// The file that it logs to.
    pub log: PathBuf,
    /// From the start of its process to its first /health with 200; zero if it was not awaited.
    pub ready_after: Duration,
}

/// How often a replica that starts is asked whether it is ready.
const ASKED_EVERY: Duration = Duration::from_millis(2);

/// What a replica is made of, and its process while it runs.
#[derive(Debug)]
pub(crate) struct Slot {
    /// `api1`, `api2`...
    pub name: String,
    pub listen: Address,
    pub addresses: Vec<Address>,
    pub admin: Option<SocketAddr>,
    pub log: PathBuf,
    pub driver: String,
    pub process: Option<Process>,
    pub started: Instant,
    pub ready_after: Duration,
}

impl Slot {
    /// The `index`th replica's place: sockets in `sockets`, log in `logs`.
    pub fn new(
        index: usize,
        options: &Options,
        sockets: &Path,
        logs: &Path,
    ) -> Result<Slot, Error> {
        let name = format!("api{}", index + 1);
        let (listen, addresses) = match options.sockets {
            Sockets::Tcp => {
                let address = Address::Tcp(([127, 0, 0, 1], machine::free_port()?).into());
                (address.clone(), vec![address])
            }
            Sockets::Unix => {
                let listen = Address::Unix(sockets.join(format!("{name}.sock")));
                let each = |worker| Address::Unix(sockets.join(format!("{name}.{worker}.sock")));
                let addresses = match options.workers {
                    1 => vec![listen.clone()],
                    workers => (0..workers).map(each).collect(),
                };
                (listen, addresses)
            }
        };
        let admin = options.admin.then(machine::free_port).transpose()?;
        let log = logs.join(format!("{name}.log"));
        Ok(Slot {
            name,
            listen,
            addresses,
            admin: admin.map(|port| ([127, 0, 0, 1], port).into()),
            log,
            driver: String::new(),
            process: None,
            started: Instant::now(),
            ready_after: Duration::ZERO,
        })
    }

    /// Starts the process; [`Slot::wait_until_ready`] has to follow.
    pub fn start(
        &mut self,
        options: &Options,
        database_url: &str,
        lifetime: Lifetime,
    ) -> Result<(), Error> {
        let mut command = Command::new(&options.crebito);
        command
            .env("DATABASE_URL", database_url)
            .env("LISTEN", self.listen.to_string());
        if let Some(admin) = self.admin {
            command.env("ADMIN_LISTEN", admin.to_string());
        }
        command.env("WORKERS", options.workers.to_string());
        command.env("IO_DRIVER", options.driver.as_str());
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        self.started = Instant::now();
        let process = self
            .process
            .insert(Process::start(command, &self.log, None, lifetime)?);
        match &options.groups {
            Some(groups) => groups.take(&self.name, process.pid),
            None => Ok(()),
        }
    }

    /// Waits until /health gives 200 on every address: the database is up, too.
    pub fn wait_until_ready(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        for address in self.addresses.clone() {
            loop {
                let said = http::get(&address, "localhost", "/health");
                if let Ok((200, body)) = &said {
                    self.driver = driver_of(body);
                    break;
                }
                let ended = self
                    .process
                    .as_mut()
                    .is_none_or(|process| process.ended().is_some());
                if ended || start.elapsed() > PATIENCE {
                    let why = if ended { "ended" } else { "is not ready" };
                    let (said, log) = (in_words("/health", &said), tail(&self.log, 20));
                    let sentence = format!("replica {address} {why}: {said}\n{log}");
                    return Err(Error::new(sentence));
                }
                thread::sleep(ASKED_EVERY);
            }
        }
        self.ready_after = self.started.elapsed();
        Ok(())
    }

    /// What others see; a replica that is stopped has pid 0.
    pub fn seen(&self) -> Replica {
        Replica {
            address: self.addresses.first().unwrap_or(&self.listen).clone(),
            addresses: self.addresses.clone(),
            admin: self.admin,
            pid: self.process.as_ref().map_or(0, |process| process.pid),
            driver: self.driver.clone(),
            log: self.log.clone(),
            ready_after: self.ready_after,
        }
    }
}

/// /health's key `driver`.
fn driver_of(health: &str) -> String {
    let health: serde_json::Value = serde_json::from_str(health).unwrap_or_default();
    health
        .get("driver")
        .and_then(|driver| driver.as_str())
        .unwrap_or("unknown")
        .to_owned()
}
