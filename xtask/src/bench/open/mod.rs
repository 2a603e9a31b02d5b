//! The contest's load as an open model, by a generator that costs little and adds little.
//!
//! When each request is due is settled beforehand, whatever the bank does: a stall delays none of
//! them, and each counts from its scheduled moment (no coordinated omission). One thread without
//! blocking; k6, which does the same in `cargo xtask k6`, takes a quarter of a CPU for it and adds
//! 0.4 ms to the median; this takes a twentieth.
//!
//! ```no_run
//! use xtask::bench::open::{self, Plan};
//! let outcome = open::drive(([127, 0, 0, 1], 9999).into(), &Plan::default()).unwrap();
//! println!("p99 {} µs", outcome.latency_us.p99);
//! ```
//!
//! By hand: `cargo run --package xtask --example open -- --help`.

pub(crate) mod exchange;
mod outcome;
mod poll;
mod request;
mod run;
mod schedule;
mod times;

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::Error;
use crate::machine;
pub(super) use outcome::Tally;
pub use outcome::{Generator, OfKind, Outcome};
pub(crate) use request::CLIENTES;
pub use request::Kind;
use run::Run;
pub use times::Latency;
pub(super) use times::Times;

/// The contest wants 98% of the answers below this.
pub const SLA: Duration = Duration::from_millis(250);

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long each rate grows from 1 a second. Nothing of it is in the latencies.
    pub ramp: Duration,
    /// How long the rates then stay.
    pub hold: Duration,
    /// Times the contest's rates: 220 debits, 110 credits, 10 extratos a second.
    pub scale: f64,
    /// Connections are kept and used again. If not, each request has its own, which is closed when
    /// it has its answer, as the contest's tool does it.
    pub keepalive: bool,
    /// Decides clientes, valores and descricoes.
    pub seed: u64,
    /// How long answers are waited for after the last request was due.
    pub patience: Duration,
}

impl Default for Plan {
    /// The contest's.
    fn default() -> Plan {
        Plan {
            ramp: Duration::from_secs(120),
            hold: Duration::from_secs(120),
            scale: 1.0,
            keepalive: false,
            seed: 2024,
            patience: Duration::from_secs(30),
        }
    }
}

const DURATION_MAX: Duration = Duration::from_secs(3600);
const SCALE_MAX: f64 = 1000.0;

/// Sends what is planned to `address`, from this thread, and returns when all of it was answered
/// or nothing is waited for any more. What goes wrong between the two is no error, but counted.
///
/// Raises this process' limit of open files to what it may have: a bank that stands still has a
/// connection open for each request that became due meanwhile.
///
/// # Errors
/// The plan is none (no time, over an hour, a scale that is not above 0 and at most 1000), or the
/// kernel refuses what the generator itself needs.
pub fn drive(address: SocketAddr, plan: &Plan) -> Result<Outcome, Error> {
    let mut tally = Tally::new(SLA);
    drive_on(address, plan, &mut tally)?;
    Ok(tally.outcome())
}

/// The same, counted with the stretches of load before it.
pub(super) fn drive_on(address: SocketAddr, plan: &Plan, tally: &mut Tally) -> Result<(), Error> {
    let duration = plan.ramp.saturating_add(plan.hold);
    if duration.is_zero() || duration > DURATION_MAX {
        return Err(Error::new(
            "ramp and hold are more than 0 and at most an hour",
        ));
    }
    if !(plan.scale > 0.0 && plan.scale <= SCALE_MAX) {
        return Err(Error::new(format!(
            "a scale is above 0 and at most {SCALE_MAX}"
        )));
    }
    // As many as there may be.
    machine::raise_open_files(1)?;
    Run::new(address, plan, tally)
        .and_then(Run::run)
        .map_err(Error::while_doing("the load generator"))
}
