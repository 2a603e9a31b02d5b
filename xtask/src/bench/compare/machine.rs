//! The machine that measured, for people.

use std::fs;

use super::super::to_f64;
use crate::programs;

/// Names and values; what the kernel does not say is left out.
pub(super) fn facts() -> Vec<(String, String)> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let line = |path: &str, name: &str| {
        let text = read(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(
            line.trim_start_matches([' ', '\t', ':', '='])
                .trim()
                .trim_matches('"')
                .to_owned(),
        )
    };
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = match line("/proc/cpuinfo", "model name") {
        Some(model) => format!("{cpus} × {model}"),
        None => format!("{cpus}"),
    };
    let memory = line("/proc/meminfo", "MemTotal").and_then(|text| {
        let kib: u64 = text.split(' ').next()?.parse().ok()?;
        Some(format!("{:.1} GB", to_f64(kib) * 1.024e-6))
    });
    let kernel = read("/proc/sys/kernel/osrelease").map(|text| format!("Linux {}", text.trim()));
    let hypervisor = line("/proc/cpuinfo", "flags")
        .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
        .then(|| "a virtual one".to_owned());
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let version = |program: Result<std::path::PathBuf, _>, flag| {
        program
            .ok()
            .and_then(|path| programs::version(&path, flag).ok())
    };
    let nginx = version(programs::nginx(), "-v");
    let facts = [
        ("CPUs", Some(cpu)),
        ("Memory", memory),
        ("Machine", hypervisor),
        ("Governor", governor.map(|text| text.trim().to_owned())),
        ("Kernel", kernel),
        ("System", line("/etc/os-release", "PRETTY_NAME")),
        (
            "NGINX",
            nginx.map(|text| text.replace("nginx version: nginx/", "")),
        ),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
