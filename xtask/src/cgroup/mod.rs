//! The kernel's control groups: limits in force, what was used, and groups of our own.
//! Version 1, version 2 and both at once (Linux, admin-guide/cgroup-v1 and cgroup-v2).

mod own;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::compose::Limits;
use crate::error::Error;
pub(crate) use own::OwnGroup;

/// What version 1 says of a group without a limit of memory is above this: the most that an `i64`
/// holds, rounded down to whole pages, of whatever size (Linux, page_counter).
const UNLIMITED_BYTES: u64 = 1 << 62;

/// The group of a container's processes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cgroup {
    /// A folder for each controller.
    V1 {
        cpu: PathBuf,
        cpuacct: PathBuf,
        memory: PathBuf,
    },
    /// One folder.
    V2(PathBuf),
}

/// What a group has used since it was made.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Used {
    /// CPU time.
    pub cpu_us: u64,
    /// Time for which the quota kept it from running, summed over the CPUs.
    pub throttled_us: u64,
    /// The most that was ever charged to it, page cache included; 0 if the kernel does not say.
    pub peak_bytes: u64,
    /// Now, without what could be dropped: anonymous and shared memory.
    pub own_bytes: u64,
    /// Processes that were killed because the limit was reached.
    pub oom_kills: u64,
}

impl Cgroup {
    /// The group of process `pid`.
    ///
    /// # Errors
    /// The process, or its group, is not to be seen here.
    pub fn of(pid: u32) -> Result<Cgroup, Error> {
        let read = |path: &str| fs::read_to_string(path).map_err(Error::while_doing(path));
        let groups = read(&format!("/proc/{pid}/cgroup"))?;
        let found = find(&groups, &read("/proc/self/mountinfo")?);
        let found = found.filter(|found| match found {
            Cgroup::V1 { cpu, memory, .. } => cpu.is_dir() && memory.is_dir(),
            Cgroup::V2(folder) => folder.is_dir(),
        });
        found.ok_or_else(|| {
            Error::new(format!(
                "the control group of process {pid} is not to be seen below /sys/fs/cgroup: run \
                 this on the daemon's own machine"
            ))
        })
    }

    /// The group of that name, counted from the root of the hierarchies, such as
    /// `/system.slice/bank.service`.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Cgroup, Error> {
        let mounts = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(mounts).map_err(Error::while_doing(mounts))?;
        let found = at_root(&mounts, name.trim_start_matches('/'));
        let found = found.filter(|found| found.folders().iter().all(|folder| folder.is_dir()));
        found.ok_or_else(|| Error::new(format!("there is no control group {name}")))
    }

    /// The limits in force, the CPU's to the nearest thousandth; `None` where one is missing.
    pub fn limits(&self) -> Result<Option<Limits>, Error> {
        let (quota, period, memory) = match self {
            Cgroup::V1 { cpu, memory, .. } => (
                read(cpu, "cpu.cfs_quota_us")?,
                read(cpu, "cpu.cfs_period_us")?,
                read(memory, "memory.limit_in_bytes")?,
            ),
            Cgroup::V2(folder) => {
                let max = read(folder, "cpu.max")?;
                let (quota, period) = max.split_once(' ').unwrap_or((&max, ""));
                let (quota, period) = (quota.to_owned(), period.to_owned());
                (quota, period, read(folder, "memory.max")?)
            }
        };
        // -1 and `max` are no numbers: no limit.
        let cpu_millis = quota
            .parse()
            .ok()
            .zip(period.parse().ok())
            .and_then(|(quota, period)| nearest_millis(quota, period));
        let memory_bytes = memory.parse().ok().filter(|&bytes| bytes < UNLIMITED_BYTES);
        let both = cpu_millis.zip(memory_bytes);
        Ok(both.map(|(cpu_millis, memory_bytes)| Limits {
            cpu_millis,
            memory_bytes,
        }))
    }

    /// What it has used so far.
    pub fn used(&self) -> Result<Used, Error> {
        match self {
            Cgroup::V1 {
                cpu,
                cpuacct,
                memory,
            } => {
                let cpu_ns = number(&read(cpuacct, "cpuacct.usage")?);
                let stat = read(memory, "memory.stat")?;
                let throttled_ns = field(&read(cpu, "cpu.stat")?, "throttled_time");
                Ok(Used {
                    cpu_us: cpu_ns / 1_000,
                    throttled_us: throttled_ns / 1_000,
                    peak_bytes: number(&read(memory, "memory.max_usage_in_bytes")?),
                    own_bytes: field(&stat, "total_rss") + field(&stat, "total_shmem"),
                    oom_kills: field(&read(memory, "memory.oom_control")?, "oom_kill"),
                })
            }
            Cgroup::V2(folder) => {
                let (cpu, stat) = (read(folder, "cpu.stat")?, read(folder, "memory.stat")?);
                Ok(Used {
                    cpu_us: field(&cpu, "usage_usec"),
                    throttled_us: field(&cpu, "throttled_usec"),
                    // Since Linux 5.19.
                    peak_bytes: number(&read(folder, "memory.peak").unwrap_or_default()),
                    own_bytes: field(&stat, "anon") + field(&stat, "shmem"),
                    oom_kills: field(&read(folder, "memory.events")?, "oom_kill"),
                })
            }
        }
    }
}

/// Thousandths of a CPU, rounded: Compose 2 keeps "0.53" as a float of 32 bits, of which the kernel
/// gets 52,999 µs of 100,000.
fn nearest_millis(quota_us: u64, period_us: u64) -> Option<u64> {
    let twice = quota_us.checked_mul(2_000)?.checked_add(period_us)?;
    twice.checked_div(period_us.checked_mul(2)?)
}

/// The group of that name at the root of each hierarchy.
fn at_root(mounts: &str, name: &str) -> Option<Cgroup> {
    let group = format!("/{name}");
    let v1 = |controller| folder(mounts, "cgroup", Some(controller), &group);
    match (v1("cpu"), v1("cpuacct"), v1("memory")) {
        (Some(cpu), Some(cpuacct), Some(memory)) => Some(Cgroup::V1 {
            cpu,
            cpuacct,
            memory,
        }),
        _ => folder(mounts, "cgroup2", None, &group).map(Cgroup::V2),
    }
}

/// From `/proc/PID/cgroup` and the mounts of this process to the group's folders.
fn find(groups: &str, mounts: &str) -> Option<Cgroup> {
    let v1 = |controller: &str| {
        let group = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers
                .split(',')
                .any(|one| one == controller)
                .then_some(path)
        })?;
        folder(mounts, "cgroup", Some(controller), group)
    };
    if let (Some(cpu), Some(cpuacct), Some(memory)) = (v1("cpu"), v1("cpuacct"), v1("memory")) {
        return Some(Cgroup::V1 {
            cpu,
            cpuacct,
            memory,
        });
    }
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    folder(mounts, "cgroup2", None, group).map(Cgroup::V2)
}

/// Where `group` of the hierarchy with that controller is, by proc(5), /proc/pid/mountinfo.
fn folder(mounts: &str, kind: &str, controller: Option<&str>, group: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, at) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let is_kind = system.next()? == kind;
        let options = system.nth(1).unwrap_or_default();
        let has = |controller| options.split(',').any(|option| option == controller);
        let fits = is_kind && controller.is_none_or(has);
        let below = group.strip_prefix(root.trim_end_matches('/'))?;
        fits.then(|| Path::new(at).join(below.trim_start_matches('/')))
    })
}

fn read(folder: &Path, name: &str) -> Result<String, Error> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).map_err(Error::while_doing(path.display()))?;
    Ok(text.trim().to_owned())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// Of lines such as `oom_kill 0`.
fn field(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(found, _)| *found == name)
        .map_or(0, |(_, value)| number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1_MOUNTS: &str = "\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
    const V2_MOUNTS: &str = "\
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    #[test]
    fn groups_are_found_under_both_versions() {
        let check = |groups: &str, mounts: &str, expected: Option<Cgroup>| {
            assert_eq!(find(groups, mounts), expected, "{groups}");
        };
        let path = PathBuf::from;
        let v1 = Cgroup::V1 {
            cpu: path("/sys/fs/cgroup/cpu,cpuacct/docker/a"),
            cpuacct: path("/sys/fs/cgroup/cpu,cpuacct/docker/a"),
            memory: path("/sys/fs/cgroup/memory/docker/a"),
        };
        let groups = "5:memory:/docker/a\n4:cpuacct,cpu:/docker/a\n1:name=systemd:/b\n0::/c";
        check(groups, V1_MOUNTS, Some(v1));
        let v2 = Cgroup::V2(path("/sys/fs/cgroup/system.slice/docker-a.scope"));
        let groups = "0::/system.slice/docker-a.scope";
        check(groups, V2_MOUNTS, Some(v2));
        // A hierarchy that is mounted from within: as in a container of its own.
        let mounts = "30 23 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let inner = Cgroup::V2(path("/sys/fs/cgroup/a"));
        check("0::/outer/a", mounts, Some(inner));
        check("0::/elsewhere/a", mounts, None);
        check("", V1_MOUNTS, None);
        check("5:memory:/docker/a", V2_MOUNTS, None);
    }

    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    /// All controllers in one folder.
    fn version_1(folder: &tempfile::TempDir) -> Cgroup {
        let path = || folder.path().to_owned();
        Cgroup::V1 {
            cpu: path(),
            cpuacct: path(),
            memory: path(),
        }
    }

    #[test]
    fn version_1_is_read() {
        let folder = group(&[
            ("cpu.cfs_quota_us", "17000\n"),
            ("cpu.cfs_period_us", "100000\n"),
            (
                "cpu.stat",
                "nr_periods 9\nnr_throttled 3\nthrottled_time 5000\n",
            ),
            ("cpuacct.usage", "2000000\n"),
            ("memory.limit_in_bytes", "41943040\n"),
            ("memory.max_usage_in_bytes", "8192\n"),
            ("memory.stat", "rss 1\ntotal_rss 4096\ntotal_shmem 512\n"),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            ),
        ]);
        let found = version_1(&folder);
        check(&found);
        fs::write(folder.path().join("cpu.cfs_quota_us"), "-1\n").unwrap();
        assert_eq!(found.limits().unwrap(), None);
    }

    #[test]
    fn version_2_is_read() {
        let folder = group(&[
            ("cpu.max", "17000 100000\n"),
            (
                "cpu.stat",
                "usage_usec 2000\nuser_usec 1\nthrottled_usec 5\n",
            ),
            ("memory.max", "41943040\n"),
            ("memory.peak", "8192\n"),
            ("memory.stat", "anon 4096\nfile 9\nshmem 512\n"),
            ("memory.events", "low 0\noom 2\noom_kill 2\n"),
        ]);
        let found = Cgroup::V2(folder.path().to_owned());
        check(&found);
        fs::write(folder.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(found.limits().unwrap(), None);
        fs::remove_file(folder.path().join("cpu.stat")).unwrap();
        assert!(found.used().is_err());
    }

    #[test]
    fn a_quota_is_read_to_the_nearest_thousandth() {
        let check = |quota, period, expected: Option<u64>| {
            assert_eq!(nearest_millis(quota, period), expected, "{quota} {period}");
        };
        check(53_000, 100_000, Some(530));
        check(52_999, 100_000, Some(530));
        check(52_950, 100_000, Some(530));
        check(52_949, 100_000, Some(529));
        check(150_000, 100_000, Some(1_500));
        check(1, 0, None);
        check(u64::MAX, 100_000, None);
    }

    #[test]
    fn a_limit_that_is_missing_is_none() {
        let check = |quota: &str, memory: &str, expected: bool| {
            let folder = group(&[
                ("cpu.cfs_quota_us", quota),
                ("cpu.cfs_period_us", "100000\n"),
                ("memory.limit_in_bytes", memory),
            ]);
            let limits = version_1(&folder).limits().unwrap();
            assert_eq!(limits.is_some(), expected, "{quota} {memory}");
        };
        check("17000\n", "41943040\n", true);
        check("-1\n", "41943040\n", false);
        // None, with pages of 4 KiB and of 64.
        check("17000\n", "9223372036854771712\n", false);
        check("17000\n", "9223372036854710272\n", false);
    }

    fn check(found: &Cgroup) {
        let limits = Limits {
            cpu_millis: 170,
            memory_bytes: 41_943_040,
        };
        assert_eq!(found.limits().unwrap(), Some(limits));
        let used = found.used().unwrap();
        assert_eq!((used.cpu_us, used.throttled_us), (2_000, 5));
        assert_eq!((used.peak_bytes, used.own_bytes), (8_192, 4_608));
        assert_eq!(used.oom_kills, 2);
    }
}
