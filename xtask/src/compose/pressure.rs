//! How busy the machine was meanwhile, with all that runs on it: proc(5), /proc/stat and
//! /proc/pressure (Linux, accounting/psi). Without it a latency says nothing.

use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::cpus::Ticks;

/// Over the time of a load, in percent of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Pressure {
    /// Of all CPUs.
    pub cpu_idle: u64,
    /// Somebody waited for a CPU; none if the kernel does not say.
    pub cpu_waited: Option<u64>,
    /// Somebody waited for a disk.
    pub io_waited: Option<u64>,
}

impl Pressure {
    /// Whether what is measured meanwhile tells more of the machine than of the bank.
    pub fn is_busy(&self) -> bool {
        let waited = [self.cpu_waited, self.io_waited];
        self.cpu_idle < 70 || waited.into_iter().flatten().any(|percent| percent > 20)
    }
}

/// The beginning of a load.
pub(super) struct Since {
    start: Instant,
    ticks: Ticks,
    waited_us: [Option<u64>; 2],
}

impl Since {
    pub fn now() -> Since {
        Since {
            start: Instant::now(),
            ticks: Ticks::now(),
            waited_us: waited_us(),
        }
    }

    pub fn until_now(&self) -> Pressure {
        let now = Since::now();
        let ticks = now.ticks - self.ticks;
        let us = now.start.duration_since(self.start).as_micros().max(1);
        let us = u64::try_from(us).unwrap_or(u64::MAX);
        let part = |at: usize| {
            let (before, after) = (self.waited_us.get(at)?, now.waited_us.get(at)?);
            Some((*after)?.saturating_sub((*before)?) * 100 / us)
        };
        Pressure {
            cpu_idle: ticks.idle * 100 / ticks.all.max(1),
            cpu_waited: part(0),
            io_waited: part(1),
        }
    }
}

fn waited_us() -> [Option<u64>; 2] {
    ["cpu", "io"].map(|name| {
        let text = fs::read_to_string(format!("/proc/pressure/{name}"));
        some_us(&text.unwrap_or_default())
    })
}

/// Of a line such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=12`.
fn some_us(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    line.rsplit_once("total=")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_lines_are_read() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 total=3\n";
        assert_eq!(some_us(text), Some(12));
        assert_eq!(some_us("full avg10=0.00 total=3\n"), None);
    }
}
