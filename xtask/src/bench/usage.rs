//! What processes have used, from proc(5).

use std::fs;

use crate::process::{family, stat};

/// CPU time of a process and all that descend from it, in microseconds, the ended ones included.
pub(crate) fn cpu_us(root: u32) -> u64 {
    let stats = family(root).into_iter().filter_map(stat);
    let ticks: u64 = stats.map(|stat| stat.cpu_ticks).sum();
    ticks * 1_000_000 / rustix::param::clock_ticks_per_second()
}

/// CPU time of our children that have ended and were waited for, in microseconds.
pub(crate) fn ended_children_us() -> u64 {
    let me = stat(std::process::id());
    me.map_or(0, |me| me.children_ticks) * 1_000_000 / rustix::param::clock_ticks_per_second()
}

/// The most memory that was ever resident, in KiB (`VmHWM`).
pub(crate) fn peak_rss_kib(pid: u32) -> Option<u64> {
    status_kib(pid, "VmHWM:")
}

/// The memory that is resident now, in KiB (`VmRSS`).
pub(crate) fn rss_kib(pid: u32) -> Option<u64> {
    status_kib(pid, "VmRSS:")
}

fn status_kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_cpu_time_of_an_ended_child_counts() {
        let me = std::process::id();
        let (before, children) = (cpu_us(me), ended_children_us());
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(
            Command::new("sh")
                .args(["-c", burn])
                .status()
                .unwrap()
                .success()
        );
        assert!(cpu_us(me) > before);
        assert!(ended_children_us() > children);
        assert!(ended_children_us() <= cpu_us(me));
        assert!(peak_rss_kib(me).unwrap() >= rss_kib(me).unwrap());
        assert!(rss_kib(me).unwrap() > 1000);
    }
}
