//! `cargo xtask k6`: the contest's load, in an open model, against a bank that runs.

mod program;
mod summary;

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::checkout::checkout;
use crate::error::Error;
use crate::home::Home;
use crate::say;
pub use summary::{Kind, Latency, Summary};

/// k6's exit status when a threshold was missed; the summary says which.
const THRESHOLDS_MISSED: i32 = 99;

/// k6's exit status after Ctrl-C.
const INTERRUPTED: i32 = 105;

/// Where the live dashboard is, with [`Mode::Dev`].
const DASHBOARD: &str = "http://localhost:5665";

/// What becomes of a run's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// On the terminal, and as a live dashboard at http://localhost:5665
    Dev,
    /// An HTML report and a JSON summary
    Prod,
}

/// How the contest's load is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the load grows; the contest's is 120 s. Whole seconds.
    pub ramp: Duration,
    /// How long it then stays; the contest's is 120 s. Whole seconds.
    pub hold: Duration,
    /// The contest's validations before the load: the bank has to be fresh.
    pub validate: bool,
    /// Writes `contest.json` and `contest.html` into this folder, which is made.
    pub reports: Option<PathBuf>,
    /// Draws at http://localhost:5665 while it runs.
    pub dashboard: bool,
    /// Nothing on the terminal: the summary is all.
    pub quiet: bool,
}

impl Default for Options {
    /// The contest's four minutes, without validations, quiet.
    fn default() -> Options {
        Options {
            ramp: Duration::from_secs(120),
            hold: Duration::from_secs(120),
            validate: false,
            reports: None,
            dashboard: false,
            quiet: true,
        }
    }
}

/// What was asked of `cargo xtask k6`.
#[derive(Clone, Debug)]
pub struct Task {
    /// The bank; without it, the one that `cargo xtask up` runs.
    pub url: Option<String>,
    /// Where the figures go.
    pub mode: Mode,
    /// The folder of the reports; without it, `.crebito/k6` of the checkout.
    pub reports: Option<PathBuf>,
    /// The rest.
    pub options: Options,
}

/// Runs the contest's load, and says where the reports are.
///
/// # Errors
/// No bank runs, k6 could not run, or a threshold was missed.
pub fn task(task: &Task) -> Result<(), Error> {
    let url = match &task.url {
        Some(url) => url.clone(),
        None => running()?,
    };
    reach(&url)?;
    let prod = task.mode == Mode::Prod;
    let reports = match &task.reports {
        Some(folder) => Some(folder.clone()),
        None if prod => Some(Home::find()?.private("k6")?),
        None => None,
    };
    let options = Options {
        reports,
        dashboard: !prod,
        quiet: false,
        ..task.options.clone()
    };
    if options.dashboard {
        say(format_args!("While it runs: {DASHBOARD}"));
    }
    let summary = contest(&url, &options)?;
    if let Some(folder) = &options.reports {
        say(format_args!("Reports in {}", folder.display()));
    }
    match summary.passed {
        true => Ok(()),
        false => {
            let missed = summary.failed_thresholds.join("; ");
            Err(Error::new(format!("not as it must be: {missed}")))
        }
    }
}

fn running() -> Result<String, Error> {
    let state = Home::find()?.state()?;
    state.map(|state| state.url).ok_or_else(|| {
        Error::new(
            "nothing runs here: `cargo xtask up` in another terminal, or --url URL, which of a \
             composition is http://localhost:9999",
        )
    })
}

/// One connection before minutes of them.
fn reach(url: &str) -> Result<(), Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let with_port = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ if url.starts_with("https:") => format!("{authority}:443"),
        _ => format!("{authority}:80"),
    };
    let reached = with_port.to_socket_addrs().and_then(|mut addresses| {
        let connected = addresses.find_map(|address| TcpStream::connect(address).ok());
        connected.ok_or_else(|| ErrorKind::ConnectionRefused.into())
    });
    let nobody = |error| Error::new(format!("nobody answers at {url} ({error}): start the bank"));
    reached.map(drop).map_err(nobody)
}

/// Drives the bank at `url` with perf/k6/contest.js. k6 is taken from PATH, or fetched.
///
/// # Errors
/// k6 is not to be had or could not run. A missed threshold is none: it is in the summary.
pub fn contest(url: &str, options: &Options) -> Result<Summary, Error> {
    let program = program::find()?;
    let own = tempfile::tempdir().map_err(Error::while_doing("a folder for k6"))?;
    let folder = match &options.reports {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(Error::while_doing(folder.display()))?;
            folder.as_path()
        }
        None => own.path(),
    };
    let json = folder.join("contest.json");
    // That of an earlier run is not this one's.
    match fs::remove_file(&json) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::while_doing(json.display())(error));
        }
        _ => {}
    }
    let mut k6 = command(&program, url, options, folder)?;
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

fn command(program: &Path, url: &str, options: &Options, folder: &Path) -> Result<Command, Error> {
    let script = checkout()?.join("perf").join("k6").join("contest.js");
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let json = folder.join("contest.json");
    let mut k6 = Command::new(program);
    k6.args(["run", "--no-usage-report"]);
    if options.quiet {
        k6.arg("--quiet");
    }
    for (name, value) in [
        ("BASE_URL", url),
        ("RAMP", &seconds(options.ramp)),
        ("HOLD", &seconds(options.hold)),
        ("VALIDATE", if options.validate { "1" } else { "0" }),
        (
            "MODE",
            if options.reports.is_some() {
                "prod"
            } else {
                "dev"
            },
        ),
        ("SUMMARY", &json.to_string_lossy()),
    ] {
        k6.arg("--env").arg(format!("{name}={value}"));
    }
    let html = options.reports.is_some();
    if options.dashboard || html {
        k6.env("K6_WEB_DASHBOARD", "true");
        // A report wants several of its periods, which are 10 s each.
        k6.env("K6_WEB_DASHBOARD_PERIOD", "2s");
    }
    if html {
        k6.env("K6_WEB_DASHBOARD_EXPORT", folder.join("contest.html"));
    }
    if !options.dashboard {
        k6.env("K6_WEB_DASHBOARD_PORT", "-1");
    }
    k6.arg(script).stdin(Stdio::null());
    Ok(k6)
}
