//! The contest's load by the light generator, on a bank that runs; prints its outcome as JSON.
//!
//!     cargo xtask up --detach
//!     cargo run --package xtask --example open -- 127.0.0.1:9999 --ramp 15 --hold 60

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use xtask::Error;
use xtask::bench::open::{self, Plan};

/// The contest's load, open model, latencies from the scheduled moments, in microseconds
#[derive(Parser)]
struct Arguments {
    /// The bank's address, NGINX's or a replica's
    address: SocketAddr,
    /// How long the load grows, in seconds
    #[arg(long, default_value_t = 120)]
    ramp: u64,
    /// How long it then stays, in seconds: the latencies are this part's
    #[arg(long, default_value_t = 120)]
    hold: u64,
    /// Times the contest's rates
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Keeps connections, instead of a new one for each request
    #[arg(long)]
    keepalive: bool,
    /// Decides what is drawn at random
    #[arg(long, default_value_t = Plan::default().seed)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("open: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let plan = Plan {
        ramp: Duration::from_secs(arguments.ramp),
        hold: Duration::from_secs(arguments.hold),
        scale: arguments.scale,
        keepalive: arguments.keepalive,
        seed: arguments.seed,
        ..Plan::default()
    };
    let outcome = open::drive(arguments.address, &plan)?;
    let text = serde_json::to_string_pretty(&outcome);
    println!("{}", text.map_err(Error::while_doing("the outcome"))?);
    Ok(())
}
