//! `cargo xtask k6`: what is asked of it, and what it says.

use std::env;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::{OUT, Options, Scenario, run};
use crate::bench::open::CLIENTES;
use crate::error::Error;
use crate::home::Home;
use crate::http;
use crate::machine;
use crate::observe;
use crate::say;
use crate::url;

/// Where the live dashboard is, with [`Mode::Dev`].
const DASHBOARD: &str = "http://localhost:5665";
const DASHBOARD_PORT: u16 = 5665;
/// For a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of a run's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// On the terminal, as a live dashboard at http://localhost:5665, and to `K6_OUT` if it is set,
    /// else to the Prometheus of `cargo xtask observe` if that runs
    Dev,
    /// An HTML report and a JSON summary
    Prod,
}

/// What was asked of `cargo xtask k6`.
#[derive(Clone, Debug, clap::Args)]
pub struct K6 {
    /// The script of perf/k6 to run
    #[arg(value_enum, default_value_t = Scenario::Contest)]
    pub scenario: Scenario,
    /// The bank; without it, the one that `cargo xtask up` runs
    #[arg(long)]
    pub url: Option<String>,
    /// Where the figures go
    #[arg(long, value_enum, default_value_t = Mode::Dev)]
    pub mode: Mode,
    /// Where `--mode prod` writes its reports, instead of .crebito/k6
    #[arg(long, value_name = "FOLDER")]
    pub reports: Option<PathBuf>,
    /// How long the load grows, in seconds; the contest's is 120, the soak's 10
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub ramp: Option<u64>,
    /// How long it then stays, in seconds; the contest's is 120, the soak's 1800, and each level
    /// of the saturation 15
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub hold: Option<u64>,
    /// The saturation's levels, one after the other; without it 16,64,256
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: Vec<u32>,
    /// Before the load the contest's validations, which want a fresh bank
    #[arg(long)]
    pub validate: bool,
    /// Fails also unless 99% are answered under 5 ms
    #[arg(long)]
    pub strict: bool,
}

impl K6 {
    /// # Errors
    /// Something was asked for that this scenario, or mode, knows nothing of.
    fn makes_sense(&self) -> Result<(), Error> {
        let has = |scenarios: &[Scenario]| scenarios.contains(&self.scenario);
        let loads = has(&[Scenario::Contest, Scenario::Soak, Scenario::Saturation]);
        let grows = has(&[Scenario::Contest, Scenario::Soak]);
        let levels = has(&[Scenario::Saturation]);
        let name = self.scenario.as_str();
        for (flag, is_given, fits) in [
            ("--ramp", self.ramp.is_some(), grows),
            ("--hold", self.hold.is_some(), loads),
            ("--connections", !self.connections.is_empty(), levels),
            ("--validate", self.validate, loads),
            ("--strict", self.strict, loads),
        ] {
            if is_given && !fits {
                return Err(Error::new(format!("{flag} says nothing to `{name}`")));
            }
        }
        match &self.reports {
            Some(_) if self.mode == Mode::Dev => Err(Error::new(
                "--reports goes with --mode prod, which writes them",
            )),
            _ => Ok(()),
        }
    }

    fn options(&self) -> Result<Options, Error> {
        let (ramp, hold) = self.scenario.times();
        let prod = self.mode == Mode::Prod;
        let reports = match &self.reports {
            Some(folder) => Some(folder.clone()),
            None if prod => Some(Home::find()?.private("k6")?),
            None => None,
        };
        let out = env::var(OUT).ok().filter(|out| !out.is_empty() && !prod);
        Ok(Options {
            ramp: self.ramp.map_or(ramp, Duration::from_secs),
            hold: self.hold.map_or(hold, Duration::from_secs),
            connections: match self.connections.as_slice() {
                [] => Options::default().connections,
                levels => levels.to_vec(),
            },
            validate: self.validate,
            is_strict: self.strict,
            reports,
            dashboard: !prod && self.scenario != Scenario::Checks,
            env: match out {
                Some(out) => vec![(OUT.to_owned(), out)],
                None if !prod && self.url.is_none() => observed(),
                None => Vec::new(),
            },
            quiet: false,
        })
    }
}

/// Runs the scenario, and says where the reports are.
///
/// # Errors
/// No bank runs, k6 could not run, or a threshold was missed.
pub fn task(task: &K6) -> Result<(), Error> {
    task.makes_sense()?;
    let url = match &task.url {
        Some(url) => url.clone(),
        None => running()?,
    };
    let address = reach(&url)?;
    if task.validate || task.scenario == Scenario::Checks {
        be_fresh(&url, address)?;
    }
    let options = task.options()?;
    if options.dashboard {
        if let Some(holder) = machine::port_holder(DASHBOARD_PORT) {
            return Err(Error::new(format!(
                "port {DASHBOARD_PORT}, where k6 draws, is in use by {holder}: stop that, or run \
                 with --mode prod, which draws into a file"
            )));
        }
        say(format_args!("While it runs: {DASHBOARD}"));
    }
    for (name, out) in &options.env {
        say(format_args!("Samples go to {out} ({name})"));
    }
    let summary = run(task.scenario, &url, &options)?;
    if let Some(folder) = &options.reports {
        say(format_args!("Reports in {}", folder.display()));
    }
    if summary.passed {
        return Ok(());
    }
    let missed = summary.failed_thresholds.join("; ");
    Err(Error::new(format!("not as it must be: {missed}")))
}

/// To the Prometheus that watches the bank of `cargo xtask up`, if one does.
fn observed() -> Vec<(String, String)> {
    let url = Home::find().ok().and_then(|home| observe::running(&home));
    url.map(|url| observe::k6_environment(&url))
        .unwrap_or_default()
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

/// One connection before minutes of them; where it led.
fn reach(url: &str) -> Result<SocketAddr, Error> {
    let reached = url::addresses(url).and_then(|addresses| {
        let mut addresses = addresses.into_iter();
        let connected =
            addresses.find(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok());
        connected.ok_or_else(|| ErrorKind::ConnectionRefused.into())
    });
    let nobody = |error| Error::new(format!("nobody answers at {url} ({error}): start the bank"));
    reached.map_err(nobody)
}

/// The contest's validations count from 0, and would fail one by one. What a bank does not say is
/// theirs to find.
fn be_fresh(url: &str, address: SocketAddr) -> Result<(), Error> {
    let mut saldos = CLIENTES.filter_map(|id| Some((id, http::saldo(address, url, id)?.total)));
    match saldos.find(|&(_, total)| total != 0) {
        None => Ok(()),
        Some((id, total)) => Err(Error::new(format!(
            "the bank at {url} was used before (cliente {id} has {total}), and the contest's \
             validations want an empty one: `cargo xtask up --fresh`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        k6: K6,
    }

    #[test]
    fn what_a_scenario_knows_nothing_of_is_refused() {
        let check = |line: &str, is_well: bool| {
            let line = Line::parse_from(["k6"].into_iter().chain(line.split(' ')));
            assert_eq!(line.k6.makes_sense().is_ok(), is_well, "{:?}", line.k6);
        };
        check("contest --ramp 1 --hold 1 --validate --strict", true);
        check("soak --ramp 1 --hold 1", true);
        check("saturation --connections 1,2 --hold 1", true);
        check("contest --connections 1", false);
        check("saturation --ramp 1", false);
        check("checks", true);
        for flag in [
            "--ramp 1",
            "--hold 1",
            "--connections 1",
            "--validate",
            "--strict",
        ] {
            check(&format!("checks {flag}"), false);
        }
        check("contest --reports x", false);
        check("contest --mode prod --reports x", true);
    }
}
