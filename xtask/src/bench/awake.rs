//! CPUs that never sleep, so that a virtual machine's are there when something is woken.
//!
//! On a machine shared with neighbours, a CPU that has nothing to do goes back to the hypervisor,
//! and at the contest's load that is most of the time. It comes back when its turn has come, often
//! milliseconds later (`stolen` in the tables), and tails are made of that.
//!
//! Not for a closed loop: a CPU on which something runs counts as busy where threads are spread,
//! and at saturation p99 was seen to be six to ten times as long.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::cgroup::OwnGroup;
use crate::error::Error;
use crate::process::{Lifetime, Process};

/// For one to start, or to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process on each CPU, until drop. It gives way to all others: `SCHED_IDLE` does so within its
/// own control group alone, so the group itself is idle as well.
pub(super) struct Awake {
    processes: Vec<Process>,
    /// Dropped after the processes have ended.
    group: OwnGroup,
}

impl Awake {
    /// Starts them on all CPUs that this process may use.
    ///
    /// # Errors
    /// Not root, a kernel before 5.15, or `chrt`, `taskset` and `yes` are missing.
    pub fn start() -> Result<Awake, Error> {
        start().map_err(Error::while_doing("--awake"))
    }
}

fn start() -> Result<Awake, Error> {
    let group = OwnGroup::create("awake", None)?;
    group.make_idle()?;
    let mut awake = Awake {
        processes: Vec::new(),
        group,
    };
    let allowed = sched_getaffinity(None).map_err(Error::while_doing("sched_getaffinity"))?;
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
        // It writes without end, so it is in the kernel all the time, where whoever was woken
        // takes over: before a loop that stayed outside, PostgreSQL was seen to wait for
        // milliseconds when its disk had answered.
        let mut command = Command::new("chrt");
        command.args(["--idle", "0", "taskset", "--cpu-list"]);
        command.arg(cpu.to_string()).arg("yes");
        let owned = Lifetime::Owned(Signal::KILL);
        let process = Process::start(command, Path::new("/dev/null"), None, owned)?;
        awake.group.take(process.pid)?;
        awake.processes.push(process);
    }
    awake.processes.iter_mut().try_for_each(under_way)?;
    Ok(awake)
}

/// Waits until it is what it is to become: each of the three programs turns into the next.
fn under_way(process: &mut Process) -> Result<(), Error> {
    let start = Instant::now();
    let name = format!("/proc/{}/comm", process.pid);
    while fs::read_to_string(&name).unwrap_or_default().trim() != "yes" {
        if process.ended().is_some() || start.elapsed() > PATIENCE {
            return Err(Error::new(
                "`chrt --idle 0 taskset ... yes` does not run here",
            ));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl Drop for Awake {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.stop(Signal::KILL, PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of sched(7): field 41 of proc(5)'s stat.
    fn policy(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(38).map(str::to_owned)
    }

    /// Only root can make groups; elsewhere there is nothing to be tested.
    #[test]
    fn each_cpu_has_a_process_that_gives_way() {
        const SCHED_IDLE: &str = "5";
        let awake = match Awake::start() {
            Ok(awake) => awake,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let cpus = thread::available_parallelism().unwrap().get();
        assert!(awake.processes.len() >= cpus);
        let pids: Vec<u32> = awake.processes.iter().map(|process| process.pid).collect();
        for pid in &pids {
            assert_eq!(policy(*pid).unwrap(), SCHED_IDLE);
        }
        drop(awake);
        assert!(pids.iter().all(|pid| policy(*pid).is_none()));
    }
}
