//! Figures of this process, in the kernel's words.

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// How the process is now.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: i64,
    pub(super) virtual_bytes: i64,
    pub(super) threads: i64,
    pub(super) open_fds: i64,
    pub(super) max_fds: i64,
}

/// Looks; what cannot be learned is 0.
pub(super) fn look() -> Figures {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = std::time::Duration::try_from(cpu).unwrap_or_default();
    let max_fds = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    Figures {
        cpu_seconds: cpu.as_secs_f64(),
        resident_bytes: number(&status, "VmRSS:") * 1024,
        virtual_bytes: number(&status, "VmSize:") * 1024,
        threads: number(&status, "Threads:"),
        open_fds: open_fds(),
        max_fds: i64::try_from(max_fds).unwrap_or(i64::MAX),
    }
}

/// The first number behind `name` in /proc/self/status (proc_pid_status(5)), which has memory
/// in KiB.
fn number(status: &str, name: &str) -> i64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let first = line.and_then(|rest| rest.split_whitespace().next());
    first.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Since Linux 6.2 the folder's size is how many there are; before, they must be listed, which with
/// thousands of connections takes milliseconds.
fn open_fds() -> i64 {
    let folder = "/proc/self/fd";
    let count = match std::fs::metadata(folder).map(|metadata| metadata.len()) {
        Ok(count @ 1..) => count,
        // One of them is the listing's own.
        _ => std::fs::read_dir(folder).map_or(0, |all| all.count().saturating_sub(1) as u64),
    };
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_figures() {
        let figures = look();
        assert!(figures.cpu_seconds > 0.0, "{figures:?}");
        assert!(figures.resident_bytes > 100_000, "{figures:?}");
        assert!(
            figures.virtual_bytes >= figures.resident_bytes,
            "{figures:?}"
        );
        assert!(figures.threads >= 1, "{figures:?}");
        assert!(
            (3..=figures.max_fds).contains(&figures.open_fds),
            "{figures:?}"
        );
    }
}
