//! What is run, and how.

use std::path::PathBuf;
use std::time::Duration;

/// A script of perf/k6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The contest's load: an open model that grows to 340 requests a second and stays
    Contest,
    /// Levels of connections, each sending its next request when it has its answer
    Saturation,
    /// The contest's load at its height for half an hour or more; then the books are closed
    Soak,
    /// The contest's validations, /healthz and /health; no load, and a fresh bank is wanted
    Checks,
}

impl Scenario {
    /// The script's name without `.js`; the reports are named after it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scenario::Contest => "contest",
            Scenario::Saturation => "saturation",
            Scenario::Soak => "soak",
            Scenario::Checks => "checks",
        }
    }

    /// How long the load grows and then stays; of the saturation, how long each level stays.
    pub fn times(self) -> (Duration, Duration) {
        let (ramp, hold) = match self {
            Scenario::Contest => (120, 120),
            Scenario::Saturation => (0, 15),
            Scenario::Soak => (10, 1800),
            Scenario::Checks => (0, 0),
        };
        (Duration::from_secs(ramp), Duration::from_secs(hold))
    }
}

/// How a script is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the load grows; the contest's is 120 s. Whole seconds.
    pub ramp: Duration,
    /// How long it then stays; the contest's is 120 s; of the saturation, each level. Whole
    /// seconds.
    pub hold: Duration,
    /// The saturation's levels.
    pub connections: Vec<u32>,
    /// The contest's validations before the load: the bank has to be fresh.
    pub validate: bool,
    /// 99% under 5 ms, besides the contest's 98% under 250 ms.
    pub is_strict: bool,
    /// Writes `SCENARIO.json` and, of a load, `SCENARIO.html` into this folder, which is made.
    pub reports: Option<PathBuf>,
    /// Draws at http://localhost:5665 while it runs.
    pub dashboard: bool,
    /// More of k6's own variables, such as `K6_OUT`: where samples go while it runs.
    pub env: Vec<(String, String)>,
    /// Nothing on the terminal: the summary is all.
    pub quiet: bool,
}

impl Default for Options {
    /// The contest's four minutes, without validations, quiet.
    fn default() -> Options {
        Options::of(Scenario::Contest)
    }
}

impl Options {
    /// The scenario's own times, without validations, quiet.
    pub fn of(scenario: Scenario) -> Options {
        let (ramp, hold) = scenario.times();
        Options {
            ramp,
            hold,
            connections: vec![16, 64, 256],
            validate: false,
            is_strict: false,
            reports: None,
            dashboard: false,
            env: Vec::new(),
            quiet: true,
        }
    }
}
