//! A crebito process of a test's own, started with exactly the settings that it is given.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{self, Client, Peer, Response};

/// Longer than anything takes here: a guard, never a measure.
pub const GUARD: Duration = Duration::from_secs(30);
/// A database where nobody listens: for what a replica does without one.
pub const NOWHERE: (&str, &str) = ("DATABASE_URL", "postgresql://crebito@127.0.0.1:1/crebito");

/// What a process that has ended left behind.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Both outputs, as a person at a terminal sees them.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A running crebito; killed on drop.
pub struct Replica {
    child: Child,
    peer: Peer,
    log: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

/// A command with these settings and none of the surrounding environment's.
pub fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crebito"));
    command
        .env_clear()
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs to the end, which must come soon.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let mut command = command(settings);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built");
    let since = Instant::now();
    while child.try_wait().expect("it is a child of ours").is_none() {
        if since.elapsed() > GUARD {
            child.kill().expect("it is a child of ours");
            let output = child.wait_with_output().expect("it is a child of ours");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            panic!("{arguments:?} {settings:?} did not end: {said}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("it is a child of ours");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Ended {
        status: output.status,
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// From now on this call fails with EPERM, for this thread and what it starts.
pub fn deny(call: i64) {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    const EPERM: u32 = 1;
    let filter = SeccompFilter::new(
        [(call, vec![])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(EPERM),
        std::env::consts::ARCH.try_into().expect("it has a number"),
    );
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .expect("one rule without conditions");
    seccompiler::apply_filter(&program).expect("Linux has seccomp");
}

/// A TCP address that nobody listens on.
pub fn free_address() -> SocketAddr {
    let port = xtask::free_port().expect("a port is free");
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Where `LISTEN` says.
pub fn peer(listen: &str) -> Peer {
    match listen.strip_prefix("unix:") {
        Some(path) => Peer::Unix(Path::new(path).to_owned()),
        None => Peer::Tcp(listen.parse().expect("tests listen on numeric addresses")),
    }
}

impl Replica {
    /// Starts it; `settings` must have `LISTEN`.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(settings), settings)
    }

    /// Starts `command`, which was made with `settings`.
    pub fn spawn(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let listen = settings.iter().find(|(name, _)| *name == "LISTEN");
        let peer = peer(listen.expect("LISTEN is set").1);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary was built");
        let log = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let readers = vec![copy(stdout, &log), copy(stderr, &log)];
        Self {
            child,
            peer,
            log,
            readers,
        }
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().expect("readers do not panic")).into_owned()
    }

    /// One GET on a connection of its own.
    pub fn get(&self, path: &str) -> std::io::Result<Response> {
        Client::connect(&self.peer)?.exchange(common::get(path))
    }

    /// Waits until GET `path` has this status.
    pub fn wait_for(&mut self, path: &str, status: u16) -> Response {
        let since = Instant::now();
        loop {
            let heard = self.get(path);
            match heard {
                Ok(response) if response.status == status => return response,
                _ if since.elapsed() > GUARD => panic!("{path}: {heard:?}\n{}", self.log()),
                _ => {}
            }
            let ended = self.child.try_wait().expect("it is a child of ours");
            assert!(ended.is_none(), "it ended, {ended:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until its log has `part`.
    pub fn wait_for_log(&self, part: &str) {
        let since = Instant::now();
        while !self.log().contains(part) {
            assert!(
                since.elapsed() < GUARD,
                "the log has no {part:?}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid is positive"), signal).expect("it is a child of ours");
    }

    /// Waits for its end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child of ours") {
                for reader in self.readers.drain(..) {
                    reader.join().expect("readers do not panic");
                }
                return status;
            }
            assert!(since.elapsed() < GUARD, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(mut from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            to.lock()
                .expect("readers do not panic")
                .extend_from_slice(&piece[..count]);
        }
    })
}
