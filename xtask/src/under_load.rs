//! `cargo xtask under-load`: a command, most often a profiler, that runs while a private stack is
//! driven. perf/*.sh are made of it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bench::{Mix, load};
use crate::error::Error;
use crate::http;
use crate::install::{self, Need};
use crate::process;
use crate::stack::{Options, Stack};
use crate::{build, say};

/// wrk wants to know for how long; it is stopped long before.
const FOR_EVER: &str = "1h";

/// What is run, and under which load.
#[derive(Clone, Debug, clap::Args)]
pub struct UnderLoad {
    /// Connections of the load generator
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// What is asked
    #[arg(long, value_enum, default_value_t = Mix::Contest)]
    pub mix: Mix,
    /// How long the stack is driven before the command starts, in seconds
    #[arg(long, default_value_t = 3)]
    pub warm_up: u32,
    /// A file for the requests and the seconds of the command's time, as JSON
    #[arg(long, value_name = "FILE")]
    pub figures: Option<PathBuf>,
    /// The command. `NGINX_PIDS`, `REPLICA_PIDS` and `POSTGRES_PIDS` of its environment are the
    /// processes, with commas between them; `REPLICAS` the replicas' addresses, with spaces
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

/// What the replicas did while the command ran.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    driver: String,
    connections: u32,
    seconds: f64,
    /// That joined a queue: all of the load's.
    requests: u64,
}

/// Starts the stack, drives it, runs the command, and takes all down. `build` makes the binary of
/// `options` first, with the profile `profiling`: release with line tables.
///
/// # Errors
/// Something did not start, the command failed, or no load reached the replicas meanwhile.
pub fn under_load(
    task: &UnderLoad,
    mut options: Options,
    build: bool,
    interrupted: &AtomicBool,
) -> Result<(), Error> {
    install::ensure(&[Need::PostgreSql, Need::Nginx, Need::Wrk])?;
    if build {
        options.crebito = build::server("profiling")?;
    }
    let stack = Stack::private(&options)?;
    stack.sync_data()?;
    let mut wrk = load::command(task.connections, 1, FOR_EVER, 1)?;
    wrk.arg(stack.url()).env("MIX", task.mix.as_str());
    wrk.stdin(Stdio::null()).stdout(Stdio::null());
    let mut wrk = Running(wrk.spawn().map_err(Error::while_doing("wrk"))?);
    thread::sleep(Duration::from_secs(task.warm_up.into()));
    if interrupted.load(Ordering::Relaxed) {
        return Err(Error::interrupted());
    }
    let before = requests(&stack)?;
    let started = Instant::now();
    run(task, &stack)?;
    let seconds = started.elapsed().as_secs_f64();
    let requests = requests(&stack)?.saturating_sub(before);
    if requests == 0 || wrk.has_ended() {
        return Err(Error::new("the load ended before the command"));
    }
    let replica = stack.replicas().into_iter().next();
    let figures = Figures {
        driver: replica.map(|replica| replica.driver).unwrap_or_default(),
        connections: task.connections,
        seconds,
        requests,
    };
    let Some(file) = &task.figures else {
        say(format_args!("{requests} requests in {seconds:.1} s"));
        return Ok(());
    };
    let text = serde_json::to_string(&figures).map_err(Error::while_doing("the figures"))?;
    fs::write(file, text + "\n").map_err(Error::while_doing(file.display()))
}

fn run(task: &UnderLoad, stack: &Stack) -> Result<(), Error> {
    let pids = |roots: &[u32]| {
        let all = roots.iter().flat_map(|&root| process::family(root));
        all.map(|pid| pid.to_string()).collect::<Vec<_>>().join(",")
    };
    let replicas: Vec<u32> = stack.replicas().iter().map(|it| it.pid).collect();
    let addresses: Vec<String> = stack
        .replicas()
        .iter()
        .map(|it| it.address.to_string())
        .collect();
    let nginx: Vec<u32> = stack.nginx_pid().into_iter().collect();
    let postgres: Vec<u32> = stack.postgres_pid().into_iter().collect();
    let (name, arguments) = task
        .command
        .split_first()
        .ok_or_else(|| Error::new("no command"))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env("NGINX_PIDS", pids(&nginx))
        .env("REPLICA_PIDS", pids(&replicas))
        .env("POSTGRES_PIDS", pids(&postgres))
        .env("REPLICAS", addresses.join(" "));
    let status = command.status().map_err(Error::while_doing(name))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::new(format!("{name}: {status}"))),
    }
}

/// How many operations have joined a queue since the start.
fn requests(stack: &Stack) -> Result<u64, Error> {
    let mut sum = 0;
    for replica in stack.replicas() {
        let (_, health) = http::get(&replica.address, "localhost", "/health")
            .map_err(Error::while_doing("/health"))?;
        let health: serde_json::Value =
            serde_json::from_str(&health).map_err(Error::while_doing("/health"))?;
        sum += health["operations"].as_u64().unwrap_or(0);
    }
    Ok(sum)
}

/// A process that ends with us.
struct Running(Child);

impl Running {
    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
