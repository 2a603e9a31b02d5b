//! What `cargo xtask up` leaves for `down`, `status` and the next `up`: one file in the checkout.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::process::{self, Process};

/// A running stack, as it is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// NGINX's URL.
    pub url: String,
    /// The replicas in their order.
    pub replicas: Vec<ReplicaState>,
    /// What the replicas have as `DATABASE_URL`.
    pub database_url: String,
    /// PostgreSQL's data.
    pub data: PathBuf,
    /// Sockets, filled-in configuration, logs.
    pub run: PathBuf,
    /// The kernel's name for the boot in which it was started: after another one its processes are
    /// gone, and their numbers others'.
    #[serde(default)]
    pub boot: Option<String>,
    /// The `up` that waits for Ctrl-C, if it does.
    pub owner: Option<ProcessState>,
    /// The postmaster.
    pub postgres: Option<ProcessState>,
    /// NGINX's master process.
    pub nginx: Option<ProcessState>,
}

/// One replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaState {
    /// `host:port` or `unix:/path`; the first, if its workers have one each.
    pub address: String,
    /// All of them.
    pub addresses: Vec<String>,
    /// `host:port` of its /metrics.
    #[serde(default)]
    pub admin: Option<String>,
    /// The I/O driver in force.
    pub driver: String,
    /// Its process.
    #[serde(flatten)]
    pub process: ProcessState,
}

/// A process: the start time tells it from a later one of the same pid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessState {
    /// Of the kernel.
    pub pid: u32,
    /// Clock ticks after boot.
    pub started: u64,
    /// The file that it logs to.
    pub log: PathBuf,
}

impl ProcessState {
    pub(crate) fn of(process: &Process) -> ProcessState {
        ProcessState {
            pid: process.pid,
            started: process.started,
            log: process.log.clone(),
        }
    }

    /// Of this very process.
    pub(crate) fn myself() -> ProcessState {
        let pid = std::process::id();
        let started = process::stat(pid).map_or(0, |stat| stat.started);
        ProcessState {
            pid,
            started,
            log: PathBuf::new(),
        }
    }

    /// The process, if it still runs.
    pub(crate) fn adopt(&self) -> Option<Process> {
        Process::adopt(self.pid, self.started, &self.log)
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.adopt().is_some()
    }
}

impl State {
    /// The state in `file`.
    ///
    /// # Errors
    /// It cannot be read, or is of another version of this task (`InvalidData`).
    pub fn read(file: &Path) -> io::Result<State> {
        Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
    }

    /// Writes it for its owner alone: the database's URL may have a password.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(Error::while_doing("the state"))?;
        let new = file.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut options = fs::File::options();
        let writer = options.write(true).create_new(true).mode(0o600).open(&new);
        writer
            .and_then(|mut writer| writer.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&new, file))
            .map_err(Error::while_doing(file.display()))
    }

    /// The kernel's name for this boot (random(4)).
    pub(crate) fn boot() -> Option<String> {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned())
    }

    fn parts(&self) -> impl Iterator<Item = &ProcessState> {
        let replicas = self.replicas.iter().map(|replica| &replica.process);
        self.nginx
            .iter()
            .chain(replicas)
            .chain(self.postgres.iter())
    }

    /// How many of its processes run, and how many there should be.
    pub fn alive(&self) -> (usize, usize) {
        (
            self.parts().filter(|part| part.is_alive()).count(),
            self.parts().count(),
        )
    }

    /// Whether an `up` waits for Ctrl-C and stops the rest then.
    pub fn is_owned(&self) -> bool {
        self.owner.as_ref().is_some_and(ProcessState::is_alive)
    }

    /// Stops what runs, in the order that loses nothing.
    pub fn stop(&self) {
        const DRAIN: Duration = Duration::from_secs(15);
        const CHECKPOINT: Duration = Duration::from_secs(60);
        if self.boot.is_some() && self.boot != State::boot() {
            return;
        }
        if let Some(mut owner) = self.owner.as_ref().and_then(ProcessState::adopt) {
            owner.signal(Signal::TERM);
            owner.wait(DRAIN + CHECKPOINT);
        }
        if let Some(nginx) = &self.nginx {
            // A master that was killed leaves its workers, and they the port taken.
            let mut nginx = Process::once(nginx.pid, nginx.started, &nginx.log);
            nginx.stop(Signal::QUIT, Duration::from_secs(5));
            nginx.kill_group();
        }
        let replicas = self
            .replicas
            .iter()
            .filter_map(|replica| replica.process.adopt());
        let mut replicas: Vec<Process> = replicas.collect();
        for replica in &replicas {
            replica.signal(Signal::TERM);
        }
        for replica in &mut replicas {
            replica.stop(Signal::TERM, DRAIN);
        }
        if let Some(mut postgres) = self.postgres.as_ref().and_then(ProcessState::adopt) {
            postgres.stop(Signal::INT, CHECKPOINT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Lifetime;
    use std::process::Command;

    #[test]
    fn what_another_boot_left_is_not_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let lifetime = Lifetime::Owned(Signal::KILL);
        let log = folder.path().join("log");
        let process = Process::start(sleep, &log, None, lifetime).unwrap();
        let mut state = State {
            url: String::new(),
            replicas: Vec::new(),
            database_url: String::new(),
            data: PathBuf::new(),
            run: PathBuf::new(),
            boot: Some("another".to_owned()),
            owner: None,
            postgres: None,
            nginx: Some(ProcessState::of(&process)),
        };
        state.stop();
        assert!(process.is_alive());
        state.boot = State::boot();
        assert!(state.boot.is_some());
        state.stop();
        assert!(!process.is_alive());
    }
}
