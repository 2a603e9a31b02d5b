//! What travels: variants against the shipped stack, in the same run.

use std::fmt::Write;

use super::super::record::{Record, Run, SHIPPED};
use super::super::rounds::{Rounds, is_yardstick};
use super::super::to_f64;
use super::levels::figure;

/// A line for each variant at each level.
pub(super) fn table(run: &Run) -> String {
    let mut text = String::new();
    for theirs in Rounds::all(run) {
        if theirs.variant == SHIPPED || is_yardstick(theirs.variant) {
            continue;
        }
        let Some(ours) = Rounds::of(run, theirs.connections, SHIPPED) else {
            continue;
        };
        if text.is_empty() {
            let _ = writeln!(
                text,
                "\n{:>5}  {:<32}{:>10}{:>8}{:>8}{:>8}{:>8}",
                "conns", "ratio", "requests/s", "p50", "p99", "CPU", "CPU db"
            );
        }
        let ratio = |of: &dyn Fn(&Record) -> Option<f64>| ours.over(&theirs, of);
        let _ = writeln!(
            text,
            "{:>5}  {:<32}{:>10}{:>8}{:>8}{:>8}{:>8}",
            theirs.connections,
            format!("{SHIPPED} / {}", theirs.variant),
            figure(ratio(&|record| Some(record.requests_per_second)), 2),
            figure(ratio(&|record| Some(to_f64(record.load.p50_us))), 2),
            figure(ratio(&|record| Some(to_f64(record.load.p99_us))), 2),
            figure(ratio(&|record| record.cpu_us_per_request("")), 2),
            figure(ratio(&|record| record.cpu_us_per_request("db")), 2),
        );
    }
    text
}
