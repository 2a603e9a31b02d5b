//! What a run came to, as perf/k6/summary.js writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A run's figures, without those of the validations before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// No threshold was missed, something was sent, and nobody ended it before its time.
    pub passed: bool,
    /// Those that were, as `metric threshold`.
    pub failed_thresholds: Vec<String>,
    /// Sent, the unanswered ones too.
    pub requests: u64,
    /// Over the whole run, its pauses too.
    pub per_second: u64,
    /// Of all of them.
    pub latency_us: Latency,
    /// The contest's: `debitos`, `creditos`, `extratos`. The saturation's: `16 connections`...;
    /// the soak's: `part 1` to `part 6`; the checks': `validacoes`, `health`, without latencies.
    pub kinds: BTreeMap<String, Kind>,
    /// Answers that contradict the bank's rules, the validations' too.
    pub inconsistencies: u64,
    /// Checks of status or balance that failed, the validations' too.
    pub failed_checks: u64,
    /// One sentence for each check that ever failed, and how often.
    pub failed_check_names: Vec<String>,
    /// Requests that were due and not sent, as all virtual users waited for answers.
    pub dropped_iterations: u64,
    /// How long it took.
    pub seconds: f64,
}

/// One kind of request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kind {
    /// Sent.
    pub requests: u64,
    /// While they were sent; of the contest's over the whole run.
    pub per_second: u64,
    /// How often each status was answered; `0` is no answer, `other` one that nobody foresaw.
    pub statuses: BTreeMap<String, u64>,
    /// Of all of them.
    pub latency_us: Latency,
}

/// Microseconds from the wish for a connection to the last byte of the answer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: u64,
    /// 90% of them took no longer.
    pub p90: u64,
    /// 98%: the contest's own measure, which is to stay below 250,000.
    pub p98: u64,
    /// 99%.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

impl Kind {
    /// How many were answered with none of 200 to 299, or not at all.
    pub fn non_2xx(&self) -> u64 {
        let is_2xx = |status: &str| status.len() == 3 && status.starts_with('2');
        let others = self.statuses.iter().filter(|(status, _)| !is_2xx(status));
        others.map(|(_, count)| count).sum()
    }
}
