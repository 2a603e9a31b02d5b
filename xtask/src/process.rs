//! Processes of the stack: started with a log and an end, known again by pid and start time.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::Error;
use crate::machine::Account;
use crate::programs;

/// Whether a process goes with the one that started it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lifetime {
    /// It gets this signal when the starting process ends, however that ended.
    Owned(Signal),
    /// It stays.
    Detached,
}

/// One process of the stack.
#[derive(Debug)]
pub(crate) struct Process {
    pub pid: u32,
    /// Clock ticks after boot (proc(5), /proc/pid/stat, field 22): a pid alone may be another's.
    pub started: u64,
    pub log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts `command`, its output going to `log`, in a process group of its own: Ctrl-C in a
    /// terminal is for the task alone, which then stops the others in their order.
    pub fn start(
        command: Command,
        log: &Path,
        account: Option<&Account>,
        lifetime: Lifetime,
    ) -> Result<Process, Error> {
        let mut command = prepared(&command, lifetime);
        if let Some(account) = account {
            command.gid(account.gid).uid(account.uid);
        }
        let output = fs::File::options().create(true).append(true).open(log);
        let output = output.and_then(|output| Ok((output.try_clone()?, output)));
        let (stdout, stderr) = output.map_err(Error::while_doing(log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = spawn(command).map_err(Error::while_doing(program))?;
        let pid = child.id();
        let started = stat(pid).map_or(0, |stat| stat.started);
        Ok(Process {
            pid,
            started,
            log: log.to_owned(),
            child: Some(child),
        })
    }

    /// A process that another run of the task had started; none if it is gone.
    pub fn adopt(pid: u32, started: u64, log: &Path) -> Option<Process> {
        let process = Process::once(pid, started, log);
        process.is_alive().then_some(process)
    }

    /// The same, gone or not: its children may be there still.
    pub fn once(pid: u32, started: u64, log: &Path) -> Process {
        Process {
            pid,
            started,
            log: log.to_owned(),
            child: None,
        }
    }

    /// Whether it runs; a zombie and another process with its pid do not.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != 'Z')
    }

    /// Sends `signal`; nothing happens if the process is gone.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.known_pid() {
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends SIGKILL to its process group: it and its children, also those that outlived it. The
    /// kernel gives no pid away that is still a group's, so with another process of that pid the
    /// group is gone; without one it is ours, if it was started in this boot.
    pub fn kill_group(&self) {
        let ours = stat(self.pid).is_none_or(|stat| stat.started == self.started);
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| ours) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn known_pid(&self) -> Option<Pid> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.filter(|_| self.is_alive())
    }

    /// How it ended, if it has; an adopted one's status is not ours to know.
    pub fn ended(&mut self) -> Option<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait().ok().flatten().map(Some),
            None => (!self.is_alive()).then_some(None),
        }
    }

    /// Waits for its end; none after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if start.elapsed() > patience {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends `signal`, waits for the end, and kills what has not ended after `patience`.
    pub fn stop(&mut self, signal: Signal, patience: Duration) -> Option<ExitStatus> {
        self.signal(signal);
        if let Some(status) = self.wait(patience) {
            return status;
        }
        self.kill_group();
        self.wait(Duration::from_secs(10)).flatten()
    }
}

/// The last lines of a log, none of one that is not there; what is not UTF-8 is replaced.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last = VecDeque::with_capacity(lines);
    for line in text.lines() {
        if last.len() == lines {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

/// Of proc(5), /proc/pid/stat.
#[derive(Debug)]
pub(crate) struct Stat {
    pub state: char,
    pub parent: u32,
    /// Of itself and of its children that ended and were waited for, in clock ticks.
    pub cpu_ticks: u64,
    /// Of those children alone.
    pub children_ticks: u64,
    pub started: u64,
}

/// What the kernel tells of `pid`; none if there is no such process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name in parentheses, may hold anything: count from its end.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(4)?).ok()?,
        cpu_ticks: number(14)? + number(15)? + number(16)? + number(17)?,
        children_ticks: number(16)? + number(17)?,
        started: number(22)?,
    })
}

/// A process and all that descend from it.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        next += 1;
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(children.map(|(pid, _)| *pid));
    }
    family
}

/// What a process of the stack inherits; all else, a forgotten `WORKERS` or `PGHOST` among it,
/// would make a stack behave differently in two terminals.
const INHERITED: [&str; 6] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LOG",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// The command with its own environment. With an owner it goes through setpriv(1), which asks the
/// kernel for a signal at the owner's end and then becomes the program: nothing is left behind by
/// a test that was killed.
fn prepared(command: &Command, lifetime: Lifetime) -> Command {
    let setpriv = programs::on_path("setpriv");
    let mut prepared = match (lifetime, setpriv) {
        (Lifetime::Owned(signal), Some(setpriv)) => {
            let mut prepared = Command::new(setpriv);
            prepared
                .args(["--pdeathsig", signal_name(signal), "--"])
                .arg(command.get_program());
            prepared
        }
        _ => Command::new(command.get_program()),
    };
    prepared.args(command.get_args()).env_clear();
    for name in INHERITED {
        if let Some(value) = env::var_os(name) {
            prepared.env(name, value);
        }
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            prepared.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        prepared.current_dir(folder);
    }
    prepared
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        _ => "KILL",
    }
}

/// Spawns from one thread that lives as long as this process: the kernel sends the signal of
/// [`Lifetime::Owned`] at the end of the *thread* that spawned, and a test's thread is short.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static ORDERS: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes is gone");
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in taken {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, child) = mpsc::channel();
    let orders = orders.lock().map_err(|_| gone())?;
    orders.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
