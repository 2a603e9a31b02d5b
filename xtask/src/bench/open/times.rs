//! How long things took, counted so that no tail is lost.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Microseconds, to three significant digits. Of a request: from the scheduled moment to the last
/// byte of the answer, the connection's opening included; of the constant part only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were counted.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 90% of them took no longer.
    pub p90: u64,
    /// 99%.
    pub p99: u64,
    /// 99.9%.
    pub p99_9: u64,
    /// The slowest.
    pub max: u64,
}

/// Times as they are counted.
#[derive(Clone, Debug)]
pub(in super::super) struct Times(Histogram<u64>);

/// What is longer counts as this; no run lasts so long.
const US_MAX: u64 = 3_600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Steps of the curve for one more nine.
const CURVE_STEPS: i32 = 10;
/// It ends at 99.999%.
const CURVE_LAST: i32 = 5 * CURVE_STEPS;

impl Times {
    /// Of nothing yet.
    pub fn new() -> Times {
        let counted = Histogram::new_with_max(US_MAX, SIGNIFICANT_DIGITS);
        Times(counted.expect("the bound is above 2, and the digits are at most 5"))
    }

    /// One more.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(micros(took));
    }

    /// All of another one's.
    pub fn add(&mut self, other: &Times) {
        let added = self.0.add(&other.0);
        added.expect("all have the same bounds");
    }

    /// Entry `k`, in microseconds: the share `1 - 10^(-k/10)` of them took no longer. It ends where
    /// less than one of them is left.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts are far below what 53 bits hold"
    )]
    pub fn curve(&self) -> Vec<u64> {
        let above = |step: i32| 10_f64.powf(-f64::from(step) / f64::from(CURVE_STEPS));
        let counted = self.0.len() as f64;
        (0..=CURVE_LAST)
            .map(above)
            .take_while(|above| counted * above >= 1.0)
            .map(|above| self.0.value_at_quantile(1.0 - above))
            .collect()
    }

    /// All of them in a few figures.
    pub fn latency(&self) -> Latency {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Latency {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.0.max(),
        }
    }
}

/// In whole microseconds, rounded down.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
