//! Groups of our own: made with limits, taken down with what was in them gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cgroup, Used};
use crate::compose::Limits;
use crate::error::Error;
use crate::process;

/// The quota's period, the kernel's and the engine's default: 100 ms.
const PERIOD_US: u64 = 100_000;
/// A group that is empty for so long is nobody's; a younger one may be another container's, whose
/// processes have other numbers here.
const SETTLED: Duration = Duration::from_secs(60);
/// For the last process to leave before its group can be removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group that is removed on drop; its processes must have ended by then.
#[derive(Debug)]
pub(crate) struct OwnGroup {
    group: Cgroup,
}

impl OwnGroup {
    /// Makes `crebito-PID-NUMBER-NAME` at the root of the hierarchies, with these limits or none:
    /// stacks that stand side by side have parts of one name, and share nothing.
    ///
    /// # Errors
    /// Only root may, and only where the controllers cpu and memory are to be had.
    pub fn create(name: &str, limits: Option<&Limits>) -> Result<OwnGroup, Error> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("crebito-{}-{number}-{name}", std::process::id());
        let mounts = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(mounts).map_err(Error::while_doing(mounts))?;
        let group = super::at_root(&mounts, &name)
            .ok_or_else(|| Error::new("no control groups are mounted below /sys/fs/cgroup"))?;
        group
            .folders()
            .into_iter()
            .for_each(|folder| sweep(folder, SETTLED));
        if let Cgroup::V2(folder) = &group {
            let control = folder.with_file_name("cgroup.subtree_control");
            fs::write(&control, "+cpu +memory").map_err(Error::while_doing(control.display()))?;
        }
        for folder in group.folders() {
            fs::create_dir_all(folder).map_err(Error::while_doing(folder.display()))?;
        }
        let own = OwnGroup { group };
        if let Some(limits) = limits {
            own.limit(limits)?;
        }
        Ok(own)
    }

    fn limit(&self, limits: &Limits) -> Result<(), Error> {
        let quota_us = limits.cpu_millis * PERIOD_US / 1_000;
        let memory = limits.memory_bytes.to_string();
        match &self.group {
            Cgroup::V1 {
                cpu, memory: at, ..
            } => {
                write(cpu, "cpu.cfs_period_us", &PERIOD_US.to_string())?;
                write(cpu, "cpu.cfs_quota_us", &quota_us.to_string())?;
                write(at, "memory.limit_in_bytes", &memory)
            }
            Cgroup::V2(folder) => {
                write(folder, "cpu.max", &format!("{quota_us} {PERIOD_US}"))?;
                write(folder, "memory.max", &memory)
            }
        }
    }

    /// What is in it runs only while nothing outside wants to (`cpu.idle`, Linux 5.15).
    ///
    /// # Errors
    /// The kernel is older.
    pub fn make_idle(&self) -> Result<(), Error> {
        match &self.group {
            Cgroup::V1 { cpu: folder, .. } | Cgroup::V2(folder) => write(folder, "cpu.idle", "1"),
        }
    }

    /// Takes a process in; what it starts from here on is in it too.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn take(&self, pid: u32) -> Result<(), Error> {
        let mut folders = self.group.folders().into_iter();
        folders.try_for_each(|folder| write(folder, "cgroup.procs", &pid.to_string()))
    }

    /// What all in it have used since it was made.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn used(&self) -> Result<Used, Error> {
        self.group.used()
    }
}

/// Removes the groups beside `folder` of tasks that were killed, which nobody else would.
fn sweep(folder: &Path, settled: Duration) {
    let entries = folder.parent().map(fs::read_dir).into_iter().flatten();
    for entry in entries.flatten().flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|it| it.strip_prefix("crebito-"));
        let pid = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let made = entry.metadata().and_then(|found| found.modified());
        let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age >= settled));
        if is_old && pid.is_some_and(|pid| process::stat(pid).is_none()) {
            // One that is not empty stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        let start = Instant::now();
        for folder in self.group.folders() {
            // A zombie that nobody has waited for yet is still in it.
            while fs::remove_dir(folder).is_err() && folder.is_dir() && start.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Cgroup {
    /// Its folders, each once.
    pub(super) fn folders(&self) -> Vec<&PathBuf> {
        match self {
            Cgroup::V1 {
                cpu,
                cpuacct,
                memory,
            } => {
                let mut folders = vec![cpu, cpuacct, memory];
                folders.dedup();
                folders
            }
            Cgroup::V2(folder) => vec![folder],
        }
    }
}

fn write(folder: &Path, name: &str, value: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, value).map_err(Error::while_doing(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Only root can make groups; elsewhere there is nothing to be tested.
    #[test]
    fn a_process_is_held_to_its_share() {
        let limits = Limits {
            cpu_millis: 200,
            memory_bytes: 64 << 20,
        };
        let made = OwnGroup::create("test", Some(&limits));
        let Ok(group) = made else {
            eprintln!("skipped: no control group can be made here: {made:?}");
            return;
        };
        assert_eq!(group.group.limits().unwrap(), Some(limits));
        // Another stack's part of the same name is held to its own.
        let other = Limits {
            cpu_millis: 100,
            memory_bytes: 32 << 20,
        };
        let another = OwnGroup::create("test", Some(&other)).unwrap();
        assert_eq!(another.group.limits().unwrap(), Some(other));
        assert_eq!(group.group.limits().unwrap(), Some(limits));
        let mut burner = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        group.take(burner.id()).unwrap();
        assert_eq!(Cgroup::of(burner.id()).unwrap(), group.group);
        while group.used().unwrap().throttled_us == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(group.used().unwrap().cpu_us > 0);
        burner.kill().unwrap();
        burner.wait().unwrap();
        let folders: Vec<PathBuf> = group.group.folders().into_iter().cloned().collect();
        drop(group);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn what_a_killed_task_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let named = |name: String| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let left = named(format!("crebito-{}-0-db", gone.id()));
        let kept = [
            named(format!("crebito-{}-0-db", std::process::id())),
            named("crebito-x".to_owned()),
            named("another".to_owned()),
        ];
        let own = folder.path().join("crebito-1-0-db");
        sweep(&own, SETTLED);
        assert!(left.exists(), "it is young");
        sweep(&own, Duration::ZERO);
        assert!(!left.exists());
        assert!(kept.iter().all(|kept| kept.exists()));
    }
}
