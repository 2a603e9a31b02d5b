//! Where the time of this machine's CPUs goes: proc(5), /proc/stat.

use std::fs;
use std::ops::{Add, Sub};

/// Of all CPUs together, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    /// Nothing wanted to run, or all that did waited for a disk.
    pub idle: u64,
    /// Something wanted to, on a virtual machine, and the hypervisor ran another one there.
    pub stolen: u64,
    /// These and all else.
    pub all: u64,
}

impl Ticks {
    /// Since the machine was started; nothing where the kernel does not say.
    pub fn now() -> Ticks {
        Ticks::read(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Of the line `cpu user nice system idle iowait irq softirq steal guest guest_nice`: the last
    /// two are counted in the first two.
    fn read(stat: &str) -> Ticks {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "));
        let numbers = line.unwrap_or_default().split_whitespace();
        let numbers = numbers.filter_map(|word| word.parse::<u64>().ok()).take(8);
        numbers
            .enumerate()
            .fold(Ticks::default(), |ticks, (at, number)| Ticks {
                idle: ticks.idle + if matches!(at, 3 | 4) { number } else { 0 },
                stolen: ticks.stolen + if at == 7 { number } else { 0 },
                all: ticks.all + number,
            })
    }

    /// The share of all CPU time that was stolen, 0 to 1, as vmstat(8) has it in percent; 0 also
    /// where the kernel does not say.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a figure for people: 53 bits are enough"
    )]
    pub fn stolen_share(&self) -> f64 {
        self.stolen as f64 / self.all.max(1) as f64
    }
}

impl Sub for Ticks {
    type Output = Ticks;

    /// What came between; some kernels let a counter fall by a tick.
    fn sub(self, before: Ticks) -> Ticks {
        Ticks {
            idle: self.idle.saturating_sub(before.idle),
            stolen: self.stolen.saturating_sub(before.stolen),
            all: self.all.saturating_sub(before.all),
        }
    }
}

impl Add for Ticks {
    type Output = Ticks;

    fn add(self, other: Ticks) -> Ticks {
        Ticks {
            idle: self.idle + other.idle,
            stolen: self.stolen + other.stolen,
            all: self.all + other.all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_line_is_read() {
        let found = Ticks::read("cpu  1 2 3 40 5 6 7 8 900 900\ncpu0 1 1 1 1\n");
        let (idle, stolen, all) = (45, 8, 72);
        assert_eq!(found, Ticks { idle, stolen, all });
        assert_eq!(Ticks::read(""), Ticks::default());
        assert!(Ticks::now().all > 0);
    }

    #[test]
    fn what_is_stolen_is_a_share_of_all() {
        let of = |idle, stolen, all| Ticks { idle, stolen, all };
        let between = of(1_150, 50, 1_200) - of(1_000, 10, 1_040);
        assert_eq!(between, of(150, 40, 160));
        assert!((between.stolen_share() - 0.25).abs() < 1e-9);
        assert!(of(100, 0, 100).stolen_share().abs() < 1e-9);
        // A counter that fell.
        assert_eq!(of(5, 0, 9) - of(6, 1, 4), of(0, 0, 5));
        assert_eq!(between + of(1, 2, 3), of(151, 42, 163));
    }
}
