//! wrk with perf/mix.lua.

use std::collections::BTreeMap;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::check::leaves_open;
use super::{Bench, Mix, to_f64};
use crate::checkout::checkout;
use crate::cpus::Ticks;
use crate::error::Error;
use crate::programs;

/// What wrk counted, as perf/mix.lua writes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Load {
    pub requests: u64,
    pub duration_us: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
    /// Transacoes answered with 200.
    pub applied: u64,
    /// Connections refused, reset or timed out.
    pub socket_errors: u64,
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    /// The share of all CPU time that the hypervisor gave to other machines while something here
    /// wanted it, 0 to 1.
    #[serde(default)]
    pub stolen: f64,
}

impl Load {
    pub fn seconds(&self) -> f64 {
        to_f64(self.duration_us) / 1e6
    }

    pub fn requests_per_second(&self) -> f64 {
        to_f64(self.requests) / self.seconds()
    }

    /// Requests that may have been applied without a 200: [`leaves_open`] says of which.
    pub fn open(&self, is_ours: bool) -> u64 {
        let statuses = self.statuses.iter();
        let errors = statuses.filter(|(status, _)| leaves_open(**status, is_ours));
        self.socket_errors + errors.map(|(_, count)| count).sum::<u64>()
    }

    pub fn p50_ms(&self) -> f64 {
        to_f64(self.p50_us) / 1e3
    }

    pub fn p99_ms(&self) -> f64 {
        to_f64(self.p99_us) / 1e3
    }
}

/// Who is asked about: so many clientes, so many ids apart, from 1 on.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub clientes: u64,
    pub step: u64,
}

/// Drives `url` for so many seconds with a mix over the contest's five clientes.
pub(super) fn drive(
    bench: &Bench,
    (url, connections, seconds): (&str, u32, u32),
    seed: u32,
    mix: Mix,
) -> Result<Load, Error> {
    run(wrk(bench, connections, seconds, seed)?, url, mix)
}

/// The same with other clientes.
pub(super) fn drive_over(
    bench: &Bench,
    (url, connections, seconds): (&str, u32, u32),
    seed: u32,
    spread: Spread,
    mix: Mix,
) -> Result<Load, Error> {
    let mut wrk = wrk(bench, connections, seconds, seed)?;
    wrk.env("CLIENTES", spread.clientes.to_string())
        .env("STEP", spread.step.to_string());
    run(wrk, url, mix)
}

fn wrk(bench: &Bench, connections: u32, seconds: u32, seed: u32) -> Result<Command, Error> {
    command(connections, bench.threads, &format!("{seconds}s"), seed)
}

fn run(mut wrk: Command, url: &str, mix: Mix) -> Result<Load, Error> {
    let ticks = Ticks::now();
    let output = wrk
        .arg(url)
        .env("MIX", mix.as_str())
        .output()
        .map_err(Error::while_doing("wrk"))?;
    let ticks = Ticks::now() - ticks;
    let said = String::from_utf8_lossy(&output.stdout);
    let json = said.lines().find_map(|line| line.strip_prefix("JSON "));
    let failed = || {
        let reason = String::from_utf8_lossy(&output.stderr);
        Error::new(format!("wrk failed: {}\n{said}", reason.trim()))
    };
    let load = serde_json::from_str(json.ok_or_else(failed)?);
    Ok(Load {
        stolen: ticks.stolen_share(),
        ..load.map_err(Error::while_doing("wrk's counts"))?
    })
}

/// wrk with its script; the URL and `MIX` are the caller's to add.
pub(crate) fn command(
    connections: u32,
    threads: u32,
    duration: &str,
    seed: u32,
) -> Result<Command, Error> {
    let mut wrk = Command::new(programs::wrk()?);
    wrk.arg("--connections").arg(connections.to_string());
    // Each thread needs one.
    let threads = threads.min(connections);
    wrk.arg("--threads").arg(threads.to_string());
    wrk.args(["--duration", duration, "--timeout", "15s"]);
    wrk.arg("--script")
        .arg(checkout()?.join("perf").join("mix.lua"))
        .env("SEED", seed.to_string());
    Ok(wrk)
}
