//! `cargo xtask k6`: the scripts of perf/k6 against a bank that runs.

mod options;
mod program;
mod summary;
mod task;

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::checkout::checkout;
use crate::error::Error;
pub use options::{Options, Scenario};
pub use summary::{Kind, Latency, Summary};
pub use task::{K6, Mode, task};

/// k6's exit status when a threshold was missed; the summary says which.
const THRESHOLDS_MISSED: i32 = 99;

/// k6's exit status after Ctrl-C.
const INTERRUPTED: i32 = 105;

/// k6's own variable for where samples go; it is not inherited, but for `cargo xtask k6`.
const OUT: &str = "K6_OUT";

/// Of each trend to Prometheus, unless the environment says otherwise; k6's own is `p(99)` alone.
const TREND_STATS: (&str, &str) = (
    "K6_PROMETHEUS_RW_TREND_STATS",
    "p(50),p(90),p(98),p(99),max",
);

/// [`run`] of the contest's load.
///
/// # Errors
/// As [`run`].
pub fn contest(url: &str, options: &Options) -> Result<Summary, Error> {
    run(Scenario::Contest, url, options)
}

/// Drives the bank at `url` with the scenario's script. k6 is taken from PATH, or fetched.
///
/// # Errors
/// k6 is not to be had or could not run. A missed threshold is none: it is in the summary.
pub fn run(scenario: Scenario, url: &str, options: &Options) -> Result<Summary, Error> {
    let program = program::find()?;
    let own = tempfile::tempdir().map_err(Error::while_doing("a folder for k6"))?;
    let folder = match &options.reports {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(Error::while_doing(folder.display()))?;
            folder.as_path()
        }
        None => own.path(),
    };
    let json = folder.join(format!("{}.json", scenario.as_str()));
    // That of an earlier run is not this one's.
    match fs::remove_file(&json) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::while_doing(json.display())(error));
        }
        _ => {}
    }
    let mut k6 = command(&program, scenario, url, options, folder)?;
    if !options.quiet {
        k6.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    }
    let output = k6.output().map_err(Error::while_doing("k6"))?;
    match output.status.code() {
        Some(0 | THRESHOLDS_MISSED) => {}
        Some(INTERRUPTED) => return Err(Error::interrupted()),
        _ => return Err(Error::of_program("k6", &output)),
    }
    let text = fs::read_to_string(&json).map_err(Error::while_doing(json.display()))?;
    serde_json::from_str(&text).map_err(Error::while_doing("k6's summary"))
}

fn command(
    program: &Path,
    scenario: Scenario,
    url: &str,
    options: &Options,
    folder: &Path,
) -> Result<Command, Error> {
    let name = scenario.as_str();
    let scripts = checkout()?.join("perf").join("k6");
    let mut k6 = Command::new(program);
    k6.args(["run", "--no-usage-report"]);
    if options.quiet {
        k6.arg("--quiet");
    }
    let json = folder.join(format!("{name}.json"));
    let prod = options.reports.is_some();
    let settings = [
        ("BASE_URL", url.to_owned()),
        ("MODE", if prod { "prod" } else { "dev" }.to_owned()),
        ("SUMMARY", json.to_string_lossy().into_owned()),
        ("VALIDATE", flag(options.validate)),
        ("STRICT", flag(options.is_strict)),
    ];
    for (name, value) in settings.into_iter().chain(load(scenario, options)) {
        k6.arg("--env").arg(format!("{name}={value}"));
    }
    // Checks take no time in which anything could be drawn.
    let html = prod && scenario != Scenario::Checks;
    if options.dashboard || html {
        k6.env("K6_WEB_DASHBOARD", "true");
        // A report wants several of its periods, which are 10 s each.
        k6.env("K6_WEB_DASHBOARD_PERIOD", "2s");
    }
    if html {
        k6.env(
            "K6_WEB_DASHBOARD_EXPORT",
            folder.join(format!("{name}.html")),
        );
    }
    if !options.dashboard {
        k6.env("K6_WEB_DASHBOARD_PORT", "-1");
    } else if env::var_os("K6_WEB_DASHBOARD_HOST").is_none() {
        k6.env("K6_WEB_DASHBOARD_HOST", "127.0.0.1");
    }
    let (stats, wanted) = TREND_STATS;
    if env::var_os(stats).is_none() {
        k6.env(stats, wanted);
    }
    k6.env_remove(OUT).envs(options.env.iter().cloned());
    k6.arg(scripts.join(format!("{name}.js")));
    k6.stdin(Stdio::null());
    Ok(k6)
}

/// The settings of the scenario's load.
fn load(scenario: Scenario, options: &Options) -> Vec<(&'static str, String)> {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let levels: Vec<String> = options.connections.iter().map(u32::to_string).collect();
    let hold = ("HOLD", seconds(options.hold));
    match scenario {
        Scenario::Contest | Scenario::Soak => vec![("RAMP", seconds(options.ramp)), hold],
        Scenario::Saturation => vec![("CONNECTIONS", levels.join(",")), hold],
        Scenario::Checks => Vec::new(),
    }
}

fn flag(is_set: bool) -> String {
    if is_set { "1" } else { "0" }.to_owned()
}
