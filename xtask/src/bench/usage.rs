//! What processes have used, from proc(5).

use std::fs;

use crate::process::{Stat, stat};

/// CPU time of a process and all that descend from it, in microseconds, the ended ones included.
pub(crate) fn cpu_us(root: u32) -> u64 {
    let all = processes();
    let mut tree = vec![root];
    let mut ticks = 0;
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        next += 1;
        ticks += all
            .iter()
            .filter(|(of, _)| *of == pid)
            .map(|(_, stat)| stat.cpu_ticks)
            .sum::<u64>();
        tree.extend(
            all.iter()
                .filter(|(_, stat)| stat.parent == pid)
                .map(|(of, _)| *of),
        );
    }
    ticks * 1_000_000 / rustix::param::clock_ticks_per_second()
}

fn processes() -> Vec<(u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The most memory that was ever resident, in KiB (`VmHWM`).
pub(crate) fn peak_rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_cpu_time_of_an_ended_child_counts() {
        let me = std::process::id();
        let before = cpu_us(me);
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(
            Command::new("sh")
                .args(["-c", burn])
                .status()
                .unwrap()
                .success()
        );
        assert!(cpu_us(me) > before);
        assert!(peak_rss_kib(me).unwrap() > 1000);
    }
}
