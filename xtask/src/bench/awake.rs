//! CPUs that never sleep, so that a virtual machine's are there when something is woken.
//!
//! Of a machine with neighbours a CPU that has nothing to do goes back to the hypervisor, and at
//! the contest's load that is most of the time. It comes back when its turn has come, often
//! milliseconds later (`stolen` in the tables), and that is what tails are made of. A physical
//! machine's CPU is there in microseconds.
//!
//! Not for a closed loop: a CPU on which such a thread runs counts as busy where threads are
//! spread, and at saturation p99 was seen to be five times as long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use uapi::c::{SCHED_IDLE, sched_param};

use crate::error::Error;

/// A thread on each CPU, until drop.
pub(super) struct Awake {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Awake {
    /// Starts them.
    ///
    /// # Errors
    /// The kernel refuses the policy or the CPU.
    pub fn start() -> Result<Awake, Error> {
        let allowed = sched_getaffinity(None).map_err(Error::while_doing("the CPUs"))?;
        let mut awake = Awake {
            ends: Arc::default(),
            threads: Vec::new(),
        };
        for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
            let ends = Arc::clone(&awake.ends);
            let (tell, told) = std::sync::mpsc::channel();
            awake.threads.push(thread::spawn(move || {
                let given_way = give_way(cpu);
                let goes_on = given_way.is_ok();
                let _ = tell.send(given_way);
                // Into the kernel, where a thread that was woken takes over: before a loop that
                // stayed outside, what a disk's interrupt woke was seen to wait 2 ms.
                while goes_on && !ends.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }));
            let given_way = told.recv().map_err(Error::while_doing("a thread"))?;
            given_way.map_err(Error::while_doing("SCHED_IDLE on each CPU"))?;
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// This thread runs on `cpu`, and only while nothing else wants to.
fn give_way(cpu: usize) -> std::io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)?;
    uapi::sched_setscheduler(0, SCHED_IDLE, &sched_param { sched_priority: 0 })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The policies of this process' threads: field 41 of proc(5)'s stat.
    fn idle_threads() -> usize {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        let policy = |stat: String| {
            let fields = stat.rsplit_once(") ")?.1;
            fields.split(' ').nth(38)?.parse::<i32>().ok()
        };
        stats
            .filter_map(policy)
            .filter(|it| *it == SCHED_IDLE)
            .count()
    }

    #[test]
    fn each_cpu_has_a_thread_that_gives_way() {
        let awake = Awake::start().unwrap();
        let cpus = thread::available_parallelism().unwrap().get();
        assert!(awake.threads.len() >= cpus, "{}", awake.threads.len());
        assert_eq!(idle_threads(), awake.threads.len());
        drop(awake);
        assert_eq!(idle_threads(), 0);
    }
}
